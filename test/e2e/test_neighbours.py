"""What else is there in a database, or is missing from its server, is none the worse for us."""

import contextlib
import pathlib

import psycopg2
import pytest

from rig import postgres

HERE = pathlib.Path(__file__).parent


def test_ddl_goes_on_where_the_library_is_missing_and_writers_are_told():
    """As on a standby that was promoted without it."""
    with postgres.Installation() as installation, postgres.Server(installation) as server:
        server.create_database("d", "CREATE EXTENSION waybill", "CREATE TABLE t (id int, v int) PARTITION BY LIST (id)",
                               "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)", "CREATE TABLE unrelated (id int)",
                               "SELECT waybill.enable_capture('t', key => '{id}', condition => 'v > 0')")
        library, = installation.directory.rglob("waybill.so")
        library.rename(library.with_suffix(".away"))
        server.execute("d", "CREATE TABLE u (id int)", "ALTER TABLE u ADD v int", "DROP TABLE unrelated", "INSERT INTO u VALUES (1)",
                       "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2)", "CREATE TABLE t3 (v int, id int)",
                       "ALTER TABLE t ATTACH PARTITION t3 FOR VALUES IN (3)", "ALTER TABLE t RENAME id TO number",
                       "ALTER TABLE t DETACH PARTITION t1", "CREATE TRIGGER x BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                       "DROP TABLE t1")
        with pytest.raises(psycopg2.errors.UndefinedFile, match="could not access file"):
            server.execute("d", "INSERT INTO t VALUES (2, 1)")
        # The emergency exit of the README.
        server.execute("d", "BEGIN; ALTER TABLE t DISABLE TRIGGER ALL; INSERT INTO t VALUES (2, 1); ROLLBACK")
        library.with_suffix(".away").rename(library)
        server.execute("d", "INSERT INTO t VALUES (2, 1), (3, 1), (3, 0)")
        assert server.query("d", "SELECT key, problem FROM waybill.captured_tables") == [
            (["number"], "partition public.t3: TRUNCATE is not captured: run enable_capture() again")]
        server.execute("d", "SELECT waybill.enable_capture('t', key => '{number}', condition => 'v > 0')")
        assert server.query("d", "SELECT \"table\", op, key FROM waybill.changes") == [("public.t", "insert", {"number": 2}),
                                                                                    ("public.t", "insert", {"number": 3})]
        assert server.query("d", "SELECT key, problem FROM waybill.captured_tables") == [(["number"], None)]
        server.execute("d", "TRUNCATE t2")
        assert server.value("d", "SELECT op FROM waybill.changes ORDER BY csn DESC LIMIT 1") == "delete"


@pytest.mark.parametrize("prepared, refused", [
    ("", False),
    ("REVOKE ALL ON SCHEMA waybill FROM PUBLIC; GRANT USAGE ON SCHEMA waybill TO PUBLIC", False),
    ("ALTER SCHEMA waybill OWNER TO squatter", True),
    ("GRANT CREATE ON SCHEMA waybill TO squatter", True),
    ("CREATE FUNCTION waybill.last_csn() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'", True),
    ("CREATE OPERATOR waybill.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = pg_catalog.oidne)", True),
    ("CREATE TYPE waybill.name AS (x int)", True),
    ("CREATE SCHEMA waybill_internal AUTHORIZATION squatter", True),
])
def test_the_extension_is_not_created_in_a_schema_that_others_may_have_prepared(server, prepared, refused):
    with contextlib.suppress(psycopg2.errors.DuplicateObject):
        server.execute("postgres", "CREATE ROLE squatter")
    name = server.create_database("squatted", "CREATE SCHEMA waybill", *([prepared] if prepared else []))
    try:
        if refused:
            with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.DuplicateSchema), match="exists"):
                server.execute(name, "CREATE EXTENSION waybill")
        else:
            server.execute(name, "CREATE EXTENSION waybill", "DROP EXTENSION waybill", "CREATE EXTENSION waybill")
    finally:
        server.drop_database(name)
        server.execute("postgres", "DROP ROLE squatter")


def test_default_privileges_give_nobody_anything_of_ours(server):
    server.execute("postgres", "CREATE ROLE favoured")
    name = server.create_database("defaults", *(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO favoured, PUBLIC"
                                                for kind in ("SCHEMAS", "TABLES", "SEQUENCES", "FUNCTIONS")), "CREATE EXTENSION waybill",
                                  "SELECT waybill.create_stream('later')")
    try:
        assert server.query(name, """
            SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname ~ '^waybill' AND a.grantee IN (0, 'favoured'::regrole)
          UNION ALL SELECT c.oid::regclass::text FROM pg_class c, aclexplode(c.relacl) a
                    WHERE c.relnamespace::regnamespace::text ~ '^waybill' AND a.grantee IN (0, 'favoured'::regrole)
                      AND c.oid::regclass::text NOT IN ('waybill.stream', 'waybill.stream_table', 'waybill.stream_id_seq')
          UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(p.proacl) a
                    WHERE p.pronamespace::regnamespace::text ~ '^waybill' AND a.grantee IN (0, 'favoured'::regrole)
                      AND p.proname !~ '^capture(_truncate|_condition)?$'""") == []
    finally:
        server.drop_database(name)
        server.execute("postgres", "DROP ROLE favoured")


def test_tables_of_another_access_method_are_refused_and_told(pipeline):
    library = postgres.build_module(HERE / "table_access_method.c", pipeline.server.directory)
    pipeline.execute(f"CREATE FUNCTION other_handler(internal) RETURNS table_am_handler LANGUAGE c AS '{library}'",
                     "CREATE ACCESS METHOD other TYPE TABLE HANDLER other_handler", "CREATE TABLE o (id int) USING other",
                     "CREATE TABLE p (id int) PARTITION BY LIST (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
                     "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) USING other")
    for table in "o", "p":
        with pytest.raises(psycopg2.errors.WrongObjectType, match="not (heap|a heap)"):
            pipeline.capture(table)
    pipeline.execute("DROP TABLE p2")
    pipeline.execute("SELECT waybill.enable_capture('p', key => '{id}')")
    pipeline.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) USING other", "INSERT INTO p VALUES (1), (2)")
    assert pipeline.query("SELECT op, key FROM waybill.changes") == [("insert", {"id": 1})]
    assert pipeline.value("SELECT problem FROM waybill.captured_tables") == (
        "partition public.p2: its access method is not heap: its changes are not captured")
