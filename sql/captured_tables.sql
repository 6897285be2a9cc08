-- waybill.captured_tables: tables that took the place of captured ones; many tables; partitions one by one.
\set SHOW_CONTEXT never
SET client_min_messages = notice;
CREATE SCHEMA captured_tables;
CREATE SCHEMA "captured %I ""tables""";
SET search_path = captured_tables;
CREATE VIEW captured AS SELECT "table", key, condition, problem FROM waybill.captured_tables
    WHERE "table" IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text ~ 'captured') ORDER BY "table"::text;

-- A swap: the new table is not captured, whether the old one is kept or dropped.
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE "captured %I ""tables"""."T %s" (id int PRIMARY KEY);
CREATE TABLE unused (id int PRIMARY KEY);
SELECT waybill.enable_capture(c) FROM unnest(ARRAY['t', '"captured %I ""tables"""."T %s"', 'unused']::regclass[]) c;
INSERT INTO t VALUES (1);
INSERT INTO "captured %I ""tables"""."T %s" VALUES (1);
CREATE TABLE new (LIKE t INCLUDING ALL);
BEGIN;
ALTER TABLE t RENAME TO old;
ALTER TABLE new RENAME TO t;
COMMIT;
SELECT * FROM captured;
DROP TABLE old;
DROP TABLE unused;
CREATE TABLE unused (id int PRIMARY KEY); -- of the first nothing is in the log
ALTER TABLE "captured %I ""tables"""."T %s" RENAME TO gone;
CREATE TABLE "captured %I ""tables"""."T %s" (id int PRIMARY KEY);
DROP TABLE "captured %I ""tables""".gone;
SELECT * FROM captured;
SELECT waybill.enable_capture('t');
DROP TABLE "captured %I ""tables"""."T %s";
CREATE VIEW "captured %I ""tables"""."T %s" AS SELECT 1 AS id;
SELECT * FROM captured;
INSERT INTO t VALUES (2);
SELECT waybill.disable_capture('t'); -- on purpose
SELECT * FROM captured;

-- What is looked at grows with the tables, and not with their square.
CREATE FUNCTION scans_of_triggers() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_numscans('pg_trigger'::regclass) +
           (SELECT sum(pg_stat_get_xact_numscans(indexrelid)) FROM pg_index WHERE indrelid = 'pg_trigger'::regclass)::bigint $$;
DO $$ BEGIN
    FOR i IN 1..100 LOOP
        EXECUTE format('CREATE TABLE many_%s (id int PRIMARY KEY)', i);
        PERFORM waybill.enable_capture(format('many_%s', i)::regclass);
    END LOOP;
END $$;
CREATE FUNCTION scans_for(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := captured_tables.scans_of_triggers();
BEGIN
    EXECUTE statement;
    RETURN captured_tables.scans_of_triggers() - before;
END $$;
SELECT count(*) FROM captured WHERE "table"::text LIKE 'many%' AND problem IS NULL;
SELECT scans_for('TABLE waybill.captured_tables') < 5 * (SELECT count(*) FROM waybill.captured_tables);

-- Partitions come and go without a look at the others. What is wrong with them was said when they came.
CREATE TABLE p (id int) PARTITION BY LIST (id);
DO $$ BEGIN
    FOR i IN 1..100 LOOP
        EXECUTE format('CREATE TABLE p_%s PARTITION OF p FOR VALUES IN (%1$s)', i);
    END LOOP;
END $$;
SELECT waybill.enable_capture('p', key => '{id}');
CREATE TABLE q (id int) PARTITION BY LIST (id);
CREATE TABLE q_1 PARTITION OF q FOR VALUES IN (201) PARTITION BY LIST (id);
CREATE UNLOGGED TABLE q_1_1 PARTITION OF q_1 DEFAULT;
SELECT scans_for('CREATE TABLE p_101 PARTITION OF p FOR VALUES IN (101)') < 100 AS create,
       scans_for('ALTER TABLE p DETACH PARTITION p_101') < 100 AS detach,
       scans_for('ALTER TABLE p ATTACH PARTITION p_101 FOR VALUES IN (101)') < 100 AS attach;
ALTER TABLE p ATTACH PARTITION q DEFAULT;
ALTER TABLE p DETACH PARTITION p_2;
BEGIN;
SAVEPOINT s; -- whose number is another than the transaction's
ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES IN (2);
RELEASE s;
COMMIT;
SELECT relation::regclass, kind, enabled FROM waybill_internal.capture_trigger
WHERE relation::regclass::text ~ '^(p_2|q.*|p_101)$' ORDER BY relation::regclass::text, kind;
SELECT * FROM captured WHERE "table" = 'p'::regclass;
SELECT waybill.enable_capture('p', key => '{id}');
DROP TABLE q;
SELECT * FROM captured WHERE "table" = 'p'::regclass;

SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
DROP SCHEMA captured_tables, "captured %I ""tables""" CASCADE;
