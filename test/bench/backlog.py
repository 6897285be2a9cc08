"""Backlog.

Kafka is down under a load of 2,000 transactions a second of one captured insert each, for ten minutes or as `--minutes`
says, and then comes back while the load goes on. Every second: what is in the topic, the log's size with its indexes, the
most memory that the shipper had, the writers' rate. While it catches up, the writers share the processors with a shipper at
full speed and a broker whose JVM has just started. Then, without writers, a backlog of 10,000,000 changes in transactions of
a hundred rows is drained: the rate must be the same from the first to the last, whatever the backlog.
"""

import contextlib
import re
import threading
import time

from harness import (LOG_BYTES, ORDERS, SERVER, Goal, Options, Results, empty_log, fill_orders, median, progress)
from page import Page
from rig import kafka, postgres, processes
from rig.postgres import SUPERUSER
from rig.processes import Child, PeakMemory, wait_until
from rig.shipper import Shipper

RATE = 2_000
CLIENTS = 4
INTERVAL_S = 1
AROUND_S = 30  # of the load before the broker stops, and after the backlog is gone
CHANGES = 10_000_000
SCRIPT = ("INSERT INTO orders SELECT nextval('ids'), 7, 'new', 1234.56, 'order number 1234567', now();\n")
PROGRESS = re.compile(r"progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+) ms")


def configuration(server: postgres.Server, broker: kafka.Broker, prefix: str) -> dict[str, dict]:
    return {"database": {"conninfo": server.conninfo("bench")}, "stream": {"prefix": prefix},
            "topics": {"partitions": 1}, "kafka": {"bootstrap.servers": broker.bootstrap}}


class Watch:
    """Samples while in `with`, every INTERVAL_S and at the end, into a table of the results."""

    def __init__(self, results: Results, table: str, server: postgres.Server, shipper: Shipper, broker: kafka.Broker,
                 topic: str):
        self._results, self._table = results, table
        self._server, self._shipper, self._broker, self._topic = server, shipper, broker, topic
        self._published = 0
        self._begin = time.monotonic()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded)
        self.begin_phase("before")

    def begin_phase(self, name: str) -> None:
        """The one before ends with it."""
        self._phase = name
        self._results.add("phases", part=self._table, phase=name, second=self.elapsed_s)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begin

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: B902: the main thread raises it
            self._failure = error

    def _run(self) -> None:
        with contextlib.closing(self._server.connect("bench")) as connection, connection.cursor() as cursor:
            while not self._ended.is_set():
                with PeakMemory(self._shipper.pid) as peak:
                    self._ended.wait(INTERVAL_S - self.elapsed_s % INTERVAL_S)
                if self._phase != "down":
                    with contextlib.suppress(kafka.KafkaException):  # it is about to start, or stops just now
                        self._published = self._broker.end_offset(self._topic)
                second = self.elapsed_s
                cursor.execute(LOG_BYTES)
                self._results.add(self._table, phase=self._phase, second=second, published=self._published,
                                  log_mb=cursor.fetchone()[0] / 1e6, shipper_mb=peak.mb)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self.begin_phase("end")
        if self._failure is not None:
            raise self._failure


def outage(results: Results, minutes: float, installation: postgres.Installation, server: postgres.Server,
           broker: kafka.Broker) -> None:
    directory = processes.make_directory("bench")
    script = directory / "insert.pgbench"
    script.write_text(SCRIPT)
    topic = "outage.public.orders"
    broker.create_topic(topic)

    def caught_up() -> bool:
        return server.value("bench", "SELECT last_value - waybill.acknowledged('default') FROM waybill_internal.commit_seq") < RATE * 10_000

    with Shipper(configuration(server, broker, "outage")) as shipper:
        load = Child([installation.bin / "pgbench", "-n", "-c", CLIENTS, "-j", "1", "-T", 86400, "-R", RATE, "-M", "prepared",
                      "-P", INTERVAL_S, "-f", script, "-h", server.directory, "-p", server.port, "-U", SUPERUSER, "bench"],
                     directory / "pgbench.log")
        with Watch(results, "outage", server, shipper, broker, topic) as watch:
            time.sleep(AROUND_S)
            watch.begin_phase("down")
            broker.stop()
            progress(f"Kafka is down for {minutes:g} minutes")
            time.sleep(minutes * 60)
            broker.start()
            watch.begin_phase("draining")
            progress("Kafka is back")
            wait_until(caught_up, 3600, "the backlog is drained", 1)
            progress(f"caught up {watch.elapsed_s - minutes * 60 - AROUND_S:.0f} s after Kafka's start")
            watch.begin_phase("after")
            time.sleep(AROUND_S)
        load.stop()
    for second, tps, latency_ms in PROGRESS.findall(load.log.read_text()):
        results.add("writers", second=float(second), tps=float(tps), latency_ms=float(latency_ms))


