-- Every function of the extension means pg_catalog's objects, whatever the caller's search_path puts before them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA hostile;
-- The functions and operators that our SQL uses, with the same arguments.
DO $$
DECLARE
    body CONSTANT text := $f$LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $m$the wrong one was called$m$; END'$f$;
    o record;
BEGIN
    FOR o IN SELECT oid, proname, pg_get_function_identity_arguments(oid) AS arguments FROM pg_proc
             WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0 AND NOT proretset
               AND 'internal'::regtype <> ALL (proargtypes::oid[])
               AND proname IN ('setval', 'nextval', 'current_setting', 'pg_size_bytes', 'pg_relation_size', 'encode', 'decode',
                               'convert_from', 'getdatabaseencoding', 'quote_literal', 'clock_timestamp', 'extract', 'format',
                               'pg_sleep', 'pg_has_role', 'pg_partition_root', 'pg_try_advisory_xact_lock', 'to_timestamp',
                               'octet_length', 'current_database', 'pg_total_relation_size')
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s %s', o.proname, o.arguments, pg_get_function_result(o.oid), body);
    END LOOP;
    FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r FROM pg_operator
             WHERE oprkind = 'b' AND oprname IN ('=', '<>', '>', '>=', '<', '<=', '%', '->', '->>', '||', '*', '/', '+', '-', '~~')
               AND oprleft = ANY ('{bigint,integer,text,name,oid,json,"char",boolean,timestamptz}'::regtype[])
               AND oprright = ANY ('{bigint,integer,text,name,oid,json,"char",boolean,interval,timestamptz}'::regtype[])
    LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION hostile.wrong(%s, %s) RETURNS boolean %s', o.l, o.r, body);
        EXECUTE format('CREATE OPERATOR hostile.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = hostile.wrong)', o.oprname, o.l, o.r);
    END LOOP;
END $$;
CREATE TYPE hostile.regclass AS ENUM ('wrong');
CREATE DOMAIN hostile.text AS int;
CREATE DOMAIN hostile.int4 AS pg_catalog.text;
CREATE TABLE hostile.pg_class (wrong int);
CREATE TABLE hostile.pg_trigger (wrong int);
CREATE TABLE hostile.pg_attribute (wrong int);
-- A type with a cast of its own to what the log is shown in, and an equality that finds everything equal.
CREATE TYPE hostile.pair AS (a pg_catalog.int4, b pg_catalog.text);
CREATE FUNCTION hostile.to_json(hostile.pair) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the wrong cast'; END $$;
CREATE CAST (hostile.pair AS json) WITH FUNCTION hostile.to_json(hostile.pair) AS IMPLICIT;
CREATE FUNCTION hostile.equal(hostile.pair, hostile.pair) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = hostile.pair, RIGHTARG = hostile.pair, FUNCTION = hostile.equal);
CREATE TABLE hostile.t (id pg_catalog.int4 PRIMARY KEY, v pg_catalog.text, p hostile.pair, ps hostile.pair[]);
CREATE ROLE regress_waybill_hostile;

SET search_path = hostile, pg_catalog;
SELECT 1 + 1;
SELECT format('');
SELECT waybill.enable_capture('hostile.t', key => '{v,id}');
SELECT key, problem FROM waybill.captured_tables WHERE "table" OPERATOR(pg_catalog.=) 'hostile.t'::pg_catalog.regclass;
INSERT INTO t VALUES (1, 'one', ROW(1, 'x'), ARRAY[ROW(1, 'x')::pair]), (2, 'two', NULL, NULL);
UPDATE t SET p = ROW(2, 'y');
TRUNCATE t;
SELECT op, key, before, after FROM waybill.changes ORDER BY csn DESC, index DESC LIMIT 1;
SELECT waybill.create_stream('hostile', '{hostile.t}') IS NOT NULL AS created;
SELECT waybill.acknowledge('hostile', waybill.acknowledged('default'));
SELECT waybill.safe_csn(0, 0) IS NOT NULL AS safe, waybill.maintain(true) IS NOT NULL AS maintained;
SELECT backlog_changes IS NOT NULL AS backlog FROM waybill.status;
SELECT csn IS NOT NULL AS fetched FROM waybill.fetch(0, 0, 9223372036854775807) LIMIT 1;
SELECT waybill.grant_shipper('regress_waybill_hostile'), waybill.grant_capture('regress_waybill_hostile');
SELECT waybill.drop_stream('hostile');
SELECT waybill.disable_capture('hostile.t');
RESET search_path;
SELECT tx, index, op, key, before, after
FROM (SELECT dense_rank() OVER (ORDER BY csn) AS tx, c.* FROM waybill.changes c WHERE "table" = 'hostile.t') c;

DROP OWNED BY regress_waybill_hostile;
DROP ROLE regress_waybill_hostile;
DROP SCHEMA hostile CASCADE;
