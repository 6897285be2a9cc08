"""Writers that use two-phase commit: one session prepares, another one commits, some time later and in another order."""

import contextlib
import random
import threading
import time

import psycopg2

from ..postgres import Server

# A transaction that touches what the other writers touch, and says in the ledger how much it changed.
_CHANGES = """
    SELECT work.close(work.flip({slot}, {account}) + work.touch({account}, 2) + work.add_items({account}, 1)
                      + work.note({account}, 1))
"""


class PreparedWriters:
    """Threads beside a Workload. They go on when the server crashes and comes back; finish() ends what is prepared."""

    def __init__(self, server: Server, dbname: str, writers: int = 2, seed: int | None = None):
        self._server = server
        self._dbname = dbname
        self.seed = random.SystemRandom().randrange(2**31) if seed is None else seed
        self._stop = threading.Event()
        self._prepared = 0
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(random.Random(self.seed + i), i), daemon=True)
                         for i in range(writers)]

    @property
    def prepared(self) -> int:
        """How many were prepared so far."""
        return self._prepared

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def _run(self, dice: random.Random, number: int) -> None:
        try:
            while not self._stop.is_set():
                # The server may be down, or go down at any moment.
                with contextlib.suppress(psycopg2.Error):
                    self._write(dice, number)
                self._stop.wait(0.01)
        except BaseException as error:
            self._errors.append(error)

    def _write(self, dice: random.Random, number: int) -> None:
        with contextlib.closing(self._server.connect(self._dbname)) as first, \
                contextlib.closing(self._server.connect(self._dbname)) as second:
            cursor, other = first.cursor(), second.cursor()
            # A crash of the server may have left some.
            cursor.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE %s",
                           (f"{number}-%",))
            pending = [gid for (gid,) in cursor.fetchall()]
            cursor.execute("SET lock_timeout = '20ms'")
            while not self._stop.is_set():
                gid = f"{number}-{time.monotonic_ns()}"
                cursor.execute("BEGIN")
                try:
                    # What keeps a row locked may be one of the pending ones: then they all have to go first.
                    cursor.execute(_CHANGES.format(slot=dice.randint(1, 60), account=dice.randint(1, 39)))
                    cursor.execute(f"PREPARE TRANSACTION '{gid}'")
                    pending.append(gid)
                    with self._lock:
                        self._prepared += 1
                    keep = dice.randint(0, 2)
                except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
                    cursor.execute("ROLLBACK")
                    keep = 0
                # The load itself: they stay prepared for a while.
                self._stop.wait(dice.uniform(0, 0.01))
                dice.shuffle(pending)
                while len(pending) > keep:
                    outcome = "ROLLBACK" if dice.random() < 0.1 else "COMMIT"
                    other.execute(f"{outcome} PREPARED '{pending.pop()}'")

    def finish(self) -> None:
        """Stops the writers and commits what they left prepared. The server must be up."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer does not end"
        for (gid,) in self._server.query(self._dbname, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
            self._server.execute(self._dbname, f"COMMIT PREPARED '{gid}'")
        if self._errors:
            raise self._errors[0]
