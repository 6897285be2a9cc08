-- What cannot be captured is refused in one line, with the remedy; nothing else happens.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA errors;
SET search_path = errors;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'errors.%';

CREATE TABLE t (id int PRIMARY KEY, c int);
CREATE TEMPORARY TABLE temporary (id int);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE VIEW v AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
CREATE SEQUENCE s;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER server FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE f (id int) SERVER server;
CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1);
DO $$
DECLARE
    o text;
    message text;
    hint text;
    code text;
BEGIN
    FOREACH o IN ARRAY ARRAY['temporary', 'unlogged', 'v', 'mv', 's', 'f', 'p1', 'pg_catalog.pg_class', 'waybill_internal.change_log', NULL]
    LOOP
        BEGIN
            PERFORM waybill.enable_capture(o::regclass);
            RAISE WARNING '% was not refused', o;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, code = RETURNED_SQLSTATE;
            RAISE WARNING '% [%] %', message, code, hint;
        END;
    END LOOP;
END $$;
\set VERBOSITY terse
SELECT waybill.enable_capture('nosuch');
SELECT waybill.enable_capture('t', key => '{nosuch}');

-- The trigger functions only work as the triggers they are made for.
SELECT waybill_internal.capture();
CREATE TRIGGER "!waybill_wrong" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture();
INSERT INTO t VALUES (1);
DROP TRIGGER "!waybill_wrong" ON t;
CREATE TRIGGER "!waybill_wrong" AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION waybill_internal.capture();
INSERT INTO t VALUES (1);
DROP TRIGGER "!waybill_wrong" ON t;
CREATE TRIGGER "!waybill_wrong" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture_truncate();
INSERT INTO t VALUES (1);
DROP TRIGGER "!waybill_wrong" ON t;
INSERT INTO t VALUES (1);

-- What is not possible.
\set VERBOSITY default
SELECT waybill.enable_capture('t');
UPDATE t SET c = 1;
SELECT op, key FROM log;
\set VERBOSITY sqlstate
SELECT waybill.acknowledge('default', waybill.safe_csn() + 1000000000);
\set VERBOSITY default
SELECT waybill.acknowledged('nosuch');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT waybill.safe_csn();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT waybill.maintain();
ROLLBACK;
DROP SERVER server CASCADE;
DROP FOREIGN DATA WRAPPER w;

DROP SCHEMA errors CASCADE;
