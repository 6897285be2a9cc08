"""Draws a schema: tables of all kinds, foreign keys between them, and users' triggers on them.

Every table has a column `id`, by which statements find rows, and `n`, by which they choose some. Most have `version`, which
grows with each update: kept by the statements, or by a trigger where foreign keys update rows. Ids from 1 to 40 are used
again and again; those above 1000 are used once.
"""

import dataclasses
import random
from collections.abc import Callable

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'happy');
CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > -1000000);
CREATE DOMAIN label AS text DEFAULT 'none';
CREATE TYPE pair AS (x integer, y text);
CREATE SEQUENCE fresh START 1000000000;
CREATE FUNCTION keep_version() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
"""


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(dice: random.Random) -> str:
    return quote(dice.choice(("", "a", "ünï", 'q"\\', "tab\there", "x" * 50, f"t{dice.randrange(1000)}")))


def _wide(dice: random.Random) -> str:
    """Beyond what a page holds: stored out of line, compressed or not."""
    if dice.random() < 0.6:
        return _text(dice)
    return f"repeat(md5('{dice.randrange(1000)}'), {dice.randrange(70, 300)})"


def _array(dice: random.Random) -> str:
    return "'{" + ",".join(dice.choice(("1", "NULL", "-7", "12345")) for _ in range(dice.randrange(4))) + "}'"


# Type, and how a value of it is drawn.
KINDS: list[tuple[str, Callable[[random.Random], str]]] = [
    ("integer", lambda dice: str(dice.randrange(-1000, 1000))),
    ("bigint", lambda dice: str(dice.randrange(-2**60, 2**60))),
    ("text", _text),
    ("text", _wide),
    ("varchar(80)", _text),
    ("numeric(12,3)", lambda dice: str(dice.randrange(-10**6, 10**6) / 1000)),
    ("double precision", lambda dice: str(dice.randrange(10**6) / 64)),
    ("boolean", lambda dice: dice.choice(("true", "false"))),
    ("date", lambda dice: f"date '2024-02-01' + {dice.randrange(400)}"),
    ("timestamptz", lambda dice: f"timestamptz '2024-02-01 10:00+00' + interval '{dice.randrange(10**7)} s'"),
    ("mood", lambda dice: dice.choice(("'sad'", "'happy'", "'it''s \"ok\"'"))),
    ("mood[]", lambda dice: dice.choice(("'{}'", "'{sad,NULL}'", "'{happy,happy}'"))),
    ("cents", lambda dice: str(dice.randrange(10**6) / 100)),
    ("label", _text),
    ("integer[]", _array),
    ("bytea", lambda dice: f"'\\x{dice.randbytes(dice.randrange(9)).hex()}'"),
    ("jsonb", lambda dice: f"'{{\"a\": [{dice.randrange(9)}, null]}}'"),
    ("pair", lambda dice: f"ROW({dice.randrange(9)}, 'a b')::pair"),
    ("int4range", lambda dice: f"int4range(1, {dice.randrange(2, 99)})"),
]


@dataclasses.dataclass
class Column:
    name: str
    type: str
    draw: Callable[[random.Random], str] | None  # None: statements give it no value
    rest: str = ""  # of its definition

    def definition(self, rest: bool = True) -> str:
        return f"{self.name} {self.type}{' ' + self.rest if rest and self.rest else ''}"


@dataclasses.dataclass
class Leaf:
    """A partition that holds rows, or did."""

    name: str
    parent: str
    bound: str
    attached: bool = True


@dataclasses.dataclass
class Table:
    name: str
    columns: list[Column]          # data, besides those of the class's fields
    key: list[str]                 # published under; empty: none
    key_by: str                    # primary, named, identity, none
    unique: list[str]              # conflict target, or empty
    deferrable: bool = False       # the primary key: statements give it only fresh ids
    fresh_ids: bool = False        # `key` is unique only if ids are
    part: bool = False             # has column `part`, 0 to 3
    version: str = ""              # kept by: statement, trigger; empty: there is none
    reference: str = ""            # its column `ref` refers to this table
    reference_default: str = ""    # of that column's definition
    partitioning: str = ""         # list, hash, range
    leaves: list[Leaf] = dataclasses.field(default_factory=list)
    parent: str = ""               # inherits
    heir: str = ""                 # is inherited by
    triggers: bool = False         # named in a trigger's or a function's body, so never renamed
    names: int = 0                 # that it has had besides this one

    def bump(self, alias: str = "") -> str:
        """What a statement's SET adds for the version."""
        return f", version = {alias or self.name}.version + 1" if self.version == "statement" else ""

    def data(self) -> list[Column]:
        return [column for column in self.columns if column.draw is not None]


