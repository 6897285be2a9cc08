"""From a published field back to what PostgreSQL reads: the text of a literal.

Written from Debezium's documentation of its types and from PostgreSQL's of its input, on purpose without a look at how
the shipper does it. Types that are not named here are PostgreSQL's text in both.
"""

import base64
import datetime
import decimal
import json
import re

_DAY_US = 86_400_000_000
_NAMES = {"NAN": "NaN", "POSITIVE_INFINITY": "Infinity", "NEGATIVE_INFINITY": "-Infinity"}


def _date(days: int) -> tuple[str, str]:
    """The date that is so many days behind 1970-01-01, and its era."""
    # Python's dates end where PostgreSQL's go on: move by whole cycles of 400 years, which have 146,097 days.
    cycles, rest = divmod(days + 719_162, 146_097)
    date = datetime.date.fromordinal(rest + 1)
    year = date.year + 400 * cycles
    text = f"{year if year > 0 else 1 - year:04}-{date.month:02}-{date.day:02}"
    return text, "" if year > 0 else " BC"


def _clock(us: int) -> str:
    seconds, fraction = divmod(us, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def _moment(us: int) -> str:
    days, of_day = divmod(us, _DAY_US)
    date, era = _date(days)
    return f"{date} {_clock(of_day)}{era}"


def _iso(text: str) -> str:
    """+21016-11-04T00:00:00Z; the year before 1 is 0."""
    found = re.fullmatch(r"([+-]?\d+)(-\d\d-\d\d)?(?:T([\d:.]+))?Z", text)
    if found is None:  # infinity
        return text
    year, day, clock = found.groups()
    era = " BC" if int(year) <= 0 else ""
    number = int(year) if int(year) > 0 else 1 - int(year)
    return f"{number:04}{day}" + (f" {clock}+00" if clock else "") + era


def _unscaled(text: str) -> int:
    return int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)


def _decimal(unscaled: int, scale: int) -> str:
    return format(decimal.Decimal((unscaled < 0, tuple(map(int, str(abs(unscaled)))), -scale)), "f")


def _numeric(value, scale: int) -> str:
    if isinstance(value, dict):
        return _decimal(_unscaled(value["value"]), value["scale"])
    return value if value in ("NaN", "Infinity", "-Infinity") else _decimal(_unscaled(value), scale)


def _bits(text: str, length: int) -> str:
    number = int.from_bytes(base64.b64decode(text, validate=True), "little")
    return format(number, f"0{length}b")


def _hstore(pairs: dict) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return ", ".join(f"{quoted(key)}=>{'NULL' if value is None else quoted(value)}" for key, value in pairs.items())


def _plain(type_name: str, value, length: int, scale: int) -> str:
    match type_name:
        case "bool":
            return "t" if value else "f"
        case "float4" | "float8":
            return value if isinstance(value, str) else repr(value)
        case "numeric":
            return _numeric(value, scale)
        case "money":
            return _decimal(_unscaled(value), 2)
        case "bytea":
            return "\\x" + base64.b64decode(value, validate=True).hex()
        case "bit":
            return ("1" if value else "0") if length == 1 else _bits(value, length)
        case "date":
            return {2146033979: "infinity", -2147472691: "-infinity"}.get(value) or "".join(_date(value))
        case "time":
            return _clock(value)
        case "timestamp":
            return {2**63 - 1: "infinity", -2**63: "-infinity"}.get(value) or _moment(value)
        case "timestamptz":
            return _iso(value)
        case "point":
            return f"({value['x']!r},{value['y']!r})"
        case "hstore":
            return _hstore(json.loads(value))
        case _:
            return str(value)


def _in_strings(type_name: str, value, length: int, scale: int) -> str:
    """With decimal, time and interval as strings, binary as hex, hstore as map."""
    match type_name:
        case "numeric":
            return _NAMES.get(value, value)
        case "money" | "interval":
            return value
        case "bytea":
            return "\\x" + value
        case "date" | "timestamp":
            return _iso(value)
        case "time":
            return value.removesuffix("Z")
        case "hstore":
            return _hstore(value)
        case _:
            return _plain(type_name, value, length, scale)


def literal(type_name: str, value, *, array: bool = False, strings: bool = False, length: int = -1, scale: int = 0):
    """What PostgreSQL reads the value from, or None for a null.

    `type_name` is the typname of the base type, or of the elements' of an `array`; `length` a bit string's, `scale` a
    numeric's. `strings`: the modes of _in_strings().
    """
    if value is None:
        return None
    if not array:
        return (_in_strings if strings else _plain)(type_name, value, length, scale)

    def text(item) -> str:
        if item is None:
            return "NULL"
        if isinstance(item, list):
            return "{" + delimiter.join(map(text, item)) + "}"
        plain = literal(type_name, item, strings=strings, length=length, scale=scale)
        return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'

    delimiter = ";" if type_name == "box" else ","
    return text(value)
