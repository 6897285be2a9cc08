"""Every type there and back: random values that PostgreSQL makes are captured, published, rebuilt from what is in Kafka
as literals, and compared with what is stored. Where a type's equality hides differences (a numeric's zeros, -0, an
interval's months) the stored bytes are compared.
"""

import contextlib
import dataclasses
import json

import psycopg2.extensions
import psycopg2.extras
import pytest

from pipeline import Pipeline
from rig import rebuilding
from rig.consumer import read_topic

VALUES = 200  # of each type, and as many arrays of it
SEED = 0.42

# What cannot be stored: these types have no input function that makes a value.
UNSTORABLE = {"pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector", "pg_brin_bloom_summary",
              "pg_brin_minmax_multi_summary", "ltree_gist", "ghstore"}


# The arrays of these cannot be written as ARRAY[…]: SQL takes their values for arrays.
ARRAYS_TO_SQL = {"int2vector", "oidvector", "numbers"}


@dataclasses.dataclass
class Random:
    """A type and an expression for a random value. `base` is the typname of what it is when that is a domain."""

    sql: str
    value: str
    base: str = ""
    length: int = -1
    scale: int = 0
    array: bool = False      # the type itself is one
    equality: bool = False   # in the default modes only equal: what is lost is said in docs/types.md
    lost: frozenset = frozenset()  # modes in which it is not the same value

    @property
    def name(self) -> str:
        return self.base or self.sql.strip('"')


def one_of(*literals: str, of: str = "text") -> str:
    return f"(ARRAY[{', '.join(literals)}]::{of}[])[1 + floor(random() * {len(literals)})::int]"


def sometimes(literals: tuple[str, ...], of: str, otherwise: str) -> str:
    return f"CASE WHEN random() < 0.1 THEN {one_of(*literals, of=of)} ELSE {otherwise} END"


def a_range(name: str, value: str) -> str:
    """Names the row's id, lest it be made once for all rows."""
    def maybe(bound: str) -> str:
        return f"CASE WHEN random() < 0.1 THEN NULL ELSE {bound}(a, b) END"
    return (f"CASE WHEN random() < 0.1 THEN 'empty'::{name} ELSE (SELECT {name}({maybe('least')}, {maybe('greatest')}, "
            + one_of("'[]'", "'(]'", "'[)'", "'()'")
            + f") FROM (SELECT {value} AS a, {value} AS b) AS bounds WHERE id > 0) END")


