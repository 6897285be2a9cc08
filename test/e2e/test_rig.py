"""The rig leaves nothing behind, however it ends, and two of it do not meet."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from rig import processes
from rig.processes import wait_until

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from rig import postgres, processes
processes.exit_on_signals()
with postgres.Installation() as installation, postgres.Server(installation) as server:
    print(server.port, server._child.pid, installation.directory, server.directory, flush=True)
    sys.stdin.read()
"""


def start() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-B", "-c", PROGRAM, pathlib.Path(processes.__file__).parents[1]],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_rig_that_is_ended(number):
    with start() as program:
        _, pid, *directories = program.stdout.readline().split()
        assert alive(int(pid))
        program.send_signal(number)
        program.wait(30)
        wait_until(lambda: not alive(int(pid)), 30, "the server is gone")
        if number == signal.SIGKILL:  # nobody was left to remove them
            for directory in directories:
                processes.remove_directory(pathlib.Path(directory))
        assert not any(os.path.exists(directory) for directory in directories)


def test_two_rigs_do_not_meet():
    with start() as first, start() as second:
        one, other = first.stdout.readline().split(), second.stdout.readline().split()
        assert not set(one) & set(other)
        for program in (first, second):
            program.stdin.close()
            assert program.wait(30) == 0


def test_a_reserved_port_is_given_once():
    ports = [processes.reserve_port() for _ in range(200)]
    assert len(set(ports)) == len(ports)
