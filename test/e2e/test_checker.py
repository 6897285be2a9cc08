"""The checker finds what is wrong: topics broken on purpose, one way each."""

import base64
import json

import pytest

from rig import decoding
from rig.checker import Broken, Checker, Table, in_commit_order
from rig.consumer import Record
from rig.decoding import Type

SOURCE = "c0ffee00-0000-0000-0000-000000000001"
KEYED = "shop.public.orders"
KEYLESS = "shop.public.notes"
COLUMNS = {"id": Type("int4"), "version": Type("int8"), "price": Type("numeric", (10 << 16 | 2) + 4)}


def price(unscaled: int) -> str:
    return base64.b64encode(unscaled.to_bytes(2, "big", signed=True)).decode()


def row(id_: int, version: int, unscaled: int = 1999) -> dict:
    return {"id": id_, "version": version, "price": price(unscaled)}


def event(op, csn, index, before=None, after=None, *, key=True, xid=None, headers=(), topic=KEYED, sent=1):
    body = {"before": before, "after": after, "source": {"lsn": csn, "txId": xid or 700 + csn}, "transaction": None,
            "op": op, "ts_ms": sent, "ts_us": sent, "ts_ns": sent}
    key_bytes = json.dumps({"id": (after or before)["id"]}).encode() if key and op != "t" else None
    position = ("waybill.position", f"{SOURCE}/1/{csn}/{index}".encode())
    return Record(topic, 0, 0, key_bytes, json.dumps(body, separators=(",", ":")).encode(), (position, *headers), None)


def tombstone(of: Record) -> Record:
    return Record(of.topic, 0, 0, of.key, None, of.headers, None)


def resent(records: list[Record]) -> list[Record]:
    """The same records as a later attempt sends them: only the wall clock differs."""
    result = []
    for record in records:
        value = record.value
        if value is not None:
            body = json.loads(value)
            for clock in ("ts_ms", "ts_us", "ts_ns"):
                body[clock] += 1000
            value = json.dumps(body, separators=(",", ":")).encode()
        result.append(Record(record.topic, 0, 0, record.key, value, record.headers, None))
    return result


def story() -> list[Record]:
    """Six transactions: insert two, update, move, delete, insert the deleted again, update twice."""
    deleted = event("d", 4, 0, row(2, 1))
    moved = event("d", 3, 1, row(1, 2), headers=(("__debezium.newkey", b'{"id":5}'),))
    return [
        event("c", 1, 0, None, row(1, 1)), event("c", 1, 1, None, row(2, 1)),
        event("u", 2, 0, row(1, 1), row(1, 2)),
        event("c", 3, 0, None, row(3, 1)), moved, tombstone(moved),
        event("c", 3, 1, None, row(5, 3), headers=(("__debezium.oldkey", b'{"id":1}'),)),
        deleted, tombstone(deleted),
        event("c", 6, 0, None, row(2, 1)),
        event("u", 7, 0, row(2, 1), row(2, 2)), event("u", 7, 1, row(5, 3), row(5, 4, -5)),
    ]


TABLE = [("2", "2", "19.99"), ("3", "1", "19.99"), ("5", "4", "-0.05")]
LEDGER = {701: 2, 702: 1, 703: 2, 704: 1, 706: 1, 707: 2}


def judge(records, rows=None, ledger=LEDGER, notes=None, **options):
    tables = [Table("public.orders", COLUMNS, ["id"], TABLE if rows is None else rows)]
    if notes is not None:
        tables.append(Table("public.notes", COLUMNS, [], notes))
    checker = Checker("shop", tables, **options)
    offsets: dict[tuple, int] = {}
    for record in records:
        place = record.topic, record.partition
        record.offset = offsets[place] = offsets.get(place, -1) + 1
        checker.feed(record)
    return checker.finish(ledger)


def assert_broken(expected: str, records, **arguments):
    with pytest.raises(Broken) as finding:
        judge(records, **arguments)
    assert expected in str(finding.value)


def test_a_right_topic_passes():
    report = judge(story())
    assert (report.records, report.changes, report.transactions, report.replayed) == (12, 9, 6, 0)


