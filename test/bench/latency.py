"""Latency.

From the moment a COMMIT has returned to the moment a consumer has the message, at fixed rates of small transactions (one
INSERT each, `test/bench/paced_writer.cpp`; the schedule does not wait for anybody), with default settings on one partition;
against produce → consume alone: the same messages at the same rates straight from a librdkafka producer
(`test/bench/paced_producer.cpp`). Writers, server, broker, consumer (`test/bench/arrivals.cpp`) and what is measured share
the machine's processors. "Server" is the one process of PostgreSQL that serves the reader.

Debezium is the connector 3.7.0.Final in Kafka Connect with JSON without schemas, with defaults, for throughput and for
latency (`test/bench/debezium_runs.py` has the settings), on a table without waybill. Each system is started once in a round and
first has 300,000 changes to send, which do not count, so that a JVM has compiled what it runs. Both reach the server over TCP.
"""

import contextlib
import functools
import itertools
import json
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import debezium_runs
from harness import (ORDERS, ORDERS_ROW, SERVER, Comparison, Goal, Options, Results, alternate, cpu_s, empty_log, median,
                     shipper_conninfo)
from page import Page, bars, spread
from rig import debezium, kafka, postgres, processes
from rig.consumer import TopicReader
from rig.processes import BUILD, wait_until
from rig.shipper import Shipper

RATES = (500, 2000, 5000)
SECONDS = 10
WARM_UP_SECONDS = 2  # at the beginning of each run, which do not count
LEAST_RATE = 0.98  # of the wanted one, that writers must keep to for a figure to be of that rate
CONNECTIONS = 12
CAPTURED, PLAIN = "captured", "plain"  # databases
WAYBILL, ALONE = "waybill", "produce → consume alone"
FIRST_TRANSACTIONS = 3000  # of a hundred rows, when a system has started


@dataclass(frozen=True)
class Running:
    """A system that is about to be measured."""

    topic: str  # with one partition
    database: str
    processes: dict[str, list[int]]  # by column of the results: whose use of the processor is measured


class Stage:
    """Where systems run: one at a time, which stays until another one is wanted."""

    def __init__(self, server: postgres.Server, broker: kafka.Broker):
        self.server = server
        self.broker = broker
        self.directory = processes.make_directory("latency")
        self._topics: set[str] = set()
        self._ids = itertools.count(1, 1_000_000)
        self._system: str | None = None
        self._rates: set[int] = set()  # at which it has been measured
        self._exits = contextlib.ExitStack()
        self._running: Running | None = None

    def topic(self, name: str) -> str:
        """Created when it is not there."""
        if name not in self._topics:
            self.broker.create_topic(name)
            self._topics.add(name)
        return name

    def first_id(self) -> int:
        """Of a run; no two runs have one in common."""
        return next(self._ids)

    def write_many(self, database: str) -> int:
        """Returns how many rows it has inserted."""
        self.server.execute(database, f"""
            DO $$ BEGIN FOR n IN 0 .. {FIRST_TRANSACTIONS - 1} LOOP
                INSERT INTO orders SELECT {ORDERS_ROW}
                FROM (SELECT {self.first_id()} + n * 100 + m FROM generate_series(0, 99) m) ids (i);
                COMMIT;
            END LOOP; END $$""")
        return FIRST_TRANSACTIONS * 100

    def running(self, system: str, rate: int) -> Running:
        """A rate comes once in a round: one that has been there begins another round, with a fresh system."""
        if system != self._system or rate in self._rates:
            self.clear()
            self._running = self._exits.enter_context(contextlib.contextmanager(SYSTEMS[system])(self))
            self._system = system
        self._rates.add(rate)
        return self._running

    def clear(self) -> None:
        self._system = None
        self._rates.clear()
        self._exits.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clear()


def alone(stage: Stage) -> Iterator[Running]:
    with TopicReader(stage.broker.bootstrap, "waybill.public.orders") as reader:
        (stage.directory / "value").write_bytes(next(reader.to_end()).value)
    yield Running(stage.topic("alone"), "", {})


def waybill(stage: Stage) -> Iterator[Running]:
    topic = stage.topic("waybill.public.orders")
    with Shipper({"database": {"conninfo": shipper_conninfo(stage.server, CAPTURED)}, "stream": {"prefix": "waybill"},
                  "kafka": {"bootstrap.servers": stage.broker.bootstrap}}) as shipper:
        shipper.wait_for_line("shipping stream")
        expected = stage.broker.records(topic, 1) + stage.write_many(CAPTURED)
        wait_until(lambda: stage.broker.end_offset(topic) >= expected, 600, "waybill sends its first changes")
        backends = stage.server.query(CAPTURED,
                                      "SELECT pid FROM pg_stat_activity WHERE application_name = 'waybill-shipper'")
        yield Running(topic, CAPTURED, {"client": [shipper.pid], "server": [pid for pid, in backends]})
        shipper.stop()
    empty_log(stage.server, CAPTURED)


def connector(stage: Stage, slot: str, properties: dict[str, str]) -> Iterator[Running]:
    topic = stage.topic(f"{slot}.public.orders")
    debezium.create_slot(stage.server, PLAIN, slot)
    with debezium_runs.connector(stage.server, PLAIN, stage.broker, slot=slot, properties=properties) as running:
        running.wait_streaming()
        running.wait_records(topic, 1, stage.broker.records(topic, 1) + stage.write_many(PLAIN))
        walsenders = stage.server.query("postgres", "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s",
                                        [slot])
        yield Running(topic, PLAIN, {"client": [running.pid], "server": [pid for pid, in walsenders]})
    debezium.drop_slot(stage.server, slot)


