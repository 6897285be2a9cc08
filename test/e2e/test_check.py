"""`waybill-shipper check` tells what will not work before anything is shipped; `run` says what it keeps back no more."""

import contextlib

import pytest

from pipeline import PASSWORD
from rig import secure_kafka
from rig.consumer import read_topic
from rig.mock_broker import MockBroker
from rig.secure_kafka import SecureBroker

OK, FAILED, WRONG = 0, 1, 2


def check(shipper, code: int) -> list[str]:
    """The lines of both outputs."""
    done = shipper.run("check")
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    assert PASSWORD not in done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def assert_line(lines: list[str], kind: str, *words: str) -> None:
    found = [line for line in lines if line.startswith(kind + " ") and all(word in line for word in words)]
    assert len(found) == 1, f"one {kind} with {words} in:\n" + "\n".join(lines)


def doubtful(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("warning ", "error "))]


@pytest.fixture
def shop(pipeline):
    """Two captured tables, without a single change."""
    pipeline.execute("CREATE TABLE orders (id int PRIMARY KEY, email text)", "CREATE TABLE visits (at int)")
    pipeline.capture("orders", "visits")
    return pipeline


def test_tables_without_changes_are_looked_at(shop):
    lines = check(shop.shipper(tables={"key": [r".*\.visits=at"]}), OK)
    for table in ("orders", "visits"):
        assert_line(lines, "ok", f"topic {shop.topic('public.' + table)} (will be created)")
    assert doubtful(lines) == []
    assert shop.broker.topics().keys().isdisjoint({shop.topic("public.orders"), shop.topic("public.visits")})


def test_nothing_is_captured(pipeline):
    assert_line(check(pipeline.shipper(), OK), "warning", "no table of the stream is captured", "enable_capture")


def test_nothing_is_published(shop):
    assert_line(check(shop.shipper(tables={"exclude": ["public.*"]}), OK), "warning", "none of the captured tables")


def test_problems_of_captured_tables(shop):
    shop.execute("ALTER TABLE orders DISABLE TRIGGER USER")
    lines = check(shop.shipper(), OK)
    assert_line(lines, "warning", "public.orders", "changes are lost")
    assert_line(lines, "warning", "public.visits", "key")


def test_a_publication_for_all_tables(shop):
    shop.execute('CREATE PUBLICATION "of all" FOR ALL TABLES')
    assert_line(check(shop.shipper(), OK), "warning", 'FOR ALL TABLES ("of all")', "CREATE EXTENSION waybill there")


def test_only_the_tables_of_the_stream(shop):
    shop.execute("SELECT waybill.create_stream('s', '{public.orders}')")
    lines = check(shop.shipper(stream={"name": "s"}), OK)
    assert_line(lines, "ok", shop.topic("public.orders"))
    assert not any("visits" in line for line in lines)


def test_a_locked_table_does_not_keep_the_shipper_from_starting(shop):
    shop.execute("INSERT INTO orders VALUES (1)")
    connection = shop.connect()
    connection.autocommit = False
    connection.cursor().execute("LOCK TABLE visits IN ACCESS EXCLUSIVE MODE")
    shop.shipper().once()
    connection.close()
    assert len(shop.events("public.orders")) == 1


@pytest.mark.parametrize("section, setting, rule, hides", [
    ("tables", "include", ["public.*", "pubic.*"], False),
    ("tables", "exclude", [r"pubic.*"], True),
    ("tables", "key", [r"pubic.*=id"], False),
    ("columns", "include", [r"public.*", r"pubic.*"], False),
    ("columns", "exclude", [r".*\.emial"], True),
    ("columns", "mask", [r".*\.emial=*"], True),
    ("columns", "hash", [r".*\.emial=pepper"], True),
    ("columns", "truncate", [r".*\.emial=3"], True),
    ("topics", "routes", [r"pubic.*=x"], False),
])
def test_rules_that_match_nothing(shop, section, setting, rule, hides):
    shipper = shop.shipper(**{section: {setting: rule}})
    lines = check(shipper, OK)
    assert_line(lines, "warning", f"{section}.{setting}", "pubic" if "pubic" in rule[-1] else "emial", "matches no")
    assert "pepper" not in "\n".join(lines)
    done = shipper.run("--once")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if f"{section}.{setting}" in line]
    assert len(warnings) == hides and all("keeps nothing back" in line and "warning" in line for line in warnings)


def test_rules_that_match_are_not_talked_about(shop):
    shipper = shop.shipper(columns={"mask": [r".*\.email=*"]}, tables={"key": [r".*\.visits=at"]})
    assert doubtful(check(shipper, OK)) == []
    assert "warning" not in shipper.run("--once").stderr


# ---- topics