@pytest.mark.parametrize("start", [0, 2, 3, 7, 9, 10])
def test_a_repeated_suffix_from_a_transaction_on_is_a_replay(start):
    records = story()
    for cut in range(start + 1, len(records) + 1):
        report = judge(records[:cut] + resent(records[start:]))
        assert report.changes == 9 and report.replayed == cut - start and report.replays == 1


def test_replays_in_replays_pass():
    records = story()
    report = judge(records[:9] + resent(records[2:6]) + resent(records[3:8]) + resent(records[2:]))
    assert report.replays == 3 and report.changes == 9


def test_a_replay_may_go_back_once_more_at_the_end():
    records = story()
    judge(records + resent(records[10:]))


@pytest.mark.parametrize("lost", range(12))
def test_a_lost_record_is_found(lost):
    records = story()
    del records[lost]
    with pytest.raises(Broken):
        judge(records)


def test_a_lost_transaction_that_left_no_trace_is_found_by_the_ledger():
    gone = event("d", 8, 1, row(9, 1))
    whole = story() + [event("c", 8, 0, None, row(9, 1)), gone, tombstone(gone)]
    judge(whole, ledger=LEDGER | {708: 2})
    assert_broken("transaction 708 committed 2 changes, the topics have 0", story(), ledger=LEDGER | {708: 2})


def test_a_lost_last_change_of_a_transaction_is_found_by_the_ledger():
    records = story()
    del records[3]
    assert_broken("the highest index is 1", records)
    assert_broken("transaction 707 committed 3 changes, the topics have 2", story(), ledger=LEDGER | {707: 3})


def test_a_rolled_back_transaction_is_found():
    records = story() + [event("c", 8, 0, None, row(9, 1))]
    assert_broken("transaction 708 is in the topics, but it never committed", records)
    assert_broken("a row of the topic is not in the table", records, ledger=None)


def test_a_change_undone_by_a_savepoint_is_found():
    records = story()
    records.insert(3, event("u", 2, 1, row(2, 1), row(2, 2)))
    assert_broken("transaction 702 committed 1 changes, the topics have 2", records)


def test_a_change_doubled_out_of_order_is_found():
    records = story()
    records.insert(8, resent(records[2:3])[0])
    assert_broken("were not repeated", records)


def test_a_replay_that_leaves_something_out_is_found():
    records = story()
    assert_broken("leaves out 1 records", records[:10] + resent(records[0:2] + records[3:10]) + records[10:])


def test_a_replay_that_stops_before_its_end_is_found():
    records = story()
    assert_broken("were not repeated", records[:10] + resent(records[2:7]) + records[10:])
    assert_broken("ends in a replay", records + resent(records[2:7]))


def test_a_replay_from_the_middle_of_a_transaction_is_found():
    records = story()
    assert_broken("in the middle of its transaction", records[:7] + resent(records[4:]))


def test_a_replay_with_other_content_is_found():
    records = story()
    changed = event("u", 2, 0, row(1, 1), row(1, 2, 7))
    assert_broken("was sent again with other content", records[:3] + [changed] + records[3:])


def test_a_replay_with_other_positions_is_found():
    records = story()
    again = resent(records[10:])
    for record in again:
        record.headers = (("waybill.position", record.headers[0][1].replace(b"/1/7/", b"/1/8/")),)
    with pytest.raises(Broken):
        judge(records + again)


def test_swapped_transactions_are_found():
    records = story()
    records[9:10], records[7:9] = records[7:9], records[9:10]
    with pytest.raises(Broken):
        judge(records)


def test_swapped_changes_of_a_transaction_are_found():
    records = story()
    records[0], records[1] = records[1], records[0]
    assert_broken("comes after", records)


def test_interleaved_transactions_are_found():
    records = story()
    records[1], records[2] = records[2], records[1]
    assert_broken("comes after", records)


