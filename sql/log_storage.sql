-- The extension's own tables: written unseen by logical decoding (test/e2e/test_publication.py looks at that), never deleted
-- from by SQL, emptied without TRUNCATE.
\set SHOW_CONTEXT never
SET client_min_messages = error; -- wal_level is replica here
CREATE SCHEMA log_storage;
SET search_path = log_storage;
CREATE TABLE t (id int PRIMARY KEY);
SELECT waybill.enable_capture('t');
SELECT waybill.acknowledge('default', waybill.safe_csn());
SELECT sum(waybill.maintain(true)) >= 0 AS maintained FROM generate_series(1, 4);
CREATE PUBLICATION log_storage FOR ALL TABLES;

-- All have the triggers that keep others' rows out, and can be published.
SELECT c.relname, array_agg(t.tgname ORDER BY t.tgname) FILTER (WHERE t.tgenabled = 'A') AS triggers, c.relreplident
FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace IN ('waybill'::regnamespace, 'waybill_internal'::regnamespace)
GROUP BY c.relname, c.relreplident ORDER BY c.relname COLLATE "C";

-- What deletes and updates would be published is no reason to fail.
BEGIN;
INSERT INTO t VALUES (1);
PREPARE TRANSACTION 'published';
SELECT waybill.safe_csn() > 0 AS fenced;
COMMIT PREPARED 'published';
SELECT op, key FROM waybill.changes WHERE "table" = 'log_storage.t';
SELECT waybill.safe_csn() > 0 AS placed;
SELECT op, key FROM waybill.changes WHERE "table" = 'log_storage.t';
SELECT backlog_changes FROM waybill.status WHERE stream = 'default';
SELECT waybill.create_stream('published') > 1 AS created;
SELECT waybill.drop_stream('published');
SELECT (SELECT count(*) FROM pg_class WHERE relname ~ '^stream_\d+_acknowledged_seq$') = (SELECT count(*) FROM waybill.stream) AS tidy;

-- Rows that come by the trigger satisfy the constraints.
\set VERBOSITY terse
SELECT waybill.create_stream('');
INSERT INTO waybill.stream VALUES (1000, 'default');
\set VERBOSITY default
SELECT name FROM waybill.stream;

-- Nobody empties the log but maintain().
TRUNCATE waybill_internal.segment_0;
TRUNCATE waybill_internal.change_log;
TRUNCATE waybill.stream CASCADE;
SELECT waybill_internal.delete_unseen('t', '(0,1)');

-- Emptying, rolled back to a savepoint, twice, while it is read.
CREATE VIEW rows AS SELECT count(*) FROM waybill_internal.change_log;
SELECT * FROM rows;
SELECT format('segment_%s', waybill_internal.sequence_value('segment_seq') % 8) AS segment \gset
BEGIN;
SAVEPOINT s;
SELECT waybill_internal.empty_table(:'segment');
SELECT * FROM rows;
ROLLBACK TO s;
SELECT * FROM rows;
SELECT waybill_internal.empty_table(:'segment'), waybill_internal.empty_table(:'segment');
INSERT INTO t VALUES (2);
SELECT * FROM rows;
ROLLBACK;
SELECT * FROM rows;
BEGIN;
DECLARE c CURSOR FOR SELECT csn FROM waybill_internal.change_log;
FETCH FROM c \g /dev/null
\set VERBOSITY sqlstate
SELECT waybill_internal.empty_table(:'segment');
\set VERBOSITY default
ROLLBACK;
BEGIN;
SELECT waybill_internal.empty_table(:'segment');
INSERT INTO t VALUES (3);
COMMIT;
SELECT op, key FROM waybill.changes WHERE "table" = 'log_storage.t';
SELECT waybill_internal.empty_table('shape');

DROP PUBLICATION log_storage;
DROP SCHEMA log_storage CASCADE;
