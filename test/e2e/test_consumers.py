"""What reads Debezium's topics today reads ours: the consumers' own libraries, in Java, over a real broker.

One database has tables of all types, to which rows are written one statement at a time, noting what the database itself
has before and after. Each stream publishes these changes in another format, and what a consumer understood of its topics
is compared with these notes.
"""

import contextlib
import dataclasses
import json

import pytest

import all_types
from pipeline import Pipeline
from rig import checker, decoding
from rig.consumers import Consumers

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
    "CREATE TABLE keys (id uuid, at timestamptz, amount numeric(6,2), label text, PRIMARY KEY (at, amount, id))",
    "CREATE TABLE keyless (number int, label text)",
)
NAMES = ("anything", "required", "defaults", "keys", "keyless")
# What is named here is a stream of its own.
STREAMS = ("schemas", "plain")


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

    def ship(self, name: str, **sections) -> None:
        """All changes to topics of the stream's own."""
        settings = {"name": name, "prefix": f"consumers.{name}"} | sections.pop("stream", {})
        self.shipper(stream=settings, **sections).once()

    def stream_topic(self, stream: str, table: str) -> str:
        return f"consumers.{stream}.public.{table}"


@pytest.fixture(scope="module")
def shop(server, broker):
    made = Shop(server, broker)
    made.ship("schemas", stream={"schemas": True})
    made.ship("plain", stream={"schemas": False})
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


def finite(row: dict | None) -> dict | None:
    """JsonConverter itself takes every float that is none, as Debezium and we write it, for 0, and knows no -0."""
    if row is None:
        return None
    def replaced(name, value):
        return "0.0" if name in ("c_real", "c_double_precision") and value in ("nan", "inf", "-inf", "-0.0") else value
    return {name: replaced(name, value) for name, value in row.items()}


@pytest.mark.parametrize("table", NAMES)
def test_connect_reads_what_the_database_has(shop, consumers, table):
    answers = consumers.read("connect", shop.stream_topic("schemas", table), converter=CONNECT)
    expected = published(shop.changes[table])
    assert len(answers) == len(expected)
    for answer, record in zip(answers, expected):
        assert values(answer["key"]) == record.key
        if record.operation is None:
            assert answer["value"] is None
            continue
        assert answer["value"]["value"]["op"] == record.operation
        for side in ("before", "after"):
            assert values(answer["value"], side) == finite(getattr(record, side)), record


def test_connect_has_defaults_in_the_place_of_nulls_unless_told_otherwise(shop, consumers):
    topic = shop.stream_topic("schemas", "defaults")
    told, untold = ([values(answer["value"], "after") for answer in consumers.read("connect", topic, converter=converter)]
                    for converter in (CONNECT, {"schemas.enable": "true"}))
    assert told[1] == {"id": 5} | dict.fromkeys("abcdefg")
    assert untold[1] == {"id": 5} | {name: told[0][name] for name in "abcdef"} | {"g": 0}


def test_connect_knows_which_fields_may_be_null(shop, consumers):
    for table, optional in (("anything", True), ("required", False)):
        answer = consumers.read("connect", shop.stream_topic("schemas", table), converter=CONNECT)[0]
        fields = answer["value"]["schema"]["fields"]["after"]["fields"]
        assert {name for name, field in fields.items() if field["optional"] != optional} - {"id"} == set()


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
    first = consumers.read("connect", shop.stream_topic("schemas", table), converter=CONNECT)[0]
    schema = first["value"]["schema"]["fields"]["after"]
    metadata = {"source.database": "STRING", "source.schema": "STRING", "source.table": "STRING"}
    answers = consumers.attempt("flink", shop.stream_topic(stream, table), format="debezium-json",
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


# ---- Debezium's transform

def flattened_rows(changes: list[Change]) -> list[tuple]:
    """What delete.tombstone.handling.mode=rewrite leaves: the row and whether it was deleted."""
    return [(record.before, "true") if record.operation == "d" else (record.after, "false")
            for record in published(changes) if record.operation not in (None, "t")]


@pytest.mark.parametrize("table", NAMES)
def test_debeziums_transform_understands_our_envelope(shop, consumers, table):
    columns = shop.tables[table].columns
    answers = consumers.read("flatten", shop.stream_topic("schemas", table),
                             transform={"delete.tombstone.handling.mode": "rewrite", "replace.null.with.default": "false"},
                             converter={"schemas.enable": "false", "replace.null.with.default": "false"})
    understood = []
    for answer in answers:
        if answer is not None:
            row = json.loads(answer["value"])
            deleted = row.pop("__deleted")
            assert list(row) == list(columns)
            understood.append(({name: decoding.from_json(columns[name], row[name]) for name in row}, deleted))
    assert understood == [(finite(row), deleted) for row, deleted in flattened_rows(shop.changes[table])]
