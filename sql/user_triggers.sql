-- Triggers of users that write the same and other captured tables: before and behind ours, for rows and statements,
-- recursive. Names sort before "!waybill_capture" when they begin with a blank.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA user_triggers;
SET search_path = user_triggers;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, total int);
CREATE TABLE audit (at serial PRIMARY KEY, what text);
SELECT waybill.enable_capture('t'), waybill.enable_capture('audit');
CREATE VIEW replays AS SELECT replay('t') AS t, replay('audit') AS audit;
CREATE VIEW last AS
    SELECT index, split_part("table", '.', 2) AS "table", op, before, after FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'user_triggers.%');

CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_triggers.audit (what) VALUES (format('%s %s %s', TG_NAME, TG_OP, TG_WHEN));
    RETURN NEW;
END $$;
-- Each change makes the next row's, down to zero: the trigger calls itself.
CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_triggers.t SET n = NEW.n - 1 WHERE id = NEW.id + 1 AND n < NEW.n - 1;
    RETURN NULL;
END $$;
-- Changes the row that fires it once more, and one that its statement changes too.
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_triggers.t SET total = coalesce(total, 0) + 1 WHERE id IN (NEW.id, NEW.id - 1);
    RETURN NULL;
END $$;

-- Of rows, behind ours and before ours, alone and together.
INSERT INTO t SELECT g FROM generate_series(1, 5) g;
CREATE TRIGGER pass_on AFTER INSERT OR UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION pass_on();
UPDATE t SET n = 4 WHERE id = 1;
SELECT * FROM last;
CREATE TRIGGER " again" AFTER UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION again();
UPDATE t SET n = 6 WHERE id IN (1, 2);
SELECT * FROM last;
SELECT * FROM replays;
DROP TRIGGER pass_on ON t;
CREATE TRIGGER "  pass_on" AFTER INSERT OR UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION pass_on();
CREATE TRIGGER again AFTER UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION again();
UPDATE t SET n = n + id;
INSERT INTO t VALUES (6, 20), (7, 30), (8, 0) ON CONFLICT (id) DO UPDATE SET n = excluded.n;
SELECT * FROM replays;

-- Of statements, with what they changed as tables.
CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_triggers.t SET total = (SELECT sum(n) FROM new_rows) WHERE id IN (SELECT id FROM new_rows) AND n > 0;
    INSERT INTO user_triggers.audit (what) SELECT format('%s %s', TG_NAME, id) FROM new_rows ORDER BY id;
    RETURN NULL;
END $$;
CREATE TRIGGER " sum_up" AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION sum_up();
CREATE TRIGGER note_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER note_row BEFORE INSERT OR UPDATE ON t FOR EACH ROW WHEN (NEW.id > 8) EXECUTE FUNCTION note();
CREATE TRIGGER " note" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO t VALUES (9, 1), (10, 2);
SELECT * FROM last;
UPDATE t SET n = n - 1 WHERE id >= 8;
DELETE FROM t WHERE id < 3;
SELECT * FROM replays;

-- One that undoes its statement's work and fails in a subtransaction, around a TRUNCATE.
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM user_triggers.t WHERE id = NEW.id;
    BEGIN
        INSERT INTO user_triggers.t VALUES (NEW.id - 1000);
        RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN
        INSERT INTO user_triggers.audit (what) VALUES ('refused ' || NEW.id);
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER " undo" AFTER INSERT ON t FOR EACH ROW WHEN (NEW.id > 2000) EXECUTE FUNCTION undo();
INSERT INTO t VALUES (2001, 1), (20, 1), (2002, 1);
CREATE TRIGGER undo AFTER INSERT ON audit FOR EACH ROW WHEN (NEW.what = 'all') EXECUTE FUNCTION note();
BEGIN;
INSERT INTO audit (what) VALUES ('all');
TRUNCATE t;
INSERT INTO t VALUES (1, 5), (2001, 1);
COMMIT;
SELECT * FROM last;
SELECT * FROM replays;

DROP SCHEMA user_triggers CASCADE;
