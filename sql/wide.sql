-- As many columns as PostgreSQL can have: 1,600.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA wide;
SET search_path = wide;
\i sql/include/replay.sql
DO $$
DECLARE
    columns CONSTANT text := (SELECT string_agg('c' || g || ' %1$s', ', ' ORDER BY g) FROM generate_series(1, 1599) g);
    backwards CONSTANT text := (SELECT string_agg('c' || g || ' %1$s', ', ' ORDER BY g DESC) FROM generate_series(1, 1599) g);
BEGIN
    EXECUTE format('CREATE TABLE t (id int PRIMARY KEY, ' || columns || ')', 'int');
    EXECUTE format('CREATE TABLE p (id int PRIMARY KEY, ' || columns || ') PARTITION BY RANGE (id)', 'text');
    EXECUTE format('CREATE TABLE p_high (' || backwards || ', id int NOT NULL)', 'text');
END $$;
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (10);
ALTER TABLE p ATTACH PARTITION p_high DEFAULT;
SELECT waybill.enable_capture('t', condition => 'c1599 IS DISTINCT FROM 7'), waybill.enable_capture('p');
INSERT INTO t SELECT g, g, g FROM generate_series(1, 3) g;
DO $$ BEGIN
    EXECUTE (SELECT format('INSERT INTO t VALUES (4, %s)', string_agg(g::text, ', ' ORDER BY g)) FROM generate_series(1, 1599) g);
END $$;
UPDATE t SET c1599 = 5, c800 = NULL;
UPDATE t SET c1599 = 7 WHERE id = 1;
UPDATE t SET id = id + 10 WHERE id > 2;
INSERT INTO p (id, c1, c1599) VALUES (1, 'one', 'last'), (11, 'eleven', NULL);
UPDATE p SET id = id + 20, c800 = 'middle';
\set VERBOSITY terse
ALTER TABLE t ADD COLUMN too_many int;
\set VERBOSITY default
ALTER TABLE t DROP COLUMN c1;
UPDATE t SET c2 = 9;
DELETE FROM t WHERE id = 2;
SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, before->'id' AS old_id, after->'id' AS new_id,
       (SELECT count(*) FROM jsonb_object_keys(coalesce(after, before))) AS columns,
       (SELECT sum(value::int) FROM jsonb_each(coalesce(after, before)) WHERE jsonb_typeof(value) = 'number') AS sum
FROM waybill.changes WHERE "table" LIKE 'wide.%';
SELECT replay('p');
-- Defaults are printed once for each session and definition, which is not to cost more than they are worth: with the names
-- of all columns beside each it took a thousand times as long as without defaults.
DO $$ BEGIN
    EXECUTE (SELECT format('CREATE TABLE defaults (id int PRIMARY KEY, %s)', string_agg(format('c%s int DEFAULT %1$s', g), ', '))
             FROM generate_series(1, 1599) g);
    EXECUTE (SELECT format('CREATE TABLE plain (id int PRIMARY KEY, %s)', string_agg(format('c%s int', g), ', '))
             FROM generate_series(1, 1599) g);
END $$;
SELECT waybill.enable_capture('defaults'), waybill.enable_capture('plain');
SELECT clock_timestamp() AS begin \gset
INSERT INTO plain (id, c1599) VALUES (1, 1);
SELECT clock_timestamp() AS between \gset
INSERT INTO defaults (id) VALUES (1);
SELECT clock_timestamp() - :'between' < 100 * (:'between'::timestamptz - :'begin') AS is_quick;
SELECT op, after->'c1599' AS c1599 FROM waybill.changes WHERE "table" = 'wide.defaults';
SET waybill.ddl_warnings = off;
DROP SCHEMA wide CASCADE;
