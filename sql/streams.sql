-- Streams acknowledge on their own; a segment is emptied when all of them did.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA streams;
SET search_path = streams;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, key, before, after
    FROM waybill.changes WHERE "table" LIKE 'streams.%';

CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
SELECT waybill.acknowledge('default', waybill.safe_csn());
SELECT waybill.maintain(true) >= 0 AS done;
SELECT waybill.create_stream('second', '{streams.t}') > 1 AS created;
SELECT waybill.create_stream('second');
INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1000) g;
SELECT stream, backlog_changes, backlog_bytes > 0 AS bytes, oldest_unacknowledged_age > '0'::interval AS age, segments_in_use,
       last_csn > acknowledged_csn AS behind, connected
FROM waybill.status ORDER BY stream;
SELECT waybill.acknowledge('default', waybill.safe_csn());
SELECT waybill.maintain(true);
SELECT stream, backlog_changes, segments_in_use FROM waybill.status ORDER BY stream;
SELECT waybill.acknowledge('second', waybill.acknowledged('default'));
SELECT waybill.maintain(true);
SELECT stream, backlog_changes, backlog_bytes, oldest_unacknowledged_age, segments_in_use FROM waybill.status ORDER BY stream;

-- Never back.
SELECT waybill.acknowledge('second', 0);
SELECT waybill.acknowledged('second') = waybill.acknowledged('default') AS kept;

-- The ring: a segment that is not acknowledged stays, the others come round again.
SET waybill.segment_size = '1MB';
DO $$
BEGIN
    FOR i IN 1..20 LOOP
        INSERT INTO t SELECT i * 100000 + g, repeat('y', 700) FROM generate_series(1, 2000) g;
        PERFORM waybill.acknowledge('default', waybill_internal.sequence_value('commit_seq'));
        PERFORM waybill.maintain();
    END LOOP;
END $$;
SELECT count(*) > 1 AS more_than_one_chunk, count(DISTINCT csn) FROM waybill_internal.change_log;
DO $$
BEGIN
    FOR i IN 21..40 LOOP
        INSERT INTO t SELECT i * 100000 + g, repeat('y', 700) FROM generate_series(1, 1500) g;
        COMMIT;
        PERFORM waybill.acknowledge('default', waybill_internal.sequence_value('commit_seq'));
        PERFORM waybill.maintain();
        COMMIT;
    END LOOP;
END $$;
SELECT count(DISTINCT tableoid) AS segments, count(DISTINCT csn) AS transactions FROM waybill_internal.change_log
WHERE csn > waybill.acknowledged('second');
SELECT count(*) AS transactions, bool_and(csn > before) AS in_order
FROM (SELECT csn, lag(csn, 1, 0::bigint) OVER () AS before
      FROM waybill.fetch(waybill.acknowledged('second'), 2147483647, 9223372036854775807, 2000000000)
      WHERE chunk = chunks - 1) f;
SELECT waybill.drop_stream('second');
SELECT waybill.maintain(true) > 5 AS emptied;
SELECT waybill.maintain(true) + waybill.maintain(true) >= 0 AS again;
SELECT stream, backlog_changes, segments_in_use FROM waybill.status;
SELECT waybill.drop_stream('second');

-- As the first call of a session, which has not loaded the library yet.
\c -
SET client_min_messages = warning;
SELECT waybill.maintain() IS NOT NULL AS works;

DROP SCHEMA streams CASCADE;
