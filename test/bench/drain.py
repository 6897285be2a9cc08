"""Drain.

A backlog of a million changes (ten million with `--long`) to a topic of one partition and of eight. Debezium sends the same
rows, written in the same transactions to a database without waybill, from slots that were made before.

waybill is the shipper with its defaults (lz4); its time includes its start and its end. The plain producer is librdkafka
with the same settings, which sends the same bytes from memory, each message to the same partition
(`test/bench/raw_producer.cpp`): once with the C library's malloc, as most producers have it, and once with mimalloc as the
shipper, the best that we know to make. Before runs count, the broker has received fifteen million messages: its JVM
compiles until then. Runs of waybill and of the plain producers take a second or two and vary by a third, so there are three
times as many of them as of Debezium.

Debezium is the connector 3.7.0.Final in Kafka Connect, standalone, on Java 17, with JSON without schemas, with defaults and
for throughput (`test/bench/debezium_runs.py` has the settings). The heap is that of Kafka's own start script, up to 2 GB. Rate
and processor time are steady ones, those of the second half of the backlog: a young JVM needs the first to compile what it
runs. Neither its start nor that counts against it; the rate from the first record's arrival on is below the tables.

Processor time is the process's alone; that of the server, which decodes WAL for the one and reads the log for the other, is
in a column of its own. Both reach it over TCP. Memory is the process's own at its peak. Server, broker and whoever sends
share the processors.
"""

import json
import subprocess
import time

import debezium_runs
from harness import (MORE_ROUNDS, ORDERS, SERVER, Comparison, Goal, Options, Results, alternate, children_cpu_s, cpu_s,
                     fill_orders, median, shipper_conninfo, tree_cpu_s)
from page import Page, bars, spread
from rig import debezium, kafka, postgres
from rig.consumer import TopicReader
from rig.processes import BUILD, PeakMemory
from rig.shipper import Shipper

WAYBILL, PLAIN, PLAIN_MIMALLOC = "waybill", "plain producer", "plain producer with mimalloc"
PRODUCERS = {PLAIN: BUILD / "bench" / "raw_producer_libc", PLAIN_MIMALLOC: BUILD / "bench" / "raw_producer"}
DEFAULTS, THROUGHPUT = "Debezium, defaults", "Debezium, for throughput"
PARTITIONS = [1, 8]
ROWS, LONG_ROWS, SINGLE_ROWS = 1_000_000, 10_000_000, 1_000_000
DEFAULTS_ROUNDS = 3  # of Debezium with defaults, which takes the longest
WARM_UP_ROWS = 15_000_000


