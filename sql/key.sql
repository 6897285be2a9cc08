-- The key: primary key, replica identity index, named columns, none.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA key;
SET search_path = key;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'key.%';

CREATE TABLE pk (b int, a int, v int, PRIMARY KEY (b, a));
CREATE TABLE deferrable_pk (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int);
CREATE TABLE none (a int, v int);
CREATE TABLE named (a int, "B c" int, v int);
CREATE TABLE identity_index (a int NOT NULL, v int);
CREATE UNIQUE INDEX identity_index_a ON identity_index (a);
ALTER TABLE identity_index REPLICA IDENTITY USING INDEX identity_index_a;
SELECT waybill.enable_capture('pk'), waybill.enable_capture('deferrable_pk'), waybill.enable_capture('none'),
       waybill.enable_capture('named', key => '{"B c",a}'), waybill.enable_capture('identity_index');
SELECT * FROM waybill.captured_tables WHERE "table"::text !~ '\.' ORDER BY "table"::text;
INSERT INTO pk VALUES (1, 2, 3);
INSERT INTO deferrable_pk VALUES (1, 2);
INSERT INTO none VALUES (1, 2);
UPDATE none SET v = 3;
DELETE FROM none;
INSERT INTO named VALUES (1, 2, 3);
INSERT INTO identity_index VALUES (1, 2);
SELECT * FROM log;

-- The order of the key's columns is kept in the shape.
SELECT DISTINCT definition ->> 'table' AS "table", definition -> 'key' ->> 0 AS first, definition -> 'key' ->> 1 AS second
FROM waybill_internal.shape WHERE definition ->> 'schema' = 'key' ORDER BY 1;

-- Another key; then the column goes.
SELECT waybill.enable_capture('named', key => '{a}');
INSERT INTO named VALUES (4, 5, 6);
SELECT key FROM log ORDER BY tx DESC LIMIT 1;
ALTER TABLE named DROP COLUMN a;
INSERT INTO named VALUES (7, 8);
SELECT key, after FROM log ORDER BY tx DESC LIMIT 1;
SELECT * FROM waybill.captured_tables WHERE "table" = 'named'::regclass;
SELECT waybill.enable_capture('named', key => '{nosuch}');

DROP SCHEMA key CASCADE;
