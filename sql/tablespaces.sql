-- Tables move between tablespaces under capture, and may be empty directories of the server (allow_in_place_tablespaces).
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET allow_in_place_tablespaces = on;
CREATE SCHEMA tablespaces;
SET search_path = tablespaces;
\i sql/include/replay.sql
CREATE TABLESPACE waybill_regress_one LOCATION '';
CREATE TABLESPACE waybill_regress_two LOCATION '';
CREATE TABLE t (id int PRIMARY KEY, note text) TABLESPACE waybill_regress_one;
CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id) TABLESPACE waybill_regress_one;
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p_high PARTITION OF p DEFAULT TABLESPACE waybill_regress_two;
SELECT waybill.enable_capture('t'), waybill.enable_capture('p');
INSERT INTO t SELECT g, repeat(g::text, 5000) FROM generate_series(1, 3) g;
INSERT INTO p SELECT g, g FROM generate_series(8, 12) g;
ALTER TABLE t SET TABLESPACE waybill_regress_two;
UPDATE t SET note = note || '!' WHERE id = 1;
BEGIN;
UPDATE t SET id = 4 WHERE id = 3;
ALTER TABLE t SET TABLESPACE pg_default;
INSERT INTO t VALUES (5, 'moved');
SAVEPOINT s;
ALTER TABLE t SET TABLESPACE waybill_regress_one;
DELETE FROM t WHERE id = 4;
ROLLBACK TO s;
DELETE FROM t WHERE id = 2;
COMMIT;
ALTER TABLE p_low SET TABLESPACE waybill_regress_two;
UPDATE p SET id = id + 10;
ALTER TABLE ALL IN TABLESPACE waybill_regress_two SET TABLESPACE waybill_regress_one;
DELETE FROM p WHERE id = 22;
INSERT INTO p VALUES (1, 1);
TRUNCATE p_low;
-- The log keeps to its own place, whatever is the default.
SET default_tablespace = waybill_regress_one; SET temp_tablespaces = waybill_regress_two; SET waybill.buffer_size = '64kB';
INSERT INTO p SELECT g, g FROM generate_series(100, 5000) g;
RESET default_tablespace; RESET temp_tablespaces; RESET waybill.buffer_size;
SELECT c.relname, s.spcname FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
WHERE c.relnamespace = 'tablespaces'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'replay_from' ORDER BY 1;
SELECT count(*) FROM pg_class WHERE relnamespace = 'waybill_internal'::regnamespace AND reltablespace <> 0;
SELECT replay('t'), replay('p');
SET waybill.ddl_warnings = off;
DROP SCHEMA tablespaces CASCADE;
DROP TABLESPACE waybill_regress_one;
DROP TABLESPACE waybill_regress_two;
