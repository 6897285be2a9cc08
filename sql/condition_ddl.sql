-- DDL on what a condition uses: it follows what is renamed. When it goes capture ends, in words: never are all rows captured.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA condition_ddl;
SET search_path = condition_ddl;
CREATE VIEW latest AS SELECT index, "table", op, before, after FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'condition\_ddl%');
-- The names of triggers are different in each database.
CREATE FUNCTION tell(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; code text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, code = RETURNED_SQLSTATE;
    RETURN regexp_replace(concat_ws(E'\n', code || ' ' || message, detail, hint), '_[0-9a-f]{12}', '', 'g');
END $$;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TYPE place AS (x int, y int);
CREATE FUNCTION wanted(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
CREATE TABLE t (id int PRIMARY KEY, n int, m mood, p place, unused int);
SELECT waybill.enable_capture('t', condition => $$ n > 0 AND m = 'happy' $$);

-- Renamed and moved, it stays what it is.
INSERT INTO t VALUES (1, 1, 'happy'), (2, 1, 'sad'), (3, 0, 'happy');
ALTER TABLE t RENAME n TO "Number";
ALTER TYPE mood RENAME VALUE 'happy' TO 'merry';
ALTER TABLE t ADD COLUMN n int DEFAULT 0, DROP COLUMN unused;
SELECT waybill.enable_capture('t', condition => $$ "Number" > 0 AND m = 'merry' $$);
INSERT INTO t VALUES (4, 1, 'merry'), (5, 0, 'merry');
ALTER TABLE t RENAME TO t2;
CREATE SCHEMA condition_ddl2;
ALTER TABLE t2 SET SCHEMA condition_ddl2;
INSERT INTO condition_ddl2.t2 VALUES (6, 1, 'merry'), (7, 0, 'merry');
SELECT * FROM latest;
ALTER TABLE condition_ddl2.t2 SET SCHEMA condition_ddl;
ALTER TABLE t2 RENAME TO t;
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;

-- What it uses goes with CASCADE only, and the condition with it: then nothing is captured until it has another one, or none.
SELECT tell('ALTER TABLE t DROP COLUMN "Number"');
SELECT tell('ALTER TABLE t ALTER COLUMN "Number" TYPE bigint');
BEGIN;
SELECT tell('ALTER TABLE t DROP COLUMN "Number" CASCADE');
INSERT INTO t (id) VALUES (70);
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SELECT waybill.enable_capture('t', condition => $$ m = 'merry' $$);
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
ROLLBACK;
BEGIN;
SELECT tell(format('DROP TRIGGER %I ON t', name)) FROM waybill_internal.capture_trigger WHERE relation = 't'::regclass AND kind = 'condition';
SELECT waybill.enable_capture('t');
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
ROLLBACK;
BEGIN;
SET waybill.ddl_warnings = off;
SELECT tell('DROP TYPE mood CASCADE');
INSERT INTO t VALUES (80, 8);
COMMIT;
RESET waybill.ddl_warnings;
SELECT op, after FROM latest;
ALTER TABLE t ADD m text;
SELECT problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
ALTER TABLE t DROP m;
CREATE TYPE mood AS ENUM ('sad', 'merry');
ALTER TABLE t ADD m mood;
SELECT waybill.enable_capture('t', condition => $$ "Number" > 0 AND m = 'merry' $$);
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
BEGIN;
SELECT waybill.enable_capture('t');
ALTER TABLE t ALTER COLUMN "Number" TYPE bigint;
SELECT waybill.enable_capture('t', condition => $$ "Number" > 0 AND wanted $$);
ROLLBACK;
BEGIN;
SELECT waybill.enable_capture('t');
ALTER TABLE t ALTER COLUMN "Number" TYPE bigint;
SELECT waybill.enable_capture('t', condition => $$ condition_ddl.wanted("Number"::int) AND m = 'merry' $$);
COMMIT;
INSERT INTO t (id, "Number", m) VALUES (8, 1, 'merry'), (9, 0, 'merry');
SELECT op, after FROM latest;
SELECT tell('DROP FUNCTION wanted');
BEGIN;
SELECT tell('DROP FUNCTION wanted CASCADE');
ROLLBACK;
-- A change of a condition that is rolled back was none.
BEGIN;
SAVEPOINT s;
SELECT waybill.enable_capture('t', condition => $$ m = 'sad' $$);
INSERT INTO t (id, "Number", m) VALUES (10, 1, 'sad');
ROLLBACK TO s;
INSERT INTO t (id, "Number", m) VALUES (10, 1, 'sad'), (11, 1, 'merry');
COMMIT;
SELECT op, after FROM latest;
-- A function that is replaced is used as it is now.
CREATE OR REPLACE FUNCTION wanted(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 0';
INSERT INTO t (id, "Number", m) VALUES (12, 1, 'merry'), (13, -1, 'merry');
SELECT op, after FROM latest;
-- Enabled, the trigger that keeps the condition does nothing.
ALTER TABLE t ENABLE TRIGGER ALL;
UPDATE t SET "Number" = -1;
DELETE FROM t WHERE m = 'merry';
SELECT op, count(*) FROM latest GROUP BY op;
SET waybill.ddl_warnings = off;
ALTER TABLE t DISABLE TRIGGER ALL;
RESET waybill.ddl_warnings;
SELECT waybill.enable_capture('t', condition => $$ condition_ddl.wanted("Number"::int) AND m = 'merry' $$);
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;

-- Most types and functions concern no condition: what was prepared is not made anew for each temporary table.
CREATE FUNCTION outdated() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    number bigint := 0;
BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
        EXECUTE $q$ SELECT count(*) FROM pg_backend_memory_contexts c JOIN pg_backend_memory_contexts p
                        ON p.path = c.path[:cardinality(c.path) - 1]
                    WHERE c.name = 'waybill table' AND p.name = 'TopTransactionContext' $q$ INTO number;
    ELSIF current_setting('server_version_num')::int >= 140000 THEN
        EXECUTE $q$ SELECT count(*) FROM pg_backend_memory_contexts
                    WHERE name = 'waybill table' AND parent = 'TopTransactionContext' $q$ INTO number;
    END IF;
    RETURN number;
END $$;
CREATE TABLE usual (id int PRIMARY KEY, n int, v varchar(10), at date);
SELECT waybill.enable_capture('usual', condition => $$ n IN (1, 2) AND lower(v) <> coalesce(left(v, 3), 'x') AND at > '2026-01-01' $$);
CREATE TEMPORARY TABLE temporary1 (id int);
BEGIN;
INSERT INTO usual VALUES (1, 1, 'four', '2026-01-02');
CREATE TEMPORARY TABLE temporary2 (id int);
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO usual VALUES (2, 1, 'four', '2026-01-02'), (3, 3, 'four', '2026-01-02');
SELECT outdated();
COMMIT;
SELECT op, after FROM latest;
-- Types that change: a field of a composite one, a domain's constraint.
DELETE FROM t;
SELECT waybill.enable_capture('t', condition => $$ (p).y > 0 AND n::condition_ddl.small >= 0 $$);
INSERT INTO t (id, n, p) VALUES (1, 1, '(0,1)'), (2, 1, '(1,0)');
ALTER TYPE place ADD ATTRIBUTE z int CASCADE;
INSERT INTO t (id, n, p) VALUES (3, 1, '(0,1,2)'), (4, 1, '(1,0,2)');
SELECT op, after FROM latest;
ALTER DOMAIN small ADD CHECK (VALUE <> 7);
INSERT INTO t (id, n, p) VALUES (5, 7, '(0,1,2)');
UPDATE t SET n = 2;
SELECT op, after FROM latest;
CREATE TABLE plain (id int PRIMARY KEY, n int);
SELECT waybill.enable_capture('plain', condition => $$ n::condition_ddl.small > 0 $$);
INSERT INTO plain VALUES (1, 8);
ALTER DOMAIN small ADD CHECK (VALUE <> 8);
INSERT INTO plain VALUES (2, 8);
-- The trigger that captures is dropped by hand, and made anew: its condition is kept as before.
CREATE FUNCTION used(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
SELECT waybill.enable_capture('plain', condition => 'condition_ddl.used(n)');
DO $$ BEGIN
    EXECUTE (SELECT format('DROP TRIGGER %I ON plain', name) FROM waybill_internal.capture_trigger
             WHERE relation = 'plain'::regclass AND kind = 'row');
END $$;
SELECT waybill.enable_capture('plain', condition => 'condition_ddl.used(n)');
SELECT tell('DROP FUNCTION used CASCADE');
SELECT condition, problem FROM waybill.captured_tables WHERE "table" = 'plain'::regclass;
-- All of it goes with its table, and without capture.
SELECT waybill.disable_capture('t');
SELECT tell('ALTER TABLE t DROP COLUMN "Number"');
SELECT waybill.enable_capture('t', condition => $$ m = 'merry' $$);
SET client_min_messages = notice;
DROP TABLE t;

-- A partition that leaves takes its root's condition with it, and keeps its own.
SET client_min_messages = warning;
CREATE TABLE r (id int, n int) PARTITION BY LIST (id);
CREATE TABLE r1 (n int, id int);
SELECT waybill.enable_capture('r', condition => 'n > 0', key => '{id}'), waybill.enable_capture('r1', key => '{id}');
ALTER TABLE r ATTACH PARTITION r1 FOR VALUES IN (1);
BEGIN;
SELECT tell('ALTER TABLE r DROP COLUMN n CASCADE');
INSERT INTO r VALUES (1);
ROLLBACK;
INSERT INTO r VALUES (1, 0);
INSERT INTO r VALUES (1, 1);
SELECT * FROM latest;
ALTER TABLE r RENAME n TO m;
INSERT INTO r VALUES (1, 2), (1, -2);
SELECT * FROM latest;
ALTER TABLE r DETACH PARTITION r1;
INSERT INTO r1 VALUES (-3, 1);
SELECT * FROM latest;

SET client_min_messages = warning;
DROP SCHEMA condition_ddl CASCADE;
DROP SCHEMA condition_ddl2;
