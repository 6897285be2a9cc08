-- Insert, update, delete, truncate: one change each, whole rows before and after.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA dml;
SET search_path = dml;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'dml.%';

CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2));
SELECT waybill.enable_capture('item');
INSERT INTO item VALUES (1, 'Kettle', 19.99), (2, 'Cup', NULL);
UPDATE item SET price = 24.50 WHERE id = 1;
UPDATE item SET price = price; -- changes nothing, but is a change
UPDATE item SET id = 3 WHERE id = 2; -- of the key
DELETE FROM item WHERE id = 3;
DELETE FROM item WHERE id = 99;
TRUNCATE item;
SELECT * FROM log;

-- Nothing of a rolled-back transaction, nor of a failed one.
BEGIN;
INSERT INTO item VALUES (10, 'lost', 0);
ROLLBACK;
INSERT INTO item VALUES (11, 'once', 0), (11, 'twice', 0);
SELECT count(*) FROM log WHERE tx > 6;

-- Several tables in one transaction: in the order of the commands, contiguous.
CREATE TABLE note (id int PRIMARY KEY, t text);
SELECT waybill.enable_capture('note');
BEGIN;
INSERT INTO item VALUES (20, 'a', 1);
INSERT INTO note VALUES (1, 'first');
UPDATE item SET name = 'b' WHERE id = 20;
DELETE FROM note;
COMMIT;
SELECT index, "table", op, key FROM log WHERE tx > 6;

-- Capture draws from sequences of its own, which no application sees, and does not mind a late READ ONLY.
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY (START 1001) PRIMARY KEY);
SELECT waybill.enable_capture('counted');
INSERT INTO counted DEFAULT VALUES;
SELECT lastval() = currval('counted_id_seq') AS untouched;
BEGIN;
INSERT INTO counted DEFAULT VALUES;
SET TRANSACTION READ ONLY;
COMMIT;
SELECT op, key FROM log WHERE "table" = 'counted';

-- After disable_capture() nothing more is captured; both calls are idempotent.
SELECT waybill.disable_capture('note'), waybill.disable_capture('note');
INSERT INTO note VALUES (2, 'unseen');
SELECT waybill.enable_capture('item'), waybill.enable_capture('item');
SELECT count(*) FROM log WHERE tx > 9;

DROP SCHEMA dml CASCADE;
