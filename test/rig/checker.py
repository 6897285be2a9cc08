"""Judges what came through by the topics and the tables alone, and knows nothing of how it came there.

What it proves of each partition, record by record:

  * positions grow strictly, but for replays: a replay begins with a transaction that was seen before and repeats what
    followed, in the same order, byte for byte but for the wall clock of sending, without leaving anything out. Only
    behind the last repeated record something new may come.
  * a delete of a row with a key is followed by its tombstone, a changed key by the row's creation under the new one.

Of all topics together:

  * a csn is one transaction and a transaction one csn, so that growing positions keep a transaction in one piece;
    the indexes of its changes are 0, 1, 2, …
  * each change continues from what the row was: `before` is the whole row as the last change left it, `version` grows by
    one with each update. A lost, doubled or misplaced change in the middle breaks this chain.
  * the topic folded by key (as a multiset for a table without a key) is the table, row for row, all columns.
  * the ledger: every transaction that committed has as many changes as it said, none other appears.

DDL changes rows without a change: a column that came, went, was renamed or rewritten while changes were made is left out
where `before` is compared with what the row was. At the end all columns count, so each row must have been changed since.
"""

import collections
import contextlib
import dataclasses
import heapq
import json
import re
from collections.abc import Iterable

import psycopg2.extensions

from . import decoding
from .consumer import Record, TopicReader
from .decoding import Type
from .postgres import Server

_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 2000
_SENT_AT = re.compile(rb',"ts_ms":\d+,"ts_us":\d+,"ts_ns":\d+\}(\}?)$')


class Broken(AssertionError):
    """A promise is broken."""


@dataclasses.dataclass
class Table:
    """A table's columns and rows; rows are in the text PostgreSQL gives under decoding.SESSION."""

    name: str  # schema.table
    columns: dict[str, Type]
    key: list[str]
    rows: list[tuple]
    other_names: tuple[str, ...] = ()           # that it had while changes were made: its topics in any order
    altered: frozenset[str] = frozenset()       # columns that DDL touched meanwhile, by all their names


@dataclasses.dataclass
class Report:
    records: int = 0       # all that were in the topics
    replayed: int = 0      # of them, those that were there before
    changes: int = 0       # different changes
    replays: int = 0       # how often the stream went back
    transactions: int = 0  # different transactions


@dataclasses.dataclass(slots=True)
class _Step:
    """One record that was seen, in short: what is needed to recognise it."""

    place: tuple  # timeline, csn, index, rank of the record in its change
    digest: int


@dataclasses.dataclass
class _Fold:
    """What the changes have made of a table so far."""

    table: Table
    rows: dict[tuple, dict] = dataclasses.field(default_factory=dict)       # of a table with a key
    bag: dict[str, list[dict]] = dataclasses.field(default_factory=dict)    # without: equal rows, but for altered columns
    moving: tuple | None = None                                             # a row between its two keys

    def comparable(self, row: dict) -> dict:
        return {name: value for name, value in row.items() if name not in self.table.altered} if self.table.altered else row

    def clear(self) -> None:
        self.rows.clear()
        self.bag.clear()

    def all_rows(self) -> list[dict]:
        return list(self.rows.values()) if self.table.key else [row for rows in self.bag.values() for row in rows]


