-- waybill 1.0: change data capture into a transactional change log.
\echo Use "CREATE EXTENSION waybill" to load this file. \quit

-- The schema is for those who were granted something in it.
REVOKE ALL ON SCHEMA waybill FROM PUBLIC;

---------------------------------------------------------------------------------------------------------------------
-- The log
---------------------------------------------------------------------------------------------------------------------

-- Tells databases apart in positions, also a restored dump from its original, and a copy by CREATE DATABASE ... TEMPLATE,
-- which has an oid of its own.
CREATE TABLE waybill.original_source (id uuid NOT NULL, database oid NOT NULL);
INSERT INTO waybill.original_source
SELECT pg_catalog.gen_random_uuid(), oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database();
CREATE VIEW waybill.source AS
SELECT CASE WHEN s.database = d.oid THEN s.id ELSE pg_catalog.md5(pg_catalog.concat(s.id, '/', d.oid))::uuid END AS id
FROM waybill.original_source s, pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database();
COMMENT ON VIEW waybill.source IS 'the id of this database in positions';

-- The commit order: each transaction that changed captured tables draws its commit sequence number (csn) at pre-commit
-- and holds the sequence's lock until it is visible; see safe_csn(). The numbers between are for the places of prepared
-- transactions; see release().
CREATE SEQUENCE waybill.commit_seq AS bigint INCREMENT 10000 MINVALUE 0 START 0 CACHE 1;
SELECT pg_catalog.setval('waybill.commit_seq', 0);

-- What a reader must know of a table to understand its changes. Immutable; changes carry the id.
CREATE TABLE waybill.shape (
    id integer NOT NULL,
    hash bigint NOT NULL,      -- of the definition's text, for look-up; equal definitions may have several ids
    definition json NOT NULL   -- relation, schema, table, key, columns
);
CREATE INDEX shape_hash_idx ON waybill.shape (hash);
CREATE INDEX shape_id_idx ON waybill.shape (id);
CREATE SEQUENCE waybill.shape_id_seq AS integer CACHE 1;

-- The log: the concatenated payloads of a transaction are its stream of change records (extension/change_record.hpp).
-- The order of the columns is known to the C++ code (extension/log_row.hpp).
CREATE TABLE waybill.change_log (
    csn bigint NOT NULL,
    committed_at timestamptz NOT NULL, -- when the transaction entered its commit
    chunk integer NOT NULL,            -- number of this chunk in its transaction, from 0
    chunks integer NOT NULL,           -- of the transaction
    changes integer NOT NULL,          -- that start in this chunk
    timeline integer NOT NULL,         -- of the server that wrote it
    xid xid NOT NULL,
    payload bytea NOT NULL
);
ALTER TABLE waybill.change_log ALTER COLUMN payload SET STORAGE PLAIN; -- a chunk fits a page: no TOAST

-- A ring of segments, filled in turn and emptied by TRUNCATE, so that no snapshot can keep what was acknowledged.
-- Nothing is ever deleted in them, so there is nothing to vacuum.
DO $$
BEGIN
    FOR slot IN 0..7 LOOP
        EXECUTE pg_catalog.format(
            'CREATE TABLE waybill.segment_%1$s () INHERITS (waybill.change_log) WITH (autovacuum_enabled = false)', slot);
        EXECUTE pg_catalog.format('ALTER TABLE waybill.segment_%1$s ALTER COLUMN payload SET STORAGE PLAIN', slot);
        EXECUTE pg_catalog.format('CREATE INDEX segment_%1$s_idx ON waybill.segment_%1$s (csn, chunk)', slot);
        -- The csn at which all that the segment can hold is acknowledged: 0 when it is free, the largest bigint while it
        -- is being filled.
        EXECUTE pg_catalog.format('CREATE SEQUENCE waybill.segment_%1$s_upto_seq AS bigint MINVALUE 0 START 0', slot);
        PERFORM pg_catalog.setval(pg_catalog.format('waybill.segment_%s_upto_seq', slot), 0);
    END LOOP;
END
$$;

-- The generation that is being filled; its table is segment_<generation mod 8>. Like all hot state a sequence: setval
-- changes it in place, at once, and cannot bloat.
CREATE SEQUENCE waybill.segment_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill.segment_seq', 0), pg_catalog.setval('waybill.segment_0_upto_seq', 9223372036854775807);

-- The prepared log: changes of transactions that were prepared, until a reader gives them their place in the log. Two
-- slots, filled in turn, so that one can be emptied by TRUNCATE whatever snapshots are open. Their csn is the number that
-- was drawn at PREPARE.
CREATE TABLE waybill.prepared_log (LIKE waybill.change_log INCLUDING STORAGE);
DO $$
BEGIN
    FOR slot IN 0..1 LOOP
        EXECUTE pg_catalog.format('CREATE TABLE waybill.prepared_%1$s () INHERITS (waybill.prepared_log)', slot);
        EXECUTE pg_catalog.format('ALTER TABLE waybill.prepared_%1$s ALTER COLUMN payload SET STORAGE PLAIN', slot);
        -- By chunk first: the first ones tell which transactions there are.
        EXECUTE pg_catalog.format('CREATE INDEX prepared_%1$s_idx ON waybill.prepared_%1$s (chunk, csn)', slot);
    END LOOP;
END
$$;
CREATE SEQUENCE waybill.prepared_slot_seq AS bigint MINVALUE 0 START 0; -- the slot that is being filled
SELECT pg_catalog.setval('waybill.prepared_slot_seq', 0);

-- The csn up to which readers were let read while transactions were prepared: the greater of the sequence's value and of
-- the table's rows, for what has to be undone with the transaction that found it. Behind it is the place of a prepared
-- transaction with a smaller number. The table's lock keeps out other readers meanwhile.
CREATE SEQUENCE waybill.released_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill.released_seq', 0);
CREATE TABLE waybill.released (csn bigint NOT NULL);
CREATE INDEX released_csn_idx ON waybill.released (csn);

-- The timelines that were written on, so that the ones in positions only grow (extension/change_log.hpp).
CREATE SEQUENCE waybill.timeline_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill.timeline_seq', 0);

-- Streams: each is read by one shipper and has its own acknowledged position, in sequences named after its id.
CREATE TABLE waybill.stream (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    tables text[] -- schema.table; NULL: all
);
CREATE SEQUENCE waybill.stream_id_seq AS integer OWNED BY waybill.stream.id;
-- A dump has them; CREATE EXTENSION makes the first, "default".
SELECT pg_catalog.pg_extension_config_dump('waybill.stream', 'WHERE id <> 1');
SELECT pg_catalog.pg_extension_config_dump('waybill.stream_id_seq', '');

