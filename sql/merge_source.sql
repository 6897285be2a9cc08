-- From PostgreSQL 17 on.
-- MERGE with what the source has not, through views, and with RETURNING.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET enable_hashjoin = off; SET enable_mergejoin = off; -- rows come in the order of the source, except in full joins
CREATE SCHEMA merge_source;
SET search_path = merge_source;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, op, before, after
    FROM waybill.changes WHERE "table" LIKE 'merge_source.%';
CREATE TABLE t (id int PRIMARY KEY, n int);
SELECT waybill.enable_capture('t');
INSERT INTO t SELECT g, g FROM generate_series(1, 5) g;
MERGE INTO t USING (VALUES (2, 20), (9, 90)) s (id, n) ON t.id = s.id
    WHEN MATCHED THEN UPDATE SET n = s.n
    WHEN NOT MATCHED BY SOURCE AND t.id > 4 THEN UPDATE SET n = -t.n
    WHEN NOT MATCHED BY SOURCE AND t.id > 2 THEN DELETE
    WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (s.id, s.n);
SELECT tx, op, before, after FROM log WHERE tx = 2 ORDER BY coalesce(before, after)->>'id';
-- What it returns goes into a captured table.
CREATE TABLE audit (n int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, action text, id int);
SELECT waybill.enable_capture('audit');
WITH merged AS (
    MERGE INTO t USING (VALUES (1, NULL), (2, 21), (10, 100)) s (id, n) ON t.id = s.id
        WHEN MATCHED AND s.n IS NULL THEN DELETE
        WHEN MATCHED THEN UPDATE SET n = s.n
        WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.n)
        RETURNING merge_action() AS action, t.id)
INSERT INTO audit (action, id) SELECT * FROM merged;
SELECT op, before, after FROM log WHERE tx = 3;
COPY (MERGE INTO t USING (VALUES (10)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = t.n + 1
      RETURNING merge_action(), t.*) TO STDOUT;
-- A view that is updatable, and one by a trigger.
CREATE VIEW large AS SELECT id, n FROM t WHERE n >= 20 WITH CHECK OPTION;
MERGE INTO large l USING (VALUES (2, 22), (11, 110)) s (id, n) ON l.id = s.id
    WHEN MATCHED THEN UPDATE SET n = s.n
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.n);
MERGE INTO large l USING (VALUES (2, 1)) s (id, n) ON l.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n;
CREATE VIEW doubled AS SELECT id, n * 2 AS n FROM t;
CREATE FUNCTION undouble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE merge_source.t SET n = NEW.n / 2 WHERE id = OLD.id;
    RETURN NEW;
END $$;
CREATE TRIGGER undouble INSTEAD OF UPDATE ON doubled FOR EACH ROW EXECUTE FUNCTION undouble();
MERGE INTO doubled d USING (VALUES (2), (11)) s (id) ON d.id = s.id WHEN MATCHED THEN UPDATE SET n = 1000 + d.id;
SELECT tx, op, before, after FROM log WHERE tx > 3;

-- Partitions, between which rows move.
CREATE TABLE p (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE north PARTITION OF p FOR VALUES IN ('north');
CREATE TABLE rest PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('p');
INSERT INTO p SELECT g, CASE WHEN g % 2 = 0 THEN 'north' ELSE 'south' END, g FROM generate_series(1, 6) g;
MERGE INTO p USING (VALUES (2), (3), (7)) s (id) ON p.id = s.id
    WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END
    WHEN NOT MATCHED BY SOURCE AND n > 4 THEN DELETE
    WHEN NOT MATCHED BY SOURCE THEN UPDATE SET region = 'west'
    WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (s.id, 'north', 0);
SELECT * FROM p ORDER BY id;
SELECT replay('t'), replay('audit'), replay('p');
SET waybill.ddl_warnings = off;
DROP SCHEMA merge_source CASCADE;
