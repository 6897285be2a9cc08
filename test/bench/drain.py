"""Changes a second that the shipper drains from a backlog, against a plain producer of the very same messages."""

import json
import resource
import subprocess
import time

import figures
from rig import kafka, postgres, processes
from rig.consumer import TopicReader
from rig.processes import BUILD
from rig.shipper import Shipper

CHANGES = 1_000_000
ROUNDS = 5
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "16GB"}
PRODUCER = BUILD / "bench" / "raw_producer"


def child_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    cpu: dict[str, list[float]] = {"plain producer": [], "shipper": []}
    # The broker is a long-lived one with the JVM's own choices.
    with (postgres.Installation() as installation, postgres.Server(installation, SETTINGS) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        # Each run has a stream of its own for the same backlog, which stays until the last one is done.
        streams = [f"run{number}" for number in range(ROUNDS + 1)]
        server.create_database(
            "bench", "CREATE EXTENSION waybill",
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL, "
            "amount numeric(12,2), note text, created timestamptz NOT NULL)",
            "SELECT waybill.enable_capture('orders')",
            *(f"SELECT waybill.create_stream('{stream}')" for stream in streams))
        # Many transactions of a hundred rows: neither one huge one nor one a row.
        server.execute("bench", f"""
            DO $$ BEGIN FOR n IN 0 .. {CHANGES // 100 - 1} LOOP
                INSERT INTO orders SELECT n * 100 + i, i, 'new', i / 7.0, 'order number ' || i, now()
                FROM generate_series(1, 100) i;
                COMMIT;
            END LOOP; END $$""", "VACUUM ANALYZE waybill.change_log", "CHECKPOINT")

        def ship(number: int) -> float:
            shipper = Shipper({"database": {"conninfo": server.conninfo("bench")},
                               "stream": {"name": streams[number], "prefix": f"bench{number}"},
                               "topics": {"partitions": 1}, "kafka": {"bootstrap.servers": broker.bootstrap}})
            before, begin = child_cpu_s(), time.monotonic()
            shipper.once(600)
            elapsed = time.monotonic() - begin
            cpu["shipper"].append((child_cpu_s() - before) / CHANGES * 1e6)
            shipper.close()
            return CHANGES / elapsed

        def produce(number: int) -> float:
            # It reads the messages into memory first and takes its own time behind that.
            topic = f"raw{number}"
            broker.create_topic(topic)
            done = subprocess.run([PRODUCER, broker.bootstrap, "bench0.public.orders", topic], check=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout)
            assert result["messages"] == CHANGES
            cpu["plain producer"].append(result["cpu_s"] / CHANGES * 1e6)
            return result["messages"] / result["seconds"]

        # Round 0 gives the plain producer its messages and warms the broker up: it does not count.
        ship(0), produce(0)
        for values in cpu.values():
            values.clear()
        with TopicReader(broker.bootstrap, "bench0.public.orders") as reader:
            sample = next(reader.to_end())
        measured = figures.measure({"plain producer": lambda n: produce(n + 1), "shipper": lambda n: ship(n + 1)}, ROUNDS)
        figures.report(f"Drain of {CHANGES:,} changes, {len(sample.value)} bytes each, one partition; the shipper's time "
                       "includes its start and its end", "changes/s", measured, "plain producer", 0)
        figures.report("Processor time, the client's alone", "µs per change", cpu, "plain producer")


main()
