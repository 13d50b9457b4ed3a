"""Large steps, refined where something shows, tell what a tick at every second tells."""

from collections.abc import Sequence
from datetime import UTC
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import SECOND, Micros
from devices.metric import BY_ID
from devices.reading import Batch, Reading
from rules.evaluate import advance
from rules.plan import Plan
from rules.state import fresh
from rules.testing.case import Case
from rules.testing.history import Told, alerts_of
from rules.testing.moment import Scale
from rules.testing.run import play
from rules.testing.said import Said
from rules.testing.scene import Scene
from tests.rules.community import RULES, behind_gateway
from tests.rules.test_evaluate_properties import timed

SCENE = Scene({rule.code: rule for rule in RULES}, behind_gateway(), UTC, frozenset())


def case_of(readings: Sequence[Reading], until: Micros) -> Case:
    """A test in which these come."""
    said = tuple(
        Said(r.time, r.arrival, r.device, BY_ID[r.metric].name, r.value, {}) for r in readings
    )
    return Case(
        name="t",
        source="t.yaml",
        line=1,
        scale=Scale(0, UTC),
        tick=SECOND,
        until=until,
        said=said,
        away=(),
        devices=frozenset(),
        only=frozenset(),
        expected=(),
        checks=(),
    )


def second_by_second(readings: Sequence[Reading], plan: Plan, until: Micros) -> list[Told]:
    """What is told with a tick at every second, and one just before anything comes."""
    state, now, told = fresh(plan, 0), 0, []
    batches = [(at, list(some)) for at, some in groupby(readings, key=lambda r: r.arrival)]
    for arrival, some in [*batches, (until + SECOND + 1, [])]:
        ticks = [*range(now + SECOND, arrival - 1, SECOND), arrival - 1]
        for tick, batch in [*((t, Batch.empty()) for t in ticks), (arrival, Batch.of(some))]:
            if tick > now and (some or tick < arrival):
                done = advance(plan, batch, state, tick)
                told += [Told(t, tick) for t in done.transitions]
                state, now = done.state, tick
    return told


@given(timed(size=10), st.integers(0, 120))
@settings(max_examples=10, deadline=None)
def test_every_alert_and_when_it_is_told(readings: list[Reading], more: int) -> None:
    until = (readings[-1].arrival if readings else 0) + more * SECOND
    played = play(case_of(readings, until), SCENE)
    expected = alerts_of(second_by_second(readings, SCENE.plan, until), until)
    assert played.failures == ()
    assert played.alerts == expected