def test_two_tables_on_one_topic(shop):
    shop.execute('CREATE TABLE "order item" (id int PRIMARY KEY)', "CREATE TABLE order_item (id int PRIMARY KEY)")
    shop.capture('"order item"', "order_item")
    assert_line(check(shop.shipper(), OK), "warning", shop.topic("public.order_item"), "public.order item, public.order_item")


@pytest.mark.parametrize("stream, topic", [
    ({"transaction_metadata": True}, "{prefix}.transaction"), ({"heartbeat_interval_ms": 1000}, "__debezium-heartbeat.{prefix}"),
])
def test_a_table_on_a_topic_of_the_shipper(shop, stream, topic):
    lines = check(shop.shipper(stream=stream, topics={"routes": [rf".*\.orders={topic}"]}), WRONG)
    assert_line(lines, "error", "public.orders", topic.replace("{prefix}", shop.name), "topics.routes")


def test_a_compacted_topic(shop):
    for table in ("orders", "visits"):
        shop.broker.create_topic(shop.topic(f"public.{table}"), configuration={"cleanup.policy": "compact"})
    lines = check(shop.shipper(), WRONG)
    assert_line(lines, "warning", "TRUNCATE of public.orders", "skip_operations")
    assert_line(lines, "error", "public.visits", "tables.key", "cleanup.policy")
    lines = check(shop.shipper(stream={"skip_operations": ["t"]}, tables={"key": [r".*\.visits=at"]}), OK)
    assert doubtful(lines) == []
    # It has no records of truncates.
    assert doubtful(check(shop.shipper(stream={"format": "maxwell"}, tables={"key": [r".*\.visits=at"]}), OK)) == []


def test_a_topic_that_would_be_compacted(shop):
    lines = check(shop.shipper(topics={"config": {"cleanup.policy": "compact,delete"}}), WRONG)
    assert_line(lines, "error", "public.visits", "compacted")


def test_a_topic_with_fewer_replicas_than_must_be_in_sync(shop):
    shop.broker.create_topic(shop.topic("public.orders"), configuration={"min.insync.replicas": "2"})
    lines = check(shop.shipper(), FAILED)
    assert_line(lines, "error", f"topic {shop.topic('public.orders')} takes nothing", "1 replicas", "min.insync.replicas is 2")
    lines = check(shop.shipper(topics={"replication": 1, "config": {"min.insync.replicas": "2"}}), FAILED)
    assert_line(lines, "error", f"topic {shop.topic('public.visits')} takes nothing", "topics.replication")


def test_types_that_no_column_has(shop):
    shop.execute("ALTER TABLE orders ADD COLUMN price numeric(10,2)")
    lines = check(shop.shipper(types={"as_text": ["numeric.*", "money"]}, tables={"key": [".*visits=at"]}), OK)
    assert_line(lines, "warning", "types.as_text", '"money"', "no captured column")
    assert len(doubtful(lines)) == 1


def test_a_table_that_somebody_alters(shop):
    """A migration, for hours perhaps: nobody waits for it."""
    with contextlib.closing(shop.connect(autocommit=False)) as migration, migration.cursor() as cursor:
        cursor.execute("ALTER TABLE orders ADD COLUMN note text")
        lines = check(shop.shipper(tables={"key": [".*visits=at"]}), OK)
        assert_line(lines, "warning", "public.orders", "locked by process", "not looked at")
        assert len(doubtful(lines)) == 1
        migration.rollback()


def test_a_key_that_capture_was_given_counts_from_the_start(shop):
    """Masked, it would stop the shipper at the first change."""
    shop.execute("CREATE TABLE codes (id int PRIMARY KEY, \"Code ü\" text)",
                 "SELECT waybill.enable_capture('codes', key => '{Code ü}')")
    done = shop.shipper(columns={"mask": [r"public\.codes\.Code.*=hidden"]}).run("--once")
    assert done.returncode == WRONG and "a column of the table's key" in done.stderr, done.stderr


def test_a_truncate_that_a_compacted_topic_refuses(shop):
    """The table has a key: the message must not ask for one alone."""
    shop.broker.create_topic(shop.topic("public.orders"), configuration={"cleanup.policy": "compact"})
    shop.execute("TRUNCATE orders")
    done = shop.shipper().run("--once")
    assert done.returncode == FAILED and "skip_operations" in done.stderr
    shop.shipper(stream={"skip_operations": ["t"]}).once()


def test_a_topic_that_takes_less_than_is_sent(shop):
    shop.broker.create_topic(shop.topic("public.orders"), configuration={"max.message.bytes": "100000"})
    assert_line(check(shop.shipper(), OK), "warning", shop.topic("public.orders"), "100000", "message.max.bytes")
    lines = check(shop.shipper(kafka={"message.max.bytes": 100000}, tables={"key": [".*visits=at"]}), OK)
    assert doubtful(lines) == []


