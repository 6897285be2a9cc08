"""An old snapshot.

A REPEATABLE READ session that only reads holds a snapshot from the beginning, ten minutes or with `--long` an hour, while
pgbench inserts 300 rows a second, one in a transaction, and a consumer takes the changes. Three systems at the same time, in
databases of their own on one server, each with its own old snapshot, load and consumer: waybill with its shipper, a real
Kafka and a consumer of the topic (segments of 4 MB instead of 64, so that the ring turns within the time); a queue that
PL/pgSQL's row-level trigger fills and a consumer empties with DELETE, at most 1000 rows at a time in the order of their ids,
every 50 ms and under autovacuum; PgQ with `jsontriga`, its ticker called every second with the queue's default settings (a
batch of 500 events or 3 seconds), and tables that rotate every minute instead of every two hours. Latency is from the row's
own clock to its consumer; the log's size is on disk, with its indexes.
"""

import contextlib
import itertools
import json
import pathlib
import threading
import time

import rivals
from harness import LOG_BYTES, SERVER, Comparison, Goal, Options, Results, median, progress
from page import Page
from rig import kafka, postgres, processes
from rig.consumer import TopicReader
from rig.postgres import SUPERUSER
from rig.processes import Child, wait_until
from rig.shipper import Shipper

INTERVAL_S = 5
RATE = 300  # transactions a second of each system
PAUSE_S = 0.05  # of a consumer that found nothing, or less than it can take
TABLE = "CREATE TABLE events (id bigserial PRIMARY KEY, kind text, note text, at double precision)"
SCRIPT = """\
\\set kind random(1, 20)
INSERT INTO events (kind, note, at)
VALUES ('kind ' || :kind, repeat('note ', 20), extract(epoch FROM clock_timestamp()));
"""


class Lane:
    """One system in a database of its own: the load on it, the old snapshot and the consumer."""

    def __init__(self, server: postgres.Server, system: rivals.System, log_bytes: str):
        self.server, self.name, self._log_bytes = server, system.name, log_bytes
        self.database = system.name.replace(" ", "_").replace("/", "_")
        server.create_database(self.database, TABLE)
        system.install_in(server, self.database)
        system.attach_to(server, self.database, "events")
        self.delivered = 0
        self._latencies: list[float] = []
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in self.workers()]
        self._load: Child | None = None
        self._snapshot = server.connect(self.database, autocommit=False)
        self._snapshot.set_session(isolation_level="REPEATABLE READ")
        self._read_old()

    def workers(self) -> list:
        return [self.consume]

    def consume(self) -> None:
        """Until the end: takes changes and hands them to arrived()."""
        raise NotImplementedError

    def arrived(self, sent_at: list[float]) -> None:
        now = time.time()
        self._latencies += [now - at for at in sent_at]
        self.delivered += len(sent_at)

    def going_on(self, pause_s: float = 0) -> bool:
        return not self._ended.wait(pause_s)

    def _guarded(self, work) -> None:
        try:
            work()
        except BaseException as error:  # noqa: B902: the main thread raises it
            self._failure = error

    def _read_old(self) -> int:
        with self._snapshot.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM events")
            return cursor.fetchone()[0]

    def prepare(self) -> None:
        """Starts the consumer, which has seen a first row when this returns: no start is measured."""
        for thread in self._threads:
            thread.start()
        self.server.execute(self.database, "INSERT INTO events (at) VALUES (0)")
        wait_until(lambda: self.delivered or self._failure, 60, f"the first change reaches {self.name}'s consumer", 0.1)

    def begin(self, script: pathlib.Path, directory: pathlib.Path, seconds: int) -> None:
        self._latencies = []
        self._load = Child([self.server.installation.bin / "pgbench", "-n", "-c", "4", "-j", "1", "-R", RATE, "-T", seconds,
                            "-P", INTERVAL_S, "-M", "prepared", "-f", script, "-h", self.server.directory,
                            "-p", self.server.port, "-U", SUPERUSER, self.database], directory / f"{self.database}.log")

    def sample(self) -> dict:
        if self._failure is not None:
            raise self._failure
        latencies, self._latencies = self._latencies, []
        delivered = len(latencies)
        latencies = sorted(latencies) or [INTERVAL_S]  # when nothing came it took at least as long
        return {"log_mb": int(self.server.value(self.database, self._log_bytes)) / 1e6, "delivered": delivered,
                "p50_ms": median(latencies) * 1000, "p99_ms": latencies[int(0.99 * (len(latencies) - 1))] * 1000}

    def writers(self) -> dict[int, dict]:
        """What pgbench said of each interval, by its number; its latency counts from when the transaction was due."""
        lines = [line.replace(",", "").split() for line in self._load.log.read_text().splitlines()
                 if line.startswith("progress: ")]
        return {round(float(line[1]) / INTERVAL_S): {"tps": float(line[line.index("tps") - 1]),
                                                     "write_ms": float(line[line.index("lat") + 1])} for line in lines}

    def end(self) -> None:
        """Every row must have reached the consumer, and the snapshot must have been the old one all the time."""
        assert self._load.wait(60) == 0, self._load.tail()
        written = self.server.value(self.database, "SELECT count(*) FROM events")
        wait_until(lambda: self.delivered >= written or self._failure, 120, f"all of {self.name}'s changes are delivered", 0.1)
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        assert self.delivered == written and self._read_old() == 0
        self._snapshot.close()


