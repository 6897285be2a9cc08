#!/usr/bin/env python3
"""Writes what scripts/test.sh last ran on each PostgreSQL into docs/postgresql-versions.md, README.md and META.json.

    scripts/versions-matrix.py          after a run, best one with WAYBILL_TEST_LONG=1

test.sh leaves a line "SUITE VERSION SERVER PASSED FAILED" for each in build/version-counts; a version counts as
proven when its SQL tests ran and nothing failed.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUITES = ("regress", "isolation", "e2e")


def replace(path: str, pattern: str, text: str) -> None:
    file = ROOT / path
    changed, count = re.subn(pattern, lambda _: text, file.read_text(), count=1, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"versions-matrix.py: {path} has no place for it: {pattern}")
    file.write_text(changed)


def main() -> None:
    counts = ROOT / "build" / "version-counts"
    if not counts.exists():
        sys.exit("versions-matrix.py: nothing ran yet; run scripts/test.sh first")
    ran, servers = {}, {}
    for line in counts.read_text().splitlines():
        suite, version, server, passed, failed = line.split()
        ran[int(version), suite] = (int(passed), int(failed))
        servers[int(version)] = server
    proven = [version for version in sorted(servers)
              if all(ran.get((version, suite), (0, 1))[1] == 0 for suite in ("regress", "isolation"))]
    if not proven or proven != list(range(proven[0], proven[-1] + 1)):
        sys.exit(f"versions-matrix.py: the versions without a failure are no range: {proven}")

    def cell(version: int, suite: str) -> str:
        if (version, suite) not in ran:
            return "–"
        passed, failed = ran[version, suite]
        return f"{passed}" if failed == 0 else f"{passed}, **{failed} failed**"

    rows = ["| PostgreSQL | SQL tests (`sql/`) | isolation | end to end |", "|---|---|---|---|"]
    rows += [f"| {servers[version]} | " + " | ".join(cell(version, suite) for suite in SUITES) + " |"
             for version in sorted(servers)]
    replace("docs/postgresql-versions.md", r"(?<=<!-- matrix begin -->\n).*(?=<!-- matrix end -->)", "\n".join(rows) + "\n")
    replace("README.md", r"(?<=<!-- versions begin -->).*?(?=<!-- versions end -->)", f"{proven[0]} to {proven[-1]}")
    replace("META.json", r'(?<="PostgreSQL": ")[0-9.]+(?=")', f"{proven[0]}.0.0")


main()
