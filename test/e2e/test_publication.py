"""A publication FOR ALL TABLES has the extension's tables too: subscribers do not notice, and are not harmed."""

import contextlib
import itertools

import psycopg2
import pytest

from pipeline import Pipeline
from rig import postgres
from rig.processes import wait_until

SETTINGS = {"wal_level": "logical", "wal_retrieve_retry_interval": "100ms", "max_prepared_transactions": "20",
            "max_sync_workers_per_subscription": "4", "max_logical_replication_workers": "12", "max_worker_processes": "20"}
TABLES = ("CREATE TABLE t (id int PRIMARY KEY, v text)",
          # Its shape is so long that it goes to TOAST.
          f"CREATE TABLE wide (id int PRIMARY KEY, {', '.join(f'column_{number} int' for number in range(900))})")
PUBLICATION = "CREATE PUBLICATION everything FOR ALL TABLES"
# Far more than fits a chunk.
WRITES = ("INSERT INTO t SELECT g, repeat('v', 100) FROM generate_series(1, 3000) g", "UPDATE t SET v = 'changed' WHERE id % 7 = 0",
          "DELETE FROM t WHERE id % 11 = 0", "INSERT INTO wide SELECT generate_series(1, 100)")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def publisher_server(installation):
    with postgres.Server(installation, SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def subscriber_server(installation):
    with postgres.Server(installation, SETTINGS) as started:
        yield started


class Subscription:
    """Of everything that a database publishes, in a database of another server."""

    def __init__(self, publisher: postgres.Server, subscriber: postgres.Server, publisher_name: str, name: str, options: str):
        self.publisher, self.subscriber, self.name = publisher, subscriber, name
        self.slot = f"{name}_slot"
        subscriber.execute(name, f"CREATE SUBSCRIPTION {name} CONNECTION '{publisher.conninfo(publisher_name)}' "
                                 f"PUBLICATION everything WITH (slot_name = {self.slot}, {options})")

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.subscriber.value(self.name, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), 60,
                   "all tables are copied", 0.1)

    def wait_until_applied(self) -> None:
        """All that the publisher has committed."""
        written = self.publisher.value("postgres", "SELECT pg_current_wal_insert_lsn()")
        applied = ("SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s", (written, self.slot))
        wait_until(lambda: self.publisher.value("postgres", *applied), 60, "the subscriber has applied everything", 0.1)

    def errors(self) -> int:
        return self.subscriber.value(self.name, "SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats")

    def drop(self) -> None:
        self.subscriber.execute(self.name, f"DROP SUBSCRIPTION {self.name}")


def decoded(server: postgres.Server, name: str, slot: str) -> set[str]:
    """What test_decoding sees: tables and operations."""
    rows = server.query(name, "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL) WHERE data LIKE 'table %%'", (slot,))
    return {" ".join(row[0].split(" ")[1:3]) for row in rows}


def work_of_the_extension(server: postgres.Server, name: str) -> None:
    """All that writes the extension's tables: capture, prepared transactions, shapes, streams, rotation and emptying."""
    server.execute(name, "SELECT waybill.enable_capture('t')", "SELECT waybill.enable_capture('wide')", *WRITES,
                   "SELECT waybill.create_stream('other')")
    assert server.value(name, "SELECT pg_relation_size(reltoastrelid) FROM pg_class "
                              "WHERE oid = 'waybill_internal.shape'::regclass") > 0
    with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for number in range(3):
            for statement in ("BEGIN", f"INSERT INTO t SELECT g, repeat('p', 500) FROM generate_series({5000 + number * 100}, "
                              f"{5050 + number * 100}) g", f"PREPARE TRANSACTION '{name}{number}'"):
                cursor.execute(statement)
        cursor.execute("SELECT waybill.safe_csn()")
        for number in range(3):
            cursor.execute(f"COMMIT PREPARED '{name}{number}'")
            cursor.execute("SELECT waybill.safe_csn()")
        cursor.execute("SELECT count(*) FROM waybill.changes WHERE (key ->> 'id')::int BETWEEN 5000 AND 6000")
        assert cursor.fetchone() == (153,)
        cursor.execute("SELECT waybill.enable_capture('t', key => '{id,v}')")
        cursor.execute("UPDATE t SET v = 'another shape' WHERE id = 1")
        cursor.execute("SELECT waybill.drop_stream('other')")
        cursor.execute("SELECT waybill.acknowledge(name, waybill.safe_csn()) FROM waybill.stream")
        cursor.execute("SELECT sum(waybill.maintain(true)) FROM generate_series(1, 4)")
        assert cursor.fetchone()[0] >= 1
        cursor.execute("SELECT count(*) FROM waybill.changes")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("two_phase", [False, True])
