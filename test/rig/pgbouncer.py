"""Debian's PgBouncer before a server, as a child process."""

import contextlib
import os
import shutil

import psycopg2

from . import processes
from .postgres import Server
from .processes import Child, wait_until

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


class PgBouncer:
    """A pool for one role, whose password the server knows too. More settings stand in its file as they are given."""

    def __init__(self, server: Server, user: str, password: str, **settings):
        self.server = server
        self.directory = processes.make_directory("pgbouncer")
        self.port = processes.reserve_port()
        self._login = (user, password)
        self._child: Child | None = None
        self.log = self.directory / "pgbouncer.log"
        quoted = password.replace('"', '""')
        (self.directory / "users.txt").write_text(f'"{user}" "{quoted}"\n')
        lines = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "plain",
                 "auth_file": self.directory / "users.txt"} | settings
        (self.directory / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in lines.items()))
        if server.user is not None:  # it refuses to run as root
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, server.user.pw_uid, server.user.pw_gid)

    def conninfo(self, dbname: str) -> str:
        user, password = self._login
        secret = password.replace("'", "\\'")
        return f"host=127.0.0.1 port={self.port} dbname={dbname} user={user} password='{secret}'"

    def start(self, timeout_s: float = 30):
        self._child = Child([PROGRAM, self.directory / "pgbouncer.ini"], self.log, user=self.server.user,
                            cwd=self.directory)
        wait_until(self._ready, timeout_s, "PgBouncer accepts connections", 0.05)
        return self

    def _ready(self) -> bool:
        if not self._child.running:
            raise RuntimeError(f"PgBouncer did not start:\n{self._child.tail()}")
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(self.conninfo("postgres"), connect_timeout=10).close()
            return True
        return False

    def close(self) -> None:
        if self._child is not None:
            self._child.stop()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
