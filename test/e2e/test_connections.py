"""What lies between the shipper and its database: poolers, search paths that somebody else has set, notices."""

import contextlib
import json

import psycopg2
import pytest

from pipeline import PASSWORD, ROLE
from rig.pgbouncer import PgBouncer


@pytest.fixture
def stocked(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1), (2)")
    return pipeline


@pytest.fixture
def pooled(stocked):
    """Makes a pool and a shipper that goes through it."""
    with contextlib.ExitStack() as stack:
        def make(**settings):
            pool = stack.enter_context(PgBouncer(stocked.server, ROLE, PASSWORD, **settings))
            return pool, stocked.shipper(database={"conninfo": pool.conninfo(stocked.name)})

        yield make


def left_behind(pipeline, pool, size: int) -> tuple:
    """Of the shipper, in the pool's server connections: locks, and prepared statements and settings of each."""
    locks = pipeline.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                           "(SELECT oid FROM pg_database WHERE datname = current_database())")
    found = set()
    with contextlib.ExitStack() as stack:
        for _ in range(size):  # each in a transaction, so that each has a server connection of its own
            connection = stack.enter_context(contextlib.closing(psycopg2.connect(pool.conninfo(pipeline.name))))
            cursor = connection.cursor()
            cursor.execute("SELECT (SELECT count(*) FROM pg_prepared_statements), current_setting('search_path'), "
                           "current_setting('synchronous_commit')")
            found.add(cursor.fetchone())
    return locks, found


@pytest.mark.parametrize("mode, size, more", [
    ("transaction", 1, {}), ("transaction", 5, {}), ("transaction", 5, {"server_round_robin": 1}), ("statement", 5, {})])
def test_a_pool_that_changes_servers_is_refused_and_finds_nothing_left(stocked, pooled, mode, size, more):
    pool, shipper = pooled(pool_mode=mode, default_pool_size=size, **more)
    for command in "run", "check", "run":
        done = shipper.run(command)
        assert done.returncode == 2 or command == "check" and done.returncode == 1, done.stderr
        assert "pool_mode = session" in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr
    locks, found = left_behind(stocked, pool, size if mode == "transaction" else 0)
    assert locks == 0 and found <= {(0, '"$user", public', "on")}
    assert stocked.acknowledged() == 0
    stocked.shipper().once()
    assert stocked.check("public.t").changes == 2


def test_a_full_transaction_pool_is_refused(stocked, pooled):
    pool, shipper = pooled(pool_mode="transaction", default_pool_size=2)
    with contextlib.closing(psycopg2.connect(pool.conninfo(stocked.name))) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT 1")  # in a transaction that stays open
        assert shipper.run("run").returncode == 2


@pytest.mark.parametrize("size", [1, 5])
def test_a_session_pool_is_as_good_as_the_server(stocked, pooled, size):
    _, shipper = pooled(pool_mode="session", default_pool_size=size)
    with shipper:
        stocked.wait_until_shipped()
        stocked.execute("INSERT INTO t VALUES (3)")
        stocked.wait_until_shipped()
        assert shipper.stop() == 0
    assert stocked.check("public.t").changes == 3


def test_operators_in_a_search_path_are_not_the_shippers(stocked):
    """Whoever owns the database can have `public.=` found before PostgreSQL's own."""
    stocked.execute(
        "CREATE TABLE called (who text, times int DEFAULT 1)", "GRANT ALL ON called TO public",
        "GRANT USAGE, CREATE ON SCHEMA public TO public",
        "CREATE FUNCTION public.evil(text, text) RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.called VALUES (current_user); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$",
        "CREATE FUNCTION public.evil(name, text) RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.called VALUES (current_user); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$",
        "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil)",
        "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.evil)",
        "CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.called VALUES (current_user); RETURN false; END $$",
        f'ALTER ROLE {ROLE} IN DATABASE "{stocked.name}" SET search_path = public, pg_catalog')
    stocked.shipper().once()
    assert stocked.shipper().run("check").returncode == 0
    assert stocked.shipper().run("status").returncode == 0
    assert stocked.query("SELECT * FROM public.called") == []


def test_what_the_server_says_by_the_way_is_a_line_of_the_log(stocked):
    """And a name in it can be nothing else: this server warns of each connection to the database, by name."""
    server = stocked.server
    name = f"{stocked.name}\n2026-01-01 00:00:00.000 UTC [1] info: all is well\x1b[2K"
    server.execute("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{stocked.name}"',
                   f"UPDATE pg_database SET datcollversion = '0' WHERE datname = '{name}'")
    try:
        conninfo = stocked.conninfo().replace(f"dbname={stocked.name} ", f"dbname='{name}' ")
        for form in "text", "json":
            # Not in the file: TOML would want the control characters escaped.
            shipper = stocked.shipper(database={"conninfo": None}, log={"format": form},
                                      env={"WAYBILL_DATABASE_CONNINFO": conninfo})
            done = shipper.run("--once")
            assert done.returncode == 0, done.stderr
            lines = done.stderr.splitlines()
            warnings = [line for line in lines if "has no actual collation version" in line]
            assert warnings and "\x1b" not in done.stderr
            if form == "json":
                parsed = [json.loads(line) for line in lines]
                assert {"shipping", "waybill-shipper started"} <= {line["message"] for line in parsed}
                shipping = next(line for line in parsed if line["message"] == "shipping")
                assert shipping["database"] == name and shipping["acknowledged_csn"] >= 0
            else:
                assert all(" UTC [1] info" not in line[:40] for line in lines)
    finally:
        server.drop_database(name)
