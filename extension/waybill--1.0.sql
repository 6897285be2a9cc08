-- waybill 1.0: change data capture into a transactional change log.
\echo Use "CREATE EXTENSION waybill" to load this file. \quit

-- Two schemas: "waybill" is for people and shippers. In "waybill_internal", the log and what works on it, nobody but the
-- extension's owner has USAGE: what cannot be named can be neither called nor locked.
CREATE SCHEMA waybill_internal;

-- Whatever somebody had put into our schemas could be called in our place.
DO $$
DECLARE
    schema record;
BEGIN
    SELECT n.oid, n.nspowner, n.nspacl, n.xmin OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id()::pg_catalog.xid AS is_new
        INTO STRICT schema FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'waybill';
    IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) schema.nspowner)
        OR NOT schema.is_new
           AND EXISTS (SELECT FROM pg_catalog.aclexplode(schema.nspacl) a
                       WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' AND a.grantee OPERATOR(pg_catalog.<>) schema.nspowner)
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                     AND d.refobjid OPERATOR(pg_catalog.=) schema.oid
                     AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
        RAISE insufficient_privilege USING MESSAGE = 'schema "waybill" exists already, and is not empty or not a superuser''s alone',
            DETAIL = 'What others put there could be called in place of the extension''s functions.',
            HINT = 'Drop or rename it first.';
    END IF;
END
$$;

---------------------------------------------------------------------------------------------------------------------
-- The log
---------------------------------------------------------------------------------------------------------------------

-- Tells databases apart in positions, also a restored dump from its original, and a copy by CREATE DATABASE ... TEMPLATE,
-- which has an oid of its own. (As has one that pg_upgrade moved to PostgreSQL 13 or 14; from 15 on it keeps the oid.)
CREATE TABLE waybill_internal.original_source (id uuid NOT NULL, database oid NOT NULL);
CREATE VIEW waybill.source AS
SELECT CASE WHEN s.database = d.oid THEN s.id ELSE pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(s.id, '/', d.oid), 'UTF8')), 'hex'), 32)::uuid END AS id,
       s.id AS original_id
FROM waybill_internal.original_source s, pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database();
COMMENT ON VIEW waybill.source IS
    'the id of this database in positions; the original_id is another in a copy by CREATE DATABASE ... TEMPLATE, and after pg_upgrade to PostgreSQL 13 or 14';

-- The commit order: each transaction that changed captured tables draws its commit sequence number (csn) at pre-commit
-- and holds the sequence's lock until it is visible; see safe_csn(). The numbers between are for the places of prepared
-- transactions; see release().
CREATE SEQUENCE waybill_internal.commit_seq AS bigint INCREMENT 10000 MINVALUE 0 START 0 CACHE 1;
SELECT pg_catalog.setval('waybill_internal.commit_seq', 0);

-- What a reader must know of a table to understand its changes. Immutable; changes carry the id.
CREATE TABLE waybill_internal.shape (
    id integer NOT NULL,
    digest bytea NOT NULL,     -- SHA-256 of the definition's text, for look-up; equal definitions may have several ids
    relation oid NOT NULL,     -- as in the definition, which is long to read, as the next two
    schema name NOT NULL,
    "table" name NOT NULL,
    definition json NOT NULL   -- relation, schema, table, key, columns
);
CREATE INDEX shape_digest_idx ON waybill_internal.shape (digest);
CREATE INDEX shape_id_idx ON waybill_internal.shape (id);
CREATE SEQUENCE waybill_internal.shape_id_seq AS integer CACHE 1;
CREATE VIEW waybill.shape AS SELECT id, relation, schema, "table", definition FROM waybill_internal.shape;
COMMENT ON VIEW waybill.shape IS 'what the changes in the log were made of: tables with their keys and columns as they were';

-- The log: the concatenated payloads of a transaction are its stream of change records (extension/change_record.hpp).
-- The order of the columns is known to the C++ code (extension/log_row.hpp).
CREATE TABLE waybill_internal.change_log (
    csn bigint NOT NULL,
    committed_at timestamptz NOT NULL, -- when the transaction entered its commit
    chunk integer NOT NULL,            -- number of this chunk in its transaction, from 0
    chunks integer NOT NULL,           -- of the transaction
    changes integer NOT NULL,          -- that start in this chunk
    timeline integer NOT NULL,         -- of the server that wrote it
    xid xid NOT NULL,
    payload bytea NOT NULL
);
ALTER TABLE waybill_internal.change_log ALTER COLUMN payload SET STORAGE PLAIN; -- a chunk fits a page: no TOAST

-- A ring of segments, filled in turn and emptied as by TRUNCATE, so that no snapshot can keep what was acknowledged.
-- Nothing is ever deleted in them, so there is nothing to vacuum.
DO $$
BEGIN
    FOR slot IN 0..7 LOOP
        EXECUTE pg_catalog.format(
            'CREATE TABLE waybill_internal.segment_%1$s () INHERITS (waybill_internal.change_log) WITH (autovacuum_enabled = false)', slot);
        EXECUTE pg_catalog.format('ALTER TABLE waybill_internal.segment_%1$s ALTER COLUMN payload SET STORAGE PLAIN', slot);
        EXECUTE pg_catalog.format('CREATE INDEX segment_%1$s_idx ON waybill_internal.segment_%1$s (csn, chunk)', slot);
        -- The csn at which all that the segment can hold is acknowledged: 0 when it is free, the largest bigint while it
        -- is being filled.
        EXECUTE pg_catalog.format('CREATE SEQUENCE waybill_internal.segment_%1$s_upto_seq AS bigint MINVALUE 0 START 0', slot);
        PERFORM pg_catalog.setval(pg_catalog.format('waybill_internal.segment_%s_upto_seq', slot), 0);
    END LOOP;
END
$$;

-- The generation that is being filled; its table is segment_<generation mod 8>. Like all hot state a sequence: setval
-- changes it in place, at once, and cannot bloat.
CREATE SEQUENCE waybill_internal.segment_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill_internal.segment_seq', 0), pg_catalog.setval('waybill_internal.segment_0_upto_seq', 9223372036854775807);

-- The prepared log: changes of transactions that were prepared, until a reader gives them their place in the log: then a
-- row with chunk -1 says so. Two slots, filled in turn, so that one can be emptied when all in it have their place. Their
-- csn is the number that was drawn at PREPARE.
CREATE TABLE waybill_internal.prepared_log (LIKE waybill_internal.change_log INCLUDING STORAGE);
DO $$
BEGIN
    FOR slot IN 0..1 LOOP
        EXECUTE pg_catalog.format(
            'CREATE TABLE waybill_internal.prepared_%1$s () INHERITS (waybill_internal.prepared_log) WITH (autovacuum_enabled = false)', slot);
        EXECUTE pg_catalog.format('ALTER TABLE waybill_internal.prepared_%1$s ALTER COLUMN payload SET STORAGE PLAIN', slot);
        -- By chunk first: the first ones tell which transactions there are.
        EXECUTE pg_catalog.format('CREATE INDEX prepared_%1$s_idx ON waybill_internal.prepared_%1$s (chunk, csn)', slot);
    END LOOP;
END
$$;
CREATE FUNCTION waybill_internal.unplaced(OUT slot regclass, OUT csn bigint, OUT chunks integer, OUT xid xid) RETURNS SETOF record
    LANGUAGE c STABLE ROWS 10 AS 'MODULE_PATHNAME', 'waybill_unplaced';
COMMENT ON FUNCTION waybill_internal.unplaced IS 'prepared transactions that are committed and have no place in the log yet';
CREATE VIEW waybill_internal.unplaced_chunk AS
SELECT p.* FROM waybill_internal.unplaced() u JOIN waybill_internal.prepared_log p ON p.tableoid = u.slot AND p.csn = u.csn
WHERE p.chunk >= 0;
COMMENT ON VIEW waybill_internal.unplaced_chunk IS 'their changes';
CREATE SEQUENCE waybill_internal.prepared_slot_seq AS bigint MINVALUE 0 START 0; -- the slot that is being filled
SELECT pg_catalog.setval('waybill_internal.prepared_slot_seq', 0);

-- The csn up to which readers were let read while transactions were prepared: the greater of the sequence's value and of
-- the table's rows, for what has to be undone with the transaction that found it. Behind it is the place of a prepared
-- transaction with a smaller number. A lock that only the extension takes keeps out other readers meanwhile.
CREATE SEQUENCE waybill_internal.released_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill_internal.released_seq', 0);
CREATE TABLE waybill_internal.released (csn bigint NOT NULL);
CREATE INDEX released_csn_idx ON waybill_internal.released (csn);

-- The timelines that were written on, so that the ones in positions only grow (extension/change_log.hpp).
CREATE SEQUENCE waybill_internal.timeline_seq AS bigint MINVALUE 0 START 0;
SELECT pg_catalog.setval('waybill_internal.timeline_seq', 0);

-- Streams: each is read by one shipper and has its own acknowledged position, in sequences named after its id.
CREATE TABLE waybill.stream (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    tables text[] -- schema.table, as they were given; NULL: all
);
CREATE SEQUENCE waybill.stream_id_seq AS integer OWNED BY waybill.stream.id;
-- A dump has them; CREATE EXTENSION makes the first, "default".
SELECT pg_catalog.pg_extension_config_dump('waybill.stream', 'WHERE id <> 1');
SELECT pg_catalog.pg_extension_config_dump('waybill.stream_id_seq', '');

