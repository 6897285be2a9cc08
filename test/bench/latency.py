"""Latency.

From the moment a COMMIT has returned to the moment a consumer has the message, at fixed rates of small transactions (one
INSERT each, `test/bench/paced_writer.cpp`; the schedule does not wait for anybody), with default settings on one partition;
against produce → consume alone: the same messages at the same rates straight from a librdkafka producer
(`test/bench/paced_producer.cpp`). Writers, server, broker, consumer (`test/bench/arrivals.cpp`) and what is measured share the
machine's processors. "Server" is the one process of PostgreSQL that serves the reader.
"""

import contextlib
import itertools
import json
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness import ORDERS, SERVER, Goal, Options, Results, alternate, cpu_s, empty_log, median
from page import Page, spread
from rig import kafka, postgres, processes
from rig.consumer import TopicReader
from rig.processes import BUILD, wait_until
from rig.shipper import Shipper

RATES = (500, 2000, 5000)
SECONDS = 15
WARM_UP_SECONDS = 3  # at the beginning of each run, which do not count
CONNECTIONS = 12
DATABASE = "bench"


@dataclass(frozen=True)
class Running:
    """A system that is about to be measured."""

    topic: str  # with one partition
    processes: dict[str, list[int]]  # by column of the results: whose use of the processor is measured


def waybill(server: postgres.Server, broker: kafka.Broker, topics: "Topics") -> Iterator[Running]:
    topic = topics.create("waybill.public.orders")
    with Shipper({"database": {"conninfo": server.conninfo(DATABASE)}, "stream": {"prefix": "waybill"},
                  "kafka": {"bootstrap.servers": broker.bootstrap}}) as shipper:
        shipper.wait_for_line("shipping stream")
        backends = server.query(DATABASE, "SELECT pid FROM pg_stat_activity WHERE application_name = 'waybill-shipper'")
        yield Running(topic, {"client": [shipper.pid], "server": [pid for pid, in backends]})
        shipper.stop()
    empty_log(server, DATABASE)


# What is measured, each a generator that starts it, yields it when it can be written to, and ends it.
SYSTEMS: dict[str, Callable[[postgres.Server, kafka.Broker, "Topics"], Iterator[Running]]] = {"waybill": waybill}
ALONE = "produce → consume alone"


class Topics:
    """Each is created once."""

    def __init__(self, broker: kafka.Broker):
        self._broker = broker
        self._created: set[str] = set()

    def create(self, name: str) -> str:
        if name not in self._created:
            self._broker.create_topic(name)
            self._created.add(name)
        return name


def read_notes(file: pathlib.Path) -> dict[int, int]:
    """The first time of each id."""
    times: dict[int, int] = {}
    with open(file) as lines:
        for line in lines:
            number, at_ns = line.split()
            times.setdefault(int(number), int(at_ns))
    return times


def observe(command: list, directory: pathlib.Path, bootstrap: str, running: Running, first_id: int, rate: int) -> dict:
    """Runs what writes (its last argument is yet to come: the file for its notes) and the consumer; quantiles in ms."""
    sent, arrived = directory / "sent", directory / "arrived"
    consumer = subprocess.Popen([BUILD / "bench" / "arrivals", bootstrap, running.topic, str(rate * SECONDS), arrived],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert consumer.stdout.readline() == "ready\n", "the consumer did not start"
        before = {column: sum(map(cpu_s, pids)) for column, pids in running.processes.items()}
        begin = time.monotonic()
        done = subprocess.run([*command, sent], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        elapsed = time.monotonic() - begin
        cpu = {column: (sum(map(cpu_s, pids)) - before[column]) / elapsed for column, pids in running.processes.items()}
        assert consumer.wait(60) == 0, "not all messages arrived"
    finally:
        consumer.kill()
        consumer.wait()
    began, ended = read_notes(sent), read_notes(arrived)
    counted = range(first_id + rate * WARM_UP_SECONDS, first_id + rate * SECONDS)
    latencies = sorted((ended[number] - began[number]) / 1e6 for number in counted)
    quantile = {name: latencies[int(len(latencies) * share)] for name, share in
                {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items()}
    return quantile | {"max": latencies[-1], "client": cpu.get("client", 0.0), "server": cpu.get("server", 0.0),
                       "writer_late": json.loads(done.stdout).get("latest_ms", 0.0)}


def measure(results: Results, options: Options) -> None:
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        server.create_database(DATABASE, "CREATE EXTENSION waybill", ORDERS.format(name="orders"),
                               "SELECT waybill.enable_capture('orders')")
        directory = processes.make_directory("latency")
        topics = Topics(broker)
        ids = itertools.count(1, max(RATES) * SECONDS)
        value = directory / "value"

        def run(system: str, rate: int) -> dict:
            first_id = next(ids)
            if system == ALONE:
                topic = topics.create("alone")
                with TopicReader(broker.bootstrap, "waybill.public.orders") as reader:
                    value.write_bytes(next(reader.to_end()).value)
                command = [BUILD / "bench" / "paced_producer", broker.bootstrap, topic, str(first_id), str(rate),
                           str(SECONDS), value]
                return observe(command, directory, broker.bootstrap, Running(topic, {}), first_id, rate)
            command = [BUILD / "bench" / "paced_writer", server.conninfo(DATABASE), str(first_id), str(rate), str(SECONDS),
                       str(CONNECTIONS)]
            with contextlib.contextmanager(SYSTEMS[system])(server, broker, topics) as running:
                return observe(command, directory, broker.bootstrap, running, first_id, rate)

        cases = [{"system": system, "rate": rate} for rate in RATES for system in [*SYSTEMS, ALONE]]
        alternate(results, "runs", cases, options, run)


def report(results: Results, page: Page) -> None:
    rows = []
    for rate in results.cases("runs", "rate"):
        for system in results.cases("runs", "system"):
            def of(metric: str, factor: float, digits: int, where=(system, rate)) -> str:
                values = results.values("runs", metric, system=where[0], rate=where[1])
                return spread([value * factor for value in values], digits)

            share = [of(metric, 100, 0) if system != ALONE else "" for metric in ("client", "server")]
            rows.append((f"{rate:,} tx/s, {system}", *(of(metric, 1, 2) for metric in ("p50", "p95", "p99", "max")), *share))
    page.table(["", "p50, ms", "p95, ms", "p99, ms", "max, ms", "client, % of a core", "server, % of a core"], rows)


def goals(results: Results) -> list[Goal]:
    p50, p99, share = (median(results.values("runs", metric, system="waybill", rate=2000))
                       for metric in ("p50", "p99", "client"))
    return [Goal("Commit → consumer at 2,000 tx/s, p50 / p99", "≤ 2 / ≤ 5 ms", f"{p50:.1f} / {p99:.1f} ms",
                 p50 <= 2 and p99 <= 5),
            Goal("… CPU of the shipper", "≤ 30 % of a core", f"{100 * share:.0f} %", share <= 0.3)]
