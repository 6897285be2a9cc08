"""Two topics of the same changes, Debezium's and ours, record by record.

Both are read whole. Records are told apart by table and partition and compared in their order: the key and the partition,
the headers, the schema, `before` and `after` byte for byte, the fields of `source` and `transaction`, the operation. What
differs is listed with its place, the column's type and what the database itself has: it is for the caller to say which
differences are meant.
"""

import collections
import dataclasses
import json
import re

from .consumer import Record


class Number(str):
    """A JSON number as it is written: 1.0 and 1 are two."""

    def __repr__(self):
        return str(self)


MISSING = object()
_ROWS_END = b',"source":{"version":'
_PAYLOAD = b',"payload":'
# Whose values are each program's own: positions, clocks, versions.
OWN_FIELDS = frozenset({"version", "lsn", "sequence", "ts_ms", "ts_us", "ts_ns", "id"})


@dataclasses.dataclass(slots=True)
class Event:
    """A record, parsed as far as everything needs."""

    record: Record
    payload: bytes | None          # None: a tombstone
    schema: bytes | None           # nothing without schemas
    op: str = ""                   # c, u, d, t; of a tombstone empty
    table: str = ""
    xid: int = 0
    order: tuple = ()              # where the program itself says that it stands

    @property
    def tombstone(self) -> bool:
        return self.payload is None


@dataclasses.dataclass
class Difference:
    table: str
    place: str        # key, header, schema, before, after, source, transaction, records, order
    column: str       # or the field
    type: str         # of the column, as format_type() prints it
    debezium: object  # MISSING: it has none
    waybill: object
    database: str | None = None  # the value's text, null for none
    xid: int = 0
    counted_otherwise: bool = False  # in a transaction of which there are other events

    def __str__(self):
        def shown(value) -> str:
            text = "nothing" if value is MISSING else value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
            return text if len(text) < 200 else f"{text[:200]}…"
        name = f"{self.table}.{self.column}" if self.column else self.table
        kind = f" ({self.type})" if self.type else ""
        has = "" if self.database is None else f"; the database has {self.database[:200]!r}"
        return f"{self.place} of {name}{kind}: Debezium {shown(self.debezium)}, waybill {shown(self.waybill)}{has}"


def parse(text: bytes):
    return json.loads(text, parse_int=Number, parse_float=Number)


def event_of(record: Record, table: str) -> Event:
    schema, payload = None, record.value
    if payload.startswith(b'{"schema":'):
        at = payload.index(_PAYLOAD + b'{"before":')
        schema, payload = payload[len(b'{"schema":'):at], payload[at + len(_PAYLOAD):-1]
    tail = json.loads(b"{" + payload[payload.rindex(_ROWS_END) + 1:] + b"}" * (payload[-1:] != b"}"))
    source = tail["source"]
    # Behind each other in a transaction, and the create of a changed key behind the delete of the old one.
    order = (source["lsn"], int(json.loads(source["sequence"])[1]), record.header("__debezium.oldkey") is not None)
    return Event(record, payload, schema, tail["op"], table, source["txId"], order)


def in_order(records: list[Record], table: str) -> tuple[list[Event], int]:
    """Of all partitions, in the order of the log; and how many tombstones have no key, which are left out."""
    events: list[Event] = []
    last: dict[int, Event] = {}
    keyless = 0
    for record in records:
        if record.value is not None:
            event = event_of(record, table)
            before = last.get(record.partition)
            if event.record.key is not None and before is not None and before.order > event.order:
                raise AssertionError(f"{record.topic}, partition {record.partition}: offset {record.offset} is before the last")
        elif record.key is None:
            keyless += 1
            continue
        else:
            delete = last[record.partition]
            assert (delete.op, delete.record.key) == ("d", record.key), "a tombstone that follows no delete"
            event = Event(record, None, None, "", table, delete.xid, delete.order)
        last[record.partition] = event
        events.append(event)
    # Stable: a tombstone stays behind its delete.
    return sorted(events, key=lambda event: event.order), keyless


