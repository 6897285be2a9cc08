"""Errors in the middle of capture: the transaction is rolled back as a whole, and its session is as good as new."""

import contextlib
import pathlib
import subprocess
import threading

import psycopg2
import pytest

from rig import postgres
from rig.processes import PeakMemory, wait_until

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
    library = postgres.build_module(HERE / "hostile_type.c", server.directory)
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


# ---- errors from outside, in the middle of a commit

@contextlib.contextmanager
def commit_that_waits(server, database: str):
    """A session whose commit waits for a lock on the log, in a thread; yields the session and a function that returns the
    error which the commit ended with."""
    ended: list[BaseException | None] = []
    with (contextlib.closing(server.connect(database, autocommit=False)) as holder,
          contextlib.closing(server.connect(database)) as writer):
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLE waybill_internal.segment_0 IN ACCESS EXCLUSIVE MODE")

        def commit() -> None:
            try:
                with writer.cursor() as cursor:
                    cursor.execute("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 1000) g")
                ended.append(None)
            except psycopg2.Error as error:
                ended.append(error)

        thread = threading.Thread(target=commit)

        def error() -> BaseException | None:
            thread.join(30)
            holder.rollback()
            thread.join(30)
            return ended[0]

        # Spilled, so that there is a temporary file to be given back.
        with writer.cursor() as cursor:
            cursor.execute("SET waybill.buffer_size = '64kB'; SET lock_timeout = %s", (commit_that_waits.lock_timeout,))
        thread.start()
        yield writer, error


commit_that_waits.lock_timeout = "0"


def waits_for_lock(server, pid: int):
    return lambda: server.value("postgres", "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", (pid,)) == "Lock"


def temporary_files(server) -> list[pathlib.Path]:
    return list(server.data.glob("base/pgsql_tmp/*"))


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_commit_ended_from_outside(server, database, function):
    before = logged(server, database)
    with commit_that_waits(server, database) as (writer, error):
        pid = writer.info.backend_pid
        wait_until(waits_for_lock(server, pid), 30, "the commit waits for the log")
        assert temporary_files(server)
        server.query("postgres", f"SELECT {function}(%s)", (pid,))
        ended = error()
        if function == "pg_cancel_backend":
            assert isinstance(ended, psycopg2.errors.QueryCanceled)
            assert_healthy(server, database, writer, before)
        else:
            assert isinstance(ended, psycopg2.OperationalError) and writer.closed
    wait_until(lambda: not temporary_files(server), 30, "the temporary file is gone")
    assert server.value(database, "SELECT count(*) FROM t") == 0
    with contextlib.closing(server.connect(database)) as connection:
        assert_healthy(server, database, connection, logged(server, database))


def test_commit_ended_by_lock_timeout(server, database, monkeypatch):
    monkeypatch.setattr(commit_that_waits, "lock_timeout", "100ms")
    before = logged(server, database)
    with commit_that_waits(server, database) as (writer, error):
        assert isinstance(error(), psycopg2.errors.LockNotAvailable)
        assert not temporary_files(server)
        assert_healthy(server, database, writer, before)


def test_statement_timeout_while_changes_are_spilled(server, database):
    before = logged(server, database)
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET waybill.buffer_size = '64kB'; SET statement_timeout = '300ms'")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("DO $$ BEGIN FOR i IN 1 .. 100000000 LOOP "
                           "INSERT INTO t VALUES (i, repeat('x', 1000)); END LOOP; END $$")
        cursor.execute("RESET statement_timeout")
        assert_healthy(server, database, connection, before)
        assert not temporary_files(server)


# ---- full disks

@pytest.fixture
def small_disk(server):
    """A tablespace of 16 MB."""
    place = server.directory / "small"
    place.mkdir(exist_ok=True)
    options = "size=16m" + (f",uid={server.user.pw_uid},mode=0700" if server.user is not None else "")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    server.execute("postgres", f"CREATE TABLESPACE small LOCATION '{place}'")
    yield place
    server.execute("postgres", "DROP TABLESPACE small")
    subprocess.run(["umount", place], check=True)