def test_interleaved_transactions_with_growing_positions_are_found():
    first, second, third = (event("c", csn, 0, None, row(csn, 1), xid=xid) for csn, xid in ((1, 701), (2, 702), (3, 701)))
    assert_broken("transaction 701 is at csn (1, 1) and at (1, 3)", [first, second, third], ledger=None)
    assert_broken("has changes of transactions", [first, event("c", 1, 1, None, row(4, 1), xid=702)], ledger=None)


def test_a_lost_tombstone_is_found():
    records = story()
    del records[8]
    assert_broken("no tombstone", records)


def test_a_wrong_fold_is_found():
    assert_broken("a row of the table is not in the topic", story(), rows=TABLE + [("8", "1", "0.00")])
    assert_broken("a row of the topic is not in the table", story(), rows=TABLE[:2])
    assert_broken("a row of the topic is not in the table", story(), rows=TABLE[:2] + [("5", "4", "-0.06")])


def test_a_missing_column_is_found():
    records = [event("c", 1, 0, None, {"id": 1, "version": 1})]
    assert_broken("fields ['id', 'version'] instead of", records, rows=[("1", "1", "1.00")], ledger=None)


def test_a_wrong_before_image_is_found():
    records = story()
    records[2] = event("u", 2, 0, row(1, 1, 1), row(1, 2))
    assert_broken("but the row was left as", records)


def test_a_version_that_jumps_is_found():
    records = story()[:2] + [event("u", 2, 0, row(1, 1), row(1, 3))]
    assert_broken("from version 1 to 3", records, rows=[("1", "3", "19.99"), ("2", "1", "19.99")], ledger=None)


def test_changes_of_two_sources_are_found():
    records = story()
    records[11].headers = (("waybill.position", records[11].headers[0][1].replace(b"c0ffee", b"decade")),)
    assert_broken("several sources", records)


def test_a_topic_of_another_table_is_found():
    assert_broken("a topic of no table", [event("c", 1, 0, None, row(1, 1), topic="shop.public.other")], ledger=None)


def test_a_keyless_table_is_a_multiset():
    def note(op, csn, before=None, after=None):
        return event(op, csn, 0, before, after, key=False, topic=KEYLESS)

    same = {"id": 1, "version": 1, "price": price(5)}
    other = {"id": 1, "version": 2, "price": price(5)}
    records = [note("c", 1, None, same), note("c", 2, None, same), note("u", 3, same, other), note("c", 4, None, other),
               note("d", 5, same)]
    rows = [("1", "2", "0.05"), ("1", "2", "0.05")]
    judge(records, rows=[], notes=rows, ledger=None)
    assert_broken("a row of the topic is not in the table", records, rows=[], notes=rows[:1], ledger=None)
    assert_broken("it is not there", records + [note("d", 6, same)], rows=[], notes=rows, ledger=None)
    assert_broken("is removed", [note("d", 6, same)], rows=[], notes=[], ledger=None)


def altered_judge(records, rows, **changes):
    table = Table("public.orders", COLUMNS, ["id"], rows, **changes)
    checker = Checker("shop", [table])
    for record in records:
        checker.feed(record)
    return checker.finish()


def test_a_column_that_ddl_touched_is_compared_only_at_the_end():
    # `price` came with a default between the two changes, which no change tells.
    first = event("c", 1, 0, None, {"id": 1, "version": 1})
    second = event("u", 2, 0, row(1, 1), row(1, 2))
    judged = [("1", "2", "19.99")]
    altered_judge([first, second], judged, altered=frozenset({"price"}))
    with pytest.raises(Broken, match="was made on"):
        altered_judge([first, second], judged)
    with pytest.raises(Broken, match="was made on"):  # another column is none of DDL's business
        altered_judge([first, event("u", 2, 0, row(1, 7), row(1, 8))], [("1", "8", "19.99")], altered=frozenset({"price"}))
    with pytest.raises(Broken, match="a row of the topic is not in the table"):
        altered_judge([first, second], [("1", "2", "20.00")], altered=frozenset({"price"}))
    with pytest.raises(Broken, match="fields"):  # not changed since: the topic cannot be the table
        altered_judge([first], [("1", "1", "19.99")], altered=frozenset({"price"}))


