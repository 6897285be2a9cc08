"""What different tables and statements look like in the topic."""

import json


def test_a_row_s_life(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1, 'a')", "UPDATE t SET name = 'b'", "UPDATE t SET id = 2", "DELETE FROM t")
    xids = [xid for (xid,) in pipeline.query("SELECT xid::text::bigint FROM waybill.changes ORDER BY csn, index")]
    pipeline.shipper().once()
    records = pipeline.records("public.t")
    assert [(record.key, json.loads(record.value)["op"] if record.value else None) for record in records] == [
        (b'{"id":1}', "c"), (b'{"id":1}', "u"),
        (b'{"id":1}', "d"), (b'{"id":1}', None), (b'{"id":2}', "c"),
        (b'{"id":2}', "d"), (b'{"id":2}', None)]
    assert [record.header("__debezium.newkey") for record in records[2:4]] == ['{"id":2}'] * 2
    assert records[4].header("__debezium.oldkey") == '{"id":1}'
    assert len({record.header("waybill.position") for record in records[2:5]}) == 1
    events = [json.loads(record.value) for record in records if record.value]
    assert [(event["before"], event["after"]) for event in events] == [
        (None, {"id": 1, "name": "a"}), ({"id": 1, "name": "a"}, {"id": 1, "name": "b"}),
        ({"id": 1, "name": "b"}, None), (None, {"id": 2, "name": "b"}), ({"id": 2, "name": "b"}, None)]
    assert [event["source"]["txId"] for event in events] == [xids[0], xids[1], xids[2], xids[2], xids[3]]
    source = events[0]["source"]
    assert (source["connector"], source["name"], source["db"], source["schema"], source["table"], source["snapshot"]) == (
        "postgresql", pipeline.name, pipeline.name, "public", "t", "false")
    # what a deleted change leaves of itself
    assert all(record.value is None or b'"ts_ns":' in record.value for record in records)
    pipeline.check("public.t")


def test_the_context_of_a_transaction_is_a_header_of_its_records(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("""BEGIN; SET LOCAL waybill.context = '{"user":"42"}'; INSERT INTO t VALUES (1); DELETE FROM t; COMMIT""",
                     "INSERT INTO t VALUES (2)")
    pipeline.shipper().once()
    assert [record.header("waybill.context") for record in pipeline.records("public.t")] == ['{"user":"42"}'] * 3 + [None]


def test_a_table_without_a_key_keeps_its_order_in_one_partition(pipeline):
    pipeline.execute("CREATE TABLE t (n int, text text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i % 7, 'x' FROM generate_series(1, 100) i",
                     "UPDATE t SET text = 'y' WHERE n = 3", "DELETE FROM t WHERE n = 5", "UPDATE t SET n = 9 WHERE n = 6")
    pipeline.shipper(topics={"partitions": 3}).once()
    records = pipeline.records("public.t")
    assert pipeline.broker.topics()[pipeline.topic("public.t")] == 3
    assert {record.partition for record in records} == {0}
    assert all(record.key is None and record.value is not None for record in records)
    pipeline.check("public.t")


def test_a_key_can_be_named_for_a_table_without_one(pipeline):
    pipeline.execute("CREATE TABLE t (a int NOT NULL, b text NOT NULL, n int)",
                     "SELECT waybill.enable_capture('t', key => ARRAY['b', 'a'])",
                     "INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 2)", "UPDATE t SET n = 3 WHERE a = 1",
                     "DELETE FROM t WHERE a = 2")
    pipeline.shipper().once()
    assert [record.key for record in pipeline.records("public.t")][0] == b'{"b":"x","a":1}'
    pipeline.check("public.t", keys={"public.t": ["b", "a"]})


def test_a_partitioned_table_is_published_under_its_root(pipeline):
    pipeline.execute("CREATE TABLE t (id int, region text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
                     "CREATE TABLE t_north PARTITION OF t FOR VALUES IN ('north')",
                     "CREATE TABLE t_rest (n int, region text NOT NULL, id int NOT NULL)",
                     "ALTER TABLE t ATTACH PARTITION t_rest DEFAULT")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'north' ELSE 'south' END, i FROM generate_series(1, 20) i",
                     "UPDATE t SET n = n + 1", "UPDATE t SET region = 'north' WHERE id = 3", "DELETE FROM t WHERE id = 4",
                     "CREATE TABLE t_west PARTITION OF t FOR VALUES IN ('west')", "INSERT INTO t VALUES (100, 'west', 1)")
    pipeline.shipper().once()
    assert [topic for topic in pipeline.broker.topics() if topic.startswith(f"{pipeline.name}.")] == [
        pipeline.topic("public.t")]
    pipeline.check("public.t")