def test_full_disk_for_the_log(server, small_disk, database):
    """The transaction fails whole; with a little room, maintenance gives back what it had written, which nobody will see."""
    reserve = small_disk / "reserve"
    reserve.write_bytes(bytes(1024 * 1024))
    server.execute(database, *(f"ALTER {kind} waybill_internal.segment_{n}{suffix} SET TABLESPACE small"
                               for n in range(8) for kind, suffix in (("TABLE", ""), ("INDEX", "_idx"))))
    before = logged(server, database)
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.DiskFull):
            cursor.execute("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 30000) g")
        assert server.value(database, "SELECT count(*) FROM t") == 0
        reserve.unlink()
        # As the shipper does; the first call goes on in the next segment, the second empties the full one.
        for _ in range(2):
            cursor.execute("SELECT waybill.acknowledge('default', waybill.safe_csn())")
            cursor.execute("SELECT waybill.maintain(true)")
        assert_healthy(server, database, connection, before)


def test_full_disk_for_the_temporary_file(server, small_disk, database):
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET waybill.buffer_size = '64kB'; SET temp_tablespaces = small")
        with pytest.raises(psycopg2.errors.DiskFull):
            cursor.execute("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 40000) g")
        assert server.value(database, "SELECT count(*) FROM t") == 0
        assert not list(small_disk.rglob("pgsql_tmp/*"))
        assert_healthy(server, database, connection, [])


# ---- what capture costs those who have none

def test_library_is_loaded_by_captured_changes_only(server, database):
    server.execute(database, "CREATE TABLE other (id int)")
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        def loaded() -> bool:
            return "waybill.so" in pathlib.Path(f"/proc/{connection.info.backend_pid}/maps").read_text()

        cursor.execute("INSERT INTO other VALUES (1); UPDATE other SET id = 2; "
                       "DELETE FROM other; TRUNCATE other; SELECT * FROM t")
        assert not loaded()
        cursor.execute("INSERT INTO t VALUES (1)")
        assert loaded()


# ---- memory

def test_large_transaction_in_bounded_memory(server, pipeline):
    """Its log is many times what the backend and the shipper may take; the fence does not wait for its statements."""
    rows, buffer_mb, slack_mb = 250_000, 1, 64
    pipeline.execute("CREATE TABLE big (id int PRIMARY KEY, v text)", "CREATE TABLE small (id int PRIMARY KEY)")
    pipeline.capture("public.big", "public.small")

    def peak_mb(capture: bool) -> float:
        pipeline.execute("TRUNCATE big", f"SELECT waybill.{'enable' if capture else 'disable'}_capture('big')")
        with contextlib.closing(pipeline.connect(autocommit=False)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET waybill.buffer_size = '{buffer_mb}MB'")
            with PeakMemory(connection.info.backend_pid) as peak:
                cursor.execute(f"INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, {rows}) g")
                cursor.execute("SAVEPOINT a")
                cursor.execute("UPDATE big SET v = v || 'y'")
                cursor.execute("ROLLBACK TO a")
                if capture:
                    pipeline.execute("INSERT INTO small VALUES (1)", "SET statement_timeout = '5s'")
                    last = pipeline.value("SELECT waybill.safe_csn()")
                    assert pipeline.query("SELECT op FROM waybill.changes WHERE csn <= %s AND \"table\" = 'public.small'",
                                          (last,)) == [("insert",)]
                connection.commit()
            return peak.mb

    without = peak_mb(capture=False)
    before = pipeline.log_bytes()
    assert peak_mb(capture=True) <= without + buffer_mb + slack_mb
    assert pipeline.log_bytes() - before > 1.5 * (buffer_mb + slack_mb) * 1024 * 1024
    with pipeline.shipper() as shipper, PeakMemory(shipper.pid) as peak:
        pipeline.wait_until_shipped(120)
    assert peak.mb <= 200
