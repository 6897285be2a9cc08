-- What triggers write while a TRUNCATE is in progress: where the truncation lies among it, and what it takes along.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
CREATE SCHEMA truncate_triggers;
SET search_path = truncate_triggers;
\i sql/include/replay.sql
CREATE TABLE t (id int, region int, n int NOT NULL DEFAULT 0, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
CREATE TABLE plain (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE stranger (id int);
SELECT waybill.enable_capture('t'), waybill.enable_capture('plain');
CREATE VIEW last AS
    SELECT index, split_part("table", '.', 2) AS "table", op, before, after FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'truncate\_triggers.%');
CREATE SEQUENCE ids;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    INSERT INTO t SELECT nextval('ids'), 1 + g % 2 FROM generate_series(1, 10) g;
    INSERT INTO plain SELECT nextval('ids') FROM generate_series(1, 5)
$$;
-- Makes rows, changes and removes some, also in an exception block, and moves some between the partitions.
CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql SET search_path = truncate_triggers AS $$
BEGIN
    PERFORM fill();
    UPDATE t SET n = n + 1 WHERE id % 5 = 0;
    DELETE FROM t WHERE id % 5 = 1;
    UPDATE t SET region = 3 - region WHERE id % 5 = 2;
    UPDATE plain SET n = n + 1 WHERE id % 5 = 0;
    BEGIN
        UPDATE t SET n = -1;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        UPDATE t SET n = n + 10 WHERE id % 5 = 3;
    END;
    RETURN NULL;
END $$;

-- Of a partition by itself: before and behind our trigger, and when it is done.
SELECT fill();
CREATE TRIGGER " before" BEFORE TRUNCATE ON t1 FOR EACH STATEMENT EXECUTE FUNCTION write();
TRUNCATE t1;
SELECT replay('t'), replay('plain');
DROP TRIGGER " before" ON t1;
SELECT fill();
CREATE TRIGGER zzz BEFORE TRUNCATE ON t1 FOR EACH STATEMENT EXECUTE FUNCTION write();
TRUNCATE t1;
SELECT index, "table", op, before, after FROM last WHERE "table" = 't';
SELECT replay('t'), replay('plain');
CREATE TRIGGER zzz_after AFTER TRUNCATE ON t1 FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE t1;
SELECT replay('t'), replay('plain');
DROP TRIGGER zzz ON t1;
DROP TRIGGER zzz_after ON t1;

-- Another table's triggers, when both are truncated together.
CREATE TRIGGER before BEFORE TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE t1, stranger;
SELECT replay('t'), replay('plain');
CREATE TRIGGER after AFTER TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE stranger, t1;
SELECT replay('t'), replay('plain');
DROP TRIGGER after ON stranger;

-- Of whole tables.
SELECT fill();
TRUNCATE t, plain, stranger;
SELECT replay('t'), replay('plain');
DROP TRIGGER before ON stranger;
CREATE TRIGGER " before" BEFORE TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION write();
CREATE TRIGGER zzz BEFORE TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION write();
CREATE TRIGGER zzz_after AFTER TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE plain;
SELECT replay('t'), replay('plain');
SELECT fill();
TRUNCATE plain, t;
SELECT replay('t'), replay('plain');
BEGIN;
TRUNCATE t, plain;
SELECT fill();
TRUNCATE plain, t; -- in place
COMMIT;
SELECT replay('t'), replay('plain');
SET track_counts = off;
SELECT fill();
TRUNCATE plain, t;
RESET track_counts;
SELECT replay('t'), replay('plain');
DROP TRIGGER " before" ON plain;
DROP TRIGGER zzz ON plain;
DROP TRIGGER zzz_after ON plain;

-- What writes behind the truncation and before it is recorded: another table's trigger, and one whose name comes first.
CREATE TRIGGER after AFTER TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE stranger, t, plain;
SELECT replay('t'), replay('plain');
CREATE TRIGGER " after" AFTER TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION write();
CREATE TRIGGER " after" AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION write();
SELECT fill();
TRUNCATE plain;
TRUNCATE t, plain;
SELECT replay('t'), replay('plain');
DROP TRIGGER " after" ON plain;
DROP TRIGGER " after" ON t;
DROP TRIGGER after ON stranger;

-- It turns out in an exception block that is rolled back; also in one that begins with another TRUNCATE.
CREATE TABLE further (id int);
SELECT waybill.enable_capture('further');
CREATE FUNCTION write_after_failure() RETURNS trigger LANGUAGE plpgsql SET search_path = truncate_triggers AS $$
BEGIN
    BEGIN
        IF TG_ARGV[0] = 'truncate' THEN TRUNCATE further; END IF;
        INSERT INTO plain VALUES (-1);
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO plain VALUES (nextval('ids'));
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER after AFTER TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write_after_failure();
TRUNCATE stranger, plain;
SELECT replay('plain');
DROP TRIGGER after ON stranger;
CREATE TRIGGER after AFTER TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write_after_failure('truncate');
TRUNCATE stranger, plain;
SELECT replay('plain');
DROP TRIGGER after ON stranger;

-- The second one of a table in a transaction, of which the file of another table tells.
CREATE FUNCTION write_little() RETURNS trigger LANGUAGE plpgsql SET search_path = truncate_triggers AS $$
BEGIN
    INSERT INTO plain SELECT nextval('ids') FROM generate_series(1, 5);
    RETURN NULL;
END $$;
CREATE TRIGGER after AFTER TRUNCATE ON stranger FOR EACH STATEMENT EXECUTE FUNCTION write_little();
BEGIN;
TRUNCATE plain;
INSERT INTO plain SELECT nextval('ids') FROM generate_series(1, 20);
TRUNCATE stranger, plain, further;
COMMIT;
SELECT replay('plain');
DROP TRIGGER after ON stranger;

-- The trigger that would have recorded an earlier TRUNCATE of the root is disabled.
DELETE FROM t;
ALTER TABLE t DISABLE TRIGGER "!waybill_capture_truncate";
BEGIN;
TRUNCATE t;
SELECT fill();
TRUNCATE t1;
COMMIT;
SELECT replay('t'), replay('plain');

DROP SCHEMA truncate_triggers CASCADE;
