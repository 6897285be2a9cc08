-- session_replication_role = replica: users' triggers and foreign keys rest, capture does not.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA replica_role;
SET search_path = replica_role;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, before, after
    FROM waybill.changes WHERE "table" LIKE 'replica_role.%';
CREATE TABLE t (id int PRIMARY KEY, v int, doubled int GENERATED ALWAYS AS (v * 2) STORED);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES t ON DELETE CASCADE);
SELECT waybill.enable_capture('t'), waybill.enable_capture('child');
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'fires under replica';
END $$;
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE TRIGGER never AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION never();
SET session_replication_role = replica;
INSERT INTO t VALUES (4, 40);
UPDATE t SET v = v + 1 WHERE id < 3;
UPDATE t SET id = 30 WHERE id = 3;
DELETE FROM t WHERE id = 1;
INSERT INTO child VALUES (3, 1000);
COPY t (id, v) FROM stdin;
5	50
\.
BEGIN;
SET LOCAL session_replication_role = origin;
DELETE FROM child WHERE id = 2;
SET LOCAL session_replication_role = replica;
DELETE FROM child WHERE id = 3;
SET LOCAL session_replication_role = local;
TRUNCATE child;
SET LOCAL session_replication_role = replica;
INSERT INTO child VALUES (4, NULL);
COMMIT;
SELECT * FROM log WHERE tx > 2;
SELECT replay('t'), replay('child');

-- A TRUNCATE reaches all tables that it must, also those that were not named.
TRUNCATE t CASCADE;
RESET session_replication_role;
TRUNCATE t, child RESTART IDENTITY;
TRUNCATE t CASCADE;
SELECT tx, "table", op FROM log WHERE op = 'truncate' ORDER BY 1, 2;
SELECT replay('t'), replay('child');

DROP SCHEMA replica_role CASCADE;
