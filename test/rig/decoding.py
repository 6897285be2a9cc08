"""Column values: from PostgreSQL's text, from Debezium's JSON and from what other consumers make of that to one canonical
Python value, to compare them.

Written from the documentation of both formats and on purpose without a look at how the shipper does it. Types that are
not named here are PostgreSQL's text in both.
"""

import base64
import dataclasses
import datetime
import decimal
import json
import re
import struct

# Before a table is read: the settings under which its values' text is understood here.
SESSION = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; "
           "SET bytea_output = 'hex'; SET lc_monetary = 'C'")

_DAY_US = 86_400_000_000


@dataclasses.dataclass(frozen=True)
class Type:
    """Domains are resolved to what they are over. `element` is set for arrays."""

    name: str
    typmod: int = -1
    kind: str = "b"
    element: "Type | None" = None


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 in the Gregorian calendar of all times; the year before 1 is 0."""
    # Python's dates end where PostgreSQL's go on: move by whole cycles of 400 years, which have 146,097 days.
    cycles = (year - 1970) // 400
    return cycles * 146_097 + datetime.date(year - cycles * 400, month, day).toordinal() - 719_163


def _clock_us(text: str) -> int:
    hours, minutes, seconds = (text.split(":") + ["0"])[:3]
    whole, _, fraction = seconds.partition(".")
    return (int(hours) * 3600 + int(minutes) * 60 + int(whole)) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)


def _zone_us(text: str) -> int:
    """+02, -03:30, Z"""
    if text == "Z":
        return 0
    return (1 if text[0] == "+" else -1) * _clock_us(text[1:] if ":" in text else text[1:] + ":00")


def _date_days(text: str) -> int:
    text, before_christ, _ = text.partition(" BC")
    sign = -1 if text.startswith("-") else 1
    year, month, day = (int(part) for part in text.lstrip("+-").split("-"))
    return _days(1 - year if before_christ else sign * year, month, day)


def _moment_us(text: str) -> int | str:
    """2024-05-01 10:00:00.25+00 [BC] as PostgreSQL and 2024-05-01T10:00:00.250000Z as Debezium writes it."""
    if "infinity" in text:
        return text
    found = re.fullmatch(r"([+-]?\d+-\d\d-\d\d)[ T]([\d:.]+)(Z|[+-]\d\d(?::\d\d)*)?( BC)?", text)
    date, clock, zone, before_christ = found.groups()
    return _date_days(date + (before_christ or "")) * _DAY_US + _clock_us(clock) - (_zone_us(zone) if zone else 0)


def _interval_us(text: str) -> int:
    """P1Y2M3DT4H5M6.78S in Debezium's measure: a month is the twelfth of 365.25 days."""
    date, _, clock = text[1:].partition("T")
    amount = {unit: int(number) for number, unit in re.findall(r"(-?\d+)([YMWD])", date)}
    clock_amount = {unit: decimal.Decimal(number) for number, unit in re.findall(r"(-?[\d.]+)([HMS])", clock)}
    months = amount.get("Y", 0) * 12 + amount.get("M", 0)
    seconds = clock_amount.get("H", 0) * 3600 + clock_amount.get("M", 0) * 60 + clock_amount.get("S", 0)
    return months * 2_629_800_000_000 + amount.get("D", 0) * _DAY_US + int(seconds * 1_000_000)


def _number(text: str) -> decimal.Decimal | None:
    value = decimal.Decimal(text)
    # Debezium has no way to say NaN or infinity in a decimal: such a value arrives as null.
    return value if value.is_finite() else None


def _unscaled(text: str) -> int:
    return int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)


def _scaled(unscaled: int, scale: int) -> decimal.Decimal:
    return decimal.Decimal((unscaled < 0, tuple(map(int, str(abs(unscaled)))), -scale))


def _float(value, single: bool) -> str:
    number = float(value)
    return repr(struct.unpack("f", struct.pack("f", number))[0] if single else number)


def _bits(text: str) -> bytes:
    number = int(text, 2) if text else 0
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def parse_array(text: str) -> list:
    """A one-dimensional array's text; elements are texts or None."""
    items: list = []
    at = text.index("{") + 1
    while text[at] != "}":
        if text[at] == '"':
            at += 1
            item = []
            while text[at] != '"':
                if text[at] == "\\":
                    at += 1
                item.append(text[at])
                at += 1
            at += 1
            items.append("".join(item))
        else:
            end = min(place for place in (text.find(",", at), text.find("}", at)) if place >= 0)
            item_text = text[at:end]
            items.append(None if item_text == "NULL" else item_text)
            at = end
        if text[at] == ",":
            at += 1
    return items


