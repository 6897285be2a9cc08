-- From PostgreSQL 18 on.
-- Temporal keys: the period is a part of the key like any other column.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET datestyle = 'ISO, YMD';
CREATE SCHEMA temporal_keys;
SET search_path = temporal_keys;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'temporal_keys.%';
-- A range as first column needs no btree_gist.
CREATE TABLE rooms (id int4range, during daterange, price int, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE stays (id int PRIMARY KEY, room int4range, during daterange, guest text,
                    FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during));
CREATE TABLE shifts (who int4range NOT NULL, during datemultirange NOT NULL, UNIQUE (who, during WITHOUT OVERLAPS));
ALTER TABLE shifts REPLICA IDENTITY USING INDEX shifts_who_during_key;
SELECT waybill.enable_capture('rooms'), waybill.enable_capture('stays'), waybill.enable_capture('shifts');
SELECT "table", key, problem FROM waybill.captured_tables WHERE "table" IN ('rooms'::regclass, 'stays', 'shifts') ORDER BY "table"::text COLLATE "C";
INSERT INTO rooms VALUES ('[1,2)', '[2024-01-01,2024-07-01)', 100), ('[1,2)', '[2024-07-01,2025-01-01)', 120);
INSERT INTO rooms VALUES ('[1,2)', '[2024-06-01,2024-08-01)', 110);
INSERT INTO stays VALUES (1, '[1,2)', '[2024-06-20,2024-07-10)', 'who changes the price');
-- A period that grows is another key.
BEGIN;
UPDATE rooms SET during = '[2024-07-01,2024-10-01)' WHERE price = 120;
INSERT INTO rooms VALUES ('[1,2)', '[2024-10-01,)', 130);
COMMIT;
UPDATE rooms SET price = 125 WHERE during @> '2024-08-01'::date;
DELETE FROM rooms WHERE price = 100;
DELETE FROM rooms WHERE price = 130;
INSERT INTO shifts VALUES ('[1,2)', '{[2024-01-01,2024-01-05),[2024-02-01,2024-02-05)}');
INSERT INTO shifts VALUES ('[1,2)', '{[2024-01-07,2024-01-08)}'), ('[1,2)', '{[2024-02-04,2024-02-05)}');
UPDATE shifts SET during = during + '{[2024-01-05,2024-01-06)}';
SELECT * FROM log;
SELECT replay('rooms'), replay('stays'), replay('shifts');

-- Of a partitioned table, over moves between its partitions.
CREATE TABLE p (id int4range, during daterange, n int, PRIMARY KEY (id, during WITHOUT OVERLAPS)) PARTITION BY LIST (id);
CREATE TABLE p_one PARTITION OF p FOR VALUES IN ('[1,2)');
CREATE TABLE p_rest PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('p');
INSERT INTO p VALUES ('[1,2)', '[2024-01-01,)', 1);
UPDATE p SET id = '[2,3)';
SELECT op, key, before, after FROM log WHERE "table" = 'p';
SELECT replay('p');
SET waybill.ddl_warnings = off;
DROP SCHEMA temporal_keys CASCADE;
