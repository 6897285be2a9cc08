-- From PostgreSQL 14 on. What capture keeps in memory does not grow with the statements of a transaction, nor with the
-- tables that come and go in a session.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET waybill.ddl_warnings = off;
CREATE SCHEMA memory;
SET search_path = memory;
SET waybill.buffer_size = '64kB';
CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE other (id bigint);
SELECT waybill.enable_capture('t');
CREATE FUNCTION used(context text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts WHERE name = context
$$;
-- Changes one row after the other, each in a statement of its own with others in between, and returns what a quarter
-- and what all of it took.
CREATE FUNCTION write_rows(statements int, OUT few bigint, OUT many bigint) LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    FOR i IN 1..statements LOOP
        next := nextval('memory.ids');
        INSERT INTO memory.t VALUES (next) ON CONFLICT DO NOTHING;
        UPDATE memory.t SET n = n + 1 WHERE id = next;
        INSERT INTO memory.other VALUES (1);
        IF i = statements / 4 THEN
            few := memory.used('waybill changes');
        END IF;
    END LOOP;
    many := memory.used('waybill changes');
END $$;
CREATE SEQUENCE ids START 1000;

-- By themselves.
SELECT many = few AS flat FROM write_rows(16000);

-- Inside another statement, whose own changes wait meanwhile; each in a subtransaction of its own.
CREATE TABLE result (few bigint, many bigint);
CREATE FUNCTION write_inside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 3 THEN
        INSERT INTO memory.result SELECT * FROM memory.write_rows(16000);
    ELSIF NEW.id = 4 THEN
        FOR i IN 1..16000 LOOP
            BEGIN
                INSERT INTO memory.t VALUES (nextval('memory.ids'));
                IF i % 3 = 0 THEN
                    RAISE division_by_zero;
                END IF;
            EXCEPTION WHEN division_by_zero THEN
                NULL;
            END;
            IF i = 8000 THEN
                INSERT INTO memory.result VALUES (memory.used('waybill changes'));
            END IF;
        END LOOP;
        UPDATE memory.result SET many = memory.used('waybill changes') WHERE many IS NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER write_inside BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id < 10) EXECUTE FUNCTION write_inside();
INSERT INTO t SELECT g FROM generate_series(1, 5) g;
SELECT many = few AS flat FROM result;
SELECT string_agg(after ->> 'id', ' ' ORDER BY index) AS rows, max(index) - min(index) > 10000 AS around_the_others FROM waybill.changes
WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" = 'memory.t') AND (after ->> 'id')::int < 10;

-- Tables.
DO $$
BEGIN
    FOR i IN 1..150 LOOP
        CREATE TABLE memory.gone (id int PRIMARY KEY, v text);
        PERFORM waybill.enable_capture('memory.gone');
        INSERT INTO memory.gone VALUES (1, 'x');
        COMMIT;
        DROP TABLE memory.gone;
        COMMIT;
    END LOOP;
END $$;
SELECT count(*) < 100 AS few FROM pg_backend_memory_contexts WHERE name = 'waybill table';

DROP SCHEMA memory CASCADE;