---------------------------------------------------------------------------------------------------------------------
-- Capture
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture';
COMMENT ON FUNCTION waybill.capture() IS 'records a row''s change; created as a trigger by enable_capture()';

CREATE FUNCTION waybill.capture_truncate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture_truncate';
COMMENT ON FUNCTION waybill.capture_truncate() IS
    'records a TRUNCATE, of a partition by itself as the removal of its rows; created as triggers by enable_capture()';

CREATE FUNCTION waybill.capture_condition() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture_condition';
COMMENT ON FUNCTION waybill.capture_condition() IS
    'does nothing; its trigger, which is disabled, keeps the condition that enable_capture() was given';

-- The triggers are told by their functions. Names of row triggers differ from table to table, also in a database restored
-- from a dump: a partition gets clones of its ancestors' triggers under their names beside its own.
CREATE VIEW waybill.capture_trigger AS
SELECT oid, tgrelid AS relation, tgname AS name, tgenabled AS enabled, tgparentid AS parent, tgargs AS arguments,
       CASE WHEN tgfoid = 'waybill.capture_condition()'::regprocedure AND tgtype = 1 | 8 -- AFTER DELETE FOR EACH ROW, on OLD
            THEN pg_catalog.pg_get_expr(tgqual, tgrelid) END AS condition,
       CASE WHEN tgfoid = 'waybill.capture()'::regprocedure THEN 'row'
            WHEN tgfoid = 'waybill.capture_condition()'::regprocedure THEN 'condition'
            WHEN tgtype & 2 <> 0 THEN 'before truncate' ELSE 'after truncate' END AS kind
FROM pg_catalog.pg_trigger
WHERE tgfoid IN ('waybill.capture()'::regprocedure, 'waybill.capture_condition()'::regprocedure,
                 'waybill.capture_truncate()'::regprocedure);
COMMENT ON VIEW waybill.capture_trigger IS 'the triggers of captured tables and their partitions';

CREATE FUNCTION waybill.key_columns("table" regclass) RETURNS name[]
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'waybill_key_columns';
COMMENT ON FUNCTION waybill.key_columns IS
    'key under which a captured table is published; empty: it has none; NULL: it is not captured';

