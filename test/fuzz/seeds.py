#!/usr/bin/env python3
"""Writes valid inputs, and some that are not, for the fuzz targets: seeds.py DIRECTORY makes DIRECTORY/<target>/<name>.

The corpus has those of change_decoder and shape_parser under their names; of the many of format, as of what the fuzzers
made up, it has what reaches code that nothing else does:
    build/fuzz/<target> -set_cover_merge=1 test/fuzz/corpus/<target> DIRECTORY/<target> [more directories]
"""

import json
import os
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).parent


# ---- a record stream, see extension/change_record.hpp

def varint(value: int) -> bytes:
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def binary(value: bytes) -> bytes:
    return varint(2 + 2 * len(value)) + value


def text(value: str) -> bytes:
    encoded = value.encode()
    return varint(3 + 2 * len(encoded)) + encoded


NULL = varint(0)
UNCHANGED = varint(1)


def record(operation: bytes, body: bytes) -> bytes:
    return varint(1 + len(body)) + operation + body


def change(operation: bytes, shape: int, *values: bytes) -> bytes:
    return record(operation, varint(5) + varint(shape) + b"".join(values))


def context(value: str) -> bytes:
    return record(b"C", value.encode())


# ---- change_decoder: a shape has as many columns as its id modulo 5

def change_decoder():
    insert = change(b"I", 3, binary(b"\0\0\0\1"), text("kettle"), NULL)
    update = change(b"U", 3, binary(b"\0\0\0\1"), text("teapot"), NULL, UNCHANGED, text("kettle"), UNCHANGED)
    delete = change(b"D", 3, binary(b"\0\0\0\1"), text("teapot"), NULL)
    streams = {
        "empty": b"",
        "context": context('{"user": 1}'),
        "insert": insert,
        "update": update,
        "delete": delete,
        "truncate": change(b"T", 301),
        "no-columns": change(b"U", 5) + change(b"I", 0) + change(b"D", 2147483645),
        "large": change(b"I", 1, text("x" * 300)),
        "empty-record": insert + b"\0" + delete,
        "large-rank": record(b"I", varint(2**32) + varint(1) + NULL),
        "largest-rank": record(b"I", varint(2**32 - 1) + varint(1) + NULL),
        "large-shape": record(b"I", varint(0) + varint(2**31)),
        "long-numbers": b"\x86\x00I\x85\x00\x81\x00\x00",
        "late-context": insert + context("c"),
        "unchanged-insert": change(b"I", 1, UNCHANGED),
        "transaction": context("c") + insert + update + delete + change(b"T", 3),
    }
    for name, stream in streams.items():
        yield name, bytes([0, 0, 0, 0]) + stream
        yield f"{name}-in-two", bytes([0, 1, 0, 1, 5]) + stream
        yield f"{name}-in-bytes", bytes([0, 3, 0, 15, *[1] * 15]) + stream
        yield f"{name}-miscounted", bytes([0, 0, 1, 0]) + stream
    for damage in range(1, 11):
        for place in (0, 1, 2):
            yield f"chunk-{place}-damage-{damage}", bytes([damage, place, 0, 2, 9, 30]) + streams["transaction"]


# ---- shape_parser

def shape_parser():
    column = {"name": "id", "type_name": "integer", "type": 23, "typmod": -1, "element": 0, "kind": "b",
              "not_null": True, "default": "nextval('orders_id_seq'::regclass)"}
    moods = {"name": "m\"öods", "type_name": "mood[]", "type": 16400, "typmod": -1, "element": 4294967295, "kind": "e",
             "not_null": False, "labels": ["sad", "ü\"ber"], "extension_type": "mood", "delimiter": ";"}
    orders = {"relation": 16384, "schema": "public", "table": "orders", "key": ["id"], "columns": [column, moods]}
    yield "orders", json.dumps(orders, ensure_ascii=False).encode()
    yield "ascii", json.dumps(orders).encode()
    yield "no-columns", json.dumps({**orders, "columns": [], "key": []}).encode()
    yield "no-such-key", json.dumps({**orders, "key": ["name"]}).encode()
    yield "null-members", json.dumps({**orders, "columns": [{**moods, "labels": None, "default": None}]}).encode()
    yield "later-members", json.dumps({**orders, "key": [], "later": [1.5e300, {"a": [[]]}, True]}).encode()
    for name in orders:
        yield f"without-{name}", json.dumps({key: value for key, value in orders.items() if key != name}).encode()
    for name in column:
        without = {key: value for key, value in column.items() if key != name}
        yield f"column-without-{name}", json.dumps({**orders, "columns": [without]}).encode()


