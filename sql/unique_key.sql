-- The key of tables that have no primary key, but a unique index over NOT NULL columns.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA unique_key;
SET search_path = unique_key;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'unique_key.%';
CREATE VIEW captured AS SELECT "table", key, key_source, problem FROM waybill.captured_tables
    WHERE "table" IN (SELECT oid FROM pg_class WHERE relnamespace = 'unique_key'::regnamespace) ORDER BY "table"::text;

-- Which indexes count, and which of several.
CREATE TABLE one (a int NOT NULL UNIQUE, b int);
CREATE TABLE pair (a int NOT NULL, b int NOT NULL, c int, UNIQUE (b, a) INCLUDE (c));
CREATE TABLE several (a int NOT NULL, b int NOT NULL, c int NOT NULL);
CREATE UNIQUE INDEX z ON several (a);
CREATE UNIQUE INDEX "A" ON several (c); -- before all small letters
CREATE UNIQUE INDEX b ON several (b);
CREATE TABLE two (a int NOT NULL UNIQUE, id int PRIMARY KEY);
CREATE TABLE identity (a int NOT NULL UNIQUE, z int NOT NULL UNIQUE);
ALTER TABLE identity REPLICA IDENTITY USING INDEX identity_z_key;
CREATE TABLE named (a int NOT NULL UNIQUE, b int);
CREATE TABLE nullable (a int UNIQUE);
CREATE TABLE half (a int NOT NULL, b int, UNIQUE (a, b));
CREATE TABLE partial (a int NOT NULL);
CREATE UNIQUE INDEX ON partial (a) WHERE a > 0;
CREATE TABLE expression (a int NOT NULL, b int NOT NULL);
CREATE UNIQUE INDEX ON expression (a, abs(b));
CREATE TABLE "deferrable" (a int NOT NULL UNIQUE DEFERRABLE);
CREATE TABLE exclusion (a int NOT NULL, EXCLUDE USING btree (a WITH =));
CREATE TABLE invalid (a int NOT NULL);
CREATE UNIQUE INDEX invalid_a ON invalid (a);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'invalid_a'::regclass;
CREATE TABLE parts (a int NOT NULL, b int, UNIQUE (a)) PARTITION BY LIST (a);
CREATE TABLE part PARTITION OF parts DEFAULT;
SELECT count(waybill.enable_capture(oid, CASE relname WHEN 'named' THEN '{b}'::name[] END)) FROM pg_class
    WHERE relnamespace = 'unique_key'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition;
SELECT "table", key, key_source, problem IS NULL AS all_is_well FROM captured;

INSERT INTO one VALUES (1, 2);
UPDATE one SET a = 3;
DELETE FROM one;
INSERT INTO pair VALUES (1, 2, 3);
INSERT INTO parts VALUES (1, 2);
SELECT * FROM log;

-- Indexes come and go.
ALTER TABLE one DROP CONSTRAINT one_a_key;
INSERT INTO one VALUES (4, 5);
SELECT * FROM captured WHERE "table" = 'one'::regclass;
CREATE UNIQUE INDEX one_again ON one (a);
INSERT INTO one VALUES (6, 7);
ALTER TABLE one ALTER a DROP NOT NULL;
INSERT INTO one VALUES (8, 9);
ALTER TABLE one ALTER a SET NOT NULL;
INSERT INTO one VALUES (10, 11);
DROP INDEX one_again;
INSERT INTO one VALUES (12, 13);
ALTER TABLE pair DROP COLUMN a;
INSERT INTO several VALUES (1, 2, 3);
DROP INDEX "A"; -- there are others
INSERT INTO several VALUES (4, 5, 6);
SELECT "table", key, after FROM log WHERE "table" IN ('one', 'several') AND op = 'insert' ORDER BY tx;
ALTER INDEX b RENAME TO zz; -- behind z
INSERT INTO several VALUES (7, 8, 9);
CREATE TABLE later (a int NOT NULL) PARTITION BY LIST (a);
CREATE TABLE later_part PARTITION OF later DEFAULT;
CREATE UNIQUE INDEX later_a ON ONLY later (a); -- valid when each partition has it
CREATE UNIQUE INDEX later_part_a ON later_part (a);
SELECT waybill.enable_capture('later');
INSERT INTO later VALUES (1);
ALTER INDEX later_a ATTACH PARTITION later_part_a;
INSERT INTO later VALUES (2);
SELECT "table", key, after FROM log WHERE "table" IN ('several', 'later') ORDER BY tx DESC LIMIT 3;
SET waybill.ddl_warnings = off;
ALTER TABLE two DROP CONSTRAINT two_pkey;
RESET waybill.ddl_warnings;
SELECT * FROM captured WHERE "table" = 'two'::regclass;
ALTER TABLE named DROP CONSTRAINT named_a_key; -- was not its key
CREATE INDEX ON partial (a);
DROP INDEX partial_a_idx1; -- it had no key
ALTER TABLE pair ADD UNIQUE (c), ALTER c SET NOT NULL;
SELECT * FROM captured WHERE "table" = 'pair'::regclass;
DROP TABLE pair;

-- A domain's NOT NULL is its columns'.
CREATE DOMAIN possible AS int;
CREATE DOMAIN certain AS possible NOT NULL;
CREATE TABLE domains (a possible, b certain, c certain[], d int GENERATED ALWAYS AS (1) STORED);
SELECT waybill.enable_capture('domains');
INSERT INTO domains VALUES (NULL, 1, '{1}');
SELECT c ->> 'name' AS name, c ->> 'not_null' AS not_null, c ->> 'generated' AS generated FROM waybill.shape s, json_array_elements(s.definition -> 'columns') c
WHERE s.relation = 'domains'::regclass;
TRUNCATE domains;
ALTER TABLE domains DROP COLUMN c;
ALTER DOMAIN possible SET NOT NULL;
INSERT INTO domains VALUES (1, 1);
SELECT c ->> 'name' AS name, c ->> 'not_null' AS not_null FROM waybill.shape s, json_array_elements(s.definition -> 'columns') c
WHERE s.id = (SELECT max(id) FROM waybill.shape WHERE relation = 'domains'::regclass);
SET client_min_messages = error;
DROP SCHEMA unique_key CASCADE;
