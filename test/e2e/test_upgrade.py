"""A captured database with a backlog moves to a later PostgreSQL, by pg_upgrade or by a dump, and nothing is lost."""

import contextlib
import os

import pytest

from pipeline import Pipeline, create_role
from rig import postgres
from test_lifecycle import dump, restore

SCHEMA = (
    "CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE TABLE t (id int PRIMARY KEY, version int, mood mood, number positive, made timestamptz DEFAULT now())",
    "CREATE TABLE parts (id int, region int, version int, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)", "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)",
    "CREATE TABLE gone (id int PRIMARY KEY)",
    "SELECT waybill.enable_capture('gone'), waybill.enable_capture('t')",
    "SELECT waybill.enable_capture('parts', condition => 'id < 90')",
)


OLD_VERSIONS = (13, 14, 15, 16, 17)
MODES = ("--copy", "--link", "--swap")
# Each version once, unless there is time.
UPGRADES = ([(version, mode) for version in OLD_VERSIONS for mode in MODES] if os.environ.get("WAYBILL_TEST_LONG") == "1"
            else list(zip(OLD_VERSIONS, MODES + MODES)))


@pytest.fixture
def old(request, installation):
    if request.param >= installation.version:
        pytest.skip(f"nothing moves from PostgreSQL {request.param} to {installation.version}")
    try:
        made = postgres.Installation(request.param)
    except (RuntimeError, OSError) as error:
        if request.param == 13:  # Debian 11 may go from the mirrors any day
            pytest.skip(f"PostgreSQL 13 cannot be had: {error}")
        raise
    with made, postgres.Server(made) as server:
        yield server


def fill(pipeline: Pipeline) -> None:
    """A part is published, a part waits, of a table also that is gone."""
    pipeline.execute(*SCHEMA, "INSERT INTO t SELECT g, 1, 'happy', g FROM generate_series(1, 100) g",
                     "INSERT INTO parts SELECT g, 1 + g % 2, 1 FROM generate_series(1, 80) g")
    pipeline.shipper().once()
    pipeline.execute("UPDATE t SET version = 2", "UPDATE parts SET region = 3 - region, version = 2",
                     "INSERT INTO gone VALUES (1)", "DROP TABLE gone")


def go_on(pipeline: Pipeline) -> str:
    """What the shipper had to say."""
    pipeline.execute("UPDATE t SET version = 3, mood = 'sad'", "UPDATE parts SET version = 3")
    done = pipeline.shipper().run("--once")
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(("old", "mode"), UPGRADES, indirect=["old"])
def test_pg_upgrade_takes_the_backlog_along(installation, broker, old, mode):
    if mode == "--swap" and installation.version < 18:
        pytest.skip("pg_upgrade swaps from PostgreSQL 18 on")
    with contextlib.ExitStack() as stack:
        pipeline = Pipeline(old, broker, f"moved_{old.installation.version}_{mode[2:]}")
        fill(pipeline)
        source, changes = pipeline.value("SELECT id FROM waybill.source"), pipeline.query("SELECT * FROM waybill.changes")
        old.stop()
        new = stack.enter_context(contextlib.closing(postgres.Server(installation)))
        new.run("pg_upgrade", *([mode] if mode != "--copy" else []), "--username", postgres.SUPERUSER,
                "--socketdir", new.directory, "--old-bindir", old.installation.bin, "--old-datadir", old.data,
                "--old-port", old.port, "--new-bindir", installation.bin, "--new-datadir", new.data, "--new-port", new.port)
        new.start()
        pipeline.server = new
        stack.callback(pipeline.close)
        assert pipeline.query("SELECT * FROM waybill.changes") == changes
        assert pipeline.query("SELECT problem FROM waybill.captured_tables") == [(None,), (None,)]
        # Databases keep their oids from 15 on.
        keeps = installation.version >= 15
        assert (pipeline.value("SELECT id FROM waybill.source") == source) == keeps
        assert pipeline.value("SELECT original_id FROM waybill.source") == source
        assert go_on(pipeline).count("was moved by pg_upgrade") == (0 if keeps else 1)
        assert [event["op"] for event in pipeline.events("public.gone")] == ["c"]
        if keeps:  # another source's positions are not one order with the first's
            report = pipeline.check("public.t", "public.parts")
            assert report.changes == 3 * 180
        else:
            assert len(pipeline.events("public.t")) == 300
        pipeline.execute("SELECT waybill.maintain(true)", "SELECT waybill.maintain(true)")
        assert pipeline.log_rows() == 0


@pytest.mark.parametrize("old", OLD_VERSIONS, indirect=True)
def test_a_dump_is_restored_into_a_later_version(installation, server, broker, old):
    pipeline = Pipeline(old, broker, f"dumped_{old.installation.version}")
    fill(pipeline)
    pipeline.shipper().once()
    captured = pipeline.query("SELECT \"table\"::text, key, condition FROM waybill.captured_tables ORDER BY 1")
    file = dump(pipeline)
    pipeline.server = server
    server.create_database(pipeline.name)
    try:
        create_role(server)
        restore(server, pipeline.name, file)
        assert pipeline.query("SELECT \"table\"::text, key, condition FROM waybill.captured_tables ORDER BY 1") == captured
        go_on(pipeline)
        events = pipeline.events("public.t")
        assert len(events) == 300 and events[-1]["before"]["version"] == 2 and events[-1]["after"]["version"] == 3
    finally:
        pipeline.close()
