"""The whole library over a made-up city in which much is wrong: against the loop of the bench.

Two days in batches of random sizes, killed and restored in between. What is compared was found out
in two ways, by columns and reading by reading (tests.bench_rules.plain).
"""

from collections.abc import Iterator

import numpy as np

from rules.evaluate import advance
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from tests.bench_rules.city import BEGIN, ZONE, inventory
from tests.bench_rules.measure import same, whole_library
from tests.bench_rules.plain import Plain
from tests.bench_rules.stream import MANY, Stream

DEVICES, READINGS, SIZE, RESTARTS = 200, 270_000, 6_000, 0.2
SEED = 20260619

NEVER_SAID = {
    "access.door_held_open_told",
    "device.battery_low_told",
    "device.tamper",
}
WATCHING_NOTHING = {"care.out", "care.not_back", "device.fault", "safety.carbon_monoxide"}
"""The city has no sensors at the doors of homes, and none that say such a thing."""
NEVER_LONG_ENOUGH = {"device.smoke_detector_silent", "device.gas_detector_silent"}


def sizes(chance: np.random.Generator) -> Iterator[int]:
    left = READINGS
    while left > 0:
        size = min(left, 1 + int(chance.exponential(SIZE)))
        yield size
        left -= size


def test_the_library_says_what_a_loop_over_single_readings_says() -> None:
    plan = make_plan(whole_library(), inventory(DEVICES), ZONE)
    state, plain, stream = fresh(plan, BEGIN), Plain(plan, BEGIN), Stream(DEVICES, MANY)
    chance, fired = np.random.default_rng(SEED), set[str]()
    for size in sizes(chance):
        batch = stream.take(size)
        now = int(batch.arrival[-1])
        done = advance(plan, batch, state, now)
        expected = plain.evaluate(batch.rows(), now)
        assert not done.failures
        assert same(done.transitions, expected)
        state = done.state
        fired |= {transition.rule.code for transition in expected}
        if chance.random() < RESTARTS:
            state, withdrawn = restore(dump(state, plan), plan, now)
            assert withdrawn == []
    watching = {own.rule.code for own in plan.rules if len(own.subject_ids)}
    assert {own.rule.code for own in plan.rules} - watching == WATCHING_NOTHING
    assert fired == watching - NEVER_SAID - NEVER_LONG_ENOUGH
