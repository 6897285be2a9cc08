-- Conditions of partitioned tables: each partition has its own column numbers; moves between partitions are updates.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA condition_partition;
SET search_path = condition_partition;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op,
           concat_ws(' ', before ->> 'id', before ->> 'part', before ->> 'v') AS from,
           concat_ws(' ', after ->> 'id', after ->> 'part', after ->> 'v') AS to
    FROM waybill.changes WHERE "table" LIKE 'condition\_partition.%';
CREATE VIEW latest AS SELECT index, "table", op, "from", "to" FROM log WHERE tx = (SELECT max(tx) FROM log);
CREATE TABLE t (gone text, id int, part int, v text, n int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
ALTER TABLE t DROP COLUMN gone;
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 (n int, v text, gone int, part int NOT NULL, gone2 int, id int NOT NULL);
ALTER TABLE t2 DROP COLUMN gone, DROP COLUMN gone2;
ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2);
SELECT waybill.enable_capture('t', condition => 'n > 0 AND v <> $$$$');
-- Attached and created later, and below another level.
CREATE TABLE t3 (v text, part int NOT NULL, n int, id int NOT NULL) PARTITION BY LIST (part);
CREATE TABLE t33 (part int NOT NULL, n int, gone text, id int NOT NULL, v text);
ALTER TABLE t33 DROP COLUMN gone;
ALTER TABLE t3 ATTACH PARTITION t33 FOR VALUES IN (3);
ALTER TABLE t ATTACH PARTITION t3 FOR VALUES IN (3, 4);
CREATE TABLE t34 PARTITION OF t3 FOR VALUES IN (4);
SELECT relation::regclass, condition, enabled FROM waybill_internal.capture_trigger WHERE kind = 'condition' AND relation::regclass::text ~ '^t' ORDER BY 1;
SELECT "table", key, condition, problem FROM waybill.captured_tables WHERE "table" = 't'::regclass;
INSERT INTO t (id, part, v, n) SELECT g, p, CASE WHEN g < 5 THEN 'x' ELSE '' END, g % 2 FROM generate_series(1, 6) g, generate_series(1, 4) p;
SELECT * FROM latest;
UPDATE t SET n = n + 1 WHERE id = 2 OR part = 2;
UPDATE t2 SET v = 'direct';
SELECT replay('t', $$n > 0 AND v <> ''$$);

-- Moves: both satisfy, only the old one, only the new one, neither.
TRUNCATE t;
INSERT INTO t (id, part, v, n) VALUES (1, 1, 'both', 1), (2, 1, 'old', 1), (3, 1, 'new', 0), (4, 1, 'neither', 0);
UPDATE t SET part = 2, n = CASE v WHEN 'old' THEN 0 WHEN 'new' THEN 1 ELSE n END;
SELECT * FROM latest;
UPDATE t SET part = 5 - part, n = 1 - n;
SELECT * FROM latest;
BEGIN;
UPDATE t SET part = part % 4 + 1, n = 1 - n;
SAVEPOINT s;
UPDATE t SET part = part % 4 + 1, n = 1 - n;
ROLLBACK TO s;
UPDATE t SET part = part % 4 + 1, n = 1 - n WHERE id < 3;
COMMIT;
SELECT * FROM latest;
-- A trigger suppresses the insert of one that moves, the next one does not satisfy the condition where it was.
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.v <> 'suppressed' THEN NEW END; END $$;
CREATE TRIGGER suppress BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION suppress();
TRUNCATE t;
INSERT INTO t (id, part, v, n) VALUES (1, 2, 'suppressed', 1), (2, 2, 'new', 0), (3, 2, 'suppressed', 0), (4, 2, 'suppressed', 1);
UPDATE t SET part = 1, n = 1;
SELECT * FROM latest;
SELECT replay('t', $$n > 0 AND v <> ''$$);
-- Behind such a one comes a row that begins to satisfy the condition where it is: not the one that moved.
INSERT INTO t (id, part, v, n) VALUES (5, 2, 'suppressed', 1), (6, 3, 'new', 0);
UPDATE t SET part = CASE id WHEN 5 THEN 1 ELSE part END, n = 1 WHERE id IN (5, 6);
SELECT * FROM latest;
SELECT replay('t', $$n > 0 AND v <> ''$$);

-- TRUNCATE of a partition by itself: the rows that consumers have.
INSERT INTO t (id, part, v, n) SELECT g, 2, 'g', g % 2 FROM generate_series(11, 14) g;
TRUNCATE t2;
SELECT * FROM latest;
SELECT replay('t', $$n > 0 AND v <> ''$$);

-- Of several captured tables the topmost one's condition counts, or that it has none; detached, its own.
SELECT waybill.disable_capture('t');
SELECT waybill.enable_capture('t3', condition => 'n = 7'); -- is refused
CREATE TABLE alone (part int NOT NULL, n int, id int NOT NULL, v text);
SELECT waybill.enable_capture('alone', condition => 'n = 7');
ALTER TABLE t ATTACH PARTITION alone FOR VALUES IN (7);
INSERT INTO t (id, part, v, n) VALUES (1, 7, 'seven', 7), (2, 7, 'eight', 8);
SELECT * FROM latest;
SELECT waybill.enable_capture('t', condition => 'n = 8');
INSERT INTO t (id, part, v, n) VALUES (3, 7, 'seven', 7), (4, 7, 'eight', 8);
UPDATE t SET part = 1, n = 8 WHERE id = 1;
SELECT * FROM latest;
SELECT waybill.enable_capture('t');
INSERT INTO t (id, part, v, n) VALUES (5, 7, 'any', 0);
SELECT * FROM latest;
SELECT waybill.enable_capture('t', condition => 'n = 8');
ALTER TABLE t DETACH PARTITION alone;
INSERT INTO alone (id, part, v, n) VALUES (6, 7, 'seven', 7), (7, 7, 'eight', 8);
SELECT * FROM latest;
-- Moves between tables with conditions of their own.
SELECT waybill.disable_capture('t');
SELECT waybill.enable_capture('alone', condition => 'n <= 7');
ALTER TABLE t ATTACH PARTITION alone FOR VALUES IN (7);
CREATE TABLE alone8 (LIKE alone);
SELECT waybill.enable_capture('alone8', condition => 'n >= 7');
ALTER TABLE t ATTACH PARTITION alone8 FOR VALUES IN (8);
DELETE FROM alone;
INSERT INTO alone (id, part, v, n) VALUES (1, 7, 'left', 6), (2, 7, 'moved', 7), (3, 7, 'came', 8);
UPDATE t SET part = 8 WHERE part = 7;
SELECT * FROM latest;

DROP SCHEMA condition_partition CASCADE;
