"""waybill's main job in half a minute; scripts/demo.sh runs this."""

import argparse
import contextlib
import json
import os
import signal
import sys
import time

import psycopg2
from confluent_kafka import KafkaException

from rig import checker, kafka, processes
from rig.consumer import TopicReader
from rig.mock_broker import MockBroker
from rig.postgres import Installation, Server
from rig.processes import ROOT, wait_until
from rig.shipper import PROGRAM, Shipper

import shop
from feed import Event, Feed, quantile
from screen import Screen
from shop import Shop

PREFIX = "shop"
TRANSACTIONS_PER_SECOND = 300

CONFIGURATION = """\
[database]
conninfo = "host=127.0.0.1 port={port} dbname={database} user={role} password={password}"
[stream]
prefix = "{prefix}"          # topics: {prefix}.public.orders, …
[topics]
partitions = 4
[kafka]
"bootstrap.servers" = "{bootstrap}"
"""


class Demo:
    """One run. What it starts is in `stack`, so that whatever happens it ends in the reverse order."""

    def __init__(self, options: argparse.Namespace, stack: contextlib.ExitStack):
        self._options = options
        self._stack = stack
        self._screen = Screen()
        self._shipper: Shipper | None = None
        self._begin = time.monotonic()
        self._times: list[tuple[str, float]] = [("build", options.built_in)]
        self._counted: tuple[float, int] = (time.monotonic(), 0)

    def run(self) -> bool:
        """Returns whether the topics equal the tables."""
        self._set_up()
        self._introduce()
        feed = self._open_feed()
        self._watch(feed)
        return self._finish(feed)

    def _step(self, name: str) -> None:
        """Says what the time since the last step went into."""
        spent = sum(seconds for _, seconds in self._times[1:])
        self._times.append((name, time.monotonic() - self._begin - spent))

    def shipper_log(self) -> str:
        """Empty when it did not come that far."""
        return self._shipper.stderr() if self._shipper is not None else ""

    # ---- before

    def _set_up(self) -> None:
        enter = self._stack.enter_context
        self._screen.heading("waybill: every committed row change of a PostgreSQL database, in Kafka, in commit order")
        self._screen.line()
        self._screen.line("starting a private PostgreSQL and a broker ...")
        self._server = enter(Server(enter(Installation())))
        self._broker = enter(kafka.Broker() if self._options.kafka else MockBroker())
        self._shop = enter(Shop(self._server))
        self._shop.create()
        self._shipper = enter(Shipper(CONFIGURATION.format(
            port=self._server.port, database=shop.DATABASE, role=shop.ROLE, password=shop.PASSWORD, prefix=PREFIX,
            bootstrap=self._broker.bootstrap)))
        self._connection = enter(self._shop.connect())

    def _introduce(self) -> None:
        line, bold = self._screen.line, lambda text: self._screen.style("bold", text)
        version = self._query("SHOW server_version")[0][0].split()[0]
        kind = "Apache Kafka" if self._options.kafka else "embedded broker (librdkafka's mock cluster)"
        line(f"  PostgreSQL {version} with the extension, database \"{shop.DATABASE}\": {len(shop.TABLES)} tables, one "
             "partitioned, one without a key")
        line(f"  {kind} at {self._broker.bootstrap}")
        line(f"  {PROGRAM.relative_to(ROOT)} run --config {self._shipper.file}")
        for text in self._shipper.file.read_text().splitlines():
            line("    " + self._screen.style("dim", text))
        line("  to look inside while it runs, in another terminal:")
        line("    " + bold(f'psql "{self._server.conninfo(shop.DATABASE)}"'))

    def _open_feed(self) -> Feed:
        """Waits until the catalogue, which was written before the shipper started, has made the topics."""
        topics = [f"{PREFIX}.{table}" for table in shop.TABLES]
        wait_until(lambda: self._acknowledged() >= self._safe_csn(), 60, "the shipper ships the catalogue", 0.05)
        reader = self._stack.enter_context(TopicReader(self._broker.bootstrap, topics, properties={
            # The embedded broker looks for new records only when an empty fetch has waited for so long.
            "fetch.wait.max.ms": 10 if self._options.kafka else 2}))
        feed = Feed(reader, PREFIX, self._shop.tables())
        feed.drain()
        self._step("start")
        return feed

    # ---- during

    def _watch(self, feed: Feed) -> None:
        seconds, screen = self._options.seconds, self._screen
        self._shop.open(seconds, TRANSACTIONS_PER_SECOND)
        feed.start_measuring()
        screen.heading(f"{seconds} s of a working shop, and some of what a consumer of the topics reads meanwhile:")
        screen.line(screen.style("dim", screen.fit(
            f"{'csn/index':>10}  {'late':>7}  {'topic[partition]':<30}  {'key':<32}  op  change")))
        begin = time.monotonic()
        self._counted = begin, self._written()
        next_line, next_status = begin + 0.5, begin + 1
        archived = dissected = explained = False
        while self._shop.is_open:
            feed.poll(0.02)
            now = time.monotonic()
            self._check_shipper()
            if now >= next_line:
                next_line = now + (0.4 if screen.live else 1)
                if (event := feed.pick()) is not None:
                    self._show(event)
            if now >= next_status:
                next_status = now + (1 if screen.live else 5)
                screen.status(self._status(now - begin, feed))
            if not dissected and now >= begin + seconds * 0.3:
                dissected = self._dissect(feed)
            if not archived and now >= begin + seconds * 0.5:
                archived = True
                self._shop.archive_movements()
            if not explained and now >= begin + seconds * 0.6:
                explained = True
                self._explain()
        screen.end_status()
        self._step("workload")

    def _show(self, event: Event) -> None:
        record, screen = event.record, self._screen
        topic = f"{record.topic}[{record.partition}]"
        key = "no key" if record.key is None else record.key.decode()
        text = screen.fit(f"{event.position:>10}  {event.latency_ms:4.1f} ms  {topic:<30}  {key:<32}  {event.op:<2}  "
                          f"{event.summary()}")
        screen.line(screen.style(event.op, text))

    def _dissect(self, feed: Feed) -> bool:
        """One record as it is on the wire."""
        event = feed.pick(("public.orders", "u"))
        if event is None:
            return False
        line, record = self._screen.line, event.record
        line()
        line(f"   one record in full: topic {record.topic}, partition {record.partition}, offset {record.offset}")
        for name, text in (("key", record.key.decode()), ("value", record.value.decode()),
                           *((f"header {name}", value.decode()) for name, value in record.headers)):
            line(self._screen.style("dim", f"   {name:<23} {text}"))
        line()
        return True

    def _status(self, elapsed_s: float, feed: Feed) -> str:
        now, written = time.monotonic(), self._written()
        rate = (written - self._counted[1]) / max(now - self._counted[0], 0.001)
        self._counted = now, written
        (backlog, log_bytes), = self._query("SELECT backlog_changes, log_bytes FROM waybill.status")
        recent = feed.latencies_ms[-2000:]
        return (f"-- {elapsed_s:3.0f} s   written {written:,} ({rate:,.0f}/s)   delivered {feed.report.changes:,}   "
                f"backlog {backlog:,}, log {log_bytes / 2**20:.1f} MB   late: median {quantile(recent, 0.5):.1f}, "
                f"p99 {quantile(recent, 0.99):.1f} ms")

    def _explain(self) -> None:
        """A transaction in the log, the way anybody can look at it."""
        line, dim = self._screen.line, lambda text: self._screen.style("dim", self._screen.fit(text))
        rows = self._query("""
            SELECT csn, index, "table", op, key, coalesce(after, before), context FROM waybill.changes
            WHERE csn = (SELECT max(csn) FROM waybill_internal.change_log WHERE changes >= 4) ORDER BY index LIMIT 6""")
        line()
        line("   and from inside the database, one transaction in the log:  SELECT * FROM waybill.changes;")
        for csn, index, table, op, key, row, context in rows:
            line(dim(f"   csn {csn} index {index}  {table} {op} key {json.dumps(key)} row {json.dumps(row)}"))
        if rows:
            line(dim(f"   context {rows[0][-1]}"))
        line()

    def _check_shipper(self) -> None:
        if not self._shipper.running:
            raise RuntimeError(f"the shipper ended with exit code {self._shipper.returncode}")

    # ---- after

    def _finish(self, feed: Feed) -> bool:
        target = self._safe_csn()
        deadline = time.monotonic() + 60
        # The embedded broker keeps only so much: the consumer goes on reading.
        while self._acknowledged() < target and time.monotonic() < deadline:
            feed.poll(0.05)
            self._check_shipper()
        feed.drain()
        self._step("drain")
        code = self._shipper.stop()
        ledger, tables = self._shop.ledger(), self._shop.tables()
        broken = None
        try:
            feed.compare(tables, ledger)
        except checker.Broken as reason:
            broken = reason
        self._step("compare")
        self._summarise(feed, ledger, tables, broken)
        if code != 0:
            self._screen.line(f"the shipper did not end well, exit code {code}:\n{self.shipper_log()}")
        return broken is None and code == 0

    def _summarise(self, feed: Feed, ledger: dict, tables: list, broken: checker.Broken | None) -> None:
        line, report = self._screen.line, feed.report
        written = sum(ledger.values())
        rows = sum(len(table.rows) for table in tables)
        equal = f"yes (row by row: {rows:,} rows in {len(tables)} tables)" if broken is None else "NO"
        self._screen.heading("Summary")
        line(f"  written     {written:,} changes in {len(ledger):,} transactions; {self._shop.rolled_back():,} more "
             "were rolled back")
        line(f"  delivered   {report.changes:,} changes as {report.records:,} records (a delete sends a tombstone too)")
        line(f"  duplicates  {report.replayed:,}")
        note = "; the broker's JVM has only just started" if self._options.kafka else ""
        line(f"  latency     commit → consumer: median {quantile(feed.latencies_ms, 0.5):.1f} ms, "
             f"p99 {quantile(feed.latencies_ms, 0.99):.1f} ms{note}")
        line(f"  topic content equals tables: {equal}")
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self._times)
        line(f"  time        {steps}: {sum(seconds for _, seconds in self._times):.1f} s in all")
        if broken is not None:
            line()
            line(str(broken))
            line(f"the shipper's log:\n{self.shipper_log()}")
            return
        self._screen.heading("What happened")
        for text in (
                "Triggers wrote each change into waybill's log inside the transaction that made it, so what was rolled",
                "back, whole or to a savepoint, left nothing. The shipper read the log in commit order, sent it to the",
                "broker, and let the log forget only what the broker had acknowledged. The consumer folded the topics",
                "by key; the result was compared with the tables, column by column. Server, broker and files of this",
                "run are removed now."):
            line("  " + text)
        self._screen.heading("Try next")
        if not self._options.kafka:
            line("  scripts/demo.sh --kafka          the same with an Apache Kafka")
        line("  scripts/demo.sh --seconds 600    time to look around: the psql line above, then")
        line("                                   SELECT * FROM waybill.changes ORDER BY csn DESC LIMIT 10;")
        line("                                   SELECT * FROM waybill.status;")
        line("  README.md                        install it on a server of yours")

    # ---- the database

    def _query(self, statement: str, arguments=None) -> list[tuple]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchall()

    def _written(self) -> int:
        return self._query("SELECT coalesce(sum(changes), 0)::bigint FROM audit.written")[0][0]

    def _safe_csn(self) -> int:
        return self._query("SELECT waybill.safe_csn()")[0][0]

    def _acknowledged(self) -> int:
        self._check_shipper()
        return self._query("SELECT waybill.acknowledged('default')")[0][0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.sh")
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--built-in", type=float, required=True, help="seconds that building took")
    options = parser.parse_args()
    processes.exit_on_signals()
    stack = contextlib.ExitStack()
    demo = Demo(options, stack)
    try:
        return 0 if demo.run() else 1
    except KeyboardInterrupt:
        print("\ndemo.sh: interrupted; everything it started is being removed", file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads us any more, for instance in a pipe to head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (RuntimeError, AssertionError, OSError, psycopg2.Error, KafkaException) as reason:
        print(f"\n{demo.shipper_log()}\ndemo.sh: {reason}", file=sys.stderr)
        return 1
    finally:
        # A second Ctrl-C must not leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stack.close()


sys.exit(main())
