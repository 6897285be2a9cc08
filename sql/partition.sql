-- Partitions are published under their root: attached, detached, at several levels, with columns in another order.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA partition;
SET search_path = partition;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'partition.%';
CREATE VIEW triggers AS
    SELECT relation::regclass, kind, parent <> 0 AS clone, enabled, count(*) FROM waybill_internal.capture_trigger
    WHERE relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'partition'::regnamespace) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3;

-- A table that is captured already becomes a partition: its changes are the root's from then on, each of them once.
CREATE TABLE p (id int, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (gone int, v text, region int NOT NULL, id int NOT NULL, PRIMARY KEY (id, region));
ALTER TABLE p2 DROP COLUMN gone;
SELECT waybill.enable_capture('p'), waybill.enable_capture('p2');
INSERT INTO p2 VALUES ('by itself', 2, 1);
DELETE FROM p2;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
SELECT * FROM triggers;
SELECT "table", problem FROM waybill.captured_tables WHERE "table" IN ('p'::regclass, 'p2'::regclass) ORDER BY 1;
INSERT INTO p VALUES (1, 1, 'one'), (2, 2, 'two');
INSERT INTO p2 VALUES ('directly', 2, 3);
UPDATE p SET v = v || '!';
DELETE FROM p WHERE id = 3;
SELECT waybill.enable_capture('p2'), waybill.enable_capture('p'); -- nothing to do
ALTER TABLE p DETACH PARTITION p2;
UPDATE p2 SET v = 'by itself again';
SELECT * FROM triggers WHERE relation = 'p2'::regclass;
SELECT tx, index, "table", op, key, before, after FROM log;

-- Captured at three levels: the topmost counts.
CREATE TABLE top (id int, region int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE middle (id int, region int, PRIMARY KEY (id, region)) PARTITION BY RANGE (id);
CREATE TABLE leaf (id int, region int, PRIMARY KEY (id, region));
SELECT waybill.enable_capture('top'), waybill.enable_capture('middle'), waybill.enable_capture('leaf');
INSERT INTO leaf VALUES (1, 1);
ALTER TABLE middle ATTACH PARTITION leaf FOR VALUES FROM (0) TO (100);
INSERT INTO leaf VALUES (2, 1);
ALTER TABLE top ATTACH PARTITION middle FOR VALUES IN (1);
INSERT INTO leaf VALUES (3, 1);
INSERT INTO middle VALUES (4, 1);
SELECT * FROM triggers WHERE relation = 'leaf'::regclass;
SELECT waybill.disable_capture('middle');
INSERT INTO middle VALUES (5, 1);
ALTER TABLE top DETACH PARTITION middle;
INSERT INTO middle VALUES (6, 1);
SELECT waybill.disable_capture('leaf');
INSERT INTO middle VALUES (7, 1);
SELECT "table", op, key FROM log WHERE "table" IN ('top', 'middle', 'leaf');
SELECT waybill.enable_capture('leaf'); -- not by itself, now that it is a partition
SELECT waybill.disable_capture('top'), waybill.disable_capture('p'), waybill.disable_capture('p2');
SELECT * FROM triggers;

-- A column that the root gets reaches its partitions; another key is the root's.
SELECT waybill.enable_capture('p');
ALTER TABLE p ADD COLUMN added int DEFAULT 5;
UPDATE p SET v = 'wide';
SELECT waybill.enable_capture('p', key => '{v}');
UPDATE p1 SET added = 6;
SELECT op, key, before, after FROM log WHERE "table" = 'p' ORDER BY tx DESC, index LIMIT 2;
CREATE TABLE attached (LIKE p INCLUDING ALL);
INSERT INTO attached VALUES (9, 3, 'was there before');
ALTER TABLE p ATTACH PARTITION attached FOR VALUES IN (3);
UPDATE p SET added = 7 WHERE id = 9;
ALTER TABLE p RENAME TO q;
DELETE FROM attached;
DROP TABLE attached;
SELECT "table", op, key, before, after FROM log WHERE before ->> 'v' = 'was there before' ORDER BY tx;

DROP SCHEMA partition CASCADE;
