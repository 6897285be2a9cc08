"""A PostgreSQL of our own: a private copy of the installation with our extension in it, and servers that run from it."""

import contextlib
import os
import pathlib
import pwd
import re
import signal
import subprocess

import psycopg2
import psycopg2.extensions

from . import processes
from .processes import ROOT, Child, wait_until

SUPERUSER = "postgres"


def _unprivileged_user():
    """Whom the server runs as: PostgreSQL refuses to run as root. None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")  # made by Debian's packages
    except KeyError:
        return pwd.getpwnam("nobody")


def _output(*command) -> str:
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout.strip()


def _pg_config(*arguments: str) -> str:
    """What the pg_config of the PostgreSQL that the tests run on says."""
    return _output(os.environ.get("PG_CONFIG") or _output(ROOT / "scripts" / "postgres-version.sh"), *arguments)


def _major(version: str) -> int:
    return int(re.search(r"\d+", version)[0])


def server_version(programs: pathlib.Path) -> int:
    return _major(_output(programs / "postgres", "--version"))


def major_version() -> int:
    """Of the PostgreSQL that the tests run on."""
    return _major(_pg_config("--version"))


class Installation:
    """A PostgreSQL with our extension as it is built in this checkout, in a tree of its own: see install-postgres.sh."""

    def __init__(self, version: int | None = None):
        """Of PG_CONFIG's version, or of another, which is fetched and built for if need be."""
        environment = dict(os.environ)
        if version is not None:
            environment["PG_CONFIG"] = _output(ROOT / "scripts" / "postgres-version.sh", str(version), "fetched")
        self.directory = processes.make_directory("postgres")
        self.directory.chmod(0o755)  # the server's user reads it
        done = subprocess.run([ROOT / "test" / "rig" / "install-postgres.sh", self.directory], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"install-postgres.sh failed:\n{done.stderr}")
        self.bin = pathlib.Path(done.stdout.strip())
        self.version = server_version(self.bin)

    def close(self) -> None:
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def build_module(source: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """A library for the server, from one C file."""
    headers = _pg_config("--includedir-server")
    library = directory / f"{source.stem}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", f"-I{headers}", source, "-o", library],
                   check=True, stdin=subprocess.DEVNULL)
    return library


class Server:
    """One PostgreSQL server: own data directory, own port on the loopback, own socket directory.

    The superuser comes in through the socket, which only its user and root can reach, without a password; everyone
    who comes over TCP needs one.
    """

    SETTINGS = {
        "shared_buffers": "128MB",
        "max_connections": "60",
        "max_prepared_transactions": "40",
        # An immediate shutdown loses what only the server's memory holds, whether or not the disk was told to sync.
        "fsync": "off",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "log_min_messages": "warning",
        "log_line_prefix": "%m [%p] %u@%d ",
        "timezone": "UTC",
        "lc_messages": "C",
        "jit": "off",
    }

    def __init__(self, installation: Installation, settings: dict | None = None, backup_of: "Server | None" = None,
                 standby: bool = False):
        """An empty cluster, or a base backup of one that runs: started as a standby of it, or as a server of its own."""
        self.installation = installation
        self.directory = processes.make_directory("server")
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.port = processes.reserve_port()
        self.user = _unprivileged_user()
        self._child: Child | None = None
        self._settings = self.SETTINGS | (settings or {})
        self.wrapper: list[str] = []  # a program that runs the server, with its arguments
        if self.user is not None:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        if backup_of is not None:
            self.run("pg_basebackup", "--dbname", backup_of.conninfo(), "--pgdata", self.data,
                     "--checkpoint=fast", "--no-sync", *(["--write-recovery-conf"] if standby else []))
            return
        # Checksums are the default since 18, and pg_upgrade wants them on both sides or on none.
        checksums = ["--no-data-checksums"] if installation.version >= 18 else []
        self.run("initdb", "--no-sync", "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C",
                 "--auth-local", "trust", "--auth-host", "scram-sha-256", *checksums, "--pgdata", self.data)

    def run(self, program: str, *arguments) -> str:
        """Runs one of PostgreSQL's programs as the server's user, in the server's directory; returns what it printed."""
        identity = {}
        if self.user is not None:
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run([str(self.installation.bin / program), *map(str, arguments)], cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, **identity)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, timeout_s: float = 60):
        """Starts and returns when connections are accepted, crash recovery included."""
        settings = self._settings | {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
        }
        command = [*self.wrapper, self.installation.bin / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._child = Child(command, self.log, death_signal=signal.SIGQUIT, user=self.user, cwd=self.directory)
        wait_until(self._ready, timeout_s, "PostgreSQL accepts connections", 0.05)
        return self

    def _ready(self) -> bool:
        if not self.running:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._child.tail()}")
        with contextlib.suppress(psycopg2.OperationalError):
            self.connect("template1").close()
            return True
        return False

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The postmaster's; the backends are its children."""
        return self._child.pid

    def stop(self) -> None:
        """A fast shutdown: open transactions are rolled back, everything is written."""
        if self._child is not None:
            self._child.stop(signal.SIGINT)

    def crash(self) -> None:
        """An immediate shutdown: nothing that is in memory only survives, the next start recovers."""
        if self._child is not None:
            self._child.stop(signal.SIGQUIT)

    def begin_crash(self) -> None:
        """crash() without waiting for its end."""
        self._child.send(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.crash()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def conninfo(self, dbname: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """For libpq. The superuser without arguments; with a user the way a stranger comes in, over TCP."""
        if user is None:
            return f"host={self.directory} port={self.port} dbname={dbname} user={SUPERUSER}"
        secret = f" password={password}" if password is not None else ""
        return f"host=127.0.0.1 port={self.port} dbname={dbname} user={user}{secret}"

    def connect(self, dbname: str = "postgres", user: str | None = None, password: str | None = None,
                autocommit: bool = True) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.conninfo(dbname, user, password), connect_timeout=10)
        connection.autocommit = autocommit
        return connection

    def execute(self, dbname: str, *statements: str) -> None:
        """Each statement in its own transaction, as superuser."""
        with contextlib.closing(self.connect(dbname)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def query(self, dbname: str, statement: str, arguments=None) -> list[tuple]:
        with contextlib.closing(self.connect(dbname)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchall()

    def value(self, dbname: str, statement: str, arguments=None):
        return self.query(dbname, statement, arguments)[0][0]

    def create_database(self, dbname: str, *statements: str, encoding: str = "UTF8", options: str = "") -> str:
        self.execute("postgres", f"CREATE DATABASE \"{dbname}\" ENCODING '{encoding}' TEMPLATE template0 {options}")
        self.execute(dbname, *statements)
        return dbname

    def drop_database(self, dbname: str) -> None:
        self.execute("postgres", f'DROP DATABASE IF EXISTS "{dbname}" WITH (FORCE)')