-- The tables that have, or had, the names that a stream was given: with the names that they have now, by which a restored
-- dump finds them.
CREATE TABLE waybill.stream_table (
    stream integer NOT NULL,
    relation oid,            -- NULL: there is none of the name
    schema name NOT NULL,
    "table" name NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('waybill.stream_table', '');

---------------------------------------------------------------------------------------------------------------------
-- Logical replication: a publication FOR ALL TABLES has our tables too. What happens in them is this database's own
-- affair: nothing of it is decoded, and what comes from another database is refused.
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill_internal.write_unseen() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_write_unseen';
COMMENT ON FUNCTION waybill_internal.write_unseen() IS
    'inserts rows so that logical decoding does not see them, and refuses what a subscription brings; a trigger of all tables of the extension';

CREATE FUNCTION waybill_internal.is_replicated() RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'waybill_is_replicated';
COMMENT ON FUNCTION waybill_internal.is_replicated IS 'whether a worker of a subscription is at work here';

CREATE FUNCTION waybill_internal.delete_unseen("table" regclass, "row" tid) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_delete_unseen';
COMMENT ON FUNCTION waybill_internal.delete_unseen IS 'deletes a row without telling subscribers';

CREATE FUNCTION waybill_internal.empty_table("table" text) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_empty_table';
COMMENT ON FUNCTION waybill_internal.empty_table IS
    'empties a table of waybill_internal as TRUNCATE does, without telling subscribers; its strongest lock is the caller''s';

-- Triggers fire in the order of their names, and write_unseen is to be the last before a row is stored.
DO $$
DECLARE
    own pg_catalog.regclass;
BEGIN
    FOR own IN SELECT oid FROM pg_catalog.pg_class
               WHERE relkind = 'r' AND relnamespace IN ('waybill'::pg_catalog.regnamespace, 'waybill_internal'::pg_catalog.regnamespace)
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER write_unseen BEFORE INSERT OR UPDATE OR DELETE ON %s
                                   FOR EACH ROW EXECUTE FUNCTION waybill_internal.write_unseen()', own);
        EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s
                                   FOR EACH STATEMENT EXECUTE FUNCTION waybill_internal.write_unseen()', own);
        EXECUTE pg_catalog.format('ALTER TABLE ONLY %s REPLICA IDENTITY NOTHING,
                                   ENABLE ALWAYS TRIGGER write_unseen, ENABLE ALWAYS TRIGGER refuse_truncate', own);
    END LOOP;
END
$$;

INSERT INTO waybill_internal.original_source
SELECT pg_catalog.gen_random_uuid(), oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database();

---------------------------------------------------------------------------------------------------------------------
-- Capture
---------------------------------------------------------------------------------------------------------------------

-- The trigger functions are for everybody, since PostgreSQL asks whoever makes a partition for EXECUTE when it clones the
-- triggers of its root. Triggers of one's own cannot be made with them: nobody can name them (and see guard_triggers()).
CREATE FUNCTION waybill_internal.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture';
COMMENT ON FUNCTION waybill_internal.capture() IS
    'records a row''s change; arguments: none, or "key" (all rows) or "when" (those that satisfy the condition) and the columns of the key, none for the primary key';

CREATE FUNCTION waybill_internal.capture_truncate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture_truncate';
COMMENT ON FUNCTION waybill_internal.capture_truncate() IS
    'records a TRUNCATE, of a partition by itself as the removal of its rows';

CREATE FUNCTION waybill_internal.capture_condition() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'waybill_capture_condition';
COMMENT ON FUNCTION waybill_internal.capture_condition() IS
    'does nothing; its trigger, which is disabled, keeps the condition that enable_capture() was given';

CREATE FUNCTION waybill_internal.trigger_arguments(tgargs bytea) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(convert_from(decode(argument[1], 'hex'), getdatabaseencoding()) ORDER BY place), '{}')
    FROM regexp_matches(encode(tgargs, 'hex'), '((?:(?!00)[0-9a-f]{2})+)00', 'g') WITH ORDINALITY m (argument, place)
    $$;
COMMENT ON FUNCTION waybill_internal.trigger_arguments IS
    'arguments of a trigger as pg_trigger.tgargs keeps them: each ends with a zero byte';

-- The triggers are told by their functions; what else is made with these (only superusers can) counts as "other" and does
-- nothing. Names of row triggers differ from table to table, also in a database restored from a dump: a partition gets
-- clones of its ancestors' triggers under their names beside its own.
CREATE VIEW waybill_internal.capture_trigger AS
SELECT oid, tgrelid AS relation, tgname AS name, tgenabled AS enabled, tgparentid AS parent, tgargs AS arguments, tgqual,
       CASE WHEN tgfoid = 'waybill_internal.capture_condition()'::regprocedure AND tgtype = 1 | 8 -- AFTER DELETE FOR EACH ROW, on OLD
            THEN pg_catalog.pg_get_expr(tgqual, tgrelid) END AS condition,
       CASE WHEN tgfoid = 'waybill_internal.capture()'::regprocedure
                 AND tgtype = 1 | 4 | 8 | 16 AND tgqual IS NULL AND tgattr = '' THEN 'row' -- AFTER INSERT OR UPDATE OR DELETE
            WHEN tgfoid = 'waybill_internal.capture_condition()'::regprocedure AND tgtype = 1 | 8 AND tgqual IS NOT NULL THEN 'condition'
            WHEN tgfoid = 'waybill_internal.capture_truncate()'::regprocedure AND tgtype = 2 | 32 THEN 'before truncate'
            WHEN tgfoid = 'waybill_internal.capture_truncate()'::regprocedure AND tgtype = 32 THEN 'after truncate'
            ELSE 'other' END AS kind
FROM pg_catalog.pg_trigger
WHERE tgfoid IN ('waybill_internal.capture()'::regprocedure, 'waybill_internal.capture_condition()'::regprocedure,
                 'waybill_internal.capture_truncate()'::regprocedure);
COMMENT ON VIEW waybill_internal.capture_trigger IS 'the triggers of captured tables and their partitions';

CREATE FUNCTION waybill_internal.is_heap(access_method oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT amhandler = 'heap_tableam_handler'::regproc FROM pg_am WHERE oid = access_method $$;
COMMENT ON FUNCTION waybill_internal.is_heap IS 'whether rows have what capture reads in them: the commands that made them';

CREATE FUNCTION waybill_internal.published_key("table" regclass, OUT key name[], OUT source text)
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'waybill_published_key';
COMMENT ON FUNCTION waybill_internal.published_key IS
    'key under which a captured table is published, and where it comes from; empty: it has none; NULL: it is not captured, or locked';

CREATE FUNCTION waybill_internal.condition_text(condition pg_node_tree, "table" regclass) RETURNS text
    LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'waybill_condition_text';
COMMENT ON FUNCTION waybill_internal.condition_text IS 'a condition as pg_get_expr() prints it; NULL: the table is locked';

CREATE FUNCTION waybill_internal.partitions(root regclass, OUT relation regclass, OUT is_leaf boolean) RETURNS SETOF record
    LANGUAGE c STRICT STABLE ROWS 100 AS 'MODULE_PATHNAME', 'waybill_partitions';
COMMENT ON FUNCTION waybill_internal.partitions IS
    'the partitions of a table, at all levels, without locking them as pg_partition_tree() does';

-- Tables and partitions whose rows are captured, once as a captured table and once as a partition of each that is.
CREATE VIEW waybill_internal.capture_part AS
SELECT t.relation, t.parent = 0 AS is_table, t.enabled, t.arguments, c.relkind, c.relpersistence, c.relam,
       CASE WHEN t.parent <> 0 THEN pg_catalog.format('partition %s: ', t.relation::regclass) ELSE '' END AS prefix
FROM waybill_internal.capture_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.relation
WHERE t.kind = 'row';

-- Where the rows of captured tables are, and the tables themselves.
CREATE VIEW waybill_internal.capture_place AS
SELECT t.relation AS captured, p.relation, t.relation = p.relation AS is_table
FROM waybill_internal.capture_part t
CROSS JOIN LATERAL (SELECT t.relation
                    UNION ALL
                    SELECT p.relation FROM waybill_internal.partitions(t.relation) p WHERE t.relkind = 'p' AND p.is_leaf) p
WHERE t.is_table;

-- One row per thing that keeps changes of a captured table, or of a partition of one, from being captured. By relation it is
-- looked up; as a whole it is made by a few joins: neither may grow with the square of the tables.
CREATE VIEW waybill_internal.capture_gap AS
    SELECT p.relation, p.is_table, 1 AS gravity, p.prefix || 'it is a foreign table, whose changes are not captured' AS problem,
           false AS repairable -- by enable_capture()
    FROM waybill_internal.capture_part p WHERE p.relkind = 'f'
  UNION ALL
    SELECT p.relation, p.is_table, 1, p.prefix || 'its access method is not heap: its changes are not captured', false
    FROM waybill_internal.capture_part p
    WHERE p.relkind = 'r'
      AND p.relam NOT IN (SELECT oid FROM pg_catalog.pg_am WHERE amhandler = 'pg_catalog.heap_tableam_handler'::regproc)
  UNION ALL
    SELECT p.relation, p.is_table, 1,
           'its condition is gone: nothing is captured; run enable_capture() with the condition that it is to have', true
    FROM waybill_internal.capture_part p
    WHERE p.is_table AND pg_catalog.substring(p.arguments, 1, 5) = 'when\000'::bytea
      AND NOT EXISTS (SELECT FROM waybill_internal.capture_trigger c
                      WHERE c.relation = p.relation AND c.parent = 0 AND c.kind = 'condition')
  UNION ALL
    SELECT p.relation, p.is_table, CASE p.enabled WHEN 'D' THEN 1 ELSE 2 END,
           p.prefix || CASE p.enabled
               WHEN 'D' THEN 'capture is disabled by ALTER TABLE ... DISABLE TRIGGER: changes are lost'
               ELSE 'capture does not fire under session_replication_role = replica: run enable_capture() again' END,
           true
    FROM waybill_internal.capture_part p WHERE p.relkind <> 'f' AND p.enabled <> 'A'
  UNION ALL
    SELECT p.relation, p.is_table, 3,
           'a key column is gone: it is published without a key; run enable_capture() with the new key', false
    FROM waybill_internal.capture_part p
    WHERE p.is_table AND p.arguments <> ''
      AND EXISTS (SELECT FROM pg_catalog.unnest((waybill_internal.trigger_arguments(p.arguments))[2:]) named
                  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                                    WHERE a.attrelid = p.relation AND a.attname = named AND a.attnum > 0 AND NOT a.attisdropped
                                      AND a.attgenerated <> 'v')) -- virtual ones have no stored value
  UNION ALL
    SELECT p.relation, p.is_table, 3,
           p.prefix || CASE WHEN t.enabled IS NULL THEN 'TRUNCATE is not captured: run enable_capture() again'
                            ELSE 'TRUNCATE is not always captured: run enable_capture() again' END,
           true
    FROM waybill_internal.capture_part p CROSS JOIN (VALUES ('before truncate'), ('after truncate')) k (kind)
    LEFT JOIN waybill_internal.capture_trigger t ON t.relation = p.relation AND t.kind = k.kind
    WHERE (p.is_table OR p.relkind = 'r' AND k.kind = 'before truncate') AND t.enabled IS DISTINCT FROM 'A'
  UNION ALL
    SELECT p.relation, p.is_table, 4, p.prefix || 'it is unlogged: what a crash removes is not captured', false
    FROM waybill_internal.capture_part p WHERE p.relpersistence = 'u'
  UNION ALL
    SELECT p.relation, p.is_table, 4,
           'changes of tables that inherit from it are not captured: run enable_capture() for each, or make it a partitioned table',
           false
    FROM waybill_internal.capture_part p
    WHERE p.is_table AND p.relkind = 'r'
      AND EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class h ON h.oid = i.inhrelid
                  WHERE i.inhparent = p.relation AND h.relkind = 'r' AND h.relpersistence <> 't' -- others cannot be captured
                    AND NOT EXISTS (SELECT FROM waybill_internal.capture_trigger c
                                    WHERE c.relation = i.inhrelid AND c.kind = 'row'))
  UNION ALL
    SELECT p.relation, p.is_table, 5,
           pg_catalog.format('%strigger "%s" was not made by enable_capture(): it captures nothing', p.prefix, t.name), false
    FROM waybill_internal.capture_part p JOIN waybill_internal.capture_trigger t ON t.relation = p.relation
    WHERE t.kind = 'other';
COMMENT ON VIEW waybill_internal.capture_gap IS
    'what keeps changes of captured tables, and of their partitions, from being captured; the least gravity is the gravest; repairable: by enable_capture()';