def large(results: Results, server: postgres.Server, broker: kafka.Broker) -> None:
    empty_log(server, "bench")
    server.execute("bench", "TRUNCATE orders", fill_orders(CHANGES), "CHECKPOINT")
    progress(f"a backlog of {CHANGES:,} changes is there")
    topic = "large.public.orders"
    broker.create_topic(topic)
    with (Shipper(configuration(server, broker, "large")) as shipper,
          Watch(results, "large", server, shipper, broker, topic)):
        wait_until(lambda: broker.end_offset(topic) >= CHANGES, 3600, "the backlog is drained", 0.5)


def measure(results: Results, options: Options) -> None:
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        server.create_database("bench", "CREATE EXTENSION waybill", ORDERS.format(name="orders"), "CREATE SEQUENCE ids",
                               "SELECT waybill.enable_capture('orders')")
        outage(results, options.minutes, installation, server, broker)
        large(results, server, broker)


def rates(samples: list[dict]) -> list[tuple[float, float]]:
    """(second, changes published a second) between samples, but for the one at the end, which may come at once."""
    return [(after["second"], (after["published"] - before["published"]) / (after["second"] - before["second"]))
            for before, after in zip(samples, samples[1:]) if after["second"] - before["second"] > INTERVAL_S / 2]


def thirds(results: Results) -> list[float]:
    """The rate of the large backlog's first, second and last third."""
    samples = [{"second": 0.0, "published": 0}, *results.rows("large")]

    def second_of(published: float) -> float:
        for before, after in zip(samples, samples[1:]):
            if after["published"] >= published > before["published"]:
                share = (published - before["published"]) / (after["published"] - before["published"])
                return before["second"] + share * (after["second"] - before["second"])
        raise ValueError(f"{published:g} changes were never published")

    # What is published before the first tenth is the start; all that follows is in thirds.
    marks = [second_of(CHANGES * (0.1 + 0.3 * third)) for third in range(4)]
    return [CHANGES * 0.3 / (end - begin) for begin, end in zip(marks, marks[1:])]


def phases(results: Results) -> dict[str, tuple[float, float]]:
    """From which second to which each phase of the outage lasted."""
    begun = results.rows("phases", part="outage")
    return {phase["phase"]: (phase["second"], following["second"]) for phase, following in zip(begun, begun[1:])}


def writers_in(results: Results, phase: str, metric: str, digits: int) -> str:
    begin, end = phases(results)[phase]
    values = [row[metric] for row in results.rows("writers") if begin < row["second"] <= end]
    return f"{median(values):,.{digits}f}" if values else ""


def published_in(samples: list[dict]) -> str:
    """A second, between the first and the last sample."""
    if len(samples) < 2:
        return ""
    return f"{(samples[-1]['published'] - samples[0]['published']) / (samples[-1]['second'] - samples[0]['second']):,.0f}"


def most(samples: list[dict], metric: str) -> str:
    return f"{max(sample[metric] for sample in samples):,.0f}" if samples else ""


def report(results: Results, page: Page) -> None:
    page.text(f"Kafka was down for {results.machine()['minutes']:g} minutes.")
    rows = []
    for phase, (begin, end) in phases(results).items():
        samples = results.rows("outage", phase=phase)
        rows.append((phase, f"{end - begin:.0f}", writers_in(results, phase, "tps", 0),
                     writers_in(results, phase, "latency_ms", 2), published_in(samples), most(samples, "log_mb"),
                     most(samples, "shipper_mb")))
    page.table(["phase", "seconds", "writers' transactions/s", "their latency, ms", "published/s", "log, MB at most",
                "shipper, MB at most"], rows)
    samples = results.rows("outage")
    begin, end = phases(results)["down"]
    for name, title, y, series in (
            ("outage-log", "Log during an outage of Kafka", "MB", [(s["second"], s["log_mb"]) for s in samples]),
            ("outage-rates", "Published a second", "changes/s", rates(samples)),
            ("outage-memory", "The shipper's memory", "MB", [(s["second"], s["shipper_mb"]) for s in samples]),
            ("outage-writers", "Writers", "transactions/s", [(w["second"], w["tps"]) for w in results.rows("writers")])):
        with page.plot(name, title, "seconds", y) as axes:
            axes.axvspan(begin, end, color="0.9", label="Kafka is down")
            axes.plot(*zip(*series))
            axes.set_ylim(bottom=0)
    first, second, last = thirds(results)
    page.text(f"{CHANGES:,} changes: {first:,.0f}, {second:,.0f} and {last:,.0f} changes/s in three equal parts behind the "
              f"first tenth, the shipper at {max(results.values('large', 'shipper_mb')):.0f} MB at most.")
    with page.plot("large", f"Draining {CHANGES:,} changes", "seconds", "changes/s") as axes:
        axes.plot(*zip(*rates(results.rows("large"))))
        axes.set_ylim(bottom=0)


def goals(results: Results) -> list[Goal]:
    first, _, last = thirds(results)
    memory = max(results.values("large", "shipper_mb") + results.values("outage", "shipper_mb"))
    return [Goal(f"Backlog of {CHANGES:,} changes: rate of the last third against the first", "constant", f"{last / first:.2f}",
                 last / first >= 0.9),
            Goal("… shipper's memory", "≤ 200 MB", f"{memory:.0f} MB", memory <= 200)]
