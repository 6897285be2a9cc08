"""Small transactions.

Each updates one row of `account` and inserts one into `history`, by pgbench with prepared statements, without a pause. WAL
and processor time are the whole server's for one transaction; nothing drains the logs and queues meanwhile. The run begins
with fresh tables behind a checkpoint, so that no whole page is logged in it; autovacuum is off.
"""

import rivals
from harness import SERVER, Comparison, Goal, Options, Results, alternate, median, tree_cpu_s
from page import Page, bars, spread
from rig import postgres, processes
from rig.postgres import SUPERUSER
from rig.processes import Child

DATABASE = "bench"
SECONDS = 5
CLIENTS = (1, 4, 16)
PUBLISHED = 4  # clients of the goal and of the README's line
PGQ = (rivals.PGQ_URLENCODED.name, rivals.PGQ_JSON.name)
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
    with postgres.Installation() as installation, postgres.Server(installation, SERVER | {"autovacuum": "off"}) as server:
        server.create_database(DATABASE)
        for system in rivals.ALL.values():
            system.install_in(server, DATABASE)

        def run(variant: str, clients: int, seconds: int = SECONDS) -> dict:
            system = rivals.ALL[variant]
            server.execute(DATABASE, "DROP TABLE IF EXISTS account, history", "CHECKPOINT",
                           "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, filler text)",
                           "CREATE TABLE history (id bigserial PRIMARY KEY, account int, delta int, at timestamptz)",
                           "INSERT INTO account SELECT i, 0, repeat('x', 84) FROM generate_series(1, 100000) i",
                           "VACUUM ANALYZE account")
            for table in ("account", "history"):
                system.attach_to(server, DATABASE, table)
            lsn, cpu = server.value(DATABASE, "SELECT pg_current_wal_insert_lsn()"), tree_cpu_s(server.pid)
            load = Child([installation.bin / "pgbench", "-n", "-c", clients, "-j", "1", "-T", seconds, "-M", "prepared",
                          "-f", script, "-h", server.directory, "-p", server.port, "-U", SUPERUSER, DATABASE],
                         directory / "pgbench.log")
            assert load.wait(seconds + 60) == 0, load.tail()
            cpu = tree_cpu_s(server.pid) - cpu
            wal = server.value(DATABASE, "SELECT pg_current_wal_insert_lsn() - %s", (lsn,))
            transactions = server.value(DATABASE, "SELECT count(*) FROM history")
            system.check_and_empty(server, DATABASE, 2 * transactions)
            return {"tps": float(load.log.read_text().rsplit("tps = ", 1)[1].split()[0]),
                    "wal_bytes": float(wal) / transactions, "cpu_us": cpu / transactions * 1e6}

        cases = [{"variant": variant, "clients": clients} for clients in CLIENTS for variant in rivals.ALL]
        for variant in rivals.ALL:  # a second each warms up enough
            run(variant, PUBLISHED, 1)
        alternate(results, "runs", cases, options, run, warm_up=False)


def ratios(results: Results, variant: str, clients: int) -> list[float]:
    return results.ratios("runs", "tps", {"variant": variant}, {"variant": rivals.NONE.name}, clients=clients)


def report(results: Results, page: Page) -> None:
    variants, all_clients = results.cases("runs", "variant"), results.cases("runs", "clients")
    page.table(["clients, variant", "transactions/s", "against none", "µs of CPU a transaction", "bytes of WAL a transaction"],
               [(f"{clients}, {variant}", spread(results.values("runs", "tps", variant=variant, clients=clients)),
                 "" if variant == rivals.NONE.name else spread(ratios(results, variant, clients), 3),
                 *(f"{median(results.values('runs', metric, variant=variant, clients=clients)):,.0f}"
                   for metric in ("cpu_us", "wal_bytes")))
                for clients in all_clients for variant in variants])
    with page.plot("rate", "Transactions per second against none", "clients", "share of none's") as axes:
        bars(axes, all_clients, {variant: [median(ratios(results, variant, clients)) for clients in all_clients]
                                 for variant in variants if variant != rivals.NONE.name})
        axes.set_ylim(0, 1.7)  # room for the legend


def goals(results: Results) -> list[Goal]:
    ratio = median(ratios(results, rivals.WAYBILL.name, PUBLISHED))
    return [Goal(f"Small transactions, {PUBLISHED} clients: tps against none", "≥ 0.92", f"{ratio:.3f}", ratio >= 0.92)]


def compare(results: Results) -> list[Comparison]:
    def text(variant: str) -> str:
        return f"{median(ratios(results, variant, PUBLISHED)):.2f}×"

    return [Comparison(f"Small transactions, {PUBLISHED} clients: rate against no capture", text(rivals.WAYBILL.name),
                       plpgsql=text(rivals.PLPGSQL.name), pgq=max(map(text, PGQ)))]
