"""What nearly every test needs: a database whose changes a shipper takes to a broker."""

import json
import pathlib

from rig import checker
from rig.consumer import Record, read_topic
from rig.kafka import Broker
from rig.postgres import Server
from rig.processes import wait_until
from rig.shipper import PROGRAM, Shipper

ROLE = "shipper"
PASSWORD = "rig's secret"


def create_role(server: Server, role: str = ROLE, password: str = PASSWORD) -> None:
    if not server.query("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (role,)):
        quoted = password.replace("'", "''")
        server.execute("postgres", f"CREATE ROLE {role} LOGIN PASSWORD '{quoted}'")


class Pipeline:
    """`name` is the database's name and the topics' prefix."""

    def __init__(self, server: Server, broker: Broker, name: str, partitions: int = 1, encoding: str = "UTF8",
                 options: str = "", existing: bool = False):
        """Makes the database, with these `options`, unless it is an `existing` one with all in it: a copy, perhaps."""
        self.server = server
        self.broker = broker
        self.name = name
        self.partitions = partitions
        self._shippers: list[Shipper] = []
        self._existing = existing
        if existing:
            return
        create_role(server)
        server.create_database(name, "CREATE EXTENSION waybill", f"SELECT waybill.grant_shipper('{ROLE}')",
                               encoding=encoding, options=options)

    def close(self) -> None:
        for shipper in self._shippers:
            shipper.close()
        if self.server.running:
            self.server.drop_database(self.name)

    def conninfo(self) -> str:
        secret = PASSWORD.replace("'", "\\'")
        return self.server.conninfo(self.name, ROLE) + f" password='{secret}'"

    def configuration(self, **sections: dict) -> dict[str, dict]:
        """A working configuration, changed by what is given; a value of None leaves the setting out."""
        result: dict[str, dict] = {
            "database": {"conninfo": self.conninfo()},
            "stream": {"prefix": self.name},
            "topics": {"partitions": self.partitions},
            "kafka": {"bootstrap.servers": self.broker.bootstrap},
        }
        for section, settings in sections.items():
            merged = result.get(section, {}) | settings
            result[section] = {name: value for name, value in merged.items() if value is not None}
        return result

    def shipper(self, *arguments: str, env: dict | None = None, program: pathlib.Path = PROGRAM, **sections: dict) -> Shipper:
        configuration = self.configuration(**sections)
        stream = configuration.get("stream", {}).get("name")
        if stream is not None and not self._existing and self.query("SELECT FROM waybill.stream WHERE name = %s", (stream,)):
            self.query("SELECT waybill.grant_shipper(%s, %s)", (ROLE, stream))
        made = Shipper(configuration, *arguments, env=env, program=program)
        self._shippers.append(made)
        return made

    # ---- the database

    def execute(self, *statements: str) -> None:
        self.server.execute(self.name, *statements)

    def query(self, statement: str, arguments=None) -> list[tuple]:
        return self.server.query(self.name, statement, arguments)

    def value(self, statement: str, arguments=None):
        return self.server.value(self.name, statement, arguments)

    def connect(self, **options):
        return self.server.connect(self.name, **options)

    def capture(self, *tables: str) -> None:
        for table in tables:
            self.execute(f"SELECT waybill.enable_capture('{table}')")

    def last_csn(self) -> int:
        """At or above the csn of everything that has committed before the call."""
        return self.value("SELECT waybill.safe_csn()")

    def acknowledged(self, stream: str = "default") -> int:
        return self.value("SELECT waybill.acknowledged(%s)", (stream,))

    def wait_until_shipped(self, timeout_s: float = 60, stream: str = "default") -> None:
        """Until all that has committed so far is acknowledged."""
        target = self.last_csn()

        def shipped() -> bool:
            if not any(shipper.running for shipper in self._shippers):
                logs = "\n".join(shipper.stderr()[-2000:] for shipper in self._shippers)
                raise AssertionError(f"no shipper runs, so csn {target} is never acknowledged:\n{logs}")
            return self.acknowledged(stream) >= target

        wait_until(shipped, timeout_s, f"stream {stream} acknowledges csn {target}", 0.05)

    def log_bytes(self) -> int:
        """What the whole log takes on disk, indexes included."""
        return self.value("SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits "
                          "WHERE inhparent = 'waybill_internal.change_log'::regclass")

    def log_rows(self) -> int:
        return self.value("SELECT count(*) FROM waybill_internal.change_log")

    # ---- the topics

    def topic(self, table: str) -> str:
        return f"{self.name}.{table}"

    def records(self, table: str) -> list[Record]:
        return read_topic(self.broker.bootstrap, self.topic(table))

    def events(self, table: str) -> list[dict]:
        """The values, tombstones left out."""
        return [json.loads(record.value) for record in self.records(table) if record.value is not None]

    def check(self, *tables: str, **options) -> checker.Report:
        return checker.check(self.server, self.name, self.broker.bootstrap, self.name, tables, **options)
