"""What later versions of PostgreSQL brought, up to the topics."""

import contextlib
import json

import psycopg2
import pytest

from pipeline import ROLE, Pipeline

CONFIGURATION = 2  # the shipper's exit status


def rows(pipeline, table: str) -> list[dict]:
    """What the topic has, folded by key."""
    folded = {}
    for record in pipeline.records(table):
        if record.value is None:
            folded.pop(record.key)
        else:
            folded[record.key] = json.loads(record.value)["after"]
    return list(folded.values())


@pytest.mark.since(18)
def test_periods_in_keys(pipeline):
    """WITHOUT OVERLAPS: who shortens a period deletes the old key and its last record, too."""
    pipeline.execute("CREATE TABLE rooms (id int4range, during daterange, price int, PRIMARY KEY (id, during WITHOUT OVERLAPS))",
                     "CREATE TABLE stays (id int PRIMARY KEY, room int4range, during daterange, "
                     "FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during))")
    pipeline.capture("rooms", "stays")
    pipeline.execute("INSERT INTO rooms VALUES ('[1,2)', '[2024-01-01,2024-07-01)', 100), ('[1,2)', '[2024-07-01,)', 120)",
                     "INSERT INTO stays VALUES (1, '[1,2)', '[2024-06-20,2024-07-10)')",
                     "UPDATE rooms SET during = '[2024-07-01,2024-10-01)' WHERE price = 120",
                     "INSERT INTO rooms VALUES ('[1,2)', '[2024-10-01,)', 130)",
                     "UPDATE rooms SET price = price + 1", "DELETE FROM rooms WHERE price = 131")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        pipeline.execute("DELETE FROM rooms WHERE price = 101")
    pipeline.shipper().once()
    pipeline.check("public.rooms", "public.stays")
    records = [(json.loads(record.key), record.value and json.loads(record.value)["op"])
               for record in pipeline.records("public.rooms")]
    first, open_, half, last = ({"id": "[1,2)", "during": during} for during in (
        "[2024-01-01,2024-07-01)", "[2024-07-01,)", "[2024-07-01,2024-10-01)", "[2024-10-01,)"))
    assert records == [(first, "c"), (open_, "c"), (open_, "d"), (open_, None), (half, "c"), (last, "c"),
                       (first, "u"), (half, "u"), (last, "u"), (last, "d"), (last, None)]


@pytest.mark.since(18)
def test_generated_columns_of_both_kinds_and_uuids_by_time(pipeline):
    pipeline.execute("CREATE TABLE t (v int GENERATED ALWAYS AS (n * 3), id uuid DEFAULT uuidv7() PRIMARY KEY, n int, "
                     "s int GENERATED ALWAYS AS (n * 2) STORED, w text GENERATED ALWAYS AS ('w' || n) VIRTUAL)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t (n) SELECT generate_series(1, 20)", "UPDATE t SET n = n + 100 WHERE v <= 15",
                     "MERGE INTO t USING generate_series(36, 63, 3) s (v) ON t.v = s.v WHEN MATCHED THEN DELETE "
                     "WHEN NOT MATCHED THEN INSERT (n) VALUES (-s.v) WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = -n "
                     "RETURNING merge_action(), old.n, new.s")
    pipeline.shipper(stream={"schemas": True}).once()
    pipeline.check("public.t")
    value = json.loads(pipeline.records("public.t")[0].value)
    assert list(value["payload"]["after"]) == ["id", "n", "s"]
    before, after = value["schema"]["fields"][:2]
    assert [field["field"] for field in after["fields"]] == [field["field"] for field in before["fields"]] == ["id", "n", "s"]
    ids = [event["payload"]["after"]["id"] for event in pipeline.events("public.t")[:20]]
    assert ids == sorted(ids)
    # It becomes a stored one under way.
    pipeline.execute("ALTER TABLE t DROP COLUMN w, ADD COLUMN w text GENERATED ALWAYS AS ('x' || n) STORED", "UPDATE t SET n = n + 1")
    pipeline.shipper(stream={"schemas": True}).once()
    last = pipeline.events("public.t")[-1]["payload"]
    for row in last["before"], last["after"]:
        assert list(row) == ["id", "n", "s", "w"] and row["w"] == f"x{row['n']}"


