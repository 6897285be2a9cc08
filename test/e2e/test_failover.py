"""The log goes with its cluster: to standbys, into base backups, through pg_upgrade."""

import collections
import contextlib

import psycopg2
import pytest

from pipeline import PASSWORD, ROLE, Pipeline
from rig import checker, postgres
from rig.processes import wait_until
from rig.workload import TABLES, Workload


def prepare(pipeline: Pipeline, workload: Workload) -> None:
    workload.prepare()
    pipeline.capture(*TABLES)
    workload.populate()


def timelines(pipeline: Pipeline, table: str) -> list[int]:
    """In the order in which they came."""
    seen: dict[int, None] = {}
    for record in pipeline.records(table):
        seen[int(record.header("waybill.position").split("/")[1])] = None
    return list(seen)


def test_a_promoted_standby_is_shipped_from_where_the_primary_was_left(installation, broker):
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(postgres.Server(installation))
        pipeline = Pipeline(primary, broker, "failover")
        standby = stack.enter_context(postgres.Server(installation, backup_of=primary, standby=True))
        workload = stack.enter_context(Workload(primary, pipeline.name))
        # From now on nobody sees a commit that the standby does not have.
        primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        prepare(pipeline, workload)

        both = (f"host={primary.directory},{standby.directory} port={primary.port},{standby.port} dbname=failover "
                f"user={ROLE} target_session_attrs=read-write")
        shipper = stack.enter_context(pipeline.shipper(database={"conninfo": both}))
        workload.start(100_000)
        wait_until(lambda: workload.committed() > 1000 and pipeline.acknowledged() > 0, 60, "the primary is busy", 0.1)

        for call in "safe_csn()", "fetch(0, 0, 1000000)":
            with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="cannot be read on a standby") as raised:
                standby.query(pipeline.name, f"SELECT * FROM waybill.{call}")
            assert raised.value.diag.message_hint == "Connect to the primary."
        assert standby.value(pipeline.name, "SELECT stream FROM waybill.status") == "default"
        assert standby.value(pipeline.name, "SELECT count(*) FROM waybill.captured_tables WHERE problem IS NULL") > 0
        only_standby = f"{standby.conninfo(pipeline.name, ROLE)} password='{PASSWORD.replace(chr(39), chr(92) + chr(39))}'"
        refused = pipeline.shipper(database={"conninfo": only_standby}).run("check")
        assert refused.returncode == 1 and "is a standby in recovery" in refused.stdout + refused.stderr

        primary.crash()
        standby.execute("postgres", "SELECT pg_promote()")
        pipeline.server = workload.server = standby
        before = workload.committed()
        workload.tend(before + 1000)
        workload.wait()
        pipeline.wait_until_shipped(60)
        assert shipper.stop() == 0
        report = pipeline.check(*TABLES, ledger=True)
        assert report.transactions >= before + 1000
        assert timelines(pipeline, "work.ledger") == [1, 2]
        pipeline.close()