class _Partition:
    """The order in one partition: tells what is new from what is repeated."""

    def __init__(self, name: str, single: bool, report: Report, problem):
        self.name = name
        self._single = single  # the topic has no other partition: both halves of a key change come here
        self._report = report
        self._problem = problem
        self._steps: list[_Step] = []
        self._index: dict[tuple, int] = {}
        self._cursor = 0  # where a replay stands; at the end of _steps there is none
        self._expects_tombstone = False

    def accept(self, offset: int, place: tuple, digest: int, expects_tombstone: bool) -> bool:
        """Whether the record is new."""
        steps, cursor = self._steps, self._cursor
        if cursor < len(steps) and steps[cursor].place == place:
            self._compare(steps[cursor], place, digest, offset)
            self._cursor += 1
            self._report.replayed += 1
            return False
        seen = self._index.get(place)
        if seen is not None:
            if seen > cursor:
                self._problem(f"{self.name} offset {offset}: a replay goes from {steps[cursor].place} to {place} and "
                              f"leaves out {seen - cursor} records")
            elif seen > 0 and steps[seen - 1].place[:2] == place[:2]:
                self._problem(f"{self.name} offset {offset}: {place} again, in the middle of its transaction")
            self._compare(steps[seen], place, digest, offset)
            self._cursor = seen + 1
            self._report.replayed += 1
            self._report.replays += 1
            return False
        if cursor < len(steps):
            self._problem(f"{self.name} offset {offset}: {place} is new, but the replay before it ended before "
                          f"{steps[cursor].place}: {len(steps) - cursor} records were not repeated")
        elif steps:
            last = steps[-1].place
            if place <= last:
                self._problem(f"{self.name} offset {offset}: {place} comes after {last}")
            same_change = place[:3] == last[:3]
            if self._expects_tombstone and not (same_change and place[3] == 1):
                self._problem(f"{self.name} offset {offset}: no tombstone behind the delete at {last}")
            if self._single and place[3] > 0 and not (same_change and place[3] == last[3] + 1):
                self._problem(f"{self.name} offset {offset}: {place} does not follow the delete it belongs to")
        self._index[place] = len(steps)
        steps.append(_Step(place, digest))
        self._cursor = len(steps)
        self._expects_tombstone = expects_tombstone
        return True

    def finish(self) -> None:
        if self._cursor < len(self._steps):
            self._problem(f"{self.name}: ends in a replay, {len(self._steps) - self._cursor} records before its end")
        if self._expects_tombstone:
            self._problem(f"{self.name}: no tombstone behind the delete at {self._steps[-1].place}")

    def _compare(self, step: _Step, place: tuple, digest: int, offset: int) -> None:
        if step.digest != digest:
            self._problem(f"{self.name} offset {offset}: {place} was sent again with other content")


