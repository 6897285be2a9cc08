"""What the benchmarks share: raw results kept as CSV, variants run in turn, and what a process or a server has used.

A benchmark is a module of this directory with a docstring, whose first line is its title, and

    measure(results, options)    runs it and adds rows to `results`
    report(results, page)        writes its section of docs/benchmarks.md from such rows, run here or elsewhere
    goals(results)               the goals that it measures; may be absent
    compare(results)             its lines of the README's table; may be absent

run.py calls them. The rows are in docs/benchmarks/NAME/TABLE.csv, so that a page can be made again without running anything.
"""

import csv
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from rig import postgres  # noqa: E402
from rig.processes import ROOT  # noqa: E402

RESULTS = ROOT / "docs" / "benchmarks"

# A server as production has it where speed is concerned; benchmarks add to it.
SERVER = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "16GB"}

# The table of orders that several benchmarks fill.
ORDERS = ("CREATE TABLE {name} (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL, "
          "amount numeric(12,2), note text, created timestamptz NOT NULL)")
ORDERS_ROW = "i, i % 1000, 'new', i / 7.0, 'order number ' || i, now()"


def fill_orders(rows: int, rows_per_transaction: int = 100) -> str:
    """A statement that writes a backlog; a hundred rows in a transaction are neither one huge one nor one a row."""
    return f"""
        DO $$ BEGIN FOR n IN 0 .. {rows // rows_per_transaction - 1} LOOP
            INSERT INTO orders SELECT n * {rows_per_transaction} + i, i, 'new', i / 7.0, 'order number ' || i, now()
            FROM generate_series(1, {rows_per_transaction}) i;
            COMMIT;
        END LOOP; END $$"""


MORE_ROUNDS = 3  # times as many of what takes a second or two, which varies by a third


@dataclass(frozen=True)
class Options:
    rounds: int = 5  # of each variant, after one that does not count
    long: bool = False  # an hour where ten minutes do, ten million changes where one does
    minutes: float = 10  # of what is watched over time


@dataclass(frozen=True)
class Goal:
    what: str
    goal: str
    measured: str
    reached: bool


@dataclass(frozen=True)
class Comparison:
    """One line of the README's table: a text for each system that was measured."""

    what: str
    waybill: str
    debezium: str = ""
    plpgsql: str = ""
    pgq: str = ""


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


class Results:
    """The rows of one benchmark, by table. While it measures they go to TABLE.csv.new, which replaces TABLE.csv at the end."""

    def __init__(self, name: str, directory: pathlib.Path = RESULTS):
        self.directory = directory / name
        self._tables: dict[str, list[dict]] = {}
        self._new: set[str] = set()
        for file in sorted(self.directory.glob("*.csv")):
            with open(file, newline="") as lines:
                self._tables[file.stem] = [{column: _value(text) for column, text in row.items()}
                                           for row in csv.DictReader(lines)]

    def __bool__(self) -> bool:
        return bool(self._tables)

    def add(self, table: str, **row) -> None:
        """The first row of a table in a run replaces what the table had, and names its columns for all others."""
        file = self.directory / f"{table}.csv.new"
        first = table not in self._new
        if first:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._new.add(table)
            self._tables[table] = []
        rounded = {column: float(f"{value:.6g}") if isinstance(value, float) else value for column, value in row.items()}
        self._tables[table].append(rounded)
        with open(file, "w" if first else "a", newline="") as output:
            writer = csv.DictWriter(output, rounded.keys() if first else self._tables[table][0].keys(), lineterminator="\n")
            if first:
                writer.writeheader()
            writer.writerow(rounded)

    def save(self, options: Options) -> None:
        for table in self._new:
            (self.directory / f"{table}.csv.new").rename(self.directory / f"{table}.csv")
        self._new.clear()
        (self.directory / "machine.json").write_text(json.dumps(machine() | asdict(options), indent=2) + "\n")

    def machine(self) -> dict:
        return json.loads((self.directory / "machine.json").read_text())

    def rows(self, table: str, **where) -> list[dict]:
        """In the order in which they were added."""
        return [row for row in self._tables.get(table, [])
                if all(row[column] == value for column, value in where.items())]

    def values(self, table: str, metric: str, **where) -> list[float]:
        return [row[metric] for row in self.rows(table, **where)]

    def ratios(self, table: str, metric: str, case: dict, base: dict, **where) -> list[float]:
        """Of `case` to `base`, each round on its own: what drifts on the machine meets both."""
        bases = {row["round"]: row[metric] for row in self.rows(table, **base, **where)}
        return [row[metric] / bases[row["round"]] for row in self.rows(table, **case, **where) if row["round"] in bases]

    def cases(self, table: str, column: str) -> list:
        """The values that a column has, each once, in their order."""
        return list(dict.fromkeys(row[column] for row in self.rows(table)))