def test_a_renamed_table_has_several_topics_and_one_fold():
    before, after = event("c", 1, 0, None, row(1, 1), topic="shop.public.old"), event("u", 2, 0, row(1, 1), row(1, 2))
    rows = [("1", "2", "19.99")]
    altered_judge(in_commit_order([after, before]), rows, other_names=("public.old",))
    with pytest.raises(Broken, match="which is not there"):
        altered_judge([after, before], rows, other_names=("public.old",))


def test_truncate_empties_the_fold():
    truncate = event("t", 8, 0)
    judge(story() + [truncate], rows=[], ledger=None)
    assert_broken("a row of the table is not in the topic", story() + [truncate], ledger=None)


def test_two_partitions_are_each_in_order_for_themselves():
    records = story()
    for record in records:
        if record.key == b'{"id": 5}':
            record.partition = 1
    judge(records, partitions={KEYED: 2})
    late = [record for record in records if record.partition == 0] + [records[11], records[6]]
    assert_broken("comes after", late, partitions={KEYED: 2})


@pytest.mark.parametrize("type_, text, value", [
    (Type("numeric", (10 << 16 | 2) + 4), "19.99", "B88="),
    (Type("numeric", (10 << 16 | 2) + 4), "-0.01", "/w=="),
    (Type("numeric", (10 << 16 | 2) + 4), "0.00", "AA=="),
    (Type("numeric", (3 << 16 | (-2 & 0x7FF)) + 4), "1200", "DA=="),
    (Type("numeric"), "1.2", {"scale": 1, "value": "DA=="}),
    (Type("numeric"), "NaN", None),
    (Type("float4"), "3.3", 3.3),
    (Type("float8"), "NaN", "NaN"),
    (Type("float8"), "-Infinity", "-Infinity"),
    (Type("bit", 1), "1", True),
    (Type("bit", 2), "11", "Aw=="),
    (Type("varbit"), "100000000", "AAE="),
    (Type("varbit"), "00", ""),
    (Type("date"), "2024-05-01", 19844),
    (Type("date"), "infinity", 2146033979),
    (Type("date"), "0044-03-15 BC", -735160),
    (Type("time"), "04:04:30.789012", 14670789012),
    (Type("time"), "24:00:00", 86400000000),
    (Type("time", 3), "00:00:01.5", 1500),
    (Type("timetz"), "13:51:30.123789+02", "11:51:30.123789Z"),
    (Type("timetz"), "00:30:00-03:30", "04:00:00Z"),
    (Type("timestamp"), "2024-05-01 10:00:00", 1714557600000000),
    (Type("timestamp", 3), "2024-05-01 10:00:00.5", 1714557600500),
    (Type("timestamp"), "-infinity", -9223372036854775808),
    (Type("timestamptz"), "2024-05-01 10:00:00.25+00", "2024-05-01T10:00:00.250000Z"),
    (Type("timestamptz"), "21016-11-04 00:00:00+00", "+21016-11-04T00:00:00.000000Z"),
    (Type("timestamptz"), "infinity", "infinity"),
    (Type("interval"), "P1Y2M3DT4H5M6.78S", 37091106780000),
    (Type("interval"), "P-1M", -2629800000000),
    (Type("money"), "$1,234.50", "AeI6"),
    (Type("bytea"), "\\x010203", "AQID"),
    (Type("point"), "(1,-2.5)", {"x": 1.0, "y": -2.5, "wkb": "", "srid": None}),
    (Type("_int4", -1, "b", Type("int4")), "{1,2,NULL}", [1, 2, None]),
    (Type("_text", -1, "b", Type("text")), '{"a,\\"b",NULL,"",c}', ['a,"b', None, "", "c"]),
    (Type("_numeric", -1, "b", Type("numeric", (4 << 16 | 1) + 4)), "{1.2}", ["DA=="]),
])
def test_both_forms_of_a_value_are_the_same(type_, text, value):
    assert decoding.from_text(type_, text) == decoding.from_json(type_, value)
