"""Random values of every type, which PostgreSQL makes: for tests of what is published of them."""

import dataclasses

VALUES = 200  # of each type, and as many arrays of it
SEED = 0.42

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


def make(cursor, types: list[Random]) -> None:
    """Fills, for each type, a table v<number> of values and a table a<number> of arrays, which are there, with ids from 1
    and the values in the column `c`. The function random.pick<number>(id) gives a value."""
    cursor.execute("SET TimeZone = 'UTC'; SELECT setseed(%s)", (SEED,))
    for number, one in enumerate(types):
        cursor.execute(f"INSERT INTO v{number} SELECT id, {one.value} FROM generate_series(1, {VALUES}) id")
        cursor.execute(f"CREATE FUNCTION random.pick{number}(int) RETURNS {one.sql.partition('(')[0]} "
                       f"VOLATILE LANGUAGE sql AS 'SELECT c FROM public.v{number} WHERE id = $1'")
        cursor.execute(f"INSERT INTO a{number} SELECT id, {arrays_of(number, one)} FROM generate_series(1, {VALUES}) id")


def types_of(pipeline) -> list[Random]:
    """Makes the types and functions in the pipeline's database, and says which types its version has."""
    pipeline.execute(*SETUP)
    types = list(TYPES)
    if int(pipeline.value("SHOW server_version_num")) >= 140_000:
        pipeline.execute("CREATE TYPE span AS RANGE (subtype = float8, multirange_type_name = spans)")
        types += MULTIRANGES
    else:
        pipeline.execute("CREATE TYPE span AS RANGE (subtype = float8)")
    pipeline.execute(FUNCTIONS)
    return types


def tables_of(types: list[Random]) -> dict[str, Random]:
    """The tables of make() with what their column `c` is."""
    tables = {}
    for number, one in enumerate(types):
        tables[f"v{number}"] = one
        # To what a consumer sees, an array of arrays by way of a domain is one of texts.
        base = "text" if one.array else one.name
        tables[f"a{number}"] = dataclasses.replace(one, sql=f"{one.sql}[]", base=base, array=True)
    return tables
