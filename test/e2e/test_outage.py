"""What the log says when the broker or the server goes away and comes back: a line for each, and nothing in between."""

import json

from pipeline import Pipeline
from rig.shipper import Shipper

INTERRUPTED, GOES_ON = "shipping is interrupted", "shipping goes on"


def prepared(pipeline: Pipeline) -> tuple[Pipeline, Shipper]:
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (0)")
    return pipeline, pipeline.shipper(log={"format": "json"})


def lines(shipper: Shipper) -> list[dict]:
    return [json.loads(line) for line in shipper.stderr().splitlines()]


def outage_lines(shipper: Shipper) -> list[dict]:
    """Those that are neither what a shipper at work has to say, nor the server's last words."""
    usual = {"waybill-shipper started", "shipping", "created topic", "shipped", "ended on request"}
    return [line for line in lines(shipper)
            if line["message"] not in usual and not line["message"].startswith("PostgreSQL: terminating connection")]


def test_a_broker_that_is_killed_and_comes_back(server, own_broker):
    pipeline, shipper = prepared(Pipeline(server, own_broker, "broker_outage"))
    with shipper:
        pipeline.wait_until_shipped()
        own_broker.kill()
        pipeline.execute("INSERT INTO t SELECT generate_series(1, 10)", "INSERT INTO t SELECT generate_series(11, 20)")
        shipper.wait_for_line(INTERRUPTED)
        own_broker.start()
        shipper.wait_for_line(GOES_ON, 60)
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
        begin, end = outage_lines(shipper)
        shipped = sum(line["changes"] for line in lines(shipper) if line["message"] == "shipped")
    assert begin["level"] == "warning" and own_broker.bootstrap in begin["message"]
    assert begin["backlog_changes"] == 20 and 0 <= begin["oldest_change_age_s"] < 60
    assert end["level"] == "info" and end["message"] == GOES_ON and 0 <= end["interrupted_s"] < 120
    assert shipped == 21
    assert pipeline.check("public.t").changes == 21
    pipeline.close()


def test_a_broker_that_is_away_at_the_start(server, own_broker):
    pipeline, shipper = prepared(Pipeline(server, own_broker, "broker_absent"))
    own_broker.kill()
    with shipper:
        shipper.wait_for_line(INTERRUPTED)
        own_broker.start()
        shipper.wait_for_line(GOES_ON, 60)
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
        begin, _ = outage_lines(shipper)
    assert begin["backlog_changes"] == 1 and own_broker.bootstrap in begin["message"]
    pipeline.close()


def test_a_server_that_crashes_and_comes_back(own_server, broker):
    pipeline, shipper = prepared(Pipeline(own_server, broker, "server_outage"))
    with shipper:
        pipeline.wait_until_shipped()
        own_server.crash()
        shipper.wait_for_line(INTERRUPTED)
        own_server.start()
        shipper.wait_for_line(GOES_ON, 60)
        pipeline.execute("INSERT INTO t VALUES (1)")
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
        begin, end = outage_lines(shipper)
    assert begin["level"] == "warning" and "PostgreSQL" in begin["message"]
    assert end["message"] == GOES_ON
    assert pipeline.check("public.t").changes == 2
    pipeline.close()


def test_an_extension_that_is_dropped_under_a_shipper_is_named(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (0)")
    with pipeline.shipper() as shipper:
        pipeline.wait_until_shipped()
        pipeline.execute("DROP EXTENSION waybill CASCADE")
        assert shipper.wait() == 1
        assert "extension waybill is missing in database" in shipper.stderr().splitlines()[-1]


def test_an_extension_that_is_made_anew_under_a_shipper_is_shipped_from(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (0)")
    with pipeline.shipper() as shipper:
        pipeline.wait_until_shipped()
        pipeline.execute("BEGIN; DROP EXTENSION waybill CASCADE; DROP SCHEMA waybill; CREATE EXTENSION waybill; "
                         "SELECT waybill.grant_shipper('shipper'); SELECT waybill.enable_capture('t'); COMMIT", "INSERT INTO t VALUES (1)")
        pipeline.wait_until_shipped()
        assert shipper.stop() == 0
    assert [record.key for record in pipeline.records("public.t")] == [b'{"id":0}', b'{"id":1}']
