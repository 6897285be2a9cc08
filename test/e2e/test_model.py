"""Random transactions over random schemas: folded, the topics are the tables.

A seed that fails prints its number; WAYBILL_TEST_SEED=1234 WAYBILL_TEST_E2E='-k model' scripts/test.sh e2e runs it alone.
(So does a range, 1-2000.)
"""

import collections
import concurrent.futures
import multiprocessing
import os

from pipeline import Pipeline
from rig import postgres
from rig.model import run

SEEDS = 250
WORKERS = 3


def test_topics_folded_are_the_tables_whatever_transactions_do(installation, broker):
    chosen = os.environ.get("WAYBILL_TEST_SEED")
    first, _, last = (chosen or f"1-{SEEDS}").partition("-")
    seeds = range(int(first), int(last or first) + 1)
    # Nothing of its own accord, such as vacuum, may decide in which order a statement meets its rows.
    with postgres.Server(installation, {"autovacuum": "off"}) as server:
        pipeline = Pipeline(server, broker, f"model{os.getpid()}")
        with pipeline.shipper() as shipper:
            target = run.Target(server.conninfo(pipeline.name), broker.bootstrap, pipeline.name)
            # Not forked: the parent has threads.
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(min(WORKERS, len(seeds)), mp_context=context) as pool:
                outcomes = []
                for outcome in pool.map(run.run_seed, seeds, [target] * len(seeds)):
                    outcomes.append(outcome)
                    if outcome.failure and not shipper.running:
                        pool.shutdown(cancel_futures=True)
                        raise AssertionError(f"the shipper ended: {shipper.stderr()[-2000:]}\nseed {outcome.seed}: "
                                             f"{outcome.failure[:5000]}")
    errors = collections.Counter()
    for outcome in outcomes:
        errors.update(outcome.errors)
    issued, committed, shipped, changes = (sum(getattr(outcome, name) for outcome in outcomes)
                                           for name in ("issued", "committed", "in_topics", "changes"))
    print(f"{len(seeds)} seeds, {issued} transactions, {committed} committed, {shipped} with {changes} changes in the topics; "
          f"errors: {dict(errors.most_common())}")
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert not failed, "\n\n".join(f"seed {outcome.seed}: {outcome.failure[:5000]}" for outcome in failed[:5])
    if not chosen:
        assert committed >= 50_000
