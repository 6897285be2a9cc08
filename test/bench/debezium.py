"""Debezium's connector for PostgreSQL in a Kafka Connect worker of its own: what waybill is compared with.

The worker is Kafka's standalone one with the memory and the collector that Kafka's own start script gives it. Records are
JSON without schemas, in the topics that the connector makes of tables, which must be there. It reads a publication through
`pgoutput`, from a slot that is made before what it shall send is written; it makes no snapshot.
"""

import contextlib
import json
import time
import urllib.error
import urllib.request

import harness  # noqa: F401: finds the rig
from rig import kafka, postgres, processes
from rig.processes import ROOT, Child, Timeout, wait_until

VERSION = "3.7"
ROLE, PASSWORD, PUBLICATION = "debezium", "bench", "debezium"

# What a server needs.
SERVER = {"wal_level": "logical", "max_replication_slots": "64", "max_wal_senders": "16"}

# Properties of the connector by the name of the variant.
CONFIGURATIONS = {
    "Debezium, defaults": {},
    "Debezium, for throughput": {
        "poll.interval.ms": "10",
        "max.batch.size": "20480",
        "max.queue.size": "81920",
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": str(1 << 20),
        "producer.override.buffer.memory": str(128 << 20),
        "producer.override.compression.type": "lz4",
    },
    "Debezium, for latency": {
        "poll.interval.ms": "1",
        "producer.override.linger.ms": "0",
        "producer.override.compression.type": "lz4",
    },
}


def prepare(server: postgres.Server, database: str, *tables: str) -> None:
    """The role and the publication."""
    server.execute(
        database, f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {', '.join(tables)}",
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD '{PASSWORD}'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT SELECT ON {', '.join(tables)} TO {ROLE}")


def create_slot(server: postgres.Server, database: str, name: str) -> None:
    server.execute(database, f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")


def drop_slot(server: postgres.Server, name: str) -> None:
    """Waits until nobody reads it any more."""
    wait_until(lambda: server.value("postgres", "SELECT active_pid IS NULL FROM pg_replication_slots WHERE slot_name = %s",
                                    [name]), 60, f"slot {name} is free")
    server.execute("postgres", f"SELECT pg_drop_replication_slot('{name}')")


class Connector:
    """Runs in `with`, from the slot's position on; topics are PREFIX.SCHEMA.TABLE."""

    # Those of Kafka's connect-standalone.sh.
    JVM = ("-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
           "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true")

    def __init__(self, server: postgres.Server, database: str, broker: kafka.Broker, *, slot: str, prefix: str,
                 properties: dict[str, str], jvm: tuple[str, ...] = ()):
        self._server = server
        self._broker = broker
        self._slot = slot
        self._port = processes.reserve_port()
        self.directory = processes.make_directory("debezium")
        worker = {
            "bootstrap.servers": broker.bootstrap,
            "listeners": f"HTTP://127.0.0.1:{self._port}",
            "offset.storage.file.filename": self.directory / "offsets",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "connector.client.config.override.policy": "All",
            "plugin.discovery": "service_load",  # else it looks into every class for what might be a plugin
            "topic.creation.enable": "false",
        }
        connector = {
            "name": "bench",
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "tasks.max": "1",
            "database.hostname": "127.0.0.1",
            "database.port": server.port,
            "database.user": ROLE,
            "database.password": PASSWORD,
            "database.dbname": database,
            "topic.prefix": prefix,
            "plugin.name": "pgoutput",
            "publication.name": PUBLICATION,
            "publication.autocreate.mode": "disabled",
            "slot.name": slot,
            "slot.drop.on.stop": "false",
            "snapshot.mode": "no_data",
        } | properties
        for name, settings in (("worker", worker), ("connector", connector)):
            (self.directory / f"{name}.properties").write_text(
                "".join(f"{key}={value}\n" for key, value in settings.items()))
        logging = ROOT / "test" / "rig" / "kafka-log4j2.xml"
        self._command = ["java", *self.JVM, *jvm, f"-Dlog4j2.configurationFile={logging}",
                         "-cp", f"{kafka.jars(ROOT / 'test' / 'bench' / 'debezium-pom.xml')}/*",
                         "org.apache.kafka.connect.cli.ConnectStandalone", self.directory / "worker.properties",
                         self.directory / "connector.properties"]
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self) -> None:
        """Raises when it does not work any more; a connector that failed leaves its worker running."""
        failed = not self._child.running
        if not failed:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):  # it does not answer yet
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/connectors/bench/status", timeout=10) as answer:
                    status = json.load(answer)
                failed = any(part["state"] == "FAILED" for part in [status["connector"], *status["tasks"]])
        if failed:
            raise RuntimeError(f"Debezium failed; the end of its log:\n{self._child.tail()}")

    def wait_streaming(self, timeout_s: float = 120) -> None:
        def streams() -> bool:
            self.check()
            return self._server.value("postgres", "SELECT active FROM pg_replication_slots WHERE slot_name = %s",
                                      [self._slot])

        wait_until(streams, timeout_s, "Debezium reads its slot", 0.2)

    def wait_records(self, topic: str, partitions: int, records: int, timeout_s: float = 3600) -> int:
        """Until the topic has so many; returns how many it has. It asks where the topic ends, which costs next to nothing."""
        deadline, checked = time.monotonic() + timeout_s, 0.0
        while (there := self._broker.records(topic, partitions)) < records:
            now = time.monotonic()
            if now > checked + 2:
                self.check()
                checked = now
            if now > deadline:
                raise Timeout(f"{there} of {records} records are in {topic} after {timeout_s:g} s")
            time.sleep(0.05)
        return there

    def start(self):
        self._child = Child(self._command, self.directory / "log", cwd=self.directory)
        return self

    def close(self) -> None:
        """Kills it: nothing that it would still write is of use."""
        if self._child is not None:
            self._child.kill()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
