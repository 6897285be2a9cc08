-- Types that change: a value is read with the type that it had when it was written, also when that is gone.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA altered_types;
SET search_path = altered_types;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'altered\_types.%';
CREATE VIEW shapes AS
    SELECT definition ->> 'table' AS "table", c ->> 'name' AS name, c ->> 'type_name' AS type, c ->> 'kind' AS kind, c -> 'labels' AS labels
    FROM waybill_internal.shape, json_array_elements(definition -> 'columns') c WHERE definition ->> 'schema' = 'altered_types' ORDER BY id;

-- An enum with a new label, a renamed one, and that is itself renamed; in one transaction with changes, and alone.
CREATE TYPE state AS ENUM ('new', 'done');
CREATE TABLE job (id int PRIMARY KEY, s state, history state[]);
SELECT waybill.enable_capture('job');
INSERT INTO job VALUES (1, 'new', '{new}');
ALTER TYPE state ADD VALUE 'running' BEFORE 'done';
UPDATE job SET s = 'running', history = history || 'running'::state;
BEGIN;
UPDATE job SET s = 'done';
ALTER TYPE state RENAME VALUE 'done' TO 'finished';
UPDATE job SET history = history || s;
COMMIT;
ALTER TYPE state RENAME TO status;
UPDATE job SET s = NULL;
SELECT tx, op, before -> 's' AS old, after -> 's' AS new, after -> 'history' AS history FROM log;
SELECT type, labels FROM shapes WHERE name = 's';

-- A composite type that gets, loses and renames fields; an array of it.
CREATE TYPE address AS (street text, zip int);
CREATE TABLE person (id int PRIMARY KEY, home address, all_of_them address[]);
SELECT waybill.enable_capture('person');
INSERT INTO person VALUES (1, ('High Street', 1234), ARRAY[('a, b', 1)::address]);
ALTER TYPE address ADD ATTRIBUTE city text;
UPDATE person SET home.city = 'Paris';
ALTER TYPE address DROP ATTRIBUTE zip;
ALTER TYPE address RENAME ATTRIBUTE street TO line;
UPDATE person SET home.line = 'Low "Street"';
DELETE FROM person;
SELECT op, before ->> 'home' AS old, after ->> 'home' AS new, coalesce(after, before) ->> 'all_of_them' AS all_of_them FROM log
WHERE "table" = 'person';

-- Domains: over a number, over another domain, as array elements, over an array; with what they allowed then.
CREATE DOMAIN percent AS int;
CREATE DOMAIN share AS percent DEFAULT 5;
CREATE DOMAIN trail AS text[];
CREATE DOMAIN label AS text;
CREATE TABLE d (id int PRIMARY KEY, p percent, s share, ps percent[], trail trail, labels label[], trails trail[]);
SELECT waybill.enable_capture('d');
INSERT INTO d (id, p, ps, trail, labels, trails) VALUES (1, 500, '{1,500,NULL}', '{a,"b c"}', '{{x,y},{z,NULL}}', ARRAY['{u,v}'::trail]);
UPDATE d SET p = 50, ps = '[0:1]={3,4}';
ALTER DOMAIN percent ADD CHECK (VALUE BETWEEN 0 AND 100) NOT VALID;
SELECT op, before, after FROM log WHERE "table" = 'd';
DROP TABLE d;
DROP DOMAIN share, percent, trail, label;
SELECT op, before, after FROM log WHERE "table" = 'd';
SELECT name, type, kind FROM shapes WHERE "table" = 'd';

-- All of it gone.
DROP TABLE job, person;
DROP TYPE status, address;
SELECT "table", op, after - 'id' AS after FROM log WHERE op = 'insert';

-- A column that becomes another type, by a rewrite and without one, and changes right before and behind it.
CREATE TABLE c (id int PRIMARY KEY, n int, v varchar(5), t timestamp);
SELECT waybill.enable_capture('c');
BEGIN;
INSERT INTO c VALUES (1, 7, 'five', '2024-05-01 10:00');
ALTER TABLE c ALTER n TYPE text USING 'number ' || n, ALTER v TYPE varchar(50), ALTER t TYPE timestamptz;
UPDATE c SET v = 'longer than five';
COMMIT;
ALTER TABLE c ALTER n TYPE bytea USING decode(md5(n), 'hex');
ALTER TABLE c DROP COLUMN t, ADD COLUMN t jsonb DEFAULT '{}', ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED;
UPDATE c SET id = 2;
SELECT tx, index, op, key, before, after FROM log WHERE "table" = 'c';
SELECT count(*) FROM waybill.captured_tables WHERE "table" = 'c'::regclass AND problem IS NULL;

DROP SCHEMA altered_types CASCADE;
