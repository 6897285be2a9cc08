"""Runs variants in turn and prints medians, and ratios with their spread."""

import pathlib
import statistics
import sys
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


def measure(variants: dict[str, Callable[[int], float]], rounds: int) -> dict[str, list[float]]:
    """Each round runs every variant once, so that what drifts on the machine meets them all."""
    figures: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, run in variants.items():
            figures[name].append(run(number))
            print(f"  round {number + 1}: {name} {figures[name][-1]:,.2f}", file=sys.stderr)
    return figures


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} … {max(values):,.{digits}f})"


def report(title: str, unit: str, figures: dict[str, list[float]], base: str, digits: int = 2) -> None:
    """A table in which each variant also stands against `base`, round by round."""
    print(f"\n{title}\n")
    print(f"| variant | {unit}: median (min … max) | against {base} |")
    print("|---|---|---|")
    for name, values in figures.items():
        ratios = [value / other for value, other in zip(values, figures[base])]
        print(f"| {name} | {spread(values, digits)} | {'' if name == base else spread(ratios, 3)} |")