CREATE FUNCTION waybill.check_capturable("table" regclass, key name[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation pg_class;
    captured boolean;
    reason text;
    remedy text;
    missing name;
BEGIN
    SELECT * INTO STRICT relation FROM pg_class WHERE oid = "table";
    IF NOT pg_has_role(relation.relowner, 'USAGE') THEN
        RAISE insufficient_privilege USING MESSAGE = format('must be owner of table %s to capture it', "table"),
            HINT = 'Run it as the owner of the table or as a superuser.';
    END IF;
    -- Perhaps with what it would be refused for now: it is not to be harder to repair.
    captured := EXISTS (SELECT FROM waybill.capture_trigger t
                        WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0);
    IF relation.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        OR relation.relnamespace = 'waybill'::regnamespace THEN
        reason := 'it belongs to the system';
        remedy := 'Capture tables of your own.';
    ELSIF relation.relkind = 'v' THEN
        reason := 'it is a view';
        remedy := 'Capture the tables that the view reads.';
    ELSIF relation.relkind = 'm' THEN
        reason := 'it is a materialized view';
        remedy := 'Capture the tables that the view reads.';
    ELSIF relation.relkind = 'f' THEN
        reason := 'it is a foreign table';
        remedy := 'Capture it on the server where its rows are.';
    ELSIF relation.relkind NOT IN ('r', 'p') THEN
        reason := 'it is not a table';
        remedy := 'Name a table or a partitioned table.';
    ELSIF relation.relpersistence = 't' THEN
        reason := 'it is a temporary table';
        remedy := 'Capture permanent tables only.';
    ELSIF relation.relpersistence = 'u' AND NOT captured THEN
        reason := 'it is an unlogged table, which a crash empties';
        remedy := 'Use ALTER TABLE ... SET LOGGED first.';
    ELSIF relation.relispartition AND NOT captured THEN
        reason := 'it is a partition';
        remedy := format('Capture the partitioned table %s: its partitions are published under its name.',
                         pg_partition_root("table"));
    ELSIF NOT captured THEN
        SELECT format('its partition %s is %s', c.oid::regclass,
                      CASE c.relkind WHEN 'f' THEN 'a foreign table' ELSE 'unlogged: a crash empties it' END),
               CASE c.relkind WHEN 'f' THEN 'Detach it first.' ELSE 'Use ALTER TABLE ... SET LOGGED first.' END
            INTO reason, remedy
            FROM pg_partition_tree("table") p JOIN pg_class c ON c.oid = p.relid
            WHERE p.isleaf AND (c.relkind = 'f' OR c.relpersistence = 'u') LIMIT 1;
    END IF;
    IF reason IS NOT NULL THEN
        RAISE wrong_object_type USING MESSAGE = format('cannot capture %s: %s', "table", reason), HINT = remedy;
    END IF;
    SELECT k INTO missing FROM unnest(key) k
        WHERE NOT EXISTS (SELECT FROM pg_attribute
                          WHERE attrelid = "table" AND attname = k AND attnum > 0 AND NOT attisdropped)
        LIMIT 1;
    IF FOUND THEN
        RAISE undefined_column USING MESSAGE = format('key column "%s" of table %s does not exist', missing, "table"),
            HINT = 'Name columns of the table.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill.check_capturable IS 'raises what would keep the table from being captured';

-- CREATE TRIGGER takes SHARE ROW EXCLUSIVE on the table and its partitions, DROP TRIGGER ACCESS EXCLUSIVE: they wait for
-- whoever uses the table, and later users wait for them. So we ask for a short time only, and again.
CREATE FUNCTION waybill.lock_for_ddl("table" regclass, mode text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    deadline CONSTANT timestamptz := clock_timestamp() + interval '30 s';
BEGIN
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE %s%s IN %s MODE',
                           CASE WHEN (SELECT relkind FROM pg_class WHERE oid = "table") <> 'p' THEN 'ONLY ' END,
                           "table", mode);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > deadline THEN
                RAISE lock_not_available USING MESSAGE = format('could not lock table %s within 30 seconds', "table"),
                    HINT = 'A long transaction is using it: try again when it has ended.';
            END IF;
            PERFORM pg_sleep(0.05); -- let those through that had queued up behind us
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill.lock_for_ddl IS 'locks a table without making its users wait for long; mode as in LOCK TABLE';

CREATE FUNCTION waybill.trigger_arguments(tgargs bytea) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT convert_from(decode(argument[1], 'hex'), getdatabaseencoding())
    FROM regexp_matches(encode(tgargs, 'hex'), '((?:(?!00)[0-9a-f]{2})+)00', 'g') argument -- each ends with a zero byte
    $$;
COMMENT ON FUNCTION waybill.trigger_arguments IS 'arguments of a trigger as pg_trigger.tgargs keeps them';

-- One row per thing that keeps changes of the table from being captured; the gravest first.
CREATE FUNCTION waybill.capture_gaps("table" oid, OUT problem text, OUT repairable boolean) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH place AS ( -- where rows are, and the table itself
        SELECT c.oid, c.relkind, c.relpersistence, c.oid = "table" AS is_table,
               CASE WHEN c.oid <> "table" THEN format('partition %s: ', c.oid::regclass) ELSE '' END AS prefix
        FROM pg_class c
        WHERE c.oid = "table" OR c.oid IN (SELECT relid FROM pg_partition_tree("table") WHERE isleaf)
    ), gap AS (
        SELECT 1 AS gravity, p.oid, p.prefix || 'it is a foreign table, whose changes are not captured' AS problem,
               false AS repairable
        FROM place p WHERE p.relkind = 'f'
      UNION ALL
        SELECT CASE t.enabled WHEN 'D' THEN 1 ELSE 2 END, p.oid,
               p.prefix || CASE t.enabled
                   WHEN 'D' THEN 'capture is disabled by ALTER TABLE ... DISABLE TRIGGER: changes are lost'
                   ELSE 'capture does not fire under session_replication_role = replica: run enable_capture() again' END,
               true
        FROM place p JOIN waybill.capture_trigger t ON t.relation = p.oid
        WHERE p.relkind <> 'f' AND t.kind = 'row' AND t.enabled <> 'A' AND (t.parent = 0) = p.is_table
      UNION ALL
        SELECT 3, p.oid,
               p.prefix || CASE WHEN t.enabled IS NULL THEN 'TRUNCATE is not captured: run enable_capture() again'
                                ELSE 'TRUNCATE is not always captured: run enable_capture() again' END,
               true
        FROM place p CROSS JOIN (VALUES ('before truncate'), ('after truncate')) k (kind)
        LEFT JOIN waybill.capture_trigger t ON t.relation = p.oid AND t.kind = k.kind
        WHERE (p.is_table OR p.relkind = 'r' AND k.kind = 'before truncate') AND t.enabled IS DISTINCT FROM 'A'
      UNION ALL
        SELECT 4, p.oid, p.prefix || 'it is unlogged: what a crash removes is not captured', false
        FROM place p WHERE p.relpersistence = 'u'
    )
    SELECT g.problem, g.repairable FROM gap g ORDER BY g.gravity, g.oid <> "table", g.problem
    $$;
COMMENT ON FUNCTION waybill.capture_gaps IS 'what is wrong with the triggers of a captured table; repairable: by enable_capture()';

CREATE FUNCTION waybill.parse_condition("table" regclass, condition text, of_old boolean) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'waybill_parse_condition';
COMMENT ON FUNCTION waybill.parse_condition IS
    'checks a condition for rows of a table, and prints it as PostgreSQL does; of_old: as the WHEN of a trigger, on OLD';

-- Row triggers and conditions of a table belong together by name.
CREATE FUNCTION waybill.condition_name(row_trigger name) RETURNS name
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT ('!waybill_condition' || substr(row_trigger::text, length('!waybill_capture') + 1))::name $$;
COMMENT ON FUNCTION waybill.condition_name IS 'name of the trigger that keeps the condition for a row trigger';

-- PostgreSQL keeps the condition, as the WHEN of a trigger that is disabled (extension/row_condition.hpp).
CREATE FUNCTION waybill.set_condition("table" regclass, row_trigger name, condition text, replaces boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present name;
    temporary text;
BEGIN
    SELECT t.name INTO present FROM waybill.capture_trigger t
        WHERE t.relation = "table" AND t.parent = 0 AND t.condition IS NOT NULL ORDER BY t.name LIMIT 1;
    IF present IS NOT NULL AND (condition IS NULL OR NOT replaces) THEN
        EXECUTE format('ALTER TRIGGER %I ON %s RENAME TO "!waybill_former_condition"', present, "table"); -- see after_drop()
        EXECUTE format('DROP TRIGGER "!waybill_former_condition" ON %s', "table");
    END IF;
    IF condition IS NULL THEN
        RETURN;
    END IF;
    present := coalesce(present, waybill.condition_name(row_trigger));
    EXECUTE format('CREATE %sTRIGGER %I AFTER DELETE ON %s FOR EACH ROW WHEN (%s)
                    EXECUTE FUNCTION waybill.capture_condition()', CASE WHEN replaces THEN 'OR REPLACE ' END, present, "table",
                   waybill.parse_condition("table", condition, true));
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', "table", present);
    SELECT o.identity INTO temporary
        FROM waybill.capture_trigger t
        JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid,
             pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) o
        WHERE t.relation = "table" AND t.name = present AND o.schema LIKE 'pg\_temp%' LIMIT 1;
    IF temporary IS NOT NULL THEN
        RAISE invalid_object_definition USING
            MESSAGE = format('a capture condition cannot use what is temporary: %s', temporary);
    END IF;
END
$$;
COMMENT ON FUNCTION waybill.set_condition IS 'gives a captured table a condition, in PostgreSQL''s own text, or takes it away (NULL)';

CREATE FUNCTION waybill.enable_capture("table" regclass, key name[] DEFAULT NULL, condition text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off
    SET datestyle = 'ISO' SET extra_float_digits = 1 AS $$ -- which print constants of a condition whole
DECLARE
    replaces CONSTANT boolean := current_setting('server_version_num')::integer >= 140000; -- CREATE OR REPLACE TRIGGER
    create_trigger CONSTANT text := CASE WHEN replaces THEN 'CREATE OR REPLACE TRIGGER' ELSE 'CREATE TRIGGER' END;
    arguments CONSTANT text := coalesce((SELECT string_agg(quote_literal(k), ', ') FROM unnest(key) k), '');
    present text;
    printed text;
    present_condition text;
    row_trigger name;
BEGIN
    IF "table" IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'the table to capture must not be NULL';
    END IF;
    PERFORM waybill.check_capturable("table", key);
    printed := waybill.parse_condition("table", condition, false);
    -- Nothing to do, and no lock to take, when all is there already.
    SELECT (SELECT coalesce(string_agg(quote_literal(k), ', ' ORDER BY o), '')
            FROM waybill.trigger_arguments(t.arguments) WITH ORDINALITY a (k, o)) INTO present
        FROM waybill.capture_trigger t WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0;
    SELECT t.condition INTO present_condition FROM waybill.capture_trigger t
        WHERE t.relation = "table" AND t.parent = 0 AND t.condition IS NOT NULL ORDER BY t.name LIMIT 1;
    IF present = arguments AND present_condition IS NOT DISTINCT FROM printed AND NOT EXISTS (SELECT FROM waybill.capture_gaps("table") g WHERE g.repairable) THEN
        RETURN;
    END IF;
    PERFORM waybill.lock_for_ddl("table", CASE WHEN replaces AND (present_condition IS NULL OR printed IS NOT NULL)
                                               THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END);
    SELECT t.name INTO row_trigger
        FROM waybill.capture_trigger t WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0 ORDER BY t.oid LIMIT 1;
    IF row_trigger IS NULL THEN -- "!": it sorts before any name that users choose
        -- One that was dropped by other means left its condition.
        row_trigger := '!waybill_capture_' || coalesce(
            (SELECT substring(t.name::text FROM '^!waybill_condition_(.*)') FROM waybill.capture_trigger t
             WHERE t.relation = "table" AND t.parent = 0 AND t.condition IS NOT NULL ORDER BY t.name LIMIT 1),
            left(md5(gen_random_uuid()::text), 12));
    ELSIF NOT replaces THEN
        EXECUTE format('DROP TRIGGER %I ON %s', row_trigger, "table");
    END IF;
    IF NOT replaces THEN
        EXECUTE format('DROP TRIGGER IF EXISTS "!waybill_capture_before_truncate" ON %s', "table");
        EXECUTE format('DROP TRIGGER IF EXISTS "!waybill_capture_truncate" ON %s', "table");
    END IF;
    EXECUTE format('%s %I AFTER INSERT OR UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION waybill.capture(%s)', create_trigger, row_trigger, "table", arguments);
    EXECUTE format('%s "!waybill_capture_before_truncate" BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION waybill.capture_truncate()', create_trigger, "table");
    EXECUTE format('%s "!waybill_capture_truncate" AFTER TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION waybill.capture_truncate()', create_trigger, "table");
    -- ALWAYS: also under session_replication_role = replica and in logical replication's apply.
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER "!waybill_capture_before_truncate",
                    ENABLE ALWAYS TRIGGER "!waybill_capture_truncate"', "table", row_trigger);
    PERFORM waybill.set_condition("table", row_trigger, printed, replaces);
    PERFORM waybill.complete_partitions("table");
END
$$;
COMMENT ON FUNCTION waybill.enable_capture IS
    'captures the changes of a table from now on; key: columns to publish under instead of the primary key; condition: of rows that are captured';

CREATE FUNCTION waybill.disable_capture("table" regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    own name;
BEGIN
    IF NOT EXISTS (SELECT FROM waybill.capture_trigger WHERE relation = "table" AND parent = 0) THEN
        RETURN;
    END IF;
    PERFORM waybill.lock_for_ddl("table", 'ACCESS EXCLUSIVE');
    FOR own IN SELECT t.name FROM waybill.capture_trigger t
               WHERE t.relation = "table" AND t.parent = 0
                 AND (t.kind <> 'before truncate' -- which a partition needs as long as an ancestor is captured
                      OR NOT EXISTS (SELECT FROM waybill.capture_trigger a WHERE a.relation = "table" AND a.parent <> 0))
               ORDER BY t.kind = 'condition' -- last: see after_drop()
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', own, "table");
    END LOOP;
    PERFORM waybill.tidy_partitions();
END
$$;
COMMENT ON FUNCTION waybill.disable_capture IS 'stops the capture of a table; what was captured is still shipped';

-- PostgreSQL clones row triggers to partitions, but not the one that sees the TRUNCATE of a partition by itself. As the
-- extension's owner: partitions may belong to others than their root. Waits for nobody: what is in use stays as it is,
-- and captured_tables says so. (enable_capture() has its locks already.)
CREATE FUNCTION waybill.complete_partitions("table" regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    leaf record;
BEGIN
    FOR leaf IN SELECT p.relid AS name, t.enabled
                FROM pg_partition_tree("table") p JOIN pg_class c ON c.oid = p.relid
                LEFT JOIN waybill.capture_trigger t ON t.relation = p.relid AND t.kind = 'before truncate'
                WHERE c.relkind = 'r' AND t.enabled IS DISTINCT FROM 'A'
                  AND EXISTS (SELECT FROM waybill.capture_trigger r WHERE r.relation = p.relid AND r.kind = 'row')
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE NOWAIT', leaf.name);
            IF leaf.enabled IS NULL THEN
                EXECUTE format('CREATE TRIGGER "!waybill_capture_before_truncate" BEFORE TRUNCATE ON %s
                                FOR EACH STATEMENT EXECUTE FUNCTION waybill.capture_truncate()', leaf.name);
            END IF;
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!waybill_capture_before_truncate"', leaf.name);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill.complete_partitions IS 'lets the TRUNCATE of a single partition of a captured table be captured';

CREATE FUNCTION waybill.tidy_partitions() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    unused record;
BEGIN
    FOR unused IN SELECT t.relation::regclass AS name, t.name AS trigger FROM waybill.capture_trigger t
                  WHERE t.kind = 'before truncate'
                    AND NOT EXISTS (SELECT FROM waybill.capture_trigger r WHERE r.relation = t.relation AND r.kind <> t.kind)
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE NOWAIT', unused.name);
            EXECUTE format('DROP TRIGGER %I ON %s', unused.trigger, unused.name);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill.tidy_partitions IS 'drops what complete_partitions() created on tables that no longer need it';

CREATE VIEW waybill.captured_tables AS
SELECT t.relation::regclass AS "table",
       waybill.key_columns(t.relation) AS key,
       (SELECT c.condition FROM waybill.capture_trigger c
        WHERE c.relation = t.relation AND c.parent = 0 AND c.condition IS NOT NULL ORDER BY c.name LIMIT 1) AS condition,
       coalesce(
           (SELECT g.problem FROM waybill.capture_gaps(t.relation) g LIMIT 1),
           CASE
               WHEN EXISTS (SELECT FROM waybill.trigger_arguments(t.arguments) k
                            WHERE NOT EXISTS (SELECT FROM pg_attribute a
                                              WHERE a.attrelid = t.relation AND a.attname = k AND a.attnum > 0
                                                AND NOT a.attisdropped))
                   THEN 'a key column is gone: published without a key; run enable_capture() with the new key'
               WHEN waybill.key_columns(t.relation) = '{}'
                   THEN 'no primary key: published without a key; add one or name columns with key =>'
           END) AS problem
FROM waybill.capture_trigger t
WHERE t.kind = 'row' AND t.parent = 0;
COMMENT ON VIEW waybill.captured_tables IS 'captured tables, their keys and conditions, and what is wrong with their capture';

---------------------------------------------------------------------------------------------------------------------
-- DDL: what others do to captured tables
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.captured_ancestors(relation oid) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE origin AS (
        SELECT t.relation, t.parent FROM waybill.capture_trigger t
        WHERE t.relation = captured_ancestors.relation AND t.kind = 'row'
      UNION
        SELECT t.relation, t.parent FROM origin o JOIN waybill.capture_trigger t ON t.oid = o.parent)
    SELECT o.relation::regclass FROM origin o WHERE o.parent = 0
    $$;
COMMENT ON FUNCTION waybill.captured_ancestors IS 'captured tables that a table is, or is a partition of';

CREATE FUNCTION waybill.warn_of_gaps("table" regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    problem text;
BEGIN
    IF current_setting('waybill.ddl_warnings', true) = 'off' THEN
        RETURN;
    END IF;
    SELECT g.problem INTO problem FROM waybill.capture_gaps("table") g LIMIT 1;
    IF problem IS NOT NULL THEN
        RAISE WARNING USING MESSAGE = format('table %s is not fully captured: %s', "table", problem);
    END IF;
END
$$;
COMMENT ON FUNCTION waybill.warn_of_gaps IS 'says in the session what is wrong with the capture of a table';

-- Called by watch_ddl() for what may concern capture. It must fail nobody's DDL.
CREATE FUNCTION waybill.after_ddl(new_partition boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    captured regclass;
BEGIN
    FOR captured IN SELECT DISTINCT a FROM pg_event_trigger_ddl_commands() c, waybill.captured_ancestors(c.objid) a
                    WHERE c.classid = 'pg_class'::regclass
    LOOP
        IF new_partition THEN
            PERFORM waybill.complete_partitions(captured);
        ELSE
            PERFORM waybill.tidy_partitions(); -- one was detached, perhaps
        END IF;
        PERFORM waybill.warn_of_gaps(captured);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING MESSAGE = format('could not check the capture of altered tables: %s', SQLERRM),
        HINT = 'Look at waybill.captured_tables.';
END
$$;
COMMENT ON FUNCTION waybill.after_ddl IS 'completes the capture of new partitions, and warns';

CREATE FUNCTION waybill.watch_ddl() RETURNS event_trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_watch_ddl';
COMMENT ON FUNCTION waybill.watch_ddl() IS 'calls after_ddl() when a statement may concern capture';

-- Called by watch_drop() when a trigger was dropped, or what others may have depended on. Without its condition all rows of
-- a table would be captured: who wants that has to say so.
CREATE FUNCTION waybill.after_drop(of_trigger boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    warns CONSTANT boolean := of_trigger AND current_setting('waybill.ddl_warnings', true) IS DISTINCT FROM 'off';
    dropped record;
    unconditional regclass;
BEGIN
    BEGIN
        FOR dropped IN SELECT to_regclass(format('%I.%I', address_names[1], address_names[2])) AS "table",
                              bool_or(original AND starts_with(address_names[3], '!waybill_capture')) AS captures,
                              array_agg(address_names[3]) AS names
                       FROM pg_event_trigger_dropped_objects()
                       WHERE object_type = 'trigger' AND starts_with(address_names[3], '!waybill_') GROUP BY 1
        LOOP
            IF EXISTS (SELECT FROM waybill.capture_trigger t WHERE t.relation = dropped."table" AND t.kind = 'row'
                       AND t.parent = 0 AND waybill.condition_name(t.name) = ANY (dropped.names)) THEN
                unconditional := dropped."table";
            ELSIF NOT warns OR NOT dropped.captures THEN
                CONTINUE;
            ELSIF EXISTS (SELECT FROM waybill.capture_trigger t WHERE t.relation = dropped."table" AND t.kind = 'row') THEN
                PERFORM waybill.warn_of_gaps(a) FROM waybill.captured_ancestors(dropped."table") a;
            ELSIF dropped."table" IS NOT NULL THEN
                RAISE WARNING USING
                    MESSAGE = format('table %s is no longer captured: its trigger was dropped', dropped."table"),
                    HINT = 'waybill.enable_capture() captures it again.';
            END IF;
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING USING MESSAGE = format('could not check what the dropped trigger captured: %s', SQLERRM),
            HINT = 'Look at waybill.captured_tables.';
    END;
    IF unconditional IS NOT NULL THEN
        RAISE dependent_objects_still_exist USING
            MESSAGE = format('cannot drop the condition for the capture of table %s', unconditional),
            DETAIL = 'All its rows would be captured.',
            HINT = 'Give it another condition, or none, with waybill.enable_capture() first.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill.after_drop IS
    'warns when a trigger of a captured table was dropped by other means than disable_capture(), and keeps its condition';

CREATE FUNCTION waybill.watch_drop() RETURNS event_trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_watch_drop';
COMMENT ON FUNCTION waybill.watch_drop() IS 'calls after_drop() when what was dropped may concern capture';

---------------------------------------------------------------------------------------------------------------------
-- Reading the log: what a shipper calls
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.safe_csn(after bigint DEFAULT NULL, wait_ms integer DEFAULT 0) RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'waybill_safe_csn';
COMMENT ON FUNCTION waybill.safe_csn IS
    'a csn C such that every statement that starts after the call sees all changes with csn <= C; waits up to wait_ms for one greater than after, itself such a csn, and up to 2 s more for those who are committing';

CREATE FUNCTION waybill.fetch(after_csn bigint, after_chunk integer, upto bigint, max_bytes integer DEFAULT 4194304,
                              OUT csn bigint, OUT chunk integer, OUT chunks integer, OUT changes integer,
                              OUT timeline integer, OUT xid xid, OUT committed_at timestamptz, OUT payload bytea)
    RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'waybill_fetch';
COMMENT ON FUNCTION waybill.fetch IS
    'chunks of the log behind (after_csn, after_chunk) up to csn upto, in order, all of them durable; at least one if there is one, then until max_bytes';

CREATE FUNCTION waybill.utf8(text text) RETURNS bytea
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'waybill_utf8';
COMMENT ON FUNCTION waybill.utf8 IS
    'text as the log has it: UTF-8, with each byte that is no character of Unicode as one of U+F780 to U+F7FF';

CREATE FUNCTION waybill.stream_id(stream text) RETURNS integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id integer;
BEGIN
    SELECT s.id INTO found_id FROM waybill.stream s WHERE s.name = stream_id.stream;
    IF found_id IS NULL THEN
        RAISE undefined_object USING MESSAGE = format('stream "%s" does not exist', stream),
            HINT = 'Create it with waybill.create_stream().';
    END IF;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION waybill.stream_id IS 'number of a stream; error when there is none of the name';

CREATE FUNCTION waybill.sequence_value(sequence text) RETURNS bigint
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_sequence_value';
COMMENT ON FUNCTION waybill.sequence_value IS
    'value of one of the extension''s sequences, read without a lock that safe_csn() would wait for';

CREATE FUNCTION waybill.released_csn() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT greatest(waybill.sequence_value('released_seq'), (SELECT max(r.csn) FROM waybill.released r)) $$;
COMMENT ON FUNCTION waybill.released_csn IS 'the csn up to which readers were let read while transactions were prepared';

CREATE FUNCTION waybill.last_csn() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT greatest(waybill.sequence_value('commit_seq'), waybill.released_csn()) $$;
COMMENT ON FUNCTION waybill.last_csn IS 'the last csn that was drawn, or given to a prepared transaction';

-- The places of prepared transactions (the rule was proved by exhaustive search: test/model/commit_order.py). What a
-- prepared transaction depends on was numbered before its PREPARE. What depends on it was numbered after its COMMIT
-- PREPARED, which is after every release that did not see it: so its place is its own number, or, when readers were
-- let past that already, right behind what they were let read.
--
-- Moving its changes there takes effect when the caller commits, so then, and not earlier, must the new limit: a row says
-- it. When nothing was moved the sequence can say it at once.
CREATE FUNCTION waybill.release(drawn bigint, timeline integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    room CONSTANT bigint := 10000;
    released bigint;
    place bigint;
    prepared record;
    moved boolean := false;
BEGIN
    LOCK TABLE waybill.released IN EXCLUSIVE MODE;
    released := waybill.released_csn();
    place := released;
    FOR prepared IN
        SELECT tableoid::regclass AS slot, csn, chunks, xid FROM waybill.prepared_log
        WHERE chunk = 0 AND csn <= drawn ORDER BY csn -- others may have ordinary ones before them that are not visible yet
    LOOP
        place := greatest(prepared.csn, place + 1);
        IF prepared.csn < place AND place % room = 0 THEN -- PREPARE refuses when so many could be in flight
            RAISE internal_error USING MESSAGE = format('no csn is left for a prepared transaction behind %s', released);
        END IF;
        EXECUTE format('WITH taken AS (DELETE FROM %s p USING generate_series(0, $2 - 1) c
                                       WHERE p.chunk = c AND p.csn = $1 RETURNING p.*)
                        INSERT INTO waybill.segment_%s (csn, committed_at, chunk, chunks, changes, timeline, xid, payload)
                        SELECT $3, $4, chunk, chunks, changes, $5, xid, payload FROM taken',
                       prepared.slot, waybill.sequence_value('segment_seq') % 8)
            USING prepared.csn, prepared.chunks, place, waybill.committed_at(prepared.xid),
                  -- that of the change behind it, so that positions grow
                  coalesce((SELECT l.timeline FROM waybill.change_log l WHERE l.csn > place ORDER BY l.csn LIMIT 1),
                           release.timeline);
        moved := true;
    END LOOP;
    place := greatest(place, drawn);
    IF moved THEN
        INSERT INTO waybill.released VALUES (place);
    ELSIF place > released THEN
        PERFORM setval('waybill.released_seq', place);
    END IF;
    RETURN place;
END
$$;
COMMENT ON FUNCTION waybill.release IS
    'gives the prepared transactions that are committed their places; returns the csn up to which the log can be read then';

-- PostgreSQL only keeps it with track_commit_timestamp; else it is a little later.
CREATE FUNCTION waybill.committed_at(xid xid) RETURNS timestamptz
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('track_commit_timestamp')::boolean THEN
        RETURN coalesce(pg_xact_commit_timestamp(xid), clock_timestamp());
    END IF;
    RETURN clock_timestamp();
END
$$;
COMMENT ON FUNCTION waybill.committed_at IS 'when a prepared transaction was committed, as far as the server knows';

CREATE FUNCTION waybill.acknowledged(stream text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT waybill.sequence_value(format('stream_%s_acknowledged_seq', waybill.stream_id(stream))) $$;
COMMENT ON FUNCTION waybill.acknowledged IS 'the csn up to which a stream is acknowledged';

CREATE FUNCTION waybill.acknowledge(stream text, csn bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id CONSTANT integer := waybill.stream_id(stream);
BEGIN
    IF csn > waybill.last_csn() THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('cannot acknowledge csn %s: the last one is %s', csn, waybill.last_csn()),
            HINT = 'The position was taken from another database, or from before a restore.';
    END IF;
    IF csn > waybill.acknowledged(stream) THEN
        PERFORM setval(format('waybill.stream_%s_acknowledged_seq', id), csn);
    END IF;
    PERFORM setval(format('waybill.stream_%s_acknowledged_at_seq', id),
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
END
$$;
COMMENT ON FUNCTION waybill.acknowledge IS
    'says that all changes up to csn are safe at their destination: the log may forget them; never moves back';

CREATE FUNCTION waybill.acknowledged_by_all() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(min(waybill.acknowledged(s.name)), waybill.last_csn()) FROM waybill.stream s
    $$;
COMMENT ON FUNCTION waybill.acknowledged_by_all IS 'the csn up to which every stream is acknowledged';

-- Rotation and reclaim (proved by exhaustive search of all interleavings):
-- a writer takes its csn first, then reads the segment number. To rotate, the next slot must be free; the segment number
-- moves on; then upto = the last csn there is. Whoever still writes to the closed segment has a csn <= upto, so once every
-- stream acknowledged upto, nobody can write there and all it holds is acknowledged: TRUNCATE. (Whoever places prepared
-- transactions writes there under a csn between those drawn: it is kept out by the lock on waybill.released.)
CREATE FUNCTION waybill.maintain(idle boolean DEFAULT false) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    filling CONSTANT bigint := 9223372036854775807;
    full_size bigint;
    current bigint;
    next_slot bigint;
    acknowledged bigint;
    upto bigint;
    size bigint;
    emptied integer := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE active_sql_transaction USING MESSAGE = 'waybill.maintain() needs a READ COMMITTED transaction',
            DETAIL = 'It must see all streams that there are now.';
    END IF;
    -- create_stream() and drop_stream() take the first lock too, safe_csn() may take the second; no other role may.
    IF NOT waybill.try_lock('waybill.stream', 'SHARE UPDATE EXCLUSIVE')
        OR NOT waybill.try_lock('waybill.released', 'EXCLUSIVE') THEN
        RETURN 0;
    END IF;
    acknowledged := waybill.acknowledged_by_all();
    full_size := pg_size_bytes(current_setting('waybill.segment_size')); -- known since the call before loaded the library

    -- First the rotation: a segment that this call empties is locked to its end, and no writer may have to wait for it.
    current := waybill.sequence_value('segment_seq');
    size := pg_relation_size(format('waybill.segment_%s', current % 8)::regclass);
    next_slot := (current + 1) % 8;
    IF (size >= full_size OR idle AND size > 0 AND acknowledged >= waybill.last_csn())
        AND waybill.sequence_value(format('segment_%s_upto_seq', next_slot)) = 0 THEN
        PERFORM setval(format('waybill.segment_%s_upto_seq', next_slot), filling);
        PERFORM setval('waybill.segment_seq', current + 1);
        PERFORM setval(format('waybill.segment_%s_upto_seq', current % 8), greatest(waybill.last_csn(), 1));
        current := current + 1;
    END IF;

    FOR slot IN 0..7 LOOP
        CONTINUE WHEN slot = current % 8;
        upto := waybill.sequence_value(format('segment_%s_upto_seq', slot));
        IF upto = filling THEN -- closed by a rotation that did not come to its end
            upto := waybill.last_csn();
            PERFORM setval(format('waybill.segment_%s_upto_seq', slot), upto);
        END IF;
        -- The slot is marked free before the TRUNCATE commits, which only matters here, under the locks. If the TRUNCATE
        -- fails, old rows stay until the slot's next turn, all of them acknowledged.
        IF upto > 0 AND acknowledged >= upto
            AND waybill.try_lock(format('waybill.segment_%s', slot), 'ACCESS EXCLUSIVE') THEN
            EXECUTE format('TRUNCATE ONLY waybill.segment_%s', slot);
            PERFORM setval(format('waybill.segment_%s_upto_seq', slot), 0);
            emptied := emptied + 1;
        END IF;
    END LOOP;
    PERFORM waybill.maintain_prepared_log(CASE WHEN idle THEN 1 ELSE full_size END);
    RETURN emptied;
END
$$;
COMMENT ON FUNCTION waybill.maintain IS
    'goes on to the next segment when the current one is full (idle: when it is not empty), empties those that every stream acknowledged; waits for nobody; returns how many it emptied';

-- A transaction keeps the lock on the slot that it wrote to from PREPARE to COMMIT PREPARED: who gets the slot's strongest
-- lock, and then sees nothing in it, has it for himself. Which slot is the current one is no more than a hint.
CREATE FUNCTION waybill.maintain_prepared_log(full_size bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current CONSTANT bigint := waybill.sequence_value('prepared_slot_seq');
    other CONSTANT text := format('waybill.prepared_%s', 1 - current);
    nothing_in_it boolean;
BEGIN
    IF pg_relation_size(other::regclass) > 0 AND waybill.try_lock(other, 'ACCESS EXCLUSIVE') THEN
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM ONLY %s)', other) INTO nothing_in_it;
        IF nothing_in_it THEN
            EXECUTE format('TRUNCATE ONLY %s', other);
        END IF;
    END IF;
    IF pg_relation_size(other::regclass) = 0
        AND pg_relation_size(format('waybill.prepared_%s', current)::regclass) >= full_size THEN
        PERFORM setval('waybill.prepared_slot_seq', 1 - current);
    END IF;
    IF pg_relation_size('waybill.released') >= full_size AND waybill.try_lock('waybill.released', 'ACCESS EXCLUSIVE') THEN
        PERFORM setval('waybill.released_seq', waybill.released_csn());
        TRUNCATE waybill.released;
    END IF;
END
$$;
COMMENT ON FUNCTION waybill.maintain_prepared_log IS 'empties what of the prepared log was moved to its place; called by maintain()';

CREATE FUNCTION waybill.try_lock("table" text, mode text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('LOCK TABLE ONLY %s IN %s MODE NOWAIT', "table", mode);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false; -- pg_dump, perhaps: nobody must queue up behind us
END
$$;
COMMENT ON FUNCTION waybill.try_lock IS 'locks a table of the extension, given as it is written in SQL, unless that has to wait';

---------------------------------------------------------------------------------------------------------------------
-- Streams
---------------------------------------------------------------------------------------------------------------------

-- A stream's sequences come and go with its row, also when pg_restore copies the row.
CREATE FUNCTION waybill.stream_created() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    position CONSTANT text := format('waybill.stream_%s_acknowledged_seq', NEW.id);
    moved_at CONSTANT text := format('waybill.stream_%s_acknowledged_at_seq', NEW.id);
BEGIN
    -- A dump's "default" that is not the first one any more: it had been dropped and created anew.
    DELETE FROM waybill.stream s WHERE s.name = NEW.name AND s.id = 1;
    EXECUTE format('CREATE SEQUENCE %s AS bigint MINVALUE 0 START 0', position);
    EXECUTE format('CREATE SEQUENCE %s AS bigint MINVALUE 0 START 0', moved_at);
    -- Prepared transactions to come get their place behind what safe_csn() returns. (Before the first transaction, as in
    -- CREATE EXTENSION, nothing has to be waited for.)
    PERFORM setval(position, CASE WHEN waybill.last_csn() = 0 THEN 0 ELSE waybill.safe_csn() END), setval(moved_at, 0);
    IF NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e' -- as in CREATE EXTENSION
                   AND objid = position::regclass) THEN
        EXECUTE format('ALTER EXTENSION waybill ADD SEQUENCE %s', position);
        EXECUTE format('ALTER EXTENSION waybill ADD SEQUENCE %s', moved_at);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION waybill.stream_created IS 'makes the sequences of a new stream; a trigger of waybill.stream';

CREATE FUNCTION waybill.stream_dropped() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER EXTENSION waybill DROP SEQUENCE waybill.stream_%s_acknowledged_seq', OLD.id);
    EXECUTE format('ALTER EXTENSION waybill DROP SEQUENCE waybill.stream_%s_acknowledged_at_seq', OLD.id);
    EXECUTE format('DROP SEQUENCE waybill.stream_%1$s_acknowledged_seq, waybill.stream_%1$s_acknowledged_at_seq', OLD.id);
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION waybill.stream_dropped IS 'drops the sequences of a stream; a trigger of waybill.stream';

CREATE TRIGGER created BEFORE INSERT ON waybill.stream FOR EACH ROW EXECUTE FUNCTION waybill.stream_created();
CREATE TRIGGER dropped BEFORE DELETE ON waybill.stream FOR EACH ROW EXECUTE FUNCTION waybill.stream_dropped();
ALTER TABLE waybill.stream ENABLE ALWAYS TRIGGER created, ENABLE ALWAYS TRIGGER dropped;

CREATE FUNCTION waybill.create_stream(name text, tables text[] DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id integer;
BEGIN
    IF EXISTS (SELECT FROM waybill.stream s WHERE s.name = create_stream.name) THEN
        RAISE duplicate_object USING MESSAGE = format('stream "%s" already exists', name);
    END IF;
    -- Until this transaction ends nothing is reclaimed that the new stream is to get.
    LOCK TABLE waybill.stream IN SHARE UPDATE EXCLUSIVE MODE;
    INSERT INTO waybill.stream (id, name, tables)
    VALUES (nextval('waybill.stream_id_seq'), create_stream.name, create_stream.tables) RETURNING id INTO new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION waybill.create_stream IS
    'creates a stream of the transactions that enter their commit from now on; tables: schema.table names, NULL for all';

CREATE FUNCTION waybill.drop_stream(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_id CONSTANT integer := waybill.stream_id(name);
BEGIN
    LOCK TABLE waybill.stream IN SHARE UPDATE EXCLUSIVE MODE;
    IF NOT pg_try_advisory_xact_lock(2003790188, old_id) THEN
        RAISE object_in_use USING MESSAGE = format('stream "%s" is being shipped', name), HINT = 'Stop its shipper first.';
    END IF;
    DELETE FROM waybill.stream WHERE id = old_id;
END
$$;
COMMENT ON FUNCTION waybill.drop_stream IS 'drops a stream: the log no longer keeps anything for it';

---------------------------------------------------------------------------------------------------------------------
-- Looking at it
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.decode(stream bytea, OUT index bigint, OUT "table" text, OUT op text, OUT key jsonb,
                               OUT before jsonb, OUT after jsonb, OUT context text)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'waybill_decode';
COMMENT ON FUNCTION waybill.decode IS 'changes in the record stream of one transaction';

CREATE VIEW waybill.changes AS
SELECT t.csn, d.index, t.xid, t.committed_at, d."table", d.op, d.key, d.before, d.after, d.context
FROM (SELECT csn, (array_agg(xid))[1] AS xid, min(committed_at) AS committed_at,
             string_agg(payload, '' ORDER BY chunk) AS stream
      FROM (SELECT * FROM waybill.change_log UNION ALL SELECT * FROM waybill.prepared_log) l GROUP BY csn) t,
     waybill.decode(t.stream) d
ORDER BY t.csn, d.index;
COMMENT ON VIEW waybill.changes IS
    'the changes that are in the log, for people and tests; acknowledged ones stay visible until their segment is emptied; those of a prepared transaction get their csn when a reader sees them';

CREATE FUNCTION waybill.stream_status(OUT stream text, OUT acknowledged_csn bigint, OUT last_csn bigint,
                                      OUT backlog_changes bigint, OUT backlog_bytes bigint,
                                      OUT oldest_unacknowledged_age interval, OUT last_acknowledged_at timestamptz,
                                      OUT segments_in_use integer, OUT log_bytes bigint, OUT connected boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.name, p.acknowledged, waybill.last_csn(),
           coalesce(b.changes, 0), coalesce(b.bytes, 0), clock_timestamp() - b.oldest,
           CASE WHEN p.acknowledged_at > 0 THEN to_timestamp(p.acknowledged_at / 1000000.0) END,
           l.segments::integer, l.bytes::bigint,
           EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 2003790188
                   AND objid = s.id AND objsubid = 2
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    FROM waybill.stream s
    CROSS JOIN LATERAL (
        SELECT waybill.sequence_value(format('stream_%s_acknowledged_seq', s.id)) AS acknowledged,
               waybill.sequence_value(format('stream_%s_acknowledged_at_seq', s.id)) AS acknowledged_at) p
    CROSS JOIN LATERAL (
        SELECT sum(c.changes)::bigint AS changes, sum(octet_length(c.payload))::bigint AS bytes,
               min(c.committed_at) AS oldest
        FROM (SELECT * FROM waybill.change_log WHERE csn > p.acknowledged
              UNION ALL SELECT * FROM waybill.prepared_log) c) b
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE inhparent = 'waybill.change_log'::regclass AND pg_relation_size(inhrelid) > 0)
                   AS segments,
               sum(pg_total_relation_size(inhrelid)) AS bytes
        FROM pg_inherits WHERE inhparent IN ('waybill.change_log'::regclass, 'waybill.prepared_log'::regclass)) l
$$;
COMMENT ON FUNCTION waybill.stream_status IS 'what waybill.status shows';

CREATE VIEW waybill.status AS SELECT * FROM waybill.stream_status();
COMMENT ON VIEW waybill.status IS
    'per stream: backlog, age of its oldest change, last acknowledgement, log size, whether a shipper is connected';

---------------------------------------------------------------------------------------------------------------------
-- Privileges
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.grant_shipper(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA waybill TO %s', role);
    EXECUTE format('GRANT SELECT ON waybill.source, waybill.stream, waybill.shape, waybill.status TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION waybill.safe_csn, waybill.fetch, waybill.utf8, waybill.acknowledged,
                    waybill.acknowledge, waybill.maintain, waybill.stream_status TO %s', role);
END
$$;
COMMENT ON FUNCTION waybill.grant_shipper IS 'lets a role run the shipper: read the log and acknowledge, nothing else';

CREATE FUNCTION waybill.grant_capture(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA waybill TO %s', role);
    EXECUTE format('GRANT SELECT ON waybill.captured_tables, waybill.capture_trigger TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION waybill.enable_capture, waybill.disable_capture, waybill.check_capturable,
                    waybill.lock_for_ddl, waybill.trigger_arguments, waybill.key_columns, waybill.capture_gaps,
                    waybill.parse_condition, waybill.condition_name, waybill.set_condition, waybill.complete_partitions,
                    waybill.tidy_partitions, waybill.capture, waybill.capture_condition, waybill.capture_truncate
                    TO %s', role);
END
$$;
COMMENT ON FUNCTION waybill.grant_capture IS 'lets a role capture the tables that it owns';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA waybill FROM PUBLIC;

SELECT waybill.create_stream('default');

-- ALWAYS: whatever session_replication_role says, partitions are to be captured whole.
CREATE EVENT TRIGGER waybill_watch_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE') EXECUTE FUNCTION waybill.watch_ddl();
CREATE EVENT TRIGGER waybill_watch_drop ON sql_drop EXECUTE FUNCTION waybill.watch_drop();
ALTER EVENT TRIGGER waybill_watch_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER waybill_watch_drop ENABLE ALWAYS;
