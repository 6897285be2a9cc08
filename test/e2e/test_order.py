"""Commit order and completeness: eight writers over hot rows, first in peace, then with everything failing around them."""

import random
import time

from pipeline import Pipeline
from rig.workload import TABLES, Workload

TRANSACTIONS = 60_000  # that commit; some more are rolled back


def prepare(pipeline: Pipeline, workload: Workload) -> None:
    workload.prepare()
    pipeline.capture(*TABLES)
    workload.populate()


def test_everything_arrives_once_and_in_commit_order(pipeline):
    with Workload(pipeline.server, pipeline.name) as workload, pipeline.shipper() as shipper:
        prepare(pipeline, workload)
        workload.start(int(TRANSACTIONS * 1.1))
        workload.wait()
        assert workload.tend(TRANSACTIONS), f"only {workload.committed()} transactions committed"
        pipeline.wait_until_shipped(120)
        assert shipper.stop() == 0
    report = pipeline.check(*TABLES, ledger=True)
    print(report)
    assert report.transactions > TRANSACTIONS
    assert report.replayed == 0, "nothing failed, so nothing is sent twice"


def let_pass(seconds: float) -> None:
    """The disturber's random moments. Nothing is waited for here: when it strikes is meant to be arbitrary."""
    time.sleep(seconds)


def test_nothing_is_lost_when_everything_fails(own_server, own_broker):
    seed = random.SystemRandom().randrange(2**31)
    print(f"random.Random({seed})")
    dice = random.Random(seed)
    pipeline = Pipeline(own_server, own_broker, "storm")
    shipper = pipeline.shipper()
    kills = 20
    # What strikes after which kill. Kafka is away during the kills in between.
    strikes = {5: own_server.crash, 9: own_broker.stop, 16: own_server.crash}
    kafka_returns_at = None

    with Workload(own_server, pipeline.name) as workload:
        prepare(pipeline, workload)
        workload.start(TRANSACTIONS)
        for kill in range(1, kills + 1):
            if not shipper.running:
                shipper.start()
            let_pass(dice.uniform(0.02, 3))
            shipper.kill()
            strike = strikes.get(kill)
            if strike is not None:
                # The shipper sees it happen, and the writers are in the middle of their transactions.
                shipper.start()
                let_pass(dice.uniform(0.2, 1))
                strike()
            if strike == own_server.crash:
                own_server.start()
                workload.tend(TRANSACTIONS)
            elif strike == own_broker.stop:
                kafka_returns_at = time.monotonic() + 20
                let_pass(dice.uniform(0.5, 5))
            if kafka_returns_at is not None and (kill == 14 or time.monotonic() > kafka_returns_at):
                let_pass(max(0.0, kafka_returns_at - time.monotonic()))
                own_broker.start()
                kafka_returns_at = None
            if shipper.running:
                shipper.kill()
        while not workload.tend(TRANSACTIONS):
            if not shipper.running:
                shipper.start()
            workload.wait()
        if not shipper.running:
            shipper.start()
        pipeline.wait_until_shipped(180)
        assert shipper.stop() == 0
    report = pipeline.check(*TABLES, ledger=True)
    print(report)
    assert report.transactions > TRANSACTIONS
    assert report.replays > 0, "no kill hit the shipper between sending and acknowledging: this proved nothing"
    pipeline.close()
