-- condition => : consumers have just the rows that satisfy it, whatever statements bring them there or take them away.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA condition;
SET search_path = condition;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, key, before ->> 'status' AS from, after ->> 'status' AS to
    FROM waybill.changes WHERE "table" = 'condition.t';
CREATE VIEW latest AS SELECT index, op, key, "from", "to" FROM log WHERE tx = (SELECT max(tx) FROM log);
CREATE TABLE t (id int PRIMARY KEY, status varchar(10), total numeric, at timestamptz,
                doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
SELECT waybill.enable_capture('t', condition => $$status <> 'draft' AND t.total > 0$$);
SELECT key, condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;

-- Null is no more than false.
INSERT INTO t VALUES (1, 'placed', 1), (2, 'draft', 1), (3, NULL, 1), (4, 'placed', NULL), (5, 'placed', 5);
SELECT * FROM latest;
-- Both, only the old, only the new, neither; and another key.
UPDATE t SET status = 'paid', total = CASE id WHEN 5 THEN 0 ELSE total END WHERE id IN (1, 5);
UPDATE t SET status = CASE WHEN status = 'draft' THEN 'placed' ELSE 'draft' END, total = 2 WHERE id IN (1, 2, 4);
UPDATE t SET status = 'draft' WHERE id = 3;
UPDATE t SET id = id + 10;
DELETE FROM t WHERE id IN (11, 12);
SELECT * FROM log WHERE tx > 1;
INSERT INTO t SELECT g, CASE WHEN g % 2 = 0 THEN 'even' END, g FROM generate_series(100, 109) g;
SELECT replay('t', $$status <> 'draft' AND total > 0$$);
-- A transaction of which nothing is left is none.
BEGIN;
INSERT INTO t VALUES (20, 'draft', 1);
UPDATE t SET total = 2 WHERE id = 20;
DELETE FROM t WHERE id = 20;
COMMIT;
SELECT max(tx) FROM log;
-- TRUNCATE always counts.
DELETE FROM t WHERE status <> 'draft';
TRUNCATE t;
SELECT * FROM latest;

-- Savepoints, and what one transaction does to a row again and again.
BEGIN;
INSERT INTO t VALUES (1, 'draft', 1), (2, 'placed', 1);
SAVEPOINT s;
UPDATE t SET status = CASE id WHEN 1 THEN 'placed' ELSE 'draft' END;
ROLLBACK TO s;
SAVEPOINT s;
UPDATE t SET status = 'placed';
UPDATE t SET status = 'draft' WHERE id = 2;
RELEASE s;
UPDATE t SET total = total + 1;
COMMIT;
SELECT * FROM latest;
-- COPY, ON CONFLICT, MERGE (written out before PostgreSQL 15), a writable WITH.
COPY t (id, status, total) FROM stdin;
3	draft	1
4	placed	1
5	placed	-1
\.
INSERT INTO t VALUES (3, 'placed', 1), (4, 'draft', 1), (5, 'placed', -2), (6, 'placed', 1), (7, 'draft', 1)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, total = excluded.total;
SELECT * FROM latest;
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        EXECUTE $m$ MERGE INTO t USING (VALUES (3, 'draft'), (4, 'placed'), (6, 'gone'), (8, 'placed'), (9, 'draft')) s (id, status)
            ON t.id = s.id WHEN MATCHED AND s.status = 'gone' THEN DELETE
            WHEN MATCHED THEN UPDATE SET status = s.status WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.status, 1) $m$;
    ELSE
        UPDATE t SET status = CASE id WHEN 3 THEN 'draft' ELSE 'placed' END WHERE id IN (3, 4);
        DELETE FROM t WHERE id = 6;
        INSERT INTO t VALUES (8, 'placed', 1), (9, 'draft', 1);
    END IF;
END $$;
SELECT op, key, "from", "to" FROM latest ORDER BY key;
WITH gone AS (DELETE FROM t WHERE id > 7 RETURNING *), moved AS (UPDATE t SET status = 'placed' WHERE id = 3)
INSERT INTO t SELECT id + 10, status, total FROM gone;
SELECT op, key, "from", "to" FROM latest ORDER BY key, op;
SELECT replay('t', $$status <> 'draft' AND total > 0$$);
-- Two-phase commit.
BEGIN;
UPDATE t SET status = CASE status WHEN 'draft' THEN 'placed' ELSE 'draft' END;
PREPARE TRANSACTION 'condition';
COMMIT PREPARED 'condition';
SELECT waybill.safe_csn() IS NOT NULL AS read;
SELECT replay('t', $$status <> 'draft' AND total > 0$$);

-- The same condition written in another way: nothing to do. Another one counts from then on, a missing one too.
SELECT oid AS condition, xmin AS version FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgqual IS NOT NULL \gset
SELECT waybill.enable_capture('t', condition => $$ (t.status != 'draft') and total > 0::numeric -- the same $$);
SELECT xmin = :'version' AS untouched FROM pg_trigger WHERE oid = :condition;
TRUNCATE t;
INSERT INTO t VALUES (1, 'draft', 1), (2, 'placed', 1);
SELECT waybill.enable_capture('t', condition => $$doubled IN (2, 4) AND status IN ('draft', 'paid')$$);
SELECT waybill.enable_capture('t', condition => $$doubled IN (2, 4) AND status IN ('draft', 'paid')$$);
UPDATE t SET total = 2, at = '2026-01-01';
SELECT op, key, "from", "to" FROM latest ORDER BY key, op;
SELECT waybill.enable_capture('t', key => '{status}');
SELECT count(*) FROM waybill_internal.capture_trigger WHERE relation = 't'::regclass;
UPDATE t SET total = 3;
SELECT op, key, "from", "to" FROM latest ORDER BY key, op;
SELECT key, condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
-- Constants are read as the caller writes them, and kept to the last digit.
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Kolkata';
SET extra_float_digits = -10;
SELECT waybill.enable_capture('t', condition => $$at > '02/01/2026' AND total::float8 > '0.30000000000000004'$$);
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
RESET extra_float_digits;
SELECT condition FROM waybill.captured_tables WHERE "table" = 't'::regclass;

SELECT waybill.disable_capture('t');
SELECT count(*) FROM waybill_internal.capture_trigger WHERE relation = 't'::regclass;

DROP SCHEMA condition CASCADE;
