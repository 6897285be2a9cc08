"""Draws transactions: what one session of a seed does."""

import contextlib
import copy
import dataclasses
import random

from .ddl import Ddl
from .schema import Schema
from .statements import Copy, Statements

_RECOVERS = "ROLLBACK TO"
_FAILS = ("SELECT 1 / 0", "INSERT INTO nowhere VALUES (1)", "SELECT 'x'::integer", "DO 'BEGIN RAISE ''on purpose''; END'")


@dataclasses.dataclass
class Transaction:
    """`steps` go to the server one after the other; each is a COPY or statements that the server takes in one message.
    When one fails, the next that begins with ROLLBACK TO goes on, and if there is none, ROLLBACK."""

    number: int
    steps: list[str | Copy]
    prepared: str = ""  # as what PREPARE TRANSACTION leaves it

    def __str__(self) -> str:
        return ";\n".join(map(str, self.steps)) + ";"


class Generator:
    """transaction() draws the next one, which is to be run before finished() says how it went."""

    def __init__(self, seed: str, dice: random.Random, schema: Schema, merge: bool, session: int, sessions: int,
                 with_ddl: bool, prepared: list[str]):
        """`prepared` is what sessions have in common: the names of transactions that are prepared."""
        self._seed = seed
        self._dice = dice
        self._statements = Statements(dice, schema, 1000 + session * 300_000_000, merge)
        self.ddl = Ddl(dice, schema)
        self.schema = schema
        self._session = session
        self._alone = sessions == 1
        self._with_ddl = with_ddl
        self._number = 0
        self._before: list | None = None  # the tables, should the transaction with DDL fail
        self._savepoints = 0
        self._prepared = prepared

    def transaction(self) -> Transaction:
        dice = self._dice
        if dice.random() < 0.3:
            with contextlib.suppress(IndexError):  # another session was faster
                if finishing := self.finish_prepared():
                    return finishing
        self._number += 1
        number = self._number * 10 + self._session
        if dice.random() < 0.12:
            return Transaction(number, [self._statements.draw()])  # a transaction by itself
        level = dice.choices(("", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE"), (8, 1, 1))[0]
        steps: list = [f"BEGIN{level}", f"SET LOCAL waybill.context = '{number}'"]
        if dice.random() < 0.05:
            steps.append("SET LOCAL session_replication_role = replica")
        if dice.random() < 0.1:
            steps.append("SET CONSTRAINTS ALL DEFERRED")
        steps += self._block(dice.choice((1, 1, 2, 3, 5)), 0)
        ddl = self._with_ddl and dice.random() < (0.06 if self._alone else 0.02)
        if ddl:
            self._before = copy.deepcopy(self.schema.tables)
            statements = self.ddl.draw(only_harmless=not self._alone)
            if dice.random() < 0.3:
                # Undone, and what follows meets the tables as they were.
                name = self._savepoint()
                used = self._statements.draw()
                steps += [f"SAVEPOINT {name}", *statements, used, f"ROLLBACK TO {name}"]
                self._restore()
            else:
                steps += statements
            steps += self._block(dice.choice((0, 1, 2)), 0)
        end = "COMMIT"
        prepared = ""
        if dice.random() < 0.05:
            end = "ROLLBACK"
        elif not ddl and not self._prepared and dice.random() < 0.15:
            prepared = f"{self._seed}/{number}"
            end = f"PREPARE TRANSACTION '{prepared}'"
        return Transaction(number, _messages([*steps, end]), prepared)

    def finished(self, transaction: Transaction, committed: bool) -> None:
        if self._before is not None and not committed:
            self._restore()
        self._before = None
        if transaction.prepared and committed:
            self._prepared.append(transaction.prepared)

    def finish_prepared(self) -> Transaction | None:
        """Whose session may be another, and gone."""
        if not self._prepared:
            return None
        self._number += 1
        how = self._dice.choices(("COMMIT", "ROLLBACK"), (3, 1))[0]
        return Transaction(self._number * 10 + self._session, [f"{how} PREPARED '{self._prepared.pop(0)}'"])

    def last_transaction(self) -> Transaction:
        """Changes every row, so that the topic has all columns of the tables that DDL changed."""
        # No trigger may keep a row from being changed, or fail.
        touch = ["BEGIN", "SET LOCAL session_replication_role = replica"]
        touch += [f"UPDATE {table.name} SET n = n + 1{table.bump()}" for table in self.schema.tables]
        return Transaction(0, _messages([*touch, "COMMIT"]))

    def _restore(self) -> None:
        self.schema.tables[:] = self._before
        self._before = None

    def _savepoint(self) -> str:
        self._savepoints += 1
        return f"s{self._savepoints}"

    def _block(self, length: int, depth: int) -> list:
        """Statements, some in savepoints and PL/pgSQL blocks."""
        dice = self._dice
        steps: list = []
        for _ in range(length):
            kind = dice.random()
            if kind < 0.12 and depth < 4:
                name = self._savepoint()
                steps += [f"SAVEPOINT {name}", *self._block(dice.randrange(1, 4), depth + 1)]
                if dice.random() < 0.1:
                    steps.append(dice.choice(_FAILS))
                    steps.append(f"ROLLBACK TO {name}")
                else:
                    steps += dice.choice(([f"RELEASE {name}"], [f"ROLLBACK TO {name}"], [],
                                          [f"ROLLBACK TO {name}", f"RELEASE {name}"],
                                          [f"ROLLBACK TO {name}", *self._block(1, depth + 1), f"ROLLBACK TO {name}"]))
            elif kind < 0.2:
                steps.append(self._plpgsql())
            elif kind < 0.204:
                steps.append(dice.choice(_FAILS))
            else:
                steps.append(self._statements.draw())
        return steps

    def _plpgsql(self) -> str:
        """A block whose exception handler makes it a subtransaction, and in it or its handler another one."""
        failure = self._dice.choice(("", "", "RAISE division_by_zero;"))
        return (f"DO $do$ BEGIN {self._body(3)} BEGIN {self._body(2)} EXCEPTION WHEN OTHERS THEN NULL; END; {failure} "
                f"EXCEPTION WHEN OTHERS THEN BEGIN {self._body(1)} EXCEPTION WHEN OTHERS THEN NULL; END; END $do$")

    def _body(self, most: int) -> str:
        body = ""
        for _ in range(self._dice.randint(1, most)):
            statement = self._statements.draw()
            if not isinstance(statement, Copy):
                body += statement.replace("SELECT poke", "PERFORM poke", statement.startswith("SELECT")) + "; "
        return body


def _messages(steps: list) -> list:
    """As few as possible: a COPY is one of its own, and so is what begins with the ROLLBACK TO that may follow a failure."""
    messages: list = []
    for step in steps:
        alone = isinstance(step, Copy) or step.startswith(_RECOVERS)
        if messages and not alone and not isinstance(messages[-1], Copy):
            messages[-1] += f";\n{step}"
        else:
            messages.append(step)
    return messages
