"""The log stays small, whatever old snapshots are open, and is empty when there is nothing to do."""

import os
import time

from rig import processes
from rig.postgres import SUPERUSER
from rig.processes import Child, wait_until

LONG = os.environ.get("WAYBILL_TEST_LONG") == "1"
SECONDS = 300 if LONG else 50
RATE = 400  # transactions a second, of ten rows each


def test_log_stays_flat_under_an_open_snapshot_and_empties_when_idle(pipeline):
    pipeline.execute("CREATE TABLE t (id bigserial PRIMARY KEY, text text)", "INSERT INTO t (text) VALUES ('old')")
    pipeline.capture("t")
    if not LONG:
        # The ring has to turn a few times; with segments of the default size that takes minutes.
        pipeline.execute(f'ALTER DATABASE "{pipeline.name}" SET waybill.segment_size = \'8MB\'')
    directory = processes.make_directory("script")
    script = directory / "load.pgbench"
    script.write_text("INSERT INTO t (text) SELECT repeat(md5(i::text), 8) FROM generate_series(1, 10) i;\n")
    reader = pipeline.connect(autocommit=False)
    reader.set_session(isolation_level="REPEATABLE READ")
    with reader.cursor() as cursor, pipeline.shipper() as shipper:
        cursor.execute("SELECT count(*) FROM t")
        load = Child([pipeline.server.installation.bin / "pgbench", "-n", "-c", "2", "-R", str(RATE), "-T", str(SECONDS),
                      "-f", script, "-h", pipeline.server.directory, "-p", pipeline.server.port, "-U", SUPERUSER,
                      pipeline.name], directory / "pgbench.log")
        sizes: list[int] = []
        begin = time.monotonic()

        def sample() -> bool:
            sizes.append(pipeline.log_bytes())
            return not load.running

        wait_until(sample, SECONDS + 60, "the load ends", 0.5)
        assert load.wait() == 0, load.tail()
        assert time.monotonic() - begin > SECONDS - 5
        pipeline.wait_until_shipped()
        written = pipeline.value("SELECT sum(length(text)) FROM t")
        half = len(sizes) // 2
        print(f"written {written:,} bytes; log at most {max(sizes[:half]):,} bytes in the first half of the time, "
              f"{max(sizes[half:]):,} in the second")
        assert max(sizes[half:]) <= max(sizes[:half]) * 1.25, f"the log grows: {sizes}"
        assert max(sizes) < written / 3, f"acknowledged space is not returned: {sizes}"
        # The snapshot is still open.
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchone() == (1,)
        wait_until(lambda: pipeline.log_rows() == 0, 30, "the idle log has no rows", 0.1)
        wait_until(lambda: pipeline.log_bytes() <= 512 * 1024, 30, f"the idle log is small ({pipeline.log_bytes()})", 0.1)
        status = pipeline.query("SELECT backlog_changes, backlog_bytes, oldest_unacknowledged_age, connected "
                                "FROM waybill.status WHERE stream = 'default'")
        assert status[0][0] == 0 and status[0][1] == 0 and not status[0][2] and status[0][3] is True, status
        assert shipper.running
    reader.close()
    processes.remove_directory(directory)
