-- A change is read with the shape that its table had when it was written.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA shape;
SET search_path = shape;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'shape.%';

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'x', m mood, ms mood[]);
SELECT waybill.enable_capture('t');
INSERT INTO t VALUES (1, 'one', 'ok', '{ok,sad}');
ALTER TABLE t ADD COLUMN b int DEFAULT 7;
UPDATE t SET a = 'two';
ALTER TABLE t RENAME COLUMN a TO aa;
UPDATE t SET aa = 'three';
ALTER TABLE t DROP COLUMN b;
UPDATE t SET aa = 'four';
ALTER TABLE t ALTER COLUMN id TYPE bigint;
UPDATE t SET aa = 'five';
ALTER TYPE mood ADD VALUE 'happy' AFTER 'ok';
UPDATE t SET m = 'happy';
ALTER TABLE t RENAME TO u;
UPDATE u SET aa = 'six';
BEGIN;
INSERT INTO u VALUES (2, 'in one transaction');
ALTER TABLE u ADD COLUMN c date;
INSERT INTO u VALUES (3, 'with DDL', NULL, NULL, '2024-05-01');
COMMIT;
DROP TABLE u;
SELECT tx, index, "table", op, before, after FROM log;

-- What a shape says of a column.
CREATE DOMAIN cents AS numeric(12,2);
CREATE TABLE d (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price cents NOT NULL DEFAULT 0, m mood, codes varchar(3)[],
                doubled numeric GENERATED ALWAYS AS (price * 2) STORED);
SELECT waybill.enable_capture('d');
INSERT INTO d (price) VALUES (1.5);
SELECT jsonb_pretty((c::jsonb - 'type' - 'element')) FROM waybill_internal.shape, json_array_elements(definition -> 'columns') c
WHERE definition ->> 'table' = 'd' AND definition ->> 'schema' = 'shape';

-- What takes subscripts is not always an array, and not all arrays have commas.
CREATE TABLE e (id int PRIMARY KEY, v int2vector, vs int2vector[], b box[], lb box);
SELECT waybill.enable_capture('e');
INSERT INTO e VALUES (1, '1 2 3', '{1 2,3}', '{(1,1),(0,0);(2,2),(0,0)}', '(1,1),(0,0)');
SELECT c ->> 'name' AS name, (c ->> 'element')::oid::regtype AS element, c ->> 'delimiter' AS delimiter
FROM waybill_internal.shape, json_array_elements(definition -> 'columns') c
WHERE definition ->> 'table' = 'e' AND definition ->> 'schema' = 'shape';
SELECT after FROM log WHERE "table" = 'e';

-- An unaltered table keeps its shape, and its partitions share it.
CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (v int, gone int, id int NOT NULL);
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
SELECT waybill.enable_capture('p');
INSERT INTO p VALUES (1, 100), (11, 200);
UPDATE p SET v = v + 1;
UPDATE p2 SET v = v + 1;
TRUNCATE p;
SELECT tx, index, "table", op, key, before, after FROM log WHERE "table" IN ('p', 'p1', 'p2');
SELECT count(*) FROM waybill_internal.shape WHERE definition ->> 'table' IN ('p', 'p1', 'p2') AND definition ->> 'schema' = 'shape';

DROP SCHEMA shape CASCADE;
