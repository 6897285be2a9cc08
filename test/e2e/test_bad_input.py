"""What is wrong is said in one line that names the cause and the remedy, with the right exit code; and nothing is lost."""

import re

import psycopg2
import pytest

from pipeline import PASSWORD, ROLE
from rig.processes import reserve_port, wait_until
from rig.shipper import Shipper

FATAL, CONFIGURATION = 1, 2


@pytest.fixture
def stocked(pipeline):
    """A table with a change that waits."""
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1)")
    return pipeline


def error_line(output: str) -> str:
    """The line that says what is wrong: there is just one."""
    lines = [line for line in output.splitlines() if re.search(r"^waybill-shipper: |^error | error: ", line)]
    assert len(lines) == 1, f"one line should say what is wrong:\n{output}"
    return lines[0].lower()


def refuse(shipper: Shipper, code: int, *words: str, timeout_s: float = 60) -> None:
    """`run` and `check` both end with the code and one line that has all the words; "a|b" is either."""
    for command in ("run", "check"):
        done = shipper.run(command, timeout_s=timeout_s)
        assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        line = error_line(done.stderr)
        for word in words:
            assert any(choice in line for choice in word.lower().split("|")), f'{command}: no "{word}" in: {line}'
        assert PASSWORD not in done.stdout + done.stderr


def assert_nothing_lost(pipeline) -> None:
    assert pipeline.acknowledged() == 0
    pipeline.shipper().once()
    assert pipeline.check("public.t").changes == 1


def test_unreachable_broker(stocked):
    port = reserve_port()
    shipper = stocked.shipper(kafka={"bootstrap.servers": f"127.0.0.1:{port}"})
    done = shipper.run("check")
    assert done.returncode == FATAL
    line = error_line(done.stderr)
    assert f"127.0.0.1:{port}" in line and "bootstrap.servers" in line
    # A broker that is away comes back: `run` waits for it.
    with shipper:
        wait_until(lambda: str(port) in shipper.stderr(), 60, "the shipper says what it waits for")
        assert shipper.running and stocked.acknowledged() == 0
        assert shipper.stop() == 0
    assert_nothing_lost(stocked)


def test_unreachable_database(stocked):
    port = reserve_port()
    shipper = stocked.shipper(database={"conninfo": f"host=127.0.0.1 port={port} dbname=x user={ROLE}"})
    done = shipper.run("check")
    assert done.returncode == FATAL
    line = error_line(done.stderr)
    assert str(port) in line and "refused" in line
    with shipper:
        wait_until(lambda: str(port) in shipper.stderr(), 60, "the shipper says what it waits for")
        assert shipper.running and shipper.stop() == 0


def test_wrong_password(stocked):
    conninfo = stocked.server.conninfo(stocked.name, ROLE, "wrong")
    refuse(stocked.shipper(database={"conninfo": conninfo}), FATAL, "password", ROLE, "conninfo|pgpass|pgpassword")
    assert_nothing_lost(stocked)


def test_unknown_topic_that_may_not_be_created(stocked):
    shipper = stocked.shipper(topics={"create": False})
    done = shipper.run("run")
    assert done.returncode == FATAL
    line = error_line(done.stderr)
    assert stocked.topic("public.t") in line and "create" in line
    assert_nothing_lost(stocked)


def test_missing_privileges(stocked):
    stocked.server.execute("postgres", "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN PASSWORD 's'")
    conninfo = stocked.server.conninfo(stocked.name, "stranger", "s")
    refuse(stocked.shipper(database={"conninfo": conninfo}), FATAL, "stranger|permission denied", "grant_shipper")
    assert_nothing_lost(stocked)


def test_missing_extension(stocked):
    name = stocked.server.create_database(f"{stocked.name}_bare")
    conninfo = stocked.conninfo().replace(f"dbname={stocked.name}", f"dbname={name}")
    refuse(stocked.shipper(database={"conninfo": conninfo}), FATAL, "waybill", "CREATE EXTENSION", name)
    stocked.server.drop_database(name)
    assert_nothing_lost(stocked)


def test_extension_older_than_the_shipper(stocked):
    stocked.execute("UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'waybill'")
    refuse(stocked.shipper(), FATAL, "0.9", "1.0", "ALTER EXTENSION waybill UPDATE")
    stocked.execute("UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'waybill'")
    assert_nothing_lost(stocked)


def test_missing_database(stocked):
    conninfo = stocked.conninfo().replace(f"dbname={stocked.name}", "dbname=nowhere")
    refuse(stocked.shipper(database={"conninfo": conninfo}), FATAL, "nowhere")


