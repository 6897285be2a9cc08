"""A delivery that failed is never success: no change is acknowledged that the broker does not hold. With a real Kafka."""

import pytest

BIG = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 5000))"


@pytest.fixture
def table(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, text text)")
    pipeline.capture("t")
    return pipeline


def held(pipeline) -> set[int]:
    return {event["after"]["id"] for event in pipeline.events("public.t")}


def test_a_message_too_large_for_the_topic_stops_the_stream_until_it_fits(table):
    table.broker.create_topic(table.topic("public.t"), configuration={"max.message.bytes": "20000"})
    table.execute("INSERT INTO t VALUES (1, 'small')")
    with table.shipper() as shipper:
        table.wait_until_shipped()
        before = table.acknowledged()
        table.execute(f"INSERT INTO t VALUES (2, {BIG})", "INSERT INTO t VALUES (3, 'behind')")
        assert shipper.wait(60) == 1
        last = shipper.stderr().strip().splitlines()[-1].lower()
        assert table.topic("public.t") in last and "max.message.bytes" in last, last
    assert table.acknowledged() == before
    assert held(table) == {1}
    table.broker.configure_topic(table.topic("public.t"), {"max.message.bytes": "2000000"})
    table.shipper().once()
    assert table.check("public.t").changes == 3


def test_nothing_overtakes_a_message_that_is_refused_first(table):
    # The broker knows nothing yet of a producer whose first batch it refuses: it would take a later one from it.
    table.broker.create_topic(table.topic("public.t"), configuration={"max.message.bytes": "20000"})
    table.execute(f"INSERT INTO t VALUES (0, {BIG})",
                  "DO $$ BEGIN FOR i IN 1 .. 3000 LOOP INSERT INTO t VALUES (i, 'x'); COMMIT; END LOOP; END $$")
    with table.shipper(kafka={"batch.size": 15000}) as shipper:
        assert shipper.wait(60) == 1
    assert table.acknowledged() == 0 and len(table.records("public.t")) == 0


def test_a_record_that_the_topic_refuses_stops_the_stream(pipeline):
    pipeline.execute("CREATE TABLE t (n int)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1), (2)")
    topic = pipeline.topic("public.t")
    # What is compacted by key needs keys.
    pipeline.broker.create_topic(topic, configuration={"cleanup.policy": "compact"})
    with pipeline.shipper() as shipper:
        assert shipper.wait(60) == 1
        last = shipper.stderr().strip().splitlines()[-1]
        assert topic in last and "compacted" in last, last
    assert pipeline.acknowledged() == 0 and pipeline.records("public.t") == []
    pipeline.broker.configure_topic(topic, {"cleanup.policy": "delete"})
    pipeline.shipper().once()
    assert pipeline.check("public.t").changes == 2


def test_a_topic_that_is_not_there_is_not_success(table):
    table.execute("INSERT INTO t VALUES (1, 'x')")
    with table.shipper(topics={"create": False}) as shipper:
        assert shipper.wait(60) == 1
    assert table.acknowledged() == 0
    table.broker.create_topic(table.topic("public.t"))
    with table.shipper(topics={"create": False}):
        table.wait_until_shipped()
    assert held(table) == {1}