def test_partitions_come_and_go_move_rows_and_are_truncated(pipeline):
    pipeline.execute(
        "CREATE TABLE t (id int, region text, version int NOT NULL DEFAULT 1) PARTITION BY LIST (region)",
        "CREATE TABLE t_north PARTITION OF t FOR VALUES IN ('north')",
        "CREATE TABLE t_south (gone int, version int NOT NULL DEFAULT 1, region text, id int)",
        "ALTER TABLE t_south DROP COLUMN gone", "ALTER TABLE t ATTACH PARTITION t_south FOR VALUES IN ('south')",
        "CREATE TABLE t_east PARTITION OF t FOR VALUES IN ('east') PARTITION BY RANGE (id)",
        "CREATE TABLE t_east_1 PARTITION OF t_east FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE t_east_2 PARTITION OF t_east DEFAULT",
        "CREATE TABLE west (id int, region text, version int NOT NULL DEFAULT 1)",
        "CREATE TABLE audit (n int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text)",
        """CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$""",
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION audit()",
        "SELECT waybill.enable_capture('t', key => '{id}'), waybill.enable_capture('west', key => '{id}')")
    pipeline.capture("audit")
    with pipeline.shipper() as shipper:
        pipeline.execute(
            "INSERT INTO t SELECT i, (ARRAY['north', 'south', 'east'])[i % 3 + 1] FROM generate_series(1, 30) i",
            "UPDATE t SET region = CASE region WHEN 'north' THEN 'south' WHEN 'south' THEN 'east' ELSE 'north' END, "
            "version = version + 1",
            "BEGIN; UPDATE t SET region = 'north', version = version + 1 WHERE id < 6; SAVEPOINT s; "
            "UPDATE t SET region = 'south', version = version + 1; ROLLBACK TO s; DELETE FROM t WHERE id = 7; COMMIT",
            "TRUNCATE t_south",
            # captured by itself, then a partition, then by itself again
            "INSERT INTO west SELECT i, 'west' FROM generate_series(100, 110) i", "DELETE FROM west",
            "ALTER TABLE t ATTACH PARTITION west FOR VALUES IN ('west')",
            "INSERT INTO west VALUES (101, 'west')", "UPDATE t SET region = 'west', version = version + 1 WHERE id = 2",
            "UPDATE t SET region = 'east', version = version + 1 WHERE id = 101",
            "CREATE TABLE t_centre PARTITION OF t FOR VALUES IN ('centre')",
            "INSERT INTO t VALUES (200, 'centre'), (201, 'centre'), (202, 'west')", "TRUNCATE t_centre",
            "TRUNCATE west, t_east", "INSERT INTO t VALUES (203, 'centre'), (12, 'east')",
            "ALTER TABLE t DETACH PARTITION west CONCURRENTLY", "INSERT INTO west VALUES (300, 'west')")
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
    assert {topic for topic in pipeline.broker.topics() if topic.startswith(f"{pipeline.name}.")} == {
        pipeline.topic(f"public.{table}") for table in ("t", "west", "audit")}
    operations = [event["op"] for event in pipeline.events("public.t")]
    moved = [event for event in pipeline.events("public.t")
             if event["op"] == "u" and event["before"]["region"] != event["after"]["region"]]
    # all of the first UPDATE, of the second those that were not there yet, two single ones
    assert len(moved) == 30 + 3 + 2 and "t" not in operations
    pipeline.check("public.t", "public.west", "public.audit", keys={"public.t": ["id"], "public.west": ["id"]})