class Waybill(Lane):
    def __init__(self, server: postgres.Server, broker: kafka.Broker):
        super().__init__(server, rivals.WAYBILL, LOG_BYTES)
        server.execute(self.database, f"ALTER DATABASE {self.database} SET waybill.segment_size = '4MB'")
        broker.create_topic("old.public.events")
        self._broker = broker
        self.shipper = Shipper({"database": {"conninfo": server.conninfo(self.database)}, "stream": {"prefix": "old"},
                                "kafka": {"bootstrap.servers": broker.bootstrap}})

    def prepare(self) -> None:
        self.shipper.start()
        super().prepare()

    def consume(self) -> None:
        with TopicReader(self._broker.bootstrap, "old.public.events") as reader:
            while self.going_on():
                self.arrived([json.loads(record.value)["after"]["at"] for record in reader.poll(0.1)])

    def end(self) -> None:
        super().end()
        self.shipper.close()


class DeleteQueue(Lane):
    def __init__(self, server: postgres.Server):
        super().__init__(server, rivals.PLPGSQL, "SELECT pg_total_relation_size('queue')")

    def consume(self) -> None:
        limit = 1000
        with contextlib.closing(self.server.connect(self.database)) as connection, connection.cursor() as cursor:
            taken = 0
            while self.going_on(0 if taken == limit else PAUSE_S):
                cursor.execute("DELETE FROM queue WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT %s) "
                               "RETURNING (after ->> 'at')::double precision", (limit,))
                taken = cursor.rowcount
                self.arrived([at for at, in cursor])


class Pgq(Lane):
    TICK_S, MAINTENANCE_S = 1, 10

    def __init__(self, server: postgres.Server):
        super().__init__(server, rivals.PGQ_JSON, "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
                                                  "WHERE inhparent = 'pgq.event_1'::regclass")
        server.execute(self.database, "SELECT pgq.set_queue_config('bench', 'rotation_period', '1 minute')",
                       "SELECT pgq.register_consumer('bench', 'reader')")

    def workers(self) -> list:
        return [self.consume, self.tick]

    def consume(self) -> None:
        with contextlib.closing(self.server.connect(self.database)) as connection, connection.cursor() as cursor:
            while self.going_on():
                cursor.execute("SELECT pgq.next_batch('bench', 'reader')")
                batch = cursor.fetchone()[0]
                if batch is None:
                    self.going_on(PAUSE_S)
                    continue
                cursor.execute("SELECT ev_data FROM pgq.get_batch_events(%s)", (batch,))
                self.arrived([float(json.loads(data)["at"]) for data, in cursor])
                cursor.execute("SELECT pgq.finish_batch(%s)", (batch,))

    def tick(self) -> None:
        """What PgQ's daemon does."""
        with contextlib.closing(self.server.connect(self.database)) as connection, connection.cursor() as cursor:
            for number in itertools.count(1):
                if not self.going_on(self.TICK_S):
                    return
                cursor.execute("SELECT pgq.ticker()")
                if number % self.MAINTENANCE_S == 0:
                    cursor.execute("SELECT func_name, func_arg FROM pgq.maint_operations()")
                    for function, argument in cursor.fetchall():
                        arguments = () if argument is None else (argument,)
                        cursor.execute(f"SELECT {function}({', '.join(['%s'] * len(arguments))})", arguments)


