-- From PostgreSQL 15 on, where counts tell also of tables from which nothing was captured yet.
-- What is kept to put a transaction's changes in order goes with the command of the client that made them, also where
-- PostgreSQL counts changes that are never captured, or cannot be relied upon to count them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
CREATE SCHEMA order_memory;
SET search_path = order_memory;
SET waybill.buffer_size = '64kB';
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE noted (id int);
CREATE TABLE late (id int);
CREATE TABLE p (id int, part int) PARTITION BY LIST (part);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
SELECT waybill.enable_capture(c) FROM unnest('{t,noted,p}'::regclass[]) c;
INSERT INTO t SELECT generate_series(1, 10);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_memory.noted VALUES (NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER note_before BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_after AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE VIEW commands AS SELECT 'UPDATE t SET n = n + 1' AS command FROM generate_series(1, 300);
CREATE VIEW used AS SELECT sum(used_bytes)::bigint AS bytes FROM pg_backend_memory_contexts WHERE name = 'waybill changes';

-- What others are to be compared with.
BEGIN;
\i sql/include/commands.sql
SELECT bytes AS usual FROM used \gset
COMMIT;

-- Changes of a table that is captured behind them.
BEGIN;
INSERT INTO late SELECT generate_series(1, 1000);
SELECT waybill.enable_capture('late');
INSERT INTO late VALUES (0);
\i sql/include/commands.sql
SELECT bytes < :usual + 10000 AS bounded FROM used;
COMMIT;

-- TRUNCATE in a subtransaction, and of a partition.
BEGIN;
INSERT INTO noted VALUES (0);
SAVEPOINT a;
TRUNCATE noted;
RELEASE a;
\i sql/include/commands.sql
SELECT bytes < :usual + 10000 AS bounded FROM used;
COMMIT;
BEGIN;
INSERT INTO p SELECT g, 1 FROM generate_series(1, 10) g;
TRUNCATE p1;
\i sql/include/commands.sql
SELECT bytes < :usual + 10000 AS bounded FROM used;
COMMIT;
-- From the second command on PostgreSQL's counts are relied upon again, and the order is exact: rows of t and what is
-- noted before each take turns.
CREATE VIEW last AS
    SELECT string_agg(split_part("table", '.', 2), ' ' ORDER BY index) FROM (
        SELECT index, "table", max(index) OVER () AS end FROM waybill.changes
        WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'order\_memory.%')) c WHERE index > c.end - 30;
SELECT * FROM last;
BEGIN;
INSERT INTO p SELECT g, 1 FROM generate_series(1, 10) g;
TRUNCATE p1;
UPDATE t SET n = n + 1;
UPDATE t SET n = n + 1;
COMMIT;
SELECT * FROM last;

-- A row that ON CONFLICT takes back, since another of its key came in between: the first index makes that one.
CREATE FUNCTION intrude(id int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('order_memory.intruder', true) = 'waiting' THEN
        PERFORM set_config('order_memory.intruder', 'gone', true);
        INSERT INTO order_memory.contested VALUES (id);
    END IF;
    RETURN id;
END $$;
CREATE FUNCTION intrude_immutably(id int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT order_memory.intrude(id)';
CREATE TABLE contested (id int);
CREATE INDEX ON contested (intrude_immutably(id));
ALTER TABLE contested ADD PRIMARY KEY (id);
SELECT waybill.enable_capture('contested');
BEGIN;
SET LOCAL order_memory.intruder = 'waiting';
INSERT INTO contested VALUES (1) ON CONFLICT DO NOTHING;
SHOW order_memory.intruder;
\i sql/include/commands.sql
SELECT bytes < :usual + 10000 AS bounded FROM used;
COMMIT;

DROP SCHEMA order_memory CASCADE;