def test_unknown_stream(stocked):
    refuse(stocked.shipper(stream={"name": "nightly"}), FATAL, "nightly", "create_stream")
    assert_nothing_lost(stocked)


@pytest.mark.parametrize("text, words", [
    ("[database\n", ("waybill.toml", "1")),
    ("[stream]\nprefix = shop\n", ("waybill.toml", "2")),
    ("[stream]\nprefix = \"shop\"\nprefixx = 1\n", ("waybill.toml", "prefixx", "is not a setting")),
    ("[streem]\nprefix = \"shop\"\n", ("streem", "is not a section", "stream")),
    ("[stream]\nprefix = 5\n", ("prefix", "string")),
    ("[stream]\nprefix = \"shop\"\nformat = \"xml\"\n", ("xml", "debezium")),
    ("[stream]\nprefix = \"shop\"\n[topics]\npartitions = 0\n", ("partitions",)),
    ("[stream]\nprefix = \"shop\"\n[topics]\ncreate = \"yes\"\n", ("create", "true|boolean")),
    ("[stream]\nprefix = \"shop\"\n[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:1\"\n\"no.such.property\" = \"1\"\n",
     ("no.such.property",)),
    ("[stream]\nprefix = \"shop\"\n[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:1\"\nacks = \"1\"\n", ("acks",)),
    ("[stream]\nprefix = \"shop\"\n", ("bootstrap.servers",)),
    ("[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:1\"\n", ("prefix",)),
])
def test_wrong_configuration(text, words):
    shipper = Shipper(text)
    refuse(shipper, CONFIGURATION, *words, timeout_s=20)
    shipper.close()


def test_absent_configuration_file():
    shipper = Shipper("")
    shipper.file.unlink()
    refuse(shipper, CONFIGURATION, "waybill.toml", "no such file|could not be opened", timeout_s=20)
    shipper.close()


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["no-such-command"]])
def test_wrong_usage(arguments):
    shipper = Shipper("")
    done = shipper.run(*arguments, timeout_s=20)
    assert done.returncode == CONFIGURATION and "no-such" in done.stderr
    shipper.close()


@pytest.mark.parametrize("kind, setup, name, words", [
    ("temporary", "CREATE TEMP TABLE x (id int)", "x", "temporary"),
    ("unlogged", "CREATE UNLOGGED TABLE x (id int)", "x", "unlogged"),
    ("view", "CREATE VIEW x AS SELECT 1 AS id", "x", "view"),
    ("materialized view", "CREATE MATERIALIZED VIEW x AS SELECT 1 AS id", "x", "view"),
    ("foreign", "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; "
                "CREATE FOREIGN TABLE x (id int) SERVER s", "x", "foreign"),
    ("catalog", "SELECT", "pg_class", "system"),
    ("information schema", "SELECT", "information_schema.sql_features", "system"),
    ("sequence", "CREATE SEQUENCE x", "x", "sequence|not a table"),
    ("own", "SELECT", "waybill_internal.change_log", "system"),
])
def test_what_cannot_be_captured_is_refused(pipeline, kind, setup, name, words):
    connection = pipeline.connect()
    with connection.cursor() as cursor:
        cursor.execute(setup)
        with pytest.raises(psycopg2.Error) as refusal:
            cursor.execute("SELECT waybill.enable_capture(%s::regclass)", (name,))
    connection.close()
    message = refusal.value.diag.message_primary
    whole = f"{message} {refusal.value.diag.message_detail} {refusal.value.diag.message_hint}".lower()
    assert refusal.value.pgcode in ("0A000", "42809", "42501"), f"{refusal.value.pgcode}: {message}"
    assert name.split(".")[-1] in message and "\n" not in message
    assert any(word in whole for word in words.split("|")), whole
    assert refusal.value.diag.message_hint or refusal.value.diag.message_detail, f"no way out is named: {message}"


def test_a_table_of_somebody_else_is_refused(pipeline):
    pipeline.server.execute("postgres", "DROP ROLE IF EXISTS passer_by", "CREATE ROLE passer_by LOGIN PASSWORD 'p'")
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)", "GRANT USAGE ON SCHEMA waybill TO passer_by",
                     "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA waybill TO passer_by")
    connection = pipeline.connect(user="passer_by", password="p")
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege) as refusal:
        cursor.execute("SELECT waybill.enable_capture('public.t')")
    connection.close()
    assert "owner of table public.t" in refusal.value.diag.message_primary
