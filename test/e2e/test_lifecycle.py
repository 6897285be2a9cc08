"""Databases are dumped, restored, copied, upgraded, and leave us again: their tables and positions stay right."""

import contextlib
import itertools
import pathlib
import subprocess

import pytest

from pipeline import ROLE, Pipeline
from rig import postgres

_numbers = itertools.count(1)

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, note text);
CREATE TABLE p (region text, n int) PARTITION BY LIST (region);
CREATE TABLE p_north PARTITION OF p FOR VALUES IN ('north');
CREATE TABLE p_rest PARTITION OF p DEFAULT;
CREATE TABLE free (id int PRIMARY KEY)"""

STREAMS = "SELECT name, tables FROM waybill.stream ORDER BY name"
CAPTURED = 'SELECT "table"::text, key, condition, problem FROM waybill.captured_tables ORDER BY 1'
SOURCE = "SELECT id FROM waybill.source"


@pytest.fixture
def filled(pipeline):
    """Tables with and without capture, streams that came and went, some of it shipped."""
    pipeline.execute(SCHEMA, "SELECT waybill.enable_capture('t')",
                     "SELECT waybill.enable_capture('p', key => '{n}', condition => 'n <> 3')",
                     "SELECT waybill.drop_stream('default'), waybill.create_stream('gone')",
                     "SELECT waybill.create_stream('default', '{public.t}'), waybill.drop_stream('gone')",
                     "SELECT waybill.create_stream('all of it')",
                     f"SELECT waybill.grant_shipper('{ROLE}'), waybill.grant_shipper('{ROLE}', 'all of it')",
                     "INSERT INTO t SELECT g, 'before' FROM generate_series(1, 100) g",
                     "INSERT INTO p SELECT CASE WHEN g % 2 = 0 THEN 'north' ELSE 'south' END, g FROM generate_series(1, 10) g",
                     "INSERT INTO free VALUES (1)")
    pipeline.shipper().once()
    return pipeline


def dump(pipeline: Pipeline, *options) -> pathlib.Path:
    file = pipeline.server.directory / f"{next(_numbers)}.dump"
    pipeline.server.run("pg_dump", "--dbname", pipeline.server.conninfo(pipeline.name), "--file", file, *options)
    return file


def restore(server: postgres.Server, dbname: str, file: pathlib.Path, *options) -> None:
    """A script by psql, anything else by pg_restore."""
    into = ["--dbname", server.conninfo(dbname)]
    if file.read_bytes().startswith(b"PGDMP"):
        server.run("pg_restore", *into, "--exit-on-error", *options, file)
    else:
        server.run("psql", *into, "--no-psqlrc", "--quiet", "--variable=ON_ERROR_STOP=1", *options, "--file", file)


@contextlib.contextmanager
def database(server: postgres.Server, dbname: str, *statements: str):
    yield server.create_database(dbname, *statements)
    server.drop_database(dbname)


@contextlib.contextmanager
def adopted(pipeline: Pipeline, dbname: str):
    """A pipeline from a database that was made by other means; its shipper gets no privileges but those that it has."""
    made = Pipeline(pipeline.server, pipeline.broker, dbname, existing=True)
    yield made
    made.close()


@pytest.mark.parametrize("dump_format", ["plain", "custom"])
def test_a_restored_dump_captures_on_as_a_source_of_its_own(filled, dump_format):
    file = dump(filled, f"--format={dump_format}")
    name = f"{filled.name}_{dump_format}"
    filled.server.create_database(name)
    with adopted(filled, name) as restored:
        restore(filled.server, name, file)
        assert restored.query(CAPTURED) == filled.query(CAPTURED)
        assert [(condition, problem) for *_, condition, problem in restored.query(CAPTURED)] == [("(n <> 3)", None), (None, None)]
        assert restored.query(STREAMS) == filled.query(STREAMS) == [("all of it", None), ("default", ["public.t"])]
        assert restored.value(SOURCE) != filled.value(SOURCE)
        # The rows were there before the triggers: nothing is in the log, nothing acknowledged.
        assert restored.query("SELECT backlog_changes, acknowledged_csn FROM waybill.status") == [(0, 0), (0, 0)]
        assert restored.value("SELECT waybill.create_stream('new')") > 3
        restored.execute("SELECT waybill.drop_stream('new')", "UPDATE t SET note = 'after' WHERE id < 4",
                         "UPDATE p_north SET n = n + 100", "TRUNCATE p",
                         "INSERT INTO p VALUES ('north', 3), ('south', 3), ('north', 4)", "INSERT INTO free VALUES (2)")
        restored.shipper().once()
        records = restored.records("public.t")
        assert [event["after"]["note"] for event in restored.events("public.t")] == ["after"] * 3
        assert {record.header("waybill.position").split("/")[0] for record in records} == {restored.value(SOURCE)}
        assert restored.query("SELECT op, after->>'n' FROM waybill.changes WHERE \"table\" = 'public.p' ORDER BY csn DESC LIMIT 2") == [
            ("insert", "4"), ("truncate", None)]
        restored.shipper(stream={"name": "all of it", "prefix": f"{name}a"}).once()
        assert sorted(topic for topic in restored.broker.topics() if topic.startswith(name)) == [
            f"{name}.public.t", f"{name}a.public.p", f"{name}a.public.t"]


@pytest.mark.parametrize("options", [["--clean"], ["--clean", "--if-exists"]])
def test_a_dump_that_drops_what_is_there_is_restored_over_it_in_one_transaction(filled, options):
    before = filled.query(CAPTURED)
    file = dump(filled, *options)
    restore(filled.server, filled.name, file, "--single-transaction")
    assert filled.query(CAPTURED) == before
    filled.execute("INSERT INTO p VALUES ('north', 3), ('north', 40)")
    assert filled.query('SELECT "table", op, after->>\'n\' FROM waybill.changes') == [("public.p", "insert", "40")]


def test_the_owner_of_a_database_dumps_it_and_restores_what_is_his(filled):
    """He is no superuser: what captures is not his to make, and that is said."""
    server, owner = filled.server, f"{filled.name}_owner"
    server.execute("postgres", f"CREATE ROLE {owner} LOGIN PASSWORD 'x'")
    filled.execute(f"ALTER DATABASE {filled.name} OWNER TO {owner}", f"GRANT USAGE ON SCHEMA waybill TO {owner}", *(f"ALTER TABLE {t} OWNER TO {owner}" for t in ("t", "p", "p_north", "p_rest", "free")))
    file = server.directory / f"{owner}.dump"
    server.run("pg_dump", "--dbname", server.conninfo(filled.name, owner, "x"), "--file", file, "--no-owner")
    with database(server, f"{filled.name}_own", "CREATE EXTENSION waybill", f"GRANT ALL ON SCHEMA public TO {owner}") as name:
        done = subprocess.run([server.installation.bin / "psql", "--no-psqlrc", "--quiet", "--dbname", server.conninfo(name, owner, "x"),
                               "--file", file], capture_output=True, text=True, check=False)
        assert server.value(name, "SELECT count(*) FROM t") == 100
        assert server.query(name, CAPTURED) == []
        assert "permission denied for schema waybill_internal" in done.stderr
    filled.execute(f"REASSIGN OWNED BY {owner} TO postgres", f"DROP OWNED BY {owner}")
    server.execute("postgres", f"ALTER DATABASE {filled.name} OWNER TO postgres", f"DROP ROLE {owner}")


def test_parts_of_a_dump_can_be_restored(filled):
    server = filled.server
    # Streams are data: without them, what was granted on them cannot be restored.
    filled.execute(f"SELECT waybill.revoke_shipper('{ROLE}'), waybill.revoke_shipper('{ROLE}', 'all of it')")
    schema, data, table = (dump(filled, option) for option in ("--schema-only", "--data-only", "--table=t"))
    with database(server, f"{filled.name}_parts") as name:
        restore(server, name, schema)
        assert server.query(name, CAPTURED) == filled.query(CAPTURED)
        assert server.query(name, STREAMS) == [("default", None)]
        # Data that comes into captured tables is a change of them.
        restore(server, name, data)
        assert server.query(name, STREAMS) == filled.query(STREAMS)
        assert server.query(name, 'SELECT "table", op, count(*) FROM waybill.changes GROUP BY 1, 2 ORDER BY 1') == [
            ("public.p", "insert", 9), ("public.t", "insert", 100)]
    with database(server, f"{filled.name}_table", "CREATE EXTENSION waybill") as name:
        restore(server, name, table)
        assert server.query(name, CAPTURED) == [("t", ["id"], None, None)]
    with database(server, f"{filled.name}_bare") as name:
        # Where the extension is not, the table comes without its triggers.
        restore(server, name, table, "--variable=ON_ERROR_STOP=0")
        assert server.value(name, "SELECT count(*) FROM t") == 100
        assert server.value(name, "SELECT count(*) FROM pg_trigger") == 0


def test_a_database_that_pg_dumpall_restores_is_another_source(filled):
    source, streams, captured = filled.value(SOURCE), filled.query(STREAMS), filled.query(CAPTURED)
    file = dump(filled, "--create")  # what pg_dumpall runs for each database
    filled.server.drop_database(filled.name)
    restore(filled.server, "postgres", file)
    assert filled.value(SOURCE) != source
    assert (filled.query(STREAMS), filled.query(CAPTURED)) == (streams, captured)


def test_a_copy_by_template_ships_its_own_changes_as_another_source(filled):
    name = f"{filled.name}_copy"
    filled.execute("UPDATE t SET note = 'in both' WHERE id = 1")
    filled.server.execute("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{filled.name}"')
    with adopted(filled, name) as copy:
        source = copy.value(SOURCE)
        assert source != filled.value(SOURCE)
        copy.execute("UPDATE t SET note = 'in the copy' WHERE id = 1")
        filled.execute("UPDATE t SET note = 'in the original' WHERE id = 1")
        for each, note in (copy, "in the copy"), (filled, "in the original"):
            each.shipper().once()
            records = each.records("public.t")[-2:]
            assert [event["after"]["note"] for event in each.events("public.t")][-2:] == ["in both", note]
            assert {record.header("waybill.position").split("/")[0] for record in records} == {each.value(SOURCE)}
        # Also when it gets another name.
        filled.server.execute("postgres", f'ALTER DATABASE "{name}" RENAME TO "{name}2"',
                              f'ALTER DATABASE "{name}2" RENAME TO "{name}"')
        assert copy.value(SOURCE) == source


def test_tables_work_on_when_the_extension_is_dropped(filled):
    with contextlib.closing(filled.connect()) as session, session.cursor() as cursor:
        cursor.execute("PREPARE change AS UPDATE t SET note = note || '!' WHERE id = $1")
        cursor.execute("EXECUTE change (1)")
        filled.execute("DROP EXTENSION waybill CASCADE", "DROP SCHEMA waybill")
        cursor.execute("EXECUTE change (1); INSERT INTO t VALUES (1000); DELETE FROM p; TRUNCATE p, t; INSERT INTO t VALUES (1)")
        assert filled.value("SELECT count(*) FROM pg_trigger") == 0
        filled.execute("CREATE EXTENSION waybill")
        filled.capture("t")
        cursor.execute("EXECUTE change (1)")
    assert filled.query("SELECT op, before->>'note', after->>'id' FROM waybill.changes") == [("update", None, "1")]
