-- fetch() hands out chunks in order from any place, whatever the batch size.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA fetching;
SET search_path = fetching;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'fetching.%';

CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
SELECT waybill.safe_csn() AS start \gset
INSERT INTO t VALUES (1, 'small');
INSERT INTO t VALUES (2, repeat('large', 8000));
INSERT INTO t VALUES (3, 'small');
SELECT (csn - :start) / 10000 AS csn, chunk, chunks, changes, length(payload) FROM waybill.fetch(:start, 2147483647, :start + 1000000);
SELECT (csn - :start) / 10000 AS csn, chunk FROM waybill.fetch(:start, 2147483647, :start + 1000000, 1);
SELECT (csn - :start) / 10000 AS csn, chunk FROM waybill.fetch(:start, 2147483647, :start + 1000000, 0);
SELECT (csn - :start) / 10000 AS csn, chunk FROM waybill.fetch(:start + 20000, 1, :start + 1000000, 10000);
SELECT (csn - :start) / 10000 AS csn, chunk FROM waybill.fetch(:start + 20000, 4, :start + 20000);
SELECT (csn - :start) / 10000 AS csn, chunk FROM waybill.fetch(:start + 30000, 2147483647, :start + 1000000);
-- The same transaction seen by fetch() and by the table.
SELECT f.timeline = 1 AS timeline, f.xid = t.xmin AS xid, f.committed_at BETWEEN now() - interval '1 hour' AND clock_timestamp() AS time
FROM waybill.fetch(:start, 2147483647, :start + 10000) f, t WHERE t.id = 1;
-- Also in an old snapshot it returns all that a passed fence promised.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t;
SELECT count(*) FROM waybill.fetch(:start, 2147483647, :start + 1000000);
COMMIT;
-- The fence returns at once when nothing is under way; it waits for a new csn as long as it is told.
SELECT waybill.safe_csn() / 10000 - :start / 10000 AS csn;
SELECT waybill.safe_csn(0, 10000) / 10000 - :start / 10000 AS csn;
SELECT waybill.safe_csn(:start + 30000, 10) / 10000 - :start / 10000 AS csn;

DROP SCHEMA fetching CASCADE;
