"""Random statements inside one another: their changes are published in the order in which they were made.

Triggers of all kinds, before ours and behind, for rows and statements, call a function that draws what to write, and so do
statements while they run; foreign keys cascade, rows move between partitions, exception blocks undo some of it. The last
BEFORE trigger of each row is the witness: it stamps the row with a clock, or notes the clock of what is deleted.

A seed that fails prints its number; WAYBILL_TEST_SEED=1234 WAYBILL_TEST_E2E='-k statement_order' scripts/test.sh e2e runs it
alone. (So does a range, 1-2000.)
"""

import os
import random

import psycopg2
import pytest

from rig import postgres

SEEDS = 60
TRANSACTIONS = 12  # of a seed
CALLS = 25         # of the function that writes, in a transaction

TABLES = """
CREATE SCHEMA {schema};
SET search_path = {schema};
CREATE SEQUENCE clock;
CREATE SEQUENCE calls;
CREATE TABLE deleted (version bigint, made bigint);
CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, made bigint);
CREATE TABLE b (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, made bigint, a int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE p (id int, n int NOT NULL DEFAULT 0, made bigint, part int NOT NULL DEFAULT 0, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);

CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema} AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO deleted VALUES (OLD.made, nextval('clock'));
        RETURN OLD;
    END IF;
    NEW.made := nextval('clock');
    RETURN NEW;
END $$;

CREATE FUNCTION dice(sides int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * sides)::int $$;

CREATE FUNCTION write() RETURNS int LANGUAGE plpgsql SET search_path = {schema} AS $$
DECLARE
    name text := (ARRAY['a', 'b', 'p'])[1 + dice(3)];
    x int := dice(8);
BEGIN
    IF nextval('calls') > {calls} THEN
        RETURN 0;
    END IF;
    BEGIN
        EXECUTE CASE dice(11)
            WHEN 0 THEN format('INSERT INTO %s (id) VALUES (%s) ON CONFLICT DO NOTHING', name, x)
            WHEN 1 THEN format('INSERT INTO %s (id) SELECT g FROM generate_series(%s, %s) g ON CONFLICT DO NOTHING', name, x, x + 3)
            WHEN 2 THEN 'INSERT INTO a AS old (id) SELECT g FROM generate_series(2, 5) g ON CONFLICT (id) DO UPDATE SET n = old.n + 1'
            WHEN 3 THEN format('UPDATE %s SET n = n + 1 WHERE id BETWEEN %s AND %s', name, x, x + 3)
            WHEN 4 THEN format('UPDATE %s SET n = n + write() WHERE id BETWEEN %s AND %s', name, x, x + 2)
            WHEN 5 THEN format('DELETE FROM %s WHERE id BETWEEN %s AND %s', name, x, x + 1)
            WHEN 6 THEN format('UPDATE %s SET id = id + 1 WHERE id = %s', name, x)
            WHEN 7 THEN format('UPDATE p SET part = 1 - part WHERE id BETWEEN %s AND %s', x, x + 2)
            WHEN 8 THEN format('INSERT INTO b (id, a) SELECT g, (SELECT min(id) FROM a) FROM generate_series(%s, %s) g ON CONFLICT DO NOTHING', x, x + 2)
            WHEN 9 THEN format('WITH gone AS (DELETE FROM %s WHERE id <= %s RETURNING id), new AS (INSERT INTO a (id)
                                SELECT id + 20 FROM gone RETURNING id) UPDATE b SET n = n + write() FROM new WHERE b.id = new.id - 20', name, x / 2)
            ELSE format('SELECT sum(write()) FROM generate_series(1, 2)')
        END;
        IF dice(8) = 0 THEN
            RAISE 'undo';
        END IF;
    EXCEPTION WHEN raise_exception OR unique_violation OR foreign_key_violation OR triggered_data_change_violation THEN
        NULL;
    END;
    RETURN 1;
END $$;

CREATE FUNCTION react() RETURNS trigger LANGUAGE plpgsql SET search_path = {schema} AS $$
BEGIN
    IF dice(TG_ARGV[0]::int) = 0 THEN
        PERFORM write();
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""


def draw_triggers(dice: random.Random) -> str:
    statements = ""
    for table in "abp":
        for number in range(dice.randrange(4)):
            name = dice.choice(('" {}"', '"!{}"', '"a{}"', '"zz{}"')).format(number)
            level = dice.choice(("ROW", "ROW", "ROW", "STATEMENT"))
            timing = dice.choice(("BEFORE", "AFTER", "AFTER"))
            events = dice.choice(("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE OR DELETE"))
            deferred = level == "ROW" and timing == "AFTER" and table != "p" and dice.random() < 0.2
            statements += (f"CREATE {'CONSTRAINT' if deferred else ''} TRIGGER {name} {timing} {events} ON {table} "
                           f"{'DEFERRABLE INITIALLY DEFERRED' if deferred else ''} FOR EACH {level} "
                           f"EXECUTE FUNCTION react({dice.randrange(1, 4)});")
        statements += (f"CREATE TRIGGER zzz_witness BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW "
                       "EXECUTE FUNCTION witness();")
    return statements


def run_seed(cursor: psycopg2.extensions.cursor, seed: int) -> None:
    dice = random.Random(seed)
    cursor.execute("SET client_min_messages = error")
    cursor.execute(TABLES.format(schema=f"s{seed}", calls=CALLS) + draw_triggers(dice) +
                   "SELECT waybill.enable_capture('a'), waybill.enable_capture('b'), waybill.enable_capture('p')")
    cursor.execute(f"SELECT setseed({dice.random()})")
    for _ in range(TRANSACTIONS):
        cursor.execute("SELECT setval('calls', 1, false)")
        statements = ["BEGIN", *["SELECT write()"] * dice.randrange(1, 6), "COMMIT"]
        try:
            for command in statements if dice.random() < 0.5 else ["; ".join(statements)]:
                cursor.execute(command)
        except psycopg2.Error as error:
            assert not error.pgcode.startswith("XX"), error
            cursor.execute("ROLLBACK")


def changes_of(cursor: psycopg2.extensions.cursor, seed: int, behind: int) -> list:
    """csn, table, op, version before, version after, when it was made."""
    cursor.execute(f"""
        SELECT c.csn, c."table", c.op, (c.before ->> 'made')::bigint, (c.after ->> 'made')::bigint,
               coalesce((c.after ->> 'made')::bigint, (SELECT max(d.made) FROM s{seed}.deleted d WHERE d.version = (c.before ->> 'made')::bigint))
        FROM waybill.changes c WHERE c.csn > {behind} AND c."table" LIKE 's{seed}.%' ORDER BY c.csn, c.index""")
    return cursor.fetchall()


def judge(changes: list, exact: bool) -> None:
    versions = set()
    last = (0, 0)
    for csn, table, op, before, after, made in changes:
        if before is not None:
            assert before in versions, f"{op} of version {before} of {table}, which is not there"
            versions.remove(before)
        if after is not None:
            versions.add(after)
        if exact:
            assert (csn, made) > last, f"at csn {csn} {op} of {table}, made at {made}, comes behind {last[1]}"
            last = (csn, made)


@pytest.mark.parametrize("counting", ["on", "off"])
def test_changes_come_in_the_order_in_which_statements_made_them(installation, counting):
    """PostgreSQL's counts of changed rows tell it. Without them it is known for the changes of one row."""
    chosen = os.environ.get("WAYBILL_TEST_SEED")
    first, _, last = (chosen or f"1-{SEEDS}").partition("-")
    changes = 0
    with postgres.Server(installation, {"autovacuum": "off", "track_counts": counting}) as server:
        server.create_database("ordered")
        connection = psycopg2.connect(server.conninfo("ordered"))
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE EXTENSION waybill")
        failures = []
        csn = 0
        for seed in range(int(first), int(last or first) + 1):
            try:
                run_seed(cursor, seed)
                made = changes_of(cursor, seed, csn)
                changes += len(made)
                csn = max([csn, *(change[0] for change in made)])
                judge(made, exact=counting == "on")
            except AssertionError as failure:
                failures.append(f"seed {seed}: {failure}")
            cursor.execute("SELECT waybill.acknowledge('default', waybill.safe_csn()), waybill.maintain()")
            cursor.execute(f"DROP SCHEMA s{seed} CASCADE")
        connection.close()
    print(f"{changes} changes")
    assert not failures, f"{len(failures)} seeds: " + "\n".join(failures[:10])
    assert chosen or changes > 4_000
