-- Writes to views and through rules are those of the tables that they end in.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA views_and_rules;
SET search_path = views_and_rules;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, note text);
CREATE TABLE details (id int PRIMARY KEY, n int);
CREATE TABLE audit (at serial PRIMARY KEY, what text);
SELECT waybill.enable_capture('t'), waybill.enable_capture('details'), waybill.enable_capture('audit');
CREATE VIEW log AS
    SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, split_part("table", '.', 2) AS "table", op, before, after
    FROM waybill.changes WHERE "table" LIKE 'views_and_rules.%';
CREATE VIEW replays AS SELECT replay('t') AS t, replay('details') AS details, replay('audit') AS audit;

-- A view that PostgreSQL knows how to update.
CREATE VIEW simple AS SELECT id, note AS text FROM t WHERE id > 0 WITH CHECK OPTION;
INSERT INTO simple VALUES (1, 'one'), (2, 'two');
UPDATE simple SET text = upper(text);
INSERT INTO simple VALUES (-1, 'not of the view');

-- One with INSTEAD OF triggers that write two tables.
CREATE VIEW joined AS SELECT t.id, t.note, d.n FROM t LEFT JOIN details d USING (id);
CREATE FUNCTION write_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM views_and_rules.details WHERE id = OLD.id;
        DELETE FROM views_and_rules.t WHERE id = OLD.id;
        RETURN OLD;
    END IF;
    INSERT INTO views_and_rules.t VALUES (NEW.id, NEW.note) ON CONFLICT (id) DO UPDATE SET note = excluded.note;
    INSERT INTO views_and_rules.details VALUES (NEW.id, NEW.n) ON CONFLICT (id) DO UPDATE SET n = excluded.n;
    RETURN NEW;
END $$;
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON joined FOR EACH ROW EXECUTE FUNCTION write_joined();
INSERT INTO joined VALUES (3, 'three', 3), (1, 'uno', 1);
UPDATE joined SET n = coalesce(n, 0) + 10, note = note || '!' WHERE id < 3;
DELETE FROM joined WHERE id = 3;
COPY joined FROM stdin;
4	four	4
\.
SELECT * FROM log;
SELECT * FROM replays;

-- Rules that do more, in the order that PostgreSQL gives them: behind an INSERT, before an UPDATE and a DELETE.
CREATE RULE also_insert AS ON INSERT TO t DO ALSO INSERT INTO audit (what) VALUES ('insert ' || NEW.id);
CREATE RULE also_update AS ON UPDATE TO t DO ALSO (INSERT INTO audit (what) VALUES ('update ' || OLD.id); UPDATE details SET n = -n WHERE id = OLD.id);
CREATE RULE also_delete AS ON DELETE TO t DO ALSO DELETE FROM details WHERE id = OLD.id;
SELECT max(tx) AS seen FROM log \gset
INSERT INTO t VALUES (5, 'five'), (6, 'six');
UPDATE t SET note = 'ruled' WHERE id IN (1, 5);
DELETE FROM t WHERE id IN (1, 6);
-- Rules that do something else.
CREATE RULE instead_of_insert AS ON INSERT TO details WHERE NEW.n < 0 DO INSTEAD INSERT INTO audit (what) VALUES ('instead ' || NEW.n);
CREATE RULE instead_of_delete AS ON DELETE TO details DO INSTEAD UPDATE details SET n = NULL WHERE id = OLD.id;
CREATE RULE nothing AS ON UPDATE TO audit DO INSTEAD NOTHING;
INSERT INTO details VALUES (100, 100), (101, -1);
DELETE FROM details WHERE id = 100;
UPDATE audit SET what = 'changed';
SELECT * FROM log WHERE tx > :seen;
SELECT * FROM replays;

DROP SCHEMA views_and_rules CASCADE;
