"""Eight writers over hot rows, with rollbacks, savepoints and pauses between write and commit, driven by pgbench."""

import pathlib
import random
import re

from .. import processes
from ..postgres import SUPERUSER, Server
from ..processes import Child, wait_until

_HERE = pathlib.Path(__file__).parent
TABLES = ("work.account", "work.item", "work.journal", "work.ledger")
# How often each script runs, in a thousand transactions.
_WEIGHTS = {"plain": 855, "savepoints": 143, "bulk": 2}


class Workload:
    """Makes the tables in a database and writes to them. In between the test has them captured.

    pgbench gives up when the server goes away; tend() starts it again for what is left.
    """

    def __init__(self, server: Server, dbname: str, writers: int = 8):
        self.server = server
        self.dbname = dbname
        self.writers = writers
        self.directory = processes.make_directory("workload")
        self.seed = random.SystemRandom().randrange(2**31)
        self._child: Child | None = None
        self._runs = 0

    def prepare(self) -> None:
        """Creates the tables, empty."""
        self.server.execute(self.dbname, (_HERE / "schema.sql").read_text())

    def populate(self) -> None:
        """Inserts the accounts, in a transaction like all others."""
        self.server.execute(self.dbname, "SELECT work.populate()")

    def start(self, transactions: int):
        """Starts the writers on about that many transactions in all, those they roll back included."""
        self._runs += 1
        # pgbench draws each client's dice from this one seed; a failure is repeated with the seed its log starts with.
        command = [self.server.installation.bin / "pgbench", "--no-vacuum", "--protocol=prepared",
                   f"--client={self.writers}", "--jobs=1", "--max-tries=50",
                   f"--transactions={-(-transactions // self.writers)}", f"--random-seed={self.seed + self._runs}",
                   "-h", self.server.directory, "-p", self.server.port, "-U", SUPERUSER]
        for name, weight in _WEIGHTS.items():
            command.append(f"--file={_HERE / name}.pgbench@{weight}")
        self._child = Child([*command, self.dbname], self.directory / f"pgbench-{self._runs}.log")
        return self

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def wait(self, timeout_s: float = 600) -> None:
        code = self._child.wait(timeout_s)
        assert code == 0, f"pgbench exited with {code}:\n{self._child.tail(200)}"

    def committed(self) -> int:
        return self.server.value(self.dbname, "SELECT count(*) FROM work.ledger")

    def rate(self) -> float:
        """Transactions a second of the last run."""
        found = re.search(r"tps = ([\d.]+)", self._child.log.read_text())
        return float(found[1]) if found else 0.0

    def tend(self, committed: int) -> bool:
        """Starts the writers again when the server's crash has ended them before that many transactions committed.

        Returns whether that many have. The server must be up.
        """
        done = self.committed()
        if done < committed and not self.running:
            # a few more than what is missing, for those that will be rolled back
            self.start(int((committed - done) * 1.12) + self.writers)
        return done >= committed and not self.running

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
