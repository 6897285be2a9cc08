"""Errors in the middle of capture: the transaction is rolled back as a whole, and its session is as good as new."""

import contextlib
import os
import pathlib
import subprocess

import psycopg2
import pytest


HERE = pathlib.Path(__file__).parent


@pytest.fixture
def database(server, request):
    """A name: a database with the extension and a captured table `t`."""
    name = f"errors_{request.node.name.split('[')[0]}"[:60]
    server.create_database(name, "CREATE EXTENSION waybill", "CREATE TABLE t (id int PRIMARY KEY, v text)",
                           "SELECT waybill.enable_capture('t')")
    yield name
    server.drop_database(name)


def logged(server, database: str) -> list[tuple]:
    return server.query(database, """SELECT csn, split_part("table", '.', 2), op, coalesce(after, before) ->> 'id',
                                            after ->> 'v' FROM waybill.changes ORDER BY csn, index""")


def assert_healthy(server, database: str, connection, before: list[tuple]) -> None:
    """Nothing was logged since `before`; what the session does next is, and only that."""
    assert logged(server, database) == before
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (-1, 'healthy')")
        cursor.execute("DELETE FROM t WHERE id = -1")
    assert [change[1:] for change in logged(server, database)[len(before):]] == [
        ("t", "insert", "-1", "healthy"), ("t", "delete", "-1", None)]


# ---- what an output function may do

@pytest.fixture
def hostile(server, database, tmp_path):
    pg_config = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")
    headers = subprocess.run([pg_config, "--includedir-server"], check=True, stdout=subprocess.PIPE, text=True).stdout
    library = server.directory / "hostile_type.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", f"-I{headers.strip()}", HERE / "hostile_type.c", "-o", library],
                   check=True, stdin=subprocess.DEVNULL)
    server.execute(
        database, "CREATE TYPE hostile",
        f"CREATE FUNCTION hostile_in(cstring) RETURNS hostile LANGUAGE c STRICT AS '{library}', 'hostile_in'",
        f"CREATE FUNCTION hostile_out(hostile) RETURNS cstring LANGUAGE c STRICT AS '{library}', 'hostile_out'",
        "CREATE TYPE hostile (INPUT = hostile_in, OUTPUT = hostile_out, LIKE = text)",
        "CREATE TABLE h (id int PRIMARY KEY, before text, h hostile, v text)", "SELECT waybill.enable_capture('h')")
    with contextlib.closing(server.connect(database)) as connection:
        yield connection


def test_output_function_changes_captured_tables(server, database, hostile):
    """Its changes come behind the one whose value it prints, and neither damages the other."""
    with hostile.cursor() as cursor:
        cursor.execute("INSERT INTO h VALUES (1, 'long' || repeat('x', 100), "
                       "'sql:INSERT INTO public.t VALUES (1, repeat(''y'', 3000)); UPDATE public.t SET v = ''inner''', "
                       "'outer')")
    changes = logged(server, database)
    assert len({csn for csn, *_ in changes}) == 1
    assert [change[1:] for change in changes] == [
        ("h", "insert", "1", "outer"), ("t", "insert", "1", "y" * 3000), ("t", "update", "1", "inner")]


def test_output_function_fails(server, database, hostile):
    """What cannot be printed cannot be published: the command fails, and says that it was capture's doing."""
    before = logged(server, database)
    with hostile.cursor() as cursor:
        with pytest.raises(psycopg2.errors.DivisionByZero) as error:
            cursor.execute("INSERT INTO h VALUES (1, 'x', 'sql:SELECT 1 / 0', 'y')")
        assert 'capture of a change of table "h"' in error.value.diag.context
        # A savepoint takes back what was half encoded; what comes behind it is right.
        cursor.execute("BEGIN; INSERT INTO t VALUES (1, 'kept'); SAVEPOINT a")
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("INSERT INTO h VALUES (2, 'x', 'sql:SELECT 1 / 0', 'y')")
        cursor.execute("ROLLBACK TO a; INSERT INTO h VALUES (3, 'x', 'plain', 'kept'); COMMIT; DELETE FROM t; DELETE FROM h")
    changes = logged(server, database)[len(before):]
    assert [change[1:] for change in changes] == [
        ("t", "insert", "1", "kept"), ("h", "insert", "3", "kept"), ("t", "delete", "1", None), ("h", "delete", "3", None)]
    assert_healthy(server, database, hostile, logged(server, database))


def test_output_function_changes_settings(server, database, hostile):
    """What it sets is what it would be after a SELECT of the value; what capture pinned is not left behind."""
    with hostile.cursor() as cursor:
        cursor.execute("SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'")
        cursor.execute("INSERT INTO h VALUES (1, 'x', 'sql:SET work_mem = ''1234kB''', 'y')")
        cursor.execute("SELECT current_setting('datestyle'), current_setting('timezone'), current_setting('search_path'), "
                       "current_setting('work_mem')")
        assert cursor.fetchone() == ("German, DMY", "Asia/Tokyo", '"$user", public', "1234kB")
    assert [change[1:] for change in logged(server, database)] == [("h", "insert", "1", "y")]
