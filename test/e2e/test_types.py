"""What each type is published as, byte for byte, in each mode, with schemas and without, from a real table in Kafka.

The expected bytes stand in test/golden/debezium_types.toml. What is too large for a file is worked out here.
"""

import base64
import dataclasses
import json
import pathlib
import re
import sys
import tomllib

import pytest

from pipeline import Pipeline
from rig import kafka
from rig.consumer import TopicReader, read_topic

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "debezium_types.toml"

SETUP = (
    "CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE EXTENSION ltree",
    "CREATE TYPE mood AS ENUM ('sad', 'so ''so''', 'happy')",
    "CREATE TYPE pair AS (number int, label text)",
    "CREATE DOMAIN cents AS numeric(12,2)",
    "CREATE DOMAIN labels AS hstore",
    "CREATE DOMAIN numbers AS int[]",
)

# The settings of [types] of each stream. All that the golden file names occurs in one of them.
MODES = {
    "default": {},
    "strings": {"decimal": "string", "time": "isostring", "binary": "base64", "interval": "string", "hstore": "map"},
    "connect": {"decimal": "double", "time": "connect", "binary": "base64_url_safe"},
    "microseconds": {"time": "microseconds", "binary": "hex", "money_fraction_digits": 4},
    "adaptive_microseconds": {"time": "adaptive_time_microseconds"},
    "nanoseconds": {"time": "nanoseconds"},
    "text": {"as_text": [".*"]},
}


def quoted(text: str) -> str:
    """As Jackson writes it: what it escapes in upper-case hex, characters beyond U+FFFF as two halves."""
    def halves(found: re.Match) -> str:
        return json.dumps(found[0])[1:-1].upper().replace("\\U", "\\u")
    written = json.dumps(text, ensure_ascii=False)
    written = re.sub(r"\\u00[0-9a-f]{2}", lambda found: "\\u" + found[0][2:].upper(), written)
    return re.sub("[\U00010000-\U0010ffff]", halves, written)


@dataclasses.dataclass
class GoldenType:
    sql: str
    values: list[str]
    text: list[str]
    published: list[dict]
    since: int = 0

    def _in(self, modes: dict) -> dict:
        for published in reversed(self.published):
            if all(modes.get(setting) == value for setting, value in published.get("when", {}).items()):
                return published
        raise AssertionError(f"{self.sql} has no form for {modes}")

    def json(self, modes: dict) -> list[str]:
        if "as_text" in modes:
            return [quoted(text) for text in self.text]
        return self._in(modes)["json"]

    def schema(self, modes: dict, name: str) -> str:
        if "as_text" in modes:
            optional = "false" if "NOT NULL" in self.sql else "true"
            return f'{{"type":"string","optional":{optional},"field":"{name}"}}'
        return self._in(modes)["schema"].removesuffix('"field":"c"}') + f'"field":"{name}"}}'


class Golden(Pipeline):
    """A table of all types and its rows."""

    def __init__(self, server, broker):
        super().__init__(server, broker, "golden")
        version = self.value("SHOW server_version_num")
        types = [GoldenType(**one) for one in tomllib.loads(GOLDEN.read_text())["type"]]
        self.types = [one for one in types if one.since <= int(version) // 10_000]
        streams = [mode + ending for mode in MODES for ending in ("_plain", "_schemas")]
        self.execute(*SETUP, *(f"SELECT waybill.create_stream('{name}')" for name in streams),
                     "CREATE TABLE t (id int PRIMARY KEY, "
                     + ", ".join(f"c{number} {one.sql}" for number, one in enumerate(self.types)) + ")")
        self.capture("t")
        self.rows = max(len(one.values) for one in self.types)
        for row in range(self.rows):
            values = ", ".join(one.values[row % len(one.values)] for one in self.types)
            self.execute(f"INSERT INTO t VALUES ({row}, {values})")
        required = ", ".join(f"c{number}" for number, one in enumerate(self.types) if "NOT NULL" in one.sql)
        nullable = [number for number, one in enumerate(self.types) if "NOT NULL" not in one.sql]
        self.execute(f"INSERT INTO t (id, {required}, " + ", ".join(f"c{number}" for number in nullable) + ")"
                     f" SELECT {self.rows}, {required}" + ", NULL" * len(nullable) + " FROM t WHERE id = 0")

    def ship(self, mode: str, schemas: bool) -> list[bytes]:
        stream = mode + ("_schemas" if schemas else "_plain")
        settings = {"name": stream, "prefix": f"golden.{stream}", "schemas": schemas}
        self.shipper(stream=settings, types=MODES[mode]).once()
        return [record.value for record in read_topic(self.broker.bootstrap, f"golden.{stream}.public.t")]


@pytest.fixture(scope="module")
def golden(server, broker):
    made = Golden(server, broker)
    yield made
    made.close()


def check(types: list[GoldenType], got: str, expected: list[str], tail: str) -> None:
    """That `got` begins with what is expected, a text for each column; tells the first that differs."""
    if got.startswith("".join(expected) + tail):
        return
    at = 0
    for number, text in enumerate(expected):
        if got[at:at + len(text)] != text:
            pytest.fail(f"c{number} {types[number].sql}: expected {text!r}, got {got[at:at + len(text) + 60]!r}", False)
        at += len(text)
    pytest.fail(f"behind the last column: {got[at:at + 100]!r}", False)


@pytest.mark.parametrize("mode", MODES)
def test_every_type_is_published_as_the_golden_file_says(golden, mode):
    modes = MODES[mode]
    values = golden.ship(mode, schemas=False)
    assert len(values) == golden.rows + 1
    for row, value in enumerate(values[:-1]):
        head = '{"before":null,"after":{"id":' + (f'"{row}"' if "as_text" in modes else f"{row}")
        assert value.decode().startswith(head)
        expected = [f',"c{number}":' + one.json(modes)[row % len(one.values)]
                    for number, one in enumerate(golden.types)]
        check(golden.types, value.decode().removeprefix(head), expected, '},"source":{')
    null_row = json.loads(values[-1])["after"]
    assert [number for number, one in enumerate(golden.types) if null_row[f"c{number}"] is not None] == [
        number for number, one in enumerate(golden.types) if "NOT NULL" in one.sql]


@pytest.mark.parametrize("mode", MODES)
def test_every_type_has_the_schema_that_the_golden_file_says(golden, mode):
    modes = MODES[mode]
    bare = golden.ship(mode, schemas=False)
    values = golden.ship(mode, schemas=True)
    id_type = "string" if "as_text" in modes else "int32"
    head = ('{"schema":{"type":"struct","fields":[{"type":"struct","fields":['
            f'{{"type":"{id_type}","optional":false,"field":"id"}}')
    expected = ["," + one.schema(modes, f"c{number}") for number, one in enumerate(golden.types)]
    tail = f'],"optional":true,"name":"golden.{mode}_schemas.public.t.Value","field":"before"}},'
    # A row of nulls says nothing of how many dimensions its arrays have.
    for plain, value in list(zip(bare, values, strict=True))[:-1]:
        text = value.decode()
        assert text.startswith(head)
        check(golden.types, text.removeprefix(head), expected, tail)
        # The payload is what is published without schemas.
        after = plain[:plain.index(b',"source":{')]
        assert b'"payload":' + after + b',"source":{' in value


# ---- what is too large for a file

DIGITS = 131_072    # before the point, PostgreSQL's limit
FRACTION = 16_383   # behind it


def twos_complement(number: int) -> str:
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(size, "big", signed=True)).decode()


