-- The views waybill.changes and waybill.status read what they show, and a large backlog is estimated.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA changes;
SET search_path = changes;
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
SELECT coalesce(max(csn), 0) AS before FROM waybill.changes \gset
CREATE VIEW log AS SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, key, context FROM waybill.changes WHERE "table" = 'changes.t';

-- In order: prepared transactions in their place, with or without a reader that placed them, large ones, too. A context is
-- one transaction's.
BEGIN;
INSERT INTO t VALUES (1, '');
SET LOCAL waybill.context = 'mine';
PREPARE TRANSACTION 'waybill_changes_1';
INSERT INTO t VALUES (2, '');
BEGIN;
INSERT INTO t SELECT i, repeat('x', 4000) FROM generate_series(3, 33) i;
PREPARE TRANSACTION 'waybill_changes_2';
COMMIT PREPARED 'waybill_changes_1';
BEGIN;
INSERT INTO t VALUES (34, '');
PREPARE TRANSACTION 'waybill_changes_3';
INSERT INTO t VALUES (35, '');
COMMIT PREPARED 'waybill_changes_2';
SELECT tx, count(*), min(index), max(index), min((key ->> 'id')::int), max((key ->> 'id')::int), max(context) FROM log GROUP BY tx ORDER BY tx;
SELECT count(waybill.safe_csn());
COMMIT PREPARED 'waybill_changes_3';
SELECT tx, count(*), min(index), max(index), min((key ->> 'id')::int), max((key ->> 'id')::int), max(context) FROM log GROUP BY tx ORDER BY tx;
SELECT count(waybill.safe_csn());
SELECT tx, count(*), min((key ->> 'id')::int) FROM log GROUP BY tx ORDER BY tx;

-- A change that is larger than a chunk, than many, and whose length is cut in two: all cuts of a stream occur.
INSERT INTO t VALUES (36, repeat('y', 300000));
INSERT INTO t SELECT i, repeat('z', 7900 + i) FROM generate_series(100, 399) i;
SELECT key, length(after ->> 'v') FROM waybill.changes WHERE "table" = 'changes.t' AND after ->> 'v' LIKE 'y%';
SELECT count(*), bool_and(length(after ->> 'v') = 7900 + (key ->> 'id')::int), max(index) FROM waybill.changes
WHERE "table" = 'changes.t' AND after ->> 'v' LIKE 'z%';

-- Behind a csn; as a table, too.
INSERT INTO t VALUES (400, ''), (401, '');
SELECT max(csn) AS last FROM waybill.changes \gset
SELECT index, key FROM waybill.changes_since(:last - 1);
SELECT count(*) FROM waybill.changes_since(:last);
SELECT count(*) = (SELECT count(*) FROM waybill.changes WHERE csn > :before) FROM waybill.changes_since(:before);
BEGIN;
DECLARE one CURSOR FOR SELECT key FROM waybill.changes WHERE csn >= :last;
FETCH one;
INSERT INTO t VALUES (402, '');
FETCH one;
FETCH one;
COMMIT;

GRANT SELECT ON waybill.changes TO pg_monitor;
SET ROLE pg_monitor;
SELECT count(*) FROM waybill.changes;
RESET ROLE;
GRANT EXECUTE ON FUNCTION waybill.read_changes, waybill.changes_since TO pg_monitor;
SET ROLE pg_monitor;
SELECT key FROM waybill.changes WHERE csn = :last;
SELECT key FROM waybill.changes_since(:last - 1);
RESET ROLE;
REVOKE ALL ON FUNCTION waybill.read_changes, waybill.changes_since FROM pg_monitor;
REVOKE ALL ON waybill.changes FROM pg_monitor;

-- What is not asked for is not read: not even that it cannot be.
CREATE FUNCTION broken(stream bytea, after_csn bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE changes.fake () INHERITS (waybill_internal.change_log);
    INSERT INTO changes.fake (csn, committed_at, chunk, chunks, changes, timeline, xid, payload)
    VALUES (9000000000000000000, now(), 0, 1, 1, 1, '1', stream);
    RETURN QUERY SELECT 'asked for one: ' || op FROM waybill.changes LIMIT 1;
    RETURN QUERY SELECT 'asked for one: ' || op FROM waybill.changes_since(after_csn) LIMIT 1;
    BEGIN
        RETURN QUERY SELECT format('asked for all: %s', count(*) > 0) FROM waybill.changes;
    EXCEPTION WHEN data_corrupted THEN
        RETURN NEXT SQLERRM;
    END;
    DROP TABLE changes.fake;
END
$$;
SELECT stream, broken(stream, :before) FROM (VALUES ('\x0f'::bytea), ('\x0349'), ('\x8f'), ('\xffffffffffffffffffffff'), ('\x014900'), ('\x0158'), ('\xffffffff0f00')) s (stream);

-- A small backlog is counted, a large one estimated.
BEGIN;
SELECT waybill.acknowledge('default', waybill.safe_csn());
SELECT backlog_changes, backlog_bytes, oldest_unacknowledged_age FROM waybill.status WHERE stream = 'default';
CREATE TABLE fake () INHERITS (waybill_internal.change_log);
ALTER TABLE fake ALTER payload SET STORAGE PLAIN;
CREATE INDEX ON fake (csn, chunk);
CREATE FUNCTION add(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO changes.fake (csn, committed_at, chunk, chunks, changes, timeline, xid, payload)
    SELECT 8000000000000000000 + i, now() - interval '1 day' + i * interval '1 s', 0, 1, 10, 1, '1', convert_to(repeat('x', 8000), 'SQL_ASCII')
    FROM generate_series(first, last) i $$;
SELECT add(1, 1500);
SELECT backlog_changes, backlog_bytes, oldest_unacknowledged_age BETWEEN '23 h' AND '25 h' FROM waybill.status WHERE stream = 'default';
SELECT add(1501, 6000);
SELECT backlog_changes BETWEEN 50000 AND 70000, backlog_bytes BETWEEN 40000000 AND 56000000,
       oldest_unacknowledged_age BETWEEN '23 h' AND '25 h' FROM waybill.status WHERE stream = 'default';
ROLLBACK;

SET waybill.ddl_warnings = off;
DROP SCHEMA changes CASCADE;
