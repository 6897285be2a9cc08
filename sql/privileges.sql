-- Nothing for PUBLIC; a shipper may read and acknowledge; an owner may capture what is his.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA privileges;
SET search_path = privileges;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'privileges.%';

CREATE ROLE regress_waybill_owner;
CREATE ROLE regress_waybill_shipper;
CREATE ROLE "regress waybill other";
GRANT ALL ON SCHEMA privileges TO PUBLIC;
SET ROLE regress_waybill_owner;
CREATE TABLE t (id int PRIMARY KEY, secret text);
SELECT waybill.enable_capture('t');
RESET ROLE;
SELECT waybill.grant_capture('regress_waybill_owner');
SELECT waybill.grant_shipper('regress_waybill_shipper'), waybill.grant_capture('"regress waybill other"');
SET ROLE regress_waybill_owner;
SELECT waybill.enable_capture('t');
SELECT "table", key FROM waybill.captured_tables WHERE "table" = 't'::regclass;
INSERT INTO t VALUES (1, 'by the owner');
SELECT count(*) FROM waybill_internal.change_log;
SELECT count(*) FROM waybill.changes;
SELECT waybill.acknowledge('default', 1);
RESET ROLE;

-- Another role that may write the table needs nothing of ours.
GRANT INSERT ON privileges.t TO "regress waybill other";
SET ROLE "regress waybill other";
SELECT waybill.enable_capture('privileges.t');
INSERT INTO privileges.t VALUES (2, 'by another');
RESET ROLE;

SET ROLE regress_waybill_shipper;
SELECT count(*) > 0 AS fetched FROM waybill.fetch(0, 0, waybill.safe_csn());
SELECT waybill.acknowledge('default', waybill.acknowledged('default'));
SELECT waybill.maintain() >= 0 AS maintained;
SELECT stream FROM waybill.status;
SELECT count(*) > 0 AS shapes FROM waybill.shape;
SELECT count(*) FROM privileges.t;
SELECT waybill.create_stream('mine');
RESET ROLE;

-- A stream is for the roles that it was given to, and their members.
CREATE ROLE regress_waybill_second;
CREATE ROLE regress_waybill_member IN ROLE regress_waybill_second;
SELECT waybill.create_stream('second') > 1 AS created;
SELECT waybill.grant_shipper('regress_waybill_second', 'second');
SELECT waybill.grant_shipper('regress_waybill_second', 'third');
SELECT waybill.grant_shipper('regress_waybill_second', NULL);
SET ROLE regress_waybill_shipper;
SELECT waybill.acknowledge('second', 1);
SELECT waybill.acknowledged('second');
SELECT waybill.take_stream('second');
SELECT waybill.drop_stream('second');
-- Nor can he say how far others have read.
SELECT waybill.safe_csn(9000000000000000000, 1);
SELECT waybill.safe_csn() < 1000000000000 AS not_ended;
-- Nor does somebody without any grant lock what others need: CREATE RULE locks first and asks then.
RESET ROLE;
CREATE ROLE regress_waybill_nobody;
SET ROLE regress_waybill_nobody;
CREATE RULE r AS ON INSERT TO waybill.stream DO INSTEAD NOTHING;
RESET ROLE;
DROP ROLE regress_waybill_nobody;
SET ROLE regress_waybill_shipper;
\set VERBOSITY sqlstate
SELECT nextval(c.oid::regclass) FROM pg_class c, waybill.stream s WHERE s.name = 'default' AND relname = format('stream_%s_acknowledged_seq', s.id);
SELECT setval(c.oid::regclass, 1) FROM pg_class c, waybill.stream s WHERE s.name = 'default' AND relname = format('stream_%s_acknowledged_at_seq', s.id);
\set VERBOSITY default
SET ROLE regress_waybill_member;
SELECT waybill.take_stream('second');
SELECT waybill.acknowledge('second', waybill.acknowledged('second'));
SELECT waybill.acknowledge('default', 1);
SELECT waybill.acknowledge(NULL, 1);
SELECT waybill.acknowledge('second', NULL);
SELECT waybill.take_stream(NULL);
RESET ROLE;
SELECT waybill.drop_stream('second'), pg_advisory_unlock_all(); -- it is this session's own
SELECT waybill.create_stream('second') > 1 AS created;
SET ROLE regress_waybill_second;
SELECT waybill.acknowledge('second', 1);
RESET ROLE;
SELECT waybill.grant_shipper('regress_waybill_second', 'second'), waybill.grant_shipper('regress_waybill_second');
SELECT waybill.revoke_shipper('regress_waybill_second', 'second');
SET ROLE regress_waybill_second;
SELECT waybill.acknowledged('second');
SELECT waybill.acknowledged('default') >= 0 AS still;
RESET ROLE;
SELECT waybill.revoke_shipper('regress_waybill_second');
SET ROLE regress_waybill_second;
SELECT waybill.safe_csn();
SELECT waybill.acknowledged('default');
RESET ROLE;
SELECT waybill.drop_stream('second');

-- A monitor looks at what there is, not into it.
CREATE ROLE regress_waybill_monitor;
CREATE ROLE regress_waybill_pg_monitor IN ROLE pg_monitor;
SELECT waybill.grant_monitor('regress_waybill_monitor');
SET ROLE regress_waybill_monitor;
SELECT stream FROM waybill.status;
SELECT "table" FROM waybill.captured_tables WHERE "table" = 't'::regclass;
SELECT count(*) >= 0 AS looked FROM waybill.lock_holders;
SELECT count(*) FROM waybill.changes;
SELECT count(*) FROM waybill.shape;
SELECT count(*) FROM waybill.fetch(0, 0, 1);
SELECT waybill.safe_csn();
SELECT waybill.acknowledged('default');
SELECT waybill.maintain();
SELECT waybill.take_stream('default');
SET ROLE regress_waybill_pg_monitor;
SELECT stream FROM waybill.status;
SELECT count(*) >= 0 AS looked FROM waybill.lock_holders;
RESET ROLE;

-- Row security hides rows from readers, not changes from capture.
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON t FOR ALL TO PUBLIC USING (id < 0) WITH CHECK (true);
SET ROLE "regress waybill other";
INSERT INTO t VALUES (3, 'unreadable');
RESET ROLE;
SELECT op, key, after FROM log;

SELECT p.oid::regprocedure AS executable_by_public FROM pg_proc p
WHERE p.pronamespace IN ('waybill'::regnamespace, 'waybill_internal'::regnamespace) AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1;
SELECT p.oid::regprocedure AS without_search_path FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace IN ('waybill'::regnamespace, 'waybill_internal'::regnamespace) AND (p.prosecdef OR l.lanname <> 'c')
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%')
  AND p.oid <> 'waybill.changes_since'::regproc; -- becomes part of queries; names the schema of all it uses

DROP OWNED BY regress_waybill_owner, regress_waybill_shipper, "regress waybill other", regress_waybill_monitor,
    regress_waybill_second;
DROP ROLE regress_waybill_owner, regress_waybill_shipper, "regress waybill other", regress_waybill_monitor,
    regress_waybill_pg_monitor, regress_waybill_member, regress_waybill_second;

DROP SCHEMA privileges CASCADE;
