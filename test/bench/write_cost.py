"""Bulk writes.

One statement each that inserts, updates and deletes all rows of a fresh table from a copy of them: narrow rows of 5
columns, medium ones of 15 and wide ones of 100 columns of mixed types, all with a primary key. The update changes two
columns. Each statement begins behind a checkpoint, so that the first change of each page logs it whole; autovacuum is
off. WAL counts bytes of all that the statement logs, processor time is its backend's. The triggers in PL/pgSQL, a row-level
one with `to_jsonb` and statement-level ones with transition tables, and PgQ's row-level ones write logged tables as their
documentation has it, and as they take many times as long they have three rounds; the others' narrow rows, which the goal
is about and whose statements take a second or two, have three times as many as the rest. Each run is checked to have
recorded every row. Transition tables do not pair old rows with new ones: of an update such a trigger writes both, each by
itself.
"""

import contextlib
import time
from dataclasses import replace

import rivals
from harness import MORE_ROUNDS, SERVER, Comparison, Goal, Options, Results, alternate, cpu_s, median
from page import Page, bars, spread
from rig import postgres

DATABASE = "bench"
OPERATIONS = ("INSERT", "UPDATE", "DELETE")

# What columns are made of, in turn: type and value for row i.
MIXED = [("integer", "i % 1000 + {column}"), ("bigint", "i * 7919::bigint + {column}"),
         ("text", "'value number ' || i + {column}"), ("numeric(12,2)", "i / 7.0 + {column}"),
         ("timestamptz", "now() + i * interval '1 second'"), ("boolean", "i % 2 = 0"), ("uuid", "md5(i::text)::uuid"),
         ("jsonb", "jsonb_build_object('number', i, 'name', 'row ' || i)"),
         ("double precision", "i / 3.0"), ("date", "'2026-01-01'::date + i % 365"),
         ("text", "CASE WHEN i % 3 > 0 THEN 'new' END"), ("smallint", "(i % 100)::smallint")]


def mixed(columns: int) -> list[tuple[str, str, str]]:
    """The key, the two columns that change, and others."""
    others = ((number, *MIXED[number % len(MIXED)]) for number in range(columns - 3))
    return [("id", "bigint", "i"), ("status", "text", "'new'"), ("amount", "numeric(12,2)", "i / 7.0"),
            *((f"c{number}", kind, value.format(column=number)) for number, kind, value in others)]


NARROW = [("id", "bigint", "i"), ("customer", "integer", "i % 1000"), ("status", "text", "'new'"),
          ("amount", "numeric(12,2)", "i / 7.0"), ("created", "timestamptz", "now()")]
# Types that PostgreSQL's own output functions have to write.
AS_TEXT = [("id", "bigint", "i"), ("status", "text", "'new'"), ("amount", "numeric(12,2)", "i / 7.0"),
           ("period", "int4range", "int4range(i, i + 10)"), ("place", "point", "point(i, i)"),
           ("moods", "mood[]", "ARRAY['fine', 'sad']::mood[]")]
WIDTHS = {"narrow": NARROW, "medium": mixed(15), "wide": mixed(100), "text form": AS_TEXT}
PGQ = (rivals.PGQ_URLENCODED.name, rivals.PGQ_JSON.name)
SLOW = (rivals.PLPGSQL.name, rivals.TRANSITION_TABLES.name, *PGQ)
SLOW_ROUNDS = 3


def rows_of(width: str, options: Options) -> int:
    return 50_000 if width == "wide" and not options.long else 500_000


