-- Statements within WITH, and functions that write while a statement runs: what they did comes in an order that replays.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA writable_cte;
SET search_path = writable_cte;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE u (id int PRIMARY KEY, note text);
SELECT waybill.enable_capture('t'), waybill.enable_capture('u');
INSERT INTO t SELECT g FROM generate_series(1, 10) g;

-- All see the same snapshot, each changes other rows.
WITH gone AS (DELETE FROM t WHERE id <= 2 RETURNING id),
     new AS (INSERT INTO t SELECT id + 100 FROM gone RETURNING id),
     noted AS (INSERT INTO u SELECT id, 'moved' FROM new RETURNING id)
UPDATE t SET n = 1 FROM (SELECT count(*) FROM noted) c WHERE t.id = 3;
SELECT replay('t'), replay('u');

-- Moving rows from one captured table to another and back, one of them within a savepoint that is undone.
BEGIN;
WITH gone AS (DELETE FROM t WHERE id > 100 RETURNING id) INSERT INTO u SELECT id + 1000, 'from t' FROM gone;
SAVEPOINT s;
WITH gone AS (DELETE FROM u RETURNING id) INSERT INTO t SELECT id FROM gone;
ROLLBACK TO s;
WITH gone AS (DELETE FROM u WHERE note = 'from t' RETURNING id) INSERT INTO t SELECT id FROM gone ON CONFLICT DO NOTHING;
COMMIT;
SELECT replay('t'), replay('u');

-- A function called by a query writes the table that the query reads, or writes too.
CREATE FUNCTION touch(of int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    UPDATE writable_cte.t SET n = n + 1 WHERE id = of;
    INSERT INTO writable_cte.u VALUES (of, 'touched') ON CONFLICT (id) DO UPDATE SET note = u.note || '+';
    RETURN of;
END $$;
SELECT count(touch(id)) FROM t;
INSERT INTO t SELECT touch(id) + 5000 FROM t WHERE id < 6;
UPDATE t SET n = touch(id + 1) WHERE id IN (4, 5000);
WITH changed AS (UPDATE t SET n = n * 2 WHERE id < 8 RETURNING id)
INSERT INTO u SELECT touch(id + 5000) + 20000, 'returned' FROM changed;
DELETE FROM u WHERE touch(id + 4990) = 5000;
SELECT replay('t'), replay('u');

-- The same from a DO block with its own subtransactions, cursors and COMMIT between.
DO $$
DECLARE
    c CURSOR FOR SELECT * FROM writable_cte.t WHERE id < 8 ORDER BY id FOR UPDATE;
    r record;
BEGIN
    FOR r IN c LOOP
        BEGIN
            UPDATE writable_cte.t SET n = -r.id WHERE CURRENT OF c;
            IF r.id % 2 = 0 THEN RAISE EXCEPTION 'undo'; END IF;
        EXCEPTION WHEN raise_exception THEN
            INSERT INTO writable_cte.u VALUES (r.id + 30000, 'undone');
        END;
    END LOOP;
    COMMIT;
    DELETE FROM writable_cte.t WHERE id = 3;
    ROLLBACK;
    DELETE FROM writable_cte.t WHERE id = 4;
END $$;
SELECT replay('t'), replay('u');

DROP SCHEMA writable_cte CASCADE;
