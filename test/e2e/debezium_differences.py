"""What may differ between Debezium's records and ours, and why. A difference that no rule knows fails the comparison.

`ours`: what we publish otherwise on purpose, and not with stream.compatibility = "debezium-3.7" (docs/formats.md).
`everywhere`: the same, also then. `fault`: Debezium's record is not what the database has, which the report shows as proof.
"""

import collections
import dataclasses
import json
import re
import struct
from collections.abc import Callable

from rig.comparing import MISSING, Difference, Number

ROW = ("before", "after", "key")

# Types whose columns Debezium leaves out: docs/types.md.
LEFT_OUT = {"aclitem", "cid", "jsonpath", "lquery", "ltxtquery", "pair", "pg_lsn", "pg_snapshot", "refcursor", "span", "spans",
            "tid", "tsquery", "txid_snapshot", "xid", "xid8", "couple", "regclass", "regcollation", "regconfig",
            "regdictionary", "regnamespace", "regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype",
            "int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange"}
LEFT_OUT_ARRAYS = LEFT_OUT | {"money", "name", "interval", "bit varying", "xml", "point", "cents", "shouted", "labels", "price",
                              "numbers"}
GEOMETRY = {"lseg", "path", "box", "polygon", "line", "circle"}
# The elements are lost: the whole array is null.
LOST_ARRAYS = GEOMETRY | {"tsvector", "ltree", "bit", "feeling", "int2vector", "oidvector"}
TEMPORAL = {"date", "timestamp without time zone", "timestamp with time zone"}
NOT_UNIQUE = {"unique_partial": "partial", "unique_nullable": "nullable", "unique_deferrable": "deferrable",
              "unique_including": "with more columns than it is unique over"}


@dataclasses.dataclass
class Rule:
    kind: str
    reason: str
    holds: Callable[[Difference], bool]


def base(difference: Difference) -> str:
    return re.sub(r"\(\d+(,\d+)?\)", "", difference.type.removesuffix("[]")).strip('"')


def is_array(difference: Difference) -> bool:
    return difference.type.endswith("[]")


def of(*names: str, array: bool | None = None) -> Callable[[Difference], bool]:
    return lambda d: base(d) in names and array in (None, is_array(d))


def values(difference: Difference) -> list[str]:
    """The database's texts of an array's elements, or of the value."""
    return re.findall(r'"[^"]*"|[^{},]+', difference.database or "")