@pytest.mark.since(17)
def test_a_failover_slot_and_the_shipper_go_on_together(installation, broker):
    """Both follow the same promoted standby: who decodes by a slot that was synchronized, and our stream by the log."""
    settings = {"wal_level": "logical", "wal_retrieve_retry_interval": "100ms", "hot_standby_feedback": "on"}
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(postgres.Server(installation, settings))
        primary.execute("postgres", "SELECT pg_create_physical_replication_slot('standby')")
        pipeline = Pipeline(primary, broker, "slots")
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        pipeline.capture("t")
        standby = stack.enter_context(postgres.Server(
            installation, settings | {"primary_slot_name": "standby", "primary_conninfo": primary.conninfo("slots")},
            backup_of=primary, standby=True))
        primary.execute("postgres", "ALTER SYSTEM SET synchronized_standby_slots = 'standby'",
                        "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        pipeline.execute("SELECT pg_create_logical_replication_slot('decoder', 'test_decoding', failover => true)")
        both = (f"host={primary.directory},{standby.directory} port={primary.port},{standby.port} dbname=slots user={ROLE} "
                "target_session_attrs=read-write")
        shipper = stack.enter_context(pipeline.shipper(database={"conninfo": both}))
        pipeline.execute("INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g")
        decoded: collections.Counter[str] = collections.Counter()

        def decode() -> None:
            decoded.update(" ".join(data.split(" ")[1:3]) for (data,) in pipeline.query(
                "SELECT data FROM pg_logical_slot_get_changes('decoder', NULL, NULL) WHERE data LIKE 'table %%'"))

        def synchronized() -> bool:
            # Where a slot may begin is logged every 15 seconds, or when it is asked for.
            primary.execute("postgres", "SELECT pg_log_standby_snapshot()")
            decode()
            # As the server's own worker does, which may sleep for half a minute.
            standby.execute("slots", "SELECT pg_sync_replication_slots()")
            return bool(standby.query("slots", "SELECT FROM pg_replication_slots WHERE slot_name = 'decoder' AND synced "
                                               "AND NOT temporary AND invalidation_reason IS NULL"))

        wait_until(synchronized, 60, "the slot is synchronized", 0.1)
        pipeline.wait_until_shipped()
        # What neither has seen when the primary goes.
        pipeline.execute("UPDATE t SET n = 2 WHERE id % 4 = 1", "DELETE FROM t WHERE id % 8 = 0")
        primary.crash()
        standby.execute("postgres", "SELECT pg_promote()")
        pipeline.server = standby
        pipeline.execute("UPDATE t SET n = 3 WHERE id % 4 = 2")
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
        decode()
        assert decoded == {"public.t: INSERT:": 2000, "public.t: UPDATE:": 1000, "public.t: DELETE:": 250}
        assert pipeline.check("public.t").changes == 3250
        assert timelines(pipeline, "public.t") == [1, 2]
        pipeline.execute("SELECT pg_drop_replication_slot('decoder')")
        pipeline.close()


def test_a_base_backup_under_load_ships_what_it_has(installation, broker):
    with contextlib.ExitStack() as stack:
        original = stack.enter_context(postgres.Server(installation))
        pipeline = Pipeline(original, broker, "backup")
        pipeline.execute("SELECT waybill.create_stream('copy')", "SELECT waybill.grant_shipper('shipper', 'copy')")  # nobody acknowledges it: the log has all
        workload = stack.enter_context(Workload(original, pipeline.name))
        prepare(pipeline, workload)
        with pipeline.shipper():
            workload.start(100_000)
            wait_until(lambda: workload.committed() > 1000, 60, "the server is busy", 0.1)
            copy = stack.enter_context(postgres.Server(installation, backup_of=original))
            assert workload.running, "the backup was to be taken under load"
        workload.close()
        original.crash()
        copied = Pipeline(copy, broker, "backup", existing=True)
        copied.execute("UPDATE work.account SET version = version + 1")
        copied.shipper(stream={"name": "copy", "prefix": "copied"}).once()
        report = checker.check(copy, "backup", broker.bootstrap, "copied", TABLES)
        assert report.transactions > 1000
        # What the original's shipper had acknowledged is known to the copy.
        assert 0 < copied.acknowledged() < copied.last_csn()
        copied.close()


def test_pg_upgrade_keeps_the_log_and_its_positions(installation, broker):
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(postgres.Server(installation))
        pipeline = Pipeline(old, broker, "upgrade")
        # A cluster that was promoted once: the new one begins with timeline 1 again.
        old.stop()
        (old.data / "standby.signal").touch()
        old.start()
        old.execute("postgres", "SELECT pg_promote()")
        pipeline.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
                         "CREATE TYPE pair AS (a int, b text)",
                         "CREATE TABLE t (id int PRIMARY KEY, version int, moods mood[], number positive, pair pair)",
                         "CREATE TABLE gone (id int PRIMARY KEY)", "SELECT waybill.create_stream('other', '{public.t}')")
        pipeline.capture("t", "gone")
        pipeline.execute("INSERT INTO t SELECT g, 1, '{happy,NULL}', g, (g, 'x')::pair FROM generate_series(1, 100) g")
        pipeline.shipper().once()
        pipeline.execute("UPDATE t SET version = 2", "INSERT INTO gone VALUES (1)", "DROP TABLE gone")
        source, streams = pipeline.value("SELECT id FROM waybill.source"), pipeline.query("SELECT * FROM waybill.stream")
        changes = pipeline.query("SELECT * FROM waybill.changes")
        old.stop()

        new = stack.enter_context(contextlib.closing(postgres.Server(installation)))
        new.run("pg_upgrade", "--link", "--username", postgres.SUPERUSER, "--socketdir", new.directory,
                "--old-bindir", installation.bin, "--old-datadir", old.data, "--old-port", old.port,
                "--new-bindir", installation.bin, "--new-datadir", new.data, "--new-port", new.port)
        new.start()
        pipeline.server = new
        assert pipeline.value("SELECT id FROM waybill.source") == source
        assert pipeline.query("SELECT * FROM waybill.stream") == streams
        assert pipeline.query("SELECT * FROM waybill.changes") == changes
        assert pipeline.query("SELECT key, problem FROM waybill.captured_tables") == [(["id"], None)]
        pipeline.execute("UPDATE t SET version = 3, moods = '{sad}'", "SELECT waybill.create_stream('new')",
                         "SELECT waybill.drop_stream('new')")
        pipeline.shipper().once()
        assert pipeline.check("public.t").changes == 300  # in positions that grow
        assert timelines(pipeline, "public.t") == [2, 3]
        pipeline.shipper(stream={"name": "other", "prefix": "upgrade_other"}).once()
        assert checker.check(new, "upgrade", broker.bootstrap, "upgrade_other", ["public.t"]).changes == 300
        pipeline.execute("SELECT waybill.maintain(true)", "SELECT waybill.maintain(true)")
        assert pipeline.log_rows() == 0
        pipeline.close()
