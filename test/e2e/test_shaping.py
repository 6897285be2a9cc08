"""What the settings make of what is published: fewer tables, columns and changes, other values, keys and topics."""

import json

import pytest

from rig.processes import reserve_port
from rig.shipper import Shipper

CONFIGURATION = 2


@pytest.fixture
def people(pipeline):
    """A captured table with one row."""
    pipeline.execute("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text, age int, note text)")
    pipeline.capture("people")
    pipeline.execute("INSERT INTO people VALUES (1, 'Ada', 'ada@example.org', 36, 'first')")
    return pipeline


def ship(pipeline, **sections) -> None:
    """Drains the log; what is not published is acknowledged, too."""
    target = pipeline.last_csn()
    pipeline.shipper(**sections).once()
    assert pipeline.acknowledged() >= target


def topics(pipeline) -> set[str]:
    """The topics of this test, without the prefix."""
    return {topic.removeprefix(pipeline.name + ".") for topic in pipeline.broker.topics()
            if topic.startswith(pipeline.name + ".")}


def operations(pipeline, table: str = "public.people") -> list[tuple]:
    """(key, operation) of each record; a tombstone's is None."""
    return [(json.loads(record.key), json.loads(record.value)["op"] if record.value else None)
            for record in pipeline.records(table)]


# ---- tables

def test_only_included_tables_that_are_not_excluded_are_published(pipeline):
    for table in ("orders", "orders_old", "customers"):
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
        pipeline.capture(table)
        pipeline.execute(f"INSERT INTO {table} VALUES (1)")
    ship(pipeline, tables={"include": [r"public\.orders.*"], "exclude": [r".*_OLD"]})
    assert topics(pipeline) == {"public.orders"}
    assert operations(pipeline, "public.orders") == [({"id": 1}, "c")]


def test_lists_are_read_from_flags_and_from_the_environment(pipeline):
    for table in ("a", "b", "c"):
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
        pipeline.capture(table)
        pipeline.execute(f"INSERT INTO {table} VALUES (1)")
    pipeline.shipper("--tables-include", r"public\.a", "--tables-include", r"public\.b",
                     env={"WAYBILL_TABLES_EXCLUDE": r"public\.x;public\.b"}).once()
    assert topics(pipeline) == {"public.a"}


# ---- columns

def test_columns_are_left_out_of_rows_but_not_of_keys(people):
    people.execute("UPDATE people SET name = 'Grace'", "DELETE FROM people")
    ship(people, columns={"include": [r"public\.people\.(name|email|age)"], "exclude": [r".*\.email"]})
    records = people.records("public.people")
    assert [record.key for record in records] == [b'{"id":1}'] * 4
    rows = [(event["before"], event["after"]) for event in people.events("public.people")]
    assert rows == [(None, {"name": "Ada", "age": 36}), ({"name": "Ada", "age": 36}, {"name": "Grace", "age": 36}),
                    ({"name": "Grace", "age": 36}, None)]


def test_columns_left_out_are_missing_in_the_schema(people):
    ship(people, stream={"schemas": True}, columns={"exclude": [r".*\.(email|age)"]})
    record, = people.records("public.people")
    value = json.loads(record.value)
    after = next(field for field in value["schema"]["fields"] if field["field"] == "after")
    assert [field["field"] for field in after["fields"]] == ["id", "name", "note"]
    assert set(value["payload"]["after"]) == {"id", "name", "note"}


def test_masked_hashed_and_truncated_columns(people):
    """PostgreSQL says what the hash is."""
    people.execute("INSERT INTO people VALUES (2, 'Zoë', NULL, NULL, NULL), (3, 'Bo', 'b€😀@x', 7, '€😀äöü')",
                   "UPDATE people SET email = 'new@example.org', note = 'much longer', age = 37 WHERE id = 1")
    ship(people, columns={"mask": [r".*\.name=***"], "hash": [r".*\.(email|age)=pepper=1"], "truncate": [r".*\.note=3"]})

    def hashed(text: str) -> str:
        return people.value("SELECT encode(sha256(convert_to('pepper=1' || %s, 'UTF8')), 'hex')", (text,))

    events = people.events("public.people")
    first = {"id": 1, "name": "***", "email": hashed("ada@example.org"), "age": hashed("36"), "note": "fir"}
    assert [event["after"] for event in events] == [
        first,
        {"id": 2, "name": "***", "email": None, "age": None, "note": None},
        {"id": 3, "name": "***", "email": hashed("b€😀@x"), "age": hashed("7"), "note": "€😀ä"},
        {"id": 1, "name": "***", "email": hashed("new@example.org"), "age": hashed("37"), "note": "muc"}]
    assert events[3]["before"] == first
    assert len(first["email"]) == 64


