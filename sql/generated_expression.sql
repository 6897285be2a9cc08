-- From PostgreSQL 17 on.
-- SET EXPRESSION: the rows are rewritten, which is no change of theirs; what is written afterwards has the new values.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA generated_expression;
SET search_path = generated_expression;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, before, after
    FROM waybill.changes WHERE "table" LIKE 'generated_expression.%';
CREATE TABLE t (id int PRIMARY KEY, n int, s int GENERATED ALWAYS AS (n * 2) STORED);
SELECT waybill.enable_capture('t', condition => 's > 2');
INSERT INTO t (id, n) VALUES (1, 1), (2, 2);
ALTER TABLE t ALTER s SET EXPRESSION AS (n * 20);
UPDATE t SET n = n + 1;
BEGIN;
UPDATE t SET n = n + 1 WHERE id = 2;
ALTER TABLE t ALTER s SET EXPRESSION AS (n * 200);
UPDATE t SET n = n + 1 WHERE id = 2;
SAVEPOINT s;
ALTER TABLE t ALTER s SET EXPRESSION AS (n * 2000);
UPDATE t SET n = n + 1 WHERE id = 2;
ROLLBACK TO s;
UPDATE t SET n = n + 1 WHERE id = 2;
COMMIT;
SELECT * FROM t ORDER BY id;
SELECT * FROM log;

-- Of one partition alone.
CREATE TABLE p (id int PRIMARY KEY, n int, s int GENERATED ALWAYS AS (n * 2) STORED) PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p_high PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('p');
INSERT INTO p (id, n) VALUES (1, 1), (11, 11);
ALTER TABLE p_low ALTER s SET EXPRESSION AS (n * 3);
UPDATE p SET n = n + 1;
UPDATE p SET id = id + 20 WHERE id = 1;
SELECT tx, index, op, before, after FROM log WHERE "table" = 'p';
SELECT "table", condition, problem FROM waybill.captured_tables WHERE "table" IN ('t'::regclass, 'p') ORDER BY 2;
SET waybill.ddl_warnings = off;
DROP SCHEMA generated_expression CASCADE;
