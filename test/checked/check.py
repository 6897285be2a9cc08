"""Runs the extension under a server that checks itself: check.py TREE [PART…]; see scripts/check-cassert.sh."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from rig import postgres, processes
from rig.processes import ROOT

import faults

HERE = pathlib.Path(__file__).parent

# What the server says of itself when something went wrong in it: leaks, damaged memory, failed assertions, crashes.
ALARM = re.compile(r"leak|TRAP: |PANIC|terminated by signal|was not closed|still referenced|problem in alloc set|"
                   r"detected write past|stuck spinlock|unexpected .*(lock|pin)|lost track|has pin count", re.IGNORECASE)
PROGRAM_DIRECTORY = {"pg_regress": "regress", "pg_isolation_regress": "isolation"}
SETTINGS = {"autovacuum": "off"}
# Where everything takes fifty times as long: files that say much in few statements, all kinds of changes among them.
SHORT_FILES = {"command_order", "condition_ddl", "condition_errors", "context", "dml", "errors", "fetch", "key", "partition",
               "prepared", "privileges", "savepoint", "settings", "shape", "types"}
UNDEFINED_TRAPS = "-fsanitize=undefined -fno-sanitize=vptr -fsanitize-undefined-trap-on-error"


class Failed(Exception):
    """A part did not pass; the message says why."""


class CheckedInstallation:
    """A copy of the checked server with the extension, compiled for it with further arguments of make."""

    def __init__(self, tree: pathlib.Path, *arguments: str):
        self.directory = processes.make_directory("checked")
        self.directory.chmod(0o755)
        self.bin = self.directory / "postgres" / "bin"
        self.pgxs = self.directory / "postgres" / "lib" / "pgxs"
        self.suppressions = tree / "valgrind.supp"
        self.source = self.directory / "source"
        shutil.copytree(tree, self.directory / "postgres", symlinks=True)
        self.version = postgres.server_version(self.bin)
        self.source.mkdir()
        shutil.copy(ROOT / "Makefile", self.source)
        for name in ("extension", "scripts", "sql", "expected", "test/isolation", "test/checked"):
            shutil.copytree(ROOT / name, self.source / name, ignore=shutil.ignore_patterns("*.o", "*.d", "*.so"))
        self.make("install", *arguments)

    def make(self, *arguments: str) -> None:
        done = subprocess.run(["nice", "make", "-s", f"-j{os.cpu_count()}", f"PG_CONFIG={self.bin}/pg_config", *arguments],
                              cwd=self.source, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"the extension could not be built:\n{done.stdout}{done.stderr}")

    def tests(self, files: str) -> list[str]:
        """The names of the tests for its version."""
        version = subprocess.check_output([self.bin / "pg_config", "--version"], text=True).split()[1].split(".")[0]
        return subprocess.check_output([ROOT / "scripts/tests-for-version.sh", version, *sorted(ROOT.glob(files))],
                                       text=True).split()

    def close(self) -> None:
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run_tests(installation: CheckedInstallation, server: postgres.Server, program: str, source: pathlib.Path,
              names: list[str]) -> int:
    """Runs tests of pg_regress or pg_isolation_regress against the server; returns how many there were."""
    output = server.directory / program
    output.mkdir()
    identity = {}
    if server.user is not None:
        os.chown(output, server.user.pw_uid, server.user.pw_gid)
        identity = {"user": server.user.pw_uid, "group": server.user.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [installation.pgxs / "src/test" / PROGRAM_DIRECTORY[program] / program, f"--bindir={installation.bin}",
         f"--inputdir={source}", f"--outputdir={output}", f"--host={server.directory}", f"--port={server.port}",
         f"--user={postgres.SUPERUSER}", f"--dbname={program}", "--load-extension=waybill", *names],
        cwd=installation.source, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=os.environ | {"PGISOLATIONTIMEOUT": "1200"}, **identity)
    passed = len(re.findall(r"\.\.\. ok", done.stdout))
    if done.returncode != 0 or passed != len(names):
        differences = output / "regression.diffs"
        raise Failed(f"{done.stdout}{done.stderr}{differences.read_text() if differences.exists() else ''}")
    return passed


def check_log(log: str) -> None:
    alarms = [line for line in log.splitlines() if ALARM.search(line)]
    if alarms:
        raise Failed("the server's log says:\n" + "\n".join(alarms[:40]))


def run_all_tests(installation: CheckedInstallation, server: postgres.Server, slow: bool = False) -> str:
    regress = installation.tests("sql/*.sql")
    if slow:
        regress = [name for name in regress if name in SHORT_FILES]
    isolation = installation.tests("test/isolation/specs/*.spec")
    with server:
        try:
            files = run_tests(installation, server, "pg_regress", installation.source, regress)
            specs = run_tests(installation, server, "pg_isolation_regress", installation.source / "test/isolation",
                              isolation)
        finally:
            server.stop()
            check_log(server.log.read_text(errors="replace"))  # which says more than the test that it failed
    return f"{files} pg_regress and {specs} isolation files"


def assertions(tree: pathlib.Path) -> str:
    with CheckedInstallation(tree, f"CXX=g++ {UNDEFINED_TRAPS}") as installation:
        return run_all_tests(installation, postgres.Server(installation, SETTINGS))


def discard(tree: pathlib.Path) -> str:
    with CheckedInstallation(tree) as installation:
        return run_all_tests(installation, postgres.Server(installation, SETTINGS | {"debug_discard_caches": "1"}), slow=True)


def valgrind(tree: pathlib.Path) -> str:
    with CheckedInstallation(tree) as installation:
        server = postgres.Server(installation, SETTINGS)
        reports = processes.make_directory("valgrind")
        reports.chmod(0o777)  # the server's user writes there
        server.wrapper = ["valgrind", "--quiet", "--leak-check=no", "--num-callers=30",
                          f"--suppressions={installation.suppressions}", f"--log-file={reports}/%p"]
        try:
            return run_all_tests(installation, server, slow=True)
        finally:
            found = "".join(path.read_text(errors="replace") for path in sorted(reports.iterdir()))
            processes.remove_directory(reports)
            if found:
                raise Failed(f"Valgrind reports:\n{found[:20000]}")


def fault_sweep(tree: pathlib.Path) -> str:
    with CheckedInstallation(tree) as installation:
        # The wrappers are made for what the library calls, then it is linked again with them.
        source = installation.source
        with open(source / "wrappers.s", "w") as output:
            subprocess.run([sys.executable, HERE / "call_wrappers.py", source / "waybill.so", installation.bin / "postgres",
                            source / "wrappers.options"], check=True, stdout=output)
        installation.make("wrappers.o", "test/checked/call_faults.o")
        (source / "waybill.so").unlink()
        installation.make("install", "SHLIB_LINK=wrappers.o test/checked/call_faults.o @wrappers.options")
        try:
            done, log = faults.run(installation)
        except AssertionError as error:
            raise Failed(str(error)) from error
        check_log(log)
        return done


PARTS = {"assertions": assertions, "discard": discard, "valgrind": valgrind, "faults": fault_sweep}


def main(tree: pathlib.Path, names: list[str]) -> None:
    for name in names:
        if name not in PARTS:
            sys.exit(f'check-cassert: unknown part "{name}"; parts are {", ".join(PARTS)}')
    processes.exit_on_signals()
    failed = 0
    for name in names or PARTS:
        begin = time.monotonic()
        try:
            print(f"{name}: {PARTS[name](tree)}, {time.monotonic() - begin:.0f} s", flush=True)
        except Failed as failure:
            failed += 1
            print(f"{name}: FAILED\n{failure}", flush=True)
    print(f"{len(names or PARTS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
