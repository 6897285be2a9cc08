"""Several shippers: streams of their own, and a standby on the same one."""

import contextlib

from pipeline import ROLE
from rig.processes import wait_until


def test_each_stream_gets_its_tables_and_the_log_waits_for_the_slowest(pipeline):
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY, version int)", "CREATE TABLE b (id int PRIMARY KEY, version int)",
                     "SELECT waybill.create_stream('only_a', ARRAY['public.a'])")
    pipeline.capture("a", "b")
    pipeline.execute("INSERT INTO a SELECT i, 1 FROM generate_series(1, 100) i",
                     "INSERT INTO b SELECT i, 1 FROM generate_series(1, 100) i",
                     "BEGIN; UPDATE a SET version = 2; UPDATE b SET version = 2; COMMIT")
    first = pipeline.shipper()
    second = pipeline.shipper(stream={"name": "only_a", "prefix": f"{pipeline.name}a"})
    with first:
        pipeline.wait_until_shipped()
        pipeline.check("public.a", "public.b")
        assert pipeline.acknowledged("only_a") == 0
        assert pipeline.value("SELECT count(*) FROM waybill.changes") == 400, "the other stream needs the log"
        with second:
            pipeline.wait_until_shipped(stream="only_a")
            wait_until(lambda: pipeline.log_rows() == 0, 30, "the log is emptied when both are done", 0.1)
            assert second.stop() == 0
        assert first.stop() == 0
    topics = pipeline.broker.topics()
    assert f"{pipeline.name}a.public.a" in topics and f"{pipeline.name}a.public.b" not in topics


def test_the_standby_takes_over_when_the_active_shipper_dies(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, version int)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i, 1 FROM generate_series(1, 1000) i")
    active, standby = pipeline.shipper(), pipeline.shipper()
    with active:
        pipeline.wait_until_shipped()
        with standby:
            standby.wait_for_line("waiting to take over")
            pipeline.execute("UPDATE t SET version = 2")
            pipeline.wait_until_shipped()
            assert active.running and standby.running
            active.kill()
            pipeline.execute("UPDATE t SET version = 3")
            pipeline.wait_until_shipped()
            assert standby.running
    assert pipeline.check("public.t").changes == 3000


def test_the_tables_of_a_stream_may_be_renamed_while_it_is_shipped_and_while_it_is_not(pipeline):
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)", "CREATE SCHEMA other",
                     "SELECT waybill.create_stream('only_a', ARRAY['public.a'])")
    pipeline.capture("a", "b")
    settings = {"stream": {"name": "only_a"}}
    with pipeline.shipper(**settings) as running:
        pipeline.execute("INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1)")
        pipeline.wait_until_shipped(stream="only_a")
        pipeline.execute("ALTER TABLE a RENAME TO a2", "INSERT INTO a2 VALUES (2)")
        # Another one takes its name and gives it up again.
        pipeline.execute("CREATE TABLE a (id int PRIMARY KEY)", "SELECT waybill.enable_capture('a')", "INSERT INTO a VALUES (3)",
                         "ALTER TABLE a RENAME TO a3", "INSERT INTO a3 VALUES (4)")
        pipeline.wait_until_shipped(stream="only_a")
        assert running.stop() == 0
    pipeline.execute("INSERT INTO a2 VALUES (5)", "ALTER TABLE a2 SET SCHEMA other", "INSERT INTO other.a2 VALUES (6)",
                     "ALTER SCHEMA other RENAME TO another", "INSERT INTO another.a2 VALUES (7)", "INSERT INTO b VALUES (2)")
    pipeline.shipper(**settings).once()
    tables = ("public.a", "public.a2", "public.a3", "other.a2", "another.a2", "public.b")
    assert {table: [event["after"]["id"] for event in pipeline.events(table)]
            for table in tables if f"{pipeline.name}.{table}" in pipeline.broker.topics()} == {
        "public.a": [1, 3], "public.a2": [2, 5], "public.a3": [4], "other.a2": [6], "another.a2": [7]}


def test_only_who_was_given_a_stream_ships_it(pipeline):
    pipeline.execute("SELECT waybill.create_stream('foreign')")
    shipper = pipeline.shipper(stream={"name": "foreign"})
    pipeline.execute(f"SELECT waybill.revoke_shipper('{ROLE}', 'foreign')")
    with shipper:
        assert shipper.wait() == 1
        assert "may not ship stream \"foreign\"" in shipper.stderr() and "grant_shipper" in shipper.stderr()
    pipeline.execute(f"SELECT waybill.grant_shipper('{ROLE}', 'foreign')")
    pipeline.shipper(stream={"name": "foreign"}).once()


def test_what_strangers_lock_does_not_stop_the_shipper(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, version int)", "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger")
    pipeline.capture("t")
    stream = pipeline.value("SELECT id FROM waybill.stream")
    with contextlib.closing(pipeline.connect(autocommit=False)) as stranger, stranger.cursor() as cursor:
        cursor.execute("SET ROLE stranger")
        cursor.execute("SELECT pg_advisory_lock(2003790188, %s)", (stream,))
        cursor.execute("""DO $$
            DECLARE
                relation regclass;
            BEGIN
                FOR relation IN SELECT oid FROM pg_class WHERE relname ~ '_seq$|^(segment|prepared)_.$|^(released|stream)$' LOOP
                    BEGIN
                        PERFORM nextval(relation);
                    EXCEPTION WHEN OTHERS THEN NULL;
                    END;
                END LOOP;
            END $$""")
        with pipeline.shipper() as shipper:
            pipeline.execute("INSERT INTO t SELECT i, 1 FROM generate_series(1, 100) i", "UPDATE t SET version = 2")
            pipeline.wait_until_shipped()
            assert pipeline.value("SELECT count(*) FROM waybill.lock_holders WHERE mode = 'RowExclusiveLock'") > 8
            assert shipper.stop() == 0
        stranger.rollback()
    assert pipeline.check("public.t").changes == 200