def _value(text: str):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def alternate(results: Results, table: str, cases: Iterable[dict], options: Options,
              run: Callable[..., dict], warm_up: bool = True, most_rounds: Callable[[dict], int] | None = None) -> None:
    """Each round runs every case once: run(**case) returns what was measured. The first round does not count.

    Every other round goes backwards, so that what drifts on the machine within a round favours no case; the first one that
    counts does not, as it gives the tables their order. A case for which `most_rounds` is less takes part in the first
    rounds only.
    """
    cases = list(cases)
    backwards = range(2, options.rounds + 1, 2)
    for number in range(0 if warm_up else 1, options.rounds + 1):
        for case in reversed(cases) if number in backwards else cases:
            if most_rounds is not None and number > most_rounds(case):
                continue
            measured = run(**case)
            shown = " ".join(f"{name}={value:,.4g}" if isinstance(value, float) else f"{name}={value}"
                             for name, value in measured.items())
            progress(f"{'warm-up' if number == 0 else f'round {number}'}: {' '.join(map(str, case.values()))}: {shown}")
            if number > 0:
                results.add(table, **case, round=number, **measured)


def machine() -> dict:
    """What the figures were made on and with."""
    processor = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.strip(),
        "processor": f"{os.cpu_count()} x {processor}",
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
    }


def children_cpu_s() -> float:
    """Of all children that have ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_s(pid: int) -> float:
    """Of a process that runs, its threads included, and of the children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def precise_cpu_s(pid: int) -> float:
    """Of the first thread of a process alone, such as a PostgreSQL backend's only one; not in ticks."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def children(pid: int) -> list[int]:
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def tree_cpu_s(pid: int) -> float:
    """Of a process and of its children that run, such as a PostgreSQL server with its backends."""
    total = cpu_s(pid)
    for child in children(pid):
        try:
            total += cpu_s(child)
        except (FileNotFoundError, ProcessLookupError):  # it has ended: its share moves to its parent
            pass
    return total


def memory_mb(pid: int) -> float:
    """Of its own: mapped files and shared memory do not count."""
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("RssAnon:")[1].split()[0]) / 1024


LOG_BYTES = ("SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits "
             "WHERE inhparent = 'waybill_internal.change_log'::regclass")


def empty_log(server: postgres.Server, database: str) -> None:
    """Acknowledges all, and gives the segments back: the ring turns twice."""
    server.execute(database, "SELECT waybill.acknowledge('default', waybill.safe_csn())", "SELECT waybill.maintain(true)",
                   "SELECT waybill.maintain(true)")


def shipper_conninfo(server: postgres.Server, database: str) -> str:
    """Of a role that may ship from the database: over TCP with a password, as from another machine, and as Debezium comes."""
    server.execute(
        database, "DO $$ BEGIN CREATE ROLE shipper LOGIN PASSWORD 'bench'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "SELECT waybill.grant_shipper('shipper')")
    return server.conninfo(database, "shipper", "bench")


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
