-- TRUNCATE of a partition by its own name removes its rows from the root's stream, no others.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA partition_truncate;
SET search_path = partition_truncate;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before
    FROM waybill.changes WHERE "table" LIKE 'partition\_truncate.%';
CREATE TABLE t (id int, region int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE t2a PARTITION OF t2 FOR VALUES IN (1, 2);
CREATE TABLE t2b PARTITION OF t2 DEFAULT;
SELECT waybill.enable_capture('t');
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS 'INSERT INTO t SELECT i, j FROM generate_series(1, 3) i, generate_series(1, 2) j';

SELECT fill();
TRUNCATE t1;
SELECT op, key FROM log WHERE tx = 2;
TRUNCATE t2; -- of a level in between
SELECT op, key FROM log WHERE tx = 3;
SELECT fill();
TRUNCATE t;
SELECT op, key FROM log WHERE tx = 5;
-- The partition first: its rows, then everything.
SELECT fill();
TRUNCATE t1, t;
SELECT op, key FROM log WHERE tx = 7;
-- What this transaction made and undid; after a TRUNCATE of the root that failed, and after one that did not.
BEGIN;
INSERT INTO t VALUES (1, 1), (2, 1), (3, 1);
DELETE FROM t WHERE id = 2;
SAVEPOINT s;
TRUNCATE t1;
ROLLBACK TO s;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SAVEPOINT s;
TRUNCATE t;
ROLLBACK TO s;
TRUNCATE t1;
DROP TRIGGER refuse ON t;
TRUNCATE t;
TRUNCATE t1;
INSERT INTO t VALUES (9, 1);
TRUNCATE t1;
COMMIT;
SELECT op, key FROM log WHERE tx = 8;
-- In a transaction that made the partition, where TRUNCATE works in place.
BEGIN;
CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3);
INSERT INTO t VALUES (1, 3);
TRUNCATE t3;
INSERT INTO t VALUES (2, 3);
TRUNCATE t;
INSERT INTO t VALUES (3, 3);
TRUNCATE t3;
COMMIT;
SELECT op, key FROM log WHERE tx = 9;

-- Neither row security nor an old snapshot hides rows from it, nor the replication role.
ALTER TABLE t1 ENABLE ROW LEVEL SECURITY;
ALTER TABLE t1 FORCE ROW LEVEL SECURITY;
CREATE ROLE regress_waybill_truncater;
GRANT USAGE ON SCHEMA partition_truncate TO regress_waybill_truncater;
GRANT TRUNCATE ON t1 TO regress_waybill_truncater;
INSERT INTO t VALUES (1, 1);
SET session_replication_role = replica;
SET ROLE regress_waybill_truncater;
TRUNCATE t1;
RESET ROLE;
RESET session_replication_role;
SELECT op, key FROM log WHERE tx = 11;

-- Several tables at once are truncated together: before what an AFTER trigger makes of it, behind what a BEFORE trigger did.
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY);
SELECT waybill.enable_capture('a'), waybill.enable_capture('b');
CREATE FUNCTION refill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO b VALUES (coalesce((SELECT max(id) + 1 FROM b), 1));
    INSERT INTO b VALUES (coalesce((SELECT max(id) + 1 FROM b), 1));
    RETURN NULL;
END $$;
CREATE TRIGGER before BEFORE TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION refill();
CREATE TRIGGER after AFTER TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION refill();
TRUNCATE a, b;
SELECT index, "table", op, key FROM log WHERE tx = 12;
SELECT * FROM b;

-- A partitioned table that was captured before it was attached, and a trigger that writes before the rest is truncated.
CREATE TABLE r (id int, k int) PARTITION BY RANGE (id);
CREATE TABLE m (id int, k int) PARTITION BY RANGE (k);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (100);
SELECT waybill.enable_capture('m'), waybill.enable_capture('r');
ALTER TABLE r ATTACH PARTITION m FOR VALUES FROM (0) TO (100);
INSERT INTO r VALUES (1, 1);
TRUNCATE m;
CREATE TRIGGER before BEFORE TRUNCATE ON r FOR EACH STATEMENT EXECUTE FUNCTION refill();
INSERT INTO r VALUES (2, 2);
TRUNCATE r;
SELECT "table", op, before FROM log WHERE tx > 12;

DROP SCHEMA partition_truncate CASCADE;
DROP ROLE regress_waybill_truncater;
