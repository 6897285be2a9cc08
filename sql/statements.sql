-- COPY, ON CONFLICT, MERGE, writable CTEs, generated columns, logical replication's role.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA statements;
SET search_path = statements;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'statements.%';

CREATE TABLE t (id int PRIMARY KEY, v int, doubled int GENERATED ALWAYS AS (v * 2) STORED);
SELECT waybill.enable_capture('t');
COPY t (id, v) FROM stdin;
1	10
2	20
\.
INSERT INTO t VALUES (1, 11), (3, 30) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO t VALUES (1, 12) ON CONFLICT DO NOTHING;
MERGE INTO t USING (VALUES (2, 21), (4, 40)) s (id, v) ON t.id = s.id
    WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v);
WITH gone AS (DELETE FROM t WHERE id = 3 RETURNING id), new AS (INSERT INTO t VALUES (5, 50) RETURNING id)
UPDATE t SET v = 0 FROM gone, new WHERE t.id = 1;
BEGIN;
TRUNCATE t;
COPY t (id, v) FROM stdin WITH (FREEZE);
6	60
\.
COMMIT;
SELECT tx, index, op, before, after FROM log ORDER BY tx, CASE WHEN tx = 4 THEN op || key END, index;

-- Captured whatever the replication role.
SET session_replication_role = replica;
INSERT INTO t VALUES (7, 70);
RESET session_replication_role;
SELECT op, after FROM log WHERE tx > 5;

-- TRUNCATE of several tables, and by CASCADE.
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES t);
SELECT waybill.enable_capture('child');
INSERT INTO child VALUES (1, 7);
TRUNCATE t CASCADE;
SELECT tx, "table", op FROM log WHERE tx > 7 ORDER BY 1, 2;

DROP SCHEMA statements CASCADE;
