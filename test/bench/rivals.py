"""What records the changes of a table, side by side: how each is installed, attached to a table, counted and emptied.

`none` and `no-op trigger` record nothing: a table without triggers, and the floor of all row triggers. The others are set
up as their documentation has it, with logged tables.
"""

from dataclasses import dataclass

from harness import empty_log
from rig import postgres


@dataclass(frozen=True)
class System:
    """Statements; they can be installed side by side in one database, and each table has one of them."""

    name: str
    install: tuple[str, ...] = ()
    attach: str = ""  # to the table {table}
    records: str = ""  # counts what is recorded and not emptied
    empty: tuple[str, ...] = ()

    def install_in(self, server: postgres.Server, database: str) -> None:
        server.execute(database, *self.install)

    def attach_to(self, server: postgres.Server, database: str, table: str) -> None:
        if self.attach:
            server.execute(database, self.attach.format(table=table))

    def check_and_empty(self, server: postgres.Server, database: str, changes: int) -> None:
        """A figure of what has not recorded every change would be worth nothing."""
        if not self.records:
            return
        recorded = server.value(database, self.records)
        assert recorded == changes, f"{self.name} recorded {recorded} of {changes} changes"
        if self.empty:
            server.execute(database, *self.empty)
        else:
            empty_log(server, database)


ROW_TRIGGER = "CREATE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON {{table}} FOR EACH ROW EXECUTE FUNCTION {function}"

NONE = System("none")

# The internal function looks at no argument and returns no row, which is all that an AFTER trigger has to do; every
# PostgreSQL has it.
NO_OP = System("no-op trigger", ("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE internal AS 'void_in'",),
               ROW_TRIGGER.format(function="nothing()"))

WAYBILL = System("waybill", ("CREATE EXTENSION waybill",), "SELECT waybill.enable_capture('{table}')",
                 "SELECT coalesce(sum(changes), 0) FROM waybill_internal.change_log")

QUEUE = """CREATE TABLE IF NOT EXISTS queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, txid bigint NOT NULL,
           relation text NOT NULL, operation text NOT NULL, before jsonb, after jsonb)"""

# What one writes oneself, and what outbox and audit extensions do, row-level: a row of the queue for each row.
PLPGSQL = System(
    "PL/pgSQL to_jsonb",
    (QUEUE,
     """CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO queue (txid, relation, operation, before, after)
            VALUES (txid_current(), TG_TABLE_NAME, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
            RETURN NULL;
        END $$"""),
    ROW_TRIGGER.format(function="record()"), "SELECT count(*) FROM queue", ("TRUNCATE queue",))

# The same statement-level: cheaper for statements of many rows. Old and new rows are two tables without anything that pairs
# them, so an update writes each to a row of its own.
TRANSITION_TABLES = System(
    "PL/pgSQL, transition tables",
    (QUEUE,
     """CREATE FUNCTION record_statement() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                INSERT INTO queue (txid, relation, operation, before)
                SELECT txid_current(), TG_TABLE_NAME, TG_OP, to_jsonb(o) FROM old_table o;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO queue (txid, relation, operation, after)
                SELECT txid_current(), TG_TABLE_NAME, TG_OP, to_jsonb(n) FROM new_table n;
            END IF;
            RETURN NULL;
        END $$"""),
    ";".join(f"CREATE TRIGGER record_{event} AFTER {event} ON {{table}} REFERENCING {tables} "
             "FOR EACH STATEMENT EXECUTE FUNCTION record_statement()"
             for event, tables in (("insert", "NEW TABLE AS new_table"), ("delete", "OLD TABLE AS old_table"),
                                   ("update", "OLD TABLE AS old_table NEW TABLE AS new_table"))),
    "SELECT greatest(count(before), count(after)) FROM queue", ("TRUNCATE queue",))


def _pgq(trigger: str) -> System:
    """PgQ's triggers in C; without their option `backup` they do not record old rows. Both write to one queue."""
    return System(f"PgQ {trigger}", ("CREATE EXTENSION IF NOT EXISTS pgq", "SELECT pgq.create_queue('bench')"),
                  ROW_TRIGGER.format(function=f"pgq.{trigger}('bench')"), "SELECT count(*) FROM pgq.event_1",
                  ("TRUNCATE pgq.event_1",))


PGQ_URLENCODED = _pgq("logutriga")
PGQ_JSON = _pgq("jsontriga")

ALL = {system.name: system for system in (NONE, NO_OP, WAYBILL, PLPGSQL, PGQ_URLENCODED, PGQ_JSON)}
FOR_BULK_WRITES = ALL | {TRANSITION_TABLES.name: TRANSITION_TABLES}
