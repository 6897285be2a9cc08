"""Memory of the backend and of the shipper for an INSERT, an UPDATE and a DELETE of ten million rows in one transaction
each, and how long the fence keeps others waiting meanwhile. WAYBILL_BENCH_ROWS sets another number of rows."""

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass, field

import figures  # which sets the path
from rig import kafka, postgres
from rig.processes import PeakMemory, wait_until
from rig.shipper import Shipper

ROWS = int(os.environ.get("WAYBILL_BENCH_ROWS", 10_000_000))
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "4GB", "log_min_messages": "error"}
TABLE = ("CREATE TABLE {name} (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL, "
         "amount numeric(12,2), note text, created timestamptz NOT NULL)")
STATEMENTS = {
    "INSERT": f"INSERT INTO {{name}} SELECT i, i % 1000, 'new', i / 7.0, 'order number ' || i, now() "
              f"FROM generate_series(1, {ROWS}) i",
    "UPDATE": "UPDATE {name} SET status = 'paid', amount = amount + 1",
    "DELETE": "DELETE FROM {name}",
}
LOG_BYTES = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'waybill.change_log'::regclass"


@dataclass
class Run:
    memory_mb: float
    statement_s: float
    commit_s: float
    fences: dict[str, list[float]] = field(default_factory=dict)  # by phase: how long each took


class Neighbour:
    """Another session: small captured transactions, and how long the fence behind each takes."""

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
                begin = time.monotonic()
                cursor.execute("SELECT waybill.safe_csn()")
                elapsed = time.monotonic() - begin
                self.waits[self.phase].append(elapsed)  # what ends in the commit may have begun in the statement

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def run(server: postgres.Server, statement: str) -> Run:
    with (contextlib.closing(server.connect("bench", autocommit=False)) as connection, connection.cursor() as cursor):
        with Neighbour(server) as neighbour, PeakMemory(connection.info.backend_pid) as peak:
            begin = time.monotonic()
            cursor.execute(statement)
            executed = time.monotonic()
            neighbour.phase = "commit"
            connection.commit()
            ended = time.monotonic()
        return Run(peak.mb, executed - begin, ended - executed, neighbour.waits)


def drain(server: postgres.Server, broker: kafka.Broker, number: int) -> tuple[float, float]:
    """Seconds, and the shipper's peak of memory in MB."""
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
    return elapsed, peak.mb


def main() -> None:
    with (postgres.Installation() as installation, postgres.Server(installation, SETTINGS) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        server.create_database(
            "bench", "CREATE EXTENSION waybill", TABLE.format(name="plain"), TABLE.format(name="captured"),
            "CREATE TABLE small (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)",
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER nothing AFTER INSERT OR UPDATE OR DELETE ON plain FOR EACH ROW EXECUTE FUNCTION nothing()",
            "SELECT waybill.enable_capture('captured'), waybill.enable_capture('small')")
        print(f"\n{ROWS:,} rows; memory in MB; waybill.buffer_size 16 MB\n")
        print("| statement | backend, no-op trigger | backend, capture | difference | statement, no-op and capture | "
              "commit with capture | log | longest fence, during statement | during commit | drained in | shipper |")
        print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
        for number, (name, statement) in enumerate(STATEMENTS.items()):
            plain = run(server, statement.format(name="plain"))
            print(f"  {name}: no-op trigger {plain}"[:160], file=sys.stderr)
            log_before = server.value("bench", LOG_BYTES)
            captured = run(server, statement.format(name="captured"))
            print(f"  {name}: capture {captured}"[:160], file=sys.stderr)
            log_mb = int(server.value("bench", LOG_BYTES) - log_before) / 1e6
            drained_s, shipper_mb = drain(server, broker, number)
            longest = {phase: max(waits, default=0.0) * 1000 for phase, waits in captured.fences.items()}
            print(f"| {name} | {plain.memory_mb:,.0f} | {captured.memory_mb:,.0f} | "
                  f"{captured.memory_mb - plain.memory_mb:,.0f} | {plain.statement_s:.1f} s, {captured.statement_s:.1f} s | "
                  f"{captured.commit_s:.1f} s | {log_mb:,.0f} MB | {longest['statement']:.0f} ms | "
                  f"{longest['commit']:,.0f} ms | {drained_s:.0f} s | {shipper_mb:.0f} |", flush=True)


main()
