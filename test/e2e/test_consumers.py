"""What reads Debezium's topics today reads ours: the consumers' own libraries, in Java, over a real broker.

One database has tables of all types, to which rows are written one statement at a time, noting what the database itself
has before and after. Each stream publishes these changes in another format, and what a consumer understood of its topics
is compared with these notes.
"""

import contextlib
import dataclasses
import decimal
import json
import os

import pytest

import all_types
from pipeline import Pipeline
from rig import checker, decoding
from rig.consumer import Record, read_topic
from rig.consumers import Consumers
from rig.decoding import Type

STATEMENTS = (
    *(f"INSERT INTO anything VALUES ({number}, {row})" for number, row in enumerate(all_types.rows())),
    "INSERT INTO anything VALUES (100)",
    "UPDATE anything SET c_integer = 5, c_text = 'é' WHERE id = 0",
    "UPDATE anything SET c_numeric = NULL, c_boolean = true WHERE id = 1",
    "UPDATE anything SET id = 1000 WHERE id = 0",
    "DELETE FROM anything WHERE id = 1",
    "DELETE FROM anything WHERE id = 1000",
    f"INSERT INTO required VALUES (1, {all_types.rows()[0]})",
    "DELETE FROM required",
    "INSERT INTO defaults DEFAULT VALUES",
    "INSERT INTO defaults VALUES (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "DELETE FROM defaults WHERE id = 5",
    "INSERT INTO floats VALUES ('-0', '-0')",
    "INSERT INTO floats VALUES ('NaN', 'NaN')",
    "INSERT INTO floats VALUES ('Infinity', '-Infinity')",
    "INSERT INTO keys VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-05-01 10:00+00', 1.50, 'one')",
    "UPDATE keys SET label = 'two'",
    "UPDATE keys SET amount = 1.51, label = 'three'",
    "DELETE FROM keys",
    "INSERT INTO keyless VALUES (1, 'a')",
    "UPDATE keyless SET label = 'b'",
    "DELETE FROM keyless",
    "INSERT INTO keyless VALUES (2, 'c')",
    "TRUNCATE keyless",
)
TABLES = (
    f"CREATE TABLE anything (id int PRIMARY KEY, {all_types.definitions()})",
    f"CREATE TABLE required (id int PRIMARY KEY, {all_types.definitions('NOT NULL')})",
    """CREATE TABLE defaults (id serial PRIMARY KEY, a int DEFAULT 5, b text DEFAULT 'new', c numeric(6,2) DEFAULT 1.5,
        d timestamptz DEFAULT '2024-05-01 10:00+00', e boolean DEFAULT true, f mood DEFAULT 'ok', g date DEFAULT now())""",
    "CREATE TABLE floats (r real PRIMARY KEY, d double precision)",
    "CREATE TABLE keys (id uuid, at timestamptz, amount numeric(6,2), label text, PRIMARY KEY (at, amount, id))",
    "CREATE TABLE keyless (number int, label text)",
)
NAMES = ("anything", "required", "defaults", "keys", "keyless", "floats")
# JsonConverter takes every float that is no finite number for 0, whoever wrote it, and knows no -0: what Debezium's own
# classes make of these cannot be known by feeding them with it.
READ_BACK = tuple(name for name in NAMES if name != "floats")
ADDED = "op,table,lsn,source.ts_ms,db:database,snapshot,origin,source.ts_us:changed,id,total_order"
DELETES = ("tombstone", "drop", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone")
FLATTENED = {f"flat.{deletes}.{'schemas' if schemas else 'plain'}": (deletes, schemas)
             for deletes in DELETES for schemas in (True, False)}
# Each publishes the same changes in its own way.
STREAMS: dict[str, dict[str, dict]] = {
    "schemas": {"stream": {"schemas": True, "transaction_metadata": True}},
    "plain": {"stream": {"schemas": False}},
    "flat": {"stream": {"format": "flattened", "schemas": True, "replace_null_with_default": True}},
} | {
    name: {"stream": {"format": "flattened", "schemas": schemas, "transaction_metadata": True},
           "flattened": {"deletes": deletes, "add_fields": ADDED, "add_headers": ADDED}}
    for name, (deletes, schemas) in FLATTENED.items()
} | {
    "maxwell": {"stream": {"format": "maxwell"}},
    "strings": {"types": {"decimal": "string"}},
    "logical": {"stream": {"schemas": True}, "types": {"time": "connect"}},
    "events": {"stream": {"format": "cloudevents", "schemas": True, "transaction_metadata": True}},
    "events.plain": {"stream": {"format": "cloudevents", "schemas": False, "transaction_metadata": True}},
    "events.specification": {"stream": {"format": "cloudevents", "tombstones": False},
                             "cloudevents": {"attributes": "specification"}},
    "events.binary": {"stream": {"format": "cloudevents", "transaction_metadata": True},
                      "cloudevents": {"mode": "binary"}},
}


@dataclasses.dataclass
class Change:
    """What the database itself says: rows are canonical values by column."""

    operation: str
    before: dict | None
    after: dict | None
    key: dict | None


@dataclasses.dataclass
class Published:
    """A record that a change is to be found in."""

    operation: str | None  # None: a tombstone
    key: dict | None
    before: dict | None = None
    after: dict | None = None


def published(changes: list[Change]) -> list[Published]:
    """The records of a Debezium topic: deletes have tombstones, a changed key is a delete and a create."""
    records = []
    for change in changes:
        if change.operation == "k":
            old = {name: change.before[name] for name in change.key}
            records += [Published("d", old, change.before), Published(None, old),
                        Published("c", change.key, None, change.after)]
            continue
        records.append(Published(change.operation, change.key, change.before, change.after))
        if change.operation == "d" and change.key is not None:
            records.append(Published(None, change.key))
    return records


class Shop(Pipeline):
    """The database and its changes by table."""

    def __init__(self, server, broker):
        super().__init__(server, broker, "consumers")
        self.execute(*all_types.SETUP, *TABLES, *(f"SELECT waybill.create_stream('{name}')" for name in STREAMS))
        self._shipped: set[str] = set()
        self._records: dict[str, dict[str, list[Record]]] = {}
        self.capture(*NAMES)
        self.tables = {name: checker.read_table(server, self.name, f"public.{name}") for name in NAMES}
        self.changes = {name: [] for name in NAMES}
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            now = {name: self._rows(cursor, name) for name in NAMES}
            for statement in STATEMENTS:
                cursor.execute(statement)
                table = next(word for word in statement.split() if word in NAMES)
                after = self._rows(cursor, table)
                self.changes[table] += self._changes(table, statement, now[table], after)
                now[table] = after

    def _rows(self, cursor, name: str) -> list[dict]:
        table = self.tables[name]
        found = checker.read_table_by(cursor, f"public.{name}")
        return [{column: decoding.from_text(type_, value) for (column, type_), value in zip(table.columns.items(), row)}
                for row in found.rows]

    def _changes(self, name: str, statement: str, before: list[dict], after: list[dict]) -> list[Change]:
        """A statement concerns one row."""
        key = self.tables[name].key
        if statement.startswith("TRUNCATE"):
            return [Change("t", None, None, None)]
        gone = [row for row in before if row not in after]
        new = [row for row in after if row not in before]
        assert len(gone) <= 1 and len(new) <= 1 and gone + new, statement
        old_row, new_row = (gone or [None])[0], (new or [None])[0]
        operation = "u" if gone and new else "d" if gone else "c"
        if operation == "u" and any(old_row[column] != new_row[column] for column in key):
            operation = "k"
        return [Change(operation, old_row, new_row, {column: (new_row or old_row)[column] for column in key} or None)]

    def topic_of(self, stream: str, table: str) -> str:
        """Where the stream has published the table's changes, which it does when it is asked for first."""
        if stream not in self._shipped:
            sections = STREAMS[stream]
            own = {"name": stream, "prefix": f"consumers.{stream}"}
            self.shipper(**sections | {"stream": own | sections.get("stream", {})}).once()
            self._shipped.add(stream)
        return f"consumers.{stream}.public.{table}"

    def interval(self, text: str) -> str:
        """The same in the style that is read here."""
        return self.query(f"{decoding.SESSION}; SELECT %s::interval::text", (text,))[0][0]

    def records_of(self, stream: str, table: str) -> list[Record]:
        if stream not in self._records:
            topics = [self.topic_of(stream, name) for name in NAMES]
            self._records[stream] = {name: [] for name in topics}
            for record in read_topic(self.broker.bootstrap, topics):
                self._records[stream][record.topic].append(record)
        return self._records[stream][self.topic_of(stream, table)]


@pytest.fixture(scope="module")
def shop(server, broker):
    made = Shop(server, broker)
    yield made
    made.close()


@pytest.fixture(scope="module")
def consumers(broker):
    with Consumers(broker) as started:
        yield started


# ---- Kafka Connect

CONNECT = {"schemas.enable": "true", "replace.null.with.default": "false"}


def values(part: dict | None, field: str | None = None) -> dict | None:
    """The canonical values of a struct that Connect read, or of the struct in one of its fields."""
    if part is None:
        return None
    schema, value = part["schema"], part["value"]
    if field is not None:
        schema, value = schema["fields"][field], value[field]
    return value and {name: decoding.from_schema(schema["fields"][name], value[name]) for name in value}


@pytest.mark.parametrize("table", NAMES)
def test_connect_reads_what_the_database_has(shop, consumers, table):
    answers = consumers.read("connect", shop.topic_of("schemas", table), converter=CONNECT)
    expected = published(shop.changes[table])
    assert len(answers) == len(expected)
    for answer, record in zip(answers, expected):
        if table == "floats":
            assert values(answer["value"], "after") == {"r": "0.0", "d": "0.0"}
            continue
        assert values(answer["key"]) == record.key
        if record.operation is None:
            assert answer["value"] is None
            continue
        assert answer["value"]["value"]["op"] == record.operation
        for side in ("before", "after"):
            assert values(answer["value"], side) == getattr(record, side), record


def test_connect_has_defaults_in_the_place_of_nulls_unless_told_otherwise(shop, consumers):
    topic = shop.topic_of("schemas", "defaults")
    told, untold = ([values(answer["value"], "after") for answer in consumers.read("connect", topic, converter=converter)]
                    for converter in (CONNECT, {"schemas.enable": "true"}))
    assert told[1] == {"id": 5} | dict.fromkeys("abcdefg")
    assert untold[1] == {"id": 5} | {name: told[0][name] for name in "abcdef"} | {"g": 0}


def test_connect_knows_which_fields_may_be_null(shop, consumers):
    for table, optional in (("anything", True), ("required", False)):
        answer = consumers.read("connect", shop.topic_of("schemas", table), converter=CONNECT)[0]
        fields = answer["value"]["schema"]["fields"]["after"]["fields"]
        assert {name for name, field in fields.items() if field["optional"] != optional} - {"id"} == set()


def test_connect_reads_where_transactions_begin_and_end(shop, consumers):
    shop.topic_of("schemas", "anything")
    answers = consumers.read("connect", "consumers.schemas.transaction", converter=CONNECT)
    boundaries = [answer["value"]["value"] for answer in answers]
    assert [boundary["status"] for boundary in boundaries] == ["BEGIN", "END"] * len(STATEMENTS)
    assert [answer["key"]["value"]["id"] for answer in answers] == [boundary["id"] for boundary in boundaries]
    counts = {}
    for boundary in boundaries[1::2]:
        for collection in boundary["data_collections"]:
            name = collection["data_collection"]
            counts[name] = counts.get(name, 0) + collection["event_count"]
    events = {table: sum(record.operation is not None for record in published(shop.changes[table])) for table in NAMES}
    assert counts == {f"public.{table}": count for table, count in events.items()}


def test_connect_has_its_own_types_of_time_if_asked_for(shop, consumers):
    """time = "connect": java.util.Date in milliseconds, for sinks that know Connect's types only."""
    answer = consumers.read("connect", shop.topic_of("logical", "required"), converter=CONNECT)[0]["value"]
    fields = answer["schema"]["fields"]["after"]["fields"]
    row = shop.changes["required"][0].after
    per_day = 86_400_000
    for column, name, milliseconds in (("c_date", "Date", row["c_date"] * per_day), ("c_time_3", "Time", row["c_time_3"]),
                                       ("c_time", "Time", row["c_time"] // 1000),
                                       ("c_timestamp_3", "Timestamp", row["c_timestamp_3"]),
                                       ("c_timestamp", "Timestamp", row["c_timestamp"] // 1000)):
        assert fields[column]["name"] == f"org.apache.kafka.connect.data.{name}"
        assert answer["value"]["after"][column] == milliseconds, column


def test_connect_reads_arrays_of_any_dimensions(pipeline, consumers):
    """The schema of a row fits the arrays that it has."""
    pipeline.execute("CREATE TABLE matrices (id int PRIMARY KEY, n int[], t text[])")
    pipeline.capture("matrices")
    pipeline.execute("INSERT INTO matrices VALUES (1, '{{1,2},{3,NULL}}', '{{{a},{b}}}'), (2, '{1,2}', '{}'), "
                     "(3, '[2:2][0:1]={{1,2}}', '{{a,NULL}}'), (4, NULL, '{NULL}')")
    pipeline.shipper(stream={"schemas": True}).once()
    answers = consumers.read("connect", pipeline.topic("public.matrices"), converter=CONNECT)
    assert [answer["value"]["value"]["after"] for answer in answers] == [
        row for (row,) in pipeline.query("SELECT to_jsonb(m) FROM matrices m ORDER BY id")]


# ---- Flink

FLINK_TYPES = {"boolean": "BOOLEAN", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT", "float32": "FLOAT",
               "float64": "DOUBLE", "bytes": "BYTES", "string": "STRING"}


def flink_type(schema: dict) -> str:
    """As Flink's documentation of Debezium's format has it: columns are declared as what the JSON has."""
    match schema["type"]:
        case "struct":
            return flink_row(schema)
        case "array":
            return f"ARRAY<{flink_type(schema['items'])}>"
        case name:
            return FLINK_TYPES[name]


def flink_row(schema: dict, metadata: dict[str, str] | None = None) -> str:
    fields = {name: flink_type(field) for name, field in schema["fields"].items()} | (metadata or {})
    return "ROW<" + ", ".join(f"`{name}` {type_}" for name, type_ in fields.items()) + ">"


def raw(schema: dict) -> dict:
    """The schema for who does not know decimals: their bytes."""
    changed = schema | {"raw": True}
    if "fields" in schema:
        changed["fields"] = {name: raw(field) for name, field in schema["fields"].items()}
    if "items" in schema:
        changed["items"] = raw(schema["items"])
    return changed


def changelog(changes: list[Change]) -> list[list[tuple[str, dict]]]:
    """Per record the rows that Flink makes of it."""
    rows = {"c": lambda record: [("+I", record.after)], "d": lambda record: [("-D", record.before)],
            "u": lambda record: [("-U", record.before), ("+U", record.after)], None: lambda record: []}
    return [rows[record.operation](record) for record in published(changes) if record.operation != "t"]


@pytest.mark.parametrize("stream", ("schemas", "plain"))
@pytest.mark.parametrize("table", NAMES)
def test_flink_makes_the_right_change_rows(shop, consumers, table, stream):
    """What debezium-json makes of a topic, with metadata of each record's origin behind the columns."""
    first = consumers.read("connect", shop.topic_of("schemas", table), converter=CONNECT)[0]
    schema = first["value"]["schema"]["fields"]["after"]
    metadata = {"source.database": "STRING", "source.schema": "STRING", "source.table": "STRING"}
    answers = consumers.attempt("flink", shop.topic_of(stream, table), format="debezium-json",
                                options={"schema-include": str(stream == "schemas").lower()},
                                row=flink_row(schema, metadata), metadata=list(metadata))
    if table == "keyless":
        # Flink knows no truncate, and says so unless it is told ignore-parse-errors.
        assert 'Unknown "op" value "t"' in answers.pop()["error"]
    understood = []
    for rows in answers:
        assert "error" not in rows, rows["error"]
        for row in rows:
            assert [row["row"].pop(name) for name in metadata] == ["consumers", "public", table]
        understood.append([(row["kind"], {name: decoding.from_schema(raw(schema["fields"][name]), value)
                                          for name, value in row["row"].items()}) for row in rows])
    assert understood == changelog(shop.changes[table])


def test_flink_reads_decimals_and_timestamps_as_such_from_text(shop, consumers):
    """The settings that docs recommend for it: decimals as strings, here with the columns' own types."""
    answers = consumers.read("flink", shop.topic_of("strings", "keys"), format="debezium-json",
                             options={"timestamp-format.standard": "ISO-8601"},
                             row="ROW<id STRING, at TIMESTAMP_LTZ(6), amount DECIMAL(6, 2), label STRING>")
    rows = [(change["kind"], change["row"]) for changes in answers for change in changes]
    assert [(kind, row["at"], row["amount"], row["label"]) for kind, row in rows] == [
        ("+I", "2024-05-01T10:00", "1.50", "one"),
        ("-U", "2024-05-01T10:00", "1.50", "one"), ("+U", "2024-05-01T10:00", "1.50", "two"),
        ("-D", "2024-05-01T10:00", "1.50", "two"), ("+I", "2024-05-01T10:00", "1.51", "three"),
        ("-D", "2024-05-01T10:00", "1.51", "three"),
    ]


MAXWELL_TYPES = {"bool": "BOOLEAN", "int2": "SMALLINT", "int4": "INT", "int8": "BIGINT", "oid": "BIGINT",
                 "float4": "FLOAT", "float8": "DOUBLE", "bytea": "BYTES", "money": "DECIMAL(19, 2)"}


def maxwell_type(type_: Type) -> str:
    if type_.element is not None:
        return f"ARRAY<{maxwell_type(type_.element)}>"
    if type_.name == "numeric" and type_.typmod >= 0:
        return f"DECIMAL({(type_.typmod - 4) >> 16}, {(type_.typmod - 4) & 0x7FF})"
    return MAXWELL_TYPES.get(type_.name, "STRING")


def from_maxwell(shop: Shop, type_: Type, value):
    """The canonical value of what Flink read: PostgreSQL's text, but for what JSON has types for."""
    if value is None:
        return None
    if type_.element is not None:
        return [from_maxwell(shop, type_.element, item) for item in value]
    match type_.name:
        case "bool" | "int2" | "int4" | "int8" | "oid":
            return value
        case "numeric" | "money":
            return decimal.Decimal(value)
        case "bytea":
            return bytes.fromhex(value)
        case "json" | "jsonb" | "hstore":
            return json.loads(value)
        case "interval":
            return decoding.from_text(type_, shop.interval(value))
        case _:
            return decoding.from_text(type_, value)


def raw_json(type_: Type, value):
    """Maxwell has JSON as it is, so that its null cannot be told from SQL's."""
    if type_.element is not None:
        return value and [raw_json(type_.element, item) for item in value]
    return json.loads(value) if value is not None and type_.name in ("json", "jsonb", "hstore") else value


@pytest.mark.parametrize("table", NAMES)
def test_flink_makes_the_right_change_rows_of_maxwells_format(shop, consumers, table):
    columns = shop.tables[table].columns
    fields = {name: maxwell_type(type_) for name, type_ in columns.items()}
    metadata = {"database": "STRING", "table": "STRING"}
    row = "ROW<" + ", ".join(f"`{name}` {type_}" for name, type_ in (fields | metadata).items()) + ">"
    understood = []
    for rows in consumers.read("flink", shop.topic_of("maxwell", table), format="maxwell-json", row=row,
                               metadata=list(metadata)):
        for change in rows:
            assert [change["row"].pop(name) for name in metadata] == ["public", table]
        understood.append([(change["kind"], {name: from_maxwell(shop, columns[name], value)
                                             for name, value in change["row"].items()}) for change in rows])
    # A changed key is an update like others, there are no tombstones, and of truncates nothing is said.
    kinds = {"c": (None, "+I"), "u": ("-U", "+U"), "k": ("-U", "+U"), "d": ("-D", None)}
    assert understood == [
        [(kind, {name: raw_json(columns[name], value) for name, value in side.items()})
         for kind, side in zip(kinds[change.operation], (change.before, change.after)) if kind]
        for change in shop.changes[table] if change.operation != "t"]


# ---- Debezium's transform

def flattened_rows(changes: list[Change]) -> list[tuple]:
    """What delete.tombstone.handling.mode=rewrite leaves: the row and whether it was deleted."""
    return [(record.before, "true") if record.operation == "d" else (record.after, "false")
            for record in published(changes) if record.operation not in (None, "t")]


@pytest.mark.parametrize("table", READ_BACK)
def test_debeziums_transform_understands_our_envelope(shop, consumers, table):
    columns = shop.tables[table].columns
    answers = consumers.read("flatten", shop.topic_of("schemas", table),
                             transform={"delete.tombstone.handling.mode": "rewrite", "replace.null.with.default": "false"},
                             converter={"schemas.enable": "false", "replace.null.with.default": "false"})
    understood = []
    for answer in answers:
        if answer is not None:
            row = json.loads(answer["value"])
            deleted = row.pop("__deleted")
            assert list(row) == list(columns)
            understood.append(({name: decoding.from_json(columns[name], row[name]) for name in row}, deleted))
    assert understood == flattened_rows(shop.changes[table])


def as_text(record: Record) -> tuple:
    """A record's bytes, for the eye."""
    def text(part):
        return None if part is None else part.decode()
    return text(record.key), text(record.value), [[name, text(value)] for name, value in record.headers]


def check_same(ours: list[tuple], theirs: list[tuple], what: str) -> None:
    """Equality that points at the first byte that differs: records are long."""
    for number, (our_record, their_record) in enumerate(zip(ours, theirs)):
        our_text, their_text = (json.dumps(record, ensure_ascii=False) for record in (our_record, their_record))
        if our_text != their_text:
            at = len(os.path.commonprefix([our_text, their_text]))
            ours_there, theirs_there = (text[max(0, at - 80):at + 80] for text in (our_text, their_text))
            raise AssertionError(f"{what}, record {number} differs:\nours   …{ours_there}\ntheirs …{theirs_there}")
    assert len(ours) == len(theirs), what


def transformed(shop, consumers, table: str, stream: str, transform: dict, converter: dict) -> list[tuple]:
    """What the transform makes of the other topic: schemas and sources have that stream's name in them."""
    records = []
    for answer in consumers.read("flatten", shop.topic_of("schemas", table), transform=transform, converter=converter):
        if answer is not None:
            key, value = (answer[part] and answer[part].replace('"consumers.schemas.', f'"consumers.{stream}.')
                          for part in ("key", "value"))
            records.append((key, value, answer["headers"]))
    return records


@pytest.mark.parametrize("stream", FLATTENED)
def test_flattened_records_are_those_of_debeziums_transform(shop, consumers, stream):
    deletes, schemas = FLATTENED[stream]
    transform = {"delete.tombstone.handling.mode": deletes, "add.fields": ADDED, "add.headers": ADDED,
                 "replace.null.with.default": "false"}
    converter = {"schemas.enable": str(schemas).lower(), "replace.null.with.default": "false"}
    for table in READ_BACK:
        check_same([as_text(record) for record in shop.records_of(stream, table)],
                   transformed(shop, consumers, table, stream, transform, converter), table)


@pytest.mark.parametrize("table", READ_BACK)
def test_flattened_records_are_those_of_debeziums_transform_with_its_defaults(shop, consumers, table):
    """Which put defaults in the place of nulls, some by the transform itself and some by the converter."""
    check_same([as_text(record) for record in shop.records_of("flat", table)],
               transformed(shop, consumers, table, "flat", {}, {}), table)


# ---- CloudEvents

@pytest.mark.parametrize("stream,schemas", (("events", True), ("events.plain", False)))
def test_structured_events_are_those_of_debeziums_converter(shop, consumers, stream, schemas):
    for table in READ_BACK:
        theirs = [answer["value"] and answer["value"].replace("consumers.schemas", f"consumers.{stream}")
                  for answer in consumers.read("debezium-cloudevents", shop.topic_of("schemas", table),
                                               converter={"json.schemas.enable": str(schemas).lower(),
                                                          "json.replace.null.with.default": "false"})]
        check_same([as_text(record)[1] for record in shop.records_of(stream, table)], theirs, table)


@pytest.mark.parametrize("encoding", ("structured", "binary"))
@pytest.mark.parametrize("table", NAMES)
def test_the_cloudevents_sdk_reads_what_the_database_has(shop, consumers, table, encoding):
    stream = "events.binary" if encoding == "binary" else "events.specification"
    answers = consumers.read("cloudevents", shop.topic_of(stream, table))
    expected = published(shop.changes[table])
    if encoding == "structured":
        expected = [record for record in expected if record.operation is not None]
    assert len(answers) == len(expected)
    columns = shop.tables[table].columns
    seen = set()
    for answer, record in zip(answers, expected):
        attributes, extensions = answer["attributes"], answer["extensions"]
        assert answer["encoding"] == encoding
        assert attributes["source"] == f"/debezium/postgresql/consumers.{stream}"
        assert attributes["type"] == "io.debezium.connector.postgresql.DataChangeEvent"
        assert attributes["datacontenttype"] == "application/json"
        assert (extensions["iodebeziumdb"], extensions["iodebeziumschema"], extensions["iodebeziumtable"]) == (
            "consumers", "public", table)
        assert extensions["iodebeziumop"] == (record.operation or "d")
        assert "null" not in extensions.values()
        if record.operation is None:
            assert answer["data"] is None
            continue
        assert attributes["id"] not in seen
        seen.add(attributes["id"])
        data = json.loads(answer["data"])
        for side in ("before", "after"):
            assert (data[side] and {name: decoding.from_json(columns[name], value) for name, value in data[side].items()}
                    ) == getattr(record, side)