def test_truncate_is_an_event_between_the_rows(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE u (id int PRIMARY KEY)")
    pipeline.capture("t", "u")
    pipeline.execute("INSERT INTO t VALUES (1), (2)", "INSERT INTO u VALUES (1)", "TRUNCATE t, u",
                     "BEGIN; INSERT INTO t VALUES (1); TRUNCATE t; INSERT INTO t VALUES (2); COMMIT")
    pipeline.shipper().once()
    assert [event["op"] for event in pipeline.events("public.t")] == ["c", "c", "t", "c", "t", "c"]
    truncate = pipeline.records("public.u")[-1]
    assert truncate.key is None and json.loads(truncate.value)["after"] is None
    pipeline.check("public.t", "public.u")


def test_rolled_back_changes_are_nowhere(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("BEGIN; INSERT INTO t VALUES (1); ROLLBACK",
                     "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s; "
                     "INSERT INTO t VALUES (4); COMMIT")
    pipeline.shipper().once()
    assert [event["after"]["id"] for event in pipeline.events("public.t")] == [2, 4]
    assert [record.header("waybill.position").split("/")[3] for record in pipeline.records("public.t")] == ["0", "1"]


def test_ddl_between_changes_needs_no_pause(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1, 'x')", "ALTER TABLE t ADD b int DEFAULT 5", "INSERT INTO t VALUES (2, 'y', 6)",
                     "ALTER TABLE t RENAME a TO c", "UPDATE t SET c = 'z' WHERE id = 2", "ALTER TABLE t DROP b",
                     "INSERT INTO t VALUES (3, 'w')")
    pipeline.shipper().once()
    assert [event["after"] for event in pipeline.events("public.t")] == [
        {"id": 1, "a": "x"}, {"id": 2, "a": "y", "b": 6}, {"id": 2, "c": "z", "b": 6}, {"id": 3, "c": "w"}]


TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'happy');
CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > -1000000);
CREATE TABLE t (
    id int PRIMARY KEY,
    c_bool bool, c_int2 int2, c_int8 int8, c_oid oid, c_float4 float4, c_float8 float8,
    c_numeric_fixed numeric(20,5), c_numeric numeric, c_money money, c_cents cents,
    c_text text, c_varchar varchar(30), c_bpchar char(5), c_name name, c_char "char", c_bytea bytea,
    c_bit bit(1), c_bits bit(11), c_varbit varbit,
    c_date date, c_time time, c_time3 time(3), c_timetz timetz, c_timestamp timestamp, c_timestamp3 timestamp(3),
    c_timestamptz timestamptz, c_timestamptz3 timestamptz(3), c_interval interval,
    c_uuid uuid, c_json json, c_jsonb jsonb, c_xml xml, c_mood mood,
    c_int4range int4range, c_numrange numrange, c_tsrange tsrange, c_tstzrange tstzrange, c_daterange daterange,
    c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8, c_tsvector tsvector, c_point point,
    c_ints int[], c_texts text[], c_numerics numeric(8,3)[], c_stamps timestamptz[], c_uuids uuid[], c_bools bool[],
    c_moods mood[], c_bytes bytea[], c_generated int GENERATED ALWAYS AS (id * 2) STORED,
    c_box box, c_path path, c_multirange int4multirange);
"""

ROWS = r"""
INSERT INTO t VALUES
(1, true, -32768, 9223372036854775807, 4294967295, 3.3, 0.1, -12345.6789, 123456789012345678901234567890.000123,
 -12.34, 1.5, E'ünï "quotes" \\ \n\t\u0001 end 😀', 'varchar', 'ab', 'name', 'c', '\x00ff10',
 '1', '10000000011', '1010', '2024-05-01', '04:05:06.789012', '04:05:06.789', '04:05:06.789+02', '2024-05-01 10:00:00.123456',
 '2024-05-01 10:00:00.123', '2024-05-01 10:00:00.25+02', '2024-05-01 10:00:00.123+00', '1 year 2 mons 3 days 04:05:06.78',
 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a" :  [1, 2]}', '{"b": "ü", "a": 1.10}', '<a>x</a>', 'it''s "ok"',
 '[1,5]', '(1.5,)', '[2024-01-01,2024-01-02)', '[2024-01-01 00:00+02,infinity)', 'empty',
 '192.168.2.1/12', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a fat cat', '(1.5,-2)',
 '{1,NULL,-3}', '{"a,b","",NULL,"NULL","q\"\\"}', '{1.5,-0.001}', '{2024-05-01 10:00:00+02,NULL}',
 '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{t,f,NULL}', '{sad,happy}', '{"\\x00ff",NULL}', DEFAULT,
 '(1,1),(0,0)', '[(0,0),(1,1)]', '{[1,2)}'),
