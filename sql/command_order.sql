-- Changes of nested triggers come in the order in which their commands made them, whatever fired first.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA command_order;
SET search_path = command_order;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'command_order.%';

CREATE TABLE t (id int PRIMARY KEY, version int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
SELECT waybill.enable_capture('t'), waybill.enable_capture('child');
INSERT INTO t VALUES (1, 1), (2, 1), (3, 1);

-- The trigger on row 1 updates row 2, which the outer statement updated already: fired before the outer change of row 2.
CREATE FUNCTION touch_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dummy SET n = n + 1;
    UPDATE t SET version = version + 10 WHERE id = NEW.id + 1 AND NEW.version < 10;
    RETURN NULL;
END $$;
CREATE TABLE dummy (n int);
INSERT INTO dummy VALUES (0);
CREATE TRIGGER zz_touch AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch_next();
UPDATE t SET version = version + 1;
SELECT index, op, key, before -> 'version' AS old, after -> 'version' AS new FROM log WHERE tx = 2;
DROP TRIGGER zz_touch ON t;

-- A trigger that sorts before ours.
CREATE TRIGGER " aa" AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch_next();
UPDATE t SET version = 0;
SELECT index, op, key, before -> 'version' AS old, after -> 'version' AS new FROM log WHERE tx = 3;
DROP TRIGGER " aa" ON t;

-- A BEFORE trigger acts before the row it fires for: here it makes room for it.
CREATE TABLE latest (id int PRIMARY KEY, version int);
SELECT waybill.enable_capture('latest');
CREATE FUNCTION replace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM latest WHERE id = NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER replace BEFORE INSERT ON latest FOR EACH ROW EXECUTE FUNCTION replace();
INSERT INTO latest VALUES (1, 1), (2, 1);
INSERT INTO latest VALUES (1, 2), (2, 2);
SELECT tx, index, op, key, coalesce(after, before) -> 'version' AS version FROM log WHERE "table" = 'latest' AND tx > 4;

-- The same row twice in one statement.
INSERT INTO latest VALUES (7, 1), (7, 2), (7, 3);
SELECT index, op, key, coalesce(after, before) -> 'version' AS version FROM log WHERE "table" = 'latest' AND tx > 5;

-- ... but after the rows that the statement made before: here it changes the one before it.
CREATE TABLE chain (id int PRIMARY KEY, next int);
SELECT waybill.enable_capture('chain');
CREATE FUNCTION link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE chain SET next = NEW.id WHERE id = NEW.id - 1;
    RETURN NEW;
END $$;
CREATE TRIGGER link BEFORE INSERT ON chain FOR EACH ROW EXECUTE FUNCTION link();
INSERT INTO chain SELECT g FROM generate_series(1, 3) g;
SELECT index, op, key, after -> 'next' AS next FROM log WHERE "table" = 'chain';

-- Both at once, nested, with a savepoint in between that is undone.
CREATE FUNCTION link_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id % 10 = 1 THEN RETURN NEW; END IF;
    BEGIN
        UPDATE chain SET next = -1 WHERE id = NEW.id - 1;
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        INSERT INTO chain VALUES (NEW.id + 1000, NEW.id - 1);
    END;
    DELETE FROM chain WHERE id = NEW.id - 1;
    RETURN NEW;
END $$;
CREATE TRIGGER more BEFORE INSERT ON chain FOR EACH ROW WHEN (NEW.id BETWEEN 10 AND 999) EXECUTE FUNCTION link_more();
INSERT INTO chain SELECT g FROM generate_series(11, 14) g;
SELECT index, op, key, after -> 'next' AS next FROM log WHERE "table" = 'chain' AND tx = (SELECT max(tx) FROM log);
SELECT id, next FROM chain WHERE id > 10 ORDER BY id;

-- Cascades: the parent's change comes first.
INSERT INTO child VALUES (1, 1), (2, 1);
UPDATE t SET id = 100 WHERE id = 1;
DELETE FROM t WHERE id = 100;
SELECT tx, index, "table", op, key FROM log WHERE tx > (SELECT max(tx) - 3 FROM log);

-- Deferred triggers run inside the commit and are captured too.
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO child VALUES (NEW.id + 1000, NULL);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION at_commit();
BEGIN;
INSERT INTO t VALUES (7, 1);
INSERT INTO t VALUES (8, 1);
COMMIT;
SELECT index, "table", op, key FROM log WHERE tx = (SELECT max(tx) FROM log);

-- An inverted order across many chunks is sorted as a whole and stays stable.
CREATE TABLE big (id int PRIMARY KEY, filler text, version int DEFAULT 0);
SELECT waybill.enable_capture('big');
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE big SET version = 2 WHERE id = NEW.id + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER bump AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION bump();
INSERT INTO big SELECT g, repeat('x', 300) FROM generate_series(1, 500) g;
WITH c AS (SELECT * FROM log WHERE "table" = 'big')
SELECT count(*), count(DISTINCT tx), sum((op = 'insert')::int) AS inserts, min(index) FILTER (WHERE op = 'update') AS first_update,
       bool_and(index = (key ->> 'id')::int - 1) FILTER (WHERE op = 'insert') AS inserts_in_order
FROM c;

DROP SCHEMA command_order CASCADE;
