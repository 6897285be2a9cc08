"""Runs benchmarks and writes docs/benchmarks.md, its plots and the README's table from their results.

    run.py [--rounds N] [--long] [--minutes N] [--report] [NAME…]

Without a name all of them run, one after the other. --report runs none and only writes the pages from the results in
docs/benchmarks/. See harness.py for what a benchmark is.
"""

import argparse
import importlib
import pathlib

import harness
from harness import RESULTS, ROOT, Options, Results
from page import Page

# In the order of the page.
NAMES = ["write_cost", "small_transactions", "drain", "latency", "backlog", "old_snapshot", "huge_transaction", "idle",
         "formats"]
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
MARKS = "<!-- figures: scripts/bench.sh writes what follows -->\n", "<!-- figures end -->\n"

HEAD = """# Benchmarks

`make bench` runs all of them and writes this page; `scripts/bench.sh NAME` runs one. Each starts servers of its own, runs
its variants in turn, one run of each in a round, and keeps what it measured as CSV in [docs/benchmarks](benchmarks).
Figures are medians with minimum and maximum. Machines differ and these are shared ones: compare the ratios, which are
taken round by round. [performance.md](performance.md) tells where the time goes.
"""


def modules() -> dict:
    return {name: importlib.import_module(name) for name in NAMES
            if (pathlib.Path(__file__).parent / f"{name}.py").exists()}


def title_of(module) -> str:
    return module.__doc__.splitlines()[0].rstrip(".")


def goals_table(found: list[tuple]) -> list[str]:
    lines = ["| What | Goal | Measured | |", "|---|---|---|---|"]
    for module, results in found:
        for goal in getattr(module, "goals", lambda _: [])(results):
            lines.append(f"| {goal.what} | {goal.goal} | {goal.measured} | {'reached' if goal.reached else '**missed**'} |")
    return lines + [""]


def comparison_table(found: list[tuple]) -> list[str]:
    lines = ["| | waybill | Debezium 3.7 | PL/pgSQL, row-level `to_jsonb` | PgQ |", "|---|---|---|---|---|"]
    for module, results in found:
        for line in getattr(module, "compare", lambda _: [])(results):
            lines.append(f"| {line.what} | {line.waybill} | {line.debezium} | {line.plpgsql} | {line.pgq} |")
    return lines + [""]


def write_pages() -> None:
    """Sections of benchmarks without results are left out."""
    found = [(module, results) for name, module in modules().items() if (results := Results(name))]
    lines = [HEAD, "## Goals", "", *goals_table(found), "## Side by side", "", *comparison_table(found)]
    for module, results in found:
        name = module.__name__
        page = Page(results.directory, f"benchmarks/{name}")
        page.text(*module.__doc__.split("\n\n")[1:])
        module.report(results, page)
        made = results.machine()
        lines += [f"## {title_of(module)}: `scripts/bench.sh {name}`", "", *page.lines,
                  f"<sub>{made['date']}, {made['commit']}; {made['processor']}, {made['memory_gb']} GB.</sub>", ""]
    PAGE.write_text("\n".join(lines).rstrip() + "\n")

    readme = README.read_text()
    if MARKS[0] in readme:
        before, rest = readme.split(MARKS[0])
        table = "\n".join(comparison_table(found))
        README.write_text(before + MARKS[0] + table + MARKS[1] + rest.split(MARKS[1])[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description="Benchmarks: " + ", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="runs of each variant that count")
    parser.add_argument("--long", action="store_true", help="the longer form of those that have one")
    parser.add_argument("--minutes", type=float, help="how long those last that watch something over time: 10, with --long 60")
    parser.add_argument("--report", action="store_true", help="only write the pages from the results that are there")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    options = Options(arguments.rounds, arguments.long, arguments.minutes or (60 if arguments.long else Options.minutes))
    if not arguments.report:
        for name in arguments.names or NAMES:
            module = importlib.import_module(name)
            harness.progress(f"{title_of(module)} ({name})")
            results = Results(name)
            module.measure(results, options)
            results.save(options)
    write_pages()
    for line in [*goals_table([(module, results) for name, module in modules().items()
                               if name in (arguments.names or NAMES) and (results := Results(name))])]:
        print(line)
    print(f"The tables are in {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