class Backlog:
    """The same changes twice: in waybill's log, with a stream for each run, and in the WAL behind a slot for each run."""

    def __init__(self, server: postgres.Server, broker: kafka.Broker, name: str, rows: int, rows_per_transaction: int,
                 waybill_runs: int, debezium_runs: int):
        self.rows = rows
        self._server = server
        self._broker = broker
        self._captured, self._plain = f"{name}_captured", f"{name}_plain"
        self._prefix = name
        self._runs = 0
        self._slots = [f"{name}_slot{number}" for number in range(debezium_runs)]
        self._streams = [f"{name}_stream{number}" for number in range(waybill_runs)]
        self.bytes: dict[str, int] = {}  # of the first value that a variant sent
        self._messages: dict[int, str] = {}  # topics of waybill that the plain producer reads, by partitions
        writes = ("SET synchronous_commit = off", fill_orders(rows, rows_per_transaction), "SET synchronous_commit = on")
        table = ORDERS.format(name="orders")
        server.create_database(
            self._captured, "CREATE EXTENSION waybill", table, "SELECT waybill.enable_capture('orders')",
            *(f"SELECT waybill.create_stream('{stream}')" for stream in self._streams),
            *writes, "VACUUM ANALYZE orders")
        self._conninfo = shipper_conninfo(server, self._captured)
        server.create_database(self._plain, table)
        debezium.prepare(server, self._plain, "orders")
        for slot in self._slots:
            debezium.create_slot(server, self._plain, slot)
        server.execute(self._plain, *writes, "VACUUM ANALYZE orders", "CHECKPOINT")

    def _topic(self, prefix: str, partitions: int) -> str:
        topic = f"{prefix}.public.orders"
        self._broker.create_topic(topic, partitions)
        return topic

    def _first_bytes(self, topic: str) -> int:
        with TopicReader(self._broker.bootstrap, topic) as reader:
            return len(reader.poll(60, limit=1)[0].value)

    def waybill(self, partitions: int) -> dict:
        stream = self._streams.pop()
        topic = self._topic(stream, partitions)
        shipper = Shipper({"database": {"conninfo": self._conninfo},
                           "stream": {"name": stream, "prefix": stream}, "topics": {"partitions": partitions},
                           "kafka": {"bootstrap.servers": self._broker.bootstrap}}, "--once")
        server_before, before, begin = tree_cpu_s(self._server.pid), children_cpu_s(), time.monotonic()
        shipper.start()
        with PeakMemory(shipper.pid) as peak:
            status = shipper.wait(3600)
        elapsed = time.monotonic() - begin
        assert status == 0, shipper.stderr()
        cpu, server = children_cpu_s() - before, tree_cpu_s(self._server.pid) - server_before
        shipper.close()
        sent = self._broker.records(topic, partitions)
        assert sent == self.rows, f"waybill sent {sent} records"
        self.bytes[WAYBILL] = self._first_bytes(topic)
        if partitions in self._messages:
            self._broker.delete_topic(topic)
        else:
            self._messages[partitions] = topic
        rate = self.rows / elapsed
        return {"changes_per_s": rate, "from_first_per_s": rate, "cpu_us": cpu / self.rows * 1e6,
                "server_cpu_us": server / self.rows * 1e6, "memory_mb": peak.mb}

    def plain_producer(self, variant: str, partitions: int) -> dict:
        """It reads the messages into memory first and takes its own time behind that."""
        self._runs += 1
        topic = self._topic(f"{self._prefix}_raw{self._runs}", partitions)
        done = subprocess.run([PRODUCERS[variant], self._broker.bootstrap, self._messages[partitions], topic], check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._broker.delete_topic(topic)
        result = json.loads(done.stdout)
        assert result["messages"] == self.rows and result["failed"] == 0, result
        rate = self.rows / result["seconds"]
        return {"changes_per_s": rate, "from_first_per_s": rate, "cpu_us": result["cpu_s"] / self.rows * 1e6,
                "server_cpu_us": 0, "memory_mb": 0}

    def debezium(self, variant: str, partitions: int) -> dict:
        slot = self._slots.pop()
        topic = self._topic(slot, partitions)
        with debezium_runs.connector(self._server, self._plain, self._broker, slot=slot,
                                     properties=debezium_runs.CONFIGURATIONS[variant]) as connector:
            def wait(records: int) -> tuple:
                there = connector.wait_records(topic, partitions, records)
                return there, time.monotonic(), cpu_s(connector.pid), tree_cpu_s(self._server.pid)

            with PeakMemory(connector.pid) as peak:
                first, began, *_ = wait(1)
                half, halfway, cpu, server = wait(self.rows // 2)
                sent, ended, cpu_then, server_then = wait(self.rows)
        assert sent == self.rows, f"Debezium sent {sent} records"
        self.bytes[variant] = self._first_bytes(topic)
        debezium.drop_slot(self._server, slot)
        self._broker.delete_topic(topic)
        rows = sent - half
        return {"changes_per_s": rows / (ended - halfway), "from_first_per_s": (sent - first) / (ended - began),
                "cpu_us": (cpu_then - cpu) / rows * 1e6, "server_cpu_us": (server_then - server) / rows * 1e6,
                "memory_mb": peak.mb}

    def run(self, variant: str, partitions: int) -> dict:
        if variant == WAYBILL:
            return self.waybill(partitions)
        if variant in PRODUCERS:
            return self.plain_producer(variant, partitions)
        return self.debezium(variant, partitions)

    def close(self) -> None:
        for topic in self._messages.values():
            self._broker.delete_topic(topic)
        for database in (self._captured, self._plain):
            self._server.drop_database(database)


def measure(results: Results, options: Options) -> None:
    rows = LONG_ROWS if options.long else ROWS
    # The broker is a long-lived one with the JVM's own choices; what it deletes goes at once.
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER | debezium.SERVER) as server,
          kafka.Broker({"log.segment.delete.delay.ms": "1000"}, heap_mb=1024, jvm=()) as broker):
        def run_all(table: str, name: str, rows: int, rows_per_transaction: int, partitions: list[int],
                    rounds: dict[str, int]) -> None:
            """`rounds` of each variant."""
            of_debezium = sum(count for variant, count in rounds.items() if variant in debezium_runs.CONFIGURATIONS)
            backlog = Backlog(server, broker, name, rows, rows_per_transaction, (rounds[WAYBILL] + 1) * len(partitions),
                              of_debezium * len(partitions))
            cases = [{"partitions": count, "variant": variant} for count in partitions for variant in rounds]
            # The round that does not count gives the plain producers their messages. Debezium starts a new JVM in each
            # run, so such a round would do nothing for it.
            quick = [case for case in cases if case["variant"] not in debezium_runs.CONFIGURATIONS]
            alternate(results, table, quick, Options(rounds=0), backlog.run)
            if PLAIN_MIMALLOC in rounds:
                for _ in range(WARM_UP_ROWS // rows):
                    backlog.run(PLAIN_MIMALLOC, partitions[0])
            alternate(results, table, cases, Options(rounds=max(rounds.values())), backlog.run, warm_up=False,
                      most_rounds=lambda case: rounds[case["variant"]])
            for variant, size in backlog.bytes.items():
                results.add("messages", workload=table, variant=variant, rows=backlog.rows, bytes=size)
            backlog.close()

        of_debezium = {DEFAULTS: min(options.rounds, DEFAULTS_ROUNDS), THROUGHPUT: options.rounds}
        run_all("runs", "hundred", rows, 100, PARTITIONS,
                dict.fromkeys([WAYBILL, *PRODUCERS], options.rounds * MORE_ROUNDS) | of_debezium)
        run_all("single_rows", "single", SINGLE_ROWS, 1, [1], dict.fromkeys([WAYBILL, THROUGHPUT], options.rounds))


def case(partitions: int, variant: str) -> dict:
    return {"partitions": partitions, "variant": variant}


def partitions_text(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"


def against(results: Results, other: str, metric: str) -> list[list[float]]:
    """Ratios of waybill to another variant, for each number of partitions."""
    return [results.ratios("runs", metric, case(count, WAYBILL), case(count, other)) for count in PARTITIONS]


def against_single(results: Results, metric: str) -> list[float]:
    return results.ratios("single_rows", metric, {"variant": WAYBILL}, {"variant": THROUGHPUT})


def figures(results: Results, table: str, **where) -> list[str]:
    """Cells of one variant; a plain producer's without those that it has not."""
    cells = [spread(results.values(table, metric, **where), digits)
             for metric, digits in (("changes_per_s", 0), ("cpu_us", 2), ("server_cpu_us", 2), ("memory_mb", 0))]
    return [*cells[:2], "", ""] if where["variant"] in PRODUCERS else cells


def report(results: Results, page: Page) -> None:
    ours, theirs = (results.rows("messages", workload="runs", variant=variant)[0] for variant in (WAYBILL, DEFAULTS))
    page.text(f"{ours['rows']:,} changes; values of {ours['bytes']} bytes from waybill and of {theirs['bytes']} from Debezium.")
    header = ["variant", "changes/s", "CPU µs per change", "server's CPU µs per change", "memory, MB"]
    variants = results.cases("runs", "variant")
    for count in PARTITIONS:
        page.text(f"**{partitions_text(count)}**, a hundred rows per transaction:")
        page.table(header, [(variant, *figures(results, "runs", **case(count, variant))) for variant in variants])
    page.text(f"**1 partition**, {SINGLE_ROWS:,} transactions of one row:")
    page.table(header, [(variant, *figures(results, "single_rows", variant=variant))
                        for variant in results.cases("single_rows", "variant")])
    page.text("With its warming up Debezium sent per second:")
    page.table(["", *(partitions_text(count) for count in PARTITIONS)],
               [(variant, *(spread(results.values("runs", "from_first_per_s", **case(count, variant)))
                            for count in PARTITIONS)) for variant in (DEFAULTS, THROUGHPUT)])
    page.text(f"With defaults it ran in {len(results.rows('runs', **case(1, DEFAULTS)))} round(s), as that takes the longest.",
              "waybill against the others, round by round:")
    metrics = ("changes_per_s", "cpu_us", "memory_mb")

    def ratios(other: str, place: int) -> list[str]:
        return [spread(against(results, other, metric)[place], 3) if other not in PRODUCERS or metric != "memory_mb" else ""
                for metric in metrics]

    page.table(["", "rate", "CPU per change", "memory"],
               [(f"{other}; {partitions_text(count)}", *ratios(other, place)) for place, count in enumerate(PARTITIONS)
                for other in variants if other != WAYBILL]
               + [(f"{THROUGHPUT}; transactions of one row",
                   *(spread(against_single(results, metric), 3) for metric in metrics))])
    with page.plot("rates", "Draining a backlog", "", "changes per second") as axes:
        bars(axes, [partitions_text(count) for count in PARTITIONS],
             {variant: [median(results.values("runs", "changes_per_s", **case(count, variant))) for count in PARTITIONS]
              for variant in variants})
        axes.yaxis.set_major_formatter("{x:,.0f}")


def goals(results: Results) -> list[Goal]:
    def each(other: str, metric: str) -> list[float]:
        medians = [median(ratios) for ratios in against(results, other, metric)]
        return medians + [median(against_single(results, metric))] if other == THROUGHPUT else medians

    def texts(values: list[float], digits: int = 2) -> str:
        names = [*map(partitions_text, PARTITIONS), "transactions of one row"]
        return "; ".join(f"{name} {value:.{digits}f}" for name, value in zip(names, values))

    times = each(THROUGHPUT, "changes_per_s")
    less_cpu = [1 / value for value in each(THROUGHPUT, "cpu_us")]
    memory = each(THROUGHPUT, "memory_mb")
    reached = []
    for variant, what in ((PLAIN, "Drain of a backlog: rate against a plain producer of the same bytes"),
                          (PLAIN_MIMALLOC, "… against one with the shipper's allocator")):
        rate, cpu = each(variant, "changes_per_s"), each(variant, "cpu_us")
        reached += [Goal(what, "≥ 0.8", texts(rate), min(rate) >= 0.8),
                    Goal("… CPU per change against its", "≤ 2", texts(cpu), max(cpu) <= 2)]
    return [*reached,
            Goal("… rate against Debezium, tuned for throughput", "≥ 8", texts(times, 1), min(times) >= 8),
            Goal("… times less CPU per change", "≥ 10", texts(less_cpu, 1), min(less_cpu) >= 10),
            Goal("… memory against its", "≤ 0.1", texts(memory), max(memory) <= 0.1)]


def compare(results: Results) -> list[Comparison]:
    def line(what: str, metric: str, digits: int = 0, scale: float = 1) -> Comparison:
        def shown(variant: str) -> str:
            return f"{median(results.values('runs', metric, **case(1, variant))) / scale:,.{digits}f}"

        return Comparison(what, shown(WAYBILL), f"{shown(THROUGHPUT)} (defaults: {shown(DEFAULTS)})")

    return [line("Draining a backlog, thousand changes/s", "changes_per_s", 0, 1000),
            line("… CPU µs per change", "cpu_us", 1),
            line("… memory, MB", "memory_mb")]
