-- DDL that keeps changes from being captured is said in the session that does it; new partitions are completed; all other
-- DDL is silent, and none fails.
\set SHOW_CONTEXT never
SET client_min_messages = notice;
CREATE SCHEMA ddl_watch;
CREATE ROLE regress_waybill_ddl;
GRANT ALL ON SCHEMA ddl_watch TO regress_waybill_ddl;
SELECT waybill.grant_capture('regress_waybill_ddl');
SET search_path = ddl_watch;
CREATE VIEW ours AS SELECT relation, name, kind, enabled FROM waybill_internal.capture_trigger;
GRANT SELECT ON ours TO regress_waybill_ddl;
SET ROLE regress_waybill_ddl;
CREATE VIEW problems AS SELECT "table", problem FROM waybill.captured_tables WHERE "table"::text ~ '^(t|p|r)$' ORDER BY "table"::text;

CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
ALTER TABLE t ADD COLUMN w int;
ALTER TABLE t DISABLE TRIGGER ALL;
ALTER TABLE t ENABLE TRIGGER USER;
SELECT waybill.enable_capture('t');
DROP TRIGGER "!waybill_capture_truncate" ON t;
SELECT * FROM problems;
SELECT waybill.enable_capture('t');
DO $$ BEGIN -- its name is different in each database
    EXECUTE (SELECT format('DROP TRIGGER %I ON t', name) FROM ours WHERE relation = 't'::regclass AND kind = 'row');
END $$;
SELECT * FROM problems;
SELECT waybill.enable_capture('t');
SELECT count(*) FROM ours WHERE relation = 't'::regclass;
-- Triggers are told by their function, not by their name, which is for superusers to change: pg_restore, say.
SELECT format('ALTER TRIGGER %I ON t RENAME TO "!waybill_capture_of_another_database"', name) AS rename
FROM ours WHERE relation = 't'::regclass AND kind = 'row' \gset
\set VERBOSITY sqlstate
:rename;
\set VERBOSITY default
RESET ROLE;
:rename;
SET ROLE regress_waybill_ddl;
SELECT waybill.enable_capture('t'), waybill.enable_capture('t', key => '{v}');
SELECT name, kind, enabled FROM ours WHERE relation = 't'::regclass ORDER BY name;
ALTER TABLE t SET UNLOGGED;
SELECT waybill.enable_capture('t');
ALTER TABLE t SET LOGGED;
SET waybill.ddl_warnings = off;
ALTER TABLE t DISABLE TRIGGER ALL;
RESET waybill.ddl_warnings;
SELECT * FROM problems;
SELECT waybill.disable_capture('t');
ALTER TABLE t DISABLE TRIGGER ALL;
DROP TABLE t;

-- New partitions, also of another owner, at another level, and such that cannot be captured.
CREATE TABLE p (id int, region int) PARTITION BY LIST (region);
SELECT waybill.enable_capture('p', key => '{id}');
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE p2a PARTITION OF p2 DEFAULT;
CREATE TABLE p3 (region int, id int);
ALTER TABLE p ATTACH PARTITION p3 FOR VALUES IN (3);
SELECT relation::regclass, kind, enabled FROM ours
WHERE relation::regclass::text ~ '^p[0-9]' ORDER BY 1, 2;
SELECT * FROM problems;
ALTER TABLE p1 DISABLE TRIGGER ALL;
SELECT waybill.enable_capture('p');
SELECT waybill.enable_capture('p', key => '{id}');
SELECT * FROM problems;
DROP TRIGGER "!waybill_capture_before_truncate" ON p1;
SELECT * FROM problems;
SELECT waybill.enable_capture('p', key => '{id}');
SELECT * FROM problems;
CREATE UNLOGGED TABLE p4 PARTITION OF p FOR VALUES IN (4);
INSERT INTO p VALUES (4, 4);
ALTER TABLE p4 SET LOGGED;
RESET ROLE;
SELECT op, key FROM waybill.changes WHERE "table" = 'ddl_watch.p';
CREATE TABLE of_another_owner (region int, id int);
ALTER TABLE p ATTACH PARTITION of_another_owner FOR VALUES IN (6);
SELECT * FROM problems;
CREATE FOREIGN DATA WRAPPER ddl_watch;
CREATE SERVER ddl_watch FOREIGN DATA WRAPPER ddl_watch;
CREATE FOREIGN TABLE p5 PARTITION OF p FOR VALUES IN (5) SERVER ddl_watch;
SELECT * FROM problems;
ALTER TABLE p DETACH PARTITION p1;
SELECT waybill.disable_capture('p');
SELECT waybill.enable_capture('p');
SELECT relation::regclass, kind FROM ours WHERE relation::regclass::text ~ '^(p|of)';
CREATE TABLE r (id int) PARTITION BY LIST (id);
CREATE TABLE other (id int);
ALTER TABLE r ATTACH PARTITION other DEFAULT;
ALTER TABLE r DETACH PARTITION other;

DROP OWNED BY regress_waybill_ddl CASCADE;
SET client_min_messages = warning;
DROP SCHEMA ddl_watch CASCADE;
DROP FOREIGN DATA WRAPPER ddl_watch CASCADE;
DROP ROLE regress_waybill_ddl;
