"""Transactions a second of four clients that update one row and insert another, with and without capture."""

import figures
from rig import postgres, processes
from rig.postgres import SUPERUSER
from rig.processes import Child

ROUNDS = 5
SECONDS = 12
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "16GB"}
SCRIPT = """\
\\set account random(1, 100000)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE account SET balance = balance + :delta WHERE id = :account;
INSERT INTO history (account, delta, at) VALUES (:account, :delta, now());
COMMIT;
"""


def main() -> None:
    directory = processes.make_directory("bench")
    script = directory / "small.pgbench"
    script.write_text(SCRIPT)
    with postgres.Installation() as installation, postgres.Server(installation, SETTINGS) as server:
        server.create_database("bench", "CREATE EXTENSION waybill")

        def run(captured: bool) -> float:
            server.execute("bench", "DROP TABLE IF EXISTS account, history",
                           "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, filler text)",
                           "CREATE TABLE history (id bigserial PRIMARY KEY, account int, delta int, at timestamptz)",
                           "INSERT INTO account SELECT i, 0, repeat('x', 84) FROM generate_series(1, 100000) i",
                           "VACUUM ANALYZE account")
            if captured:
                server.execute("bench", "SELECT waybill.enable_capture('account'), waybill.enable_capture('history')")
            server.execute("bench", "CHECKPOINT")
            load = Child([installation.bin / "pgbench", "-n", "-c", "4", "-j", "1", "-T", SECONDS, "-M", "prepared",
                          "-f", script, "-h", server.directory, "-p", server.port, "-U", SUPERUSER, "bench"],
                         directory / "pgbench.log")
            assert load.wait(SECONDS + 60) == 0, load.tail()
            rate = float(load.log.read_text().rsplit("tps = ", 1)[1].split()[0])
            server.execute("bench", "SELECT waybill.acknowledge('default', waybill.safe_csn())",
                           "SELECT waybill.maintain(true)", "SELECT waybill.maintain(true)")
            return rate

        measured = figures.measure({"no capture": lambda _: run(False), "capture": lambda _: run(True)}, ROUNDS)
        figures.report("Small transactions, 4 clients", "transactions/s", measured, "no capture", 0)


main()
