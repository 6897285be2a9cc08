-- Any name that PostgreSQL takes: of schemas, tables, columns, keys, streams' tables, types.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
CREATE SCHEMA "Na""mes. and 'more'";
SET search_path = "Na""mes. and 'more'";
CREATE TYPE "Mood ""x""" AS ENUM ('a"b', 'c''d', 'e\f', 'ünï', '');
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['Upper', 'with space', 'quo"te', 'apo''strophe', 'back\slash', '\000', 'dot.ted', 'ta' || chr(9) || 'b',
                                'new' || chr(10) || 'line', 'ünï ☃ 日本', 'select', 'pg_class', 'change_log', '%s%I', '$1', '!waybill_capture',
                                repeat('n', 63), repeat('é', 31), '{a,b}', ' ', '--', '*']
    LOOP
        EXECUTE format('CREATE TABLE %1$I (%1$I int, "other %%" "Mood ""x""" DEFAULT ''e\f'', PRIMARY KEY (%1$I))', name);
        PERFORM waybill.enable_capture(format('%I.%I', current_schema, name)::regclass);
        PERFORM waybill.enable_capture(format('%I.%I', current_schema, name)::regclass, key => ARRAY['other %', name]);
        EXECUTE format('INSERT INTO %2$I.%1$I VALUES (1, ''ünï'')', name, current_schema);
        EXECUTE format('UPDATE %2$I.%1$I SET %1$I = 2', name, current_schema);
    END LOOP;
END $$;
SELECT "table", key FROM waybill.changes WHERE csn = (SELECT max(csn) FROM waybill.changes) AND op = 'update' ORDER BY index;
CREATE VIEW captured AS
    SELECT c."table", c.key, c.problem FROM waybill.captured_tables c JOIN pg_class r ON r.oid = c."table"
    WHERE r.relnamespace = quote_ident(current_schema)::regnamespace;
SELECT * FROM captured ORDER BY "table"::text COLLATE "C";

-- A stream's tables are schema.table, as they are.
SELECT waybill.create_stream('It''s a "stream" %s', (SELECT array_agg((definition ->> 'schema') || '.' || (definition ->> 'table'))
                                                     FROM waybill_internal.shape WHERE definition ->> 'schema' LIKE 'Na"mes%')) > 0 AS created;
SELECT cardinality(tables) FROM waybill.stream WHERE name LIKE 'It%';
SELECT backlog_changes FROM waybill.status WHERE stream LIKE 'It%';
SELECT waybill.drop_stream('It''s a "stream" %s');

-- Roles.
CREATE ROLE "regress waybill ""Weird""";
SELECT waybill.grant_shipper('"regress waybill ""Weird"""'), waybill.grant_capture('"regress waybill ""Weird"""');
SELECT has_function_privilege('regress waybill "Weird"', 'waybill.maintain(boolean)', 'EXECUTE') AS granted;
DROP OWNED BY "regress waybill ""Weird""";
DROP ROLE "regress waybill ""Weird""";

SELECT count(waybill.disable_capture("table")::text) FROM captured;
SELECT count(*) FROM captured;
DROP SCHEMA "Na""mes. and 'more'" CASCADE;
