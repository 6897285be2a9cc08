-- Two-phase commit: changes come with COMMIT PREPARED, and are placed by the first reader that sees them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA prepared;
SET search_path = prepared;
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, key, after, context
    FROM waybill.changes WHERE "table" = 'prepared.t';
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT waybill.enable_capture('t');
SELECT waybill.acknowledge('default', waybill.safe_csn());

-- Nothing can be seen before COMMIT PREPARED, and nothing waits for it.
BEGIN;
SET LOCAL waybill.context = '{"by": "prepare"}';
INSERT INTO t VALUES (1, 'prepared first');
SAVEPOINT s;
INSERT INTO t VALUES (2, 'undone');
ROLLBACK TO s;
UPDATE t SET v = 'prepared, changed';
PREPARE TRANSACTION 'early';
INSERT INTO t VALUES (3, 'at once');
SELECT * FROM log;
-- Readers are let past its number: its place is behind what they could read.
SELECT waybill.safe_csn() AS passed \gset
COMMIT PREPARED 'early';
INSERT INTO t VALUES (4, 'after');
SELECT backlog_changes FROM waybill.status WHERE stream = 'default';
SELECT waybill.safe_csn() > :passed AS goes_on;
SELECT * FROM log;
SELECT csn > :passed AS behind, chunk, chunks, changes FROM waybill.fetch(waybill.acknowledged('default'), 2147483647, waybill.safe_csn());
SELECT backlog_changes FROM waybill.status WHERE stream = 'default';

-- What nobody was let past keeps its own number: before those who came after it.
BEGIN;
INSERT INTO t VALUES (5, 'prepared');
PREPARE TRANSACTION 'in time';
COMMIT PREPARED 'in time';
UPDATE t SET v = v || ', changed' WHERE id = 5;
SELECT waybill.safe_csn() > 0 AS placed;
SELECT op, key, after ->> 'v' AS v FROM log WHERE tx > 3 ORDER BY tx, index;

-- ROLLBACK PREPARED leaves nothing; a transaction that changed nothing that is captured is of no interest.
BEGIN;
INSERT INTO t VALUES (6, 'rolled back');
PREPARE TRANSACTION 'undone';
ROLLBACK PREPARED 'undone';
BEGIN;
CREATE TABLE other (id int);
PREPARE TRANSACTION 'other';
COMMIT PREPARED 'other';
SELECT waybill.safe_csn() > 0 AS fenced;
SELECT count(*) FROM log WHERE key = '{"id": 6}';

-- Many chunks, more than fit memory, out of order, in two prepared transactions that commit the other way round.
SET waybill.buffer_size = '64kB';
BEGIN;
INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1000, 1999) g;
PREPARE TRANSACTION 'big';
BEGIN;
INSERT INTO t VALUES (7, 'small');
PREPARE TRANSACTION 'small';
SELECT waybill.safe_csn() AS passed \gset
COMMIT PREPARED 'small';
SELECT waybill.safe_csn() AS small \gset
COMMIT PREPARED 'big';
SELECT waybill.safe_csn() AS big \gset
SELECT :passed < :small AS small_comes_next, :small < :big AS then_big;
SELECT count(*), count(DISTINCT csn) AS transactions, max(chunks) > 60 AS many, sum(changes) AS changes,
       bool_and(csn <= :big AND csn > :small) AS in_place
FROM waybill.fetch(:small, 2147483647, :big, 100000000);
SELECT count(*) FROM log WHERE (key ->> 'id')::int >= 1000;

-- Acknowledged, all of it can go.
SELECT waybill.acknowledge('default', waybill.safe_csn());
SELECT waybill.maintain(true) >= 0 AS maintained;
SELECT waybill.maintain(true) >= 0 AS again;
SELECT waybill.maintain(true) >= 0 AS and_again;
SELECT (SELECT count(*) FROM waybill.changes) AS changes, pg_relation_size('waybill_internal.prepared_0') AS slot_0,
       pg_relation_size('waybill_internal.prepared_1') AS slot_1, pg_relation_size('waybill_internal.released') AS released;
-- A new stream begins behind all that was placed.
SELECT waybill.create_stream('prepared') > 0 AS created;
SELECT waybill.acknowledged('prepared') = waybill.safe_csn() AS now;
SELECT waybill.drop_stream('prepared');

-- No table of the log has a TOAST table: its rows are written where there is no snapshot.
SELECT count(*) AS toasted FROM pg_class
WHERE relnamespace = 'waybill'::regnamespace AND relname ~ '^(segment|prepared)_' AND reltoastrelid <> 0;
DROP SCHEMA prepared CASCADE;
