"""One huge transaction.

Ten million rows of 6 columns in one statement, `waybill.buffer_size` at its default of 16 MB. Memory is the process's own at
its peak, without shared buffers. What a backend takes without capture is PostgreSQL's queue of AFTER trigger events, so the
same statement with an empty trigger is what capture is compared with. Meanwhile another session commits small captured
changes and calls `waybill.safe_csn()` behind each: the fence must never wait for the running statement. It does wait for the
commit, which copies the changes into the log under the csn that it has drawn.
"""

import contextlib
import threading
import time

import rivals
from harness import LOG_BYTES, ORDERS, ORDERS_ROW, SERVER, Goal, Options, Results
from page import Page
from rig import kafka, postgres
from rig.processes import PeakMemory, wait_until
from rig.shipper import Shipper

ROWS = 10_000_000
BUFFER_MB = 16
STATEMENTS = {
    "INSERT": f"INSERT INTO {{name}} SELECT {ORDERS_ROW} FROM generate_series(1, {ROWS}) i",
    "UPDATE": "UPDATE {name} SET status = 'paid', amount = amount + 1",
    "DELETE": "DELETE FROM {name}",
}


class Neighbour:
    """Another session: small captured transactions, and how long the fence behind each takes, by phase of the big one."""

    PAUSE_S = 0.01

    def __init__(self, server: postgres.Server):
        self.phase = "statement"
        self.waits: dict[str, list[float]] = {"statement": [], "commit": []}
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with contextlib.closing(self._server.connect("bench")) as connection, connection.cursor() as cursor:
            while not self._ended.wait(self.PAUSE_S):
                cursor.execute("INSERT INTO small (v) VALUES ('small')")
                phase, begin = self.phase, time.monotonic()
                cursor.execute("SELECT waybill.safe_csn()")
                if phase == self.phase:  # what ends in the commit has waited for it
                    self.waits[phase].append(time.monotonic() - begin)
                else:
                    self.waits["commit"].append(time.monotonic() - begin)

    def longest_ms(self, phase: str) -> float:
        return max(self.waits[phase], default=0.0) * 1000

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def execute(server: postgres.Server, statement: str) -> dict:
    with contextlib.closing(server.connect("bench", autocommit=False)) as connection, connection.cursor() as cursor:
        with Neighbour(server) as neighbour, PeakMemory(connection.info.backend_pid) as peak:
            begin = time.monotonic()
            cursor.execute(statement)
            executed = time.monotonic()
            neighbour.phase = "commit"
            connection.commit()
            ended = time.monotonic()
    return {"backend_mb": peak.mb, "statement_s": executed - begin, "commit_s": ended - executed,
            "fence_statement_ms": neighbour.longest_ms("statement"), "fence_commit_ms": neighbour.longest_ms("commit")}


def drain(server: postgres.Server, broker: kafka.Broker, number: int) -> dict:
    shipper = Shipper({"database": {"conninfo": server.conninfo("bench")}, "stream": {"prefix": f"huge{number}"},
                       "topics": {"partitions": 1}, "kafka": {"bootstrap.servers": broker.bootstrap}})
    target = server.value("bench", "SELECT waybill.safe_csn()")
    begin = time.monotonic()
    with shipper, PeakMemory(shipper.pid) as peak:
        wait_until(lambda: server.value("bench", "SELECT waybill.acknowledged('default')") >= target, 3600,
                   "the shipper drains the log", 0.2)
        elapsed = time.monotonic() - begin
    for topic in broker.topics():
        broker.delete_topic(topic)
    return {"drain_s": elapsed, "shipper_mb": peak.mb}


def measure(results: Results, options: Options) -> None:
    with (postgres.Installation() as installation,
          postgres.Server(installation, SERVER | {"max_wal_size": "4GB", "log_min_messages": "error"}) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        server.create_database(
            "bench", "CREATE EXTENSION waybill", ORDERS.format(name="plain"), ORDERS.format(name="captured"),
            "CREATE TABLE small (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)",
            "SELECT waybill.enable_capture('captured'), waybill.enable_capture('small')")
        rivals.NO_OP.install_in(server, "bench")
        rivals.NO_OP.attach_to(server, "bench", "plain")
        for number, (operation, statement) in enumerate(STATEMENTS.items()):
            plain = execute(server, statement.format(name="plain"))
            results.add("runs", operation=operation, variant=rivals.NO_OP.name, **plain, log_mb=0, drain_s=0, shipper_mb=0)
            log_before = server.value("bench", LOG_BYTES)
            captured = execute(server, statement.format(name="captured"))
            log_mb = (server.value("bench", LOG_BYTES) - log_before) / 1e6
            results.add("runs", operation=operation, variant=rivals.WAYBILL.name, **captured, log_mb=log_mb,
                        **drain(server, broker, number))


def pairs(results: Results) -> list[tuple[dict, dict]]:
    return list(zip(results.rows("runs", variant=rivals.NO_OP.name), results.rows("runs", variant=rivals.WAYBILL.name)))


def report(results: Results, page: Page) -> None:
    page.text("One run.")
    page.table(
        ["statement", "backend, no-op trigger", "backend, capture", "shipper", "log", "statement, no-op trigger",
         "statement, capture", "commit, capture", "longest fence during the statement", "… the commit", "drain"],
        [(plain["operation"], f"{plain['backend_mb']:.0f} MB", f"{captured['backend_mb']:.0f} MB",
          f"{captured['shipper_mb']:.0f} MB", f"{captured['log_mb']:,.0f} MB", f"{plain['statement_s']:.1f} s",
          f"{captured['statement_s']:.1f} s", f"{captured['commit_s']:.1f} s", f"{captured['fence_statement_ms']:.0f} ms",
          f"{captured['fence_commit_ms']:,.0f} ms", f"{captured['drain_s']:.0f} s") for plain, captured in pairs(results)])


def goals(results: Results) -> list[Goal]:
    more = max(captured["backend_mb"] - plain["backend_mb"] for plain, captured in pairs(results))
    shipper = max(captured["shipper_mb"] for _, captured in pairs(results))
    return [Goal(f"One transaction of {ROWS:,} rows: backend's memory over a no-op trigger's", f"≤ {BUFFER_MB + 64} MB",
                 f"{more:.0f} MB", more <= BUFFER_MB + 64),
            Goal("… shipper's memory", "≤ 200 MB", f"{shipper:.0f} MB", shipper <= 200)]