CREATE FUNCTION waybill_internal.check_capturable("table" regclass, key name[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation pg_class;
    captured boolean;
    reason text;
    remedy text;
    wrong name;
BEGIN
    SELECT * INTO STRICT relation FROM pg_class WHERE oid = "table";
    -- Perhaps with what it would be refused for now: it is not to be harder to repair.
    captured := EXISTS (SELECT FROM waybill_internal.capture_trigger t
                        WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0);
    IF relation.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'waybill'::regnamespace,
                                 'waybill_internal'::regnamespace) THEN
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
    ELSIF relation.relkind = 'r' AND NOT waybill_internal.is_heap(relation.relam) THEN
        reason := 'its access method is not heap';
        remedy := 'Use ALTER TABLE ... SET ACCESS METHOD heap first.';
    ELSIF relation.relpersistence = 'u' AND NOT captured THEN
        reason := 'it is an unlogged table, which a crash empties';
        remedy := 'Use ALTER TABLE ... SET LOGGED first.';
    ELSIF relation.relispartition AND NOT captured THEN
        reason := 'it is a partition';
        remedy := format('Capture the partitioned table %s: its partitions are published under its name.',
                         pg_partition_root("table"));
    ELSIF NOT captured THEN
        SELECT format('its partition %s is %s', c.oid::regclass,
                      CASE WHEN c.relkind = 'f' THEN 'a foreign table'
                           WHEN c.relpersistence = 'u' THEN 'unlogged: a crash empties it'
                           ELSE 'not a heap' END),
               CASE WHEN c.relkind = 'f' THEN 'Detach it first.'
                    WHEN c.relpersistence = 'u' THEN 'Use ALTER TABLE ... SET LOGGED first.'
                    ELSE 'Use ALTER TABLE ... SET ACCESS METHOD heap first.' END
            INTO reason, remedy
            FROM pg_partition_tree("table") p JOIN pg_class c ON c.oid = p.relid
            WHERE p.isleaf AND (c.relkind = 'f' OR c.relpersistence = 'u'
                                OR c.relkind = 'r' AND NOT waybill_internal.is_heap(c.relam))
            LIMIT 1;
    END IF;
    IF reason IS NOT NULL THEN
        RAISE wrong_object_type USING MESSAGE = format('cannot capture %s: %s', "table", reason), HINT = remedy;
    END IF;
    SELECT k INTO wrong FROM unnest(key) k
        WHERE NOT EXISTS (SELECT FROM pg_attribute
                          WHERE attrelid = "table" AND attname = k AND attnum > 0 AND NOT attisdropped)
        LIMIT 1;
    IF FOUND THEN
        RAISE undefined_column USING MESSAGE = format('key column "%s" of table %s does not exist', wrong, "table"),
            HINT = 'Name columns of the table.';
    END IF;
    SELECT k INTO wrong FROM unnest(key) k GROUP BY k HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE duplicate_column USING MESSAGE = format('key column "%s" of table %s is named twice', wrong, "table"),
            HINT = 'Name each column once.';
    END IF;
    SELECT a.attname INTO wrong FROM pg_attribute a
        WHERE a.attrelid = "table" AND a.attname = ANY (key) AND a.attgenerated = 'v' LIMIT 1;
    IF FOUND THEN
        RAISE feature_not_supported USING
            MESSAGE = format('key column "%s" of table %s is a virtual generated column, which has no stored value', wrong, "table"),
            HINT = 'Name columns that are stored.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.check_capturable IS 'raises what would keep the table from being captured';

-- CREATE TRIGGER takes SHARE ROW EXCLUSIVE on the table and its partitions, DROP TRIGGER ACCESS EXCLUSIVE: they wait for
-- whoever uses the table, and later users wait for them. So we ask for a short time only, and again.
CREATE FUNCTION waybill_internal.lock_for_ddl("table" regclass, mode text) RETURNS void
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
                RAISE lock_not_available USING
                    MESSAGE = format('could not lock table %s within 30 seconds: it is used by %s', "table",
                                     waybill_internal.describe_processes(
                                         ARRAY(SELECT DISTINCT coalesce(l.pid, 0) FROM pg_locks l
                                               WHERE l.locktype = 'relation' AND l.relation = "table" AND l.granted
                                                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                                                 AND l.pid IS DISTINCT FROM pg_backend_pid()))),
                    HINT = 'Try again when the transaction has ended.';
            END IF;
            PERFORM pg_sleep(0.05); -- let those through that had queued up behind us
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill_internal.lock_for_ddl IS 'locks a table without making its users wait for long; mode as in LOCK TABLE';

-- Row triggers and conditions of a table belong together by name.
CREATE FUNCTION waybill_internal.condition_name(row_trigger name) RETURNS name
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT ('!waybill_condition' || substr(row_trigger::text, length('!waybill_capture') + 1))::name $$;
COMMENT ON FUNCTION waybill_internal.condition_name IS 'name of the trigger that keeps the condition for a row trigger';

CREATE FUNCTION waybill_internal.is_own_transaction(xmin xid) RETURNS boolean
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_is_own_transaction';
COMMENT ON FUNCTION waybill_internal.is_own_transaction IS 'whether a row was made by this transaction, or a subtransaction of it';

-- Replaces the trigger of the same name, if there is one, and has it fire always: also under session_replication_role =
-- replica and in logical replication's apply. PostgreSQL 13 has no CREATE OR REPLACE TRIGGER.
CREATE FUNCTION waybill_internal.make_trigger("table" regclass, name name, event text, action text, state text DEFAULT 'ENABLE ALWAYS')
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    replaces CONSTANT boolean := current_setting('server_version_num')::integer >= 140000;
BEGIN
    IF NOT replaces AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = "table" AND t.tgname = make_trigger.name) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', name, "table");
    END IF;
    EXECUTE format('CREATE %sTRIGGER %I %s ON %s %s', CASE WHEN replaces THEN 'OR REPLACE ' END, name, event, "table", action);
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = "table" AND t.tgname = make_trigger.name
                   AND age(t.xmin) <= age(pg_current_xact_id()::xid)) THEN -- made now; told without the library
        RAISE object_not_in_prerequisite_state USING MESSAGE = format('table %s was renamed meanwhile', "table"),
            HINT = 'Try again.';
    END IF;
    EXECUTE format('ALTER TABLE %s %s TRIGGER %I', "table", state, name);
END
$$;
COMMENT ON FUNCTION waybill_internal.make_trigger IS 'creates or replaces a trigger and sets whether it fires, as in ALTER TABLE';

CREATE FUNCTION waybill_internal.make_row_trigger("table" regclass, name name, arguments text[], state text DEFAULT 'ENABLE ALWAYS')
    RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT waybill_internal.make_trigger("table", name, 'AFTER INSERT OR UPDATE OR DELETE',
        format('FOR EACH ROW EXECUTE FUNCTION waybill_internal.capture(%s)',
               (SELECT string_agg(quote_literal(a), ', ' ORDER BY o) FROM unnest(arguments) WITH ORDINALITY u (a, o))), state)
    $$;
COMMENT ON FUNCTION waybill_internal.make_row_trigger IS 'creates or replaces the trigger that records rows';

-- PostgreSQL keeps the condition, as the WHEN of a trigger that is disabled (extension/row_condition.hpp).
CREATE FUNCTION waybill_internal.settle_condition("table" regclass, name name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    temporary text;
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', "table", name);
    SELECT o.identity INTO temporary
        FROM waybill_internal.capture_trigger t
        JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid,
             pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) o
        WHERE t.relation = "table" AND t.name = settle_condition.name AND o.schema LIKE 'pg\_temp%' LIMIT 1;
    IF temporary IS NOT NULL THEN
        RAISE invalid_object_definition USING
            MESSAGE = format('a capture condition cannot use what is temporary: %s', temporary);
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.settle_condition IS 'disables the trigger that was made to keep a condition, and checks what it uses';

-- For the owner of the table, who has been checked: see extension/capture_control.cpp.
CREATE FUNCTION waybill_internal.enable_capture("table" regclass, key name[], condition text) RETURNS name
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off
    SET datestyle = 'ISO' SET extra_float_digits = 1 -- the condition is printed by these
    SET quote_all_identifiers = off SET standard_conforming_strings = on
AS $$
DECLARE
    replaces CONSTANT boolean := current_setting('server_version_num')::integer >= 140000; -- CREATE OR REPLACE TRIGGER
    arguments CONSTANT text[] := CASE WHEN condition IS NOT NULL THEN 'when'::text || coalesce(key::text[], '{}')
                                      WHEN cardinality(key) > 0 THEN 'key'::text || key::text[] ELSE '{}' END;
    present text[];
    present_condition text;
    condition_trigger name;
    row_trigger name;
BEGIN
    PERFORM waybill_internal.follow_names(ARRAY["table"::oid]);
    -- Nothing to do, and no lock to take, when all is there already.
    SELECT waybill_internal.trigger_arguments(t.arguments) INTO present
        FROM waybill_internal.capture_trigger t WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0;
    SELECT t.name, t.condition INTO condition_trigger, present_condition FROM waybill_internal.capture_trigger t
        WHERE t.relation = "table" AND t.kind = 'condition' AND t.parent = 0 ORDER BY t.name LIMIT 1;
    IF present = arguments AND present_condition IS NOT DISTINCT FROM condition
        AND NOT EXISTS (SELECT FROM waybill_internal.capture_place p,
                        LATERAL (SELECT FROM waybill_internal.capture_gap g
                                 WHERE g.relation = p.relation AND g.is_table = p.is_table AND g.repairable OFFSET 0) g
                        WHERE p.captured = "table") THEN
        RETURN NULL;
    END IF;
    PERFORM waybill_internal.lock_for_ddl("table", CASE WHEN replaces AND (condition_trigger IS NULL OR condition IS NOT NULL)
                                                        THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END);
    SELECT t.name INTO row_trigger
        FROM waybill_internal.capture_trigger t WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0 ORDER BY t.oid LIMIT 1;
    row_trigger := coalesce(row_trigger, '!waybill_capture_' || coalesce( -- "!": it sorts before any name that users choose
        substring(condition_trigger::text FROM '^!waybill_condition_(.*)'), -- one that was dropped by other means left its condition
        right(gen_random_uuid()::text, 12)));
    PERFORM waybill_internal.make_row_trigger("table", row_trigger, arguments),
            waybill_internal.make_trigger("table", '!waybill_capture_before_truncate', 'BEFORE TRUNCATE',
                'FOR EACH STATEMENT EXECUTE FUNCTION waybill_internal.capture_truncate()'),
            waybill_internal.make_trigger("table", '!waybill_capture_truncate', 'AFTER TRUNCATE',
                'FOR EACH STATEMENT EXECUTE FUNCTION waybill_internal.capture_truncate()');
    IF condition_trigger IS NOT NULL AND (condition IS NULL OR NOT replaces) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', condition_trigger, "table");
    END IF;
    PERFORM waybill_internal.complete_partition(p.relation) FROM waybill_internal.partitions("table") p WHERE p.is_leaf;
    RETURN CASE WHEN condition IS NOT NULL THEN coalesce(condition_trigger, waybill_internal.condition_name(row_trigger)) END;
END
$$;
COMMENT ON FUNCTION waybill_internal.enable_capture IS
    'does what waybill.enable_capture() was asked for, by the owner of the table; returns the name of the trigger that is to be made for the condition, if one has to be';

