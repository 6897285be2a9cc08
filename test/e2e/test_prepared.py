"""Two-phase commit: prepared transactions come when they are committed, in their place, the same in every stream."""

import concurrent.futures
import contextlib
import os
import random
import signal
import time

import psycopg2
import pytest

from pipeline import ROLE, Pipeline
from rig import checker, postgres
from rig.consumer import read_topic
from rig.processes import wait_until
from rig.workload import TABLES, Workload
from rig.workload.prepared import PreparedWriters

TRANSACTIONS = 6_000


def prepare(pipeline: Pipeline, workload: Workload) -> None:
    workload.prepare()
    pipeline.capture(*TABLES)
    workload.populate()


def leave_prepared(pipeline: Pipeline, gid: str) -> None:
    """By a session that is gone afterwards."""
    pipeline.execute("BEGIN", "SELECT work.close(work.add_items(40, 3) + work.note(40, 2))", f"PREPARE TRANSACTION '{gid}'")


def positions(pipeline: Pipeline, prefix: str, table: str) -> list[tuple]:
    return [(record.header("waybill.position"), record.key)
            for record in read_topic(pipeline.broker.bootstrap, f"{prefix}.{table}")]


def test_prepared_transactions_are_in_the_commit_order_of_every_stream(installation, broker):
    with postgres.Server(installation, {"max_prepared_transactions": "20"}) as server:
        pipeline = Pipeline(server, broker, "twophase")
        pipeline.execute("SELECT waybill.create_stream('second')")
        with Workload(server, pipeline.name, writers=5) as workload, pipeline.shipper() as shipper, \
                pipeline.shipper(stream={"name": "second", "prefix": "second"}) as second:
            prepare(pipeline, workload)
            leave_prepared(pipeline, "from the start to the end")
            writers = PreparedWriters(server, pipeline.name).start()
            print(f"seeds: {workload.seed}, {writers.seed}")
            workload.start(TRANSACTIONS)
            workload.wait()
            writers.finish()
            pipeline.wait_until_shipped(120)
            pipeline.wait_until_shipped(120, "second")
            assert shipper.stop() == second.stop() == 0
        report = pipeline.check(*TABLES, ledger=True)
        print(report, f"prepared={writers.prepared}")
        assert report.replayed == 0
        assert writers.prepared > 100
        checker.check(server, pipeline.name, broker.bootstrap, "second", TABLES, ledger=True)
        for table in TABLES:
            assert positions(pipeline, pipeline.name, table) == positions(pipeline, "second", table)
        pipeline.close()


def let_pass(seconds: float) -> None:
    """The disturber's random moments. Nothing is waited for here: when it strikes is meant to be arbitrary."""
    time.sleep(seconds)


def test_prepared_transactions_keep_their_place_through_crashes(installation, broker):
    seed = random.SystemRandom().randrange(2**31)
    print(f"random.Random({seed})")
    dice = random.Random(seed)
    with postgres.Server(installation, {"max_prepared_transactions": "20"}) as server:
        pipeline = Pipeline(server, broker, "twophasestorm")
        shipper = pipeline.shipper()
        with Workload(server, pipeline.name, writers=4) as workload:
            prepare(pipeline, workload)
            leave_prepared(pipeline, "across the crashes")
            writers = PreparedWriters(server, pipeline.name).start()
            workload.start(TRANSACTIONS)
            for strike in range(1, 13):
                shipper.start()
                let_pass(dice.uniform(0.1, 1))
                if strike % 4 == 0:
                    server.crash()
                    server.start()
                shipper.kill()
                workload.tend(TRANSACTIONS)
            while not workload.tend(TRANSACTIONS):
                workload.wait()
            shipper.start()
            writers.finish()
            pipeline.wait_until_shipped(180)
            assert shipper.stop() == 0
        report = pipeline.check(*TABLES, ledger=True)
        print(report, f"prepared={writers.prepared}")
        assert writers.prepared > 100
        # What was prepared for long is out of the way again.
        assert pipeline.value("SELECT count(*) FROM waybill_internal.unplaced()") == 0
        pipeline.close()


def test_a_transaction_prepared_long_ago_arrives_when_it_is_committed(installation, broker):
    with postgres.Server(installation, {"max_prepared_transactions": "4"}) as server:
        pipeline = Pipeline(server, broker, "longago")
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        pipeline.capture("t")
        with pipeline.shipper():
            pipeline.execute("BEGIN", "INSERT INTO t SELECT g, repeat('v', 100) FROM generate_series(1, 5000) g",
                             "PREPARE TRANSACTION 'long'")
            pipeline.execute("INSERT INTO t VALUES (0, 'meanwhile')")
            pipeline.wait_until_shipped()
            assert [event["after"]["id"] for event in pipeline.events("public.t")] == [0]
            server.crash()
            server.start()
            pipeline.execute("COMMIT PREPARED 'long'", "UPDATE t SET v = 'changed' WHERE id = 1")
            pipeline.wait_until_shipped()
            # The crash may have taken back an acknowledgement, so that something came twice.
            events = list({event["source"]["sequence"]: event for event in pipeline.events("public.t")}.values())
        assert [event["after"]["id"] for event in events] == [0, *range(1, 5001), 1]
        assert len({event["source"]["txId"] for event in events[1:-1]}) == 1
        pipeline.check("public.t")
        # The status of the prepared log is nobody's business but the extension's.
        assert pipeline.value(f"SELECT has_table_privilege('{ROLE}', 'waybill_internal.prepared_log', 'SELECT')") is False
        pipeline.close()


def answers(connection) -> bool:
    try:
        connection.cursor().execute("SELECT")
        return True
    except psycopg2.Error:
        return False


