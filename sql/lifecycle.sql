-- captured_tables says what is wrong; enable_capture() repairs it; the extension comes and goes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA lifecycle;
SET search_path = lifecycle;
CREATE TABLE t (id int PRIMARY KEY);
SELECT waybill.enable_capture('t');
CREATE VIEW problems AS SELECT problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SELECT * FROM problems;
ALTER TABLE t DISABLE TRIGGER USER;
SELECT * FROM problems;
ALTER TABLE t ENABLE TRIGGER ALL;
SELECT * FROM problems;
SELECT waybill.enable_capture('t');
SELECT * FROM problems;
DROP TRIGGER "!waybill_capture_truncate" ON t;
SELECT * FROM problems;
SELECT waybill.enable_capture('t');
SELECT regexp_replace(tgname, '[0-9a-f]{12}', '<id>') AS tgname, tgenabled FROM pg_trigger
WHERE tgrelid = 't'::regclass ORDER BY 1;
ALTER TABLE t DROP CONSTRAINT t_pkey;
SELECT * FROM problems;
SELECT count(*) FROM waybill.captured_tables WHERE "table" = 't'::regclass;
DROP VIEW problems;

-- In a database of its own: drop and create anew in one session, also in a transaction that changed captured tables.
CREATE DATABASE regress_waybill_lifecycle TEMPLATE template0;
SELECT current_database() AS main \gset
\c regress_waybill_lifecycle
SET client_min_messages = warning;
CREATE EXTENSION waybill;
SELECT id IS NOT NULL AS source FROM waybill.source;
CREATE TABLE t (id int PRIMARY KEY);
SELECT waybill.enable_capture('t');
INSERT INTO t VALUES (1);
BEGIN;
INSERT INTO t VALUES (2);
DROP EXTENSION waybill CASCADE;
INSERT INTO t VALUES (3);
COMMIT;
SELECT count(*) FROM t;
CREATE EXTENSION waybill;
CREATE TABLE u (a text);
SELECT waybill.enable_capture('u'), waybill.enable_capture('t');
INSERT INTO u VALUES ('other shape, first number');
DELETE FROM t WHERE id = 1;
SELECT csn / 10000 AS csn, "table", op, before, after FROM waybill.changes;
-- The new one knows nothing of what was captured for the old one in the same transaction.
BEGIN;
INSERT INTO t VALUES (5);
DROP EXTENSION waybill CASCADE;
CREATE EXTENSION waybill;
SELECT waybill.enable_capture('u');
INSERT INTO u VALUES ('for the new one');
COMMIT;
SELECT csn / 10000 AS csn, "table", op, before, after FROM waybill.changes;
-- In a subtransaction, whose rollback brings the old one back, changes for the old one must not be forgotten.
SELECT waybill.enable_capture('t');
BEGIN;
INSERT INTO t VALUES (6);
SAVEPOINT s;
DROP EXTENSION waybill CASCADE;
CREATE EXTENSION waybill;
SELECT waybill.enable_capture('u');
INSERT INTO u VALUES ('refused');
ROLLBACK TO s;
COMMIT;
SELECT csn / 10000 AS csn, "table", op, before, after FROM waybill.changes;
-- Streams go with it.
SELECT waybill.create_stream('second');
DROP EXTENSION waybill CASCADE;
CREATE EXTENSION waybill;
SELECT waybill.create_stream('second');
SELECT waybill.drop_stream('second');
DROP EXTENSION waybill CASCADE;
INSERT INTO t VALUES (4);
\c :main
SET client_min_messages = warning;
DROP DATABASE regress_waybill_lifecycle;
DROP SCHEMA lifecycle CASCADE;
