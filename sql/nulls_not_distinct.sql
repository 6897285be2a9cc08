-- From PostgreSQL 15 on.
-- UNIQUE NULLS NOT DISTINCT, with which a null is a value: in keys that are named, and in INSERT … ON CONFLICT.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA nulls_not_distinct;
SET search_path = nulls_not_distinct;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'nulls_not_distinct.%';
CREATE TABLE t (a int, b text, n int, UNIQUE NULLS NOT DISTINCT (a, b));
SELECT waybill.enable_capture('t');
SELECT key, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SELECT waybill.enable_capture('t', key => '{a,b}');
INSERT INTO t VALUES (1, NULL, 1), (NULL, NULL, 2), (1, 'x', 3);
INSERT INTO t VALUES (1, NULL, 4);
INSERT INTO t VALUES (1, NULL, 10), (NULL, NULL, 20), (NULL, 'y', 30)
    ON CONFLICT (a, b) DO UPDATE SET n = t.n + excluded.n;
INSERT INTO t VALUES (NULL, NULL, 5) ON CONFLICT DO NOTHING;
UPDATE t SET a = 2 WHERE a IS NULL AND b IS NULL;
DELETE FROM t WHERE a IS NULL;
SELECT key, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SELECT * FROM log;
SELECT replay('t');
SET waybill.ddl_warnings = off;
DROP SCHEMA nulls_not_distinct CASCADE;
