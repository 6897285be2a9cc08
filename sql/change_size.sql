-- waybill.max_change_size bounds what a change may take; the statement that makes a larger one fails.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA change_size;
SET search_path = change_size;
CREATE VIEW log AS SELECT op, after ->> 'id' AS id FROM waybill.changes WHERE "table" LIKE 'change_size.%' ORDER BY csn, index;

-- A value of each form, all of about 20 kB; random, so that none is compressed away.
SELECT string_agg(md5(i::text), '') AS text FROM generate_series(1, 640) i \gset
CREATE TABLE t (id int PRIMARY KEY, kind text, v text, b bytea, j jsonb, js json, a text[], i int[], n numeric, x xml, bits bit varying);
ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL;
SELECT waybill.enable_capture('t');
SHOW waybill.max_change_size;
SET waybill.max_change_size = '10kB';
INSERT INTO t (id, v) VALUES (1, :'text');
INSERT INTO t (id, b) VALUES (2, convert_to(:'text', 'UTF8'));
INSERT INTO t (id, j) VALUES (3, to_jsonb(:'text'::text));
INSERT INTO t (id, js) VALUES (4, to_json(:'text'::text));
INSERT INTO t (id, a) VALUES (5, string_to_array(:'text', 'a'));
INSERT INTO t (id, i) SELECT 6, array_agg(i) FROM generate_series(1, 3000) i;
INSERT INTO t (id, n) VALUES (7, repeat('1234567890', 4000)::numeric);
INSERT INTO t (id, x) VALUES (8, (:'text')::xml);
INSERT INTO t (id, bits) VALUES (9, repeat('10', 6000)::bit varying);
-- Several that only together are too large.
INSERT INTO t (id, v, b, js) VALUES (10, left(:'text', 4000), left(:'text', 4000)::bytea, to_json(left(:'text', 4000)));
SELECT * FROM log;

-- What is not large in a record counts as little as it is there.
INSERT INTO t (id, kind) VALUES (1, 'ok');
INSERT INTO t (id, j) SELECT 2, to_jsonb(array_agg(1)) FROM generate_series(1, 3000);
SELECT pg_column_size(j) > 10240 AS larger, length(j::text) < 10240 AS smaller FROM t WHERE id = 2;
RESET waybill.max_change_size;
INSERT INTO t (id, v, b) VALUES (3, :'text', convert_to(:'text', 'UTF8'));
SET waybill.max_change_size = '50kB';
UPDATE t SET kind = 'both rows, one value' WHERE id = 3;
SET waybill.max_change_size = '30kB';
UPDATE t SET kind = 'too large as it is' WHERE id = 3;
DELETE FROM t WHERE id = 3;
SET waybill.max_change_size = '70kB';
UPDATE t SET v = upper(v) WHERE id = 3;
UPDATE t SET v = upper(v), b = b || '\x00' WHERE id = 3;
SELECT * FROM log;

-- A row that moves to another partition is one change, of both rows.
CREATE TABLE parts (id int, place int, v text) PARTITION BY LIST (place);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
SELECT waybill.enable_capture('parts');
INSERT INTO parts VALUES (1, 1, :'text');
SET waybill.max_change_size = '30kB';
UPDATE parts SET place = 2;
SET waybill.max_change_size = '50kB';
UPDATE parts SET place = 2;

-- Nobody but a superuser has a say in it.
CREATE ROLE regress_waybill_writer;
GRANT USAGE ON SCHEMA change_size TO regress_waybill_writer;
GRANT INSERT ON t TO regress_waybill_writer;
SET ROLE regress_waybill_writer;
SET waybill.max_change_size = '1GB';
SET waybill.max_change_size = '100kB';
RESET waybill.max_change_size;
RESET ROLE;
\set VERBOSITY sqlstate
SET waybill.max_change_size = 1023;
SET waybill.max_change_size = 1000000001;
\set VERBOSITY default

RESET search_path;
DROP SCHEMA change_size CASCADE;
DROP ROLE regress_waybill_writer;
