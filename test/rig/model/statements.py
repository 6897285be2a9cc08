"""Draws single statements that change rows."""

import dataclasses
import random
from collections.abc import Callable

from .schema import Schema, Table


@dataclasses.dataclass
class Copy:
    """COPY … FROM STDIN with its data: goes to the server by other means than a statement."""

    statement: str
    data: str

    def __str__(self) -> str:
        return f"{self.statement};\n{self.data}\\."


class Statements:
    """What one session draws its statements from. `first_id` and what follows is its own: the ids that are used once."""

    def __init__(self, dice: random.Random, schema: Schema, first_id: int, merge: bool):
        self.dice = dice
        self.schema = schema
        self._next_id = first_id
        self._weights: list[tuple[Callable[[Table], str | Copy], int]] = [
            (self.insert_new, 10), (self.insert_rows, 8), (self.insert_free, 12), (self.upsert, 14),
            (self.insert_select, 4), (self.update, 24), (self.update_nothing, 3), (self.update_all, 2),
            (self.update_from, 3), (self.change_key, 7), (self.shift_keys, 2), (self.move, 6), (self.delete, 10),
            (self.prune, 8), (self.copy, 3), (self.chain, 6), (self.poke, 4), (self.truncate, 1),
            (self.merge, 6 if merge else 0), (self.insert_taken, 1), (self.refer, 3)]

    def draw(self) -> str | Copy:
        """One statement; some find nothing to do, a few fail."""
        while True:
            method = self.dice.choices([method for method, _ in self._weights], [weight for _, weight in self._weights])[0]
            statement = method(self.dice.choice(self.schema.tables))
            if statement:
                return statement

    # ---- pieces

    def _fresh(self) -> int:
        self._next_id += 1
        return self._next_id

    def _some(self, alias: str = "") -> str:
        """A condition for some rows."""
        dice, id_ = self.dice, f"{alias}.id" if alias else "id"
        low = dice.randrange(1, 40)
        return dice.choice((f"{id_} = {low}", f"{id_} BETWEEN {low} AND {low + dice.randrange(5)}",
                            f"{id_} IN ({low}, {dice.randrange(1, 40)})",
                            f"{id_} > 1000 AND {id_} % 7 = {dice.randrange(7)}",
                            f"{id_} <= 40 AND {id_} % 9 = {dice.randrange(9)}"))

    def _one(self, table: Table) -> str:
        return f"id = (SELECT id FROM {table.name} WHERE id >= {self.dice.randrange(40)} ORDER BY id LIMIT 1)"

    def _values(self, table: Table, id_: str | int) -> dict[str, str]:
        dice = self.dice
        values = {"id": str(id_)}
        if dice.random() < 0.7:
            values["n"] = str(dice.randrange(100))
        if table.part:
            values["part"] = str(dice.randrange(4))
        if table.reference and dice.random() < 0.8:
            values["ref"] = self._reference(table)
        for column in table.data():
            if dice.random() < 0.6:
                values[column.name] = "NULL" if dice.random() < 0.1 else column.draw(dice)
        return values

    def _reference(self, table: Table) -> str:
        """An id that is there; NULL when there is none."""
        return f"(SELECT max(id) FROM {table.reference} WHERE id <= {self.dice.choice((20, 40, 10**6))})"

    def _insert(self, table: Table, values: dict[str, str]) -> str:
        overriding = " OVERRIDING USER VALUE" if self.dice.random() < 0.1 else ""
        return f"INSERT INTO {table.name} ({', '.join(values)}){overriding} VALUES ({', '.join(values.values())})"

    def _assignments(self, table: Table) -> str:
        dice = self.dice
        chosen = [f"{column.name} = {dice.choice((column.draw(dice), column.draw(dice), 'NULL', 'DEFAULT'))}"
                  for column in table.data() if dice.random() < 0.4]
        if not chosen or dice.random() < 0.5:
            chosen.append(f"n = {table.name}.n + 1")
        return ", ".join(chosen) + table.bump()

    # ---- statements

    def insert_new(self, table: Table) -> str:
        return self._insert(table, self._values(table, self._fresh()))

    def insert_rows(self, table: Table) -> str:
        values = self._values(table, 0)
        rows = []
        for _ in range(self.dice.randrange(2, 7)):
            row = self._values(table, self._fresh())
            rows.append("(" + ", ".join(row.get(name, "DEFAULT") for name in values) + ")")
        return f"INSERT INTO {table.name} ({', '.join(values)}) VALUES {', '.join(rows)}"

    def insert_free(self, table: Table) -> str | None:
        """Under a key that is used again and again, if it is free."""
        if table.fresh_ids:
            return None
        values = self._values(table, self.dice.randrange(1, 41))
        return (f"INSERT INTO {table.name} ({', '.join(values)}) SELECT {', '.join(values.values())} "
                f"WHERE NOT EXISTS (SELECT FROM {table.name} WHERE id = {values['id']})")

    def insert_taken(self, table: Table) -> str | None:
        """Fails if the key is taken."""
        return self._insert(table, self._values(table, self.dice.randrange(1, 41))) if table.unique else None

    def insert_select(self, table: Table) -> str:
        source = self.dice.choice(self.schema.tables)
        return (f"INSERT INTO {table.name} (id, n) SELECT {self._base()} + row_number() OVER (ORDER BY id), n "
                f"FROM {source.name} WHERE {self._some()} LIMIT 8")

    def _base(self) -> int:
        """The first of ids for as many rows as a statement may have."""
        base = self._next_id
        self._next_id += 10_000
        return base

    def upsert(self, table: Table) -> str | None:
        if not table.unique:
            return None
        ids = self.dice.sample(range(1, 41), self.dice.choice((1, 1, 2, 4)))
        values = self._values(table, 0)
        rows = []
        for id_ in ids:
            row = self._values(table, id_)
            rows.append("(" + ", ".join(row.get(name, "DEFAULT") for name in values) + ")")
        action = f"UPDATE SET {self._assignments(table)}"
        if self.dice.random() < 0.3:
            action = "NOTHING"
        elif self.dice.random() < 0.2:
            action += f" WHERE {table.name}.n % 2 = 0"
        return (f"INSERT INTO {table.name} ({', '.join(values)}) VALUES {', '.join(rows)} "
                f"ON CONFLICT ({', '.join(table.unique)}) DO {action}")

    def update(self, table: Table) -> str:
        only = "ONLY " if table.heir and self.dice.random() < 0.3 else ""
        return f"UPDATE {only}{table.name} SET {self._assignments(table)} WHERE {self._some()}"

    def update_nothing(self, table: Table) -> str | None:
        """Rows stay as they are, and have changed."""
        return None if table.version else f"UPDATE {table.name} SET n = n WHERE {self._some()}"

    def update_all(self, table: Table) -> str:
        return f"UPDATE {table.name} SET {self._assignments(table)} WHERE id > 0"

    def update_from(self, table: Table) -> str:
        other = self.dice.choice(self.schema.tables)
        return (f"UPDATE {table.name} SET n = other.n + 1{table.bump()} FROM (SELECT DISTINCT id, n FROM {other.name}) other "
                f"WHERE other.id = {table.name}.id AND {self._some(table.name)}")

    def change_key(self, table: Table) -> str:
        if table.fresh_ids or self.dice.random() < 0.3:
            return f"UPDATE {table.name} SET id = {self._fresh()}{table.bump()} WHERE {self._one(table)}"
        if self.dice.random() < 0.3:
            return f"UPDATE {table.name} SET id = id % 1000 + {self._base()}{table.bump()} WHERE id < 40 AND {self._some()}"
        id_ = self.dice.randrange(1, 41)
        return (f"UPDATE {table.name} SET id = {id_}{table.bump()} WHERE id = (SELECT max(id) FROM {table.name}) "
                f"AND NOT EXISTS (SELECT FROM {table.name} WHERE id = {id_})")

    def shift_keys(self, table: Table) -> str | None:
        """Each row takes the key that the one before it has just left; fails when the first does not find its free."""
        if not table.unique:
            return None
        low = self.dice.randrange(2, 40)
        return f"UPDATE {table.name} SET id = id - 1{table.bump()} WHERE id BETWEEN {low} AND {low + self.dice.randrange(4)}"

    def move(self, table: Table) -> str | None:
        """To another partition where `part` decides, a change of the key where it has part in it."""
        if not table.part:
            return None
        condition = self._some() if self.dice.random() < 0.6 else self._one(table)
        return f"UPDATE {table.name} SET part = (part + {self.dice.randrange(1, 4)}) % 4{table.bump()} WHERE {condition}"

    def refer(self, table: Table) -> str | None:
        if not table.reference:
            return None
        return f"UPDATE {table.name} SET ref = {self._reference(table)}{table.bump()} WHERE {self._some()}"

    def delete(self, table: Table) -> str:
        return f"DELETE FROM {table.name} WHERE {self._some()}"

    def prune(self, table: Table) -> str:
        """Keeps the tables small."""
        return f"DELETE FROM {table.name} WHERE id > 1000 AND id % 3 = {self.dice.randrange(3)}"

    def truncate(self, table: Table) -> str:
        if table.leaves and self.dice.random() < 0.6:
            return f"TRUNCATE {self.dice.choice([leaf.name for leaf in table.leaves if leaf.attached])} CASCADE"
        names = [table.name]
        if self.dice.random() < 0.3:
            names.append(self.dice.choice(self.schema.tables).name)
        restart = self.dice.choice(("", " RESTART IDENTITY"))
        return f"TRUNCATE {', '.join(dict.fromkeys(names))}{restart}{self.dice.choice((' CASCADE', ''))}"

    def copy(self, table: Table) -> Copy:
        rows = [f"{self._fresh()}\t{self.dice.randrange(100)}\n" for _ in range(self.dice.randrange(1, 12))]
        return Copy(f"COPY {table.name} (id, n) FROM STDIN", "".join(rows))

    def merge(self, table: Table) -> str | None:
        if table.heir or table.parent or table.fresh_ids:
            return None
        ids = ", ".join(f"({id_})" for id_ in self.dice.sample(range(1, 41), 4))
        part = " AND t.part = 0" if table.part and "part" in table.key else ""
        matched = [f"WHEN MATCHED AND t.n % 3 = {self.dice.randrange(3)} THEN DELETE",
                   f"WHEN MATCHED THEN UPDATE SET n = t.n + 1{table.bump('t')}"]
        new = f"WHEN NOT MATCHED AND s.id % 2 = {self.dice.randrange(2)} THEN INSERT (id, n) VALUES (s.id, 5)"
        if table.unique == [] and table.key:
            new = "WHEN NOT MATCHED THEN DO NOTHING"
        return f"MERGE INTO {table.name} t USING (VALUES {ids}) s (id) ON t.id = s.id{part} {' '.join(matched)} {new}"

    def chain(self, table: Table) -> str:
        """Several tables, or the same one, in one statement."""
        second, third = self.dice.choice(self.schema.tables), self.dice.choice(self.schema.tables)
        first = self.dice.choice((
            f"DELETE FROM {table.name} WHERE {self._some()}",
            f"UPDATE {table.name} SET n = n + 1{table.bump()} WHERE {self._some()}"))
        last = self.dice.choice((
            f"INSERT INTO {third.name} (id, n) SELECT {self._base()} + row_number() OVER (ORDER BY id), n FROM gone",
            f"DELETE FROM {third.name} WHERE id IN (SELECT id + 1 FROM gone)",
            f"UPDATE {third.name} SET n = n + 1{third.bump()} WHERE id IN (SELECT id FROM gone)"))
        return (f"WITH gone AS ({first} RETURNING id, n), made AS (UPDATE {second.name} SET n = {second.name}.n + 3"
                f"{second.bump()} WHERE {second.name}.id IN (SELECT id + {self.dice.randrange(3)} FROM gone) RETURNING 1) "
                f"{last}")

    def poke(self, table: Table) -> str | None:
        """Calls a function that writes while the statement runs."""
        if not self.schema.functions:
            return None
        x = f"poke({table.name}.id % 1000)"
        return self.dice.choice((
            f"UPDATE {table.name} SET n = n + {x} % 2{table.bump()} WHERE {self._some()}",
            f"DELETE FROM {table.name} WHERE {self._some()} AND {x} >= 0",
            f"INSERT INTO {table.name} (id, n) SELECT {self._base()} + i, poke({self.dice.randrange(40)} + i) "
            f"FROM generate_series(1, 3) i",
            f"SELECT poke({self.dice.randrange(1, 40)})"))