def same_float(one, other, kind: str) -> bool:
    """Whether all numbers are the same ones, of which Java before 19 does not write the shortest digits."""
    if isinstance(one, Number) and isinstance(other, Number):
        return struct.pack(kind, float(one)) == struct.pack(kind, float(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same_float(one[name], other[name], kind) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_float(*pair, kind) for pair in zip(one, other))
    return one == other and type(one) is type(other)


def has_dimensions(difference: Difference) -> bool:
    return bool(re.match(r"\{\{|\[-?\d+:-?\d+\]\[", difference.database or ""))


def loses_microseconds(d: Difference) -> bool:
    return isinstance(d.debezium, list) and isinstance(d.waybill, list) and all(
        one == other or None not in (one, other) for one, other in zip(d.debezium, d.waybill)) and bool(
        re.search(r"\.\d{4}|24:00", d.database or ""))


def is_far_away(d: Difference) -> bool:
    return any("BC" in text or "infinity" in text or int(re.search(r"(\d{4,})-\d\d-\d\d", text)[1]) < 1583
               for text in values(d) if "BC" in text or "infinity" in text or re.search(r"\d{4,}-\d\d-\d\d", text))


def is_beyond_long(d: Difference) -> bool:
    numbers = d.waybill if isinstance(d.waybill, list) else [d.waybill]
    return any(isinstance(number, Number) and number.lstrip("-").isdigit() and not -2**63 <= int(number) < 2**63 for number in numbers)


def same_text(d: Difference) -> bool:
    """Members in another order."""
    def read(value):
        return [json.loads(item) if isinstance(item, str) else item for item in (value if isinstance(value, list) else [value])]
    return read(d.debezium) == read(d.waybill)


def key_headers_agree(d: Difference) -> bool:
    theirs, ours = json.loads(d.debezium), json.loads(d.waybill)
    return list(theirs) == list(ours) and all(theirs[name] == ours[name] or isinstance(ours[name], str)
                                              and isinstance(theirs[name], (int, float)) for name in ours)


RULES = (
    Rule("ours", "a column of a type that Debezium leaves out", lambda d: d.debezium is MISSING
         and base(d) in (LEFT_OUT_ARRAYS if is_array(d) else LEFT_OUT)),
    Rule("ours", "a generated column", lambda d: d.debezium is MISSING and (d.table, d.column) == ("identity_generated", "b")),
    Rule("ours", "an array of several dimensions, which has a schema of its own", lambda d: d.place == "schema" and is_array(d)
         and d.debezium is not MISSING and (d.waybill["type"] == "string" or d.waybill["items"]["type"] == "array")),
    Rule("everywhere", "an array of several dimensions: Debezium has null, nulls, or Java's names of objects", lambda d:
         d.place in ROW and is_array(d) and has_dimensions(d)),
    Rule("ours", "an array that is text, as old and new row have other dimensions", lambda d: d.place in ROW and is_array(d)
         and d.waybill == d.database and (isinstance(d.debezium, list) or base(d) in LOST_ARRAYS)),
    Rule("ours", "the default of source.snapshot is not put in its place", lambda d: d.place == "source"
         and d.column == "snapshot" and d.debezium is None and d.waybill == "false"),
    Rule("ours", "NaN in a Decimal, for which Debezium has null", lambda d: d.place in ROW and base(d) in ("numeric", "cents")
         and (d.debezium is None and "NaN" in values(d))),
    Rule("ours", "a number beyond a Java long: Debezium has another one, or null", lambda d: d.place in ROW and is_beyond_long(d)),
    Rule("ours", "geometry as text", lambda d: base(d) in GEOMETRY and not is_array(d) and
         (d.place == "schema" or isinstance(d.debezium, dict))),
    Rule("ours", "arrays of geometry as text", lambda d: base(d) in GEOMETRY and is_array(d) and d.place == "schema"),
    Rule("ours", "an infinity, or the end of a day, in ISO's form", lambda d: d.place in ROW
         and base(d) in ("date", "timestamp without time zone", "time without time zone") and not is_array(d)
         and d.waybill in ("infinity", "-infinity", "24:00:00Z")),
    Rule("everywhere", "no tombstone without a key", lambda d: d.place == "records"
         and str(d.debezium).endswith("tombstones without a key")),
    Rule("everywhere", "a moved row of a table without a key is one update", lambda d: d.table == "keyless_parts"
         and d.place == "records" and d.waybill == "u"),
    Rule("everywhere", "a row that changes its partition by its key: Debezium does not know that it is one row", lambda d:
         d.table == "parts" and d.place == "header"),
    Rule("ours", "the default of a domain's column", lambda d: d.place == "schema" and (d.table, d.column) == ("defaults", "y")),
    Rule("everywhere", "events of a transaction are counted as they are published", lambda d: d.place == "transaction"
         and d.column in ("total_order", "data_collection_order") and d.counted_otherwise),
    Rule("everywhere", "the digits of a floating-point number, which Java before 19 does not write the shortest way", lambda d:
         d.place in ROW and base(d) in ("real", "double precision", "point", "numeric", "cents", "money", *GEOMETRY)
         and same_float(d.debezium, d.waybill, "f" if base(d) == "real" else "d")),
    Rule("everywhere", "the members of an hstore in PostgreSQL's order", lambda d: d.place in ROW and base(d) in ("hstore", "labels")
         and same_text(d)),
    Rule("everywhere", "the key in a header is JSON as in the record", lambda d: d.place == "header"
         and d.column in ("__debezium.newkey", "__debezium.oldkey") and key_headers_agree(d)),
    Rule("everywhere", "int2vector and oidvector as text", lambda d: base(d) in ("int2vector", "oidvector")
         and (d.place == "schema" or d.debezium in ([], None))),
    Rule("everywhere", "a hash is not cut", lambda d: d.table == "shaped" and d.column == "hashed" and d.place in ROW),
    Rule("fault", "Debezium has null for name", lambda d: d.place in ROW and of("name", array=False)(d) and d.debezium is None),
    Rule("fault", "Debezium's schema of bit(n)[] is that of bit(n), and its value null", lambda d: of("bit", array=True)(d)
         and (d.place == "schema" or d.debezium is None)),
    Rule("fault", "Debezium has null for arrays of this type", lambda d: d.place in ROW and is_array(d)
         and (d.debezium is None or not any(d.debezium)) and base(d) in LOST_ARRAYS),
    Rule("fault", "Debezium's arrays of domains over enums have no labels", lambda d: d.place == "schema"
         and d.type == "feeling[]"),
    Rule("ours", "an array of labels with a null in it, for which Debezium has null", lambda d: d.place in ROW
         and of("mood", array=True)(d) and d.debezium is None and "NULL" in values(d)),
    Rule("fault", "Debezium's time[] loses microseconds, and 24:00", lambda d: d.place in ROW
         and of("time without time zone", array=True)(d) and loses_microseconds(d)),
    Rule("fault", "Debezium shifts dates before 1582, and loses BC and infinity, in arrays", lambda d: d.place in ROW
         and base(d) in TEMPORAL and is_array(d) and is_far_away(d)),
    Rule("fault", "Debezium has null for a timetz whose zone has seconds", lambda d: d.place in ROW
         and base(d) == "time with time zone" and d.debezium is None
         and any(re.search(r"[+-]\d\d:\d\d:\d\d$", text) for text in values(d))),
    Rule("fault", "Debezium reads an infinite default as some date", lambda d: d.place == "schema"
         and (d.table, d.column) in (("defaults", "ae"), ("defaults", "af"))),
    Rule("fault", "Debezium takes an index for the key that is not one", lambda d: d.table in NOT_UNIQUE
         and d.place in ("key", "records", "header", "key's schema", "partition", *ROW)),
    Rule("fault", "Debezium overflows behind 294247-01-10", lambda d: d.place in ROW
         and base(d) == "timestamp without time zone" and d.waybill == str(2**63 - 1)),
    Rule("fault", "Debezium's key is not of the replica identity: in an old row it is 0", lambda d:
         d.table in ("identity_index", "identity_only")),
)


def sort(differences: list[Difference], variant: str) -> tuple[dict[str, list[Difference]], list[Difference]]:
    """The documented ones by their reason, and those that are not."""
    documented, unknown = collections.defaultdict(list), []
    for difference in differences:
        rule = next((rule for rule in RULES if (variant != "compatible" or rule.kind != "ours") and rule.holds(difference)), None)
        if rule is None:
            unknown.append(difference)
        else:
            documented[f"{rule.kind}: {rule.reason}"].append(difference)
    return documented, unknown