# ---- format: a table with a column for each line of its types, then for arrays of those that have an array's oid

def types():
    """Name, oid and whether there are arrays, as the target has them."""
    source = (HERE / "format_fuzz.cpp").read_text()
    found = re.findall(r'^    Type\{"((?:\\.|[^"\\])+)", (\d+), [^,}]+(?:\([^)]*\))?, Holds::\w+(?:, (\d+))?', source,
                       re.M)
    assert len(found) > 40
    return [(name.replace('\\"', '"'), int(oid), bool(array and int(array))) for name, oid, array in found]


def int2(*values: int) -> bytes:
    return struct.pack(f">{len(values)}h", *values)


def int4(*values: int) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def int8(value: int) -> bytes:
    return struct.pack(">q", value)


def float8(*values: float) -> bytes:
    return struct.pack(f">{len(values)}d", *values)


def numeric(digits: tuple, weight: int, sign: int = 0, scale: int = 0) -> bytes:
    return int2(len(digits), weight) + struct.pack(">HH", sign, scale) + int2(*digits)


def array(oid: int, *elements) -> bytes:
    if not elements:
        return int4(0, 0) + struct.pack(">I", oid)
    items = b"".join(int4(-1) if one is None else int4(len(one)) + one for one in elements)
    return int4(1, 1) + struct.pack(">I", oid) + int4(len(elements), 1) + items


VARIANTS = 16
INFINITE4, INFINITE8 = 2**31 - 1, 2**63 - 1
DAY = 86_400_000_000
TIMES = (["04:05:06.789", "24:00:00"], [int8(14_706_789_012), int8(DAY)])
MOMENTS = (["2024-05-01 10:00:00.123", "infinity", "-infinity", "0044-03-15 12:00:00 BC"],
           [int8(767_872_800_123_456), int8(INFINITE8), int8(-INFINITE8 - 1), int8(-INFINITE8), int8(-DAY * 730_000)])
ZONED = ([f"{one}+00" for one in ("2024-05-01 10:00:00.123", "4713-01-01 00:00:00")] + ["infinity"], MOMENTS[1])

