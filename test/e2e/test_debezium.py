"""The same as Debezium 3.7, record by record: its own connector and we capture the same tables of one database, random
transactions change them, and what both have published is compared. What may differ is in debezium_differences.py.

WAYBILL_TEST_LONG=1 takes more transactions and all variants of settings.
"""

import collections
import contextlib
import dataclasses
import os
import random

import psycopg2.extras
import pytest

import debezium_differences
import random_values
from pipeline import Pipeline
from random_values import VALUES
from rig import comparing, debezium, kafka, postgres
from rig.consumer import read_topic

LONG = os.environ.get("WAYBILL_TEST_LONG") == "1"
TRANSACTIONS = 3000 if LONG else 250
SEED = 20
TYPES_PER_TABLE = 6
PARTITIONS = 3


@dataclasses.dataclass
class Variant:
    """What both are told."""

    debezium: dict[str, str] = dataclasses.field(default_factory=dict)
    waybill: dict[str, dict] = dataclasses.field(default_factory=dict)
    tables: str = ""  # those whose names begin so; all of them
    long: bool = True  # in long runs only


def types(mode: str, theirs: str, value: str, ours: str | None = None) -> Variant:
    return Variant({theirs: value}, {"types": {mode: ours or value}}, tables="types")


VARIANTS = {
    "defaults": Variant({"value.converter.replace.null.with.default": "false",
                         "key.converter.replace.null.with.default": "false", "provide.transaction.metadata": "true"},
                        {"stream": {"transaction_metadata": True}}, long=False),
    "compatible": Variant({"skipped.operations": "t"}, {"stream": {"compatibility": "debezium-3.7"}}, long=False),
    # The keys have no topics' prefix in them, so partitions can be compared.
    "plain": Variant({"key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false",
                      "skipped.operations": "t"}, {"stream": {"schemas": False, "skip_operations": ["t"],
                                                              "replace_null_with_default": True}}, long=False),
    "decimal_string": types("decimal", "decimal.handling.mode", "string"),
    "decimal_double": types("decimal", "decimal.handling.mode", "double"),
    "time_microseconds": types("time", "time.precision.mode", "microseconds"),
    "time_adaptive_us": types("time", "time.precision.mode", "adaptive_time_microseconds"),
    "time_nanoseconds": types("time", "time.precision.mode", "nanoseconds"),
    "time_connect": types("time", "time.precision.mode", "connect"),
    "time_isostring": types("time", "time.precision.mode", "isostring"),
    "texts": Variant({"binary.handling.mode": "hex", "interval.handling.mode": "string", "hstore.handling.mode": "map",
                      "money.fraction.digits": "4"},
                     {"types": {"binary": "hex", "interval": "string", "hstore": "map", "money_fraction_digits": 4}}, "types"),
    "base64": types("binary", "binary.handling.mode", "base64-url-safe", "base64_url_safe"),
    "shaped": Variant({"column.exclude.list": r"public\.shaped\.hidden", "column.mask.with.3.chars": r"public\.shaped\.masked",
                       "column.mask.hash.v2.SHA-256.with.salt.pepper": r"public\.shaped\.hashed",
                       "column.truncate.to.4.chars": r"public\.shaped\.cut",
                       "message.key.columns": r"public\.shaped:code", "skip.messages.without.change": "true"},
                      {"columns": {"exclude": [r"public\.shaped\.hidden"], "mask": [r"public\.shaped\.masked=***"],
                                   "hash": [r"public\.shaped\.hashed=pepper"], "truncate": [r"public\.shaped\.cut=4"]},
                       "tables": {"key": [r"public\.shaped=code"]}, "stream": {"skip_unchanged_updates": True}}, "shaped",
                      long=False),
    "identity": Variant({}, {"stream": {"before": "key"}}, "identity", long=False),
}