class Checker:
    """feed() all records of all topics, each partition in its order and the topics of one table in theirs; then finish()."""

    def __init__(self, prefix: str, tables: Iterable[Table], partitions: dict[str, int] | None = None,
                 whole_transactions: bool = True, version: str = "version"):
        """`partitions`: of each topic that has more than one. `whole_transactions`: every table a transaction may have
        changed is among `tables`, so that no index may be missing."""
        self.report = Report()
        self._problems: list[str] = []
        self._problem_count = 0
        self._prefix = prefix
        self._folds: dict[str, _Fold] = {}
        for table in tables:
            fold = _Fold(table)
            for name in (table.name, *table.other_names):
                self._folds[f"{prefix}.{name}"] = fold
        self._partition_count = partitions or {}
        self._whole_transactions = whole_transactions
        self._version = version
        self._partitions: dict[tuple, _Partition] = {}
        self._xid_of: dict[tuple, int] = {}
        self._csn_of: dict[int, tuple] = {}
        self._indexes: dict[tuple, list[int]] = {}  # csn: number of changes, highest index
        self._source_ids: set[str] = set()

    def _problem(self, text: str) -> None:
        self._problem_count += 1
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(text if len(text) <= _LONGEST_PROBLEM else text[:_LONGEST_PROBLEM] + " …")

    # ---- records

    def feed(self, record: Record) -> None:
        self.report.records += 1
        where = f"{record.topic}[{record.partition}] offset {record.offset}"
        context = record.header("waybill.context")
        if context is not None:
            where += f" of {context}"
        if record.topic not in self._folds:
            self._problem(f"{where}: a topic of no table that is checked")
            return
        header = record.header("waybill.position")
        match = re.fullmatch(r"([^/]+)/(\d+)/(\d+)/(\d+)", header or "")
        if match is None:
            self._problem(f"{where}: position is {header!r}")
            return
        self._source_ids.add(match[1])
        position = int(match[2]), int(match[3]), int(match[4])
        event = None
        if record.value is not None:
            event = json.loads(record.value)
            event = event.get("payload", event)
        if event is None:
            rank = 1
        else:
            rank = 2 if record.header("__debezium.oldkey") is not None else 0
        value = None if record.value is None else _SENT_AT.sub(rb"\1", record.value)
        name = record.topic, record.partition
        partition = self._partitions.get(name)
        if partition is None:
            single = self._partition_count.get(record.topic, 1) == 1
            partition = self._partitions[name] = _Partition(f"{record.topic}[{record.partition}]", single, self.report,
                                                            self._problem)
        expects_tombstone = event is not None and event["op"] == "d" and record.key is not None
        if partition.accept(record.offset, (*position, rank), hash((record.key, value, record.headers)),
                            expects_tombstone):
            if event is not None:
                self._transaction(where, position, rank, event)
                self._apply(where, record, position, event)

    def _transaction(self, where: str, position: tuple, rank: int, event: dict) -> None:
        timeline, number, index = position
        csn, xid = (timeline, number), event["source"]["txId"]
        if event["source"]["lsn"] != number:
            self._problem(f"{where}: csn {number} with lsn {event['source']['lsn']}")
        if self._xid_of.setdefault(csn, xid) != xid:
            self._problem(f"{where}: csn {csn} has changes of transactions {self._xid_of[csn]} and {xid}")
        if self._csn_of.setdefault(xid, csn) != csn:
            self._problem(f"{where}: transaction {xid} is at csn {self._csn_of[xid]} and at {csn}")
        if rank == 0:
            self.report.changes += 1
            indexes = self._indexes.setdefault(csn, [0, 0])
            indexes[0] += 1
            indexes[1] = max(indexes[1], index)

    # ---- rows

    def _apply(self, where: str, record: Record, position: tuple, event: dict) -> None:
        topic, fold = record.topic, self._folds[record.topic]
        table, rows = fold.table, fold.rows
        op, before, after = event["op"], event["before"], event["after"]
        if op == "t":
            fold.clear()
            return
        if (before is None) != (op == "c") or (after is None) != (op == "d"):
            self._problem(f"{where}: op {op} with before {before} and after {after}")
            return
        if not table.key:
            self._apply_keyless(where, fold, record, before, after)
            return
        if record.key is None:
            self._problem(f"{where}: a change without a key")
            return
        key = json.loads(record.key)
        key = tuple(key.get("payload", key).items())
        row = after if after is not None else before
        if key != tuple((name, row[name]) for name in table.key):
            self._problem(f"{where}: key {key} on row {row}")
        last = rows.get(key)
        if op == "c":
            moved = record.header("__debezium.oldkey") is not None
            if last is not None:
                self._problem(f"{where}: {key} is created, but it is there: {last}")
            moving = fold.moving
            base = 0
            if moved and moving is not None and moving[0] == position:
                base = moving[1].get(self._version, 0)
            elif moved and self._partition_count.get(topic, 1) == 1:
                self._problem(f"{where}: {key} is created under a new key, but no row was moved")
            if self._version in row and not (moved and base == 0) and row[self._version] != base + 1:
                self._problem(f"{where}: {key} is created with version {row[self._version]} instead of {base + 1}")
        elif last is None:
            self._problem(f"{where}: op {op} on {key}, which is not there")
        elif fold.comparable(before) != fold.comparable(last):
            self._problem(f"{where}: op {op} on {key} was made on {before}, but the row was left as {last}")
        if op == "u" and self._version in row and after[self._version] != before[self._version] + 1:
            self._problem(f"{where}: {key} goes from version {before[self._version]} to {after[self._version]}")
        if op == "d":
            rows.pop(key, None)
            fold.moving = position, before
        else:
            rows[key] = after

    def _apply_keyless(self, where: str, fold: _Fold, record: Record, before, after) -> None:
        if record.key is not None:
            self._problem(f"{where}: key {record.key} in a table without one")
        bag = fold.bag
        if before is not None:
            old = json.dumps(fold.comparable(before), sort_keys=True)
            rows = bag.get(old)
            if not rows:
                self._problem(f"{where}: {before} is removed, but it is not there")
            else:
                rows.pop(rows.index(before) if fold.table.altered and before in rows else -1)
                if not rows:
                    del bag[old]
        if after is not None:
            bag.setdefault(json.dumps(fold.comparable(after), sort_keys=True), []).append(after)

    # ---- the end

    def finish(self, ledger: dict[int, int] | None = None) -> Report:
        """Compares with the tables, and with the ledger (xid: changes) if there is one. Raises Broken."""
        for partition in self._partitions.values():
            partition.finish()
        if len(self._source_ids) > 1:
            self._problem(f"positions of several sources: {sorted(self._source_ids)}")
        self.report.transactions = len(self._xid_of)
        if self._whole_transactions:
            for csn, (number, highest) in self._indexes.items():
                if number != highest + 1:
                    self._problem(f"csn {csn}: {number} changes, but the highest index is {highest}")
        for topic, fold in self._folds.items():
            if topic == f"{self._prefix}.{fold.table.name}":
                self._compare_rows(topic, fold)
        if ledger is not None:
            self._compare_ledger(ledger)
        if self._problem_count:
            more = self._problem_count - len(self._problems)
            raise Broken("\n".join([f"{self._problem_count} problems; {self.report}", *self._problems] +
                                   ([f"… and {more} more"] if more else [])))
        return self.report

    def _compare_rows(self, topic: str, fold: _Fold) -> None:
        columns = fold.table.columns

        def of_topic(row: dict) -> tuple:
            if set(row) != set(columns):
                self._problem(f"{topic}: fields {sorted(row)} instead of {sorted(columns)}")
                return tuple((name, repr(value)) for name, value in row.items())
            return tuple((name, canonical(type_, row[name])) for name, type_ in columns.items())

        def canonical(type_: Type, value) -> str:
            try:
                return repr(_plain(decoding.from_json(type_, value)))
            except Exception as reason:  # whatever the topic holds must become a finding, not end the checker
                return f"{value!r} is no {type_.name}: {reason!r}"

        def of_table(row: tuple) -> tuple:
            return tuple((name, repr(_plain(decoding.from_text(type_, value))))
                         for (name, type_), value in zip(columns.items(), row))

        expected = collections.Counter(of_table(row) for row in fold.table.rows)
        found = collections.Counter(of_topic(row) for row in fold.all_rows())
        missing, surplus = list(expected - found), list(found - expected)
        for row in missing:
            self._problem(f"{topic}: a row of the table is not in the topic: {dict(row)}")
        for row in surplus:
            # Usually it is one that differs in little: that little is what one wants to see.
            nearest = max(missing, key=lambda other: len(set(row) & set(other)), default=row)
            differences = {name: (value, dict(nearest).get(name)) for name, value in row
                           if value != dict(nearest).get(name)}
            self._problem(f"{topic}: a row of the topic is not in the table: {differences or dict(row)}")

    def _compare_ledger(self, ledger: dict[int, int]) -> None:
        for xid, changes in ledger.items():
            csn = self._csn_of.get(xid)
            found = self._indexes[csn][0] if csn in self._indexes else 0
            if found != changes:
                self._problem(f"transaction {xid} committed {changes} changes, the topics have {found}")
        for xid in self._csn_of.keys() - ledger.keys():
            self._problem(f"transaction {xid} is in the topics, but it never committed")


