"""Encoding one change.

What it costs to make the Kafka records of one change, without any I/O, by Google Benchmark (`test/bench/formats.cpp`): keys,
values and headers, tombstones included. A row of ten columns as tables have them, and one with a column of every type that
comes in binary and an array of it (56 columns). Updates change one column in five. With schemas their text is copied, not made.
"""

import json
import subprocess

from harness import Options, Results
from page import Page, spread
from rig.processes import BUILD


def measure(results: Results, options: Options) -> None:
    output = subprocess.run(
        [BUILD / "bench" / "formats", "--benchmark_format=json", f"--benchmark_repetitions={options.rounds}",
         "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.1"],
        check=True, capture_output=True, text=True).stdout
    for run in sorted(json.loads(output)["benchmarks"], key=lambda run: run["family_index"]):
        if run["run_type"] == "iteration":
            format_name, row, operation = run["run_name"].split("/")
            results.add("runs", format=format_name, row=row, operation=operation, round=run["repetition_index"] + 1,
                        cpu_ns=run["cpu_time"], bytes=int(run["bytes"]))


def report(results: Results, page: Page) -> None:
    cases = dict.fromkeys((run["format"], run["row"], run["operation"]) for run in results.rows("runs"))
    rows = []
    for format_name, row, operation in cases:
        runs = results.rows("runs", format=format_name, row=row, operation=operation)
        rows.append((format_name, row, operation, spread([run["cpu_ns"] for run in runs]), f"{runs[0]['bytes']:,}"))
    page.table(["format", "row", "operation", "ns of CPU a change", "bytes"], rows)
