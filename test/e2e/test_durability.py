"""Nothing is shipped that a crash of PostgreSQL can still take back."""

import contextlib
import json
import os
import signal

from pipeline import Pipeline
from rig import postgres, processes
from rig.consumer import TopicReader
from rig.postgres import SUPERUSER
from rig.processes import Child, wait_until

ROUNDS = 12


@contextlib.contextmanager
def without_wal_writer(server):
    """Nobody writes WAL of asynchronous commits to disk, unless some backend asks for it."""
    pid = server.value("postgres", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        # Stopped, it would hold up the immediate shutdown, whose signal it now gets before anything else.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_asynchronous_commits_are_shipped_only_when_durable(installation, broker):
    with postgres.Server(installation, {"synchronous_commit": "off", "wal_buffers": "16MB"}) as server:
        pipeline = Pipeline(server, broker, "durability")
        # Random keys: after a crash a sequence may give the same number again, which would hide a loss.
        pipeline.execute("CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), at timestamptz DEFAULT now())")
        pipeline.capture("t")
        script = processes.make_directory("script") / "insert.pgbench"
        script.write_text("INSERT INTO t DEFAULT VALUES;\n")
        pipeline.execute("INSERT INTO t DEFAULT VALUES")
        shipper = pipeline.shipper()
        with shipper:
            pipeline.wait_until_shipped()
            with TopicReader(broker.bootstrap, pipeline.topic("public.t")) as reader:
                seen = set()

                def read() -> int:
                    before = len(seen)
                    seen.update(json.loads(record.key)["id"] for record in reader.poll(0.01))
                    return len(seen) - before

                for number in range(ROUNDS):
                    with without_wal_writer(server):
                        known = len(seen)
                        writers = Child([server.installation.bin / "pgbench", "-n", "-c", "4", "-T", "60", "-f", script,
                                         "-h", server.directory, "-p", server.port, "-U", SUPERUSER, pipeline.name],
                                        script.with_suffix(".log"))
                        wait_until(lambda: read() >= 0 and len(seen) > known + 50 * (number + 1), 30,
                                   "asynchronous commits are shipped", 0)
                        server.begin_crash()
                    server.crash()
                    writers.kill()
                    server.start()
                    # All that was shipped before the crash has to be there, before anybody writes again.
                    while read():
                        pass
                    rows = {row for (row,) in pipeline.query("SELECT id::text FROM t")}
                    assert seen <= rows, f"round {number}: {len(seen - rows)} shipped changes are lost in the database"
                    pipeline.execute("SET synchronous_commit = on; INSERT INTO t DEFAULT VALUES")
                    pipeline.wait_until_shipped(30)
        report = pipeline.check("public.t")
        print(report)
        processes.remove_directory(script.parent)
        pipeline.close()
