-- Beyond waybill.buffer_size the changes of a transaction go to a temporary file: the log is the same.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA spill;
SET search_path = spill;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, (after ->> 'id')::int AS id, after ->> 'v' AS v
    FROM waybill.changes WHERE "table" = 'spill.t';
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
SET waybill.buffer_size = '64kB';

-- Some 250 chunks; 8 fit into memory.
INSERT INTO t SELECT g, repeat('x', 180) FROM generate_series(1, 10000) g;
SELECT count(*), bool_and(index = id - 1) AS in_order, count(DISTINCT v) AS vs FROM log WHERE tx = 1;

-- Savepoints rolled back from the file into the file, from memory into the file, and within memory.
BEGIN;
INSERT INTO t SELECT g, 'kept' FROM generate_series(20001, 21000) g;
SAVEPOINT a;
INSERT INTO t SELECT g, repeat('a', 180) FROM generate_series(30001, 40000) g;
ROLLBACK TO a;
INSERT INTO t SELECT g, 'kept' FROM generate_series(21001, 22000) g;
SAVEPOINT b;
INSERT INTO t SELECT g, repeat('b', 180) FROM generate_series(30001, 31000) g;
SAVEPOINT c;
INSERT INTO t SELECT g, repeat('c', 180) FROM generate_series(40001, 50000) g;
ROLLBACK TO c;
INSERT INTO t VALUES (50000, 'undone with b');
ROLLBACK TO b;
INSERT INTO t SELECT g, 'kept' FROM generate_series(22001, 30000) g;
SAVEPOINT d;
INSERT INTO t VALUES (60000, 'undone');
ROLLBACK TO d;
SET LOCAL waybill.context = 'leads';
COMMIT;
SELECT count(*), bool_and(index = id - 20001) AS in_order, min(v), max(v) FROM log WHERE tx = 2;
SELECT DISTINCT context FROM waybill.changes WHERE "table" = 'spill.t';
SELECT sum(changes) = 10000 AS counted, max(chunk) + 1 = count(*) AND count(*) = max(chunks) AS complete
FROM waybill_internal.change_log WHERE csn = (SELECT max(csn) FROM waybill_internal.change_log);

-- Everything undone after it was spilled.
BEGIN;
SAVEPOINT a;
INSERT INTO t SELECT g, repeat('a', 180) FROM generate_series(60001, 70000) g;
ROLLBACK TO a;
COMMIT;
SELECT max(tx) FROM log;

-- Sorted on disk: each inserted row's trigger updates the next one.
DELETE FROM t;
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE t SET v = 'bumped' WHERE id = NEW.id + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER bump AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION bump();
SET work_mem = '64kB';
INSERT INTO t SELECT g, repeat('x', 180) FROM generate_series(1, 10000) g;
SELECT op, count(*), min(index), max(index), bool_and(index = CASE op WHEN 'insert' THEN id - 1 ELSE id + 9998 END) AS in_order
FROM log WHERE tx = 4 GROUP BY op ORDER BY op;

-- One record larger than the buffer.
INSERT INTO t SELECT 0, string_agg(md5(g::text), '') FROM generate_series(1, 10000) g;
SELECT op, length(v) FROM log WHERE tx = 5 AND id = 0;

-- A temporary file that cannot be written fails the command, and harms nothing that was captured before: here it is full
-- after one of the chunks that are moved to it, and the savepoint is behind that one.
DROP TRIGGER bump ON t;
RESET work_mem;
SET temp_file_limit = '70kB';
BEGIN;
INSERT INTO t SELECT g, repeat(md5(g::text), 100) FROM generate_series(70001, 70026) g;
SAVEPOINT a;
\set VERBOSITY sqlstate
INSERT INTO t SELECT g, 'undone' || repeat(md5(g::text), 100) FROM generate_series(70027, 71000) g;
\set VERBOSITY terse
ROLLBACK TO a;
SET LOCAL temp_file_limit = -1;
INSERT INTO t SELECT g, repeat(md5(g::text), 100) FROM generate_series(70027, 70100) g;
COMMIT;
RESET temp_file_limit;
SELECT count(*), bool_and(index = id - 70001) AS in_order, bool_and(v = repeat(md5(id::text), 100)) AS whole
FROM log WHERE id > 70000;
RESET waybill.buffer_size;

DROP SCHEMA spill CASCADE;