# Volatile, so that each row gets a value of its own.
FUNCTIONS = """
CREATE SCHEMA random;
CREATE FUNCTION random.number() RETURNS bigint VOLATILE LANGUAGE sql AS $$
    SELECT ((random() * 4294967295)::bigint << 32 | (random() * 4294967295)::bigint) >> (random() * 60)::int $$;
CREATE FUNCTION random.letter() RETURNS text VOLATILE LANGUAGE sql AS $$
    SELECT CASE floor(random() * 4)::int
        WHEN 0 THEN chr(1 + (random() * 126)::int)
        WHEN 1 THEN substr('"\\{}(),;''= NULL', 1 + (random() * 14)::int, 1)
        WHEN 2 THEN chr(160 + (random() * 50000)::int)
        ELSE chr(65536 + (random() * 100000)::int) END $$;
CREATE FUNCTION random.text() RETURNS text VOLATILE LANGUAGE sql AS $$
    SELECT coalesce(string_agg(random.letter(), ''), '') FROM generate_series(1, floor(random() * 10)::int) $$;
CREATE FUNCTION random.word() RETURNS text VOLATILE LANGUAGE sql AS $$
    SELECT 'w' || substr(md5(random()::text), 1, 5) $$;
CREATE FUNCTION random.digits(count int) RETURNS text VOLATILE LANGUAGE sql AS $$
    SELECT substr(translate(md5(random()::text) || md5(random()::text), 'abcdef', '012345'), 1, count) $$;
CREATE FUNCTION random.numeric(scale int) RETURNS numeric VOLATILE LANGUAGE sql AS $$
    SELECT CASE WHEN random() < 0.05 THEN 'NaN'
        ELSE (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || random.digits(1 + (random() * 17)::int) || '.'
              || random.digits((random() * scale)::int) || '0')::numeric END $$;
CREATE FUNCTION random.float() RETURNS float8 VOLATILE LANGUAGE sql AS $$
    SELECT CASE floor(random() * 5)::int
        WHEN 0 THEN (random() - 0.5) * power(10::float8, floor(random() * 600 - 300))
        WHEN 1 THEN power(2::float8, floor(random() * 2000 - 1000))
        WHEN 2 THEN ('1e' || (random() * 600 - 300)::int)::float8
        WHEN 3 THEN random.number()::float8
        ELSE round(random()::numeric * 1000, (random() * 5)::int)::float8 END $$;
CREATE FUNCTION random.real() RETURNS float4 VOLATILE LANGUAGE sql AS $$
    SELECT CASE floor(random() * 4)::int
        WHEN 0 THEN ((random() - 0.5) * power(10::float8, floor(random() * 70 - 35)))::float4
        WHEN 1 THEN power(2::float8, floor(random() * 250 - 125))::float4
        WHEN 2 THEN ('1e' || (random() * 70 - 35)::int)::float4
        ELSE random.number()::float4 END $$;
CREATE FUNCTION random.point() RETURNS point VOLATILE LANGUAGE sql AS $$
    SELECT point(random.float(), random.float()) $$;
CREATE FUNCTION random.path() RETURNS text VOLATILE LANGUAGE sql AS $$
    SELECT string_agg(random.point()::text, ',') FROM generate_series(1, 1 + (random() * 3)::int) $$;
CREATE FUNCTION random.timestamp() RETURNS timestamp VOLATILE LANGUAGE sql AS $$
    SELECT timestamp '2000-01-01' + make_interval(
        days => (random() * CASE WHEN random() < 0.7 THEN 60000 ELSE 106700000 END - 2000000 * random())::int,
        secs => round((random() * 86400)::numeric, 6)::float8) $$;
CREATE FUNCTION random.date() RETURNS date VOLATILE LANGUAGE sql AS $$
    SELECT date '4713-01-01 BC' + (random() * CASE WHEN random() < 0.7 THEN 3000000 ELSE 2147483455 END)::int $$;
CREATE FUNCTION random.clock() RETURNS time VOLATILE LANGUAGE sql AS $$
    SELECT CASE WHEN random() < 0.1 THEN '24:00:00'
        ELSE time '00:00' + make_interval(secs => round((random() * 86399)::numeric, 6)::float8) END $$;
"""

TIMESTAMP = sometimes(("'infinity'", "'-infinity'", "'4714-11-24 00:00:00 BC'", "'294276-12-31 23:59:59.999999'"),
                      "timestamp", "random.timestamp()")
NUMERIC_SPECIAL = ("'1e-131'", "'NaN'", "'1e1000'", "'0.000'", "'-0.00100'")

