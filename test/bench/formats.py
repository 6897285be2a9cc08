"""Nanoseconds and bytes per change of each format, by Google Benchmark."""

import json
import subprocess

from figures import spread
from rig.processes import BUILD

REPETITIONS = 5


def main() -> None:
    output = subprocess.run(
        [BUILD / "bench" / "formats", "--benchmark_format=json", f"--benchmark_repetitions={REPETITIONS}",
         "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.1"],
        check=True, capture_output=True, text=True).stdout
    runs: dict[str, list[dict]] = {}
    for run in sorted(json.loads(output)["benchmarks"], key=lambda run: run["family_index"]):
        if run["run_type"] == "iteration":
            runs.setdefault(run["run_name"], []).append(run)
    print("\nEncoding one change\n")
    print("| format | row | operation | ns of CPU: median (min … max) | bytes |")
    print("|---|---|---|---|---|")
    for name, repeated in runs.items():
        format_name, row, operation = name.split("/")
        print(f"| {format_name} | {row} | {operation} | {spread([run['cpu_time'] for run in repeated], 0)} "
              f"| {repeated[0]['bytes']:,.0f} |")


if __name__ == "__main__":
    main()