def _plain(value):
    """Numbers that are equal print the same."""
    if hasattr(value, "normalize"):
        value = value.normalize()
        return value + 0 if value == 0 else value
    return [_plain(item) for item in value] if isinstance(value, list) else value


# ---- reading tables

_COLUMNS = """
WITH RECURSIVE resolved AS (
    SELECT a.attnum, a.attname::text, a.atttypid AS type, a.atttypmod AS typmod
    FROM pg_attribute a
    WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v' -- virtual: not published
  UNION ALL
    SELECT r.attnum, r.attname, t.typbasetype, CASE WHEN r.typmod = -1 THEN t.typtypmod ELSE r.typmod END
    FROM resolved r JOIN pg_type t ON t.oid = r.type WHERE t.typtype = 'd')
SELECT r.attname, t.typname::text, r.typmod, t.typtype::text, e.typname::text, e.typtype::text
FROM resolved r JOIN pg_type t ON t.oid = r.type
LEFT JOIN pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
WHERE t.typtype <> 'd' ORDER BY r.attnum
"""

_KEY = """
SELECT a.attname::text FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %(table)s::regclass AND i.indisprimary ORDER BY k.place
"""


def read_table(server: Server, dbname: str, name: str, key: list[str] | None = None) -> Table:
    """`key`: what capture was told to use instead of the primary key."""
    with contextlib.closing(server.connect(dbname)) as connection, connection.cursor() as cursor:
        return read_table_by(cursor, name, key)