def test_a_subscriber_without_the_extension_goes_on(publisher_server, subscriber_server, two_phase):
    name = f"without{next(_numbers)}"
    publisher_server.create_database(name, *TABLES, PUBLICATION, f"SELECT pg_create_logical_replication_slot('{name}_all', 'test_decoding')")
    subscriber_server.create_database(name, *TABLES)
    subscription = Subscription(publisher_server, subscriber_server, name, name, f"two_phase = {two_phase}")
    subscription.wait_until_ready()
    with contextlib.closing(publisher_server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION waybill")
        assert any("FOR ALL TABLES: everything" in notice for notice in connection.notices), connection.notices
    work_of_the_extension(publisher_server, name)
    subscription.wait_until_applied()
    for table in "t", "wide":
        rows = f"SELECT * FROM {table} ORDER BY id"
        assert subscriber_server.query(name, rows) == publisher_server.query(name, rows)
    assert subscription.errors() == 0
    # Of a stream that is dropped the place of its row is logged, which pgoutput does not send.
    assert decoded(publisher_server, name, f"{name}_all") - {"waybill.stream: DELETE:"} == {
        "public.t: INSERT:", "public.t: UPDATE:", "public.t: DELETE:", "public.wide: INSERT:"}
    # This only a subscriber with the extension can do.
    with pytest.raises(psycopg2.Error, match='"waybill'):
        subscriber_server.execute(name, f"ALTER SUBSCRIPTION {name} REFRESH PUBLICATION WITH (copy_data = {not two_phase})")
    subscription.drop()
    publisher_server.execute(name, f"SELECT pg_drop_replication_slot('{name}_all')", "DROP EXTENSION waybill CASCADE")


@pytest.mark.parametrize("copy_data", [False, True])
@pytest.mark.parametrize("published_first", [False, True])
def test_subscribers_with_the_extension_keep_to_their_own_log(publisher_server, subscriber_server, broker, copy_data, published_first):
    """Up to the switch-over, after which the subscriber is the one that is written to."""
    name = f"with{next(_numbers)}"
    publisher_server.create_database(
        name, *TABLES, *(("CREATE EXTENSION waybill", PUBLICATION)[::-1 if published_first else 1]),
        "SELECT waybill.create_stream('publisher''s own', '{public.t}')", "SELECT waybill.enable_capture('t')",
        "INSERT INTO t VALUES (-1, 'before')")
    pipeline = Pipeline(subscriber_server, broker, name)
    # Its own tables have other oids and other streams.
    pipeline.execute("CREATE TABLE other (id int)", *TABLES, "SELECT waybill.create_stream('subscriber''s own')")
    pipeline.capture("t")
    source = pipeline.value("SELECT id FROM waybill.source")
    subscription = Subscription(publisher_server, subscriber_server, name, name, f"copy_data = {copy_data}")
    subscription.wait_until_ready()
    tables = pipeline.value("SELECT count(*) FROM pg_subscription_rel WHERE srrelid::regclass::text LIKE 'waybill%%'")
    assert tables > 10, "the extension's tables were to be replicated"

    work_of_the_extension(publisher_server, name)  # emptying included, while nothing is shipped here
    subscription.wait_until_applied()
    assert subscription.errors() == 0
    assert pipeline.query("SELECT * FROM t ORDER BY id") == publisher_server.query(
        name, f"SELECT * FROM t WHERE {copy_data} OR id > 0 ORDER BY id")
    keeps_to_its_own(pipeline, source)
    changes = dict(pipeline.query("SELECT op, count(*) FROM waybill.changes GROUP BY op"))
    assert changes["insert"] == 3000 + 153 + copy_data and changes["delete"] == 272 and set(changes) == {"insert", "update", "delete"}

    # What is sent all the same arrives, and is refused.
    publisher_server.execute(name, *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in (
                                 "waybill.stream", "waybill_internal.released", "waybill_internal.shape", "waybill_internal.original_source")),
                             "INSERT INTO waybill.stream VALUES (77, 'forged')",
                             "INSERT INTO waybill_internal.released VALUES (9223372036854775807)",
                             "INSERT INTO waybill_internal.shape SELECT * FROM waybill_internal.shape",
                             "INSERT INTO waybill_internal.original_source SELECT * FROM waybill_internal.original_source",
                             "ALTER TABLE waybill.stream REPLICA IDENTITY DEFAULT",
                             "UPDATE waybill.stream SET name = 'renamed' WHERE id = 1", "DELETE FROM waybill.stream WHERE id = 2")
    subscription.wait_until_applied()
    keeps_to_its_own(pipeline, source)
    assert pipeline.value("SELECT count(*) FROM waybill_internal.released WHERE csn = 9223372036854775807") == 0
    assert subscription.errors() == 0

    # The switch-over.
    subscription.drop()
    pipeline.execute("INSERT INTO t VALUES (-2, 'after')", "UPDATE t SET v = v || '!'", "DELETE FROM t WHERE id % 3 = 0")
    logged = pipeline.value("SELECT count(*) FROM waybill.changes")
    pipeline.shipper().once()
    assert pipeline.check("public.t").changes == logged
    pipeline.close()
    publisher_server.drop_database(name)