def kill_a_backend(server: postgres.Server) -> None:
    """SIGKILL: the server ends all others and recovers by itself."""
    with contextlib.closing(server.connect()) as victim, contextlib.closing(server.connect()) as other:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        wait_until(lambda: not answers(other), 30, "the server ends all others", 0.01)

    def recovered() -> bool:
        with contextlib.suppress(psycopg2.Error):
            server.connect().close()
            return True
        return False

    wait_until(recovered, 60, "the server has recovered", 0.05)


def restart_after_crash(server: postgres.Server) -> None:
    server.crash()
    server.start()


@pytest.mark.parametrize("crash", [restart_after_crash, kill_a_backend])
def test_readers_know_after_a_crash_that_somebody_is_prepared(own_server, crash):
    """By the lock that it has kept: they note how far they read, so that it comes behind that."""
    dbname = own_server.create_database("known", "CREATE EXTENSION waybill", "CREATE TABLE t (id int)",
                                        "SELECT waybill.enable_capture('t')",
                                        "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'known'",
                                        "INSERT INTO t VALUES (2)")
    crash(own_server)
    passed = own_server.value(dbname, "SELECT waybill.safe_csn()")
    own_server.execute(dbname, "COMMIT PREPARED 'known'")
    assert own_server.value(dbname, "SELECT waybill.safe_csn()") > passed
    assert own_server.query(dbname, "SELECT after->>'id', csn > %s FROM waybill.changes", (passed,)) == [("2", False), ("1", True)]
    # Nobody is prepared any more: readers have nothing to note.
    own_server.execute(dbname, "INSERT INTO t VALUES (3)", "SELECT waybill.safe_csn()")
    assert own_server.value(dbname, "SELECT waybill_internal.released_csn()") == passed + 1


class SlowCommit:
    """A transaction that waits in its commit, when it has drawn its csn, until it is let go: there its ON COMMIT DELETE ROWS
    waits for a lock."""

    def __init__(self, pipeline: Pipeline, executor, number: int):
        self._pipeline = pipeline
        self._writer = pipeline.connect()
        self._holder = pipeline.connect(autocommit=False)
        with self._writer.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE slow_{number} (n int) ON COMMIT DELETE ROWS")
            cursor.execute(f"SELECT 'slow_{number}'::regclass::oid")
            table = cursor.fetchone()[0]
            cursor.execute(f"BEGIN; INSERT INTO fenced VALUES ({number}); INSERT INTO slow_{number} VALUES (1)")
        with self._holder.cursor() as cursor:
            cursor.execute("SELECT format('LOCK TABLE %%s IN ACCESS SHARE MODE', %s::regclass)", (table,))
            cursor.execute(cursor.fetchone()[0])
        self._executor = executor
        self._done = None

    def commit(self) -> None:
        """Returns when the csn is drawn."""
        last = "SELECT waybill_internal.sequence_value('commit_seq')"
        before = self._pipeline.value(last)
        self._done = self._executor.submit(self._writer.cursor().execute, "COMMIT")
        wait_until(lambda: self._pipeline.value(last) > before, 30, "a csn is drawn", 0.01)

    def let_go(self) -> None:
        self._holder.rollback()
        if self._done is not None:
            self._done.result()

    def close(self) -> None:
        self.let_go()
        self._holder.close()
        self._writer.close()


def overtaken(pipeline: Pipeline, executor) -> list[int]:
    """What is read behind a fence that was waiting for 1 while 2 drew its csn and 3 was prepared and committed."""
    with contextlib.closing(SlowCommit(pipeline, executor, 1)) as first, \
            contextlib.closing(SlowCommit(pipeline, executor, 2)) as second, \
            contextlib.closing(pipeline.connect()) as connection, connection.cursor() as reader:
        before = pipeline.last_csn()
        first.commit()
        reader.execute("SELECT pg_backend_pid()")
        pid = reader.fetchone()[0]
        fence = executor.submit(reader.execute, "SELECT waybill.safe_csn()")
        wait_until(lambda: fence.done() or pipeline.value("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = %s",
                                                          (pid,)), 30, "the fence has begun", 0.01)
        second.commit()
        pipeline.execute("BEGIN; INSERT INTO fenced VALUES (3); PREPARE TRANSACTION 'overtakes'", "COMMIT PREPARED 'overtakes'")
        first.let_go()
        fence.result()
        csn = reader.fetchone()[0]
        return [row[0] for row in pipeline.query(
            "SELECT (c.after->>'id')::int FROM waybill.changes c "
            "WHERE c.csn IN (SELECT f.csn FROM waybill.fetch(%s, 2147483647, %s) f)", (before, csn))]


def test_a_fence_ends_before_what_was_drawn_while_it_waited(installation, broker):
    """Although a prepared transaction behind it can be seen already: that waits for the next round."""
    with postgres.Server(installation, {"max_prepared_transactions": "20"}) as server, \
            concurrent.futures.ThreadPoolExecutor() as executor:
        pipeline = Pipeline(server, broker, "overtaken")
        pipeline.execute("CREATE TABLE fenced (id int)", "SELECT waybill.enable_capture('fenced')")
        deadline = time.monotonic() + 60
        while True:
            try:
                assert overtaken(pipeline, executor) == [1]
                break
            except psycopg2.errors.LockNotAvailable:  # a fence waits for two seconds; this took longer
                assert time.monotonic() < deadline
        pipeline.last_csn()
        assert [row[0] for row in pipeline.query("SELECT after->>'id' FROM waybill.changes ORDER BY csn DESC LIMIT 3")] == ["3", "2", "1"]
        pipeline.close()