def rows_of(payload: bytes) -> bytes:
    """`before` and `after` as they are written."""
    return payload[:payload.rindex(_ROWS_END)]


class Comparison:
    """`types` has the declared type of each column by table; `database` what the database's own triggers noted of each
    transaction's changes to a table: (xid, table) → [(old row, new row)], values being texts."""

    def __init__(self, types: dict[str, dict[str, str]], database: dict[tuple[int, str], list[tuple]]):
        self.differences: list[Difference] = []
        self.records = self.values = 0
        self._types = types
        self._database = database
        self._schemas: set[tuple[bytes, bytes]] = set()
        self._noted: collections.Counter = collections.Counter()
        self._rows: tuple = (None, None)
        self._xid = 0
        self._miscounted: set[int] = set()

    def note(self, table: str, place: str, debezium, waybill, column: str = "", database: str | None = None) -> None:
        self.differences.append(Difference(table, place, column, self._types.get(table, {}).get(column, ""), debezium,
                                           waybill, database, self._xid))
        if place == "records":
            self._miscounted.add(self._xid)

    def finish(self) -> None:
        """When all tables are compared."""
        for difference in self.differences:
            difference.counted_otherwise = difference.xid in self._miscounted

    # ---- records

    def compare(self, table: str, debezium: list[Record], waybill: list[Record]) -> None:
        """All records of a table."""
        theirs, keyless = in_order(debezium, table)
        ours, none = in_order(waybill, table)
        self._xid = 0
        for count, *who in ((keyless, f"{keyless} tombstones without a key", MISSING), (none, MISSING, f"{none} of them")):
            if count:
                self.note(table, "records", *who)
        theirs, ours = collections.deque(theirs), collections.deque(ours)
        while theirs and ours:
            self._xid = ours[0].xid
            if self._is_move(theirs, ours):
                self._compare_move(theirs, ours)
            elif theirs[0].tombstone and not ours[0].tombstone:
                self.note(table, "records", f"a tombstone {theirs.popleft().record.key}", MISSING)
            elif ours[0].tombstone and not theirs[0].tombstone:
                self.note(table, "records", MISSING, f"a tombstone {ours.popleft().record.key}")
            elif ours[0].xid == theirs[0].xid and (theirs[0].op, ours[0].op) == ("u", "d"):
                # A changed key that only we have as one.
                self.note(table, "records", "u", "d and c of a changed key")
                theirs.popleft()
                while ours and ours[0].record.header("__debezium.oldkey") is None:
                    self._next_rows(ours.popleft())
                if ours:
                    ours.popleft()
            elif ours[0].xid == theirs[0].xid and (theirs[0].op, ours[0].op) == ("d", "u"):
                self.note(table, "records", "d and c of a changed key", "u")
                while theirs and theirs[0].record.header("__debezium.oldkey") is None:
                    theirs.popleft()
                if theirs:
                    theirs.popleft()
                self._next_rows(ours.popleft())
            else:
                self._compare(theirs.popleft(), ours.popleft())
        if theirs:
            self.note(table, "records", f"{len(theirs)} more, the first {theirs[0].op} of transaction {theirs[0].xid}", MISSING)
        if ours:
            self.note(table, "records", MISSING, f"{len(ours)} more, the first {ours[0].op} of transaction {ours[0].xid}")

    @staticmethod
    def _is_move(theirs, ours) -> bool:
        return (ours[0].op == "u" and theirs[0].op == "d" and ours[0].xid == theirs[0].xid
                and theirs[0].record.header("__debezium.newkey") is None)

    def _compare_move(self, theirs, ours) -> None:
        """A row that an update moved to another partition: a delete and a create there, an update here."""
        update, delete = ours.popleft(), theirs.popleft()
        while theirs and theirs[0].tombstone:
            theirs.popleft()
        create = theirs.popleft()
        self.note(update.table, "records", "d and c of a row that changed its partition", "u")
        if create.op != "c":
            self.note(update.table, "records", create.op, "u")
        old, new = parse(delete.payload), parse(create.payload)
        both = parse(update.payload)
        self._next_rows(update), self._next_rows(create)  # the database, too, has two changes
        for name, one, row in (("before", old["before"], both["before"]), ("after", new["after"], both["after"])):
            if one != row:
                self._compare_row(update.table, name, one, row, {})

    def _next_rows(self, event: Event) -> tuple:
        """What the database noted of the event; a changed key is two events of one change."""
        noted = self._database.get((event.xid, event.table), [])
        place = self._noted[event.xid, event.table]
        if event.record.header("__debezium.oldkey") is None:
            place += 1
            self._noted[event.xid, event.table] = place
        return noted[place - 1] if 0 < place <= len(noted) else (None, None)

    def _compare(self, theirs: Event, ours: Event) -> None:
        self.records += 1
        table = ours.table
        if ours.tombstone or theirs.tombstone:
            if ours.tombstone != theirs.tombstone:
                self.note(table, "records", "a tombstone" if theirs.tombstone else theirs.op,
                          "a tombstone" if ours.tombstone else ours.op)
                return
        elif (theirs.op, theirs.xid) != (ours.op, ours.xid):
            self.note(table, "records", f"{theirs.op} of transaction {theirs.xid}", f"{ours.op} of transaction {ours.xid}")
        if not ours.tombstone:
            old, new = self._rows = self._next_rows(ours)
        # With schemas the topics' prefix is part of the key.
        if ours.record.key is not None and not ours.tombstone and ours.schema is None and theirs.record.partition != ours.record.partition:
            self.note(table, "partition", theirs.record.partition, ours.record.partition)
        if theirs.record.key != ours.record.key:
            self._compare_keys(table, theirs.record.key, ours.record.key)
        self._compare_headers(theirs, ours)
        if ours.tombstone:
            return
        if (theirs.schema, ours.schema) not in self._schemas:
            self._schemas.add((theirs.schema, ours.schema))
            self._compare_schemas(table, theirs.schema, ours.schema)
        theirs_whole, ours_whole = rows_of(theirs.payload), rows_of(ours.payload)
        their_payload, our_payload = parse(theirs.payload), parse(ours.payload)
        if theirs_whole != ours_whole:
            self._compare_row(table, "before", their_payload["before"], our_payload["before"], old)
            self._compare_row(table, "after", their_payload["after"], our_payload["after"], new)
            if their_payload["before"] == our_payload["before"] and their_payload["after"] == our_payload["after"]:
                self.note(table, "bytes", theirs_whole.decode(), ours_whole.decode())
        for row in (our_payload["before"], our_payload["after"]):
            self.values += len(row or ())
        for block in ("source", "transaction"):
            self._compare_fields(table, block, their_payload[block], our_payload[block])
        if list(their_payload) != list(our_payload):
            self.note(table, "envelope", list(their_payload), list(our_payload))

    # ---- their parts

    def _compare_keys(self, table: str, theirs: bytes | None, ours: bytes | None) -> None:
        if theirs is None or ours is None:
            self.note(table, "key", theirs and theirs.decode(), ours and ours.decode())
            return
        theirs, ours = parse(theirs), parse(ours)
        if "schema" in ours:
            if theirs["schema"] != ours["schema"]:
                self._compare_fields_of_schema(table, "key's schema", theirs["schema"]["fields"], ours["schema"]["fields"])
            theirs, ours = theirs["payload"], ours["payload"]
        self._compare_row(table, "key", theirs, ours, self._rows[1] or self._rows[0])

    def _compare_headers(self, theirs: Event, ours: Event) -> None:
        mine = [(name, value) for name, value in ours.record.headers if not name.startswith("waybill.")]
        own = {"__debezium.context.runId", "__debezium.context.connectorName"}
        for (name, one), (our_name, other) in zip(theirs.record.headers, mine):
            if name != our_name:
                self.note(ours.table, "header", name, our_name)
            elif one != other and name not in own:
                self.note(ours.table, "header", one.decode(), other.decode(), name)
        if len(mine) != len(theirs.record.headers):
            self.note(ours.table, "header", [name for name, _ in theirs.record.headers], [name for name, _ in mine])

    def _compare_row(self, table: str, place: str, theirs: dict | None, ours: dict | None, database: dict | None) -> None:
        if theirs is None or ours is None:
            if theirs != ours:
                self.note(table, place, theirs, ours)
            return
        for column in [*ours, *(name for name in theirs if name not in ours)]:
            one, other = theirs.get(column, MISSING), ours.get(column, MISSING)
            # A number and a text that look the same are two.
            if one is other or json_text(one) == json_text(other):
                continue
            self.note(table, place, one, other, column, (database or {}).get(column))
        common = [name for name in theirs if name in ours]
        if common != [name for name in ours if name in theirs]:
            self.note(table, place, list(theirs), list(ours))

    def _compare_fields(self, table: str, block: str, theirs: dict | None, ours: dict | None) -> None:
        if theirs is None or ours is None:
            if theirs != ours:
                self.note(table, block, theirs, ours)
            return
        if list(theirs) != list(ours):
            self.note(table, block, list(theirs), list(ours))
        for name in ours:
            if name not in OWN_FIELDS and json_text(theirs.get(name, MISSING)) != json_text(ours[name]):
                self.note(table, block, theirs.get(name, MISSING), ours[name], name)

    def _compare_schemas(self, table: str, theirs: bytes | None, ours: bytes | None) -> None:
        if theirs == ours:
            return
        if theirs is None or ours is None:
            self.note(table, "schema", theirs and theirs.decode(), ours and ours.decode())
            return
        theirs, ours = parse(theirs), parse(ours)
        for their_field, our_field in zip(theirs["fields"], ours["fields"]):
            if our_field.get("field") in ("before", "after"):
                self._compare_fields_of_schema(table, "schema", their_field["fields"], our_field["fields"])
                their_field, our_field = their_field | {"fields": []}, our_field | {"fields": []}
            if json_text(their_field) != json_text(our_field):
                self.note(table, "schema", their_field, our_field, our_field.get("field", ""))
        rest = [{name: value for name, value in one.items() if name != "fields"} for one in (theirs, ours)]
        if json_text(rest[0]) != json_text(rest[1]):
            self.note(table, "schema", *rest)

    def _compare_fields_of_schema(self, table: str, place: str, theirs: list[dict], ours: list[dict]) -> None:
        by_name = [{field["field"]: field for field in fields} for fields in (theirs, ours)]
        for column in [*by_name[1], *(name for name in by_name[0] if name not in by_name[1])]:
            one, other = by_name[0].get(column, MISSING), by_name[1].get(column, MISSING)
            if json_text(one) != json_text(other):
                self.note(table, place, one, other, column)


def json_text(value) -> str:
    """With numbers told from texts, and members in their order."""
    if value is MISSING:
        return "missing"
    if isinstance(value, Number):
        return f"#{value}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{json_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return repr(value)


def split(records: list[Record], old: str, new: str) -> list[Record]:
    """The records with what names the topics' prefix renamed: topics, names of schemas, the source's name."""
    def renamed(text):
        return text if text is None else re.sub(rb"\b%s\b" % old.encode(), new.encode(), text)
    return [dataclasses.replace(record, topic=record.topic.replace(old, new, 1), key=renamed(record.key),
                                value=renamed(record.value),
                                headers=tuple((name, renamed(value)) for name, value in record.headers))
            for record in records]
