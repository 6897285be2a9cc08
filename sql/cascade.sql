-- Foreign keys of every kind: what they do to other tables is captured behind what made them do it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA cascade;
SET search_path = cascade;
\i sql/include/replay.sql
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE cascades (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE nulls (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE SET NULL ON UPDATE SET NULL);
CREATE TABLE defaults (id int PRIMARY KEY, parent int DEFAULT 1 REFERENCES parent ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
CREATE TABLE defers (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE grandchild (id int PRIMARY KEY, parent int REFERENCES cascades ON DELETE CASCADE ON UPDATE CASCADE, n int DEFAULT 0);
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE ON UPDATE CASCADE);
DO $$
DECLARE
    name regclass;
BEGIN
    FOREACH name IN ARRAY '{parent,cascades,nulls,defaults,defers,grandchild,tree}'::regclass[] LOOP
        PERFORM waybill.enable_capture(name);
    END LOOP;
END $$;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    INSERT INTO cascade.parent SELECT g, g FROM generate_series(1, 5) g;
    INSERT INTO cascade.cascades SELECT g * 10 + c, g FROM generate_series(1, 5) g, generate_series(1, 2) c;
    INSERT INTO cascade.nulls SELECT g, g FROM generate_series(1, 5) g;
    INSERT INTO cascade.defaults SELECT g, g FROM generate_series(1, 5) g;
    INSERT INTO cascade.defers SELECT g, g FROM generate_series(1, 5) g;
    INSERT INTO cascade.grandchild SELECT id * 10, id FROM cascade.cascades;
$$;
CREATE VIEW replays AS
    SELECT replay(name) FROM unnest('{parent,cascades,nulls,defaults,defers,grandchild,tree}'::regclass[]) name;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op,
           before ->> 'id' AS old_id, after ->> 'id' AS new_id, before ->> 'parent' AS old_parent, after ->> 'parent' AS new_parent
    FROM waybill.changes WHERE "table" LIKE 'cascade.%';
SELECT fill();
UPDATE parent SET id = 20 WHERE id = 2;
DELETE FROM parent WHERE id = 3;
SELECT * FROM log WHERE tx > 1;

-- Several rows at once, several times in a transaction, the children changed in between.
BEGIN;
UPDATE parent SET id = id + 100 WHERE id > 3;
UPDATE grandchild SET n = n + 1;
UPDATE cascades SET id = id + 1000 WHERE parent = 104;
SAVEPOINT s;
DELETE FROM parent WHERE id > 1;
ROLLBACK TO s;
DELETE FROM parent WHERE id = 105;
UPDATE grandchild SET n = n + 1;
COMMIT;
SELECT * FROM replays;

-- Deferred checks act at the commit, or when they are told to.
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO defers VALUES (50, 500);
DELETE FROM parent WHERE id = 104;
UPDATE nulls SET parent = 1 WHERE parent IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
BEGIN;
INSERT INTO defers VALUES (50, 500);
DELETE FROM parent WHERE id = 104;
INSERT INTO parent VALUES (500, 0);
COMMIT;
SELECT tx, index, "table", op, old_id, new_id, old_parent, new_parent FROM log WHERE tx = (SELECT max(tx) FROM log);

-- A table that refers to itself, level by level.
INSERT INTO tree SELECT g, nullif(g / 2, 0) FROM generate_series(1, 15) g;
UPDATE tree SET id = id + 100 WHERE id IN (1, 3);
DELETE FROM tree WHERE id = 103;
DELETE FROM tree WHERE id = 101;
SELECT tx, count(*), string_agg(op || coalesce(new_id, old_id), ' ' ORDER BY index) FROM log
WHERE "table" = 'tree' GROUP BY tx HAVING count(*) < 15 ORDER BY tx;
TRUNCATE parent CASCADE;
SELECT "table", op FROM log WHERE tx = (SELECT max(tx) FROM log) ORDER BY 1;
SELECT fill();
SELECT * FROM replays;

DROP SCHEMA cascade CASCADE;
