-- From PostgreSQL 14 on.
-- Values that are compressed, by either method, or stored apart come whole, also when an update does not touch them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA toast_compression;
SET search_path = toast_compression;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, method text, p text COMPRESSION pglz, l text COMPRESSION lz4, d text, j jsonb, e text, a text[]);
ALTER TABLE t ALTER e SET STORAGE external;
SELECT waybill.enable_capture('t');
CREATE FUNCTION noise(size int, seed int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT left(string_agg(md5((g * seed)::text), ''), size) FROM generate_series(1, size / 32 + 1) g $$;
CREATE FUNCTION methods() RETURNS TABLE (id int, methods text) LANGUAGE sql AS $$
    SELECT id, concat_ws(',', pg_column_compression(p), pg_column_compression(l), pg_column_compression(d), pg_column_compression(j),
                         pg_column_compression(e), pg_column_compression(a)) FROM toast_compression.t ORDER BY id $$;
-- Compressed in the row, and apart; apart as it is; short.
CREATE FUNCTION fill(first int, method text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO toast_compression.t SELECT first + i, method, v, v, v, to_jsonb(v), v, ARRAY[v, NULL, v]
    FROM (VALUES (0, repeat('long ', 1000)), (1, toast_compression.noise(20000, 7) || repeat('x', 20000)),
                 (2, toast_compression.noise(9000, 11)), (3, 'short')) w (i, v) $$;
SET default_toast_compression = 'pglz';
SELECT fill(1, 'pglz');
SET default_toast_compression = 'lz4';
SELECT fill(11, 'lz4');
SELECT * FROM methods();
UPDATE t SET method = method || '!';
UPDATE t SET d = p WHERE id IN (12, 13);
-- Rows from before keep their method; those that are rewritten get the new one.
ALTER TABLE t ALTER p SET COMPRESSION lz4, ALTER l SET COMPRESSION pglz;
UPDATE t SET method = 'set';
UPDATE t SET p = p || '.', l = l || '.' WHERE id IN (1, 2);
VACUUM FULL t;
UPDATE t SET method = 'vacuum full';
ALTER TABLE t ALTER l SET COMPRESSION default, ALTER p SET STORAGE main, ALTER d SET STORAGE external;
UPDATE t SET d = d || '.', l = l || '.', p = p || '.';
SELECT * FROM methods();
UPDATE t SET id = id + 100 WHERE id > 10;
DELETE FROM t WHERE id > 110;
-- Copied from table to table, and into a partition that compresses otherwise.
CREATE TABLE parts (id int PRIMARY KEY, v text COMPRESSION pglz) PARTITION BY RANGE (id);
CREATE TABLE parts_low (id int NOT NULL, v text COMPRESSION lz4);
ALTER TABLE parts ATTACH PARTITION parts_low FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high PARTITION OF parts DEFAULT;
SELECT waybill.enable_capture('parts');
INSERT INTO parts SELECT id, p FROM t;
UPDATE parts SET id = id + 100;
SELECT count(*), count(DISTINCT before->>'v'), bool_and(before->'v' = after->'v')
FROM waybill.changes WHERE "table" = 'toast_compression.parts' AND op = 'update';
SELECT replay('t'), replay('parts');
SET waybill.ddl_warnings = off;
DROP SCHEMA toast_compression CASCADE;
