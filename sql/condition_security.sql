-- A condition means what it meant to its author, whoever writes and whatever is in front in his search_path.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA condition_security;
CREATE SCHEMA hostile2;
SET search_path = condition_security;
CREATE VIEW latest AS SELECT op, key FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'condition\_security%');
CREATE TABLE t (id int PRIMARY KEY, v varchar(10), n int);
CREATE FUNCTION hostile2.wrong(varchar, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'the wrong one was called'; END $$;
CREATE OPERATOR hostile2.<> (LEFTARG = varchar, RIGHTARG = text, FUNCTION = hostile2.wrong);
CREATE FUNCTION hostile2.lower(varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'the wrong one was called'; END $$;
CREATE FUNCTION hostile2.helper(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE DOMAIN hostile2.int4 AS int CHECK (VALUE IS NULL);
-- When it is given.
SET search_path = hostile2, condition_security, pg_catalog;
SELECT waybill.enable_capture('t', condition => $$lower(v) <> 'x' AND v <> 'y'::text AND n::int4 > 0$$);
INSERT INTO t VALUES (1, 'X', 1), (2, 'y', 1), (3, 'z', 1);
SELECT * FROM latest;
SET search_path = condition_security;
SELECT condition FROM waybill.captured_tables WHERE "table" = 't'::regclass;
-- A function with names that it does not qualify: looked up in pg_catalog, now and when rows are written.
CREATE FUNCTION helper(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION inlined(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT helper($1)';
CREATE FUNCTION called(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN lower('A'::varchar) = 'a' AND helper($1); END $$;
CREATE FUNCTION right_one(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = condition_security AS $$ BEGIN RETURN helper($1); END $$;
SELECT waybill.enable_capture('t', condition => 'condition_security.inlined(n)');
SELECT waybill.enable_capture('t', condition => 'condition_security.called(n)');
SET search_path = hostile2, condition_security, pg_catalog;
INSERT INTO t VALUES (4, '4', 4);
SET search_path = condition_security;
CREATE FUNCTION lowered(varchar) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
SELECT waybill.enable_capture('t', condition => 'condition_security.right_one(n) AND condition_security.lowered(v) = v');
SET search_path = hostile2, condition_security, pg_catalog;
INSERT INTO t VALUES (5, '5', 5);
SELECT * FROM latest;
-- An operator of another schema than pg_catalog has to be named with it, and is not replaced by one of pg_catalog.
SET search_path = condition_security;
CREATE TYPE code;
CREATE FUNCTION code_in(cstring) RETURNS code LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION code_out(code) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE code (INPUT = code_in, OUTPUT = code_out, LIKE = text);
CREATE CAST (code AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION same(code, code) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1::text) = lower($2::text) $$;
CREATE OPERATOR = (LEFTARG = code, RIGHTARG = code, FUNCTION = same);
ALTER TABLE t ADD c code;
SELECT waybill.enable_capture('t', condition => $$c = 'A'$$);
SELECT waybill.enable_capture('t', condition => $$c OPERATOR(condition_security.=) 'A'$$);
INSERT INTO t VALUES (6, '6', 6, 'a'), (7, '7', 7, 'b');
SELECT * FROM latest;
SELECT waybill.enable_capture('t', condition => $$c::text = 'A'$$);
SELECT condition FROM waybill.captured_tables WHERE "table" = 't'::regclass;

-- It runs with the rights of the writer, as the WHEN of a trigger does, and sees rows whatever row security says.
CREATE ROLE regress_waybill_owner;
CREATE ROLE regress_waybill_writer;
GRANT ALL ON SCHEMA condition_security TO regress_waybill_owner;
GRANT USAGE ON SCHEMA condition_security TO regress_waybill_writer;
SELECT waybill.grant_capture('regress_waybill_owner');
SET ROLE regress_waybill_owner;
CREATE TABLE o (id int PRIMARY KEY, n int);
CREATE FUNCTION secret(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 > 0; END';
REVOKE ALL ON FUNCTION secret FROM PUBLIC;
ALTER TABLE o ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY writes ON o FOR ALL TO PUBLIC USING (false) WITH CHECK (true);
GRANT INSERT ON o TO regress_waybill_writer;
SELECT waybill.enable_capture('o', condition => 'condition_security.secret(n)');
SELECT waybill.enable_capture('t', condition => 'true');
SELECT key, condition, problem FROM waybill.captured_tables WHERE "table" = 'o'::regclass;
SET ROLE regress_waybill_writer;
INSERT INTO o VALUES (1, 1), (2, 0);
SET ROLE regress_waybill_owner;
INSERT INTO o VALUES (1, 1), (2, 0);
SET ROLE regress_waybill_writer;
INSERT INTO o VALUES (3, 1); -- prepared for another role
RESET ROLE;
GRANT EXECUTE ON FUNCTION secret TO regress_waybill_writer;
SET ROLE regress_waybill_writer;
INSERT INTO o VALUES (3, 1), (4, 0);
RESET ROLE;
SELECT * FROM latest;

-- Nobody has code run by others through a condition: neither by whoever reads what a table's condition is,
CREATE FUNCTION tell(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'run by %', current_user; RETURN true; END $$;
SET ROLE regress_waybill_owner;
SELECT waybill.enable_capture('o', condition => 'condition_security.tell(1)');
RESET ROLE;
SELECT condition FROM waybill.captured_tables WHERE "table" = 'o'::regclass;
INSERT INTO o VALUES (5, 0);
SET ROLE regress_waybill_writer;
INSERT INTO o VALUES (6, 0);
SET ROLE regress_waybill_owner;
SELECT waybill.enable_capture('o');
RESET ROLE;
-- nor by parsing it: a literal of a composite type checks the domains of its fields;
CREATE DOMAIN told AS int CHECK (condition_security.tell(VALUE));
CREATE TYPE teller AS (x told);
SET ROLE regress_waybill_owner;
ALTER TABLE o ADD told condition_security.teller;
\set VERBOSITY terse
SELECT waybill.enable_capture('o', condition => $$told = '(1)'::condition_security.teller$$);
RESET ROLE;
SELECT condition FROM waybill.captured_tables WHERE "table" = 'o'::regclass;
\set VERBOSITY default
SET ROLE regress_waybill_owner;
SELECT waybill.enable_capture('o');
ALTER TABLE o DROP told;
RESET ROLE;
-- nor through triggers of one's own with our functions or names, which do not count.
GRANT TRIGGER ON o TO regress_waybill_writer;
GRANT USAGE ON SCHEMA waybill_internal TO regress_waybill_writer;
SET ROLE regress_waybill_writer;
CREATE TRIGGER x AFTER DELETE ON o FOR EACH ROW WHEN (condition_security.tell(1)) EXECUTE FUNCTION waybill_internal.capture_condition();
CREATE TRIGGER "!waybill_condition_x" AFTER DELETE ON o FOR EACH ROW WHEN (condition_security.tell(1)) EXECUTE FUNCTION waybill_internal.capture_condition();
CREATE TRIGGER "!a" AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture('nope');
CREATE TRIGGER "!waybill_capture_a" AFTER INSERT OR UPDATE OR DELETE ON o FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture('key', 'n');
CREATE TRIGGER "!waybill_capture_truncate" AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE OR REPLACE TRIGGER "!waybill_capture_truncate" AFTER TRUNCATE ON o FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON o FOR EACH ROW WHEN (false) EXECUTE FUNCTION suppress_redundant_updates_trigger()', tgname) AS replace
FROM pg_trigger WHERE tgrelid = 'o'::regclass AND tgname LIKE '!waybill\_capture%' AND tgname !~ 'truncate$' \gset
\set VERBOSITY sqlstate
:replace;
\set VERBOSITY default
RESET ROLE;
REVOKE USAGE ON SCHEMA waybill_internal FROM regress_waybill_writer;
GRANT ALL ON SCHEMA condition_security TO regress_waybill_writer;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_waybill_writer;
SET ROLE regress_waybill_writer;
CREATE SCHEMA elements CREATE TABLE e (id int) CREATE TRIGGER "!waybill_capture_x" AFTER INSERT ON e FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER plain AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SET ROLE regress_waybill_owner;
ALTER TRIGGER plain ON o RENAME TO "!waybill_plain";
DROP TRIGGER plain ON o;
RESET ROLE;
REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_waybill_writer;
SET ROLE regress_waybill_owner;
SELECT waybill.enable_capture('o', condition => 'n > 0');
RESET ROLE;
-- Those that a superuser makes do nothing, and that is said.
CREATE TRIGGER "!waybill_a" AFTER UPDATE ON o FOR EACH ROW WHEN (OLD.n <> NEW.n) EXECUTE FUNCTION waybill_internal.capture_condition();
CREATE TRIGGER "!waybill_b" AFTER DELETE ON o FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture_condition();
CREATE TRIGGER "!waybill_capture" AFTER INSERT ON o FOR EACH ROW WHEN (false) EXECUTE FUNCTION waybill_internal.capture('key', 'n');
INSERT INTO o VALUES (7, 0), (8, 1);
SELECT * FROM latest;
SELECT "table", condition, problem FROM waybill.captured_tables WHERE "table"::text ~ '^[ot]$' ORDER BY 1;

DROP SCHEMA condition_security, hostile2 CASCADE;
DROP OWNED BY regress_waybill_owner, regress_waybill_writer;
DROP ROLE regress_waybill_owner, regress_waybill_writer;