@pytest.mark.since(18)
def test_virtual_columns_are_no_keys(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, v int GENERATED ALWAYS AS (n * 3))")
    pipeline.capture("t")
    refused = pipeline.shipper(tables={"key": [r"public\.t=v"]}).run("--once")
    assert refused.returncode == CONFIGURATION and 'names column "v", which table public.t has not' in refused.stderr


@pytest.mark.since(17)
@pytest.mark.parametrize("locale", ["C.UTF-8", pytest.param("PG_UNICODE_FAST", marks=pytest.mark.since(18))])
def test_a_database_whose_locale_is_built_in(pipeline_in, locale):
    """Conditions work as everywhere in the database: its upper() knows more letters than that of C."""
    pipeline = pipeline_in(options=f"LOCALE_PROVIDER builtin BUILTIN_LOCALE '{locale}'")
    pipeline.execute('CREATE TABLE "Größe" (id text PRIMARY KEY, n int)')
    pipeline.execute("""SELECT waybill.enable_capture('"Größe"', condition => $$upper(id) ~ '^[[:upper:]]+$' AND upper(id) >= 'Z'$$)""")
    pipeline.execute("""INSERT INTO "Größe" VALUES ('ä', 1), ('ßa', 2), ('Äé', 3), ('1', 4), ('Ab', 5), ('z', 6)""",
                     """UPDATE "Größe" SET id = initcap(id), n = n + 10""")
    pipeline.shipper().once()
    published = {tuple(row) for row in pipeline.query("""
        SELECT id, n FROM "Größe" WHERE upper(id) ~ '^[[:upper:]]+$' AND upper(id) >= 'Z'""")}
    assert {(row["id"], row["n"]) for row in rows(pipeline, "public.Gr__e")} == published
    assert {"Ä", "Äé", "Z"} <= {id for id, _ in published}


@pytest.mark.since(17)
def test_a_transaction_that_takes_too_long_is_not_published_and_the_shipper_takes_its_time(own_server, broker):
    pipeline = Pipeline(own_server, broker, "too_long")
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    for statement in (f"ALTER ROLE {ROLE} SET transaction_timeout = '50ms'", "ALTER DATABASE too_long SET transaction_timeout = '50ms'"):
        own_server.execute("postgres", statement)
    with pipeline.shipper() as shipper:
        with contextlib.closing(pipeline.connect(autocommit=False)) as writer, writer.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(psycopg2.OperationalError):
                cursor.execute("SELECT pg_sleep(60)")
        # A transaction that is prepared in time, and one that waits in the log's fence: neither ends the shipper's session.
        pipeline.execute("INSERT INTO t VALUES (2)")
        with contextlib.closing(pipeline.connect()) as slow, slow.cursor() as cursor:
            cursor.execute("SET transaction_timeout = 0; BEGIN; INSERT INTO t VALUES (3); SELECT pg_sleep(0.2); COMMIT")
        pipeline.wait_until_shipped()
        assert "interrupted" not in shipper.stderr()
    assert [event["after"]["id"] for event in pipeline.events("public.t")] == [2, 3]
    assert own_server.log.read_text().count("due to transaction timeout") == 1
    pipeline.close()


def test_a_table_with_1600_columns(pipeline):
    columns = ", ".join(f"c{number} int DEFAULT {number}" for number in range(1, 1600))
    pipeline.execute(f"CREATE TABLE wide (id int PRIMARY KEY, {columns})")
    pipeline.capture("wide")
    pipeline.execute("INSERT INTO wide (id) SELECT generate_series(1, 3)", "UPDATE wide SET c1599 = 0, c1 = NULL",
                     "UPDATE wide SET id = 4 WHERE id = 3", "DELETE FROM wide WHERE id = 2")
    pipeline.shipper(stream={"schemas": True}).once()
    pipeline.check("public.wide")
    last = json.loads(pipeline.records("public.wide")[0].value)
    assert len(last["payload"]["after"]) == 1600 and last["payload"]["after"]["c1599"] == 1599
