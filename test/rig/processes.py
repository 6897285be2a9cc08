"""Child processes, ports and directories that cannot outlive us, and waiting with a deadline."""

import atexit
import contextlib
import ctypes
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_children: "weakref.WeakSet[Child]" = weakref.WeakSet()
_directories: set[pathlib.Path] = set()
_ports: list[socket.socket] = []


class Timeout(AssertionError):
    """What was waited for did not happen before the deadline."""


def wait_until(condition, timeout_s: float, what: str, interval_s: float = 0.02):
    """Returns the first true value of `condition()`, or raises Timeout naming `what`.

    Most programs can only be watched by asking again; the interval bounds what the asking costs.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise Timeout(f"{what}: not within {timeout_s:g} s")
        time.sleep(interval_s)


def reserve_port() -> int:
    """A loopback port that is free and stays ours while this process lives, also while nothing listens on it.

    A broker that is stopped for a while has to find its port again. So ports are taken from below the range in which the
    kernel gives ports to clients, and other rigs on this machine are kept off by a socket in the abstract namespace
    with the port in its name, which goes with the process.
    """
    choice = random.SystemRandom()
    while True:
        port = choice.randrange(10_000, 32_000)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0waybill-rig-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _ports.append(claim)
        return port


def make_directory(name: str = "rig") -> pathlib.Path:
    """A new temporary directory, removed when the program ends or by remove_directory()."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"waybill-{name}-"))
    _directories.add(directory)
    return directory


def remove_directory(directory: pathlib.Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    _directories.discard(directory)


class Child:
    """A child process whose output goes to a file; killed by the kernel when this process dies however it dies.

    The kernel does that when the *thread* that started the child ends: start children from a thread that stays.
    """

    def __init__(self, command, log: pathlib.Path, *, death_signal=signal.SIGKILL, stdin=subprocess.DEVNULL,
                 stdout=None, env=None, cwd=None, user=None):
        self.log = log
        parent = os.getpid()

        def die_with_parent():
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

        identity = {}
        if user is not None:
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with open(log, "ab") as output:
            # A session of its own keeps a Ctrl-C at the terminal for us: we stop the children in our order.
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=stdin, stdout=output if stdout is None else stdout,
                stderr=output, env=env, cwd=cwd, start_new_session=True, preexec_fn=die_with_parent, **identity)
        self.stdout = self.process.stdout
        self.stdin = self.process.stdin
        _children.add(self)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self):
        return self.process.poll()

    def send(self, number: int) -> None:
        if self.running:
            self.process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.process.args[0]} still runs after {timeout_s:g} s; its log:\n{self.tail()}") from None

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30) -> int:
        """Signals, waits, and kills what does not go; returns the exit code."""
        self.send(number)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> int:
        self.send(signal.SIGKILL)
        return self.process.wait()

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class PeakMemory:
    """Watches another process while in `with`: the most memory of its own that it had, in MB; mapped files and shared
    memory do not count."""

    INTERVAL_S = 0.01

    def __init__(self, pid: int):
        self.mb = 0.0
        self._status = pathlib.Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        with contextlib.suppress(OSError, IndexError):  # the process has gone
            while True:
                self.mb = max(self.mb, int(self._status.read_text().split("RssAnon:")[1].split()[0]) / 1024)
                if self._ended.wait(self.INTERVAL_S):
                    return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def _clean_up() -> None:
    for child in list(_children):
        if child.running:
            child.process.kill()
            child.process.wait()
    for directory in list(_directories):
        remove_directory(directory)


atexit.register(_clean_up)


def exit_on_signals() -> None:
    """Makes SIGTERM and SIGHUP end the program the way Ctrl-C does, through every `finally`."""

    def leave(number, _frame):
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