def test_every_type_is_hashed_and_truncated_by_its_text(pipeline):
    values = {"boolean": "true", "numeric(10,2)": "12.50", "timestamptz": "'2024-05-01 10:00:00+02'", "date": "'2024-05-01'",
              "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "jsonb": """'{"a": [1, 2]}'""", "int[]": "'{1,2,NULL}'",
              "bytea": "'\\x0102'", "inet": "'10.0.0.1'", "double precision": "0.1", "interval": "'1 day 02:00:00'",
              "int4range": "'[1,5)'", "money": "12.5", "bit(3)": "'101'", "time": "'10:00:00'", "point": "'(1,2)'"}
    columns = ", ".join(f"c{at} {type}, d{at} {type}" for at, type in enumerate(values))
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
    pipeline.capture("t")
    pipeline.execute(f"INSERT INTO t VALUES (1, {', '.join(f'{value}, {value}' for value in values.values())})")
    ship(pipeline, columns={"hash": [r".*\.c\d+=salt"], "truncate": [r".*\.d\d+=4"]})
    event, = pipeline.events("public.t")
    with pipeline.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; "
                       "SET bytea_output = 'hex'; SET extra_float_digits = 1")
        for at, type in enumerate(values):
            cursor.execute(f"SELECT encode(sha256(convert_to('salt' || format('%s', c{at}), 'UTF8')), 'hex'), "
                           f"left(format('%s', d{at}), 4) FROM t")
            assert (event["after"][f"c{at}"], event["after"][f"d{at}"]) == cursor.fetchone(), type


def test_changed_columns_have_the_schema_of_a_string(people):
    ship(people, stream={"schemas": True}, columns={"mask": [r".*\.name=***"], "hash": [r".*\.age=x"]})
    record, = people.records("public.people")
    value = json.loads(record.value)
    after = next(field for field in value["schema"]["fields"] if field["field"] == "after")
    fields = {field["field"]: field for field in after["fields"]}
    masked = {"type": "string", "parameters": {"masked": "true"}}
    assert fields["age"] == masked | {"optional": True, "field": "age"}
    assert fields["name"] == masked | {"optional": False, "field": "name"}


def test_a_hashed_key_is_hashed_in_the_key_and_in_the_row(people):
    people.execute("UPDATE people SET id = 2")
    ship(people, columns={"hash": [r".*\.id=salt"]})
    one, two = (people.value("SELECT encode(sha256(%s), 'hex')", (f"salt{id}".encode(),)) for id in (1, 2))
    assert operations(people) == [({"id": one}, "c"), ({"id": one}, "d"), ({"id": one}, None), ({"id": two}, "c")]
    events = people.events("public.people")
    assert (events[1]["before"]["id"], events[2]["after"]["id"]) == (one, two)


@pytest.mark.parametrize("format, schemas", [("debezium", False), ("debezium", True), ("flattened", False), ("flattened", True),
                                             ("maxwell", False), ("cloudevents", False), ("cloudevents", True)])
def test_no_format_lets_hidden_values_through(pipeline, format, schemas):
    """Not in rows, old rows, keys, headers or the defaults of schemas."""
    pipeline.execute("CREATE TABLE t (id text PRIMARY KEY, a text DEFAULT 'hidden', b text DEFAULT 'hidden', "
                     "c text DEFAULT 'hidden', d text NOT NULL DEFAULT 'xhidden')")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t (id) VALUES ('hidden 1')", "UPDATE t SET a = 'hidden 2', b = 'hidden 3', c = 'hidden 4', d = 'x'",
                     "UPDATE t SET id = 'hidden 5'", "DELETE FROM t", "INSERT INTO t VALUES ('hidden 6', NULL, NULL, NULL)",
                     "TRUNCATE t")
    ship(pipeline, stream={"format": format, "schemas": schemas, "replace_null_with_default": True},
         columns={"hash": [r".*\.(id|a)=salt"], "mask": [r".*\.b=***"], "exclude": [r".*\.c"], "truncate": [r".*\.d=1"]})
    records = pipeline.records("public.t")
    assert len(records) >= 5
    for record in records:
        for part in (record.key, record.value, *(value for _, value in record.headers)):
            assert b"hidden" not in (part or b""), record
    assert any(b'"***"' in (record.value or b"") for record in records)


# ---- keys

def test_a_table_gets_another_key(people):
    people.execute("UPDATE people SET age = 37", "UPDATE people SET name = 'Grace'", "DELETE FROM people")
    ship(people, tables={"key": [r"public\.people=name,id"]})
    ada, grace = {"name": "Ada", "id": 1}, {"name": "Grace", "id": 1}
    assert operations(people) == [(ada, "c"), (ada, "u"), (ada, "d"), (ada, None), (grace, "c"), (grace, "d"), (grace, None)]
    assert people.records("public.people")[0].key == b'{"name":"Ada","id":1}'


def test_a_table_without_a_key_gets_one(pipeline):
    pipeline.execute("CREATE TABLE t (visitor int, page text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i % 5, 'x' FROM generate_series(1, 50) i", "DELETE FROM t WHERE visitor = 3")
    ship(pipeline, tables={"key": [r".*=visitor"]}, topics={"partitions": 4})
    records = pipeline.records("public.t")
    assert len(records) == 50 + 2 * 10
    partitions = {}
    for record in records:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert sorted(partitions) == [b'{"visitor":%d}' % i for i in range(5)]
    assert all(len(each) == 1 for each in partitions.values())
    assert len(set.union(*partitions.values())) > 1


# ---- topics

@pytest.mark.parametrize("name, topic", [("{prefix}.{table}", "people"), ("{prefix}.{schema}-{database}", "public-{name}"),
                                         ("{prefix}.all", "all")])
def test_topics_are_named_by_a_template(people, name, topic):
    people.execute("CREATE TABLE other (id int PRIMARY KEY)")
    ship(people, topics={"name": name})
    topic = topic.replace("{name}", people.name)
    assert topics(people) == {topic}
    assert operations(people, topic) == [({"id": 1}, "c")]


def test_one_topic_takes_all_tables_in_commit_order(people):
    people.execute("CREATE TABLE other (id int PRIMARY KEY)")
    people.capture("other")
    people.execute("INSERT INTO other VALUES (1)", "UPDATE people SET age = 1", "DELETE FROM other")
    ship(people, topics={"name": f"{people.name}.all"})
    events = people.events("all")
    assert [(event["source"]["table"], event["op"]) for event in events] == [
        ("people", "c"), ("other", "c"), ("people", "u"), ("other", "d")]


def test_routes_join_tables_under_one_topic(pipeline):
    for table in ("orders_2024", "orders_2025", "orders"):
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
        pipeline.capture(table)
        pipeline.execute(f"INSERT INTO {table} VALUES ({table[-1] if table[-1].isdigit() else 1})")
    ship(pipeline, topics={"routes": [r"(\w+)\.(\w+)_\d+={prefix}.$1.$2s"]})
    assert topics(pipeline) == {"public.orderss", "public.orders"}
    assert operations(pipeline, "public.orderss") == [({"id": 4}, "c"), ({"id": 5}, "c")]


def test_check_names_the_topics_that_the_settings_make(people):
    done = people.shipper(topics={"name": "{prefix}.{table}-x"}).run("check")
    assert done.returncode == 0, done.stderr
    assert f"topic {people.name}.people-x (will be created)" in done.stdout


# ---- changes

def test_updates_that_change_nothing_published_are_left_out(people):
    people.execute("UPDATE people SET name = name", "UPDATE people SET note = 'not published'",
                   "UPDATE people SET email = NULL", "UPDATE people SET email = NULL", "UPDATE people SET id = id + 1")
    ship(people, stream={"skip_unchanged_updates": True}, columns={"exclude": [r".*\.note"]})
    assert operations(people) == [({"id": 1}, "c"), ({"id": 1}, "u"), ({"id": 1}, "d"), ({"id": 1}, None), ({"id": 2}, "c")]


def test_updates_that_change_nothing_are_published_unless_asked_otherwise(people):
    people.execute("UPDATE people SET name = name")
    ship(people)
    assert operations(people) == [({"id": 1}, "c"), ({"id": 1}, "u")]


def test_operations_are_left_out(people):
    people.execute("UPDATE people SET age = 1", "DELETE FROM people", "INSERT INTO people VALUES (2, 'b')", "TRUNCATE people")
    ship(people, stream={"skip_operations": ["d", "t"]})
    assert operations(people) == [({"id": 1}, "c"), ({"id": 1}, "u"), ({"id": 2}, "c")]


def test_deletes_come_without_tombstones(people):
    people.execute("UPDATE people SET id = 2", "DELETE FROM people")
    ship(people, stream={"tombstones": False})
    assert operations(people) == [({"id": 1}, "c"), ({"id": 1}, "d"), ({"id": 2}, "c"), ({"id": 2}, "d")]


def test_old_rows_have_only_their_keys(people):
    people.execute("UPDATE people SET age = 37", "UPDATE people SET id = 2", "DELETE FROM people")
    ship(people, stream={"before": "key"})
    key_only = {"name": "", "email": None, "age": None, "note": None}
    assert [(event["op"], event["before"]) for event in people.events("public.people")] == [
        ("c", None), ("u", None), ("d", {"id": 1} | key_only), ("c", None), ("d", {"id": 2} | key_only)]


def test_settings_hold_for_what_was_captured_before(people):
    """A shipper that goes on with other settings applies them to what it has not yet acknowledged, and to nothing else."""
    ship(people)
    people.execute("UPDATE people SET age = 37")
    ship(people, columns={"mask": [r".*\.name=***"]})
    assert [event["after"]["name"] for event in people.events("public.people")] == ["Ada", "***"]


# ---- what is wrong

@pytest.mark.parametrize("section, setting, value, words", [
    ("tables", "include", [r"public\.(a"], "is not a regular expression"),
    ("tables", "exclude", "", "a pattern is empty"),
    ("tables", "key", ["people"], "PATTERN=COLUMN,COLUMN"),
    ("columns", "mask", ["secret"], "PATTERN=TEXT"),
    ("columns", "hash", ["a:pepper"], "PATTERN=SALT"),
    ("columns", "truncate", ["a=ten"], "number of characters"),
    ("topics", "name", "{prefix}.{tabel}", "unknown placeholder {tabel}"),
    ("topics", "name", "..", "is no name that Kafka allows"),
    ("topics", "routes", ["(a)=$2"], "has 1 group"),
    ("types", "as_text", ["a("], "is not a regular expression"),
    ("stream", "skip_operations", ["x"], "is not supported"),
    ("stream", "before", "some", "is not supported"),
    ("stream", "format", "xml", '"debezium", "flattened", "maxwell", "cloudevents"'),
])
def test_wrong_settings_are_refused_before_anything_is_connected(section, setting, value, words):
    nowhere = f"127.0.0.1:{reserve_port()}"
    host, port = nowhere.split(":")
    configuration = {"database": {"conninfo": f"host={host} port={port} dbname=x user=x"}, "stream": {"prefix": "p"},
                     "kafka": {"bootstrap.servers": nowhere}}
    configuration.setdefault(section, {})[setting] = value
    shipper = Shipper(configuration)
    try:
        for command in ("run", "check"):
            done = shipper.run(command)
            assert done.returncode == CONFIGURATION, done.stderr
            line, = done.stderr.splitlines()
            assert f"{section}.{setting}" in line and words in line
            assert "pepper" not in line
    finally:
        shipper.close()


@pytest.mark.parametrize("sections, words", [
    ({"tables": {"key": [r"public\.people=id,nr"]}}, 'names column "nr", which table public.people has not'),
    ({"columns": {"mask": [r".*\.id=x"]}}, "it would make different keys equal"),
    ({"tables": {"key": [r".*=name"]}, "columns": {"truncate": [r".*\.name=1"]}}, "it would make different keys equal"),
])
def test_settings_that_do_not_fit_a_table_are_refused_at_start(people, sections, words):
    """Before anything is published: not when the table's first change comes."""
    people.shipper().once()
    before = len(people.records("public.people"))
    people.execute("CREATE TABLE other (id int PRIMARY KEY, name text)")
    people.capture("other")
    people.execute("INSERT INTO other VALUES (1)")
    sections = {"tables": {"exclude": [r".*\.other"]}} | sections
    shipper = people.shipper(**sections)
    done = shipper.run("--once")
    assert done.returncode == CONFIGURATION, done.stderr
    assert [words in line for line in done.stderr.splitlines() if " error: " in line] == [True], done.stderr
    done = shipper.run("check")
    assert done.returncode == CONFIGURATION, done.stderr
    assert {words in line for line in done.stderr.splitlines() if line.startswith("error ")} == {True}, done.stderr
    assert len(people.records("public.people")) == before


def test_rules_for_tables_that_are_gone_or_renamed_do_not_stop_the_shipper(people):
    people.execute("CREATE TABLE gone (a int)", "CREATE TABLE old (a int, b int)")
    people.capture("gone", "old")
    people.execute("INSERT INTO gone VALUES (1)", "INSERT INTO old VALUES (1, 1)", "DROP TABLE gone",
                   "ALTER TABLE old RENAME TO new", "ALTER TABLE new DROP COLUMN a", "INSERT INTO new VALUES (2)")
    ship(people, tables={"key": [r".*\.(gone|old)=a"]})
    for table in "gone", "old":
        assert operations(people, f"public.{table}") == [({"a": 1}, "c")]
    assert [event["after"] for event in people.events("public.new")] == [{"b": 2}]