# What is measured, each a generator that starts it, yields it when it can be written to, and ends it.
SYSTEMS: dict[str, Callable[[Stage], Iterator[Running]]] = {WAYBILL: waybill, ALONE: alone} | {
    variant: functools.partial(connector, slot=f"debezium{number}", properties=properties)
    for number, (variant, properties) in enumerate(debezium_runs.CONFIGURATIONS.items())}


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
    times = [began[number] for number in counted]
    quantile = {name: latencies[int(len(latencies) * share)] for name, share in
                {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items()}
    return quantile | {"max": latencies[-1], "client": cpu.get("client", 0.0), "server": cpu.get("server", 0.0),
                       "achieved": (len(times) - 1) / (max(times) - min(times)) * 1e9,
                       "writer_late": json.loads(done.stdout)["latest_ms"]}


def measure(results: Results, options: Options) -> None:
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER | debezium.SERVER) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker, Stage(server, broker) as stage):
        server.create_database(CAPTURED, "CREATE EXTENSION waybill", ORDERS.format(name="orders"),
                               "SELECT waybill.enable_capture('orders')")
        server.create_database(PLAIN, ORDERS.format(name="orders"))
        debezium.prepare(server, PLAIN, "orders")

        def run(system: str, rate: int) -> dict:
            running = stage.running(system, rate)
            first_id = stage.first_id()
            if system == ALONE:
                command = [BUILD / "bench" / "paced_producer", broker.bootstrap, running.topic, str(first_id), str(rate),
                           str(SECONDS), stage.directory / "value"]
            else:
                command = [BUILD / "bench" / "paced_writer", server.conninfo(running.database), str(first_id), str(rate),
                           str(SECONDS), str(CONNECTIONS)]
            return observe(command, stage.directory, broker.bootstrap, running, first_id, rate)

        cases = [{"system": system, "rate": rate} for system in SYSTEMS for rate in RATES]
        # The round that does not count warms the broker up, for which two of them are enough.
        alternate(results, "runs", [case for case in cases if case["system"] in (WAYBILL, ALONE)], Options(rounds=0), run)
        alternate(results, "runs", cases, options, run, warm_up=False)


def kept_up(results: Results, system: str, rate: int) -> bool:
    return median(results.values("runs", "achieved", system=system, rate=rate)) >= LEAST_RATE * rate


def report(results: Results, page: Page) -> None:
    rows = []
    for rate in results.cases("runs", "rate"):
        for system in results.cases("runs", "system"):
            def of(metric: str, factor: float, digits: int, where=(system, rate)) -> str:
                values = results.values("runs", metric, system=where[0], rate=where[1])
                return spread([value * factor for value in values], digits)

            share = [of(metric, 100, 0) if system != ALONE else "" for metric in ("client", "server")]
            behind = "" if kept_up(results, system, rate) else " **behind**"
            rows.append((f"{rate:,} tx/s, {system}", *(of(metric, 1, 2) for metric in ("p50", "p95", "p99", "max")), *share,
                         of("achieved", 1, 0) + behind, of("writer_late", 1, 0)))
    page.table(["", "p50, ms", "p95, ms", "p99, ms", "max, ms", "client, % of a core", "server, % of a core",
                "tx/s achieved", "writer late at most, ms"], rows)
    page.text(f"Where writers reached less than {LEAST_RATE:.0%} of the rate, the line says so. They were late when all "
              f"{CONNECTIONS} connections waited for their COMMIT, or had no processor; latency counts from the COMMIT.")
    rates = results.cases("runs", "rate")
    for metric in ("p50", "p99"):
        with page.plot(metric, f"From commit to consumer, {metric}", "", "ms") as axes:
            axes.set_yscale("log")
            bars(axes, [f"{rate:,} tx/s" for rate in rates],
                 {system: [median(results.values("runs", metric, system=system, rate=rate)) for rate in rates]
                  for system in results.cases("runs", "system")}, base=0.1)
            axes.yaxis.set_major_formatter("{x:,g}")


def goals(results: Results) -> list[Goal]:
    p50, p99, achieved, share = (median(results.values("runs", metric, system=WAYBILL, rate=2000))
                                 for metric in ("p50", "p99", "achieved", "client"))
    return [Goal("Commit → consumer at 2,000 tx/s, p50 / p99", "≤ 2 / ≤ 5 ms",
                 f"{p50:.1f} / {p99:.1f} ms at {achieved:,.0f} tx/s",
                 p50 <= 2 and p99 <= 5 and kept_up(results, WAYBILL, 2000)),
            Goal("… CPU of the shipper", "≤ 30 % of a core", f"{100 * share:.0f} %", share <= 0.3)]


def compare(results: Results) -> list[Comparison]:
    def shown(system: str, *metrics: str, factor: float = 1, digits: int = 1) -> str:
        return " / ".join(f"{median(results.values('runs', metric, system=system, rate=2000)) * factor:,.{digits}f}"
                          for metric in metrics)

    def line(what: str, *metrics: str, **how) -> Comparison:
        return Comparison(what, shown(WAYBILL, *metrics, **how),
                          "; ".join(f"{variant.removeprefix('Debezium, ')}: {shown(variant, *metrics, **how)}"
                                    for variant in debezium_runs.CONFIGURATIONS))

    return [line("Commit → consumer at 2,000 tx/s, p50 / p99 in ms", "p50", "p99"),
            line("… CPU of what ships, % of a core", "client", factor=100, digits=0)]