CREATE FUNCTION waybill.enable_capture("table" regclass, key name[] DEFAULT NULL, condition text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_enable_capture';
COMMENT ON FUNCTION waybill.enable_capture IS
    'captures the changes of a table from now on; key: columns to publish under instead of the primary key, or of what else tells rows apart; condition: of rows that are captured';

CREATE FUNCTION waybill_internal.disable_capture("table" regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    leaf regclass;
    own record;
BEGIN
    IF NOT EXISTS (SELECT FROM waybill_internal.capture_trigger WHERE relation = "table" AND parent = 0) THEN
        RETURN;
    END IF;
    PERFORM waybill_internal.lock_for_ddl("table", 'ACCESS EXCLUSIVE');
    FOR own IN SELECT t.oid, t.name FROM waybill_internal.capture_trigger t
               WHERE t.relation = "table" AND t.parent = 0
                 AND (t.kind <> 'before truncate' -- which a partition needs as long as an ancestor is captured
                      OR NOT EXISTS (SELECT FROM waybill_internal.capture_trigger a WHERE a.relation = "table" AND a.parent <> 0))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', own.name, "table");
        IF EXISTS (SELECT FROM pg_trigger t WHERE t.oid = own.oid) THEN -- it was another table's
            RAISE object_not_in_prerequisite_state USING MESSAGE = format('table %s was renamed meanwhile', "table"),
                HINT = 'Try again.';
        END IF;
    END LOOP;
    FOR leaf IN SELECT p.relation FROM waybill_internal.partitions("table") p WHERE p.is_leaf LOOP
        PERFORM waybill_internal.tidy_partition(leaf);
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill_internal.disable_capture IS 'does what waybill.disable_capture() was asked for, by the owner of the table';

CREATE FUNCTION waybill.disable_capture("table" regclass) RETURNS void
    LANGUAGE c STRICT VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_disable_capture';
COMMENT ON FUNCTION waybill.disable_capture IS 'stops the capture of a table; what was captured is still shipped';

-- PostgreSQL clones row triggers to partitions, but not the one that sees the TRUNCATE of a partition by itself. Waits for
-- nobody: what is in use stays as it is, and captured_tables says so. (enable_capture() has its locks already.)
CREATE FUNCTION waybill_internal.complete_partition(leaf regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = leaf) <> 'r'
        OR NOT EXISTS (SELECT FROM waybill_internal.capture_trigger t WHERE t.relation = leaf AND t.kind = 'row')
        OR EXISTS (SELECT FROM waybill_internal.capture_trigger t
                   WHERE t.relation = leaf AND t.kind = 'before truncate' AND t.enabled = 'A') THEN
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE NOWAIT', leaf);
    PERFORM waybill_internal.make_trigger(leaf, '!waybill_capture_before_truncate', 'BEFORE TRUNCATE',
                                          'FOR EACH STATEMENT EXECUTE FUNCTION waybill_internal.capture_truncate()');
EXCEPTION WHEN lock_not_available THEN
    NULL;
END
$$;
COMMENT ON FUNCTION waybill_internal.complete_partition IS
    'lets the TRUNCATE of a partition by itself be captured, if an ancestor is';

CREATE FUNCTION waybill_internal.tidy_partition(leaf regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET waybill.ddl_warnings = off AS $$
DECLARE
    unused name;
BEGIN
    SELECT t.name INTO unused FROM waybill_internal.capture_trigger t
        WHERE t.relation = leaf AND t.kind = 'before truncate'
          AND NOT EXISTS (SELECT FROM waybill_internal.capture_trigger r WHERE r.relation = leaf AND r.kind = 'row');
    IF FOUND THEN
        EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE NOWAIT', leaf);
        EXECUTE format('DROP TRIGGER %I ON %s', unused, leaf);
    END IF;
EXCEPTION WHEN lock_not_available THEN
    NULL;
END
$$;
COMMENT ON FUNCTION waybill_internal.tidy_partition IS 'drops what complete_partition() created on a table that no longer needs it';

-- A new table takes the place of another by RENAME: what is in the log under its name is the other one's. One that has
-- changes of its own there was captured by itself; that was ended on purpose.
CREATE VIEW waybill_internal.swapped_table AS
SELECT DISTINCT c.oid::regclass AS relation
FROM waybill_internal.shape s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s."table" AND c.oid <> s.relation AND c.relkind IN ('r', 'p')
WHERE NOT EXISTS (SELECT FROM waybill_internal.capture_trigger t WHERE t.relation = c.oid AND t.kind = 'row')
  AND NOT EXISTS (SELECT FROM waybill_internal.shape o WHERE o.relation = c.oid);
COMMENT ON VIEW waybill_internal.swapped_table IS
    'tables that are not captured and have the names of others that were';

CREATE FUNCTION waybill_internal.lock_problem("table" regclass) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('locked by %s: its key and condition were not looked at', waybill_internal.describe_processes(l.pids))
    FROM (SELECT array_agg(DISTINCT coalesce(l.pid, 0)) AS pids FROM pg_locks l
          WHERE l.locktype = 'relation' AND l.relation = "table" AND l.mode = 'AccessExclusiveLock'
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) l
    WHERE l.pids IS NOT NULL
    $$;
COMMENT ON FUNCTION waybill_internal.lock_problem IS 'who keeps everybody else from a table';

-- Without nested loops, which the planner chooses while statistics know nothing of thousands of tables.
CREATE FUNCTION waybill_internal.captured_tables(OUT "table" regclass, OUT key name[], OUT key_source text, OUT condition text,
                                                 OUT problem text)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off AS $$
    WITH place AS MATERIALIZED (SELECT * FROM waybill_internal.capture_place),
    gap AS MATERIALIZED (SELECT * FROM waybill_internal.capture_gap),
    gravest AS MATERIALIZED (
        SELECT DISTINCT ON (p.captured) p.captured, g.problem
        FROM place p JOIN gap g ON g.relation = p.relation AND g.is_table = p.is_table
        ORDER BY p.captured, g.gravity, g.is_table DESC, g.problem),
    condition AS MATERIALIZED (
        SELECT DISTINCT ON (c.relation) c.relation, waybill_internal.condition_text(c.tgqual, c.relation) AS condition
        FROM waybill_internal.capture_trigger c WHERE c.parent = 0 AND c.kind = 'condition' ORDER BY c.relation, c.name)
    SELECT t.relation::regclass, (k.k).key, (k.k).source, c.condition,
           coalesce(g.problem,
                    CASE WHEN (k.k).key IS NULL OR c.relation IS NOT NULL AND c.condition IS NULL
                         THEN waybill_internal.lock_problem(t.relation) END,
                    CASE WHEN (k.k).key = '{}' THEN 'no primary key, and no unique index over NOT NULL columns: '
                                                    'published without a key; add one or name columns with key =>' END)
    FROM waybill_internal.capture_part t
    LEFT JOIN gravest g ON g.captured = t.relation
    LEFT JOIN condition c ON c.relation = t.relation,
         LATERAL (SELECT waybill_internal.published_key(t.relation) AS k OFFSET 0) k
    WHERE t.is_table
  UNION ALL
    SELECT s.relation, NULL, NULL, NULL, 'changes of another table of its name are in the log, but it is not captured: run enable_capture()'
    FROM waybill_internal.swapped_table s
    $$;
COMMENT ON FUNCTION waybill_internal.captured_tables IS 'what waybill.captured_tables shows';

CREATE VIEW waybill.captured_tables AS SELECT * FROM waybill_internal.captured_tables();
COMMENT ON VIEW waybill.captured_tables IS 'captured tables, their keys and where these come from, their conditions, and what is wrong with their capture';

---------------------------------------------------------------------------------------------------------------------
-- DDL: what others do to captured tables. In SQL and PL/pgSQL, without our library: where that is missing, DDL goes on.
---------------------------------------------------------------------------------------------------------------------

-- What is made of our trigger functions, or bears our names, counts as capture: so only the extension's owner and superusers
-- may make it, as enable_capture() does. Runs as whoever makes the trigger, who cannot name what is in our schema.
CREATE FUNCTION waybill_internal.guard_triggers() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refused record;
BEGIN
    SELECT t.tgname AS name, t.tgrelid::regclass AS "table", n.nspname = 'waybill_internal' AS is_ours INTO refused
        FROM pg_event_trigger_ddl_commands() c
        JOIN pg_trigger t ON t.oid = c.objid
        JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE c.classid = 'pg_trigger'::regclass
          AND (n.nspname = 'waybill_internal' OR starts_with(t.tgname::text, '!waybill_'))
          AND (n.nspname <> 'waybill_internal' OR NOT starts_with(t.tgname::text, '!waybill_')
               OR NOT has_schema_privilege(n.oid, 'CREATE')) -- as only superusers and the owner
        LIMIT 1;
    IF FOUND THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('trigger "%s" of table %s is refused: %s', refused.name, refused."table",
                             CASE WHEN refused.is_ours THEN 'only waybill.enable_capture() makes triggers of its functions'
                                  ELSE 'names that begin with "!waybill_" are those of waybill.enable_capture()' END),
            HINT = 'Use waybill.enable_capture() to capture a table.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.guard_triggers() IS 'refuses triggers that would count as capture and were not made by enable_capture()';

CREATE FUNCTION waybill_internal.warns() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT coalesce(nullif(current_setting('waybill.ddl_warnings', true), ''), 'on')::boolean $$;
COMMENT ON FUNCTION waybill_internal.warns IS 'the setting waybill.ddl_warnings, also where the library is not loaded';

CREATE FUNCTION waybill_internal.captured_ancestors(relation oid) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE origin AS (
        SELECT t.relation, t.parent FROM waybill_internal.capture_trigger t
        WHERE t.relation = captured_ancestors.relation AND t.kind = 'row'
      UNION
        SELECT t.relation, t.parent FROM origin o JOIN waybill_internal.capture_trigger t ON t.oid = o.parent)
    SELECT o.relation::regclass FROM origin o WHERE o.parent = 0
    $$;
COMMENT ON FUNCTION waybill_internal.captured_ancestors IS 'captured tables that a table is, or is a partition of';

CREATE FUNCTION waybill_internal.warn_of_gaps(place regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    captured regclass;
    problem text;
BEGIN
    IF NOT waybill_internal.warns() THEN
        RETURN;
    END IF;
    FOR captured IN SELECT waybill_internal.captured_ancestors(place) LOOP
        SELECT g.problem INTO problem FROM waybill_internal.capture_gap g
            WHERE g.relation = place AND g.is_table = (captured = place) ORDER BY g.gravity, g.problem LIMIT 1;
        IF FOUND THEN
            RAISE WARNING USING MESSAGE = format('capture of table %s: %s', captured, problem);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill_internal.warn_of_gaps IS
    'says in the session what is wrong with the capture of a table, or of captured tables in a partition of theirs';

CREATE FUNCTION waybill_internal.table_of_dropped_index(index oid) RETURNS oid
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_table_of_dropped_index';
COMMENT ON FUNCTION waybill_internal.table_of_dropped_index IS
    'the table of a unique index that this command has dropped; NULL: the index was not unique';

-- A key that is not named comes from an index, and goes with it, or with the NOT NULL of its columns.
CREATE FUNCTION waybill_internal.warn_of_lost_key(relation oid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF waybill_internal.warns()
        AND EXISTS (SELECT FROM waybill_internal.capture_part p WHERE p.relation = warn_of_lost_key.relation AND p.is_table
                                                                  AND p.arguments IN ('', 'key\000', 'when\000'))
        AND (waybill_internal.published_key(relation)).key = '{}' THEN
        RAISE WARNING USING
            MESSAGE = format('capture of table %s: it has no key any more: it is published without one', relation::regclass),
            HINT = 'Make a unique index over NOT NULL columns, or run enable_capture() with the columns of a key.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.warn_of_lost_key IS 'says in the session that a captured table has lost what was its key';

-- A key is kept as the names of its columns, in the arguments of the trigger: when one is renamed it is the only name there
-- that means nothing any more.
CREATE FUNCTION waybill_internal.follow_renamed_column("table" regclass, attribute smallint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    renamed record;
BEGIN
    SELECT t.name, t.enabled, u.arguments, u.missing INTO renamed
        FROM waybill_internal.capture_trigger t,
             LATERAL (SELECT array_agg(CASE WHEN o = 1 OR a.attname IS NOT NULL THEN u.argument ELSE n.attname END ORDER BY o) AS arguments,
                             count(*) FILTER (WHERE o > 1 AND a.attname IS NULL) AS missing
                      FROM unnest(waybill_internal.trigger_arguments(t.arguments)) WITH ORDINALITY u (argument, o)
                      LEFT JOIN pg_attribute a ON a.attrelid = "table" AND a.attname = u.argument AND a.attnum > 0 AND NOT a.attisdropped
                      LEFT JOIN pg_attribute n ON n.attrelid = "table" AND n.attnum = attribute) u
        WHERE t.relation = "table" AND t.kind = 'row' AND t.parent = 0;
    IF renamed.missing = 1 THEN
        PERFORM waybill_internal.make_row_trigger("table", renamed.name, renamed.arguments,
            CASE renamed.enabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'O' THEN 'ENABLE' ELSE 'DISABLE' END);
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.follow_renamed_column IS 'has the key of a captured table follow a renamed column';

CREATE FUNCTION waybill_internal.alteration(command pg_ddl_command) RETURNS text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'waybill_alteration';
COMMENT ON FUNCTION waybill_internal.alteration IS
    'what an ALTER TABLE did that concerns capture: a partition was "attached" or "detached", or something "changed", or columns became "nullable"; NULL: nothing';

-- A captured table, or partition of one, was altered. Looks at what that can have changed, and not at all partitions: who
-- has thousands attaches and detaches them all day. (PostgreSQL does not tell before 16 which partition it was: one of
-- those that this transaction attached.)
CREATE FUNCTION waybill_internal.after_alter(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alteration text;
BEGIN
    SELECT waybill_internal.alteration(c.command) INTO alteration FROM pg_event_trigger_ddl_commands() c
        WHERE c.objid = relation AND c.classid = 'pg_class'::regclass;
    IF alteration = 'attached' THEN
        PERFORM waybill_internal.complete_partition(p.relid), waybill_internal.warn_of_gaps(p.relid)
            FROM pg_inherits i, pg_partition_tree(i.inhrelid) p
            WHERE i.inhparent = relation AND waybill_internal.is_own_transaction(i.xmin) AND p.isleaf;
    ELSIF alteration = 'detached' THEN
        PERFORM waybill_internal.tidy_partition(t.relation)
            FROM (SELECT t.relation FROM waybill_internal.capture_trigger t GROUP BY t.relation
                  HAVING bool_or(t.kind = 'before truncate') AND NOT bool_or(t.kind = 'row')) t;
    ELSIF alteration = 'changed' THEN
        PERFORM waybill_internal.warn_of_gaps(relation);
    ELSIF alteration = 'nullable' THEN
        PERFORM waybill_internal.warn_of_lost_key(relation) WHERE EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisunique);
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.after_alter IS 'completes the capture of attached partitions, and warns';

-- It must fail nobody's DDL, and be next to nothing for all that has no triggers of ours.
CREATE FUNCTION waybill_internal.watch_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    command record;
BEGIN
    FOR command IN SELECT DISTINCT r.relation::regclass AS relation, r.kind, CASE r.kind WHEN 'column' THEN c.objsubid END AS attribute
                   FROM pg_event_trigger_ddl_commands() c,
                        LATERAL (SELECT c.objid AS relation, CASE WHEN c.command_tag <> 'ALTER TABLE' THEN 'created'
                                                                  WHEN c.objsubid > 0 THEN 'column' ELSE 'altered' END AS kind
                                 UNION ALL
                                 SELECT i.inhparent, 'inherited' FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
                                 WHERE i.inhrelid = c.objid AND NOT k.relispartition) r
                   WHERE c.classid = 'pg_class'::regclass
                     AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.relation AND starts_with(t.tgname::text, '!waybill_'))
    LOOP
        BEGIN
            CASE command.kind
                WHEN 'created' THEN
                    PERFORM waybill_internal.complete_partition(command.relation);
                    PERFORM waybill_internal.warn_of_gaps(command.relation);
                WHEN 'column' THEN
                    PERFORM waybill_internal.follow_renamed_column(command.relation, command.attribute::smallint);
                WHEN 'altered' THEN
                    PERFORM waybill_internal.after_alter(command.relation);
                WHEN 'inherited' THEN
                    PERFORM waybill_internal.warn_of_gaps(command.relation);
            END CASE;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING USING
                MESSAGE = format('could not check the capture of table %s: %s', command.relation, SQLERRM),
                HINT = 'Look at waybill.captured_tables.';
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill_internal.watch_ddl() IS
    'completes the capture of new partitions, has keys follow renamed columns, and warns';

-- What lost its capture with a dropped table or trigger. A partition's triggers are clones: those of its root are still there.
CREATE FUNCTION waybill_internal.warn_of_drops(tag text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone text;
    lost record;
BEGIN
    -- Of a trigger and its clones on partitions, which have its name, it is listed first: what depends on others goes before
    -- them, and what went last comes first.
    SELECT string_agg(DISTINCT format('%I.%I', g.address_names[1], g.address_names[2]), ', ') INTO gone
        FROM (SELECT DISTINCT ON (d.address_names[3]) d.address_names
              FROM pg_event_trigger_dropped_objects() WITH ORDINALITY d
              WHERE d.object_type = 'trigger' AND starts_with(d.address_names[3], '!waybill_capture_')
                AND d.address_names[3] NOT IN ('!waybill_capture_truncate', '!waybill_capture_before_truncate')
                AND to_regclass(format('%I.%I', d.address_names[1], d.address_names[2])) IS NULL
                AND NOT EXISTS (SELECT FROM waybill_internal.capture_trigger t WHERE t.name = d.address_names[3])
              ORDER BY d.address_names[3], d.ordinality) g;
    IF gone IS NOT NULL THEN
        RAISE WARNING USING MESSAGE = format('captured tables were dropped: %s', gone),
            HINT = 'A table that takes the name of one is captured after waybill.enable_capture().';
    END IF;
    FOR lost IN SELECT DISTINCT c.oid::regclass AS "table",
                       EXISTS (SELECT FROM waybill_internal.capture_trigger t WHERE t.relation = c.oid AND t.kind = 'row') AS has_trigger
                FROM pg_event_trigger_dropped_objects() d
                JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
                WHERE d.object_type = 'trigger' AND d.address_names[3] ~ '^!waybill_(capture|condition)_'
                  AND (d.original OR NOT c.relispartition) -- whose triggers are clones
    LOOP
        IF lost.has_trigger THEN
            IF tag <> 'ALTER TABLE' THEN -- for which watch_ddl() warns
                PERFORM waybill_internal.warn_of_gaps(lost."table");
            END IF;
        ELSE
            RAISE WARNING USING
                MESSAGE = format('table %s is no longer captured: its trigger was dropped', lost."table"),
                HINT = 'waybill.enable_capture() captures it again.';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION waybill_internal.warn_of_drops IS 'says in the session which tables lost their capture; called by watch_drop()';

CREATE FUNCTION waybill_internal.watch_drop() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() d
                   WHERE d.object_type = 'trigger' AND starts_with(d.address_names[3], '!waybill_')
                      OR d.object_type IN ('index', 'table constraint') AND EXISTS (SELECT FROM waybill_internal.capture_trigger)) THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM waybill_internal.warn_of_lost_key(t.relation)
            FROM (SELECT waybill_internal.table_of_dropped_index(d.objid) AS relation
                  FROM pg_event_trigger_dropped_objects() d WHERE d.object_type = 'index'
                  UNION -- NOT NULL is a constraint from PostgreSQL 18 on
                  SELECT to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
                  FROM pg_event_trigger_dropped_objects() d WHERE d.object_type = 'table constraint') t
            WHERE EXISTS (SELECT FROM waybill_internal.capture_trigger c WHERE c.relation = t.relation AND c.parent = 0);
        IF waybill_internal.warns() THEN
            PERFORM waybill_internal.warn_of_drops(tg_tag);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING USING MESSAGE = format('could not check what was captured with what was dropped: %s', SQLERRM),
            HINT = 'Look at waybill.captured_tables.';
    END;
END
$$;
COMMENT ON FUNCTION waybill_internal.watch_drop() IS 'warns when triggers of ours were dropped, or what made a key';

---------------------------------------------------------------------------------------------------------------------
-- Reading the log: what a shipper calls
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill.safe_csn(after bigint DEFAULT NULL, wait_ms integer DEFAULT 0) RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS 'MODULE_PATHNAME', 'waybill_safe_csn';
COMMENT ON FUNCTION waybill.safe_csn IS
    'a csn C such that every statement that starts after the call sees all changes with csn <= C; waits up to wait_ms for one greater than after, itself such a csn, and up to 2 s more for those who are committing: then it returns after, or, if it was not to wait, fails';

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
    'text as the log has it: well-formed UTF-8, with each byte that is no character of Unicode as one of U+F780 to U+F7FF';

CREATE FUNCTION waybill_internal.stream_id(stream text) RETURNS integer
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
COMMENT ON FUNCTION waybill_internal.stream_id IS 'number of a stream; error when there is none of the name';

CREATE FUNCTION waybill_internal.sequence_value(sequence text) RETURNS bigint
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_sequence_value';
COMMENT ON FUNCTION waybill_internal.sequence_value IS
    'value of one of the extension''s sequences, read without a lock that safe_csn() would wait for';

-- Locks that SQL cannot take (extension/locks.hpp): 1, the list of streams, while one is made or dropped, and the log
-- emptied; 2, the places of prepared transactions, while they are given, and the log emptied.
CREATE FUNCTION waybill_internal.lock_log(number integer, purpose text) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_lock_log';
COMMENT ON FUNCTION waybill_internal.lock_log IS
    'takes a lock until the transaction ends; after two seconds fails, saying that it could not do what purpose says, and who has the lock';

CREATE FUNCTION waybill_internal.try_lock_log(number integer) RETURNS boolean
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_try_lock_log';
COMMENT ON FUNCTION waybill_internal.try_lock_log IS 'takes a lock until the transaction ends, unless that has to wait';

CREATE FUNCTION waybill_internal.is_locked_here("table" text) RETURNS boolean
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_is_locked_here';
COMMENT ON FUNCTION waybill_internal.is_locked_here IS
    'whether this transaction keeps everybody else from one of the extension''s tables, as it emptied it';

CREATE FUNCTION waybill_internal.lock_stream(stream integer) RETURNS boolean
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_lock_stream';
COMMENT ON FUNCTION waybill_internal.lock_stream IS
    'takes the lock of a stream''s shipper until the transaction ends, unless that has to wait';

CREATE FUNCTION waybill_internal.stream_shipper(stream integer) RETURNS integer
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = 2003790188 AND objid = stream AND objsubid = 3 -- extension/locks.cpp
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    $$;
COMMENT ON FUNCTION waybill_internal.stream_shipper IS 'the process that has taken a stream; NULL: none';

CREATE FUNCTION waybill_internal.released_csn() RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'waybill_released_csn';
COMMENT ON FUNCTION waybill_internal.released_csn IS 'the csn up to which readers were let read while transactions were prepared';

CREATE FUNCTION waybill_internal.note_released(csn bigint) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'waybill_note_released';
COMMENT ON FUNCTION waybill_internal.note_released IS 'notes that readers were let read up to a csn, at once and for good; never moves back';

CREATE FUNCTION waybill_internal.last_csn() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT greatest(waybill_internal.sequence_value('commit_seq'), waybill_internal.released_csn()) $$;
COMMENT ON FUNCTION waybill_internal.last_csn IS 'the last csn that was drawn, or given to a prepared transaction';

-- The places of prepared transactions (the rule was proved by exhaustive search: test/model/commit_order.py). What a
-- prepared transaction depends on was numbered before its PREPARE. What depends on it was numbered after its COMMIT
-- PREPARED, which is after every release that did not see it: so its place is its own number, or, when readers were
-- let past that already, right behind what they were let read.
--
-- Moving its changes there takes effect when the caller commits, so then, and not earlier, must the new limit: a row says
-- it. Runs under the lock on the places. What was noted is read behind the look, as extension/fence.cpp explains: the first
-- row comes when all are sorted.
CREATE FUNCTION waybill_internal.release(drawn bigint, timeline integer) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    room CONSTANT bigint := 10000;
    place bigint;
    prepared record;
BEGIN
    FOR prepared IN
        SELECT u.* FROM waybill_internal.unplaced() u
        WHERE u.csn <= drawn ORDER BY u.csn -- others may have ordinary ones before them that are not visible yet
    LOOP
        place := greatest(prepared.csn, coalesce(place, waybill_internal.released_csn()) + 1);
        IF prepared.csn < place AND place % room = 0 THEN -- PREPARE refuses when so many could be in flight
            RAISE internal_error USING MESSAGE = format('no csn is left for a prepared transaction behind %s', place - 1);
        END IF;
        -- Deleting the chunks would be seen by logical decoding, and leave dead rows.
        EXECUTE format('WITH placed AS (INSERT INTO %2$s (csn, committed_at, chunk, chunks, changes, timeline, xid, payload)
                                        VALUES ($1, $4, -1, 0, 0, $5, $6, ''''))
                        INSERT INTO waybill_internal.segment_%1$s (csn, committed_at, chunk, chunks, changes, timeline, xid, payload)
                        SELECT $3, $4, p.chunk, p.chunks, p.changes, $5, p.xid, p.payload
                        FROM generate_series(0, $2 - 1) c JOIN ONLY %2$s p ON p.chunk = c AND p.csn = $1',
                       waybill_internal.sequence_value('segment_seq') % 8, prepared.slot)
            USING prepared.csn, prepared.chunks, place, waybill_internal.committed_at(prepared.xid),
                  -- that of the change behind it, so that positions grow
                  coalesce((SELECT l.timeline FROM waybill_internal.change_log l WHERE l.csn > place ORDER BY l.csn LIMIT 1),
                           release.timeline),
                  prepared.xid;
    END LOOP;
    place := greatest(place, drawn);
    INSERT INTO waybill_internal.released VALUES (place);
    RETURN place;
END
$$;
COMMENT ON FUNCTION waybill_internal.release IS
    'gives the prepared transactions that are committed their places; returns the csn up to which the log can be read then';

-- PostgreSQL only keeps it with track_commit_timestamp; else it is a little later.
CREATE FUNCTION waybill_internal.committed_at(xid xid) RETURNS timestamptz
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('track_commit_timestamp')::boolean THEN
        RETURN coalesce(pg_xact_commit_timestamp(xid), clock_timestamp());
    END IF;
    RETURN clock_timestamp();
END
$$;
COMMENT ON FUNCTION waybill_internal.committed_at IS 'when a prepared transaction was committed, as far as the server knows';

-- What a shipper does to its stream is for those whom grant_shipper() gave it (extension/streams.cpp).
CREATE FUNCTION waybill.take_stream(stream text) RETURNS boolean
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_take_stream';
COMMENT ON FUNCTION waybill.take_stream IS
    'makes this session the only one that may acknowledge a stream, until it ends or runs DISCARD ALL; false: another one is';

CREATE FUNCTION waybill.acknowledged(stream text) RETURNS bigint
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_acknowledged';
COMMENT ON FUNCTION waybill.acknowledged IS 'the csn up to which a stream is acknowledged';

CREATE FUNCTION waybill.acknowledge(stream text, csn bigint) RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'waybill_acknowledge';
COMMENT ON FUNCTION waybill.acknowledge IS
    'says that all changes up to csn are safe at their destination: the log may forget them; never moves back; only for the session that took the stream, if one did';

CREATE FUNCTION waybill_internal.acknowledge(id integer, csn bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF csn > waybill_internal.last_csn() THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('cannot acknowledge csn %s: the last one is %s', csn, waybill_internal.last_csn()),
            HINT = 'The position was taken from another database, or from before a restore.';
    END IF;
    IF csn > waybill_internal.sequence_value(format('stream_%s_acknowledged_seq', id)) THEN
        PERFORM setval(format('waybill_internal.stream_%s_acknowledged_seq', id), csn);
    END IF;
    PERFORM setval(format('waybill_internal.stream_%s_acknowledged_at_seq', id),
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
END
$$;
COMMENT ON FUNCTION waybill_internal.acknowledge IS 'does what waybill.acknowledge() was asked for, under the lock of the stream';

CREATE FUNCTION waybill_internal.acknowledged_by_all() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(min(waybill_internal.sequence_value(format('stream_%s_acknowledged_seq', s.id))), waybill_internal.last_csn())
    FROM waybill.stream s
    $$;
COMMENT ON FUNCTION waybill_internal.acknowledged_by_all IS 'the csn up to which every stream is acknowledged';

-- Rotation and reclaim (proved by exhaustive search of all interleavings):
-- a writer takes its csn first, then reads the segment number. To rotate, the next slot must be free; the segment number
-- moves on; then upto = the last csn there is. Whoever still writes to the closed segment has a csn <= upto, so once every
-- stream acknowledged upto, nobody can write there and all it holds is acknowledged: it is emptied. (A free slot in which
-- writers would have to wait for somebody is passed over.) (Whoever places prepared
-- transactions writes there under a csn between those drawn: it is kept out by a lock.)
CREATE FUNCTION waybill.maintain(idle boolean DEFAULT false) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    filling CONSTANT bigint := 9223372036854775807;
    full_size bigint;
    current bigint;
    following bigint;
    acknowledged bigint;
    upto bigint;
    size bigint;
    emptied integer := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE active_sql_transaction USING MESSAGE = 'waybill.maintain() needs a READ COMMITTED transaction',
            DETAIL = 'It must see all streams that there are now.';
    END IF;
    -- create_stream() and drop_stream() take the first lock too, safe_csn() may take the second. Not in a transaction in
    -- which that gave places: others would find what has them in neither place.
    IF NOT waybill_internal.try_lock_log(1) OR NOT waybill_internal.try_lock_log(2) THEN
        RETURN 0;
    END IF;
    acknowledged := waybill_internal.acknowledged_by_all();
    full_size := pg_size_bytes(current_setting('waybill.segment_size')); -- known since the call before loaded the library

    -- First the rotation: a segment that this call empties is locked to its end, and no writer may have to wait for it.
    current := waybill_internal.sequence_value('segment_seq');
    size := pg_relation_size(format('waybill_internal.segment_%s', current % 8)::regclass);
    IF size >= full_size OR idle AND size > 0 AND acknowledged >= waybill_internal.last_csn() THEN
        FOR ahead IN 1..7 LOOP
            following := current + ahead;
            CONTINUE WHEN waybill_internal.sequence_value(format('segment_%s_upto_seq', following % 8)) <> 0
                OR waybill_internal.is_locked_here(format('segment_%s', following % 8)) -- by a call before, in this transaction
                OR NOT waybill_internal.try_lock(format('waybill_internal.segment_%s', following % 8), 'ROW EXCLUSIVE');
            PERFORM setval(format('waybill_internal.segment_%s_upto_seq', following % 8), filling);
            PERFORM setval('waybill_internal.segment_seq', following);
            PERFORM setval(format('waybill_internal.segment_%s_upto_seq', current % 8), greatest(waybill_internal.last_csn(), 1));
            current := following;
            EXIT;
        END LOOP;
    END IF;

    FOR slot IN 0..7 LOOP
        CONTINUE WHEN slot = current % 8;
        upto := waybill_internal.sequence_value(format('segment_%s_upto_seq', slot));
        IF upto = filling THEN -- closed by a rotation that did not come to its end
            upto := waybill_internal.last_csn();
            PERFORM setval(format('waybill_internal.segment_%s_upto_seq', slot), upto);
        END IF;
        -- The slot is marked free before its emptying commits, which only matters here, under the locks. If that fails, old
        -- rows stay until the slot's next turn, all of them acknowledged.
        IF upto > 0 AND acknowledged >= upto
            AND waybill_internal.try_lock(format('waybill_internal.segment_%s', slot), 'ACCESS EXCLUSIVE') THEN
            PERFORM waybill_internal.empty_table(format('segment_%s', slot));
            PERFORM setval(format('waybill_internal.segment_%s_upto_seq', slot), 0);
            emptied := emptied + 1;
        END IF;
    END LOOP;
    -- Little is kept of the prepared log: whoever looks for what has no place yet passes by what has.
    PERFORM waybill_internal.maintain_prepared_log(CASE WHEN idle THEN 1 ELSE least(full_size, 262144) END);
    RETURN emptied;
END
$$;
COMMENT ON FUNCTION waybill.maintain IS
    'goes on to the next segment when the current one is full (idle: when it is not empty), empties those that every stream acknowledged; waits for nobody (waybill.lock_holders shows who keeps one from being emptied); returns how many it emptied';

-- A transaction keeps the lock on the slot that it wrote to from PREPARE to COMMIT PREPARED: who gets the slot's strongest
-- lock, and then sees that all in it has its place, has it for himself. Which slot is the current one is no more than a
-- hint.
CREATE FUNCTION waybill_internal.maintain_prepared_log(full_size bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current CONSTANT bigint := waybill_internal.sequence_value('prepared_slot_seq');
    other CONSTANT text := format('waybill_internal.prepared_%s', 1 - current);
BEGIN
    IF pg_relation_size(other::regclass) > 0 AND waybill_internal.try_lock(other, 'ACCESS EXCLUSIVE') THEN
        IF NOT EXISTS (SELECT FROM waybill_internal.unplaced() u WHERE u.slot = other::regclass) THEN
            PERFORM waybill_internal.empty_table(format('prepared_%s', 1 - current));
        END IF;
    END IF;
    IF pg_relation_size(other::regclass) = 0
        AND NOT waybill_internal.is_locked_here(format('prepared_%s', 1 - current)) -- writers would wait for us: the next time
        AND pg_relation_size(format('waybill_internal.prepared_%s', current)::regclass) >= full_size THEN
        PERFORM setval('waybill_internal.prepared_slot_seq', 1 - current);
    END IF;
    IF pg_relation_size('waybill_internal.released') >= full_size AND waybill_internal.try_lock('waybill_internal.released', 'ACCESS EXCLUSIVE') THEN
        PERFORM waybill_internal.note_released(waybill_internal.released_csn()); -- which readers do meanwhile
        PERFORM waybill_internal.empty_table('released');
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.maintain_prepared_log IS 'empties what of the prepared log was moved to its place; called by maintain()';

CREATE FUNCTION waybill_internal.try_lock("table" text, mode text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('LOCK TABLE ONLY %s IN %s MODE NOWAIT', "table", mode);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false; -- pg_dump, perhaps: nobody must queue up behind us
END
$$;
COMMENT ON FUNCTION waybill_internal.try_lock IS 'locks a table of the extension, given as it is written in SQL, unless that has to wait';

---------------------------------------------------------------------------------------------------------------------
-- Streams
---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION waybill_internal.forget_stream(stream integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM waybill_internal.delete_unseen('waybill.stream', s.ctid) FROM waybill.stream s WHERE s.id = forget_stream.stream;
    PERFORM waybill_internal.delete_unseen('waybill.stream_table', t.ctid) FROM waybill.stream_table t
        WHERE t.stream = forget_stream.stream;
    EXECUTE format('ALTER EXTENSION waybill DROP SEQUENCE waybill_internal.stream_%s_acknowledged_seq', stream);
    EXECUTE format('ALTER EXTENSION waybill DROP SEQUENCE waybill_internal.stream_%s_acknowledged_at_seq', stream);
    EXECUTE format('DROP SEQUENCE waybill_internal.stream_%1$s_acknowledged_seq, waybill_internal.stream_%1$s_acknowledged_at_seq', stream);
END
$$;
COMMENT ON FUNCTION waybill_internal.forget_stream IS 'removes a stream and its sequences';

-- A stream's sequences come and go with its row, also when pg_restore copies the row.
CREATE FUNCTION waybill_internal.stream_created() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    position CONSTANT text := format('waybill_internal.stream_%s_acknowledged_seq', NEW.id);
    moved_at CONSTANT text := format('waybill_internal.stream_%s_acknowledged_at_seq', NEW.id);
    granted record;
BEGIN
    IF waybill_internal.is_replicated() THEN
        RETURN NULL;
    END IF;
    -- A dump's "default" that is not the first one any more: it had been dropped and created anew.
    PERFORM waybill_internal.forget_stream(s.id) FROM waybill.stream s WHERE s.name = NEW.name AND s.id = 1;
    EXECUTE format('CREATE SEQUENCE %s AS bigint MINVALUE 0 START 0', position);
    EXECUTE format('CREATE SEQUENCE %s AS bigint MINVALUE 0 START 0', moved_at);
    FOR granted IN -- by ALTER DEFAULT PRIVILEGES; by oid setval() needs no USAGE of the schema
        SELECT DISTINCT c.oid::regclass AS sequence, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid IN (position::regclass, moved_at::regclass) AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %s', granted.sequence, granted.grantee);
    END LOOP;
    -- Prepared transactions to come get their place behind what safe_csn() returns. (Before the first transaction, as in
    -- CREATE EXTENSION, nothing has to be waited for.)
    PERFORM setval(position, CASE WHEN waybill_internal.last_csn() = 0 THEN 0 ELSE waybill.safe_csn() END), setval(moved_at, 0);
    IF NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e' -- as in CREATE EXTENSION
                   AND objid = position::regclass) THEN
        EXECUTE format('ALTER EXTENSION waybill ADD SEQUENCE %s', position);
        EXECUTE format('ALTER EXTENSION waybill ADD SEQUENCE %s', moved_at);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION waybill_internal.stream_created IS 'makes the sequences of a new stream; a trigger of waybill.stream';

CREATE FUNCTION waybill_internal.stream_dropped() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT waybill_internal.is_replicated() THEN
        PERFORM waybill_internal.forget_stream(OLD.id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION waybill_internal.stream_dropped IS 'drops a stream whose row is deleted by hand; a trigger of waybill.stream';

CREATE TRIGGER created BEFORE INSERT ON waybill.stream FOR EACH ROW EXECUTE FUNCTION waybill_internal.stream_created();
CREATE TRIGGER dropped BEFORE DELETE ON waybill.stream FOR EACH ROW EXECUTE FUNCTION waybill_internal.stream_dropped();
ALTER TABLE waybill.stream ENABLE ALWAYS TRIGGER created, ENABLE ALWAYS TRIGGER dropped;

-- From another database, where the oids were others.
CREATE FUNCTION waybill_internal.stream_table_restored() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT c.oid INTO NEW.relation FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = NEW.schema AND c.relname = NEW."table";
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION waybill_internal.stream_table_restored IS 'finds the table of a stream by its name; a trigger of stream_table';
CREATE TRIGGER restored BEFORE INSERT ON waybill.stream_table
    FOR EACH ROW EXECUTE FUNCTION waybill_internal.stream_table_restored();
ALTER TABLE waybill.stream_table ENABLE ALWAYS TRIGGER restored;

-- Both the name and the table count: a table that was renamed goes on in the stream, and so does one that takes the name of
-- another.
CREATE FUNCTION waybill_internal.follow_names(changed oid[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    renamed record;
BEGIN
    FOR renamed IN
        SELECT t.ctid AS place, t.stream, n.nspname AS schema, c.relname AS "table"
        FROM waybill.stream_table t JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (changed IS NULL OR c.oid = ANY (changed)) AND (t.schema <> n.nspname OR t."table" <> c.relname)
    LOOP
        PERFORM waybill_internal.delete_unseen('waybill.stream_table', renamed.place);
        INSERT INTO waybill.stream_table (stream, schema, "table") VALUES (renamed.stream, renamed.schema, renamed."table");
    END LOOP;
    INSERT INTO waybill.stream_table (stream, schema, "table")
        SELECT s.id, n.nspname, c.relname
        FROM waybill.stream s
        JOIN pg_class c ON changed IS NULL OR c.oid = ANY (changed)
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname || '.' || c.relname = ANY (s.tables)
          AND NOT EXISTS (SELECT FROM waybill.stream_table t WHERE t.stream = s.id AND t.relation = c.oid);
END
$$;
COMMENT ON FUNCTION waybill_internal.follow_names IS
    'brings stream_table up to date for tables that were renamed or take a name that a stream was given; NULL: for all';

CREATE FUNCTION waybill_internal.watch_names() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF EXISTS (SELECT FROM waybill.stream WHERE tables IS NOT NULL) THEN
        PERFORM waybill_internal.follow_names(
            (SELECT array_agg(c.objid) FILTER (WHERE c.classid = 'pg_class'::regclass) FROM pg_event_trigger_ddl_commands() c));
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING MESSAGE = format('could not look for renamed tables of streams: %s', SQLERRM);
END
$$;
COMMENT ON FUNCTION waybill_internal.watch_names() IS 'has the tables of streams follow ALTER ... RENAME and SET SCHEMA';

CREATE FUNCTION waybill.is_in_stream(stream text, relation oid, schema name, "table" name) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.tables IS NULL
        OR is_in_stream.schema || '.' || is_in_stream."table" = ANY (s.tables)
        OR EXISTS (SELECT FROM waybill.stream_table t
                   WHERE t.stream = s.id
                     AND (t.relation = is_in_stream.relation
                          OR t.schema = is_in_stream.schema AND t."table" = is_in_stream."table"))
    FROM waybill.stream s WHERE s.name = is_in_stream.stream
    $$;
COMMENT ON FUNCTION waybill.is_in_stream IS
    'whether a stream has the changes of a table, as it was called in a shape: it has, or had, one of the names that the stream was given';

CREATE FUNCTION waybill_internal.check_stream_tables(tables text[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF cardinality(tables) = 0 OR array_position(tables, NULL) IS NOT NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'the tables of a stream must not be an empty list, or have a NULL in it',
            HINT = 'Leave them out, or give NULL, for all tables.';
    END IF;
    SELECT t.name, count(DISTINCT t.place) AS times, bool_or(c.relkind IN ('r', 'p')) AS is_table INTO wrong
        FROM unnest(tables) WITH ORDINALITY t (name, place)
        LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) ON n.nspname || '.' || c.relname = t.name
        GROUP BY t.name
        HAVING count(DISTINCT t.place) > 1 OR bool_or(c.relkind IN ('r', 'p')) IS NOT TRUE LIMIT 1;
    IF wrong.times > 1 THEN
        RAISE duplicate_object USING MESSAGE = format('table "%s" is given to the stream twice', wrong.name);
    ELSIF wrong.times = 1 THEN
        RAISE undefined_table USING
            MESSAGE = format('"%s" %s', wrong.name, CASE WHEN wrong.is_table IS NULL THEN 'does not exist' ELSE 'is not a table' END),
            HINT = 'Name the tables of a stream as schema.table, in their own spelling and without quotes.';
    END IF;
END
$$;
COMMENT ON FUNCTION waybill_internal.check_stream_tables IS 'raises what is wrong with a list of tables for a stream';

CREATE FUNCTION waybill.create_stream(name text, tables text[] DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id integer;
BEGIN
    IF coalesce(name, '') = '' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the name of a stream must not be empty';
    END IF;
    PERFORM waybill_internal.check_stream_tables(tables);
    IF EXISTS (SELECT FROM waybill.stream s WHERE s.name = create_stream.name) THEN
        RAISE duplicate_object USING MESSAGE = format('stream "%s" already exists', name);
    END IF;
    -- Until this transaction ends nothing is reclaimed that the new stream is to get.
    PERFORM waybill_internal.lock_log(1, 'could not create the stream');
    new_id := nextval('waybill.stream_id_seq');
    INSERT INTO waybill.stream (id, name, tables) VALUES (new_id, create_stream.name, create_stream.tables);
    IF tables IS NOT NULL THEN
        PERFORM waybill_internal.follow_names(NULL);
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION waybill.create_stream IS
    'creates a stream of the transactions that enter their commit from now on; tables: schema.table names, NULL for all';

CREATE FUNCTION waybill.drop_stream(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_id CONSTANT integer := waybill_internal.stream_id(name);
BEGIN
    PERFORM waybill_internal.lock_log(1, 'could not drop the stream');
    IF NOT waybill_internal.lock_stream(old_id) THEN
        RAISE object_in_use USING
            MESSAGE = format('stream "%s" is being shipped by process %s', name, waybill_internal.stream_shipper(old_id)),
            HINT = 'Stop its shipper first.';
    END IF;
    PERFORM waybill_internal.forget_stream(old_id);
END
$$;
COMMENT ON FUNCTION waybill.drop_stream IS 'drops a stream: the log no longer keeps anything for it';

---------------------------------------------------------------------------------------------------------------------
-- Looking at it
---------------------------------------------------------------------------------------------------------------------

-- In a target list it is called for a row at a time, and LIMIT ends the reading: so the view and changes_since(), which
-- becomes part of the query that calls it and therefore has no settings, call it there.
CREATE FUNCTION waybill.read_changes(after_csn bigint, OUT csn bigint, OUT index bigint, OUT xid xid, OUT committed_at timestamptz,
                                     OUT "table" text, OUT op text, OUT key jsonb, OUT before jsonb, OUT after jsonb, OUT context text)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'waybill_read_changes';
COMMENT ON FUNCTION waybill.read_changes IS 'what waybill.changes and changes_since() show, row by row in a target list';

CREATE FUNCTION waybill.changes_since(after_csn bigint, OUT csn bigint, OUT index bigint, OUT xid xid, OUT committed_at timestamptz,
                                      OUT "table" text, OUT op text, OUT key jsonb, OUT before jsonb, OUT after jsonb, OUT context text)
    RETURNS SETOF record
    LANGUAGE sql STABLE
    AS $$ SELECT (l.change).* FROM (SELECT waybill.read_changes(changes_since.after_csn) AS change OFFSET 0) l $$;
COMMENT ON FUNCTION waybill.changes_since IS 'the changes in the log behind a csn, in order, as waybill.changes shows them';

CREATE VIEW waybill.changes AS SELECT (l.change).* FROM (SELECT waybill.read_changes(-1) AS change OFFSET 0) l;
COMMENT ON VIEW waybill.changes IS
    'the changes that are in the log, in order, for people and tests; acknowledged ones stay visible until their segment is emptied; those of a prepared transaction get their csn when a reader sees them';

-- A chunk is about a page. So many are counted; of more, as many pages, always the same ones.
CREATE FUNCTION waybill_internal.backlog("table" regclass, acknowledged bigint,
                                         OUT changes bigint, OUT bytes bigint, OUT oldest timestamptz)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    counted CONSTANT integer := 2000;
    chunks integer;
    pages bigint;
    looked_at record;
BEGIN
    EXECUTE format('SELECT count(*), coalesce(sum(c.changes), 0), coalesce(sum(octet_length(c.payload)), 0), (array_agg(c.committed_at))[1]
                    FROM (SELECT * FROM %s WHERE csn > $1 ORDER BY csn, chunk LIMIT $2) c', "table")
        INTO chunks, changes, bytes, oldest USING acknowledged, counted;
    IF chunks < counted THEN
        RETURN;
    END IF;
    SELECT sum(pg_relation_size(i.inhrelid)) / current_setting('block_size')::integer INTO pages
        FROM pg_inherits i WHERE i.inhparent = "table";
    EXECUTE format('SELECT sum(c.changes) FILTER (WHERE c.csn > $1) AS changes, sum(octet_length(c.payload)) FILTER (WHERE c.csn > $1) AS bytes,
                           count(DISTINCT (c.tableoid, (c.ctid::text::point)[0])) AS pages
                    FROM %s c TABLESAMPLE SYSTEM ($2) REPEATABLE (0)', "table")
        INTO looked_at USING acknowledged, least(100, 100.0 * counted / pages);
    changes := greatest(changes, looked_at.changes * pages / looked_at.pages);
    bytes := greatest(bytes, looked_at.bytes * pages / looked_at.pages);
END
$$;
COMMENT ON FUNCTION waybill_internal.backlog IS
    'what a log holds behind a csn, and since when: counted up to some 2,000 chunks, estimated beyond that';

CREATE FUNCTION waybill_internal.stream_status(OUT stream text, OUT acknowledged_csn bigint, OUT last_csn bigint,
                                      OUT backlog_changes bigint, OUT backlog_bytes bigint,
                                      OUT oldest_unacknowledged_age interval, OUT last_acknowledged_at timestamptz,
                                      OUT segments_in_use integer, OUT log_bytes bigint, OUT connected boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.name, p.acknowledged, waybill_internal.last_csn(),
           b.changes, b.bytes, clock_timestamp() - b.oldest,
           CASE WHEN p.acknowledged_at > 0 THEN to_timestamp(p.acknowledged_at / 1000000.0) END,
           l.segments::integer, l.bytes::bigint,
           waybill_internal.stream_shipper(s.id) IS NOT NULL
    FROM waybill.stream s
    CROSS JOIN LATERAL (
        SELECT waybill_internal.sequence_value(format('stream_%s_acknowledged_seq', s.id)) AS acknowledged,
               waybill_internal.sequence_value(format('stream_%s_acknowledged_at_seq', s.id)) AS acknowledged_at) p
    CROSS JOIN LATERAL (
        SELECT sum(c.changes)::bigint AS changes, sum(c.bytes)::bigint AS bytes, min(c.oldest) AS oldest
        FROM (SELECT * FROM waybill_internal.backlog('waybill_internal.change_log', p.acknowledged)
              UNION ALL SELECT sum(u.changes), sum(octet_length(u.payload)), min(u.committed_at)
              FROM waybill_internal.unplaced_chunk u) c) b
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE inhparent = 'waybill_internal.change_log'::regclass AND pg_relation_size(inhrelid) > 0)
                   AS segments,
               sum(pg_total_relation_size(inhrelid)) AS bytes
        FROM pg_inherits WHERE inhparent IN ('waybill_internal.change_log'::regclass, 'waybill_internal.prepared_log'::regclass)) l
$$;
COMMENT ON FUNCTION waybill_internal.stream_status IS 'what waybill.status shows';

CREATE VIEW waybill.status AS SELECT * FROM waybill_internal.stream_status();
COMMENT ON VIEW waybill.status IS
    'per stream: backlog, counted when it is small, estimated from some 2,000 chunks when it is not; age of its oldest change, last acknowledgement, log size, whether a shipper is connected';

-- PostgreSQL lets any role lock any relation, and a transaction that is prepared keeps its locks: nothing of that keeps
-- writers or readers waiting, but segments are emptied later.
CREATE FUNCTION waybill_internal.lock_holders(OUT object text, OUT mode text, OUT pid integer, OUT prepared text, OUT role text,
                                              OUT since timestamptz)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(c.relname::text,
                    CASE l.objsubid WHEN 3 THEN (SELECT format('stream %s', s.name) FROM waybill.stream s WHERE s.id = l.objid::bigint)
                                    WHEN 4 THEN CASE l.objid WHEN 1 THEN 'list of streams' ELSE 'places of prepared transactions' END
                                    WHEN 5 THEN 'commit order' ELSE 'prepared log' END),
           l.mode, l.pid, p.gid, coalesce(a.usename, p.owner)::text, coalesce(a.xact_start, p.prepared)
    FROM pg_locks l
    LEFT JOIN pg_class c ON l.locktype = 'relation' AND c.oid = l.relation
                            AND c.relnamespace = 'waybill_internal'::regnamespace AND c.relkind = 'r'
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    LEFT JOIN pg_prepared_xacts p ON l.virtualtransaction = '-1/' || p.transaction::text
    WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (c.oid IS NOT NULL OR l.locktype = 'advisory' AND l.classid = 2003790188 AND l.objsubid BETWEEN 3 AND 6) -- extension/locks.cpp
      AND l.pid IS DISTINCT FROM pg_backend_pid()
$$;
COMMENT ON FUNCTION waybill_internal.lock_holders IS 'what waybill.lock_holders shows';

CREATE VIEW waybill.lock_holders AS SELECT * FROM waybill_internal.lock_holders();
COMMENT ON VIEW waybill.lock_holders IS
    'who locks parts of the log or a stream, and since when his transaction runs: a lock on a segment keeps it from being emptied';

CREATE FUNCTION waybill_internal.describe_processes(pids integer[]) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(CASE WHEN p.pid = 0 THEN 'a prepared transaction'
                           ELSE format('process %s (%s)', p.pid,
                                       coalesce(format('role "%s", in a transaction since %s', a.usename, a.xact_start), 'ended now')) END,
                      ', ' ORDER BY a.xact_start)
    FROM unnest(pids) p (pid) LEFT JOIN pg_stat_activity a ON a.pid = p.pid
    $$;
COMMENT ON FUNCTION waybill_internal.describe_processes IS 'processes, for messages about waiting for them';

---------------------------------------------------------------------------------------------------------------------
-- Privileges
---------------------------------------------------------------------------------------------------------------------

-- USAGE of this sequence is the right to ship its stream (extension/streams.cpp).
CREATE FUNCTION waybill_internal.stream_privilege(stream text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT format('USAGE ON SEQUENCE waybill_internal.stream_%s_acknowledged_at_seq', waybill_internal.stream_id(stream)) $$;
COMMENT ON FUNCTION waybill_internal.stream_privilege IS 'the right to ship a stream, as GRANT names it';

CREATE FUNCTION waybill.grant_shipper(role regrole, stream text DEFAULT 'default') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM waybill.grant_monitor(role);
    EXECUTE format('GRANT %s TO %s', waybill_internal.stream_privilege(stream), role);
    EXECUTE format('GRANT SELECT ON waybill.source, waybill.shape TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION waybill.safe_csn, waybill.fetch, waybill.utf8, waybill.is_in_stream,
                    waybill.take_stream, waybill.acknowledged, waybill.acknowledge, waybill.maintain TO %s', role);
END
$$;
COMMENT ON FUNCTION waybill.grant_shipper IS
    'lets a role, and its members, ship a stream: read the log, and acknowledge this stream, nothing else';

CREATE FUNCTION waybill.revoke_shipper(role regrole, stream text DEFAULT 'default') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('REVOKE %s FROM %s', waybill_internal.stream_privilege(stream), role);
    IF EXISTS (SELECT FROM waybill.stream s
               JOIN pg_class c ON c.oid = format('waybill_internal.stream_%s_acknowledged_at_seq', s.id)::regclass,
                    aclexplode(c.relacl) a
               WHERE a.grantee = role) THEN
        RETURN;
    END IF;
    EXECUTE format('REVOKE SELECT ON waybill.source, waybill.shape FROM %s', role);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION waybill.safe_csn, waybill.fetch, waybill.utf8, waybill.is_in_stream,
                    waybill.take_stream, waybill.acknowledged, waybill.acknowledge, waybill.maintain FROM %s', role);
END
$$;
COMMENT ON FUNCTION waybill.revoke_shipper IS
    'takes a stream from a role that grant_shipper() gave it to, and with the last one the right to read the log; what monitors may see, which it may have by itself, stays';

CREATE FUNCTION waybill.grant_monitor(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA waybill TO %s', role);
    EXECUTE format('GRANT SELECT ON waybill.status, waybill.captured_tables, waybill.lock_holders TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION waybill_internal.stream_status, waybill_internal.captured_tables,
                    waybill_internal.lock_holders TO %s', role);
END
$$;
COMMENT ON FUNCTION waybill.grant_monitor IS
    'lets a role look at status, captured_tables and lock_holders, at nothing that tables contain; pg_monitor may from the start';

CREATE FUNCTION waybill.grant_capture(role regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA waybill TO %s', role);
    EXECUTE format('GRANT SELECT ON waybill.captured_tables TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION waybill.enable_capture, waybill.disable_capture, waybill_internal.captured_tables
                    TO %s', role);
END
$$;
COMMENT ON FUNCTION waybill.grant_capture IS 'lets a role capture the tables that it owns';

SELECT waybill.create_stream('default');

-- Nothing of what ALTER DEFAULT PRIVILEGES gave to others.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT o.what, a.grantee
        FROM (SELECT pg_catalog.format('SCHEMA %I', n.nspname) AS what, n.nspowner AS owner, n.nspacl AS acl
              FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('waybill', 'waybill_internal')
            UNION ALL
              SELECT pg_catalog.format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::pg_catalog.regclass),
                     c.relowner, c.relacl
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname IN ('waybill', 'waybill_internal')
            UNION ALL
              SELECT pg_catalog.format('FUNCTION %s', p.oid::pg_catalog.regprocedure), p.proowner, p.proacl
              FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname IN ('waybill', 'waybill_internal')) o,
             pg_catalog.aclexplode(o.acl) a
        WHERE a.grantee <> o.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', granted.what,
                                  CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::pg_catalog.regrole::text END);
    END LOOP;
END
$$;

-- Two tables are in every dump: who makes one needs no more than USAGE of the schema. That is not PUBLIC's, since whoever
-- can name a relation can lock it: CREATE RULE does before it looks for rights.
GRANT SELECT ON waybill.stream, waybill.stream_table, waybill.stream_id_seq TO PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA waybill, waybill_internal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION waybill_internal.capture, waybill_internal.capture_truncate, waybill_internal.capture_condition TO PUBLIC;
SELECT waybill.grant_monitor('pg_monitor');

-- ALWAYS: whatever session_replication_role says.
CREATE EVENT TRIGGER waybill_guard_triggers ON ddl_command_end
    WHEN TAG IN ('CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE SCHEMA') EXECUTE FUNCTION waybill_internal.guard_triggers();
CREATE EVENT TRIGGER waybill_watch_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE') EXECUTE FUNCTION waybill_internal.watch_ddl();
CREATE EVENT TRIGGER waybill_watch_names ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER SCHEMA') EXECUTE FUNCTION waybill_internal.watch_names();
CREATE EVENT TRIGGER waybill_watch_drop ON sql_drop EXECUTE FUNCTION waybill_internal.watch_drop();
ALTER EVENT TRIGGER waybill_guard_triggers ENABLE ALWAYS;
ALTER EVENT TRIGGER waybill_watch_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER waybill_watch_names ENABLE ALWAYS;
ALTER EVENT TRIGGER waybill_watch_drop ENABLE ALWAYS;

DO $$
DECLARE
    publications CONSTANT text := (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(pubname), ', ' ORDER BY pubname)
                                   FROM pg_catalog.pg_publication WHERE puballtables);
BEGIN
    IF publications IS NOT NULL THEN
        RAISE WARNING USING MESSAGE = pg_catalog.format('tables of waybill are in publications FOR ALL TABLES: %s', publications),
            DETAIL = 'Nothing of them is sent, and subscriptions go on; but to be created or refreshed they need tables of these names.',
            HINT = 'Create the extension at the subscribers, too, or publish FOR TABLES IN SCHEMA.';
    END IF;
END
$$;
