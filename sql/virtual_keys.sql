-- From PostgreSQL 18 on. Virtual generated columns have no stored value: they are not published, and can be no key.
\set SHOW_CONTEXT never
CREATE SCHEMA virtual_keys;
SET search_path = virtual_keys;
CREATE TABLE t (id int PRIMARY KEY, n int, v int GENERATED ALWAYS AS (n * 2) VIRTUAL, s int GENERATED ALWAYS AS (n * 3) STORED, w text);
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, op, key, before, after FROM waybill.changes WHERE "table" = 'virtual_keys.t';
SELECT waybill.enable_capture('t', key => '{id,v}');
SELECT waybill.enable_capture('t', condition => 'v > 2');
SELECT waybill.enable_capture('t', key => '{n,s}');
INSERT INTO t VALUES (1, 1, DEFAULT, DEFAULT, 'a'), (2, NULL, DEFAULT, DEFAULT, 'b');
UPDATE t SET n = 5 WHERE id = 1;
UPDATE t SET w = 'c' WHERE id = 2;
DELETE FROM t WHERE id = 2;
SELECT * FROM log;

-- A key column that comes again as a virtual one is gone, until it comes as a stored one.
ALTER TABLE t DROP COLUMN s;
ALTER TABLE t ADD COLUMN s int GENERATED ALWAYS AS (n * 3) VIRTUAL;
SELECT key, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
INSERT INTO t (id, n, w) VALUES (3, 3, 'd');
SELECT op, key, after FROM log WHERE tx = 5;
ALTER TABLE t RENAME COLUMN v TO u;
ALTER TABLE t DROP COLUMN s;
ALTER TABLE t ADD COLUMN s int GENERATED ALWAYS AS (n * 3) STORED;
SELECT key, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
UPDATE t SET n = 4 WHERE id = 3;
SELECT op, key, before, after FROM log WHERE tx = 6;

-- In partitions, at other places.
CREATE TABLE p (id int, v int GENERATED ALWAYS AS (id * 2) VIRTUAL, w text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE p1 (w text, gone int, v int GENERATED ALWAYS AS (id * 2) VIRTUAL, id int NOT NULL);
ALTER TABLE p1 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
SELECT waybill.enable_capture('p', condition => $$ w <> 'hidden' $$);
INSERT INTO p (id, w) VALUES (1, 'one'), (11, 'eleven'), (12, 'hidden');
UPDATE p SET id = id + 12 WHERE id = 1;
UPDATE p SET id = 21 - id WHERE id = 12;
DELETE FROM p;
SELECT op, key, before, after FROM waybill.changes WHERE "table" = 'virtual_keys.p' ORDER BY csn, index;

SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
DROP SCHEMA virtual_keys CASCADE;
