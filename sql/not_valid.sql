-- From PostgreSQL 18 on. NOT NULL constraints that are not validated: the column may be null.
CREATE SCHEMA not_valid;
SET search_path = not_valid;
CREATE TABLE t (id int PRIMARY KEY, a int, b int NOT NULL);
CREATE FUNCTION never_null() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c ->> 'name', ',') FROM jsonb_array_elements((
        SELECT definition::jsonb FROM waybill_internal.shape WHERE schema = 'not_valid' ORDER BY id DESC LIMIT 1) -> 'columns') c
    WHERE (c ->> 'not_null')::boolean $$;
INSERT INTO t VALUES (1, NULL, 1);
SELECT waybill.enable_capture('t');
ALTER TABLE t ADD CONSTRAINT a_not_null NOT NULL a NOT VALID;
INSERT INTO t VALUES (2, 2, 2);
SELECT never_null();
DELETE FROM t WHERE id = 1;
SELECT never_null();
ALTER TABLE t VALIDATE CONSTRAINT a_not_null;
UPDATE t SET b = 3;
SELECT never_null();
ALTER TABLE t DROP CONSTRAINT a_not_null, ADD c int;
UPDATE t SET b = 4;
SELECT never_null();
SELECT before, after FROM waybill.changes WHERE "table" = 'not_valid.t' ORDER BY csn;

-- One that goes by its name takes along a key that its column was in.
CREATE TABLE k (a int CONSTRAINT a_set NOT NULL UNIQUE);
SELECT waybill.enable_capture('k');
ALTER TABLE k DROP CONSTRAINT a_set;
ALTER TABLE k ALTER a SET NOT NULL;
ALTER TABLE k ALTER a DROP NOT NULL;

SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
DROP SCHEMA not_valid CASCADE;
