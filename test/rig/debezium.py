"""Debezium's connector for PostgreSQL in a Kafka Connect worker of its own: what waybill is compared with.

The worker is Kafka's standalone one. Records are JSON without schemas unless properties say otherwise, in the topics that the
connector makes of tables, which must be there. A connector reads a publication through `pgoutput`, from a slot that is
made before what it shall send is written; it makes no snapshot.
"""

import contextlib
import json
import pathlib
import time
import urllib.error
import urllib.request

from . import kafka, postgres, processes
from .processes import Child, Timeout, wait_until

VERSION = "3.7"
ROLE, PASSWORD, PUBLICATION = "debezium", "rig", "debezium"

# What a server needs.
SERVER = {"wal_level": "logical", "max_replication_slots": "64", "max_wal_senders": "64"}


def prepare(server: postgres.Server, database: str, *tables: str, options: str = "") -> None:
    """The role and the publication."""
    server.execute(
        database, f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {', '.join(tables)} {options}",
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


class Worker:
    """Runs in `with`. Each connector of `connectors`, by name, has its properties, and reads the slot of its name; topics
    are NAME.SCHEMA.TABLE."""

    def __init__(self, server: postgres.Server, database: str, broker: kafka.Broker, connectors: dict[str, dict[str, str]],
                 jvm: tuple[str, ...] = (), properties: dict[str, str] | None = None):
        self._server = server
        self._broker = broker
        self._connectors = list(connectors)
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
        } | (properties or {})
        files = [self._write("worker", worker)]
        for name, given in connectors.items():
            files.append(self._write(f"connector-{name}", {
                "name": name,
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
                "tasks.max": "1",
                "database.hostname": "127.0.0.1",
                "database.port": server.port,
                "database.user": ROLE,
                "database.password": PASSWORD,
                "database.dbname": database,
                "topic.prefix": name,
                "plugin.name": "pgoutput",
                "publication.name": PUBLICATION,
                "publication.autocreate.mode": "disabled",
                "slot.name": name,
                "slot.drop.on.stop": "false",
                "snapshot.mode": "no_data",
            } | given))
        logging = pathlib.Path(__file__).with_name("kafka-log4j2.xml")
        self._command = ["java", *jvm, f"-Dlog4j2.configurationFile={logging}",
                         "-cp", f"{kafka.jars(pathlib.Path(__file__).with_name('debezium-pom.xml'))}/*",
                         "org.apache.kafka.connect.cli.ConnectStandalone", *files]
        self._child: Child | None = None

    def _write(self, name: str, properties: dict) -> pathlib.Path:
        file = self.directory / f"{name}.properties"
        backslashes = str.maketrans({"\\": r"\\"})  # as Java reads them
        file.write_text("".join(f"{key}={str(value).translate(backslashes)}\n" for key, value in properties.items()))
        return file

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self) -> None:
        """Raises when it does not work any more; a connector that failed leaves its worker running."""
        failed = not self._child.running
        for name in self._connectors if not failed else ():
            with contextlib.suppress(urllib.error.URLError, ConnectionError):  # it does not answer yet
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/connectors/{name}/status", timeout=10) as answer:
                    status = json.load(answer)
                failed |= any(part["state"] == "FAILED" for part in [status["connector"], *status["tasks"]])
        if failed:
            raise RuntimeError(f"Debezium failed; the end of its log:\n{self._child.tail()}")

    def log(self) -> str:
        return self._child.log.read_text(errors="replace")

    def wait_streaming(self, timeout_s: float = 120) -> None:
        def streams() -> bool:
            self.check()
            return self._server.value("postgres", "SELECT bool_and(active) FROM pg_replication_slots WHERE slot_name = ANY (%s)",
                                      [self._connectors])

        wait_until(streams, timeout_s, "Debezium reads its slots", 0.2)

    def wait_confirmed(self, connector: str, lsn: str, timeout_s: float = 600) -> None:
        """Until all up to there is in Kafka; what is behind it, one change at least, must have been written."""
        def confirmed() -> bool:
            self.check()
            return self._server.value("postgres", "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots "
                                                  "WHERE slot_name = %s", [lsn, connector])

        wait_until(confirmed, timeout_s, f"Debezium's {connector} has sent all up to {lsn}", 0.2)

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