def measure(results: Results, options: Options) -> None:
    with postgres.Installation() as installation, postgres.Server(installation, SERVER | {"autovacuum": "off"}) as server:
        server.create_database(DATABASE, "CREATE TYPE mood AS ENUM ('fine', 'sad')")
        for system in rivals.FOR_BULK_WRITES.values():
            system.install_in(server, DATABASE)
        for width, columns in WIDTHS.items():
            values = ", ".join(f"{value} AS {name}" for name, _, value in columns)
            server.execute(DATABASE, f'CREATE TABLE "{width} source" AS SELECT {values} '
                                     f"FROM generate_series(1, {rows_of(width, options)}) i")
        server.execute(DATABASE, "VACUUM ANALYZE")

        def run(variant: str, width: str, rows: int) -> dict:
            system = rivals.FOR_BULK_WRITES[variant]
            columns = ", ".join(f"{name} {kind} NOT NULL" if name == "id" else f"{name} {kind}"
                                for name, kind, _ in WIDTHS[width])
            server.execute(DATABASE, "DROP TABLE IF EXISTS written", f"CREATE TABLE written ({columns}, PRIMARY KEY (id))")
            system.attach_to(server, DATABASE, "written")
            statements = {"INSERT": f'INSERT INTO written SELECT * FROM "{width} source" WHERE id <= {rows}',
                          "UPDATE": "UPDATE written SET status = 'paid', amount = amount + 1",
                          "DELETE": "DELETE FROM written"}
            measured = {}
            with contextlib.closing(server.connect(DATABASE)) as connection, connection.cursor() as cursor:
                backend = connection.info.backend_pid
                for operation, statement in statements.items():
                    server.execute(DATABASE, "CHECKPOINT")
                    lsn = server.value(DATABASE, "SELECT pg_current_wal_insert_lsn()")
                    cpu, begin = cpu_s(backend), time.monotonic()
                    cursor.execute(statement)
                    seconds = time.monotonic() - begin
                    cpu = cpu_s(backend) - cpu
                    wal = server.value(DATABASE, "SELECT pg_current_wal_insert_lsn() - %s", (lsn,))
                    assert cursor.rowcount == rows
                    measured |= {f"{operation} s": seconds, f"{operation} cpu_us": cpu / rows * 1e6,
                                 f"{operation} wal_bytes": float(wal) / rows}
                    system.check_and_empty(server, DATABASE, rows)
            return measured

        cases = [{"variant": variant, "width": width, "rows": rows_of(width, options)}
                 for width in WIDTHS for variant in rivals.FOR_BULK_WRITES
                 if width != "text form" or variant in (rivals.NONE.name, rivals.WAYBILL.name)]

        def most_rounds(case: dict) -> int:
            if case["variant"] in SLOW:
                return min(options.rounds, SLOW_ROUNDS)
            return options.rounds * MORE_ROUNDS if case["width"] == "narrow" else options.rounds

        for case in cases:  # a tenth of the rows warms up enough
            run(**case | {"rows": case["rows"] // 10})
        alternate(results, "runs", cases, replace(options, rounds=options.rounds * MORE_ROUNDS), run, warm_up=False,
                  most_rounds=most_rounds)


def ratios(results: Results, width: str, metric: str, variant: str = rivals.WAYBILL.name) -> list[float]:
    return results.ratios("runs", metric, {"variant": variant}, {"variant": rivals.NONE.name}, width=width)


def cost_us(results: Results, width: str, operation: str, variant: str, base: str) -> dict[int, float]:
    """Of one row over what it takes with `base`, by round."""
    seconds = {run["round"]: run[f"{operation} s"] for run in results.rows("runs", width=width, variant=base)}
    return {run["round"]: (run[f"{operation} s"] - seconds[run["round"]]) / run["rows"] * 1e6
            for run in results.rows("runs", width=width, variant=variant) if run["round"] in seconds}


def times_less(results: Results, operation: str, variant: str) -> float:
    """How many times the capture of a narrow row costs less than a rival's, both over none."""
    theirs, ours = (median(cost_us(results, "narrow", operation, name, rivals.NONE.name).values())
                    for name in (variant, rivals.WAYBILL.name))
    return theirs / ours


def report(results: Results, page: Page) -> None:
    for width in results.cases("runs", "width"):
        runs = results.rows("runs", width=width)
        variants = list(dict.fromkeys(run["variant"] for run in runs))
        page.text(f"**{width.capitalize()} rows** ({len(WIDTHS[width])} columns, {runs[0]['rows']:,} rows):"
                  + (" a range, a point and an array of an enum among them." if width == "text form" else ""))
        page.table(
            ["statement, variant", "seconds", "against none", "µs a row over none", "… over no-op trigger",
             "µs of CPU a row", "bytes of WAL a row"],
            [(f"{operation}, {variant}",
              spread(results.values("runs", f"{operation} s", width=width, variant=variant), 2),
              "" if variant == rivals.NONE.name else spread(ratios(results, width, f"{operation} s", variant), 2),
              *("" if base not in variants or variant in (rivals.NONE.name, base)
                else f"{median(cost_us(results, width, operation, variant, base).values()):.2f}"
                for base in (rivals.NONE.name, rivals.NO_OP.name)),
              f"{median(results.values('runs', f'{operation} cpu_us', width=width, variant=variant)):.2f}",
              f"{median(results.values('runs', f'{operation} wal_bytes', width=width, variant=variant)):,.0f}")
             for operation in OPERATIONS for variant in variants])

    groups = [(operation, width) for width in ("narrow", "medium", "wide") for operation in OPERATIONS]
    with page.plot("time", "Time of one statement against none", "", "times as long") as axes:
        bars(axes, [f"{operation}\n{width}" for operation, width in groups],
             {variant: [median(ratios(results, width, f"{operation} s", variant)) for operation, width in groups]
              for variant in results.cases("runs", "variant") if variant != rivals.NONE.name}, base=1)
        axes.set_yscale("log")
        axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        axes.tick_params(axis="x", labelsize=7)


def goals(results: Results) -> list[Goal]:
    reached = []
    for operation in ("INSERT", "UPDATE"):
        narrow, medium, wide = (median(ratios(results, width, f"{operation} s")) for width in ("narrow", "medium", "wide"))
        reached.append(Goal(f"Bulk {operation} of narrow rows with capture, time against none", "≤ 1.35×",
                            f"{narrow:.2f}× narrow, {medium:.2f}× medium, {wide:.2f}× wide rows", narrow <= 1.35))
    for rival, names, least in (("PgQ", PGQ, 10), ("row-level PL/pgSQL with `to_jsonb`", (rivals.PLPGSQL.name,), 8)):
        for operation in ("INSERT", "UPDATE"):
            times = min(times_less(results, operation, name) for name in names)
            reached.append(Goal(f"Capture cost per narrow row, {operation}, against {rival}", f"{least}× less",
                                f"{times:.1f}× less", times >= least))
    return reached


def compare(results: Results) -> list[Comparison]:
    def line(what: str, figure, form: str) -> Comparison:
        """PgQ's is the cheaper one of its two triggers."""
        ours, row_level, statement_level = (form.format(figure(system.name)) for system in
                                            (rivals.WAYBILL, rivals.PLPGSQL, rivals.TRANSITION_TABLES))
        return Comparison(what, ours, plpgsql=f"{row_level} (transition tables: {statement_level})",
                          pgq=form.format(min(map(figure, PGQ))))

    def wal_bytes(variant: str) -> float:
        return median(results.values("runs", "INSERT wal_bytes", width="narrow", variant=variant))

    return [*(line(f"Bulk {operation} of narrow rows: time against no capture",
                   lambda variant: median(ratios(results, "narrow", f"{operation} s", variant)), "{:.2f}×")
              for operation in ("INSERT", "UPDATE")),
            line(f"Bytes of WAL per inserted narrow row; {wal_bytes(rivals.NONE.name):,.0f} without capture", wal_bytes,
                 "{:,.0f}")]
