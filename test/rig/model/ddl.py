"""Draws changes of tables. Each keeps the drawn schema in step, as if it succeeded: see Generator for what if not."""

import random

from . import schema as schemas
from .schema import Column, Schema, Table

_ORIGIN = "SET LOCAL session_replication_role = origin"


class Ddl:
    """`altered` collects, for each table, the columns that DDL made, removed, renamed or rewrote, `former` the names
    that it had besides its first: what the judge must know. Both outlive a rollback, which does no harm."""

    def __init__(self, dice: random.Random, schema: Schema):
        self.dice = dice
        self.schema = schema
        self.altered: dict[str, set[str]] = {}
        self.names: dict[str, list[str]] = {}
        self._count = 0

    def draw(self, only_harmless: bool = False) -> list[str]:
        """Statements that belong together. Harmless ones change nothing that other sessions' statements name."""
        kinds = [self.set_default, self.widen, self.add_label]
        if not only_harmless:
            kinds += [self.add_column, self.add_column, self.drop_column, self.rename_column, self.widen, self.rename_table,
                      self.recreate_partition, self.reattach]
        while True:
            statements = self.dice.choice(kinds)(self.dice.choice(self.schema.tables))
            if statements:
                return statements

    def _alter(self, table: Table, column: str) -> None:
        self.altered.setdefault(self._identity(table), set()).add(column)

    def _identity(self, table: Table) -> str:
        """The name by which the run knows the table, whatever its present one."""
        return table.name.split("_as_")[0]

    def _columns(self, table: Table) -> list[Column]:
        # A heir's columns are its parent's.
        return [] if table.heir or table.parent else table.data()

    def set_default(self, table: Table) -> list[str]:
        columns = [column for column in table.data() if column.type != "pair"]
        if not columns:
            return []
        column = self.dice.choice(columns)
        action = self.dice.choice((f"SET DEFAULT {column.draw(self.dice)}", "DROP DEFAULT"))
        return [f"ALTER TABLE {table.name} ALTER {column.name} {action}"]

    def widen(self, table: Table) -> list[str]:
        """A change of the type that rewrites the table, or only its definition."""
        wider = {"integer": "bigint", "varchar(80)": "text", "numeric(12,3)": "numeric", "mood": "text",
                 "double precision": "numeric", "cents": "numeric(14,4)", "bigint": "numeric"}
        columns = [column for column in self._columns(table) if column.type in wider]
        if not columns:
            return []
        column = self.dice.choice(columns)
        column.type = wider[column.type]
        self._alter(table, column.name)
        return [f"ALTER TABLE {table.name} ALTER {column.name} DROP DEFAULT, "
                f"ALTER {column.name} TYPE {column.type} USING {column.name}::{column.type}"]

    def add_label(self, _table: Table) -> list[str]:
        self.schema.labels += 1
        return [f"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'label {self.schema.labels}' "
                f"{self.dice.choice(('BEFORE', 'AFTER'))} 'happy'"]

    def add_column(self, table: Table) -> list[str]:
        if table.heir or table.parent or len(table.columns) > 12:
            return []
        self._count += 1
        kind = self.dice.choice(schemas.KINDS)
        rest = self.dice.choice(("", f"DEFAULT {kind[1](self.dice)}"))
        column = Column(f"d{self._count}", *kind, rest)
        table.columns.append(column)
        self._alter(table, column.name)
        return [f"ALTER TABLE {table.name} ADD {column.definition()}"]

    def drop_column(self, table: Table) -> list[str]:
        columns = self._columns(table)
        if len(columns) < 2:
            return []
        column = self.dice.choice(columns)
        table.columns = [other for other in table.columns if other is not column]
        self._alter(table, column.name)
        return [f"ALTER TABLE {table.name} DROP {column.name}"]

    def rename_column(self, table: Table) -> list[str]:
        columns = self._columns(table)
        if not columns:
            return []
        column = self.dice.choice(columns)
        self._count += 1
        new = f"d{self._count}"
        self._alter(table, column.name)
        self._alter(table, new)
        old, column.name = column.name, new
        return [f"ALTER TABLE {table.name} RENAME {old} TO {new}"]

    def rename_table(self, table: Table) -> list[str]:
        """To a new name, which means a new topic, or for a moment."""
        if table.triggers or table.parent or table.heir or any(other.reference == table.name for other in self.schema.tables):
            return []
        self._count += 1
        new = f"{self._identity(table)}_as_{self._count}"
        if self.dice.random() < 0.4:
            return [f"ALTER TABLE {table.name} RENAME TO {new}", f"ALTER TABLE {new} RENAME TO {table.name}"]
        self.names.setdefault(self._identity(table), []).append(new)
        old, table.name = table.name, new
        for leaf in table.leaves:
            if leaf.parent == old:
                leaf.parent = new
        return [f"ALTER TABLE {old} RENAME TO {new}"]

    def recreate_partition(self, table: Table) -> list[str]:
        """A partition goes, after its rows, and another comes with columns in an order of its own."""
        if not table.leaves or any(other.reference == table.name for other in self.schema.tables):
            return []
        leaf = self.dice.choice(table.leaves)
        return [*self._detach(leaf), f"DROP TABLE {leaf.name}", *schemas.create_leaf(self.dice, table, leaf), _ORIGIN]

    def reattach(self, table: Table) -> list[str]:
        """Out and in again; what is written to it while it is out is nobody's change."""
        if not table.leaves or any(other.reference == table.name for other in self.schema.tables):
            return []
        leaf = self.dice.choice(table.leaves)
        return [*self._detach(leaf), f"INSERT INTO {leaf.name} (id) VALUES (-1)", f"DELETE FROM {leaf.name}",
                f"ALTER TABLE {leaf.parent} ATTACH PARTITION {leaf.name} {leaf.bound}", _ORIGIN]

    def _detach(self, leaf: schemas.Leaf) -> list[str]:
        """Without its rows: they would leave the table without a change. No trigger may make some of them again."""
        return ["SET LOCAL session_replication_role = replica", f"DELETE FROM {leaf.name}",
                f"ALTER TABLE {leaf.parent} DETACH PARTITION {leaf.name}"]
