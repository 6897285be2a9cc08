"""Every type there and back: random values that PostgreSQL makes are captured, published, rebuilt from what is in Kafka
as literals, and compared with what is stored. Where a type's equality hides differences (a numeric's zeros, -0, an
interval's months) the stored bytes are compared.
"""

import contextlib
import json

import psycopg2.extensions
import psycopg2.extras
import pytest

import random_values
from pipeline import Pipeline
from random_values import VALUES
from rig import rebuilding
from rig.consumer import read_topic

# What cannot be stored: these types have no input function that makes a value.
UNSTORABLE = {"pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector", "pg_brin_bloom_summary",
              "pg_brin_minmax_multi_summary", "ltree_gist", "ghstore"}


MODES = {
    "default": {},
    "strings": {"decimal": "string", "time": "isostring", "binary": "hex", "interval": "string", "hstore": "map"},
    "text": {"as_text": [".*"]},
}

# The settings under which the text of types is published (docs/types.md).
PINNED = ("SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
          "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "
          "SET search_path = pg_catalog, pg_temp")


class World(Pipeline):
    """For each type a table v<number> of values and a table a<number> of arrays, both with the column `c`."""

    def __init__(self, server, broker):
        super().__init__(server, broker, "roundtrip")
        types = random_values.types_of(self)
        self.execute(*(f"SELECT waybill.create_stream('{mode}_')" for mode in MODES))
        self.tables = random_values.tables_of(types)
        self.execute(*(f"CREATE TABLE {name} (id int PRIMARY KEY, c {one.sql})" for name, one in self.tables.items()))
        self.capture(*self.tables)
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            random_values.make(cursor, types)
            connection.commit()

    def stored_text(self, cursor, table: str) -> dict[int, str | None]:
        """PostgreSQL's own text of all values."""
        cursor.execute(f"SELECT id, c FROM public.{table} LIMIT 0")
        psycopg2.extensions.register_type(
            psycopg2.extensions.new_type((cursor.description[1].type_code,), "TEXT", lambda text, _: text), cursor)
        cursor.execute(f"SELECT id, c FROM public.{table}")
        return {int(number): text for number, text in cursor.fetchall()}

    def published(self, mode: str) -> dict[str, dict[int, object]]:
        """The values of c, table by table, by id."""
        prefix = f"roundtrip.{mode}"
        # All in one topic, for speed.
        self.shipper(stream={"name": f"{mode}_", "prefix": prefix}, topics={"name": "{prefix}"},
                     types=MODES[mode]).once()
        values: dict[str, dict[int, object]] = {table: {} for table in self.tables}
        for record in read_topic(self.broker.bootstrap, prefix):
            event = json.loads(record.value)
            values[event["source"]["table"]][int(event["after"]["id"])] = event["after"]["c"]
        return values


@pytest.fixture(scope="module")
def world(server, broker):
    made = World(server, broker)
    yield made
    made.close()


def test_every_type_of_the_catalog_is_tried(world):
    names = {name for (name,) in world.query(
        "SELECT typname::text FROM pg_type t WHERE typtype <> 'p' "
        "AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) "
        "AND (typtype <> 'c' OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c') "
        "AND typnamespace IN ('pg_catalog'::regnamespace, 'public'::regnamespace)")}
    assert names - UNSTORABLE == {one.name for one in world.tables.values()} | {one.sql for one in world.tables.values()} & names


@pytest.mark.parametrize("mode", MODES)
def test_every_value_comes_back(world, mode):
    published = world.published(mode)
    problems = []
    with contextlib.closing(world.connect()) as connection, connection.cursor() as cursor:
        for table, one in world.tables.items():
            cursor.execute(PINNED)
            values = published[table]
            assert sorted(values) == list(range(1, VALUES + 1)), one.sql
            stored = world.stored_text(cursor, table)
            if mode == "text":
                differing = [number for number in values if values[number] != stored[number]]
                problems += [f"{one.sql}: stored {stored[number]!r}, published {values[number]!r}"
                             for number in differing]
                literals = values
            elif mode in one.lost:
                continue
            else:
                literals = {number: rebuilding.literal(one.name, value, array=one.array, strings=mode == "strings",
                                                       length=one.length, scale=one.scale)
                            for number, value in values.items()}
            if mode != "text" and one.array:
                # Bounds are not published.
                literals = {number: text for number, text in literals.items() if not stored[number].startswith("[")}
            cursor.execute("SET search_path = pg_catalog, public, pg_temp")
            cursor.execute(f"CREATE TEMP TABLE back (id int PRIMARY KEY, c {one.sql})")
            psycopg2.extras.execute_values(cursor, "INSERT INTO pg_temp.back VALUES %s", list(literals.items()),
                                           f"(%s, %s::{one.sql})", page_size=VALUES)
            same = "s.c IS NOT DISTINCT FROM b.c" if one.equality and mode == "default" else "s *= b"
            cursor.execute(f"SELECT s.id FROM public.{table} s JOIN pg_temp.back b USING (id) WHERE NOT ({same})")
            problems += [f"{one.sql}: stored {stored[number]!r}, published {json.dumps(values[number])}, "
                         f"rebuilt {literals[number]!r}" for number in (int(id_) for (id_,) in cursor.fetchall())]
            cursor.execute("DROP TABLE pg_temp.back")
    if problems:
        pytest.fail(f"{len(problems)} values are not what was stored:\n" + "\n".join(problems[:40]), False)
