-- A backend forgets definitions that are stored, and finds them again; when the numbers are used up that is an error.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA shape_numbers;
SET search_path = shape_numbers;
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE other (id int PRIMARY KEY);
SELECT waybill.enable_capture('t'), waybill.enable_capture('other');
CREATE VIEW numbers AS SELECT count(*), count(DISTINCT definition::text) AS different FROM waybill.shape WHERE schema = 'shape_numbers';
CREATE FUNCTION known_bytes() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    bytes bigint := 0;
BEGIN
    IF current_setting('server_version_num')::int >= 140000 THEN
        EXECUTE $q$ SELECT used_bytes FROM pg_backend_memory_contexts WHERE name = 'waybill shapes' $q$ INTO bytes;
    END IF;
    RETURN bytes;
END $$;
CREATE PROCEDURE redefine(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN first..last LOOP
        EXECUTE format('ALTER TABLE shape_numbers.t ALTER COLUMN id SET DEFAULT %s', i);
        INSERT INTO shape_numbers.t VALUES (i) ON CONFLICT (id) DO UPDATE SET id = excluded.id;
    END LOOP;
END $$;
-- Many in one transaction are all kept until they are stored.
INSERT INTO other VALUES (0);
CALL redefine(1, 1200);
SELECT * FROM numbers;
-- Stored, they are forgotten when there are many.
CALL redefine(1201, 1201);
SELECT known_bytes() < 100000 AS forgotten;
-- The same definitions keep their numbers.
CALL redefine(1, 10);
INSERT INTO other VALUES (1);
SELECT * FROM numbers;
SELECT count(*) AS readable FROM waybill.changes WHERE "table" LIKE 'shape\_numbers.%';

-- PREPARE does not make a definition be stored again and again.
ALTER TABLE other ADD COLUMN prepared text;
BEGIN;
INSERT INTO other VALUES (3);
PREPARE TRANSACTION 'shape_1';
COMMIT PREPARED 'shape_1';
BEGIN;
INSERT INTO other VALUES (4);
PREPARE TRANSACTION 'shape_2';
COMMIT PREPARED 'shape_2';
SELECT * FROM numbers;

SELECT last_value AS last FROM waybill_internal.shape_id_seq \gset
SELECT setval('waybill_internal.shape_id_seq', 2147483647) > 0 AS used_up;
ALTER TABLE t ADD COLUMN v text;
INSERT INTO t VALUES (2000);
INSERT INTO other VALUES (2);
SELECT setval('waybill_internal.shape_id_seq', :last + 1000) > 0 AS goes_on;
INSERT INTO t VALUES (2000);
DROP SCHEMA shape_numbers CASCADE;
