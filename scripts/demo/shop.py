"""The shop: its database, captured by waybill, and the people who work on it."""

import contextlib
import pathlib

from rig import checker, processes
from rig.postgres import Server
from rig.processes import Child

_HERE = pathlib.Path(__file__).parent
DATABASE = "shop"
ROLE = "waybill_shipper"
PASSWORD = "demo"
TABLES = tuple(f"public.{name}" for name in
               ("customers", "products", "stock", "orders", "order_items", "payments", "stock_movements"))
# How often each script of workload/ runs, in a thousand transactions.
_WEIGHTS = {"place_order": 420, "pay_order": 250, "ship_order": 210, "cancel_order": 50, "swap_item": 30,
            "register_customer": 30, "price_products": 10}
_WRITERS = 6


class Shop:
    def __init__(self, server: Server):
        self.server = server
        self._directory = processes.make_directory("workload")
        self._writers: Child | None = None

    # ---- what an administrator does once

    def create(self) -> None:
        """The application's tables first; then what waybill needs; then the first rows."""
        server = self.server
        server.execute("postgres", f"CREATE DATABASE {DATABASE}",
                       f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        self.execute((_HERE / "shop.sql").read_text())
        self.execute("CREATE EXTENSION waybill", f"SELECT waybill.grant_shipper('{ROLE}')",
                     *(f"SELECT waybill.enable_capture('{table}')" for table in TABLES))
        self.execute((_HERE / "catalogue.sql").read_text())

    # ---- the application

    def open(self, seconds: int, transactions_per_second: int) -> None:
        """Starts the writers; they end by themselves."""
        command = [self.server.installation.bin / "pgbench", "--no-vacuum", f"--client={_WRITERS}", "--jobs=1",
                   f"--time={seconds}", f"--rate={transactions_per_second}", "--max-tries=50",
                   "-h", self.server.directory, "-p", self.server.port, "-U", "shop_app"]
        command += [f"--file={_HERE}/workload/{name}.pgbench@{weight}" for name, weight in _WEIGHTS.items()]
        self._writers = Child([*command, DATABASE], self._directory / "pgbench.log")

    @property
    def is_open(self) -> bool:
        """Raises when the writers failed."""
        if self._writers.running:
            return True
        if self._writers.returncode != 0:
            raise RuntimeError(f"pgbench exited with {self._writers.returncode}:\n{self._writers.tail()}")
        return False

    def archive_movements(self) -> None:
        """What a shop does once a day: the movements go elsewhere, the table starts afresh."""
        self.execute("TRUNCATE stock_movements")

    # ---- what happened

    def execute(self, *statements: str) -> None:
        self.server.execute(DATABASE, *statements)

    def query(self, statement: str, arguments=None) -> list[tuple]:
        return self.server.query(DATABASE, statement, arguments)

    def connect(self):
        return contextlib.closing(self.server.connect(DATABASE))

    def ledger(self) -> dict[int, int]:
        """How many changes each transaction that committed has made, as the tables' own triggers counted them."""
        return dict(self.query("SELECT xid, sum(changes)::integer FROM audit.written GROUP BY xid"))

    def rolled_back(self) -> int:
        return self.query("SELECT xact_rollback FROM pg_stat_database WHERE datname = %s", (DATABASE,))[0][0]

    def tables(self) -> list[checker.Table]:
        return [checker.read_table(self.server, DATABASE, name) for name in TABLES]

    def close(self) -> None:
        if self._writers is not None:
            self._writers.kill()
        processes.remove_directory(self._directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
