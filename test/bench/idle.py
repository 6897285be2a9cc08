"""Idle.

CPU that the shipper and all of PostgreSQL's processes use together in 20 s with a captured table, a running shipper and
nothing to do, as a share of one core; and PostgreSQL's alone with no shipper.
"""

import time

from harness import SERVER, Goal, Options, Results, alternate, cpu_s, median, memory_mb, tree_cpu_s
from page import Page, spread
from rig import kafka, postgres
from rig.processes import wait_until
from rig.shipper import Shipper

SECONDS = 20


def measure(results: Results, options: Options) -> None:
    with (postgres.Installation() as installation, postgres.Server(installation, SERVER) as server,
          kafka.Broker() as broker):
        server.create_database("bench", "CREATE EXTENSION waybill", "CREATE TABLE t (id int PRIMARY KEY)",
                               "SELECT waybill.enable_capture('t')")
        shipper = Shipper({"database": {"conninfo": server.conninfo("bench")}, "stream": {"prefix": "idle"},
                           "kafka": {"bootstrap.servers": broker.bootstrap}})
        # Statistics and checkpoints of the setting up are over when the server has been alone for a while.
        server.execute("bench", "VACUUM ANALYZE", "CHECKPOINT")

        def run(variant: str) -> dict:
            shares = {"shipper": 0.0, "shipper_mb": 0.0}
            if variant == "waybill":
                shipper.start()
                server.execute("bench", "TRUNCATE t", "INSERT INTO t VALUES (1)")
                target = server.value("bench", "SELECT waybill.safe_csn()")
                wait_until(lambda: server.value("bench", "SELECT waybill.acknowledged('default')") >= target, 30,
                           "the shipper has shipped the row")
            server_before = tree_cpu_s(server.pid)
            shipper_before = cpu_s(shipper.pid) if shipper.running else 0.0
            time.sleep(SECONDS)
            shares["server"] = (tree_cpu_s(server.pid) - server_before) / SECONDS
            if shipper.running:
                shares["shipper"] = (cpu_s(shipper.pid) - shipper_before) / SECONDS
                shares["shipper_mb"] = memory_mb(shipper.pid)
                shipper.stop()
            return shares

        alternate(results, "runs", [{"variant": "no shipper"}, {"variant": "waybill"}], options, run)


def together(results: Results) -> list[float]:
    return [run["server"] + run["shipper"] for run in results.rows("runs", variant="waybill")]


def report(results: Results, page: Page) -> None:
    page.table(["variant", "server, % of a core", "shipper, % of a core", "shipper, MB"],
               [(variant, *(spread([100 * share for share in results.values("runs", metric, variant=variant)], 2)
                            for metric in ("server", "shipper")),
                 f"{median(results.values('runs', 'shipper_mb', variant=variant)):.0f}")
                for variant in results.cases("runs", "variant")])


def goals(results: Results) -> list[Goal]:
    share = 100 * median(together(results))
    return [Goal("Idle: shipper and server together", "≤ 1 % of a core", f"{share:.2f} %", share <= 1)]
