"""The keys that every rule may have against a plain loop, killed anywhere, and cut into batches."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Absence
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import KEY_RULES, behind_gateway, inventory, seconds
from tests.rules.oracle import Oracle, by_subject
from tests.rules.test_evaluate_properties import scattered, timed

PLAN = make_plan(KEY_RULES, behind_gateway())
_ABSENT = {rule.code for rule in KEY_RULES if isinstance(rule.condition, Absence)}
WITHOUT_ABSENCE = make_plan(
    [r for r in KEY_RULES if not _ABSENT & {r.code, *r.unless}], inventory()
)


@given(scattered(), st.data())
@settings(max_examples=60, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    batches: list[tuple[list[Reading], int]], data: st.DataObject
) -> None:
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        assert by_subject(done.transitions) == by_subject(oracle.evaluate(rows, now))
        assert not done.failures
        state = done.state
        if data.draw(st.booleans()):
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []


def run(rows: list[Reading], cuts: set[int], end: int) -> list[Transition]:
    """Deliver the rows in batches that end at these places, then a tick at `end`."""
    state = fresh(WITHOUT_ABSENCE, 0)
    said: list[Transition] = []
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = rows[start:stop]
        done = evaluate(WITHOUT_ABSENCE, Batch.of(part), state, part[-1].time)
        state, said = done.state, said + done.transitions
    return said + evaluate(WITHOUT_ABSENCE, Batch.empty(), state, end).transitions


@given(timed(), st.data(), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(
    rows: list[Reading], data: st.DataObject, rest: int
) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    cuts = data.draw(st.sets(st.integers(0, len(rows)))) if rows else set()
    whole = by_subject(run(rows, set(), end))
    assert whole == by_subject(run(rows, set(range(len(rows))), end))
    assert whole == by_subject(run(rows, cuts, end))
