"""Tables that PostgreSQL's own logical replication writes are captured like all others."""

import contextlib

import pytest

from pipeline import Pipeline
from rig import postgres
from rig.processes import wait_until


def test_what_logical_replication_applies_is_captured(installation, broker):
    with postgres.Server(installation, {"wal_level": "logical", "wal_retrieve_retry_interval": "100ms"}) as server:
        tables = ["CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 1, note text DEFAULT repeat('long ', 1000))",
                  "CREATE TABLE keyless (n int)", "ALTER TABLE keyless REPLICA IDENTITY FULL"]
        server.create_database("publisher", *tables, "INSERT INTO t SELECT g FROM generate_series(1, 500) g",
                               "CREATE PUBLICATION everything FOR TABLE t, keyless",
                               # The subscriber is on the same server: CREATE SUBSCRIPTION would wait for itself.
                               "SELECT pg_create_logical_replication_slot('everything', 'pgoutput')")
        pipeline = Pipeline(server, broker, "subscriber")
        # Here the rows go into partitions, one of which has its columns in another order.
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, n int, note text) PARTITION BY RANGE (id)",
                         "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (MINVALUE) TO (250)",
                         "CREATE TABLE t_high (note text, id int NOT NULL, n int)",
                         "ALTER TABLE t ATTACH PARTITION t_high DEFAULT", tables[1], tables[2])
        pipeline.capture("t", "keyless")
        with pipeline.shipper():
            # The rows that are there come by COPY, through workers of their own.
            pipeline.execute(f"CREATE SUBSCRIPTION everything CONNECTION '{server.conninfo('publisher')}' "
                             "PUBLICATION everything WITH (create_slot = false)")
            wait_until(lambda: pipeline.value("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), 60,
                       "the tables are copied", 0.1)
            server.execute("publisher", "INSERT INTO keyless SELECT g % 3 FROM generate_series(1, 9) g",
                           "UPDATE t SET n = n + 1 WHERE id % 2 = 0",
                           "UPDATE t SET id = id + 1000 WHERE id BETWEEN 240 AND 249",
                           "DELETE FROM t WHERE id % 10 = 5",
                           "BEGIN; INSERT INTO t SELECT g FROM generate_series(2001, 2100) g; SAVEPOINT s; DELETE FROM t; "
                           "ROLLBACK TO s; UPDATE t SET note = 'short', n = n + 1 WHERE id > 2000; COMMIT",
                           "UPDATE keyless SET n = n + 10 WHERE n = 1", "DELETE FROM keyless WHERE n = 2")
            rows = "SELECT id, n, note FROM t ORDER BY id"
            keyless = "SELECT n FROM keyless ORDER BY n"
            wait_until(lambda: all(pipeline.query(query) == server.query("publisher", query) for query in (rows, keyless)),
                       60, "the subscriber applied it", 0.1)
            pipeline.wait_until_shipped()
            pipeline.check("public.t", "public.keyless")
            server.execute("publisher", "TRUNCATE t")
            wait_until(lambda: pipeline.value("SELECT count(*) FROM t") == 0, 60, "the TRUNCATE is applied", 0.1)
            pipeline.wait_until_shipped()
        operations = [event["op"] for event in pipeline.events("public.t")]
        assert operations[-1] == "t" and operations[:500] == ["c"] * 500
        pipeline.check("public.t", "public.keyless")
        # A subscription's worker keeps its database from being dropped.
        pipeline.execute("ALTER SUBSCRIPTION everything DISABLE", "ALTER SUBSCRIPTION everything SET (slot_name = NONE)",
                         "DROP SUBSCRIPTION everything")
        pipeline.close()


@pytest.mark.since(16)
def test_what_parallel_workers_apply_is_captured_in_the_order_of_the_publisher(installation, broker):
    """Transactions that are open at once are sent while they run and applied by a worker each; they end in one order."""
    settings = {"wal_level": "logical", "wal_retrieve_retry_interval": "100ms", "logical_decoding_work_mem": "64kB",
                "max_logical_replication_workers": "12", "max_worker_processes": "20",
                "max_parallel_apply_workers_per_subscription": "6"}
    with postgres.Server(installation, settings) as server:
        table = "CREATE TABLE t (id int PRIMARY KEY, writer int, n int, note text)"
        server.create_database("publisher", table, "CREATE PUBLICATION everything FOR TABLE t",
                               "SELECT pg_create_logical_replication_slot('everything', 'pgoutput')",
                               "INSERT INTO t VALUES (0, -1, 0, NULL)")
        pipeline = Pipeline(server, broker, "parallel")
        pipeline.execute(table)
        pipeline.capture("t")
        with pipeline.shipper(), contextlib.ExitStack() as stack:
            pipeline.execute(f"CREATE SUBSCRIPTION everything CONNECTION '{server.conninfo('publisher')}' "
                             "PUBLICATION everything WITH (create_slot = false, streaming = parallel)")
            wait_until(lambda: pipeline.value("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), 60,
                       "the table is copied", 0.1)
            writers = [stack.enter_context(contextlib.closing(server.connect("publisher", autocommit=False))) for _ in range(5)]
            for step in range(3):
                for number, writer in enumerate(writers):
                    with writer.cursor() as cursor:
                        cursor.execute("INSERT INTO t SELECT g, %(writer)s, %(step)s, repeat('x', 100) "
                                       "FROM generate_series(%(first)s, %(first)s + 799) g",
                                       {"writer": number, "step": step, "first": 1 + number * 100_000 + step * 1000})
                        cursor.execute("SAVEPOINT s; DELETE FROM t WHERE writer = %s; ROLLBACK TO s", (number,))
                        cursor.execute("UPDATE t SET n = n + 10 WHERE writer = %s AND id %% 10 = 0", (number,))
            working = "SELECT count(*) FROM pg_stat_subscription WHERE worker_type = 'parallel apply' AND leader_pid IS NOT NULL"
            wait_until(lambda: pipeline.value(working) >= 5, 60, "a worker applies each transaction", 0.05)
            ended = [3, 0, 4, 2, 1]
            for number in ended:
                with writers[number].cursor() as cursor:
                    # What all of them write comes in the order in which they end.
                    cursor.execute("UPDATE t SET n = n + 1, note = %s WHERE id = 0", (f"by {number}",))
                (writers[number].rollback if number == 4 else writers[number].commit)()
            rows = "SELECT * FROM t ORDER BY id"
            wait_until(lambda: pipeline.query(rows) == server.query("publisher", rows), 60, "the subscriber applied it", 0.1)
            pipeline.wait_until_shipped()
        pipeline.check("public.t")
        events = [event["after"] for event in pipeline.events("public.t")]
        assert [row["note"] for row in events if row["id"] == 0] == [None, *(f"by {number}" for number in ended if number != 4)]
        # Each in one piece.
        assert list(dict.fromkeys(row["writer"] for row in events if row["id"] != 0)) == [3, 0, 2, 1]
        assert len(events) == 1 + 4 * (3 * 800 + (80 + 160 + 240) + 1)
        pipeline.execute("ALTER SUBSCRIPTION everything DISABLE", "ALTER SUBSCRIPTION everything SET (slot_name = NONE)",
                         "DROP SUBSCRIPTION everything")
        pipeline.close()
