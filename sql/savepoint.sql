-- ROLLBACK TO SAVEPOINT, also nested and with PL/pgSQL's exception blocks, takes back exactly what it undid.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA savepoint;
SET search_path = savepoint;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'savepoint.%';

CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');

BEGIN;
INSERT INTO t VALUES (1, 'kept');
SAVEPOINT a;
INSERT INTO t VALUES (2, 'undone with a');
SAVEPOINT b;
INSERT INTO t VALUES (3, 'undone with b');
ROLLBACK TO b;
INSERT INTO t VALUES (4, 'undone with a, after b');
RELEASE b;
ROLLBACK TO a;
INSERT INTO t VALUES (5, 'kept, in a again');
SAVEPOINT c;
SAVEPOINT d;
INSERT INTO t VALUES (6, 'kept, released twice');
RELEASE d;
RELEASE c;
COMMIT;
SELECT * FROM log;

-- A released savepoint goes with the one that it was in.
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SAVEPOINT c;
INSERT INTO t VALUES (7, 'undone');
RELEASE c;
RELEASE b;
ROLLBACK TO a;
INSERT INTO t VALUES (8, 'kept');
COMMIT;
SELECT * FROM log WHERE tx > 1;

-- Exception blocks are subtransactions.
DO $$
BEGIN
    FOR i IN 10..15 LOOP
        BEGIN
            INSERT INTO t VALUES (i, 'try');
            IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN
            UPDATE t SET v = v || i WHERE id = 1;
        END;
    END LOOP;
END $$;
SELECT index, op, key, after FROM log WHERE tx > 2;

-- Undone across many chunks, and everything of a transaction.
BEGIN;
INSERT INTO t VALUES (20, 'kept');
SAVEPOINT a;
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(100, 1100) g;
ROLLBACK TO a;
INSERT INTO t VALUES (21, 'kept');
COMMIT;
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (22, 'undone');
ROLLBACK TO a;
COMMIT;
SELECT * FROM log WHERE tx > 3;

DROP SCHEMA savepoint CASCADE;
