-- The tables of a stream: both their names and they themselves count, whatever they are called later.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA stream_names;
CREATE SCHEMA elsewhere;
SET search_path = stream_names;
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY);
CREATE TABLE "c.d" (id int PRIMARY KEY);
CREATE TABLE other (id int PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM a;

-- What names no table is refused.
SELECT waybill.create_stream('s', '{stream_names.a,stream_names.nothing}');
SELECT waybill.create_stream('s', '{a}');
SELECT waybill.create_stream('s', '{stream_names.v}');
SELECT waybill.create_stream('s', '{stream_names.a,NULL}');
SELECT waybill.create_stream('s', '{}');
SELECT waybill.create_stream('s', '{stream_names.a,stream_names.b,stream_names.a}');
SELECT waybill.create_stream('', NULL);
SELECT waybill.create_stream('s', '{stream_names.a,stream_names.c.d}') > 1 AS created;

-- Changes of all times, as the shipper sees them.
CREATE VIEW shipped AS
    SELECT h.schema, h."table", waybill.is_in_stream('s', h.relation, h.schema, h."table") AS shipped
    FROM waybill.shape h WHERE h.schema IN ('stream_names', 'elsewhere', 'renamed')
    GROUP BY 1, 2, 3 ORDER BY min(h.id);
CREATE FUNCTION insert_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    captured regclass;
BEGIN
    FOR captured IN SELECT c.oid FROM waybill.captured_tables t JOIN pg_class c ON c.oid = t."table"
                    WHERE c.relnamespace::regnamespace::text IN ('stream_names', 'elsewhere', 'renamed') LOOP
        EXECUTE format('INSERT INTO %s SELECT coalesce(max(id), 0) + 1 FROM %s', captured, captured);
    END LOOP;
END $$;
SELECT waybill.enable_capture('a'), waybill.enable_capture('b'), waybill.enable_capture('"c.d"'), waybill.enable_capture('other');
SELECT insert_all();
ALTER TABLE a RENAME TO a2;
SELECT insert_all();
ALTER INDEX a2 RENAME TO a3; -- PostgreSQL takes it for tables, too
SELECT insert_all();
ALTER TABLE a3 SET SCHEMA elsewhere;
SELECT insert_all();
ALTER SCHEMA elsewhere RENAME TO renamed;
SELECT insert_all();
SELECT t.schema, t."table" FROM waybill.stream_table t ORDER BY t."table";

-- A table that takes the name of one is in the stream, and stays there when it is renamed.
ALTER SCHEMA renamed RENAME TO elsewhere;
CREATE TABLE a (id int PRIMARY KEY);
SELECT waybill.enable_capture('a');
SELECT insert_all();
ALTER TABLE a RENAME TO a4;
SELECT insert_all();
BEGIN;
ALTER TABLE "c.d" RENAME TO old;
ALTER TABLE b RENAME TO "c.d";
COMMIT;
SELECT insert_all();
DROP TABLE old;
ALTER TABLE "c.d" RENAME TO b2;
SELECT insert_all();
SELECT * FROM shipped;
SELECT t.schema, t."table" FROM waybill.stream_table t ORDER BY t."table";
SELECT tables FROM waybill.stream WHERE name = 's';

SELECT waybill.drop_stream('s');
SELECT count(*) FROM waybill.stream_table;
DROP SCHEMA stream_names, elsewhere CASCADE;
