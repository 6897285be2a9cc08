"""What a running shipper does when it is sent a signal."""

import os
import signal
import subprocess

import pytest

from rig.processes import wait_until
from rig.shipper import PROGRAM, environment


@pytest.fixture
def table(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1)")
    return pipeline


@pytest.mark.parametrize("number, words", [
    (signal.SIGHUP, "the configuration is read at the start only"), (signal.SIGUSR1, "SIGUSR1 means nothing"),
    (signal.SIGUSR2, "SIGUSR2 means nothing")])
def test_a_signal_that_asks_for_nothing_changes_nothing(table, number, words):
    with table.shipper() as shipper:
        table.wait_until_shipped()
        for times in 1, 2:
            os.kill(shipper.pid, number)
            wait_until(lambda: shipper.stderr().count(words) == times, 30, "a line for each signal")
        table.execute("INSERT INTO t VALUES (2)")
        table.wait_until_shipped()
        assert shipper.stop() == 0
    assert table.check("public.t").changes == 2


def test_a_log_that_nobody_reads_any_more_does_not_end_it(table):
    """Whoever read its standard error output is gone: writing there is an error (EPIPE), not the end (SIGPIPE)."""
    shipper = table.shipper(log={"level": "debug"})
    reading, writing = os.pipe()
    process = subprocess.Popen([PROGRAM, "run", "--config", shipper.file], stdin=subprocess.DEVNULL, stderr=writing,
                               env=environment())
    try:
        os.close(writing)
        assert os.read(reading, 1), "it writes its log there"
        os.close(reading)
        target = table.last_csn()
        wait_until(lambda: table.acknowledged() >= target, 60, "it goes on")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
