"""The shipper as a child process."""

import os
import pathlib
import signal
import subprocess

from . import processes
from .processes import BUILD, Child, wait_until

PROGRAM = BUILD / "waybill-shipper"
BUNDLED_PROGRAM = BUILD / "bundled" / "waybill-shipper"  # make RDKAFKA=bundled shipper


def _toml_value(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_value(name)} = {_toml_value(item)}" for name, item in value.items()) + " }"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_toml(configuration: dict[str, dict]) -> str:
    lines = []
    for section, settings in configuration.items():
        lines.append(f"[{section}]")
        lines += [f'"{name}" = {_toml_value(value)}' for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def environment() -> dict[str, str]:
    """Ours without what would configure the shipper behind the test's back."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL_", "PG"))}


class Shipper:
    """One configuration and the process that runs with it, if any; can be started again after it ended."""

    def __init__(self, configuration: dict[str, dict] | str, *arguments: str, env: dict[str, str] | None = None,
                 program: pathlib.Path = PROGRAM):
        self.directory = processes.make_directory("shipper")
        self._program = program
        self.file = self.directory / "waybill.toml"
        self.log = self.directory / "shipper.log"
        self._arguments = arguments
        self._env = environment() | (env or {})
        self._child: Child | None = None
        self.configure(configuration)

    def configure(self, configuration: dict[str, dict] | str) -> None:
        self.file.write_text(configuration if isinstance(configuration, str) else to_toml(configuration))

    def _command(self, *arguments: str) -> list[str]:
        return [str(self._program), *arguments, "--config", str(self.file), *self._arguments]

    def start(self):
        assert not self.running, "the shipper runs already"
        self._child = Child(self._command("run"), self.log, env=self._env, cwd=self.directory)
        return self

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess:
        """Runs to the end with more arguments, for instance "--once" or "check"; stdout and stderr are captured."""
        return subprocess.run(self._command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self._env, cwd=self.directory, timeout=timeout_s)

    def once(self, timeout_s: float = 120) -> None:
        """Drains the log."""
        done = self.run("--once", timeout_s=timeout_s)
        assert done.returncode == 0, f"waybill-shipper --once exited with {done.returncode}:\n{done.stderr}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self):
        return self._child.returncode

    def stop(self, timeout_s: float = 30) -> int:
        """Asks it to finish, as an operator would."""
        self._child.send(signal.SIGTERM)
        return self._child.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL: it gets no chance to say anything to anybody."""
        self._child.kill()

    def wait(self, timeout_s: float = 30) -> int:
        return self._child.wait(timeout_s)

    def stderr(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_line(self, text: str, timeout_s: float = 30) -> None:
        wait_until(lambda: text in self.stderr(), timeout_s, f'the shipper logs "{text}"')

    def rss_mb(self) -> float:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None and self.log.exists():
            print(f"--- shipper's log ---\n{self._child.tail(60) if self._child else ''}")
        self.close()