(2, false, 0, -9223372036854775808, 0, 'NaN', '-Infinity', 0, -0.00001000, 0, -999999.99, '', '', '', '', '', '',
 '0', '00000000000', '', '0044-03-15 BC', '24:00:00', '00:00:00', '23:59:59.999999-15:59', '1969-12-31 23:59:59.999999',
 '1970-01-01 00:00:00', '9999-12-31 23:59:59.999999+00', '0001-01-01 00:00:00+00', '-1 mons +2 days -00:00:01.5',
 '00000000-0000-0000-0000-000000000000', 'null', 'null', '', 'sad', 'empty', '(,)', '(,)', '(,)', '[2024-01-01,)',
 '::1', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '', '(0,0)', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
 DEFAULT, NULL, NULL, NULL),
(4, true, 1, 1, 1, 1e10, 1e-7, 99999999999999.99999, 100, '92233720368547758.07', 0.01, repeat('long ', 20000), 'x', 'abcde',
 repeat('n', 63), '~', decode(repeat('00ff', 20000), 'hex'), '1', '11111111111', repeat('10', 100)::varbit, 'infinity',
 '12:00', '12:00:00.0005', '12:00+00', 'infinity', '2000-02-29 12:34:56.7895', 'infinity', '21016-11-04 00:00:00+00', '0',
 gen_random_uuid(), '[]', '{}', '<b/>', 'happy', '[1,2)', '[0,0]', '["2024-01-01 01:02:03.5",infinity)',
 '(-infinity,infinity)', '(,)', '1.2.3.4', '1.2.3.4', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '''a'':1A b:2,3', '(1e300,-1e-300)',
 (SELECT array_agg(i) FROM generate_series(1, 5000) i), ARRAY[repeat('x', 10000)], '{NULL}', '{infinity}', '{NULL}', '{NULL}', '{NULL}',
 '{""}', DEFAULT, NULL, NULL, NULL);
INSERT INTO t (id) VALUES (3);
"""


def test_values_of_all_types_arrive_as_they_are(pipeline):
    pipeline.execute(TYPES)
    pipeline.capture("t")
    pipeline.execute(ROWS, "UPDATE t SET c_int2 = 7 WHERE id IN (1, 4)", "UPDATE t SET c_text = 'short' WHERE id = 4",
                     "UPDATE t SET c_bool = NULL, c_numeric = 1e20, c_jsonb = '[1]' WHERE id = 2")
    pipeline.shipper().once()
    pipeline.check("public.t")


def test_schemas_can_be_carried_along(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, price numeric(10,2))")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1, 1.5)", "UPDATE t SET price = 2", "DELETE FROM t")
    pipeline.shipper(stream={"schemas": True}).once()
    records = pipeline.records("public.t")
    value, key = json.loads(records[0].value), json.loads(records[0].key)
    assert set(value) == set(key) == {"schema", "payload"}
    assert value["schema"]["name"] == f"{pipeline.topic('public.t')}.Envelope"
    assert key["payload"] == {"id": 1}
    pipeline.check("public.t")


def test_changes_are_kept_while_no_shipper_runs_and_a_large_transaction_goes_through(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, text text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 100000) i")
    shipper = pipeline.shipper(topics={"partitions": 4})
    with shipper:
        pipeline.wait_until_shipped(120)
        assert shipper.rss_mb() < 200
        assert shipper.stop() == 0
    assert pipeline.check("public.t").changes == 100_000


def test_starts_at_once_with_wide_tables_and_tries_its_settings_on_them_as_they_are_now(pipeline):
    """Reading a definition anew for each of its columns, nine such tables kept the shipper from starting for minutes."""
    columns = ", ".join(f"column_{i} text" for i in range(1, 1501))
    for i in range(9):
        pipeline.execute(f"CREATE TABLE wide_{i} (id int PRIMARY KEY, {columns})")
        pipeline.capture(f"wide_{i}")
        pipeline.execute(f"INSERT INTO wide_{i} VALUES (1)")
    pipeline.execute("ALTER TABLE wide_0 RENAME column_1500 TO \"Last \"\"ü\"\"\"")
    pipeline.execute("ALTER TABLE wide_1 DROP COLUMN column_1500, DROP CONSTRAINT wide_1_pkey")
    pipeline.shipper(columns={"exclude": [r"public\.wide_.*\.column_.*"]}).once(timeout_s=60)
    (record,) = pipeline.records("public.wide_8")
    assert json.loads(record.key) == {"id": 1}
    assert json.loads(record.value)["after"] == {"id": 1}
