-- An UPDATE that moves a row to another partition is one update, whatever its triggers do in between.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA partition_move;
SET search_path = partition_move;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'partition\_move.%';
CREATE VIEW latest AS SELECT index, "table", op, before, after FROM log WHERE tx = (SELECT max(tx) FROM log);
CREATE TABLE t (id int, part int, v text, big text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 (big text, gone int, v text, part int NOT NULL, id int NOT NULL);
ALTER TABLE t2 DROP COLUMN gone;
ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2);
CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3, 4) PARTITION BY LIST (part);
CREATE TABLE t33 PARTITION OF t3 FOR VALUES IN (3);
CREATE TABLE t34 PARTITION OF t3 FOR VALUES IN (4);
SELECT waybill.enable_capture('t');

INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd');
UPDATE t SET part = part % 4 + 1, v = v || v;
SELECT * FROM latest;
-- Some move, some do not; to where the row was; with a value that is not in the row itself.
UPDATE t SET part = 3, big = CASE id WHEN 1 THEN repeat('x', 20000) END;
SELECT index, op, before ->> 'part' AS from, after ->> 'part' AS to, length(after ->> 'big') FROM latest;
BEGIN;
UPDATE t SET part = 1 WHERE id = 1;
UPDATE t SET part = 3 WHERE id = 1;
UPDATE t SET part = 2 WHERE id = 2;
INSERT INTO t VALUES (9, 1);
WITH moved AS (UPDATE t SET part = 4 WHERE id = 4 RETURNING *) DELETE FROM t USING moved WHERE t.id = 9;
COMMIT;
SELECT index, op, before ->> 'id' AS id, before ->> 'part' AS from, after ->> 'part' AS to, length(before ->> 'big') FROM latest;
-- Savepoints.
BEGIN;
SAVEPOINT s;
UPDATE t SET part = 2 WHERE id = 3;
ROLLBACK TO s;
UPDATE t SET part = 4 WHERE id = 3;
SAVEPOINT s;
UPDATE t SET part = 1 WHERE id = 3;
RELEASE s;
COMMIT;
SELECT index, op, before ->> 'part' AS from, after ->> 'part' AS to FROM latest;

-- Triggers that write between the two halves: each change in its place, and what they move themselves.
CREATE TABLE audit (n int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
SELECT waybill.enable_capture('audit');
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME || ' ' || coalesce(NEW.id, OLD.id));
    IF TG_OP = 'DELETE' AND OLD.id = 1 THEN
        UPDATE t SET part = 4 WHERE id = 2;
        UPDATE t SET v = 'by the trigger' WHERE id = 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION audit();
UPDATE t SET part = 2, big = NULL WHERE id IN (1, 3);
SELECT index, op, coalesce(before ->> 'id', after ->> 'what') AS row, before ->> 'part' AS from, after ->> 'part' AS to,
       after ->> 'v' AS v FROM latest;

-- A half whose insert a trigger suppresses is a delete; also at the end of a savepoint, and of the transaction.
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.id % 2 = 1 THEN NEW END; END $$;
CREATE TRIGGER suppress BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION suppress();
DROP TRIGGER audit ON t;
INSERT INTO t SELECT i, 2 FROM generate_series(11, 18) i;
BEGIN;
UPDATE t SET part = 1 WHERE id IN (11, 12, 13, 14);
INSERT INTO audit (what) VALUES ('after it');
SAVEPOINT s;
UPDATE t SET part = 1 WHERE id = 16;
ROLLBACK TO s;
SAVEPOINT s;
UPDATE t SET part = 1 WHERE id = 16;
RELEASE s;
INSERT INTO audit (what) VALUES ('after the savepoint');
UPDATE t SET part = 1 WHERE id = 18;
COMMIT;
SELECT index, op, coalesce(before ->> 'id', after ->> 'what') AS row, before ->> 'part' AS from, after ->> 'part' AS to FROM latest;

-- COPY FREEZE makes rows that have forgotten their command: none of them is the other half.
CREATE TABLE t5 PARTITION OF t FOR VALUES IN (5);
INSERT INTO t (id, part) VALUES (52, 2);
BEGIN;
SAVEPOINT s;
UPDATE t SET part = 1 WHERE id = 52;
SAVEPOINT s2;
TRUNCATE t5;
COPY t5 (id, part) FROM stdin (FREEZE);
50	5
\.
COMMIT;
SELECT index, op, before ->> 'id' AS old, after ->> 'id' AS new FROM latest;

-- From a partition of one captured table to one that is captured by itself, or not at all.
CREATE TABLE r (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE r1 (id int, part int, PRIMARY KEY (id, part));
CREATE TABLE r2 (LIKE r1 INCLUDING ALL);
SELECT waybill.enable_capture('r1'), waybill.enable_capture('r2');
ALTER TABLE r ATTACH PARTITION r1 FOR VALUES IN (1);
ALTER TABLE r ATTACH PARTITION r2 FOR VALUES IN (2);
CREATE TABLE r3 PARTITION OF r DEFAULT;
INSERT INTO r VALUES (1, 1), (2, 1);
UPDATE r SET part = id + 1;
SELECT * FROM latest;

DROP SCHEMA partition_move CASCADE;