def measure(results: Results, options: Options) -> None:
    seconds = round(options.minutes * 60)
    directory = processes.make_directory("bench")
    script = directory / "events.pgbench"
    script.write_text(SCRIPT)
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER) as server,
          kafka.Broker(heap_mb=512, jvm=("-XX:+UseSerialGC",)) as broker):
        lanes = [Waybill(server, broker), DeleteQueue(server), Pgq(server)]
        for lane in lanes:
            lane.prepare()
        for lane in lanes:
            lane.begin(script, directory, seconds)
        begin = time.monotonic()
        samples = []
        for number in range(1, seconds // INTERVAL_S + 1):
            time.sleep(max(0, begin + number * INTERVAL_S - time.monotonic()))
            for lane in lanes:
                samples.append((lane, number, lane.sample()))
                if number * INTERVAL_S % 60 == 0:
                    progress(f"{number * INTERVAL_S} s: {lane.name}: "
                             + " ".join(f"{name}={value:,.4g}" for name, value in samples[-1][2].items()))
        for lane in lanes:
            lane.end()
        writers = {lane: lane.writers() for lane in lanes}
        for lane, number, sample in samples:
            # pgbench leaves out an interval when it is late, and may the last one: the nearest stands in for it.
            nearest = min(writers[lane], key=lambda other, wanted=number: abs(other - wanted))
            results.add("samples", variant=lane.name, seconds=number * INTERVAL_S, **sample, **writers[lane][nearest])


def span(results: Results, variant: str, begin: float, end: float) -> list[dict]:
    """Samples of the part of the time from `begin` to `end`."""
    return [row for row in results.rows("samples", variant=variant) if begin < row["seconds"] <= end]


def minutes(results: Results, variant: str) -> dict[str, list[dict]]:
    total = max(results.values("samples", "seconds"))
    return {"first": span(results, variant, 0, 60), "last": span(results, variant, total - 60, total)}


def largest_log_mb(rows: list[dict]) -> float:
    return max(row["log_mb"] for row in rows)


def report(results: Results, page: Page) -> None:
    variants = results.cases("samples", "variant")
    page.table(["system, minute", "log at most, MB", "latency p50, ms", "largest p99 of 5 s, ms", "transactions/s",
                "writer's latency, ms"],
               [(f"{variant}, {name}", f"{largest_log_mb(rows):,.1f}", f"{median([row['p50_ms'] for row in rows]):,.1f}",
                 f"{max(row['p99_ms'] for row in rows):,.1f}", f"{median([row['tps'] for row in rows]):,.0f}",
                 f"{median([row['write_ms'] for row in rows]):.2f}")
                for variant in variants for name, rows in minutes(results, variant).items()])
    for metric, title, unit, scale in (("log_mb", "Size of the log under an old snapshot", "MB", "linear"),
                                       ("p50_ms", "From writer to consumer, median", "ms", "log"),
                                       ("tps", "Transactions of the writers", "a second", "linear"),
                                       ("write_ms", "Latency of the writers", "ms", "linear")):
        with page.plot(metric.removesuffix("_ms").removesuffix("_mb"), title, "minutes", unit) as axes:
            for variant in variants:
                axes.plot([seconds / 60 for seconds in results.values("samples", "seconds", variant=variant)],
                          results.values("samples", metric, variant=variant), label=variant, linewidth=1)
            axes.set_yscale(scale)
            if scale == "linear":
                axes.set_ylim(bottom=0)
            else:
                axes.set_ylim(top=axes.get_ylim()[1] * 10)  # room for the legend


def goals(results: Results) -> list[Goal]:
    total = max(results.values("samples", "seconds"))
    first, second = (largest_log_mb(span(results, rivals.WAYBILL.name, begin, begin + total / 2)) for begin in (0, total / 2))
    return [Goal(f"Log under a snapshot of {total / 60:.0f} minutes: at most in the second half, against the first",
                 "flat, ≤ 1.25×", f"{second:.1f} MB against {first:.1f} MB", second <= 1.25 * first)]


def compare(results: Results) -> list[Comparison]:
    last = {variant: minutes(results, variant)["last"] for variant in results.cases("samples", "variant")}

    def line(what: str, text) -> Comparison:
        return Comparison(what, text(last[rivals.WAYBILL.name]), plpgsql=text(last[rivals.PLPGSQL.name]),
                          pgq=text(last[rivals.PGQ_JSON.name]))

    minute = max(results.values("samples", "seconds")) / 60
    return [line(f"Log after {minute:.0f} minutes under an old snapshot, consumed all the time at {RATE} changes/s",
                 lambda rows: f"{largest_log_mb(rows):,.1f} MB"),
            line("… latency to the consumer then, median", lambda rows: f"{median([row['p50_ms'] for row in rows]):,.1f} ms")]
