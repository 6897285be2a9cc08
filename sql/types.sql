-- Values of every kind come back as they were.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA types;
SET search_path = types;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'types.%';

CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TABLE t (
    id int PRIMARY KEY, c_bool bool, c_int2 int2, c_int8 int8, c_float4 float4, c_float8 float8, c_numeric numeric,
    c_text text, c_varchar varchar(10), c_char char(5), c_qchar "char", c_name name, c_bytea bytea, c_date date,
    c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval, c_uuid uuid,
    c_json json, c_jsonb jsonb, c_xml text, c_oid oid, c_money money, c_bit bit(3), c_varbit varbit, c_inet inet,
    c_macaddr macaddr, c_point point, c_range int4range, c_tsrange tstzrange, c_domain positive,
    c_pair pair, c_color color, c_ints int[], c_texts text[], c_colors color[], c_numerics numeric[], c_empty int[],
    c_matrix int[], c_bounds int[], c_times timestamptz[], c_pairs pair[], c_class regclass, c_tsvector tsvector);
SELECT waybill.enable_capture('t');
INSERT INTO t VALUES (1, true, -2, 9007199254740993, 1.5, 'NaN', 12345.678900,
    'Ünï "quoted" \ ' || chr(10), 'ten', 'ab', 'q', 'name', '\x00ff', '2024-05-01',
    '04:05:06.789', '04:05:06+02', '2024-05-01 10:00:00.123456', '2024-05-01 10:00:00+02', '1 year 2 mons 3 days 04:05:06.78',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" :  1}', '{"a" :  1}', '<a/>', 4000000000, 12.34, B'101', B'1',
    '192.168.2.0/12', '08:00:2b:01:02:03', '(1,2)', '[1,6)', '[2024-01-01 00:00+02,)', 5,
    '(1,"x y")', 'green', '{1,2,NULL}', '{a,"b c",NULL}', '{red,green}', '{1.10,NaN}', '{}', '{{1,2},{3,4}}', '[2:3]={1,2}',
    '{2024-05-01 10:00:00+02}', '{"(1,x)"}', 'pg_class', 'a:1 b');
INSERT INTO t (id) VALUES (2);
INSERT INTO t (id, c_date, c_timestamp, c_timestamptz, c_float8, c_numeric, c_time, c_int8) VALUES
    (3, 'infinity', '-infinity', '294276-12-31 23:59:59.999999+00', '-0', '1e-20', '24:00', -9223372036854775808),
    (4, '4713-01-01 BC', '4713-01-01 BC', 'infinity', '-Infinity', repeat('9', 200)::numeric, '0:00', 9223372036854775807);

-- Whatever the session's settings, the log holds the same.
SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -15; SET bytea_output = 'escape';
SET intervalstyle = 'iso_8601';
UPDATE t SET c_name = 'again' WHERE id = 1;
RESET datestyle; SET timezone = 'UTC'; RESET extra_float_digits; RESET bytea_output; RESET intervalstyle;
SELECT key, column_name, value FROM log, jsonb_each_text(after) e(column_name, value)
WHERE tx = 1 AND value IS NOT NULL ORDER BY array_position(
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum), column_name);
SELECT after - 'c_name' = before - 'c_name' AS same_under_other_settings FROM log WHERE op = 'update';
SELECT jsonb_strip_nulls(after) FROM log WHERE tx IN (2, 3) ORDER BY tx, index;
SELECT l.after -> 'c_text' = to_jsonb(t) -> 'c_text' AS text, l.after -> 'c_jsonb' = to_jsonb(t) -> 'c_jsonb' AS jsonb,
       (l.after ->> 'c_numeric')::numeric = t.c_numeric AS numeric
FROM log l JOIN t ON t.id = (l.key ->> 'id')::int WHERE l.tx = 1;

-- What json holds and jsonb cannot is shown as a string.
CREATE TABLE odd (id int PRIMARY KEY, c_json json, c_jsons json[]);
SELECT waybill.enable_capture('odd');
INSERT INTO odd VALUES (1, '{"a": "\u0000"}', '{"[1]"}'), (2, '{"a": 1}', NULL);
SELECT after FROM log WHERE "table" = 'odd';

-- TOASTed values: whole in both images, written once when an update leaves them alone.
CREATE TABLE wide (id int PRIMARY KEY, n int, big text, compressed text);
ALTER TABLE wide ALTER COLUMN big SET STORAGE EXTERNAL;
SELECT waybill.enable_capture('wide');
INSERT INTO wide SELECT 1, 0, string_agg(md5(g::text), ''), repeat('c', 100000) FROM generate_series(1, 3000) g;
UPDATE wide SET n = 1;
UPDATE wide SET big = 'small';
DELETE FROM wide;
SELECT index, op, length(before ->> 'big'), length(before ->> 'compressed'), length(after ->> 'big'), length(after ->> 'compressed'),
       md5(coalesce(after, before) ->> 'compressed') = md5(repeat('c', 100000)) AS intact
FROM log WHERE "table" = 'wide';
SELECT sum(length(payload)) BETWEEN 190000 AND 200000 AS written_once FROM waybill_internal.change_log
WHERE csn = (SELECT csn FROM waybill.changes WHERE "table" = 'types.wide' AND op = 'update' ORDER BY csn LIMIT 1);

DROP SCHEMA types CASCADE;