def read_table_by(cursor: psycopg2.extensions.cursor, name: str, key: list[str] | None = None) -> Table:
    """Leaves decoding.SESSION's settings, and a cursor that has no other use."""
    cursor.execute(decoding.SESSION)
    cursor.execute(_COLUMNS, {"table": name})
    columns = {}
    for column, type_name, typmod, kind, element, element_kind in cursor.fetchall():
        # An array carries its elements' modifier.
        element_type = Type(element, typmod, element_kind) if element else None
        columns[column] = Type(type_name, typmod, kind, element_type)
    if key is None:
        cursor.execute(_KEY, {"table": name})
        key = [column for (column,) in cursor.fetchall()]
    # A table's heirs have topics of their own; a partitioned table has no rows of its own.
    cursor.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", (name,))
    rows_of = name if cursor.fetchone()[0] == "p" else f"ONLY {name}"
    query = "SELECT {} FROM {}".format(", ".join('"' + column.replace('"', '""') + '"' for column in columns), rows_of)
    # The values' own text, whatever Python type psycopg2 has for them.
    cursor.execute(f"{query} LIMIT 0")
    oids = tuple({column.type_code for column in cursor.description})
    psycopg2.extensions.register_type(
        psycopg2.extensions.new_type(oids, "TEXT", lambda text, _cursor: text), cursor)
    cursor.execute(query)
    return Table(name, columns, key, cursor.fetchall())


def read_ledger(server: Server, dbname: str) -> dict[int, int]:
    """What the workload's transactions said they did."""
    return dict(server.query(dbname, "SELECT xid, changes FROM work.ledger"))


def in_commit_order(records: Iterable[Record]) -> Iterable[Record]:
    """Merges partitions, each in its own order: what of several topics belongs together must be fed together."""
    partitions: dict[tuple, list[Record]] = {}
    for record in records:
        partitions.setdefault((record.topic, record.partition), []).append(record)

    def position(record: Record) -> list[int]:
        return [int(number) for number in re.findall(r"/(\d+)", record.header("waybill.position") or "")]

    return heapq.merge(*partitions.values(), key=position)


def check(server: Server, dbname: str, bootstrap: str, prefix: str, names: Iterable[str],
          ledger: bool = False, keys: dict[str, list[str]] | None = None, whole_transactions: bool = True) -> Report:
    """Reads the tables and their topics, which nobody may write to now, and judges."""
    names = list(names)
    tables = [read_table(server, dbname, name, (keys or {}).get(name)) for name in names]
    topics = [f"{prefix}.{name}" for name in names]
    with TopicReader(bootstrap, topics) as reader:
        checker = Checker(prefix, tables, reader.partition_counts(), whole_transactions)
        for record in reader.to_end():
            checker.feed(record)
    return checker.finish(read_ledger(server, dbname) if ledger else None)
