"""The embedded broker, librdkafka's mock cluster, as a child process. Keeps nothing on disk."""

import select
import subprocess

from . import processes
from .processes import BUILD, Child

PROGRAM = BUILD / "waybill-mock-broker"


class MockBroker:
    def __init__(self, *arguments: str):
        self.directory = processes.make_directory("mock")
        self._arguments = arguments
        self._child: Child | None = None
        self.bootstrap = ""

    def start(self, timeout_s: float = 30):
        # It ends with its standard input, which is ours to close.
        self._child = Child([PROGRAM, *self._arguments], self.directory / "mock.log", stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
        readable, _, _ = select.select([self._child.stdout], [], [], timeout_s)
        line = self._child.stdout.readline().decode().strip() if readable else ""
        name, _, value = line.partition("=")
        if name != "bootstrap.servers" or not value:
            raise RuntimeError(f'the mock broker said "{line}":\n{self._child.tail()}')
        self.bootstrap = value
        return self

    def close(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child.stdin.close()
            self._child.stdout.close()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
