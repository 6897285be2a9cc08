"""Small transactions.

Each updates one row of `account` and inserts one into `history`, by pgbench with prepared statements, without a pause.
"""

from harness import SERVER, Goal, Options, Results, alternate, empty_log, median
from page import Page, spread
from rig import postgres, processes
from rig.postgres import SUPERUSER
from rig.processes import Child

SECONDS = 12
CLIENTS = 4
SCRIPT = """\
\\set account random(1, 100000)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE account SET balance = balance + :delta WHERE id = :account;
INSERT INTO history (account, delta, at) VALUES (:account, :delta, now());
COMMIT;
"""


def measure(results: Results, options: Options) -> None:
    directory = processes.make_directory("bench")
    script = directory / "small.pgbench"
    script.write_text(SCRIPT)
    with postgres.Installation() as installation, postgres.Server(installation, SERVER) as server:
        server.create_database("bench", "CREATE EXTENSION waybill")

        def run(variant: str, clients: int) -> dict:
            server.execute("bench", "DROP TABLE IF EXISTS account, history",
                           "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, filler text)",
                           "CREATE TABLE history (id bigserial PRIMARY KEY, account int, delta int, at timestamptz)",
                           "INSERT INTO account SELECT i, 0, repeat('x', 84) FROM generate_series(1, 100000) i",
                           "VACUUM ANALYZE account")
            if variant == "waybill":
                server.execute("bench", "SELECT waybill.enable_capture('account'), waybill.enable_capture('history')")
            server.execute("bench", "CHECKPOINT")
            load = Child([installation.bin / "pgbench", "-n", "-c", clients, "-j", "1", "-T", SECONDS, "-M", "prepared",
                          "-f", script, "-h", server.directory, "-p", server.port, "-U", SUPERUSER, "bench"],
                         directory / "pgbench.log")
            assert load.wait(SECONDS + 60) == 0, load.tail()
            rate = float(load.log.read_text().rsplit("tps = ", 1)[1].split()[0])
            empty_log(server, "bench")
            return {"tps": rate}

        alternate(results, "runs", [{"variant": variant, "clients": CLIENTS} for variant in ("none", "waybill")], options, run)


def report(results: Results, page: Page) -> None:
    page.table(["variant", "clients", "transactions/s", "against none"],
               [(variant, clients, spread(results.values("runs", "tps", variant=variant, clients=clients)),
                 spread(results.ratios("runs", "tps", {"variant": variant}, {"variant": "none"}, clients=clients), 3))
                for clients in results.cases("runs", "clients") for variant in results.cases("runs", "variant")])


def goals(results: Results) -> list[Goal]:
    ratio = median(results.ratios("runs", "tps", {"variant": "waybill"}, {"variant": "none"}, clients=CLIENTS))
    return [Goal(f"Small transactions, {CLIENTS} clients: tps against none", "≥ 0.92", f"{ratio:.3f}", ratio >= 0.92)]
