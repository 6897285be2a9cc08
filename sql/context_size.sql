-- waybill.max_context_size bounds what goes along with each change of a transaction.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE SCHEMA context_size;
CREATE TABLE context_size.t (id int PRIMARY KEY);
SELECT waybill.enable_capture('context_size.t');
CREATE VIEW context_size.log AS
    SELECT (after ->> 'id')::int AS id, length(context) AS context FROM waybill.changes WHERE "table" LIKE 'context_size.%' ORDER BY csn, index;
CREATE ROLE regress_waybill_writer;
GRANT USAGE ON SCHEMA context_size TO regress_waybill_writer;
GRANT INSERT, SELECT ON context_size.t TO regress_waybill_writer;

SHOW waybill.max_context_size;
SELECT set_config('waybill.context', repeat('x', 8193), false);
SELECT length(set_config('waybill.context', repeat('x', 8192), false));
INSERT INTO context_size.t VALUES (1);
-- What a transaction has, it has left, as before, when the setting fails.
BEGIN;
SET LOCAL waybill.context = 'short';
SAVEPOINT s;
SELECT set_config('waybill.context', repeat('x', 2000000), true);
ROLLBACK TO s;
INSERT INTO context_size.t VALUES (2);
COMMIT;
-- Only superusers say how much it may be.
SET ROLE regress_waybill_writer;
SET waybill.max_context_size = '1MB';
RESET ROLE;
\set VERBOSITY sqlstate
SET waybill.max_context_size = '2MB';
\set VERBOSITY default
SET waybill.max_context_size = '1MB';
SELECT length(set_config('waybill.context', repeat('x', 1048576), false));
INSERT INTO context_size.t VALUES (3);
SET waybill.max_context_size = 0;
RESET waybill.context;
INSERT INTO context_size.t VALUES (4);
SET waybill.context = 'x';

-- A bound that is lowered when the context is there already: the transaction commits, without a context and not in silence.
SET waybill.max_context_size = 100;
SELECT length(set_config('waybill.context', repeat('x', 100), false));
SET waybill.max_context_size = 99;
INSERT INTO context_size.t VALUES (5);
-- Parallel workers get it, too.
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT count(*) FROM context_size.t;
SET waybill.max_context_size = 100;
INSERT INTO context_size.t VALUES (6);

-- In a session that has not loaded the library yet nothing knows a bound; the first change does.
\c -
\set SHOW_CONTEXT never
BEGIN;
SELECT length(set_config('waybill.context', repeat('x', 9000), true));
INSERT INTO context_size.t VALUES (7);
ROLLBACK;
BEGIN;
SELECT length(set_config('waybill.context', repeat('x', 9000), true));
ROLLBACK;
INSERT INTO context_size.t VALUES (8);
\c -
SELECT length(set_config('waybill.context', repeat('x', 8000), false));
INSERT INTO context_size.t VALUES (9);

-- A role's setting keeps nobody out: it is left out with a warning, as PostgreSQL does with a setting that fails.
ALTER ROLE regress_waybill_writer SET waybill.max_context_size = 10;
ALTER ROLE regress_waybill_writer LOGIN;
ALTER ROLE regress_waybill_writer SET waybill.context = 'longer than ten';
\c - regress_waybill_writer
\set SHOW_CONTEXT never
INSERT INTO context_size.t VALUES (10);
INSERT INTO context_size.t VALUES (11);
\c - :superuser
ALTER ROLE regress_waybill_writer SET waybill.max_context_size = 15;
\c - regress_waybill_writer
INSERT INTO context_size.t VALUES (12);

\c - :superuser
SELECT * FROM context_size.log;
SET client_min_messages = warning;
DROP SCHEMA context_size CASCADE;
DROP ROLE regress_waybill_writer;
