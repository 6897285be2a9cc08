"""PostgreSQL's own suites with every table captured: neighbours.py TREE [SUITE…]; see scripts/check-neighbours.sh."""

import contextlib
import dataclasses
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib
from typing import NamedTuple

import psycopg2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from rig import mock_broker, postgres, processes, shipper

from check import CheckedInstallation, Failed, check_log

HERE = pathlib.Path(__file__).parent
KEPT = processes.BUILD / "neighbours"  # for who wants to look


class Suite(NamedTuple):
    program: str
    schedule: str
    database: str  # which some tests name


SUITES = {"regress": Suite("pg_regress", "parallel_schedule", "regression"),
          "isolation": Suite("pg_isolation_regress", "isolation_schedule", "isolation_regression")}
SETTINGS = {"log_min_error_statement": "panic", "max_prepared_transactions": "10"}
# What the tests provoke: not to be searched for alarms.
PROVOKED = re.compile(r"^.* (ERROR|DETAIL|HINT|CONTEXT|QUERY|STATEMENT):  .*(\n\t.*)*\n", re.MULTILINE)


@dataclasses.dataclass
class Explanation:
    """Lines that capture may add to, or take away from, what some tests print; see explained.toml."""

    tests: list[str]  # suite/test, as in a shell
    reason: str
    added: list[str] = dataclasses.field(default_factory=list)  # regular expressions for whole lines
    removed: list[str] = dataclasses.field(default_factory=list)
    used: bool = False

    def explains(self, test: str, sign: str, line: str) -> bool:
        if not any(fnmatch.fnmatchcase(test, pattern) for pattern in self.tests):
            return False
        if not any(re.fullmatch(pattern, line) for pattern in (self.added if sign == "+" else self.removed)):
            return False
        self.used = True
        return True


def run_suite(installation: CheckedInstallation, tree: pathlib.Path, name: str, server: postgres.Server,
              extensions: list[str]) -> tuple[subprocess.CompletedProcess, pathlib.Path]:
    """Runs a suite in a database with the extensions; what its tests printed is kept where the path says."""
    suite = SUITES[name]
    source = tree / "suites" / name
    output = server.directory / name
    output.mkdir()
    identity = {}
    if server.user is not None:
        os.chown(output, server.user.pw_uid, server.user.pw_gid)
        identity = {"user": server.user.pw_uid, "group": server.user.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [installation.pgxs / "src/test" / name / suite.program, f"--bindir={installation.bin}", f"--inputdir={source}",
         f"--outputdir={output}", f"--dlpath={tree / 'suites/regress'}", f"--host={server.directory}",
         f"--port={server.port}", f"--user={postgres.SUPERUSER}", f"--dbname={suite.database}",
         f"--max-connections={max(2, os.cpu_count())}", f"--schedule={source / suite.schedule}",
         *(f"--load-extension={extension}" for extension in extensions)],
        cwd=output, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        env=shipper.environment() | {"PGISOLATIONTIMEOUT": "600"}, **identity)
    kept = KEPT / name / ("captured" if extensions else "without")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(output / "results", kept)
    return done, kept


def normalized(path: pathlib.Path) -> str:
    """What a test printed, whatever the widths of its columns; without how many rows there were, which tell themselves
    (unless they have no columns)."""
    text = re.sub(r"(?<!\n--\n)^\(\d+ rows?\)\n", "", path.read_text(errors="surrogateescape"), flags=re.MULTILINE)
    return re.sub(r"-{3,}", "--", re.sub(r"[ \t]+", " ", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)))


def hunks(without: pathlib.Path, captured: pathlib.Path, scratch: pathlib.Path) -> list[list[str]]:
    """The differences, each a list of lines: its place, then what is removed (-) and added (+)."""
    for name, path in (("without", without), ("captured", captured)):
        (scratch / name).write_text(normalized(path), errors="surrogateescape")
    done = subprocess.run(["diff", "--text", "-U0", "without", "captured"], cwd=scratch, capture_output=True, text=True,
                          errors="surrogateescape")
    if done.returncode > 1:
        raise Failed(f"diff failed: {done.stderr}")
    found: list[list[str]] = []
    for line in done.stdout.splitlines()[2:]:
        if line.startswith("@@"):
            found.append([line])
        elif line[0] in "+-":
            found[-1].append(line)
    return found


def compare(suite: str, without: pathlib.Path, captured: pathlib.Path, explanations: list[Explanation]) -> str:
    """All that the tests printed otherwise must be explained."""
    tests = explained = 0
    unexplained = []
    scratch = processes.make_directory("differences")
    for path in sorted(without.glob("*.out")):
        test = f"{suite}/{path.stem}"
        tests += 1
        if not (captured / path.name).exists():
            unexplained.append(f"{test}: did not run")
            continue
        for place, *lines in hunks(path, captured / path.name, scratch):
            rest = [line for line in lines if not any(e.explains(test, line[0], line[1:].strip()) for e in explanations)]
            explained += len(lines) - len(rest)
            if rest:
                unexplained.append("\n".join([f"{test} {place}", *rest]))
    processes.remove_directory(scratch)
    if unexplained:
        raise Failed("\n".join(["unexplained differences:", *unexplained]))
    return f"{tests} tests, {explained} lines differ and are explained"


