-- The log has the same bytes whatever the writer's settings.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA settings;
SET search_path = settings;
CREATE TYPE pair AS (at timestamptz, cash money, size float8, bits bytea, name regtype);
CREATE TABLE t (id int PRIMARY KEY, c_pair pair, c_pairs pair[], c_range tstzrange, c_class regclass, c_interval interval,
                c_money money, c_float float8, c_numeric numeric, c_bytea bytea, c_xml xml, c_address inet,
                c_text text DEFAULT E'back\\slash ''quote''', c_date date DEFAULT '2024-05-01', c_time timestamptz DEFAULT '2024-05-01 10:00+02');
SELECT waybill.enable_capture('t');
CREATE PROCEDURE write() LANGUAGE sql AS $$
    DELETE FROM settings.t;
    INSERT INTO settings.t VALUES (1, ('2024-05-01 10:00+02', '12.34', 0.1::float8 + 0.2, decode('00ff', 'hex'), 'settings.t'),
        ARRAY[('2024-05-01 10:00+02', '-1', 1e300, '', 'pg_catalog.inet')::settings.pair], '[2024-05-01 10:00+02,)', 'pg_catalog.pg_class',
        '1 year -3 days 04:05:06.7', '12.34', 0.1::float8 + 0.2, '1.10', decode('00ff', 'hex'), '<a/>', '10.0.0.1/8');
    UPDATE settings.t SET c_range = '[2024-05-02 10:00+02,)';
$$;
CALL write();
CALL write();

-- Each in a session of its own: what a session knows of a table is worked out under its settings, too.
\c -
SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -15;
SET bytea_output = 'escape'; SET lc_monetary = 'POSIX'; SET lc_numeric = 'POSIX'; SET xmlbinary = 'hex'; SET quote_all_identifiers = on;
CALL settings.write();
\c -
SET escape_string_warning = off;
SET standard_conforming_strings = off; SET client_encoding = 'LATIN1'; SET row_security = off; SET xmloption = 'document';
SET default_transaction_isolation = 'serializable'; SET synchronous_commit = off; SET array_nulls = off;
CALL settings.write();
-- Also those that are made under it.
SELECT waybill.enable_capture('settings.t', key => '{id}');
SELECT key FROM waybill.captured_tables WHERE "table" = 'settings.t'::regclass;
CALL settings.write();
SELECT waybill.disable_capture('settings.t');
SELECT waybill.enable_capture('settings.t');
\c -
-- What a session has in pg_temp comes before pg_catalog where search_path does not say otherwise.
SET search_path = settings;
CREATE TYPE pg_temp.inet AS ENUM ('wrong');
CREATE TEMPORARY TABLE pg_class (oid int);
CALL write();
\c -
SET default_transaction_read_only = on;
BEGIN READ WRITE;
CALL settings.write();
SET TRANSACTION READ ONLY;
COMMIT;
RESET default_transaction_read_only;
-- A statement's, a function's and a savepoint's settings.
ALTER PROCEDURE settings.write SET timezone = 'Asia/Tokyo';
ALTER PROCEDURE settings.write SET datestyle = 'SQL, DMY';
CALL settings.write();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SAVEPOINT a;
SET LOCAL datestyle = 'Postgres';
CALL settings.write();
RELEASE a;
COMMIT;
SELECT current_setting('datestyle') AS untouched;

-- All but the first, which found nothing to delete.
SELECT count(*) AS transactions, count(DISTINCT payload) AS different
FROM waybill_internal.change_log WHERE csn > (SELECT min(csn) FROM waybill.changes WHERE "table" = 'settings.t');
SELECT count(DISTINCT definition::text) AS shapes FROM waybill_internal.shape WHERE definition ->> 'schema' = 'settings';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
SELECT e.* FROM (SELECT after FROM waybill.changes WHERE "table" = 'settings.t' ORDER BY csn DESC, index DESC LIMIT 1) c,
    jsonb_each_text(after) e;

-- Values on which nothing but settings has an effect, so that only these are looked at; also those that a type gets later.
CREATE TYPE settings.span AS (at timestamptz, during interval, size float8, bits bytea, day date);
CREATE TABLE settings.plain (id int PRIMARY KEY, c_span settings.span, c_point point, c_days daterange, c_times tstzrange[], c_ints int4range);
SELECT waybill.enable_capture('settings.plain');
CREATE PROCEDURE settings.write_plain() LANGUAGE sql AS $$
    DELETE FROM settings.plain;
    INSERT INTO settings.plain VALUES (1, ROW('2024-05-01 10:00+02'::timestamptz, '-3 days 04:05:06.7'::interval, 0.1::float8 + 0.2,
        decode('00ff', 'hex'), '2024-05-01'::date), point(0.1::float8 + 0.2, 1), '[2024-05-01,2024-05-02)',
        ARRAY[tstzrange('2024-05-01 10:00+02', NULL)], '[1,2)');
$$;
CALL settings.write_plain();
SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -15;
SET bytea_output = 'escape';
CALL settings.write_plain();
SET datestyle = 'ISO, DMY'; SET extra_float_digits = 3;
CALL settings.write_plain();
ALTER TYPE settings.span DROP ATTRIBUTE at, DROP ATTRIBUTE size, DROP ATTRIBUTE bits, DROP ATTRIBUTE day;
ALTER TABLE settings.plain DROP c_times;
UPDATE settings.plain SET id = 2;
ALTER TYPE settings.span ADD ATTRIBUTE at timestamptz;
UPDATE settings.plain SET c_span.at = '2024-05-01 10:00+02';
RESET datestyle; RESET extra_float_digits; RESET bytea_output; SET timezone = 'UTC'; SET intervalstyle = 'postgres';
SELECT after, count(*) FROM waybill.changes WHERE "table" = 'settings.plain' AND after IS NOT NULL GROUP BY after ORDER BY min(csn);

SET client_min_messages = warning;
DROP SCHEMA settings CASCADE;