def test_topics_that_cannot_be_created(shop):
    lines = check(shop.shipper(topics={"replication": 7}), FAILED)
    assert_line(lines, "error", shop.topic("public.orders"), "cannot be created", "topics.replication")


def test_absent_topics_that_may_not_be_created(shop):
    lines = check(shop.shipper(topics={"create": False}), FAILED)
    assert_line(lines, "error", shop.topic("public.orders"), "topics.create")


def test_a_mock_cluster_is_not_asked_what_it_cannot_answer(shop):
    """It would take the record with which writing is tried out."""
    shop.execute("INSERT INTO orders VALUES (1)")
    with MockBroker() as broker:
        shipper = shop.shipper(kafka={"bootstrap.servers": broker.bootstrap}, tables={"key": [r".*\.visits=at"]})
        for _ in range(2):
            assert doubtful(check(shipper, OK)) == []
            shipper.once()
        assert len(read_topic(broker.bootstrap, shop.topic("public.orders"))) == 1


# ---- keys of columns that were renamed

def test_a_key_column_that_was_renamed(shop):
    """A rule for each name: for the changes from before, and for those since."""
    shop.execute("INSERT INTO visits VALUES (1)", "ALTER TABLE visits RENAME at TO seen", "INSERT INTO visits VALUES (2)")
    shipper = shop.shipper(tables={"key": [r".*\.visits=seen"]})
    done = shipper.run("--once")
    assert done.returncode == WRONG and 'names column "seen"' in done.stderr and "add a rule" in done.stderr
    shipper = shop.shipper(tables={"key": [r".*\.visits=at", r".*\.visits=seen"]})
    assert_line(check(shipper, OK), "warning", "visits=at", "older changes")
    shipper.once()
    assert [record.key for record in shop.records("public.visits")] == [b'{"at":1}', b'{"seen":2}']


def test_a_key_column_that_no_rule_has(shop):
    lines = check(shop.shipper(tables={"key": [r".*\.visits=seen"]}), WRONG)
    assert_line(lines, "error", 'names column "seen"', "public.visits")


def test_a_table_that_was_dropped_and_made_anew(shop):
    """Its rules are judged by what each change's table looked like."""
    shop.execute("INSERT INTO visits VALUES (1)", "DROP TABLE visits", "CREATE TABLE visits (seen int)")
    shop.capture("visits")
    shop.execute("INSERT INTO visits VALUES (2)")
    shop.shipper(tables={"key": [r".*\.visits=at", r".*\.visits=seen"]}).once()
    assert [record.key for record in shop.records("public.visits")] == [b'{"at":1}', b'{"seen":2}']


# ---- who may do what, and who hears it

@pytest.fixture(scope="module")
def secure_broker():
    with SecureBroker(("writer", "reader", "stranger", "shipper")) as broker:
        broker.create_topic("acl.public.orders")
        broker.create_topic("acl.public.visits")
        allow = broker.allow
        allow("writer", secure_kafka.TOPIC, "acl.*", secure_kafka.WRITE, secure_kafka.DESCRIBE, secure_kafka.CREATE,
              secure_kafka.DESCRIBE_CONFIGS)
        allow("reader", secure_kafka.TOPIC, "acl.public.orders", secure_kafka.WRITE, secure_kafka.DESCRIBE)
        allow("reader", secure_kafka.TOPIC, "acl.public.visits", secure_kafka.DESCRIBE)
        allow("stranger", secure_kafka.TOPIC, "acl.public.orders", secure_kafka.WRITE, secure_kafka.DESCRIBE)
        allow("stranger", secure_kafka.CLUSTER, "kafka-cluster", secure_kafka.CREATE)
        yield broker


def secure(shop, properties: dict, **sections):
    return shop.shipper(kafka=properties, stream={"prefix": "acl"}, **({"tables": {"key": [r".*\.visits=at"]}} | sections))


def test_a_user_that_may_write(shop, secure_broker):
    before = secure_broker.end_offset("acl.public.orders")
    lines = check(secure(shop, secure_broker.client("SASL_SSL", user="writer")), OK)
    for table in ("orders", "visits"):
        assert "ok    topic acl.public." + table in lines
    assert doubtful(lines) == []
    assert secure_broker.end_offset("acl.public.orders") == before, "check has written something"


def test_a_user_that_may_not_write(shop, secure_broker):
    lines = check(secure(shop, secure_broker.client("SASL_SSL", user="reader")), FAILED)
    assert "ok    topic acl.public.orders" in lines
    assert_line(lines, "error", "may not write", "acl.public.visits", "WRITE")
    assert_line(lines, "advice", "acl.public.visits", "DESCRIBE_CONFIGS")


