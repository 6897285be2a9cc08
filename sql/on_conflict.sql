-- INSERT ... ON CONFLICT: an insert or an update, with what was there before.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA on_conflict;
SET search_path = on_conflict;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, before, after FROM waybill.changes WHERE "table" = 'on_conflict.t';
CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, n int DEFAULT 0, doubled int GENERATED ALWAYS AS (n * 2) STORED);
SELECT waybill.enable_capture('t');

INSERT INTO t VALUES (1, 'one'), (2, 'two');
INSERT INTO t VALUES (1, 'eins'), (3, 'three') ON CONFLICT (id) DO UPDATE SET n = t.n + 1, code = excluded.code;
INSERT INTO t VALUES (4, 'two'), (5, 'five') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (6, 'two') ON CONFLICT (code) DO UPDATE SET id = excluded.id WHERE t.id = 2;
INSERT INTO t VALUES (6, 'six'), (7, 'seven') ON CONFLICT (id) DO UPDATE SET n = 100 WHERE false;
SELECT * FROM log;

-- With a row that the same transaction made, with one undone, and with a BEFORE trigger that turns the key.
BEGIN;
INSERT INTO t VALUES (8, 'eight');
INSERT INTO t VALUES (8, 'eight') ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
SAVEPOINT s;
INSERT INTO t VALUES (8, 'eight') ON CONFLICT (id) DO UPDATE SET n = t.n + 100;
ROLLBACK TO s;
INSERT INTO t VALUES (8, 'eight') ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
DELETE FROM t WHERE id = 8;
INSERT INTO t VALUES (8, 'again') ON CONFLICT (id) DO UPDATE SET n = -1;
COMMIT;
CREATE FUNCTION turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := 8;
    RETURN NEW;
END $$;
CREATE TRIGGER turn BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id > 100) EXECUTE FUNCTION turn();
INSERT INTO t VALUES (101, 'turned') ON CONFLICT (id) DO UPDATE SET code = excluded.code RETURNING id;
SELECT tx, index, op, before -> 'n' AS old, after -> 'n' AS new, after -> 'code' AS code FROM log WHERE tx > 4;

-- Into partitions, many at a time, each row twice over two statements of one transaction.
CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO (500);
CREATE TABLE p2 PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('p');
BEGIN;
INSERT INTO p SELECT g, 1 FROM generate_series(1, 1000) g;
INSERT INTO p SELECT g, 1 FROM generate_series(1, 1500) g ON CONFLICT (id) DO UPDATE SET n = p.n + 1;
COMMIT;
SELECT op, count(*), min(after ->> 'n'), max(after ->> 'n') FROM waybill.changes WHERE "table" = 'on_conflict.p' GROUP BY op ORDER BY op;
SELECT replay('t'), replay('p');

DROP SCHEMA on_conflict CASCADE;
