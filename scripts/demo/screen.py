"""What the demo shows: lines that stay and, on a terminal, one status line below them that changes in place."""

import os
import shutil
import sys

_COLOURS = {"c": "32", "u": "33", "d": "31", "t": "35", "dim": "2", "bold": "1"}


class Screen:
    """Without a terminal the status is a line like others, so the caller asks for it less often: see `live`."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        self._coloured = self.live and "NO_COLOR" not in os.environ
        self._status = ""

    @property
    def width(self) -> int:
        return shutil.get_terminal_size((132, 24)).columns if self.live else 132

    def style(self, name: str, text: str) -> str:
        return f"\033[{_COLOURS[name]}m{text}\033[0m" if self._coloured else text

    def fit(self, text: str) -> str:
        """Plain text cut to the width; a tab or line break in a value must not break the line."""
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        return text if len(text) < self.width else text[:self.width - 2] + "…"

    def line(self, text: str = "") -> None:
        if self._status:
            sys.stdout.write("\r\033[K")
        sys.stdout.write(text + "\n" + self._status)
        sys.stdout.flush()

    def heading(self, text: str) -> None:
        self.line()
        self.line(self.style("bold", text))

    def status(self, text: str) -> None:
        if not self.live:
            self.line(text)
            return
        self._status = self.style("bold", self.fit(text))
        sys.stdout.write("\r\033[K" + self._status)
        sys.stdout.flush()

    def end_status(self) -> None:
        """The last status stays as a line."""
        if self._status:
            sys.stdout.write("\n")
            self._status = ""
