-- From PostgreSQL 15 on. MERGE: each row's action as what it is.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET enable_hashjoin = off; SET enable_mergejoin = off; -- rows come in the order of the source
CREATE SCHEMA merge;
SET search_path = merge;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, before, after FROM waybill.changes WHERE "table" = 'merge.t';
CREATE TABLE t (id int PRIMARY KEY, n int);
SELECT waybill.enable_capture('t');
INSERT INTO t SELECT g, g FROM generate_series(1, 4) g;
MERGE INTO t USING (VALUES (1, 10), (2, NULL), (3, 3), (5, 50)) s (id, n) ON t.id = s.id
    WHEN MATCHED AND s.n IS NULL THEN DELETE
    WHEN MATCHED AND s.n = t.n THEN DO NOTHING
    WHEN MATCHED THEN UPDATE SET n = s.n
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.n);
-- In one transaction with others, over rows that it made; keys that go round.
BEGIN;
INSERT INTO t VALUES (6, 6);
MERGE INTO t USING (VALUES (6), (7)) s (id) ON t.id = s.id
    WHEN MATCHED THEN UPDATE SET n = 60
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 70);
MERGE INTO t USING (VALUES (6), (7)) s (id) ON t.id = s.id WHEN MATCHED AND t.id = 6 THEN DELETE WHEN MATCHED THEN UPDATE SET id = 8;
COMMIT;
SELECT tx, index, op, before, after FROM log;

-- Into a partitioned table, moving rows between the partitions, and through a trigger that writes the same table.
CREATE TABLE p (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE north PARTITION OF p FOR VALUES IN ('north');
CREATE TABLE rest PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('p');
INSERT INTO p SELECT g, CASE WHEN g % 2 = 0 THEN 'north' ELSE 'south' END, g FROM generate_series(1, 6) g;
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE merge.p SET n = n + 1000 WHERE id = NEW.id + 1 AND n < 1000;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER UPDATE ON p FOR EACH ROW WHEN (NEW.n < 1000) EXECUTE FUNCTION follow();
MERGE INTO p USING generate_series(1, 8) s (id) ON p.id = s.id
    WHEN MATCHED AND p.id = 3 THEN DELETE
    WHEN MATCHED AND p.id = 5 THEN UPDATE SET region = 'north', n = 50
    WHEN MATCHED THEN UPDATE SET n = p.n + 10
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'west', s.id);
SELECT * FROM p ORDER BY id;
SELECT replay('t'), replay('p');

DROP SCHEMA merge CASCADE;
