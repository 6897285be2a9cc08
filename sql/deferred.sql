-- Deferred constraint triggers write at the commit, or when SET CONSTRAINTS tells them to: in that order it is captured.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA deferred;
SET search_path = deferred;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE u (id int PRIMARY KEY, n int DEFAULT 0);
SELECT waybill.enable_capture('t'), waybill.enable_capture('u');
CREATE VIEW last AS
    SELECT index, split_part("table", '.', 2) AS "table", op, before, after FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'deferred.%');
-- Deferred triggers that make more events of deferred triggers.
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deferred.t SET n = n + 100 WHERE id = NEW.id;
    INSERT INTO deferred.u VALUES (NEW.id) ON CONFLICT (id) DO UPDATE SET n = u.n + 1;
    IF NEW.id < 3 THEN
        INSERT INTO deferred.t VALUES (NEW.id + 10) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER " later" AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
BEGIN;
INSERT INTO t VALUES (1), (2);
UPDATE t SET n = n + 1;
DELETE FROM t WHERE id = 2;
INSERT INTO t VALUES (2, 7);
COMMIT;
SELECT * FROM last;

-- Earlier, by SET CONSTRAINTS, some of it undone with a savepoint; one statement alone has its commit at once.
BEGIN;
INSERT INTO t VALUES (3);
SAVEPOINT a;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO a;
UPDATE t SET n = -1 WHERE id = 3;
SET CONSTRAINTS " later" IMMEDIATE;
INSERT INTO t VALUES (4);
UPDATE u SET n = 50 WHERE id = 4;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO t VALUES (5);
COMMIT;
SELECT * FROM last;
INSERT INTO t VALUES (6);
SELECT count(*) FROM last;

-- Keys that are unique only at the end of a statement, or of the transaction.
CREATE TABLE ring (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, note text);
CREATE TABLE shift (id int PRIMARY KEY DEFERRABLE, note text);
SELECT waybill.enable_capture('ring'), waybill.enable_capture('shift');
INSERT INTO ring VALUES (1, 'a'), (2, 'b');
INSERT INTO shift VALUES (1, 'a'), (2, 'b'), (3, 'c');
BEGIN;
UPDATE ring SET id = 2 WHERE note = 'a';
UPDATE ring SET id = 1 WHERE note = 'b';
COMMIT;
SELECT * FROM last;
UPDATE shift SET id = id + 1;
SELECT * FROM last;

-- A trigger whose failure at the commit leaves nothing.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deferred.u VALUES (1000);
    RAISE EXCEPTION 'refused at the commit';
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.n = 99) EXECUTE FUNCTION refuse();
BEGIN;
INSERT INTO t VALUES (7);
UPDATE u SET n = 99 WHERE id = 1;
COMMIT;
SELECT replay('t'), replay('u');

DROP SCHEMA deferred CASCADE;
