-- Statements inside statements: changes are published in the order in which they were made, also where nothing that the
-- rows tell shows it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA nested_order;
SET search_path = nested_order;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE other (id serial PRIMARY KEY, what text);
SELECT waybill.enable_capture('t'), waybill.enable_capture('other');
CREATE VIEW last AS
    SELECT index, split_part("table", '.', 2) AS "table", op, before, after FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'nested_order.%') AND op <> 'truncate';

-- A trigger that comes before ours deletes the next row.
CREATE FUNCTION delete_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM nested_order.t WHERE id = OLD.id + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER "!" AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION delete_next();
INSERT INTO t SELECT g FROM generate_series(1, 4) g;
DELETE FROM t WHERE id = 1;
SELECT * FROM last;
DROP TRIGGER "!" ON t;

-- One that makes the row anew which is just being deleted.
CREATE FUNCTION revive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nested_order.t VALUES (OLD.id, OLD.n + 1);
    RETURN NULL;
END $$;
CREATE TRIGGER "!" AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION revive();
INSERT INTO t VALUES (1, 0), (2, 0);
DELETE FROM t;
SELECT * FROM last;
DROP TRIGGER "!" ON t;

-- A function puts rows under keys which the statement that calls it has just given up.
CREATE FUNCTION take_key(key int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nested_order.t VALUES (key - 10, 100) ON CONFLICT DO NOTHING;
    RETURN 0;
END $$;
UPDATE t SET id = id + 10, n = n + take_key(id + 9) WHERE id < 10;
SELECT * FROM last;
SELECT * FROM t ORDER BY id;

-- Rows of different tables, written in turn: by a BEFORE trigger, and by one that comes before ours.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nested_order.other (what) VALUES (format('%s %s', TG_WHEN, NEW.id));
    RETURN NEW;
END $$;
CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER " note" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO t VALUES (31), (32);
SELECT index, "table", op, coalesce(after ->> 'what', after ->> 'id') AS row FROM last;
DROP TRIGGER note ON t;
DROP TRIGGER " note" ON t;

-- Around a savepoint that is undone, and in a deferred trigger.
CREATE FUNCTION change_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE nested_order.t SET n = -1;
        DELETE FROM nested_order.t;
        RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN
        UPDATE nested_order.t SET n = n + 1 WHERE id > NEW.id;
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER "!" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION change_others();
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION change_others();
TRUNCATE t;
INSERT INTO t VALUES (1), (2), (3);
SELECT * FROM last;

-- Frozen rows, and a table that is captured in the transaction that writes it.
BEGIN;
TRUNCATE t;
COPY t FROM stdin (FREEZE);
1	0
2	0
3	0
\.
CREATE TABLE late (LIKE t INCLUDING ALL);
INSERT INTO late VALUES (1, 0);
SELECT waybill.enable_capture('late');
CREATE TRIGGER "!" AFTER DELETE ON late FOR EACH ROW EXECUTE FUNCTION delete_next();
CREATE TRIGGER note BEFORE INSERT ON late FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO late VALUES (2, 0), (3, 0);
COMMIT;
SELECT index, "table", op, before ->> 'n' AS old, coalesce(after ->> 'what', after ->> 'id') AS row, after ->> 'n' AS new FROM last;
SELECT replay('t'), replay('other');

-- PostgreSQL's counts are forgotten with a TRUNCATE, in a subtransaction partly when it ends.
CREATE TABLE c (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
SELECT waybill.enable_capture('c');
CREATE FUNCTION change_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 AND NEW.id = 1 THEN UPDATE nested_order.c SET n = 100 WHERE id = 2; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER z AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION change_next();
BEGIN;
INSERT INTO c VALUES (0);
SAVEPOINT a;
INSERT INTO c SELECT generate_series(1, 5);
TRUNCATE c;
INSERT INTO c SELECT generate_series(1, 5);
RELEASE a;
UPDATE c SET n = 1;
COMMIT;
SELECT op, before ->> 'n' AS old, after ->> 'n' AS new FROM last WHERE op = 'update' AND after ->> 'id' = '2';
SELECT replay('c');

-- They are relied upon again some commands later, until a savepoint from before that is rolled back to.
CREATE TABLE q (id int) PARTITION BY RANGE (id);
CREATE TABLE q1 PARTITION OF q DEFAULT;
SELECT waybill.enable_capture('q');
BEGIN;
INSERT INTO q SELECT generate_series(1, 20);
TRUNCATE q1;
INSERT INTO q SELECT generate_series(1, 20);
UPDATE c SET n = 0 WHERE id = 5;
TRUNCATE q1;
SAVEPOINT a;
UPDATE c SET n = n + 1 WHERE id = 5;
UPDATE c SET n = n + 1 WHERE id = 5;
UPDATE c SET n = n + 1 WHERE id = 5;
ROLLBACK TO a;
UPDATE c SET n = 1;
COMMIT;
SELECT replay('c');

-- The trigger that comes before a TRUNCATE is disabled, and nothing was captured before.
SET waybill.ddl_warnings = off;
ALTER TABLE c DISABLE TRIGGER "!waybill_capture_before_truncate";
TRUNCATE c;
BEGIN;
SAVEPOINT a;
TRUNCATE c;
COMMIT;
SELECT replay('c');

-- A table that goes with a savepoint was counted before any change of it was captured; another takes its place.
CREATE TABLE r (id int, region int) PARTITION BY LIST (region);
SELECT waybill.enable_capture('r');
CREATE TABLE stranger (id int);
CREATE TABLE d (id int PRIMARY KEY);
SELECT waybill.enable_capture('d');
CREATE FUNCTION truncate_c(region int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE nested_order.c;
    RETURN region;
END $$;
CREATE FUNCTION write_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nested_order.d VALUES (NEW.id + 10);
    INSERT INTO nested_order.stranger SELECT generate_series(1, 10);
    INSERT INTO nested_order.d VALUES (NEW.id + 20);
    RETURN NEW;
END $$;
CREATE TRIGGER write_others BEFORE INSERT ON d FOR EACH ROW WHEN (NEW.id < 10) EXECUTE FUNCTION write_others();
BEGIN;
SAVEPOINT a;
CREATE TABLE r1 PARTITION OF r FOR VALUES IN (1);
INSERT INTO r SELECT g, CASE g WHEN 1 THEN 1 ELSE truncate_c(1) END FROM generate_series(1, 2) g;
ROLLBACK TO a;
INSERT INTO stranger VALUES (0);
INSERT INTO d VALUES (101);
INSERT INTO d VALUES (102);
INSERT INTO d VALUES (103);
INSERT INTO d VALUES (1), (2), (3);
COMMIT;
SELECT string_agg(after ->> 'id', ' ' ORDER BY index) FROM last;

-- Without PostgreSQL's counts of changed rows, those of one row keep their order.
SET track_counts = off;
DROP TRIGGER later ON t;
TRUNCATE t;
INSERT INTO t VALUES (1), (2), (3);
SELECT * FROM last;
RESET track_counts;
SELECT replay('t');

DROP SCHEMA nested_order CASCADE;
