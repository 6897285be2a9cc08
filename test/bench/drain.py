"""Drain.

A backlog of 1,000,000 changes to one partition with lz4, against a plain librdkafka producer that sends the same bytes from
memory (`test/bench/raw_producer.cpp`). The shipper's time includes its start and its end. Processor time is the client's
alone.
"""

import json
import subprocess
import time

from harness import ORDERS, SERVER, Goal, Options, Results, alternate, children_cpu_s, median
from page import Page, spread
from rig import kafka, postgres
from rig.consumer import TopicReader
from rig.processes import BUILD
from rig.shipper import Shipper

CHANGES = 1_000_000
PRODUCER = BUILD / "bench" / "raw_producer"


def measure(results: Results, options: Options) -> None:
    # The broker is a long-lived one with the JVM's own choices.
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER) as server,
          kafka.Broker(heap_mb=1024, jvm=()) as broker):
        # Each run has a stream of its own for the same backlog, which stays until the last one is done.
        streams = [f"run{number}" for number in range(options.rounds + 1)]
        server.create_database(
            "bench", "CREATE EXTENSION waybill", ORDERS.format(name="orders"), "SELECT waybill.enable_capture('orders')",
            *(f"SELECT waybill.create_stream('{stream}')" for stream in streams))
        # Many transactions of a hundred rows: neither one huge one nor one a row.
        server.execute("bench", f"""
            DO $$ BEGIN FOR n IN 0 .. {CHANGES // 100 - 1} LOOP
                INSERT INTO orders SELECT n * 100 + i, i, 'new', i / 7.0, 'order number ' || i, now()
                FROM generate_series(1, 100) i;
                COMMIT;
            END LOOP; END $$""", "VACUUM ANALYZE waybill.change_log", "CHECKPOINT")

        def ship() -> dict:
            stream = streams.pop(0)
            shipper = Shipper({"database": {"conninfo": server.conninfo("bench")},
                               "stream": {"name": stream, "prefix": stream}, "topics": {"partitions": 1},
                               "kafka": {"bootstrap.servers": broker.bootstrap}})
            before, begin = children_cpu_s(), time.monotonic()
            shipper.once(600)
            elapsed = time.monotonic() - begin
            cpu = children_cpu_s() - before
            shipper.close()
            return {"changes_per_s": CHANGES / elapsed, "cpu_us": cpu / CHANGES * 1e6}

        def produce() -> dict:
            # It reads the messages into memory first and takes its own time behind that.
            topic = f"raw{len(broker.topics())}"
            broker.create_topic(topic)
            done = subprocess.run([PRODUCER, broker.bootstrap, "run0.public.orders", topic], check=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout)
            assert result["messages"] == CHANGES
            return {"changes_per_s": CHANGES / result["seconds"], "cpu_us": result["cpu_s"] / CHANGES * 1e6}

        variants = {"waybill": ship, "plain producer": produce}
        # The round that does not count gives the plain producer its messages and warms the broker up.
        alternate(results, "runs", [{"variant": variant} for variant in variants], options,
                  lambda variant: variants[variant]())
        with TopicReader(broker.bootstrap, "run0.public.orders") as reader:
            results.add("messages", bytes=len(next(reader.to_end()).value))


def ratio(results: Results, metric: str) -> list[float]:
    return results.ratios("runs", metric, {"variant": "waybill"}, {"variant": "plain producer"})


def report(results: Results, page: Page) -> None:
    page.text(f"{results.rows('messages')[0]['bytes']} bytes each as published.")
    page.table(["variant", "changes/s", "µs of CPU per change"],
               [(variant, spread(results.values("runs", "changes_per_s", variant=variant)),
                 spread(results.values("runs", "cpu_us", variant=variant), 2))
                for variant in results.cases("runs", "variant")]
               + [("waybill against the plain producer", spread(ratio(results, "changes_per_s"), 3),
                   spread(ratio(results, "cpu_us"), 3))])


def goals(results: Results) -> list[Goal]:
    rate, cpu = median(ratio(results, "changes_per_s")), median(ratio(results, "cpu_us"))
    return [Goal("Drain of a backlog: rate against a plain producer of the same bytes", "≥ 0.8", f"{rate:.2f}", rate >= 0.8),
            Goal("… CPU per change against its", "≤ 2", f"{cpu:.2f}", cpu <= 2)]
