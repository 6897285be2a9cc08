-- From PostgreSQL 18 on.
-- RETURNING old and new: what a statement tells of its rows is what is published of them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA returning_rows;
SET search_path = returning_rows;
\i sql/include/replay.sql
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, before, after
    FROM waybill.changes WHERE "table" LIKE 'returning_rows.%';
CREATE TABLE t (id int PRIMARY KEY, n int, s int GENERATED ALWAYS AS (n * 2) STORED, v int GENERATED ALWAYS AS (n * 3));
CREATE TABLE told (i int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, before jsonb, after jsonb);
SELECT waybill.enable_capture('t'), waybill.enable_capture('told');
CREATE FUNCTION increase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.n := NEW.n + 100;
    RETURN NEW;
END $$;
CREATE TRIGGER increase BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION increase();
WITH changed AS (
    INSERT INTO t (id, n) VALUES (1, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET n = 0
    RETURNING to_jsonb(old) - 'v' AS before, to_jsonb(new) - 'v' AS after)
INSERT INTO told (before, after) SELECT * FROM changed;
WITH changed AS (
    INSERT INTO t (id, n) VALUES (2, 20), (3, 30) ON CONFLICT (id) DO UPDATE SET n = excluded.n
    RETURNING to_jsonb(old) - 'v' AS before, to_jsonb(new) - 'v' AS after)
INSERT INTO told (before, after) SELECT * FROM changed;
WITH changed AS (UPDATE t SET n = n + 1, id = id + 10 WHERE id > 1
                 RETURNING to_jsonb(old) - 'v' AS before, to_jsonb(new) - 'v' AS after)
INSERT INTO told (before, after) SELECT * FROM changed;
WITH changed AS (
    MERGE INTO t USING (VALUES (1), (12), (4)) s (id) ON t.id = s.id
        WHEN MATCHED AND s.id = 1 THEN DELETE
        WHEN MATCHED THEN UPDATE SET n = 5
        WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 40)
        RETURNING to_jsonb(old) - 'v' AS before, to_jsonb(new) - 'v' AS after)
INSERT INTO told (before, after) SELECT * FROM changed;
WITH changed AS (DELETE FROM t RETURNING to_jsonb(old) - 'v' AS before, to_jsonb(new) - 'v' AS after)
INSERT INTO told (before, after) SELECT * FROM changed;
SELECT tx, op, before, after FROM log WHERE "table" = 't';
SELECT count(*), count(*) FILTER (WHERE (l.before, l.after) IS NOT DISTINCT FROM (t.before, t.after)) AS same
FROM (SELECT *, row_number() OVER (ORDER BY tx, index) AS i FROM log WHERE "table" = 't') l FULL JOIN told t USING (i);
SELECT replay('t'), replay('told');
SET waybill.ddl_warnings = off;
DROP SCHEMA returning_rows CASCADE;