def keeps_to_its_own(pipeline: Pipeline, source: str) -> None:
    """What its own functions made is there, and nothing of the publisher's."""
    assert pipeline.query("SELECT id, name FROM waybill.stream ORDER BY id") == [(1, "default"), (2, "subscriber's own")]
    assert pipeline.query("SELECT DISTINCT (definition ->> 'relation')::oid = 't'::regclass FROM waybill.shape") == [(True,)]
    assert pipeline.query("SELECT id FROM waybill.source") == [(source,)]


def test_emptied_tables_survive_crashes_and_failover(installation):
    """Some emptied by a transaction that committed, some by one that did not."""
    name = "emptied"
    emptied = ["SELECT waybill_internal.empty_table('segment_0')"] * 2 + ["SELECT waybill_internal.empty_table('prepared_0')"]
    with postgres.Server(installation, SETTINGS) as primary, \
            postgres.Server(installation, SETTINGS, backup_of=primary, standby=True) as standby:
        primary.create_database(name, "CREATE EXTENSION waybill", "CREATE EXTENSION amcheck", *TABLES, "SELECT waybill.enable_capture('t')",
                                WRITES[0], "BEGIN; INSERT INTO t VALUES (-1, 'prepared'); PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'",
                                "CHECKPOINT", "SELECT waybill.safe_csn()")
        uncommitted = primary.connect(name, autocommit=False)
        with contextlib.closing(uncommitted), uncommitted.cursor() as cursor:
            for statement in emptied:
                cursor.execute(statement)
            rows = "SELECT count(*) FROM waybill_internal."
            cursor.execute(rows + "segment_0")
            assert cursor.fetchone() == (0,)
            primary.execute(name, "INSERT INTO wide VALUES (1)")  # takes the WAL before it to the disk
            primary.crash()
        primary.start()
        full = [(primary.value(name, f"{rows}{table}")) for table in ("segment_0", "prepared_0")]
        assert full == [primary.value(name, "SELECT count(*) FROM waybill.fetch(0, 0, waybill.safe_csn(), 1000000000)"), 2]
        check_indexes(primary, name)

        primary.execute(name, "; ".join(["BEGIN", *emptied, "COMMIT"]), "INSERT INTO t VALUES (-2, 'afterwards')")
        primary.crash()
        primary.start()
        written = primary.value(name, "SELECT pg_current_wal_insert_lsn()")
        wait_until(lambda: standby.value(name, "SELECT pg_last_wal_replay_lsn() >= %s", (written,)), 60, "the standby has all", 0.1)
        for server in primary, standby:
            assert [server.value(name, f"{rows}{table}") for table in ("segment_0", "prepared_0")] == [1, 0]
            check_indexes(server, name)
        primary.crash()
        standby.execute("postgres", "SELECT pg_promote()")
        standby.execute(name, "INSERT INTO t VALUES (-3, 'promoted')", "CHECKPOINT")
        assert standby.query(name, "SELECT after ->> 'v' FROM waybill.changes") == [("afterwards",), ("promoted",)]
        check_indexes(standby, name)


def check_indexes(server: postgres.Server, name: str) -> None:
    server.execute(name, "SELECT bt_index_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indrelid "
                         "WHERE relnamespace IN ('waybill'::regnamespace, 'waybill_internal'::regnamespace)")