# Tables besides those of all types: columns, and a row to insert with {n} for its id.
OTHERS = {
    "keyless": ("number int, label text, at timestamptz", "{n}, 'row {n}', '2024-05-01 12:00+00'"),
    "composite": ("b text, a int, c uuid NOT NULL, note text, PRIMARY KEY (a, b)",
                  "'ä \"{n}\"', {n}, md5('{n}')::uuid, 'n'"),
    "keys_of_types": ("id timestamptz, d date, n numeric(9,2), t time, m mood, note text, PRIMARY KEY (n, id, d, t, m)",
                      "timestamptz '2024-01-01 00:00+00' + {n} * interval '1 s', '2024-05-01', {n}.5, '11:00', 'sad', 'x'"),
    "required": ("id int PRIMARY KEY, a text NOT NULL, b numeric NOT NULL, c price, d price_or_null, e price_or_null NOT NULL, "
                 "f price[] NOT NULL, g point NOT NULL, h path NOT NULL, i circle NOT NULL, j line NOT NULL",
                 "{n}, 'a', 1.50, {n}, NULL, 1, ARRAY[{n}]::price[], '(1,2)', '((0,0),(1,1))', '<(1,2),3>', '{{1,2,3}}'"),
    "defaults": ("id serial PRIMARY KEY, a int DEFAULT 5, b text DEFAULT 'new', c numeric(6,2) DEFAULT 1.5, "
                 "d timestamptz DEFAULT '2024-05-01 10:00+00', e boolean DEFAULT true, f mood DEFAULT 'sad', g date DEFAULT now(), "
                 "h timestamp DEFAULT '2024-05-01 10:00', i varchar(9) DEFAULT 'it''s', j char(4) DEFAULT 'c', "
                 "k \"char\" DEFAULT 'k', l name DEFAULT 'l', m numeric DEFAULT 2.5, n numeric(5,1) DEFAULT 'NaN', "
                 "o jsonb DEFAULT '{{}}', p uuid DEFAULT gen_random_uuid(), q bytea DEFAULT '\\x01', r int[] DEFAULT '{{1}}', "
                 "s interval DEFAULT '1 day', t time DEFAULT '10:00', u timetz DEFAULT '10:00+00', v float8 DEFAULT 1.5, "
                 "w real DEFAULT 'NaN', x bit(3) DEFAULT B'101', y price DEFAULT 3, z money DEFAULT 1, "
                 "aa bigint DEFAULT 5000000000, ab smallint DEFAULT 1 + 1, ac text DEFAULT NULL, ad text DEFAULT upper('x'), "
                 "ae date DEFAULT 'infinity', af timestamp DEFAULT 'infinity', ag timestamptz DEFAULT '-infinity', "
                 "ah bit DEFAULT B'1', ai xml DEFAULT '<a/>', aj json DEFAULT '[1]', ak oid DEFAULT 1, al date DEFAULT '2024-05-01', "
                 "am time DEFAULT CURRENT_TIME, an text NOT NULL DEFAULT 'x', ao timestamp DEFAULT now(), ap varbit DEFAULT B'01', "
                 "aq citext DEFAULT 'c', ar ltree DEFAULT 'a.b', at inet DEFAULT '1.2.3.4', au numeric(5,1)[] DEFAULT '{{1.5}}'",
                 "DEFAULT"),
    "identity_generated": ("id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED ALWAYS AS IDENTITY",
                  "{n}, {n}"),
    "Mixed Case": ("\"Id\" int PRIMARY KEY, \"a b\" text, \"ä.ö\" text, \"q\"\"q\" int", "{n}, 'a', 'ö', 1"),
    "large": ("id int PRIMARY KEY, a text, b bytea, c text", "{n}, repeat('x{n}é', 40000), sha256('a'), 'small'"),
    "unique_one": ("a int NOT NULL UNIQUE, b text", "{n}, 'b'"),
    "unique_several": ("z int NOT NULL, y int NOT NULL, x int NOT NULL, note text", "{n}, {n}, {n}, 'n'"),
    "unique_nullable": ("a int UNIQUE, b text", "{n}, 'b'"),
    "unique_pair": ("a int NOT NULL, b text NOT NULL, c text, UNIQUE (b, a)", "{n}, 'b', 'c'"),
    "unique_partial": ("a int NOT NULL, b text", "{n}, 'b'"),
    "unique_expression": ("a int NOT NULL, b text", "{n}, 'b'"),
    "unique_deferrable": ("a int NOT NULL UNIQUE DEFERRABLE, b text", "{n}, 'b'"),
    "unique_including": ("a int NOT NULL, b text NOT NULL, UNIQUE (a) INCLUDE (b)", "{n}, 'b'"),
    "identity_index": ("id int PRIMARY KEY, a int NOT NULL, b text", "{n}, {n}, 'b'"),
    "identity_only": ("a int NOT NULL, b int NOT NULL, c text", "{n}, {n}, 'b'"),
    "identity_default": ("id int PRIMARY KEY, a int, b text NOT NULL, c numeric(5,2) NOT NULL DEFAULT 2, d timestamptz NOT NULL, "
                         "e int[] NOT NULL, f date NOT NULL, g uuid NOT NULL, h jsonb NOT NULL",
                         "{n}, {n}, 'b', 1, now(), '{{1}}', '2024-05-01', gen_random_uuid(), '{{}}'"),
    "shaped": ("id int PRIMARY KEY, code int NOT NULL, hidden text, masked text, hashed text, cut text, plain text",
               "{n}, {n}, 'h', 'secret', 'a mail', 'long text', 'p'"),
    "parts": ("id int, region int, note text, PRIMARY KEY (id, region)", "{n}, {n} % 2, 'p'"),
    "keyless_parts": ("id int, region int, note text", "{n}, {n} % 2, 'p'"),
}
PARTITIONED = ("parts", "keyless_parts")
INDEXES = (
    # Named against the order in which they are made.
    "CREATE UNIQUE INDEX z_index ON unique_several (x)", "CREATE UNIQUE INDEX b_index ON unique_several (y, z)",
    "CREATE UNIQUE INDEX c_index ON unique_several (z)",
    "CREATE UNIQUE INDEX ON unique_partial (a) WHERE a > 0", "CREATE UNIQUE INDEX ON unique_expression (abs(a))",
    "CREATE UNIQUE INDEX identity_index_a ON identity_index (a)",
    "ALTER TABLE identity_index REPLICA IDENTITY USING INDEX identity_index_a",
    "CREATE UNIQUE INDEX identity_only_a ON identity_only (a)", "CREATE UNIQUE INDEX identity_only_b ON identity_only (b)",
    "ALTER TABLE identity_only REPLICA IDENTITY USING INDEX identity_only_b",
)
FINISH = "finish"
# Values at which the connector stops, for ever: they are kept out.
STOPPING = {"interval": ["abs(extract(hour FROM c)) > 2147483647"]}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Market(Pipeline):
    """The database, its tables and what happens in them."""

    def __init__(self, server: postgres.Server, broker: kafka.Broker):
        super().__init__(server, broker, "market", partitions=PARTITIONS)
        self.random = random.Random(SEED)
        self.types = random_values.types_of(self)
        values = random_values.tables_of(self.types)
        self.execute("CREATE DOMAIN price_or_null AS numeric(6,2)", "CREATE DOMAIN price AS price_or_null NOT NULL",
                     *(f"CREATE TABLE {name} (id int PRIMARY KEY, c {one.sql})" for name, one in values.items()))
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            random_values.make(cursor, self.types)
            for number, one in enumerate(self.types):
                for what in STOPPING.get(one.sql, ()):
                    cursor.execute(f"UPDATE v{number} SET c = NULL WHERE {what}")
                    cursor.execute(f"UPDATE a{number} SET c = NULL WHERE EXISTS (SELECT FROM unnest(c) c WHERE {what})")
            connection.commit()
        self.columns: dict[str, list[str]] = {}  # of tables of all types: the values they are made of
        names = list(values)
        for at in range(0, len(names), 2 * TYPES_PER_TABLE):
            self.columns[f"types{at // 2 // TYPES_PER_TABLE}"] = names[at:at + 2 * TYPES_PER_TABLE]
        self.tables = [*self.columns, *OTHERS]
        self.execute(*(f"CREATE TABLE {table} (id int PRIMARY KEY, {', '.join(f'{name} {values[name].sql}' for name in columns)})"
                       for table, columns in self.columns.items()))
        self.execute(*(f"CREATE TABLE {quoted(table)} ({columns.format()}) {'PARTITION BY LIST (region)' if table in PARTITIONED else ''}"
                       for table, (columns, _) in OTHERS.items()),
                     *(f"CREATE TABLE {table}_{region} PARTITION OF {table} FOR VALUES IN ({region})"
                       for table in PARTITIONED for region in (0, 1)), *INDEXES)
        self.execute("CREATE TABLE audit (id bigserial, xid bigint, name text, old hstore, new hstore)",
                     "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                     "INSERT INTO audit (xid, name, old, new) SELECT pg_current_xact_id()::xid::text::bigint, TG_ARGV[0], "
                     "CASE WHEN TG_OP <> 'INSERT' THEN hstore(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN hstore(NEW) END; "
                     "RETURN NULL; END $$")
        for table in self.tables:
            for relation in [table, *(f"{table}_{region}" for region in (0, 1) if table in PARTITIONED)]:
                if not table.startswith("identity"):
                    self.execute(f"ALTER TABLE {quoted(relation)} REPLICA IDENTITY FULL")
            self.execute(f"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON {quoted(table)} "
                         f"FOR EACH ROW EXECUTE FUNCTION note('{table}')")
        self.execute(f"CREATE TABLE {FINISH} (id int PRIMARY KEY)", f"ALTER TABLE {FINISH} REPLICA IDENTITY FULL")
        self.capture(*map(quoted, self.tables), FINISH)
        debezium.prepare(server, self.name, *map(quoted, self.tables), FINISH, options="WITH (publish_via_partition_root)")
        self.declared = {table: dict(self.query(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0", (quoted(table),))) for table in self.tables}
        self._next = collections.Counter()
        self._ids: dict[str, list[int]] = collections.defaultdict(list)

    # ---- random transactions

    def _value(self, name: str) -> str:
        if self.random.random() < 0.1:
            return "NULL"
        return f"(SELECT c FROM {name} WHERE id = {self.random.randint(1, VALUES)})"

    def _row(self, table: str) -> str:
        self._next[table] += 1
        number = self._next[table]
        self._ids[table].append(number)
        if table in self.columns:
            return ", ".join([str(number), *map(self._value, self.columns[table])])
        return OTHERS[table][1].format(n=number)

    def _key(self, table: str) -> str:
        """The first column that is a number of its own for each row."""
        return {"composite": "a", "keys_of_types": "n - 0.5", "keyless": "number", "Mixed Case": '"Id"', "unique_several": "z"}.get(
            table, "a" if table.startswith("unique") or table == "identity_only" else "id")

    def _change(self, table: str) -> str:
        """A SET for the table, of the key too."""
        if table in self.columns:
            chosen = self.random.sample(self.columns[table], self.random.randint(1, len(self.columns[table])))
            return ", ".join(f"{name} = {self._value(name)}" for name in chosen)
        number = self.random.randint(1, 99)
        return self.random.choice({
            "keyless": [f"label = '{number}'", "at = NULL"],
            "composite": [f"note = '{number}'", f"b = 'x{number}'"],
            "keys_of_types": [f"note = '{number}'", "m = 'so ''so'''", "d = 'infinity'", "t = '24:00'"],
            "required": [f"a = '{number}'", f"d = {number}", "d = NULL"],
            "defaults": ["a = NULL, b = NULL, c = NULL, d = NULL, e = NULL, f = NULL, g = NULL, n = NULL, s = NULL", f"a = {number}"],
            "identity_generated": [f"a = {number}", "a = NULL"],
            "Mixed Case": [f'"a b" = \'{number}\'', '"ä.ö" = NULL'],
            "large": [f"c = '{number}'", f"b = sha256('{number}')", "a = 'small now'", f"a = repeat('é', 100000 + {number})"],
            "unique_pair": [f"c = '{number}'", f"b = '{number}'"],
            "unique_several": [f"note = '{number}'", "x = x + 100000", "y = y + 100000"],
            "identity_index": [f"b = '{number}'", "a = a + 100000"],
            "identity_only": [f"c = '{number}'", "b = b + 100000"],
            "identity_default": [f"b = '{number}'", "id = id + 100000"],
            "shaped": [f"masked = '{number}'", "hidden = hidden || 'x'", f"hashed = '{number}'", "cut = 'äöü' || cut", "cut = NULL",
                       "masked = NULL", "hashed = NULL", "code = code + 1000"],
            "parts": [f"note = '{number}'", "region = 1 - region"],
            "keyless_parts": [f"note = '{number}'", "region = 1 - region"],
        }.get(table, [f"b = '{number}'", "a = a + 100000"]))

    def _statement(self) -> str:
        table = self.random.choice(self.tables)
        ids = self._ids[table]
        kind = self.random.choices(["insert", "update", "delete", "truncate"], [5, 5, 2, 0.1])[0]
        name = quoted(table)
        if kind == "insert" or not ids:
            rows = [self._row(table) for _ in range(self.random.choice([1, 1, 3]))]
            if table == "identity_generated":
                return f"INSERT INTO {name} (id, a) VALUES " + ", ".join(f"({row})" for row in rows)
            return f"INSERT INTO {name} VALUES " + ", ".join(f"({row})" for row in rows)
        if kind == "truncate":
            ids.clear()
            return f"TRUNCATE {name}"
        chosen = self.random.sample(ids, min(len(ids), self.random.choice([1, 1, 2])))
        where = f"{self._key(table)} IN ({', '.join(map(str, chosen))})"
        if kind == "delete":
            return f"DELETE FROM {name} WHERE {where}"
        return f"UPDATE {name} SET {self._change(table)} WHERE {where}"

    def work(self, transactions: int) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SET TimeZone = 'UTC'")
            for _ in range(transactions):
                cursor.execute("BEGIN")
                for number in range(self.random.choice([1, 2, 5])):
                    cursor.execute(f"SAVEPOINT s{number}")
                    cursor.execute(self._statement())
                    if self.random.random() < 0.1:
                        cursor.execute(f"ROLLBACK TO s{number}")
                cursor.execute(self.random.choices(["COMMIT", "ROLLBACK"], [20, 1])[0])

    def noted(self) -> dict[tuple[int, str], list[tuple]]:
        """What the database's own triggers have noted."""
        rows = collections.defaultdict(list)
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            psycopg2.extras.register_hstore(connection)
            cursor.execute("SELECT xid, name, old, new FROM audit ORDER BY id")
            for xid, name, old, new in cursor:
                rows[xid, name].append((old, new))
        return rows


class Both:
    """Variants, each with a connector and a stream of its own."""

    def __init__(self, market: Market, names: list[str]):
        self.market = market
        self.names = names
        # The broker's default partitions its topics; what the connectors want has to be there.
        for name in names:
            market.execute(f"SELECT waybill.create_stream('{name}')")
            debezium.create_slot(market.server, market.name, f"d_{name}")

    def tables(self, name: str) -> list[str]:
        """An old row of which only the key is known is of tables that are not REPLICA IDENTITY FULL."""
        begin = VARIANTS[name].tables
        return [table for table in self.market.tables
                if table.startswith(begin) and table.startswith("identity") == (begin == "identity")]

    def run(self) -> dict[str, comparing.Comparison]:
        market = self.market
        lsn = market.value("SELECT pg_current_wal_insert_lsn()")
        market.execute(f"INSERT INTO {FINISH} VALUES (1)")
        connectors = {}
        for name in self.names:
            variant = VARIANTS[name]
            connectors[f"d_{name}"] = {
                "key.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "key.converter.schemas.enable": "true", "value.converter.schemas.enable": "true",
                "skipped.operations": "none", "errors.max.retries": "0",
                "table.include.list": ",".join(rf"public\.{table}" for table in [*self.tables(name), FINISH]),
            } | variant.debezium
        market.broker.create_topics([f"d_{name}.public.{table.replace(' ', '_')}" for name in self.names
                                     for table in [*self.tables(name), FINISH]] +
                                    [f"d_{name}.transaction" for name in self.names], PARTITIONS)
        with debezium.Worker(market.server, market.name, market.broker, connectors,
                             ("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                             {"offset.flush.interval.ms": "500"}) as worker:
            for name in self.names:
                sections = dict(VARIANTS[name].waybill)
                sections["stream"] = {"name": name, "prefix": f"w_{name}", "schemas": True,
                                      "extended_headers": True} | sections.get("stream", {})
                tables = {"include": [rf"public\.{table}" for table in self.tables(name)]}
                sections["tables"] = tables | sections.get("tables", {})
                market.shipper(**sections).once()
            for name in self.names:
                worker.wait_confirmed(f"d_{name}", lsn, 120 if not LONG else 3600)
            self.log = worker.log()
        noted = market.noted()
        return {name: self.compare(name, noted) for name in self.names}

    def compare(self, name: str, noted: dict) -> comparing.Comparison:
        comparison = comparing.Comparison(self.market.declared, noted)
        for table in self.tables(name):
            topic = table.replace(" ", "_")
            theirs = comparing.split(read_topic(self.market.broker.bootstrap, f"d_{name}.public.{topic}"),
                                     f"d_{name}", f"w_{name}")
            ours = read_topic(self.market.broker.bootstrap, f"w_{name}.public.{topic}")
            comparison.compare(table, theirs, ours)
        comparison.finish()
        return comparison

@pytest.fixture(scope="module")
def results(installation):
    """The server needs wal_level = logical, so it is one of its own, as is the broker, whose topics are many."""
    names = [name for name, variant in VARIANTS.items() if LONG or not variant.long]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres.Server(installation, debezium.SERVER))
        broker = stack.enter_context(kafka.Broker())
        market = Market(server, broker)
        both = Both(market, names)
        market.work(TRANSACTIONS)
        yield both.run()


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if LONG or not variant.long])
def test_the_same_as_debezium(results, name):
    comparison = results[name]
    assert comparison.records > TRANSACTIONS / 20
    documented, unknown = debezium_differences.sort(comparison.differences, name)
    print(f"{name}: {comparison.records} records, {comparison.values} values; differences by their reason:")
    for reason, found in sorted(documented.items()):
        print(f"  {len(found):6} {reason}\n         such as {found[0]}")
    if unknown:
        shown, places = [], collections.Counter()
        for difference in unknown:
            place = (difference.place, difference.type, difference.table if not difference.type else "")
            places[place] += 1
            if places[place] <= 2:
                shown.append(str(difference))
        pytest.fail(f"{len(unknown)} differences that nobody has documented, of {len(places)} kinds:\n" + "\n".join(shown), False)