# Texts, and what the send function makes of such values.
VALUES: dict[str, tuple[list[str], list[bytes]]] = {
    "boolean": (["t", "false"], [b"\1", b"\0"]),
    "smallint": (["-32768"], [int2(32767)]),
    "integer": (["-2147483648"], [int4(7)]),
    "bigint": (["9007199254740993"], [int8(-INFINITE8 - 1)]),
    "oid": (["4294967295"], [int4(-1)]),
    "real": (["3.3", "NaN", "-Infinity"], [struct.pack(">f", one) for one in (1e7, 1e-45, -0.0, float("nan"))]),
    "double precision": (["1e100", "5e-324"],
                         [float8(one) for one in (4.44, 5e-324, 123456789012345680.0, float("-inf"))]),
    "numeric": (["1.20", "1e1000", "NaN", "-Infinity", "0.000"],
                [numeric((1, 2300), 0, 0, 4), numeric((1,), 25), numeric((), 0, 0xC000),
                 numeric((100,), -3, 0x4000, 10), numeric((), 0, 0xF000)]),
    "numeric(10,2)": (["-0.01", "7"], [numeric((19, 9900), 0, 0, 2), numeric((9999, 9999, 9900), 1, 0x4000, 2)]),
    "numeric(3,-5)": (["12300000"], [numeric((1230,), 1)]),
    "money": (["$1,234.56", "-$0.01", "(1.234,56)"], [int8(-123456), int8(-INFINITE8 - 1)]),
    "character(3)": (["é  "], [b"abc"]),
    "name": (["n"], [b"n"]),
    '"char"': (["a", "\\377"], [b"a", b"\xff", b"\0"]),
    "bytea": (["\\x00ff10"], [b"\0\xff\x10", b""]),
    "bit(1)": (["1"], [int4(1) + b"\x80"]),
    "bit(9)": (["100000001"], [int4(9) + b"\x80\x80"]),
    "bit varying": (["", "10"], [int4(0), int4(12) + b"\xff\xf0"]),
    "date": (["2024-05-01", "infinity", "4713-01-01 BC", "5874897-12-31"],
             [int4(8887), int4(INFINITE4), int4(-INFINITE4 - 1), int4(-2451545), int4(2145031948)]),
    "time(3) without time zone": TIMES,
    "time without time zone": TIMES,
    "time with time zone": (["13:51:30.123789+02", "00:00:00-14:30:15", "24:00:00+00"],
                            [int8(49_890_123_789) + int4(-7200), int8(0) + int4(52215)]),
    "timestamp(3) without time zone": MOMENTS,
    "timestamp without time zone": MOMENTS,
    "timestamp with time zone": ZONED,
    "timestamp(0) with time zone": ZONED,
    "interval": (["1 year 2 mons 3 days 04:05:06.78", "-1 days +02:03:04", "00:00:00", "infinity"],
                 [int8(14_706_780_000) + int4(3, 14), int8(-1) + int4(-1, -1), int8(0) + int4(0, 0),
                  int8(INFINITE8) + int4(INFINITE4, INFINITE4)]),
    "uuid": (["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], [bytes(range(16))]),
    "json": (['{"bar":   "b\\u00e9z", "n": [1.50, null]}'], [b'[1,\n{"a": true}]']),
    "jsonb": (['{"a": [1, 2]}'], [b'\1{"a": [1, 2]}']),
    "xml": (["<a>b</a>"], [b"<a/>"]),
    "point": (["(1,-2.5)", "(1e+100,NaN)"], [float8(1, -2.5)]),
    "tsvector": (["'a':1 'b':2"], []),
    "box": (["(1,1),(0,0)"], []),
    "inet": (["192.168.2.0/12"], []),
    "int4range": (["[1,6)"], []),
    "mood": (["sad"], [b'so "so"']),
    "hstore": (['"a"=>"1", "b\\"c"=>NULL', ""], []),
    "ltree": (["Top.A"], []),
    "vector": (["[1,2.5,-3e-07]"], []),
    "sparsevec": (["{1:10,3:20.5}/5", "{}/3"], []),
    "geometry": (["0101000020E6100000000000000000F03F0000000000000040", "0101000000000000000000F03F0000000000000040"],
                 []),
}
SAME = {"text": "character(3)", "character varying": "character(3)", "citext": "character(3)", "halfvec": "vector",
        "geography": "geometry"}


def quoted(element: str) -> str:
    return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cells():
    """The place of each value's column, and the value."""
    place = 0
    for name, _, _ in types():
        texts, binaries = VALUES[SAME.get(name, name)]
        yield from ((place, text(one)) for one in texts)
        yield from ((place, binary(one)) for one in binaries)
        place += 1
    for name, oid, has_array in types():
        if not has_array:
            continue
        texts, binaries = VALUES[SAME.get(name, name)]
        delimiter = ";" if name == "box" else ","
        yield place, text("{" + delimiter.join([*map(quoted, texts), "NULL"]) + "}")
        yield place, text("[0:0][2:3]={{" + quoted(texts[0]) + delimiter + quoted(texts[-1]) + "}}")
        if binaries:
            yield place, binary(array(oid, *binaries, None))
            yield place, binary(array(oid))
        place += 1


def format():  # pylint: disable=redefined-builtin
    found = list(cells())
    width = found[-1][0] + 1
    key = {0: binary(int4(1)), 1: text("k")}

    def row(values: dict[int, bytes]) -> list[bytes]:
        return [values.get(place, NULL) for place in range(width)]

    for number, (place, value) in enumerate(found):
        inserted = change(b"I", 1, *row({**key, place: value}))
        other = found[(number + 1) % len(found)]
        updated = change(b"U", 1, *row({**key, place: value}),
                         *[NULL if at == place else UNCHANGED for at in range(width)])
        moved = change(b"U", 1, *row({**key, 0: text("2"), place: value}),
                       *row({**key, place: value, other[0]: other[1]}))
        deleted = change(b"D", 0, *row({place: value}))
        for variant in range(VARIANTS):
            yield f"{number}-insert-{variant}", bytes([variant]) + inserted
            if number % 8 == 0:
                yield f"{number}-more-{variant}", bytes([variant]) + context("c") + updated + moved + deleted
    for variant in range(VARIANTS):
        yield f"truncate-{variant}", bytes([variant]) + change(b"T", 1) + change(b"T", 0)


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    for target in (change_decoder, shape_parser, format):
        to = directory / target.__name__
        os.makedirs(to, exist_ok=True)
        for name, content in target():
            (to / name).write_bytes(content)


main()
