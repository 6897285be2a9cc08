"""The consumer of the demo: reads the topics live, gives everything to the checker, and keeps what is worth showing."""

import collections
import dataclasses
import json
import time

from rig import decoding
from rig.checker import Checker, Report, Table
from rig.consumer import Record, TopicReader

@dataclasses.dataclass(slots=True)
class Event:
    """A record in the words of its envelope."""

    record: Record
    body: dict
    latency_ms: float
    table: Table

    @property
    def op(self) -> str:
        return self.body["op"]

    @property
    def position(self) -> str:
        """csn and index: what tells changes apart within this source."""
        return "/".join(self.record.header("waybill.position").split("/")[2:])

    def summary(self) -> str:
        """What the change did, in a line: an update shows what differs, the others their row."""
        before, after = self.body["before"], self.body["after"]
        if self.op == "u":
            return ", ".join(f"{name} {self._short(name, before.get(name))} → {self._short(name, value)}"
                             for name, value in after.items() if before.get(name) != value)
        if self.op == "t":
            return "the table was emptied"
        return ", ".join(f"{name} {self._short(name, value)}" for name, value in (after or before).items()
                         if name not in self.table.key)

    def _short(self, name: str, value) -> str:
        # Debezium writes a numeric as the base64 of its digits; people read numbers.
        if value is not None and self.table.columns[name].name == "numeric":
            value = str(decoding.from_json(self.table.columns[name], value))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 32 else text[:31] + "…"


class Feed:
    def __init__(self, reader: TopicReader, prefix: str, tables: list[Table]):
        self.tables = tables
        self._reader = reader
        self._checker = Checker(prefix, tables, reader.partition_counts())
        self._table_of = {f"{prefix}.{table.name}": table for table in tables}
        self._shown: collections.Counter = collections.Counter()
        self._candidates: dict[tuple, Event] = {}
        self.latencies_ms: list[float] = []
        self._measuring = False

    @property
    def report(self) -> Report:
        return self._checker.report

    def poll(self, timeout_s: float) -> int:
        """Takes what has arrived and returns how many records that were."""
        records = self._reader.poll(timeout_s)
        now = time.time()
        for record in records:
            self._take(record, now)
        return len(records)

    def drain(self) -> None:
        """Takes what is left up to the topics' ends."""
        for record in self._reader.to_end():
            self._take(record, time.time())

    def _take(self, record: Record, now: float) -> None:
        self._checker.feed(record)
        if record.value is None:
            return
        body = json.loads(record.value)
        latency_ms = now * 1000 - body["source"]["ts_us"] / 1000
        if not self._measuring:
            return
        self.latencies_ms.append(latency_ms)
        table = self._table_of[record.topic]
        self._candidates[table.name, body["op"]] = Event(record, body, latency_ms, table)

    def start_measuring(self) -> None:
        """Until now came what was written before anybody looked."""
        self._measuring = True

    def pick(self, kind: tuple[str, str] | None = None) -> Event | None:
        """A recent change of the kind (table, op), or of the one that was shown least; each is returned once."""
        if kind is None:
            kind = min(self._candidates, key=lambda kind: self._shown[kind], default=None)
        if kind not in self._candidates:
            return None
        self._shown[kind] += 1
        return self._candidates.pop(kind)

    def compare(self, tables: list[Table], ledger: dict[int, int]) -> None:
        """Everything that came through against the tables as they are now; raises checker.Broken."""
        for table, now in zip(self.tables, tables):
            table.rows = now.rows
        self._checker.finish(ledger)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
