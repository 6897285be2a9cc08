-- Whoever writes, on whose behalf and behind whatever policies: every change is captured, and the log is not theirs to read.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA roles;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, coalesce(after, before) AS row, context
    FROM waybill.changes WHERE "table" = 'roles.t';
CREATE ROLE regress_waybill_owner;
CREATE ROLE regress_waybill_writer;
CREATE ROLE regress_waybill_nobody;
GRANT regress_waybill_owner TO CURRENT_USER;
GRANT USAGE, CREATE ON SCHEMA roles TO regress_waybill_owner;
GRANT USAGE ON SCHEMA roles TO regress_waybill_writer, regress_waybill_nobody;
SELECT waybill.grant_capture('regress_waybill_owner');

-- An owner who is no superuser captures his table, partitioned or not, changes its key and stops again.
SET SESSION AUTHORIZATION regress_waybill_owner;
CREATE TABLE roles.t (id int PRIMARY KEY, owner name DEFAULT current_user, note text);
CREATE TABLE roles.p (id int, note text) PARTITION BY LIST (id);
CREATE TABLE roles.p1 PARTITION OF roles.p DEFAULT;
SELECT waybill.enable_capture('roles.t'), waybill.enable_capture('roles.p', key => '{id}');
SELECT "table", key, problem FROM waybill.captured_tables WHERE "table" IN ('roles.t'::regclass, 'roles.p'::regclass) ORDER BY 1;
INSERT INTO roles.p VALUES (1, 'x');
SELECT waybill.enable_capture('roles.p', key => '{id,note}');
SELECT waybill.disable_capture('roles.p');
SELECT waybill.create_stream('mine');
SELECT * FROM waybill.changes;
SELECT * FROM waybill.shape;
SELECT * FROM waybill.status;
GRANT INSERT ON roles.t TO regress_waybill_writer;

-- A writer who may insert and nothing else, in a session that has not captured the table yet.
\c -
SET SESSION AUTHORIZATION regress_waybill_writer;
INSERT INTO roles.t VALUES (1, DEFAULT, 'may insert only');
SELECT has_schema_privilege('waybill_internal', 'USAGE') AS usage_on_waybill_internal;
COPY roles.t (id, note) FROM stdin;
2	copied
\.
SELECT count(*) FROM roles.t;
SELECT waybill.safe_csn();
RESET SESSION AUTHORIZATION;

-- Policies, forced on the owner too.
SET ROLE regress_waybill_owner;
ALTER TABLE roles.t ENABLE ROW LEVEL SECURITY;
ALTER TABLE roles.t FORCE ROW LEVEL SECURITY;
CREATE POLICY readable ON roles.t FOR SELECT USING (id < 10);
CREATE POLICY writable ON roles.t FOR INSERT WITH CHECK (true);
CREATE POLICY updatable ON roles.t FOR UPDATE USING (id < 10) WITH CHECK (true);
CREATE POLICY deletable ON roles.t FOR DELETE USING (id = 2);
INSERT INTO roles.t VALUES (11, DEFAULT, 'invisible to its own writer');
UPDATE roles.t SET note = note || ', changed';
DELETE FROM roles.t;
SELECT id FROM roles.t ORDER BY id;

-- A security definer's work on behalf of somebody who may nothing, and a context that anybody may set.
CREATE FUNCTION roles.note(id int, note text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN INSERT INTO roles.t VALUES (id, DEFAULT, note); END $$;
SET SESSION AUTHORIZATION regress_waybill_nobody;
BEGIN;
SET LOCAL waybill.context = 'nobody';
SELECT roles.note(3, 'by a security definer');
INSERT INTO roles.t VALUES (4);
ROLLBACK;
BEGIN;
SET LOCAL waybill.context = 'nobody';
SELECT roles.note(3, 'by a security definer');
COMMIT;
RESET SESSION AUTHORIZATION;

-- Several roles in one transaction; its end comes under one that may nothing.
BEGIN;
SET LOCAL ROLE regress_waybill_writer;
INSERT INTO roles.t VALUES (5);
SET LOCAL ROLE regress_waybill_owner;
UPDATE roles.t SET note = 'by the owner' WHERE id = 5;
SET LOCAL ROLE regress_waybill_nobody;
SELECT roles.note(6, 'once more');
COMMIT;
SELECT tx, index, op, row, context FROM log;

DROP OWNED BY regress_waybill_owner, regress_waybill_writer, regress_waybill_nobody;
DROP ROLE regress_waybill_owner, regress_waybill_writer, regress_waybill_nobody;
DROP SCHEMA roles CASCADE;
