-- Where capture ends: the size of a change is bounded, the number of columns and the size of values are not.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA limits;
SET search_path = limits;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'limits.%';

-- A row of 40 values of 26 MB, which take little on disk. It is refused before they are read.
CREATE TABLE value AS SELECT repeat(repeat('x', 1000), 26000) AS v;
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE large (id int PRIMARY KEY, ' || string_agg(format('v%s text', i), ', ') || ')'
             FROM generate_series(1, 40) i);
END $$;
SELECT waybill.enable_capture('large');
SELECT 'INSERT INTO large SELECT 1, ' || string_agg('v', ', ') || ' FROM value' AS insert FROM generate_series(1, 40) i \gset
:insert;
SELECT count(*) FROM large;
-- The server is well afterwards, and what fits is captured.
INSERT INTO large VALUES (2, repeat('y', 2000000), repeat('z', 2000000));
SELECT op, length(after ->> 'v1') + length(after ->> 'v2') AS length FROM log;

-- An UPDATE writes large values once that it leaves alone, whether they are stored outside of the row or inside, compressed.
CREATE TABLE toasted (id int PRIMARY KEY, n int, big text, kept bytea, compressed text);
ALTER TABLE toasted ALTER COLUMN big SET STORAGE EXTERNAL, ALTER COLUMN kept SET STORAGE EXTERNAL;
SELECT waybill.enable_capture('toasted');
INSERT INTO toasted SELECT 1, 0, repeat('b', 100000), decode(repeat('ab', 100000), 'hex'), repeat('c', 100000);
UPDATE toasted SET n = 1;
UPDATE toasted SET n = 2, big = repeat('B', 100000);
UPDATE toasted SET kept = kept; -- the same value
DELETE FROM toasted;
SELECT op, before ->> 'n' AS old, after ->> 'n' AS new,
       before ->> 'big' = repeat('b', 100000) AS old_big, length(before ->> 'kept') AS kept, length(before ->> 'compressed') AS compressed
FROM log WHERE "table" = 'toasted';
SELECT c.tx, c.op, round(sum(length(payload)) / 100000.0, 1) AS hundred_thousands FROM waybill_internal.change_log l
JOIN (SELECT csn, dense_rank() OVER (ORDER BY csn) AS tx, op FROM waybill.changes WHERE "table" = 'limits.toasted') c USING (csn)
GROUP BY c.tx, c.op ORDER BY c.tx;

-- As many columns as a table can have.
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg(format('c%s int', i), ', ') || ', PRIMARY KEY (c1600))'
             FROM generate_series(1, 1600) i);
END $$;
SELECT waybill.enable_capture('wide');
INSERT INTO wide (c1, c1599, c1600) VALUES (1, 1599, 1600);
UPDATE wide SET c800 = 800;
ALTER TABLE wide DROP COLUMN c3;
DELETE FROM wide;
SELECT op, key, (SELECT count(*) FROM jsonb_object_keys(coalesce(after, before))) AS columns, before -> 'c800' AS old,
       jsonb_strip_nulls(coalesce(after, before)) AS row FROM log WHERE "table" = 'wide';

DROP SCHEMA limits CASCADE;
