"""An error in each call from the extension into the server, one after the other.

Every scenario runs once for each of its calls of each function, which fails. After that the session must be as good as new: the changes in
the log replay exactly to the tables, in order, whatever failed before.
"""

import pathlib
import subprocess
import sys
from collections.abc import Callable

import psycopg2
from rig import postgres
from rig.processes import ROOT

HERE = pathlib.Path(__file__).parent
# Of a function that a scenario calls more often, only so many calls fail, evenly spread.
MOST_CALLS = 24

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'none', n numeric, r int4range, a int[], m mood, j jsonb,
                u uuid DEFAULT '00000000-0000-0000-0000-000000000000', version int NOT NULL DEFAULT 0);
CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 (v text, id int NOT NULL);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (1000000);
CREATE TABLE c (id int PRIMARY KEY, n int);
SELECT waybill.enable_capture('t'), waybill.enable_capture('p'), waybill.enable_capture('c', condition => 'n > 0');
-- Each row inserted with version 1 changes the one before it: what is captured first was not made first.
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN UPDATE t SET version = version + 1 WHERE id = NEW.id - 1; RETURN NULL; END $$;
CREATE TRIGGER bump AFTER INSERT ON t FOR EACH ROW WHEN (NEW.version = 1) EXECUTE FUNCTION bump();
CREATE FUNCTION fail_call(text, int) RETURNS void LANGUAGE c AS 'waybill', 'waybill_fail_call';
CREATE FUNCTION counted_calls() RETURNS text LANGUAGE c AS 'waybill', 'waybill_counted_calls';
"""
SMALL = "'x', 1.5, '[1,5)', '{1,2}', 'glad', '{\"a\": 1}'"

# Caches are empty, and the shape is a new one.
FIRST_CAPTURE = f"""
BEGIN;
SET LOCAL waybill.context = 'who';
INSERT INTO t (id, v, n, r, a, m, j) VALUES (1, {SMALL}), (2, {SMALL});
UPDATE t SET v = v || 'y', version = version + 1;
DELETE FROM t WHERE id = 1;
INSERT INTO p VALUES (1, 'in a partition');
COMMIT;
"""
# To the file, back from it, and sorted on disk.
SPILLED = """
BEGIN;
SET LOCAL work_mem = '64kB';
INSERT INTO t (id, v, version) SELECT g, repeat('x', 3000), 1 FROM generate_series(101, 125) g;
SAVEPOINT a;
INSERT INTO t (id, v) SELECT g, repeat('u', 3000) FROM generate_series(201, 230) g;
ROLLBACK TO a;
UPDATE t SET v = repeat('y', 3000), version = version + 1 WHERE id > 100;
COMMIT;
"""
# What fails is caught and undone, what succeeds commits.
CAUGHT = """
DO $$
BEGIN
    FOR i IN 1..12 LOOP
        BEGIN
            INSERT INTO t (id, v, version) SELECT 300 + i * 10 + g, repeat('z', 3000), 1 FROM generate_series(0, 4) g;
            BEGIN
                DELETE FROM t WHERE id = 300 + i * 10;
                UPDATE t SET version = version + 1 WHERE id > 300 + i * 10;
            EXCEPTION WHEN internal_error THEN RAISE NOTICE 'caught: %', SQLERRM;
            END;
        EXCEPTION WHEN internal_error THEN RAISE NOTICE 'caught: %', SQLERRM;
        END;
    END LOOP;
END $$;
"""
# Rows cross the border of a condition, which is given again in other words.
CONDITION = """
DO $$
BEGIN
    FOR i IN 1..4 LOOP
        BEGIN
            INSERT INTO c SELECT i * 10 + g, g - 1 FROM generate_series(0, 3) g;
            PERFORM waybill.enable_capture('c', condition => format('n > 0 AND abs(n) < %s', 1000 + floor(random() * 1e6)));
            UPDATE c SET n = 1 - n;
        EXCEPTION WHEN internal_error THEN RAISE NOTICE 'caught: %', SQLERRM;
        END;
    END LOOP;