@dataclasses.dataclass
class Schema:
    tables: list[Table]
    statements: list[str]          # make it all, besides TYPES
    functions: list[str] = dataclasses.field(default_factory=list)  # poke_…(id): write while a statement runs
    labels: int = 0                # added to the enum

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


def draw(dice: random.Random) -> Schema:
    schema = Schema([], [])
    for number in range(dice.choices((1, 2, 3, 4, 5), (1, 3, 4, 2, 1))[0]):
        schema.tables.append(_table(dice, f"t{number}", schema))
    # Foreign keys first decide who keeps the versions.
    references = [_foreign_key(dice, schema, table) for table in schema.tables]
    for table in list(schema.tables):
        schema.statements += _create(dice, table)
        if not table.partitioning and not table.reference and dice.random() < 0.15:
            schema.statements += _inherit(dice, schema, table)
    schema.statements += [reference for reference in references if reference]
    for table in schema.tables:
        if table.version == "trigger":
            schema.statements += [
                f"CREATE TRIGGER v_keep BEFORE UPDATE ON {table.name} FOR EACH ROW EXECUTE FUNCTION keep_version()",
                f"ALTER TABLE {table.name} ENABLE ALWAYS TRIGGER v_keep"]
    # What writes while a statement runs must not make rows under keys that it vacates (README): so either triggers
    # make deleted rows again, behind the statement that deleted them, or functions write within statements.
    pokes = dice.random() < 0.5
    for number in range(dice.choices((0, 1, 2, 3), (3, 3, 2, 1))[0]):
        schema.statements += _trigger(dice, schema, number, revive=not pokes)
    if pokes:
        schema.statements += _poke(dice, schema)
    for table in schema.tables:
        key = f", key => '{{{','.join(table.key)}}}'" if table.key_by == "named" else ""
        schema.statements.append(f"SELECT waybill.enable_capture('{table.name}'{key})")
    return schema


# ---- tables


def _table(dice: random.Random, name: str, schema: Schema) -> Table:
    partitioning = dice.choice(("list", "hash", "range")) if dice.random() < 0.35 else ""
    key_by = dice.choices(("primary", "named", "identity", "none"), (6, 2, 0 if partitioning else 1, 2))[0]
    part = partitioning == "list" or dice.random() < 0.2
    table = Table(name, [], [], key_by, [], part=part, partitioning=partitioning)
    table.version = dice.choices(("statement", "trigger", ""), (6, 2, 2))[0]
    if key_by in ("primary", "identity"):
        composite = partitioning == "list" or part and dice.random() < 0.5
        table.key = dice.choice((["id", "part"], ["part", "id"])) if composite else ["id"]
        table.unique = sorted(table.key)
    elif key_by == "named":
        table.key = ["part", "id"] if part and dice.random() < 0.4 else ["id"]
        table.fresh_ids = partitioning == "list" and table.key == ["id"] or dice.random() < 0.3
        table.unique = [] if table.fresh_ids else sorted(table.key)
    table.deferrable = key_by == "primary" and not partitioning and dice.random() < 0.15
    if table.deferrable:
        table.unique = []
        table.fresh_ids = True
    for number in range(dice.randrange(1, 6)):
        kind = dice.choice(KINDS)
        rest = f"DEFAULT {kind[1](dice)}" if dice.random() < 0.3 and kind[0] != "pair" else ""
        table.columns.append(Column(f"c{number}", *kind, rest))
    if dice.random() < 0.3:
        table.columns.append(Column("doubled", "bigint", None, "GENERATED ALWAYS AS (n * 2) STORED"))
    if dice.random() < 0.2 and not partitioning:
        table.columns.append(Column("counted", "integer", None, dice.choice((
            "GENERATED ALWAYS AS IDENTITY", "GENERATED BY DEFAULT AS IDENTITY", "NOT NULL DEFAULT nextval('fresh') - 1000000000"))))
    return table


