-- For tests: captures every table that can be captured, as soon as it is there, whoever it belongs to.
\echo Use "CREATE EXTENSION capture_everything" to load this file. \quit

CREATE SCHEMA capture_everything;

-- Tables that could be captured and are not. (No view: that would be locked like one of the user's.)
CREATE FUNCTION capture_everything.missing() RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
      AND (c.relkind = 'p' OR a.amhandler = 'heap_tableam_handler'::regproc)
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'waybill', 'waybill_internal', 'capture_everything')
      AND n.nspname || '.' || c.relname <> ALL (string_to_array(current_setting('capture_everything.excluded'), ' '))
      AND NOT EXISTS (SELECT FROM pg_trigger t
                      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e'
                      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                      WHERE t.tgrelid = c.oid AND t.tgtype & 1 = 1 AND e.extname = 'waybill') -- FOR EACH ROW
    $$;

-- What the statement made, or made capturable, is locked by it: also what it detached, for instance.
CREATE FUNCTION capture_everything.capture_new_tables() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM waybill.enable_capture(m)
    FROM capture_everything.missing() m
    WHERE m IN (SELECT relation FROM pg_locks WHERE locktype = 'relation' AND pid = pg_backend_pid()
                AND mode IN ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'AccessExclusiveLock'));
END
$$;
CREATE EVENT TRIGGER capture_everything ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'ALTER TABLE')
    EXECUTE FUNCTION capture_everything.capture_new_tables();
ALTER EVENT TRIGGER capture_everything ENABLE ALWAYS;
