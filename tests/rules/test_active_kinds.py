"""Kinds beside thresholds raise at a rule's active times only."""

from datetime import UTC

import pytest

from devices.reading import Batch
from rules.evaluate import evaluate
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Transition
from tests.rules.community import DOOR, OTHER_DOOR, inventory, reading, rule, seconds

ACTIVE = '\n active: {hours: "01:00-02:00"}'
BODIES = {
    "in a row": "watch: {metric: access_denied}\n in_a_row: 2\n when: access_denied == 1\n"
    " clear_after: 1m",
    "correlation": "watch: {metric: access_denied}\n devices: 2\n within: 1m\n"
    " when: access_denied == 1\n per: building",
    "sequence": "first: {metric: access_denied}\n then: {metric: access_denied}\n within: 1m\n"
    " same: device",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_only_what_happens_in_active_hours_raises(body: str) -> None:
    for active, begin, raised in (("", 100, True), (ACTIVE, 100, False), (ACTIVE, 3_700, True)):
        plan = make_plan([rule("x", body + active)], inventory(), UTC)
        times = [(begin, DOOR), (begin + 5, OTHER_DOOR), (begin + 10, DOOR)]
        rows = [reading(time, door, "access_denied", 1) for time, door in times]
        state = fresh(plan, seconds(begin - 10))
        said = evaluate(plan, Batch.of(rows), state, seconds(begin + 11)).transitions
        assert (len(said) > 0) is raised


def test_a_replaced_card_outside_active_hours_hides_no_earlier_use_in_them() -> None:
    """Which is heard after it."""
    body = 'watch: {metric: access_denied}\n replaced: 7d\n active: {hours: "01:00-02:00"}'
    plan = make_plan([rule("x", body)], inventory(), UTC)
    state, said = fresh(plan, 0), list[Transition]()
    for time, issue in ((3_700, 2), (7_300, 1), (3_800, 1)):
        row = reading(time, DOOR, "access_denied", 1)._replace(token=7, issue=issue)
        done = evaluate(plan, Batch.of([row]), state, seconds(7_300))
        state, said = done.state, said + done.transitions
    assert [t.at for t in said] == [seconds(3_800)]