def _foreign_key(dice: random.Random, schema: Schema, table: Table) -> str:
    """Gives the table a reference, perhaps; returns the statement that makes the constraint."""
    targets = [other for other in schema.tables if other.unique == ["id"] and other.key_by == "primary"]
    if not targets or dice.random() > 0.5:
        return ""
    target = dice.choice(targets)
    table.reference = target.name
    actions = ("CASCADE", "CASCADE", "SET NULL", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION")
    on_delete, on_update = dice.choice(actions), dice.choice(actions)
    if table.version and (on_delete.startswith("SET") or on_update[0] in "CS"):
        table.version = "trigger"
    if "SET DEFAULT" in (on_delete, on_update) and dice.random() < 0.5:
        table.reference_default = f"DEFAULT {dice.randrange(1, 4)}"  # which fails when there is no such row
    when = dice.choice(("", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"))
    return (f"ALTER TABLE {table.name} ADD CONSTRAINT {table.name}_ref FOREIGN KEY (ref) REFERENCES {target.name} (id) "
            f"ON DELETE {on_delete} ON UPDATE {on_update}{when}")


def all_columns(table: Table) -> list[Column]:
    columns = [Column("id", "integer", None, "NOT NULL"), Column("n", "integer", None, "NOT NULL DEFAULT 0")]
    if table.part:
        columns.append(Column("part", "smallint", None, "NOT NULL DEFAULT 0"))
    if table.version:
        columns.append(Column("version", "integer", None, "NOT NULL DEFAULT 1"))
    if table.reference:
        columns.append(Column("ref", "integer", None, table.reference_default))
    return columns + table.columns


def _create(dice: random.Random, table: Table) -> list[str]:
    columns = all_columns(table)
    dice.shuffle(columns)
    lines = [column.definition() for column in columns]
    if table.key_by == "primary":
        lines.append(f"PRIMARY KEY ({', '.join(table.key)})" +
                     (dice.choice((" DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")) if table.deferrable else ""))
    by = {"list": " PARTITION BY LIST (part)", "hash": " PARTITION BY HASH (id)", "range": " PARTITION BY RANGE (id)"}
    statements = [f"CREATE TABLE {table.name} ({', '.join(lines)}){by.get(table.partitioning, '')}"]
    if table.partitioning:
        statements += _partitions(dice, table)
    if table.key_by == "identity":
        statements += [f"CREATE UNIQUE INDEX {table.name}_identity ON {table.name} ({', '.join(table.key)})",
                       f"ALTER TABLE {table.name} REPLICA IDENTITY USING INDEX {table.name}_identity"]
    elif table.key_by == "named" and table.unique:
        statements.append(f"CREATE UNIQUE INDEX ON {table.name} ({', '.join(table.unique)})")
    statements.append(f"CREATE INDEX ON {table.name} (id)")
    for column in table.columns:
        if column.type == "text" and dice.random() < 0.3:
            statements.append(f"ALTER TABLE {table.name} ALTER {column.name} SET STORAGE EXTERNAL")
    return statements


def _partitions(dice: random.Random, table: Table) -> list[str]:
    name = table.name
    statements = []

    def add(parent: str, leaf: str, bound: str) -> None:
        statements.extend(create_leaf(dice, table, Leaf(leaf, parent, bound)))
        table.leaves.append(Leaf(leaf, parent, bound))

    if table.partitioning == "list":
        add(name, f"{name}_a", "FOR VALUES IN (0)")
        statements.append(f"CREATE TABLE {name}_sub PARTITION OF {name} FOR VALUES IN (1, 2) PARTITION BY RANGE (id)")
        add(f"{name}_sub", f"{name}_low", "FOR VALUES FROM (MINVALUE) TO (20)")
        add(f"{name}_sub", f"{name}_high", "FOR VALUES FROM (20) TO (MAXVALUE)")
        add(name, f"{name}_rest", "DEFAULT")
    elif table.partitioning == "hash":
        for rest in range(3):
            add(name, f"{name}_h{rest}", f"FOR VALUES WITH (MODULUS 3, REMAINDER {rest})")
    else:
        add(name, f"{name}_low", "FOR VALUES FROM (MINVALUE) TO (15)")
        add(name, f"{name}_high", "FOR VALUES FROM (15) TO (1000)")
        add(name, f"{name}_rest", "DEFAULT")
    return statements


def create_leaf(dice: random.Random, table: Table, leaf: Leaf) -> list[str]:
    """A partition: made as one, or attached with columns in another order and dropped ones between them."""
    if dice.random() < 0.4:
        return [f"CREATE TABLE {leaf.name} PARTITION OF {leaf.parent} {leaf.bound}"]
    lines = [column.definition() for column in all_columns(table)] + ["gone integer", "lost text"]
    dice.shuffle(lines)
    return [f"CREATE TABLE {leaf.name} ({', '.join(lines)})",
            f"ALTER TABLE {leaf.name} DROP COLUMN gone, DROP COLUMN lost",
            f"ALTER TABLE {leaf.parent} ATTACH PARTITION {leaf.name} {leaf.bound}"]


def _inherit(dice: random.Random, schema: Schema, table: Table) -> list[str]:
    """An heir: statements on the table reach its rows; constraints and triggers are its own."""
    heir = Table(f"{table.name}_heir", [*table.columns, Column("own", *KINDS[0])], [], "none", [], part=table.part,
                 version=table.version, parent=table.name)
    table.heir = heir.name
    # Both tables' rows have ids in the same range, and a statement names the one or both.
    for column in heir.columns:
        if "IDENTITY" in column.rest:  # is not inherited
            heir.columns = [other for other in heir.columns if other is not column]
            table.columns = [other for other in table.columns if other is not column]
            schema.statements.append(f"ALTER TABLE {table.name} DROP COLUMN {column.name}")
    schema.tables.append(heir)
    return [f"CREATE TABLE {heir.name} (own integer) INHERITS ({table.name})", f"CREATE INDEX ON {heir.name} (id)"]


# ---- triggers and functions


def _write(dice: random.Random, schema: Schema, x: str, fresh_only: bool) -> str:
    """A statement of a function's body, for the row with id x. Makes rows under new keys only if so asked."""
    table = dice.choice(schema.tables)
    table.triggers = True
    name, at = table.name, f"{x} + {dice.randrange(3)}"
    new_id = "nextval('fresh')"
    choices = [
        f"INSERT INTO {name} (id, n) VALUES ({new_id}, {dice.randrange(9)})",
        f"UPDATE {name} SET n = n + 1{table.bump()} WHERE id = {at}",
        f"UPDATE {name} SET n = n + 1{table.bump()} WHERE id = {at}",
        f"DELETE FROM {name} WHERE id = {at} AND n % 3 = 0",
        f"UPDATE {name} SET id = {new_id}{table.bump()} WHERE id = {at} AND n % 4 = 0",
    ]
    if not fresh_only and not table.fresh_ids:
        choices += [f"INSERT INTO {name} (id, n) SELECT {x}, 1 WHERE NOT EXISTS (SELECT FROM {name} WHERE id = {x})"] * 2
    return dice.choice(choices)


def _trigger(dice: random.Random, schema: Schema, number: int, revive: bool) -> list[str]:
    table = dice.choice(schema.tables)
    function = f"write_{number}"
    name = dice.choice(('" a"', '"!a"', "a_write", "zz_write")).replace("write", function)
    if name.startswith('"'):
        name = f'{name[:-1]}{number}"'
    level = dice.choices(("row", "deferred", "statement", "before", "before statement"), (4, 2, 2, 2, 1))[0]
    if level == "deferred" and table.partitioning:
        level = "row"
    depth = dice.choice((1, 1, 2, 3))
    before = level.startswith("before")
    # An AFTER ROW trigger that sorts before ours acts, for us, while the statement runs.
    sorts_first = level == "row" and name.startswith('"')
    after_statement = not before and not sorts_first and revive
    x = "1" if "statement" in level else "coalesce(NEW.id, OLD.id) % 1000"
    if "statement" in level:
        x = str(dice.randrange(1, 40))
    body = _write(dice, schema, x, fresh_only=True)
    if after_statement and dice.random() < 0.6:
        # Only behind a statement that no other runs in.
        body = f"IF pg_trigger_depth() = 1 THEN {_write(dice, schema, x, fresh_only=False)}; ELSE {body}; END IF"
    guard = f"pg_trigger_depth() <= {depth}"
    if level == "deferred":
        # What it writes at COMMIT may have it called again, at the same depth: eight times in a transaction, all told.
        guard = "current_setting('model.writes', true) IS DISTINCT FROM '........'"
        body = f"PERFORM set_config('model.writes', coalesce(current_setting('model.writes', true), '') || '.', true); {body}"
    if "statement" not in level:
        guard += f" AND coalesce(NEW.n, OLD.n) % {dice.choice((1, 2, 3))} = 0"
    change = "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;" if before and level == "before" else ""
    if level == "before":
        change += dice.choice(("", "NEW.n := NEW.n + 1;", "IF NEW.n % 11 = 10 THEN RETURN NULL; END IF;"))
    events = dice.choice(("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE", "UPDATE OR DELETE",
                          "INSERT OR UPDATE OR DELETE"))
    of = {"row": "AFTER", "deferred": "AFTER", "statement": "AFTER", "before": "BEFORE", "before statement": "BEFORE"}
    how = {"deferred": "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW", "row": "FOR EACH ROW", "before": "FOR EACH ROW"}
    return [f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {guard} THEN {body}; END IF; "
            f"{change} RETURN NEW; END $$",
            f"CREATE {'CONSTRAINT ' if level == 'deferred' else ''}TRIGGER {name} {of[level]} {events} ON {table.name} "
            f"{how.get(level, 'FOR EACH STATEMENT')} EXECUTE FUNCTION {function}()"]


def _poke(dice: random.Random, schema: Schema) -> list[str]:
    """A function for use in statements, which writes while they run."""
    schema.functions.append("poke")
    return [f"CREATE FUNCTION poke(x integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN IF x % 3 = 0 THEN "
            f"{_write(dice, schema, 'x', fresh_only=True)}; ELSE {_write(dice, schema, 'x', fresh_only=True)}; END IF; "
            f"RETURN x; END $$"]
