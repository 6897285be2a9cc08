-- From PostgreSQL 18 on.
-- Virtual generated columns: they are in no row, so not in the log either, whatever ALTER TABLE makes of them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA virtual_columns;
SET search_path = virtual_columns;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'virtual_columns.%';
CREATE TABLE t (
    v int GENERATED ALWAYS AS (a * 3), id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) STORED,
    w text GENERATED ALWAYS AS (note || '!') VIRTUAL NOT NULL, note text DEFAULT 'x', z int8);
SELECT waybill.enable_capture('t');
INSERT INTO t (id, a) VALUES (1, 1), (2, 2);
UPDATE t SET a = a + 1, z = 7;
UPDATE t SET note = 'y' WHERE v = 9;
MERGE INTO t USING (VALUES (6), (7)) s (v) ON t.v = s.v
    WHEN MATCHED THEN DELETE
    WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.v, s.v);
SELECT v, id, w FROM t ORDER BY id;
SELECT * FROM log;
-- Its expression may change, and a virtual column give its name to a stored one and take it back.
ALTER TABLE t ALTER v SET EXPRESSION AS (a * 30), ALTER s SET EXPRESSION AS (a * 20);
UPDATE t SET z = 8 WHERE id = 2;
ALTER TABLE t DROP COLUMN v, ADD COLUMN v int GENERATED ALWAYS AS (a * 4) STORED;
UPDATE t SET z = 9 WHERE id = 2;
ALTER TABLE t DROP COLUMN v, ADD COLUMN v int GENERATED ALWAYS AS (a * 5) VIRTUAL, ADD COLUMN added int DEFAULT 10;
UPDATE t SET z = 10 WHERE id = 2;
BEGIN;
UPDATE t SET z = 11 WHERE id = 2;
ALTER TABLE t DROP COLUMN z, ADD COLUMN z int GENERATED ALWAYS AS (a + added), ALTER s DROP EXPRESSION;
UPDATE t SET s = 12 WHERE id = 2;
COMMIT;
SELECT tx, index, before, after FROM log WHERE tx > 4;

-- Partitions may have other expressions, and columns in another order.
CREATE TABLE p (id int PRIMARY KEY, a int, v int GENERATED ALWAYS AS (a * 2), b text) PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE p_high (b text, v int GENERATED ALWAYS AS (a * 20), a int, id int NOT NULL);
ALTER TABLE p ATTACH PARTITION p_high DEFAULT;
SELECT waybill.enable_capture('p');
INSERT INTO p VALUES (1, 1, DEFAULT, 'one'), (12, 12, DEFAULT, 'twelve');
UPDATE p SET id = id + 20, b = b || '!' WHERE v IN (2, 24, 240);
SELECT *, tableoid::regclass FROM p ORDER BY id;
SELECT op, key, before, after FROM log WHERE tx > 8;
SELECT replay('p');

-- Conditions use what is stored: the expression itself does as well.
SELECT waybill.enable_capture('t', condition => 'id > 1 AND v > 3');
SELECT waybill.enable_capture('t', condition => 't.w IS NOT NULL');
SELECT waybill.enable_capture('t', condition => 'a * 5 > 20 AND s > 3');
UPDATE t SET a = 5 WHERE id = 2;
UPDATE t SET a = 4 WHERE id = 2;
SELECT op, before, after FROM log WHERE tx > 10;
ALTER TABLE t DROP COLUMN v;
\set VERBOSITY terse
ALTER TABLE t DROP COLUMN s;
\set VERBOSITY default
SELECT * FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SET waybill.ddl_warnings = off;
DROP SCHEMA virtual_columns CASCADE;
