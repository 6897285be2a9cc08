"""The page that a report writes: paragraphs, tables and plots."""

import contextlib
import pathlib
import statistics
from collections.abc import Iterable, Sequence


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median with minimum and maximum."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} … {max(values):,.{digits}f})"


def bars(axes, groups: Sequence[str], series: dict[str, Sequence[float]], base: float = 0) -> None:
    """In each group a bar of each series, from `base` to its value."""
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        axes.bar([place + (number + 0.5) * width - 0.4 for place in range(len(groups))], [value - base for value in values],
                 width, bottom=base, label=label)
    axes.set_xticks(range(len(groups)), groups)
    axes.axhline(base, color="black", linewidth=0.8)


class Page:
    """Collects Markdown; plots become SVG files in `directory`, named from the page by `link`."""

    def __init__(self, directory: pathlib.Path, link: str):
        self.lines: list[str] = []
        self._directory = directory
        self._link = link

    def text(self, *paragraphs: str) -> None:
        for paragraph in paragraphs:
            self.lines += [" ".join(paragraph.split()), ""]

    def table(self, header: Sequence[str], rows: Iterable[Sequence]) -> None:
        """The first column is text, the others are figures."""
        self.lines += ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
        self.lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self.lines.append("")

    @contextlib.contextmanager
    def plot(self, name: str, title: str, x: str, y: str):
        """Gives the axes to draw on; labelled series get a legend."""
        # Only who draws needs it.
        import matplotlib

        matplotlib.use("svg")
        # The same figures make the same file.
        matplotlib.rcParams |= {"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
                                "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False}
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7.2, 3.2), layout="constrained")
        axes.set(title=title, xlabel=x, ylabel=y)
        yield axes
        if axes.get_legend_handles_labels()[1]:
            axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # beside, not over what is drawn
        figure.savefig(self._directory / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
        self.lines += [f"![{title}]({self._link}/{name}.svg)", ""]