END $$;
"""
READ = """
SELECT count(before), count(after) FROM waybill.changes;
SELECT * FROM waybill.captured_tables;
SELECT * FROM waybill.fetch(0, 0, waybill.safe_csn());
SELECT * FROM waybill.status;
SELECT waybill.maintain();
"""


class Replay:
    """The tables as the log tells them."""

    def __init__(self, server: postgres.Server):
        self.server = server
        self.csn = 0
        self.rows: dict[tuple[str, int], dict] = {}

    def check(self, after: str) -> None:
        changes = self.server.query("faults", 'SELECT csn, "table", op, before, after FROM waybill.changes '
                                    f"WHERE csn > {self.csn} ORDER BY csn, index")
        for csn, table, op, before, new in changes:
            self.csn = csn
            key = (table, (before or new)["id"])
            assert self.rows.get(key) == before, f"{op} of {key} at csn {csn} does not follow ({after})"
            if new is None:
                del self.rows[key]
            else:
                self.rows[key] = new
        present = {(f"public.{name}", row["id"]): row for name, condition in (("t", "true"), ("p", "true"), ("c", "n > 0"))
                   for (row,) in self.server.query("faults", f"SELECT to_jsonb({name}) FROM {name} WHERE {condition}")}
        assert self.rows == present, f"the log does not replay to the tables ({after})"
        self.server.execute("faults", f"SELECT waybill.acknowledge('default', waybill.safe_csn())",
                            "SELECT waybill.maintain(true)")


class Session:
    """A connection, made anew when a scenario wants a fresh one."""

    def __init__(self, server: postgres.Server):
        self.connection = server.connect("faults")
        self.execute("SELECT fail_call('', 0); SET waybill.buffer_size = '64kB'")

    def execute(self, statements: str):
        with self.connection.cursor() as cursor:
            for statement in statements.split(";\n") if "$$" not in statements else [statements]:
                if statement.strip():
                    cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    def close(self) -> None:
        self.connection.close()


def sweep(server: postgres.Server, replay: Replay, name: str, statements: str, fresh: bool,
          prepare: Callable[[int], None]) -> tuple[int, set[str]]:
    """Fails the calls of a scenario one after the other; returns how many failed, and the functions that did."""
    session = Session(server)
    runs = 0

    def run(function: str, call: int) -> str | None:
        nonlocal session, runs
        runs += 1
        prepare(runs)
        if fresh:
            session.close()
            session = Session(server)
        session.connection.notices.clear()
        session.execute(f"SELECT fail_call('{function}', {call})")
        failed = None
        try:
            session.execute(statements)
        except psycopg2.InternalError as error:
            failed = str(error).splitlines()[0]
            session.execute("ROLLBACK")
        return failed or next((notice.strip() for notice in session.connection.notices if "caught: " in notice), None)

    run("", 0)  # what the session looks up only once is not counted, unless each run has a fresh one
    assert run("", 0) is None
    counts = [line.split() for line in session.execute("SELECT counted_calls()").splitlines()]
    replay.check(name)
    failures, functions = 0, set()
    for function, count in counts:
        for call in range(1, int(count) + 1, -(-int(count) // MOST_CALLS)):
            failed = run(function, call)
            session.execute("SELECT fail_call('', 0)")
            if failed is not None:
                assert failed.endswith(f"injected fault in a call of {function}"), failed
                failures += 1
                functions.add(function)
            # The session goes on: what it captures next is right.
            session.execute(f"INSERT INTO t (id, v) VALUES (9999, 'run {runs}') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v")
            replay.check(f"{name}, call {call} of {function}: {failed}")
    session.close()
    return failures, functions


def run(installation) -> tuple[str, str]:
    """Returns what was done, and the server's log. AssertionError: what was wrong."""
    with postgres.Server(installation, {"autovacuum": "off", "log_min_messages": "warning"}) as server:
        server.create_database("faults", "CREATE EXTENSION waybill")
        server.execute("faults", TABLES)
        replay = Replay(server)

        def clear(call: int) -> None:
            server.execute("faults", "DELETE FROM t; DELETE FROM p; DELETE FROM c")

        def clear_and_alter(call: int) -> None:
            clear(call)
            server.execute("faults", f"ALTER TABLE t ALTER v SET DEFAULT 'number {call}'",
                           f"ALTER TABLE p ALTER v SET DEFAULT 'number {call}'")

        done, functions = [], set()
        for name, statements, fresh, prepare in (("first capture", FIRST_CAPTURE, True, clear_and_alter),
                                                 ("spilled", SPILLED, False, clear),
                                                 ("caught", CAUGHT, False, clear),
                                                 ("condition", CONDITION, True, clear), ("read", READ, False, lambda call: None)):
            try:
                failures, called = sweep(server, replay, name, statements, fresh, prepare)
            except psycopg2.Error as error:  # the log cannot be read, say, or the server has crashed
                tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-40:])
                raise AssertionError(f"{name}: {error}\nthe server's log:\n{tail}") from error
            assert failures > 0, f"nothing failed in {name}"
            done.append(f"{failures} in {name}")
            functions |= called
        server.stop()
        return f"failed calls of {len(functions)} functions: {', '.join(done)}", server.log.read_text(errors="replace")