def test_a_user_that_may_not_create(shop, secure_broker):
    shop.execute("CREATE TABLE more (id int PRIMARY KEY)")
    shop.capture("more")
    lines = check(secure(shop, secure_broker.client("SASL_SSL", user="reader")), FAILED)
    assert_line(lines, "error", "acl.public.more", "cannot be created", "CREATE")


def test_a_topic_that_a_user_may_not_see(shop, secure_broker):
    lines = check(secure(shop, secure_broker.client("SASL_SSL", user="stranger")), FAILED)
    assert_line(lines, "error", "acl.public.visits", "not shown", "DESCRIBE")


@pytest.mark.parametrize("protocol, listener, words", [
    ("PLAINTEXT", "SSL", ("seems to speak TLS", "SASL_SSL")),
    ("PLAINTEXT", "SASL_PLAINTEXT", ("seems to ask for SASL",)),
    ("SSL", "PLAINTEXT", ("seems not to speak TLS",)),
    ("SASL_SSL", "SSL", ("seems not to ask for SASL",)),
])
def test_a_listener_of_another_protocol(shop, secure_broker, protocol, listener, words):
    lines = check(secure(shop, secure_broker.client(protocol, listener)), FAILED)
    assert_line(lines, "error", "security.protocol", *words)


def test_a_certificate_of_another_authority(shop, secure_broker):
    authority = str(secure_broker.certificates / "server.pem")
    lines = check(secure(shop, secure_broker.client("SSL", **{"ssl.ca.location": authority})), FAILED)
    assert_line(lines, "error", "certificate verify failed", "ssl.ca.location")


def test_scram_that_the_library_cannot_do(shop, secure_broker):
    properties = secure_broker.client("SASL_SSL", **{"sasl.mechanisms": "SCRAM-SHA-256"})
    shipper = secure(shop, properties)
    assert_line(check(shipper, FAILED), "warning", "SCRAM", "2.6.1", "make RDKAFKA=bundled shipper", "PLAIN over TLS")
    done = shipper.run("--once")
    assert any("warning" in line and "2.6.1" in line for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize("properties, said", [
    ({}, "nothing says where tokens come from"),
    ({"sasl.oauthbearer.method": "oidc"}, "kafka.sasl.oauthbearer.method is not possible"),
    ({"https.ca.location": "/etc/ssl/certs"}, "kafka.https.ca.location is not a property"),
])
def test_oauth_that_the_library_cannot_do(shop, secure_broker, properties, said):
    done = secure(shop, secure_broker.client("SASL_SSL", **{"sasl.mechanisms": "OAUTHBEARER"} | properties)).run("check")
    assert done.returncode == 2
    assert said in done.stderr and "librdkafka 2.0.2 (system)" in done.stderr and "make RDKAFKA=bundled shipper" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_others_could_hear_or_pretend(shop, secure_broker):
    lines = check(secure(shop, secure_broker.client("SASL_PLAINTEXT", user="writer")), OK)
    assert_line(lines, "warning", "SASL_PLAINTEXT", "password", "SASL_SSL")
    unverified = {"enable.ssl.certificate.verification": "false"}
    shipper = secure(shop, secure_broker.client("SASL_SSL", user="writer", **unverified))
    assert_line(check(shipper, OK), "warning", "certificate.verification", "ssl.ca.location")
    assert "certificate.verification" in shipper.run("--once").stderr
    lines = check(secure(shop, secure_broker.client("SASL_SSL", user="writer",
                                                    **{"ssl.endpoint.identification.algorithm": "none"})), OK)
    assert_line(lines, "warning", "identification.algorithm")


def test_a_file_that_everybody_can_read(shop):
    shipper = shop.shipper()
    shipper.file.chmod(0o644)
    assert_line(check(shipper, OK), "advice", str(shipper.file), "chmod o-rwx")
    shipper.file.chmod(0o640)
    assert not any("chmod" in line for line in check(shipper, OK))


def test_a_message_larger_than_the_queue(shop):
    shop.execute("INSERT INTO orders VALUES (1, repeat('x', 100000))")
    kafka = {"queue.buffering.max.kbytes": 16}
    assert_line(check(shop.shipper(kafka=kafka), OK), "warning", "queue.buffering.max.kbytes", "message.max.bytes")
    done = shop.shipper(kafka=kafka).run("--once")
    assert done.returncode == FAILED
    line, = [line for line in done.stderr.splitlines() if " error: " in line]
    assert "queue.buffering.max.kbytes" in line and "check the brokers" not in line
    shop.shipper().once()
