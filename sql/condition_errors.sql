-- What cannot be a condition is refused where it is given. What an accepted one raises later fails the writer's statement,
-- and nothing else.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA condition_errors;
SET search_path = condition_errors;
CREATE TABLE t (id int PRIMARY KEY, status text, n int, at timestamptz);
SELECT waybill.enable_capture('t', condition => $$status <> 'draft' AND$$);
SELECT waybill.enable_capture('t', condition => $$status <>< 'draft'$$);
SELECT waybill.enable_capture('t', condition => '');
SELECT waybill.enable_capture('t', condition => 'true, true');
SELECT waybill.enable_capture('t', condition => 'true; DROP TABLE t');
SELECT waybill.enable_capture('t', condition => 'true); DROP TABLE t; SELECT (true');
SELECT waybill.enable_capture('t', condition => 'true) UNION SELECT (true');
SELECT waybill.enable_capture('t', condition => 'true), (true');
SELECT waybill.enable_capture('t', condition => 'true) FROM generate_series(1, 2) WHERE (true');
SELECT waybill.enable_capture('t', condition => 'true LIMIT 1');
SELECT waybill.enable_capture('t', condition => 'true AS status');
SELECT waybill.enable_capture('t', condition => '*');
SELECT waybill.enable_capture('t', condition => $$n = 1 AND stat <> 'draft'$$);
SELECT waybill.enable_capture('t', condition => 'new.n = 1');
SELECT waybill.enable_capture('t', condition => 'n');
SELECT waybill.enable_capture('t', condition => 'n = $1');
SELECT waybill.enable_capture('t', condition => 'max(n) > 1');
SELECT waybill.enable_capture('t', condition => 'row_number() OVER () > 1');
SELECT waybill.enable_capture('t', condition => 'n IN (SELECT 1)');
SELECT waybill.enable_capture('t', condition => 'generate_series(1, n) > 1');
SELECT waybill.enable_capture('t', condition => 'at > now()');
SELECT waybill.enable_capture('t', condition => 'at::date > $$2026-01-01$$');
SELECT waybill.enable_capture('t', condition => 'status = current_user');
SELECT waybill.enable_capture('t', condition => 'n > random()');
SELECT waybill.enable_capture('t', condition => $$ctid <> '(0,1)'$$);
SELECT waybill.enable_capture('t', condition => 't IS NOT NULL');
SELECT waybill.enable_capture('t', condition => 'status = 1');
SELECT waybill.enable_capture('t', condition => '1 / 0 = n');
SELECT waybill.enable_capture('nosuch', condition => 'true');
SELECT waybill.enable_capture('t', key => '{nosuch}', condition => 'nosuch');
-- Which collation counts must be clear now: PostgreSQL would ask for it when rows are written.
CREATE TABLE c (id int PRIMARY KEY, a text COLLATE "C", b text COLLATE "POSIX", d text);
SELECT waybill.enable_capture('c', condition => $$id > 1 AND a < b$$);
SELECT waybill.enable_capture('c', condition => $$upper(coalesce(a, b)) <> 'X'$$);
SELECT waybill.enable_capture('c', condition => $$greatest(a, b) IS NULL$$);
SELECT waybill.enable_capture('c', condition => $$(id, a) < (1, b)$$);
SELECT waybill.enable_capture('c', condition => $$a = ANY (ARRAY[b, d])$$);
SELECT waybill.enable_capture('c', condition => $$a COLLATE "C" < b AND a < d AND (id, b) < (1, 'x') AND a || 'b' IN ('ab', d)$$);
SELECT condition FROM waybill.captured_tables WHERE "table" = 'c'::regclass;
-- What a session's end would take away.
CREATE FUNCTION pg_temp.f(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
CREATE DOMAIN pg_temp.d AS int;
\set VERBOSITY terse
DO $$ BEGIN PERFORM waybill.enable_capture('t', condition => 'pg_temp.f(n)');
EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', replace(SQLERRM, pg_my_temp_schema()::regnamespace::text, 'pg_temp'); END $$;
DO $$ BEGIN PERFORM waybill.enable_capture('t', condition => 'n::d > 0');
EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', replace(SQLERRM, pg_my_temp_schema()::regnamespace::text, 'pg_temp'); END $$;
\set VERBOSITY default
SELECT count(*) FROM waybill.captured_tables WHERE "table" = 't'::regclass;

-- Errors in it are the writer's, and leave nothing behind.
\set SHOW_CONTEXT always
CREATE VIEW log AS SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key
    FROM waybill.changes WHERE "table" LIKE 'condition\_errors.%';
SELECT waybill.enable_capture('t', condition => '10 / n > 1 AND status = ANY (string_to_array($$a,b$$, $$,$$))');
INSERT INTO t VALUES (1, 'a', 1);
INSERT INTO t VALUES (2, 'a', 0);
BEGIN;
INSERT INTO t VALUES (3, 'a', 1);
SAVEPOINT s;
INSERT INTO t VALUES (4, 'a', 0);
ROLLBACK TO s;
INSERT INTO t VALUES (5, 'a', 1), (6, 'c', 1);
UPDATE t SET status = 'c' WHERE id = 1;
COMMIT;
INSERT INTO t VALUES (7, 'b', 1), (8, 'b', 100);
SELECT * FROM log;

-- A function that writes to captured tables while a row waits for what it says; and one that fails in the middle.
\set SHOW_CONTEXT never
CREATE TABLE u (id int PRIMARY KEY, n int);
CREATE FUNCTION note(depth int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF depth = 2 THEN RAISE EXCEPTION 'two is too much'; END IF;
    IF depth > 0 THEN INSERT INTO condition_errors.u VALUES ((SELECT count(*) FROM condition_errors.u), depth - 1); END IF;
    RETURN depth <> 4;
END $$;
CREATE FUNCTION noted(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN condition_errors.note($1); EXCEPTION WHEN raise_exception THEN RETURN $1 = 9; END $$;
SELECT waybill.enable_capture('u', condition => 'n - CASE WHEN condition_errors.noted(n) THEN 0 ELSE 1000 END > 0');
INSERT INTO u VALUES (-1, 1);
INSERT INTO u VALUES (-3, 3), (-9, 9);
INSERT INTO u VALUES (-4, 4);
SELECT tx - (SELECT max(tx) FROM log WHERE "table" = 't') AS tx, index, op, key FROM log WHERE "table" = 'u';
TABLE u;

DROP SCHEMA condition_errors CASCADE;
