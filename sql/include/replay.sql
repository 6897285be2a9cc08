\set ECHO none
-- replay(table): applies what the log has of the table, in its order, to nothing. Says what does not fit: a change of a row
-- that is not (or no longer) so, a second row of a key, and whatever differs from the table in the end, or from its rows
-- that satisfy the condition under which it is captured.
CREATE TABLE replay_from AS SELECT waybill_internal.sequence_value('commit_seq') AS csn; -- earlier tests' changes are of no interest
CREATE FUNCTION replay("table" regclass, condition text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name CONSTANT text := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
                           JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = "table");
    virtual CONSTANT text[] := ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = "table" AND attgenerated = 'v');
    change record;
    place tid;
    problem text;
    changes int := 0;
BEGIN
    DROP TABLE IF EXISTS pg_temp.replayed;
    CREATE TEMPORARY TABLE replayed (key jsonb, row jsonb);
    CREATE INDEX ON replayed USING hash (key);
    CREATE INDEX ON replayed USING hash (row);
    FOR change IN SELECT c.* FROM waybill.changes c WHERE c.csn > (SELECT csn FROM replay_from) AND c."table" = name
                  ORDER BY c.csn, c.index LOOP
        changes := changes + 1;
        IF change.op = 'truncate' THEN
            DELETE FROM replayed;
        END IF;
        IF change.before IS NOT NULL THEN
            SELECT ctid INTO place FROM replayed r WHERE r.row = change.before LIMIT 1;
            IF NOT FOUND THEN
                RETURN format('%s: nothing to %s: %s', name, change.op, change.before);
            END IF;
            DELETE FROM replayed WHERE ctid = place;
        END IF;
        IF change.after IS NOT NULL THEN
            IF EXISTS (SELECT FROM replayed r WHERE r.key = change.key) THEN
                RETURN format('%s: %s of %s, which is there', name, change.op, change.after);
            END IF;
            INSERT INTO replayed VALUES (change.key, change.after);
        END IF;
    END LOOP;
    EXECUTE format('(SELECT to_jsonb(t) - %3$L::text[] FROM %1$s t WHERE %2$s EXCEPT ALL SELECT row FROM replayed)
                    UNION ALL (SELECT row FROM replayed EXCEPT ALL SELECT to_jsonb(t) - %3$L::text[] FROM %1$s t WHERE %2$s) LIMIT 1',
                   "table", condition, virtual) INTO problem;
    RETURN name || CASE WHEN problem IS NULL THEN format(': equal after %s changes', changes)
                        ELSE ': differs in ' || problem END;
END
$$;
\set ECHO all