def _pairs(text: str) -> list[tuple[str, str | None]]:
    """What an hstore's text says."""
    quoted = r'"((?:[^"\\]|\\.)*)"'
    return [tuple(None if part is None else re.sub(r"\\(.)", r"\1", part) for part in found.groups())
            for found in re.finditer(f"{quoted}=>(?:NULL|{quoted})", text)]


def _milliseconds(type_: Type) -> bool:
    return 0 <= type_.typmod <= 3


def from_text(type_: Type, text: str | None):
    """The canonical value of what PostgreSQL prints under the settings of SESSION."""
    if text is None:
        return None
    if type_.element is not None:
        return [from_text(type_.element, item) for item in parse_array(text)]
    match type_.name:
        case "bool":
            return text == "t"
        case "int2" | "int4" | "int8" | "oid":
            return int(text)
        case "float4" | "float8":
            return _float(text, type_.name == "float4")
        case "numeric":
            return _number(text)
        case "money":
            return decimal.Decimal(re.sub(r"[$,]", "", text))
        case "bytea":
            return bytes.fromhex(text[2:])
        case "bit" | "varbit":
            return text == "1" if type_.typmod == 1 else _bits(text)
        case "date":
            if "infinity" in text:
                return 2146033979 if text == "infinity" else -2147472691
            return _date_days(text)
        case "time":
            return _clock_us(text) // (1000 if _milliseconds(type_) else 1)
        case "timetz":
            clock, zone = re.fullmatch(r"([\d:.]+)([+-][\d:]+)", text).groups()
            west = _zone_us(zone)
            return (_clock_us(clock) - west) % _DAY_US if west else _clock_us(clock)  # 24:00 is there in UTC alone
        case "timestamp":
            moment = _moment_us(text)
            if isinstance(moment, str):
                ends = (9223372036825200000, -9223372036832400000) if _milliseconds(type_) else (2**63 - 1, -2**63)
                return ends[moment == "-infinity"]
            return moment // (1000 if _milliseconds(type_) else 1)
        case "timestamptz":
            return _moment_us(text)
        case "interval":
            return _interval_us(text)
        case "point":
            x, y = text.strip("()").split(",")
            return _float(x, False), _float(y, False)
        case "hstore":
            return json.dumps(dict(_pairs(text)), separators=(",", ":"), ensure_ascii=False)
        case _:
            return text


def from_json(type_: Type, value):
    """The canonical value of a field of a Debezium event."""
    if value is None:
        return None
    if type_.element is not None:
        return [from_json(type_.element, item) for item in value]
    match type_.name:
        case "float4" | "float8":
            return _float(value, type_.name == "float4")
        case "numeric" if type_.typmod >= 0:
            # The scale is signed, in the low eleven bits.
            scale = ((type_.typmod - 4) & 0x7FF ^ 1024) - 1024
            return _scaled(_unscaled(value), scale)
        case "numeric":
            return _scaled(_unscaled(value["value"]), value["scale"])
        case "money":
            return _scaled(_unscaled(value), 2)
        case "bytea":
            return base64.b64decode(value, validate=True)
        case "bit" | "varbit":
            return value if type_.typmod == 1 else base64.b64decode(value, validate=True)
        case "timetz":
            return _clock_us(value.removesuffix("Z"))
        case "timestamptz":
            return _moment_us(value)
        case "point":
            return _float(value["x"], False), _float(value["y"], False)
        case _:
            return value


def from_schema(schema: dict, value):
    """The canonical value of a field that a consumer read, by its Connect schema and without a look at the column's type.

    Bytes are hexadecimal, as are decimals to whom they are bytes, too; to others those are digits. Numbers that JSON cannot
    say are text.
    """
    if value is None:
        return None
    match schema.get("name"):
        case "org.apache.kafka.connect.data.Decimal":
            if schema.get("raw"):
                return _scaled(int.from_bytes(bytes.fromhex(value), "big", signed=True), int(schema["parameters"]["scale"]))
            return decimal.Decimal(value)
        case "io.debezium.data.VariableScaleDecimal":
            return _scaled(int.from_bytes(bytes.fromhex(value["value"]), "big", signed=True), value["scale"])
        case "io.debezium.time.ZonedTime":
            return _clock_us(value.removesuffix("Z"))
        case "io.debezium.time.ZonedTimestamp":
            return _moment_us(value)
        case "io.debezium.data.geometry.Point":
            return _float(value["x"], False), _float(value["y"], False)
    match schema["type"]:
        case "array":
            return [from_schema(schema["items"], item) for item in value]
        case "bytes":
            return bytes.fromhex(value)
        case "float32" | "float64":
            return _float(value, schema["type"] == "float32")
        case _:
            return value