TYPES = [
    Random("bool", "random() < 0.5"),
    Random("int2", sometimes(("-32768", "32767"), "int2", "(random() * 65535 - 32768)::int2")),
    Random("int4", sometimes(("-2147483648", "2147483647"), "int4", "(random() * 4294967295 - 2147483648)::int4")),
    Random("int8", sometimes(("'-9223372036854775808'", "'9223372036854775807'"), "int8", "random.number()")),
    Random("oid", "(random() * 4294967295)::bigint::oid"),
    Random("float4", sometimes(("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "'1e-45'"), "float4", "random.real()")),
    Random("float8", sometimes(("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "'5e-324'"), "float8", "random.float()")),
    Random("numeric", sometimes(NUMERIC_SPECIAL, "numeric", "random.numeric(20)"), equality=True),
    Random("numeric(30,10)", "random.numeric(10)", base="numeric", scale=10),
    Random("money", "(random.number()::numeric / 100)::money"),
    Random("text", "random.text()"),
    Random("varchar", "random.text()"),
    Random("bpchar", "(random.text() || '  ')::bpchar"),
    Random("char(12)", "random.text()", base="bpchar"),
    Random("name", "random.text()::name"),
    Random('"char"', '(floor(random() * 128)::int)::"char"'),
    Random("bytea", "decode(substr(md5(random()::text), 1, 2 * (random() * 16)::int), 'hex')"),
    Random("bit(1)", "(random() < 0.5)::int::bit(1)", base="bit", length=1),
    Random("bit(11)", "(random() * 2047)::int::bit(11)", base="bit", length=11),
    Random("varbit", "substr((random() * 2147483647)::int::bit(32)::text, 1, (random() * 32)::int)::varbit",
           lost=frozenset({"default", "strings"})),
    Random("date", sometimes(("'infinity'", "'-infinity'", "'4714-11-24 BC'", "'5874897-12-31'"), "date",
                             "random.date()")),
    Random("time", "random.clock()"),
    Random("timetz", "(random.clock()::text || " + one_of("'+00'", "'-03:30'", "'+15:59:59'", "'-08'") + ")::timetz",
           lost=frozenset({"default", "strings"})),
    Random("timestamp", TIMESTAMP),
    Random("timestamptz", f"({TIMESTAMP})::timestamptz"),
    Random("interval", sometimes(
        ("'178000000 years'", "'-178000000 years'", "'2562047788:00:54.775807'", "'-00:00:00.000001'"), "interval",
        "make_interval(months => (random() * 2400 - 1200)::int, days => (random() * 2000 - 1000)::int, "
        "secs => round((random() * 2000000 - 1000000)::numeric, 6)::float8)"), lost=frozenset({"default"})),
    Random("uuid", "md5(random()::text)::uuid"),
    Random("json", "CASE WHEN random() < 0.7 THEN to_json(random.text()) ELSE "
                   + one_of("'{\"a\" :\t\"\\ud800\"}'", "'[1.50,\n 1e400]'", "' null'", "'\"\\u0000\"'",
                            "'{\"a\":1,\"a\":2}'", of="json") + " END"),
    Random("jsonb", "CASE WHEN random() < 0.2 THEN 'null' "
                    "ELSE jsonb_build_object(random.text(), random.text(), 'n', round(random()::numeric, 5)) END"),
    Random("xml", "('<a b=\"' || random.word() || '\">' || random.word() || '</a>')::xml"),
    Random("point", "random.point()"),
    Random("lseg", "lseg(random.point(), random.point())"),
    Random("path", "(CASE WHEN random() < 0.5 THEN '[' || random.path() || ']' "
                   "ELSE '(' || random.path() || ')' END)::path"),
    Random("box", "box(random.point(), random.point())"),
    Random("polygon", "('(' || random.path() || ')')::polygon"),
    Random("line", "line(point(random(), random()), point(1 + random(), 1 + random()))"),
    Random("circle", "circle(random.point(), abs(random.float()))"),
    Random("inet", "CASE WHEN random() < 0.5 "
                   "THEN set_masklen('0.0.0.0'::inet + (random() * 4294967295)::bigint, (random() * 32)::int) "
                   "ELSE set_masklen('fe80::'::inet + abs(random.number()), (random() * 128)::int) END"),
    Random("cidr", "network(set_masklen('0.0.0.0'::inet + (random() * 4294967295)::bigint, (random() * 32)::int))"),
    Random("macaddr", "substr(md5(random()::text), 1, 12)::macaddr"),
    Random("macaddr8", "substr(md5(random()::text), 1, 16)::macaddr8"),
    Random("tsvector", "setweight(to_tsvector('simple', random.word() || ' ' || random.word() || ' it''s'), 'B')"),
    Random("tsquery", "(random.word() || ' & !' || random.word() || ':*A | ''it''''s''')::tsquery"),
    Random("jsonpath", "('$.' || random.word() || '[*] ? (@ > ' || random.number() || ')')::jsonpath"),
    Random("int2vector", "((random() * 9)::int || ' ' || (random() * 65535 - 32768)::int)::int2vector"),
    Random("oidvector", "((random() * 9)::int || ' ' || (random() * 4294967295)::bigint)::oidvector"),
    Random("tid", "format('(%s,%s)', (random() * 4294967294)::bigint, (random() * 65535)::int)::tid"),
    Random("xid", "(random() * 4294967295)::bigint::text::xid"),
    Random("cid", "(random() * 4294967295)::bigint::text::cid"),
    Random("xid8", "abs(random.number())::text::xid8"),
    Random("pg_lsn", "format('%s/%s', to_hex((random() * 2147483647)::int), "
                     "to_hex((random() * 2147483647)::int))::pg_lsn"),
    Random("txid_snapshot", "format('10:30:%s,29', 10 + (random() * 18)::int)::txid_snapshot"),
    Random("pg_snapshot", "format('10:30:%s,29', 10 + (random() * 18)::int)::pg_snapshot"),
    Random("refcursor", "random.text()::refcursor"),
    Random("aclitem", "makeaclitem(10, 10, " + one_of("'SELECT'", "'UPDATE'", "'TRIGGER'") + ", random() < 0.5)"),
    Random("regproc", one_of("'now'", "'version'", "'0'", of="regproc")),
    Random("regprocedure", one_of("'abs(integer)'", "'now()'", "'0'", of="regprocedure")),
    Random("regoper", one_of("'||/'", "'0'", of="regoper")),
    Random("regoperator", one_of("'+(integer,integer)'", "'-(NONE,bigint)'", "'0'", of="regoperator")),
    Random("regclass", one_of("'pg_class'", "'public.pair'", "'0'", of="regclass")),
    Random("regcollation", one_of("'\"C\"'", "'0'", of="regcollation")),
    Random("regtype", one_of("'integer'", "'public.mood'", "'timestamp with time zone'", "'0'", of="regtype")),
    Random("regrole", "'shipper'::regrole"),
    Random("regnamespace", one_of("'pg_catalog'", "'public'", of="regnamespace")),
    Random("regconfig", one_of("'english'", "'simple'", of="regconfig")),
    Random("regdictionary", one_of("'simple'", "'english_stem'", of="regdictionary")),
    Random("int4range", a_range("int4range", "(random() * 2000000 - 1000000)::int4")),
    Random("int8range", a_range("int8range", "random.number()")),
    Random("numrange", a_range("numrange", "round(random()::numeric * 1000, (random() * 5)::int)")),
    Random("tsrange", a_range("tsrange", "random.timestamp()")),
    Random("tstzrange", a_range("tstzrange", "random.timestamp()::timestamptz")),
    Random("daterange", a_range("daterange", "(date '2000-01-01' + (random() * 9999)::int)")),
    # Of our own and of extensions.
    Random("mood", one_of("'sad'", "'so ''so'''", "'very, \"happy\"'", of="mood")),
    Random("pair", "ROW((random() * 100)::int, random.text(), ARRAY[random.text()], '[1,2)')::pair"),
    Random("span", a_range("span", "random.float()")),
    Random("cents", "round(random()::numeric * 1000, 2)", base="numeric", scale=2),
    Random("shouted", "upper(random.text())", base="text"),
    Random("feeling", one_of("'sad'", "'very, \"happy\"'", of="mood")),
    Random("couple", "ROW((random() * 100)::int, random.text(), NULL, NULL)::pair"),
    Random("numbers", "ARRAY[random.number(), NULL]", base="int8", array=True),
    Random("citext", "random.text()::citext"),
    Random("hstore", "hstore(ARRAY[random.text(), random.text(), random.text()], "
                     "ARRAY[random.text(), NULL, random.text()])"),
    Random("labels", "hstore(random.text(), random.text())", base="hstore"),
    Random("ltree", "('Top.' || random.word() || '.x_1')::ltree"),
    Random("lquery", "('*.' || random.word() || '|x*{1,2}.!b')::lquery"),
    Random("ltxtquery", "(random.word() || ' & !x*')::ltxtquery"),
]

# Of PostgreSQL 14 and later.
MULTIRANGES = [Random(name, f"{name}({range_}, {range_})") for name, range_ in (
    ("int4multirange", a_range("int4range", "(random() * 2000000 - 1000000)::int4")),
    ("int8multirange", a_range("int8range", "random.number()")),
    ("nummultirange", a_range("numrange", "round(random()::numeric * 1000, (random() * 5)::int)")),
    ("tsmultirange", a_range("tsrange", "random.timestamp()")),
    ("tstzmultirange", a_range("tstzrange", "random.timestamp()::timestamptz")),
    ("datemultirange", a_range("daterange", "(date '2000-01-01' + (random() * 9999)::int)")),
    ("spans", a_range("span", "random.float()")))]

SETUP = (
    "CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE EXTENSION ltree",
    "CREATE TYPE mood AS ENUM ('sad', 'so ''so''', 'very, \"happy\"')",
    "CREATE TYPE pair AS (number int, label text, labels text[], span int4range)",
    "CREATE DOMAIN cents AS numeric(12,2)", "CREATE DOMAIN shouted AS text", "CREATE DOMAIN feeling AS mood",
    "CREATE DOMAIN couple AS pair", "CREATE DOMAIN numbers AS int8[]", "CREATE DOMAIN labels AS hstore",
)

MODES = {
    "default": {},
    "strings": {"decimal": "string", "time": "isostring", "binary": "hex", "interval": "string", "hstore": "map"},
    "text": {"as_text": [".*"]},
}

# The settings under which the text of types is published (docs/types.md).
PINNED = ("SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
          "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; "
          "SET search_path = pg_catalog, pg_temp")


def arrays_of(number: int, one: Random) -> str:
    """An array of the type's values: of none to three dimensions, with nulls, with bounds of its own."""
    pick = f"random.pick{number}(1 + floor(random() * {VALUES})::int)"
    if one.sql in ARRAYS_TO_SQL:
        return f"""format('{{"%s",NULL,"%s"}}', {pick}, {pick})::{one.sql}[]"""
    null = f"NULL::{one.sql}"
    shapes = (f"'{{}}'", f"array_fill({pick}, ARRAY[2], ARRAY[0])", f"ARRAY[{pick}, NULL, {pick}]",
              f"ARRAY[ARRAY[{pick}, NULL], ARRAY[{pick}, {pick}]]",
              f"ARRAY[ARRAY[ARRAY[{pick}], ARRAY[{null}]], ARRAY[ARRAY[{pick}], ARRAY[{pick}]]]", f"ARRAY[{null}]",
              f"array_fill({pick}, ARRAY[1, 2], ARRAY[-3, 7])", f"ARRAY[{pick}, {pick}, {pick}, {pick}]")
    return f"CASE id % {len(shapes)} " + " ".join(
        f"WHEN {which} THEN ({shape})::{one.sql}[]" for which, shape in enumerate(shapes)) + " END"


class World(Pipeline):
    """For each type a table v<number> of values and a table a<number> of arrays, both with the column `c`."""

    def __init__(self, server, broker):
        super().__init__(server, broker, "roundtrip")
        self.execute(*SETUP)
        self.types = list(TYPES)
        if int(self.value("SHOW server_version_num")) >= 140_000:
            self.execute("CREATE TYPE span AS RANGE (subtype = float8, multirange_type_name = spans)")
            self.types += MULTIRANGES
        else:
            self.execute("CREATE TYPE span AS RANGE (subtype = float8)")
        self.execute(FUNCTIONS, *(f"SELECT waybill.create_stream('{mode}_')" for mode in MODES))
        self.tables = {}
        for number, one in enumerate(self.types):
            self.tables[f"v{number}"] = one
            # To what a consumer sees, an array of arrays by way of a domain is one of texts.
            base = "text" if one.array else one.name
            self.tables[f"a{number}"] = dataclasses.replace(one, sql=f"{one.sql}[]", base=base, array=True)
        self.execute(*(f"CREATE TABLE {name} (id int PRIMARY KEY, c {one.sql})" for name, one in self.tables.items()))
        self.capture(*self.tables)
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'; SELECT setseed(%s)", (SEED,))
            for number, one in enumerate(self.types):
                cursor.execute(f"INSERT INTO v{number} SELECT id, {one.value} FROM generate_series(1, {VALUES}) id")
                cursor.execute(f"CREATE FUNCTION random.pick{number}(int) RETURNS {one.sql.partition('(')[0]} "
                               f"VOLATILE LANGUAGE sql AS 'SELECT c FROM v{number} WHERE id = $1'")
                cursor.execute(f"INSERT INTO a{number} SELECT id, {arrays_of(number, one)} "
                               f"FROM generate_series(1, {VALUES}) id")
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
    assert names - UNSTORABLE == {one.name for one in world.types} | {one.sql for one in world.types} & names


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