@pytest.fixture
def without_digit_limit():
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def test_numerics_at_their_ends_keep_every_digit(pipeline, without_digit_limit):
    texts = ["9" * DIGITS, "-1" + "0" * (DIGITS - 1), "0." + "0" * (FRACTION - 1) + "1",
             "-" + "7" * DIGITS + "." + "3" * FRACTION, "0." + "0" * 130 + "1"]
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n numeric)", "SELECT waybill.create_stream('s')")
    pipeline.capture("t")
    for number, text in enumerate(texts):
        pipeline.execute(f"INSERT INTO t VALUES ({number}, '{text}')")
    pipeline.shipper().once()
    for text, event in zip(texts, pipeline.events("public.t"), strict=True):
        whole, _, fraction = text.partition(".")
        fraction = fraction.rstrip("0")
        assert event["after"]["n"] == {"scale": len(fraction), "value": twos_complement(int(whole + fraction))}
    pipeline.shipper(stream={"name": "s", "prefix": f"{pipeline.name}.s"}, types={"decimal": "string"}).once()
    records = read_topic(pipeline.broker.bootstrap, f"{pipeline.name}.s.public.t")
    assert [json.loads(record.value)["after"]["n"] for record in records] == texts


@pytest.fixture(scope="module")
def roomy_broker():
    with kafka.Broker({"message.max.bytes": "200000000", "replica.fetch.max.bytes": "200000000"}) as started:
        yield started


def test_large_texts_and_documents_arrive_whole(server, roomy_broker):
    """20 million bytes a value; the limit of the extension is tested there."""
    count = 20_000_000
    pipeline = Pipeline(server, roomy_broker, "large")
    try:
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b bytea, c jsonb, d text[])")
        pipeline.capture("t")
        pipeline.execute(f"INSERT INTO t VALUES (1, repeat('ä\"', {count // 3}), NULL, NULL, NULL)",
                         f"INSERT INTO t VALUES (2, NULL, decode(repeat('00ff7e', {count // 3}), 'hex'), NULL, NULL)",
                         f"INSERT INTO t VALUES (3, NULL, NULL, jsonb_build_array(repeat('x', {count})), NULL)",
                         f"INSERT INTO t VALUES (4, NULL, NULL, NULL, ARRAY[repeat('y', {count}), NULL, ''])")
        pipeline.shipper(kafka={"message.max.bytes": 200_000_000}).once()
        with TopicReader(roomy_broker.bootstrap, "large.public.t",
                         properties={"fetch.message.max.bytes": 200_000_000,
                                     "receive.message.max.bytes": 500_000_000}) as reader:
            rows = [json.loads(record.value)["after"] for record in reader.to_end()]
        assert rows[0]["a"] == 'ä"' * (count // 3)
        assert base64.b64decode(rows[1]["b"]) == b"\x00\xff\x7e" * (count // 3)
        assert json.loads(rows[2]["c"]) == ["x" * count]
        assert rows[3]["d"] == ["y" * count, None, ""]
    finally:
        pipeline.close()