def check_captured(server: postgres.Server, database: str) -> None:
    missing = server.query(database, "SELECT missing::text FROM capture_everything.missing()")
    if missing:
        raise Failed(f"not captured: {', '.join(table for table, in missing)}")


def read_changes(server: postgres.Server, database: str) -> str:
    """Decodes every change in the log, with SQL and by the shipper."""
    logged = server.value(database, "SELECT sum(changes) FROM (SELECT changes FROM waybill_internal.change_log"
                                    " UNION ALL SELECT changes FROM waybill_internal.prepared_log) l")
    decoded = server.value(database, "SELECT count(*) FROM (SELECT c, c::text FROM waybill.changes c OFFSET 0) c")
    if decoded != logged:
        raise Failed(f"waybill.changes shows {decoded} of {logged} changes")
    server.execute(database, "CREATE ROLE neighbours_shipper LOGIN", "SELECT waybill.grant_shipper('neighbours_shipper')")
    conninfo = f"host={server.directory} port={server.port} dbname={database} user=neighbours_shipper"
    with mock_broker.MockBroker() as broker:
        reader = shipper.Shipper({
            "database": {"conninfo": conninfo},
            "stream": {"prefix": "neighbours"},
            "topics": {"partitions": 1},
            "kafka": {"bootstrap.servers": broker.bootstrap, "message.max.bytes": 100_000_000},
        })
        with contextlib.closing(reader):
            done = reader.run("--once", timeout_s=1200)
    left = server.value(database, "SELECT backlog_changes FROM waybill.status")
    if done.returncode != 0 or left != 0:
        raise Failed(f"the shipper ended with {done.returncode} and left {left} of {logged} changes:\n{done.stderr[-4000:]}")
    return f"{logged} changes decoded and shipped"


def check_log_of_tests(server: postgres.Server) -> None:
    check_log(PROVOKED.sub("", server.log.read_text(errors="replace")))


def check_suite(installation: CheckedInstallation, tree: pathlib.Path, name: str, explanations: list[Explanation],
                excluded: list[str]) -> tuple[list[str], list[str]]:
    """What was found to be right, and what to be wrong."""
    database = SUITES[name].database
    right: list[str] = []
    wrong: list[str] = []

    def check(what, *arguments) -> None:
        try:
            right.append(what(*arguments))
        except (Failed, psycopg2.Error, subprocess.TimeoutExpired) as failure:
            wrong.append(str(failure))

    with postgres.Server(installation, SETTINGS) as server:
        done, without = run_suite(installation, tree, name, server, [])
        if done.returncode != 0:
            raise Failed(f"the suite fails without capture, too:\n{done.stdout[-8000:]}{done.stderr}")
    with postgres.Server(installation, SETTINGS | {"capture_everything.excluded": " ".join(excluded)}) as server:
        _, captured = run_suite(installation, tree, name, server, ["waybill", "capture_everything"])
        check(compare, name, without, captured, explanations)
        check(check_captured, server, database)
        check(read_changes, server, database)
        server.stop()
        check(check_log_of_tests, server)
    return [text for text in right if text], wrong


def main(tree: pathlib.Path, names: list[str]) -> None:
    for name in names:
        if name not in SUITES:
            sys.exit(f'check-neighbours: unknown suite "{name}"; suites are {", ".join(SUITES)}')
    processes.exit_on_signals()
    explained = tomllib.loads((HERE / "explained.toml").read_text())
    explanations = [Explanation(**entry) for entry in explained["differences"]]
    excluded = [table for entry in explained["excluded"] for table in entry["tables"]]
    failed = 0
    with CheckedInstallation(tree) as installation:
        extensions = pathlib.Path(subprocess.check_output([installation.bin / "pg_config", "--sharedir"], text=True).strip())
        for path in HERE.glob("capture_everything*"):
            shutil.copy(path, extensions / "extension")
        for name in names or SUITES:
            begin = time.monotonic()
            try:
                right, wrong = check_suite(installation, tree, name, explanations, excluded)
            except Failed as failure:
                right, wrong = [], [str(failure)]
            failed += bool(wrong)
            for fault in wrong:
                print(f"{name}: {fault}")
            right.append(f"{time.monotonic() - begin:.0f} s")
            print(f"{name}: {'FAILED; ' if wrong else ''}{', '.join(right)}", flush=True)
    if not names:
        for explanation in explanations:
            if not explanation.used:
                print(f"nothing needs this explanation any more: {explanation.reason}")
    print(f"{len(names or SUITES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
