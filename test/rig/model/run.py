"""Runs a seed against a server, and judges what its changes have become in the topics."""

import contextlib
import copy
import dataclasses
import io
import random
import re
import threading
import time

import psycopg2

from .. import checker
from ..checker import Checker
from ..consumer import TopicReader
from . import schema as schemas
from .generator import Generator, Transaction
from .statements import Copy

TRANSACTIONS = 240  # of a seed
SESSIONS = 3        # of each fifth seed
_LONGEST_S = 180
_LONGEST_DISCONNECTED_S = 20

# Index scans visit rows in the order of ids, wherever they lie. Nobody else is in the schema: what a session of a lone
# seed waits for is a prepared transaction, so to give up at once changes nothing but the time.
_SESSION = """
SET enable_seqscan = off; SET enable_bitmapscan = off; SET statement_timeout = '30s'; SET deadlock_timeout = '20ms';
SET client_min_messages = error; SET lock_timeout = '{lock_timeout}'; SET search_path = {schema};
SET waybill.buffer_size = '{buffer_size}'; SET DateStyle = '{date_style}'; SET TimeZone = '{zone}';
SET IntervalStyle = '{interval_style}'; SET extra_float_digits = {digits}; SET bytea_output = '{bytea}';
"""


@dataclasses.dataclass
class Target:
    """Where to run: plain values, for they go to other processes."""

    conninfo: str
    bootstrap: str
    prefix: str


@dataclasses.dataclass
class Outcome:
    seed: int
    issued: int = 0        # transactions
    committed: int = 0
    in_topics: int = 0     # transactions
    changes: int = 0
    errors: dict[str, int] = dataclasses.field(default_factory=dict)  # by SQLSTATE
    failure: str = ""


class _Session:
    """One connection of a seed and what it does."""

    def __init__(self, target: Target, name: str, generator: Generator, dice: random.Random, alone: bool):
        self.generator = generator
        self.journal: dict[int, Transaction] = {}
        self.not_committed: set[int] = set()
        self.committed = 0
        self.errors: dict[str, int] = {}
        self.last_error = ""
        self._conninfo = target.conninfo
        self._settings = _SESSION.format(
            lock_timeout="20ms" if alone else "300ms", schema=name, buffer_size=dice.choice(("16MB", "64kB")),
            date_style=dice.choice(("ISO", "SQL, DMY", "German")), zone=dice.choice(("UTC", "Asia/Kathmandu")),
            interval_style=dice.choice(("postgres", "iso_8601")), digits=dice.choice((0, 1)),
            bytea=dice.choice(("hex", "escape")))
        self._connect()

    def _connect(self) -> None:
        self.connection = psycopg2.connect(self._conninfo)
        self.connection.autocommit = True
        self._cursor = self.connection.cursor()
        self._cursor.execute(self._settings)

    def run(self, transactions: int) -> None:
        deadline = time.monotonic() + _LONGEST_S
        for _ in range(transactions):
            transaction = self.generator.transaction()
            self.generator.finished(transaction, self.send(transaction))
            if time.monotonic() > deadline:
                raise TimeoutError(f"a session's transactions took longer than {_LONGEST_S} s")

    def send(self, transaction: Transaction) -> bool:
        """Whether it committed, or was prepared."""
        self.journal[transaction.number] = transaction
        failed = False
        for step in transaction.steps:
            if failed and not str(step).startswith("ROLLBACK TO"):
                continue
            try:
                if isinstance(step, Copy):
                    self._cursor.copy_expert(step.statement, io.StringIO(step.data))
                else:
                    self._cursor.execute(step)
                failed = False
            except psycopg2.Error as error:
                if error.pgcode is None or error.pgcode.startswith(("XX", "57P")):
                    raise  # the server's own fault, or its end
                self.errors[error.pgcode] = self.errors.get(error.pgcode, 0) + 1
                self.last_error = str(error)
                failed = True
        if self.connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            self._cursor.execute("ROLLBACK")
            failed = True
        committed = not failed and not str(transaction.steps[-1]).endswith("ROLLBACK")
        if committed:
            self.committed += 1
            if transaction.prepared and transaction.number // 10 % 3 == 0:
                self.close()  # others will say what becomes of it
                self._connect()
        else:
            self.not_committed.add(transaction.number)
        if rolled_back := re.fullmatch(r"ROLLBACK PREPARED '.*/(\d+)'", str(transaction.steps[0])):
            self.not_committed.add(int(rolled_back[1]))
        return committed

    def send_last(self, transaction: Transaction) -> None:
        if not self.send(transaction):
            raise AssertionError(f"a seed's last transactions must succeed: {self.last_error}{transaction}")

    def close(self) -> None:
        self.connection.close()


def run_seed(seed: int, target: Target) -> Outcome:
    """Everything from the schema to the verdict. Never raises: what goes wrong is the outcome's failure."""
    outcome = Outcome(seed)
    sessions: list[_Session] = []
    try:
        with contextlib.ExitStack() as stack:
            _run(seed, target, outcome, sessions, stack)
    except Exception as error:  # whatever it is must be told with the seed's number
        text = str(error)
        outcome.failure = f"{type(error).__name__}: {text[:2500]}\n{_culprits(text, sessions)}"
    return outcome


