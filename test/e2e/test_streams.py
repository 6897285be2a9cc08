"""Several shippers: streams of their own, and a standby on the same one."""

from rig.processes import wait_until


def test_each_stream_gets_its_tables_and_the_log_waits_for_the_slowest(pipeline):
    pipeline.execute("CREATE TABLE a (id int PRIMARY KEY, version int)", "CREATE TABLE b (id int PRIMARY KEY, version int)",
                     "SELECT waybill.create_stream('only_a', ARRAY['public.a'])")
    pipeline.capture("a", "b")
    pipeline.execute("INSERT INTO a SELECT i, 1 FROM generate_series(1, 100) i",
                     "INSERT INTO b SELECT i, 1 FROM generate_series(1, 100) i",
                     "BEGIN; UPDATE a SET version = 2; UPDATE b SET version = 2; COMMIT")
    first = pipeline.shipper()
    second = pipeline.shipper(stream={"name": "only_a", "prefix": f"{pipeline.name}a"})
    with first:
        pipeline.wait_until_shipped()
        pipeline.check("public.a", "public.b")
        assert pipeline.acknowledged("only_a") == 0
        assert pipeline.value("SELECT count(*) FROM waybill.changes") == 400, "the other stream needs the log"
        with second:
            pipeline.wait_until_shipped(stream="only_a")
            wait_until(lambda: pipeline.log_rows() == 0, 30, "the log is emptied when both are done", 0.1)
            assert second.stop() == 0
        assert first.stop() == 0
    topics = pipeline.broker.topics()
    assert f"{pipeline.name}a.public.a" in topics and f"{pipeline.name}a.public.b" not in topics


def test_the_standby_takes_over_when_the_active_shipper_dies(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, version int)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t SELECT i, 1 FROM generate_series(1, 1000) i")
    active, standby = pipeline.shipper(), pipeline.shipper()
    with active:
        pipeline.wait_until_shipped()
        with standby:
            standby.wait_for_line("waiting to take over")
            pipeline.execute("UPDATE t SET version = 2")
            pipeline.wait_until_shipped()
            assert active.running and standby.running
            active.kill()
            pipeline.execute("UPDATE t SET version = 3")
            pipeline.wait_until_shipped()
            assert standby.running
    assert pipeline.check("public.t").changes == 3000
