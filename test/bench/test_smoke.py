"""Whether something became grossly slower: a minute at most, for the test run.

Only ratios of runs in turn are looked at: of processor time, which a busy machine changes little, of WAL, and of the
shipper's rate in its best round. The bounds leave room; the benchmarks have the figures.
"""

import contextlib
import json
import subprocess
import time

import pytest
from harness import ORDERS, ORDERS_ROW, SERVER, children_cpu_s, empty_log, fill_orders, median, precise_cpu_s
from rig import kafka, postgres
from rig.processes import BUILD
from rig.shipper import Shipper

ROUNDS = 5
WRITTEN = 150_000
TRANSACTIONS = 3_000
SHIPPED = 300_000


@pytest.fixture(scope="module")
def server():
    with postgres.Installation() as installation, postgres.Server(installation, SERVER | {"autovacuum": "off"}) as started:
        started.create_database("smoke", "CREATE EXTENSION waybill", ORDERS.format(name="plain"),
                                ORDERS.format(name="orders"), "SELECT waybill.enable_capture('orders')")
        yield started


STATEMENTS = {
    "insert": f"INSERT INTO {{table}} SELECT {ORDERS_ROW} FROM generate_series(1, {WRITTEN}) i",
    "update": "UPDATE {table} SET status = 'paid', amount = amount + 1",
    "delete": "DELETE FROM {table}",
    "transactions of one row": f"DO $$ BEGIN FOR i IN 1 .. {TRANSACTIONS} LOOP "
                               f"INSERT INTO {{table}} SELECT {ORDERS_ROW}; COMMIT; END LOOP; END $$",
}
# Of processor time and WAL. A DELETE does little itself, and capture reads all of each row.
BOUNDS = {"insert": (1.8, 2), "update": (1.8, 2), "delete": (3.5, 3), "transactions of one row": (1.8, 3)}


def work(server: postgres.Server, statement: str) -> tuple[float, float]:
    """Processor time and WAL of the backend that runs it."""
    with contextlib.closing(server.connect("smoke")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        lsn, = cursor.fetchone()
        cpu = precise_cpu_s(connection.info.backend_pid)
        cursor.execute(statement)
        cpu = precise_cpu_s(connection.info.backend_pid) - cpu
        cursor.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", (lsn,))
        return cpu, float(cursor.fetchone()[0])


@pytest.fixture(scope="module")
def costs(server):
    """With capture against without, by statement: a ratio of processor time and one of WAL for each round."""
    ratios = {name: [] for name in STATEMENTS}
    for _ in range(ROUNDS):
        server.execute("smoke", "TRUNCATE plain, orders")
        for name, statement in STATEMENTS.items():
            server.execute("smoke", "CHECKPOINT")
            plain, captured = (work(server, statement.format(table=table)) for table in ("plain", "orders"))
            ratios[name].append([with_it / without for with_it, without in zip(captured, plain)])
            empty_log(server, "smoke")
    return ratios


@pytest.mark.parametrize("name", STATEMENTS)
def test_capture_costs_writers_little(costs, name):
    cpu, wal = zip(*costs[name])
    print(f"{name} with capture against without: CPU {', '.join(f'{ratio:.2f}' for ratio in cpu)}; WAL {median(wal):.2f}")
    most_cpu, most_wal = BOUNDS[name]
    assert median(cpu) < most_cpu
    assert median(wal) < most_wal


def test_the_shipper_keeps_up_with_a_plain_producer(server):
    streams = [f"smoke{number}" for number in range(3)]
    server.execute("smoke", *(f"SELECT waybill.create_stream('{stream}')" for stream in streams), "TRUNCATE orders",
                   fill_orders(SHIPPED))
    with kafka.Broker(heap_mb=1024, jvm=()) as broker:
        rates, costs = [], []
        for stream in streams:
            shipper = Shipper({"database": {"conninfo": server.conninfo("smoke")}, "stream": {"name": stream, "prefix": stream},
                               "topics": {"partitions": 1}, "kafka": {"bootstrap.servers": broker.bootstrap}})
            cpu, begin = children_cpu_s(), time.monotonic()
            shipper.once()
            shipper_s, shipper_cpu_s = time.monotonic() - begin, children_cpu_s() - cpu
            shipper.close()
            assert broker.end_offset(f"{stream}.public.orders") >= SHIPPED
            broker.create_topic(f"{stream}.raw")
            done = subprocess.run([BUILD / "bench" / "raw_producer", broker.bootstrap, f"{stream}.public.orders",
                                   f"{stream}.raw"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            plain = json.loads(done.stdout)
            rates.append(plain["seconds"] / shipper_s)
            costs.append(shipper_cpu_s / plain["cpu_s"])
    print(f"rate against a plain producer: {', '.join(f'{rate:.2f}' for rate in rates)}; "
          f"CPU: {', '.join(f'{cost:.2f}' for cost in costs)}")
    # The shipper's time includes its start and its end.
    assert max(rates) > 0.35
    assert min(costs) < 2.5