def _run(seed: int, target: Target, outcome: Outcome, sessions: list[_Session], stack: contextlib.ExitStack) -> None:
    name = f"m{seed}"
    dice = random.Random(seed)
    drawn = schemas.draw(dice)
    names = [table.name for table in drawn.tables]
    admin = psycopg2.connect(target.conninfo)
    stack.callback(admin.close)
    admin.autocommit = True
    cursor = admin.cursor()
    cursor.execute(f"SET client_min_messages = error; CREATE SCHEMA {name}; SET search_path = {name}; {schemas.TYPES}")
    for statement in drawn.statements:
        cursor.execute(statement)

    count = SESSIONS if seed % 5 == 0 else 1
    with_ddl = dice.random() < 0.5
    merge = admin.server_version >= 150000
    prepared: list[str] = []
    for number in range(count):
        # Each session has its own idea of the tables: what others alter, it need not know.
        own = random.Random(f"{seed}/{number}")
        generator = Generator(name, own, copy.deepcopy(drawn), merge, number, count, with_ddl, prepared)
        sessions.append(_Session(target, name, generator, own, alone=count == 1))
        stack.callback(sessions[-1].close)
    if count == 1:
        sessions[0].run(TRANSACTIONS)
    else:
        _run_together(sessions)
    last = sessions[0]
    while transaction := last.generator.finish_prepared():
        last.send_last(transaction)
    last.send_last(last.generator.last_transaction())
    for session in sessions:
        outcome.issued += len(session.journal)
        outcome.committed += session.committed
        for code, times in session.errors.items():
            outcome.errors[code] = outcome.errors.get(code, 0) + times

    _wait_until_shipped(cursor)
    _judge(name, names, target, admin, sessions, outcome)


def _wait_until_shipped(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("SELECT waybill.safe_csn()")
    upto = cursor.fetchone()[0]
    deadline = time.monotonic() + _LONGEST_S
    connected = time.monotonic()
    while True:
        cursor.execute("""SELECT waybill.acknowledged('default') >= %s, EXISTS (SELECT FROM pg_locks
                       WHERE locktype = 'advisory' AND granted AND classid = 2003790188
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))""", (upto,))
        shipped, is_connected = cursor.fetchone()
        if shipped:
            return
        if is_connected:
            connected = time.monotonic()
        elif time.monotonic() > connected + _LONGEST_DISCONNECTED_S:
            raise TimeoutError(f"no shipper has been connected for {_LONGEST_DISCONNECTED_S} s")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the shipper did not acknowledge csn {upto} within {_LONGEST_S} s")
        time.sleep(0.03)


def _run_together(sessions: list[_Session]) -> None:
    errors: list[Exception] = []

    def work(session: _Session) -> None:
        try:
            session.run(TRANSACTIONS // len(sessions))
        except Exception as error:  # for the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _judge(name: str, names: list[str], target: Target, admin, sessions: list[_Session], outcome: Outcome) -> None:
    tables = []
    topics = []
    ddls = [session.generator.ddl for session in sessions]
    for position, first_name in enumerate(names):
        drawn = sessions[0].generator.schema.tables[position]
        with admin.cursor() as cursor:
            table = checker.read_table_by(cursor, f"{name}.{drawn.name}", drawn.key)
        had = {first_name, *(other for ddl in ddls for other in ddl.names.get(first_name, []))} - {drawn.name}
        table.other_names = tuple(f"{name}.{other}" for other in sorted(had))
        table.altered = frozenset(column for ddl in ddls for column in ddl.altered.get(first_name, ()))
        tables.append(table)
        topics += [f"{target.prefix}.{other}" for other in (table.name, *table.other_names)]
    with TopicReader(target.bootstrap, topics, may_be_absent=True) as reader:
        judge = Checker(target.prefix, tables)
        not_committed = set().union(*(session.not_committed for session in sessions))
        context_of: dict[str, str] = {}
        for record in checker.in_commit_order(reader.to_end()):
            judge.feed(record)
            context = record.header("waybill.context")
            if context is None:
                continue
            if int(context) in not_committed:
                raise AssertionError(f"{record.header('waybill.position')} of {context}: this transaction did not commit")
            csn = record.header("waybill.position").rsplit("/", 1)[0]
            if context_of.setdefault(context, csn) != csn:
                raise AssertionError(f"transaction {context} is at {context_of[context]} and at {csn}")
    report = judge.finish()
    outcome.in_topics, outcome.changes = report.transactions, report.changes


def _culprits(text: str, sessions: list[_Session]) -> str:
    """The first transactions that a failure names, as they were sent."""
    numbers = dict.fromkeys(int(number) for number in re.findall(r" of (\d+): ", text))
    journal = {number: transaction for session in sessions for number, transaction in session.journal.items()}
    return "\n".join(f"-- transaction {number}\n{journal[number]}" for number in list(numbers)[:2] if number in journal)
