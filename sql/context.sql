-- waybill.context is stored with the transaction; what it says at commit counts.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA context;
SET search_path = context;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'context.%';

CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
INSERT INTO t VALUES (1, 'no context');
BEGIN;
INSERT INTO t VALUES (2, 'with one');
SET LOCAL waybill.context = '{"user": "42"}';
INSERT INTO t VALUES (3, 'with the same');
COMMIT;
INSERT INTO t VALUES (4, 'none again');
BEGIN;
SET LOCAL waybill.context = '{"why": "many chunks"}';
INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(10, 200) g;
COMMIT;
SET waybill.max_context_size = '20kB';
BEGIN;
SELECT set_config('waybill.context', repeat('long ', 4000), true) IS NOT NULL AS set;
INSERT INTO t VALUES (5, 'a context of several chunks');
COMMIT;
SELECT (csn - min(csn) OVER ()) / 10000 AS tx, min(index), max(index), count(*), left(context, 40) AS context, length(context)
FROM waybill.changes WHERE "table" = 'context.t' GROUP BY csn, context ORDER BY csn;

DROP SCHEMA context CASCADE;
