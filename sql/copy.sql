-- COPY: of many rows, through partitions, triggers and defaults, cut off by an error, frozen.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA copy;
SET search_path = copy;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, note text DEFAULT 'default', upper text GENERATED ALWAYS AS (upper(note)) STORED);
SELECT waybill.enable_capture('t');
COPY t FROM stdin;
1	one
2	\N
3	tab\tand\\backslash
\.
COPY t (id) FROM stdin WITH (FORMAT csv);
4
\.
COPY t FROM stdin;
5	not kept
1	fails
\.
BEGIN;
COPY t FROM stdin;
6	kept
\.
SAVEPOINT s;
COPY t FROM stdin;
7	undone
\.
ROLLBACK TO s;
COPY t FROM stdin WHERE id > 7;
7	filtered
8	kept
\.
COMMIT;
SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, after FROM waybill.changes WHERE "table" = 'copy.t';

-- More than COPY buffers at a time, into partitions, with a trigger that writes the rows before.
CREATE TABLE p (id int PRIMARY KEY, n int DEFAULT 1) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 (n int, id int NOT NULL);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT waybill.enable_capture('p');
COPY p (id) FROM PROGRAM 'seq 1 1500';
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE copy.p SET n = n + 1 WHERE id = NEW.id - 1500;
    RETURN NULL;
END $$;
CREATE TRIGGER bump AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION bump();
COPY p (id) FROM PROGRAM 'seq 1501 3000';
CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM copy.p WHERE id = NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER replace BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION before();
COPY p (id) FROM PROGRAM 'seq 1501 3000';
SELECT op, count(*) FROM waybill.changes WHERE "table" = 'copy.p' GROUP BY op ORDER BY op;

-- Frozen rows have no command of their own in them.
BEGIN;
TRUNCATE t;
COPY t FROM stdin WITH (FREEZE);
1	frozen
2	frozen
\.
UPDATE t SET note = 'thawed' WHERE id = 2;
COMMIT;
SELECT replay('t'), replay('p');

DROP SCHEMA copy CASCADE;
