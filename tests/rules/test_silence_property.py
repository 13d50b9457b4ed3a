"""Silence proves nothing: it clears no alert and keeps no timer going, whatever was heard."""

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import SECOND, Micros
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Cause, Change, Transition
from tests.rules.community import INTERVAL_S, RULES, inventory, seconds
from tests.rules.test_evaluate_properties import timed

PLAN = make_plan(RULES, inventory())
LIMIT = 3 * INTERVAL_S * SECOND


def after(rows: list[Reading], waits: list[int]) -> list[Transition]:
    """What is said after the last of these readings, when nothing more is ever heard."""
    state, now = fresh(PLAN, 0), 0
    for row in rows:
        state, now = evaluate(PLAN, Batch.of([row]), state, row.time).state, row.time
    said: list[Transition] = []
    for wait in waits:
        now += seconds(wait)
        done = evaluate(PLAN, Batch.empty(), state, now)
        state, said = done.state, said + done.transitions
    return said


@given(timed(), st.lists(st.integers(0, 300), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_silence_clears_nothing_and_nothing_still_holds_beyond_it(
    rows: list[Reading], waits: list[int]
) -> None:
    silent_at: dict[int, Micros] = {row.device: row.time + LIMIT for row in rows}
    for t in after(rows, waits):
        known = min(silent_at.get(d, LIMIT) for d in PLAN_DEVICES[t.rule.code, t.subject.id])
        if t.change is Change.CLEARED:
            assert (t.cause, t.at <= known) == (Cause.COUNT_FELL, True)
        elif t.change is Change.FIRED and t.cause is Cause.CONDITION_HELD:
            assert t.at <= known
        else:
            assert t.cause in {Cause.SENSOR_SILENT, Cause.NOTHING_HEARD}


PLAN_DEVICES = {
    (own.rule.code, subject.id): own.devices_of(slot).tolist()
    for own in PLAN.rules
    for slot, subject in enumerate(own.subjects)
}
