"""Time of INSERT … SELECT of 500,000 rows, with and without capture."""

import time

import figures
from rig import postgres

ROWS = 500_000
ROUNDS = 7
TABLE = ("CREATE TABLE {name} (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL, "
         "amount numeric(12,2), note text, created timestamptz NOT NULL)")
INSERT = ("INSERT INTO {name} SELECT i, i % 1000, 'new', i / 7.0, 'order number ' || i, now() "
          "FROM generate_series(1, {rows}) i")
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "16GB"}


def main() -> None:
    with postgres.Installation() as installation, postgres.Server(installation, SETTINGS) as server:
        server.create_database("bench", "CREATE EXTENSION waybill")

        def run(captured: bool) -> float:
            server.execute("bench", "DROP TABLE IF EXISTS orders", TABLE.format(name="orders"))
            if captured:
                server.execute("bench", "SELECT waybill.enable_capture('orders')")
            # What the run before has left to write is not this one's.
            server.execute("bench", "CHECKPOINT")
            connection = server.connect("bench")
            with connection.cursor() as cursor:
                begin = time.monotonic()
                cursor.execute(INSERT.format(name="orders", rows=ROWS))
                elapsed = time.monotonic() - begin
            connection.close()
            server.execute("bench", "SELECT waybill.acknowledge('default', waybill.safe_csn())",
                           "SELECT waybill.maintain(true)", "SELECT waybill.maintain(true)")
            return elapsed

        measured = figures.measure({"no capture": lambda _: run(False), "capture": lambda _: run(True)}, ROUNDS)
        figures.report(f"INSERT of {ROWS:,} rows", "seconds", measured, "no capture")


main()
