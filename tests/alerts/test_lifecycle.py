"""Every decision about an alert, as a table: what was, what came, what is now, and why."""

import pytest

from alerts.lifecycle import (
    Decision,
    Reason,
    acknowledge,
    close,
    on_cleared,
    on_fired,
    on_heard,
    on_silent,
    on_withdrawn,
)
from alerts.model import AlertState, Outcome

OPEN, TAKEN = AlertState.OPEN, AlertState.ACKNOWLEDGED
CLEARED, CLOSED = AlertState.CLEARED, AlertState.CLOSED


def changed(state: AlertState, reason: Reason) -> Decision:
    return Decision(state, reason, changed=True)


def stays(state: AlertState | None, reason: Reason) -> Decision:
    return Decision(state, reason, changed=False)


@pytest.mark.parametrize(
    ("standing", "known", "expected"),
    [
        (None, False, changed(OPEN, Reason.OPENED)),
        (OPEN, False, changed(OPEN, Reason.FIRED_AGAIN)),
        (TAKEN, False, changed(TAKEN, Reason.FIRED_AGAIN)),
        (None, True, stays(None, Reason.REPEATED)),
        (OPEN, True, stays(OPEN, Reason.REPEATED)),
        (TAKEN, True, stays(TAKEN, Reason.REPEATED)),
    ],
)
def test_fired(standing: AlertState | None, known: bool, expected: Decision) -> None:
    assert on_fired(standing, known=known) == expected


@pytest.mark.parametrize(
    ("state", "cleared", "withdrawn"),
    [
        (OPEN, changed(CLEARED, Reason.CLEARED), changed(CLOSED, Reason.WITHDRAWN)),
        (TAKEN, changed(CLEARED, Reason.CLEARED), changed(CLOSED, Reason.WITHDRAWN)),
        (CLEARED, *[stays(CLEARED, Reason.NOTHING_STANDING)] * 2),
        (CLOSED, *[stays(CLOSED, Reason.NOTHING_STANDING)] * 2),
        (None, *[stays(None, Reason.NOTHING_STANDING)] * 2),
    ],
)
def test_ended_by_the_sensor(
    state: AlertState | None, cleared: Decision, withdrawn: Decision
) -> None:
    assert on_cleared(state) == cleared
    assert on_withdrawn(state) == withdrawn


@pytest.mark.parametrize(
    ("state", "silent", "went_silent", "heard_again"),
    [
        (OPEN, False, changed(OPEN, Reason.WENT_SILENT), stays(OPEN, Reason.NOT_SILENT)),
        (OPEN, True, stays(OPEN, Reason.ALREADY_SILENT), changed(OPEN, Reason.HEARD_AGAIN)),
        (TAKEN, False, changed(TAKEN, Reason.WENT_SILENT), stays(TAKEN, Reason.NOT_SILENT)),
        (TAKEN, True, stays(TAKEN, Reason.ALREADY_SILENT), changed(TAKEN, Reason.HEARD_AGAIN)),
        (CLEARED, False, *[stays(CLEARED, Reason.NOTHING_STANDING)] * 2),
        (CLOSED, True, *[stays(CLOSED, Reason.NOTHING_STANDING)] * 2),
        (None, False, *[stays(None, Reason.NOTHING_STANDING)] * 2),
    ],
)
def test_silence_is_noted_and_ends_nothing(
    state: AlertState | None, silent: bool, went_silent: Decision, heard_again: Decision
) -> None:
    assert on_silent(state, silent=silent) == went_silent
    assert on_heard(state, silent=silent) == heard_again


@pytest.mark.parametrize(
    ("state", "holder", "expected"),
    [
        (OPEN, None, changed(TAKEN, Reason.ACKNOWLEDGED)),
        (TAKEN, 1, stays(TAKEN, Reason.ALREADY_YOURS)),
        (TAKEN, 2, stays(TAKEN, Reason.TAKEN_BY_ANOTHER)),
        (CLEARED, None, stays(CLEARED, Reason.STAYS_CLEARED)),
        (CLEARED, 1, stays(CLEARED, Reason.STAYS_CLEARED)),
        (CLOSED, None, stays(CLOSED, Reason.STAYS_CLOSED)),
    ],
)
def test_acknowledged(state: AlertState, holder: int | None, expected: Decision) -> None:
    assert acknowledge(state, by=1, holder=holder) == expected


@pytest.mark.parametrize("state", [OPEN, TAKEN, CLEARED])
@pytest.mark.parametrize("outcome", [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.HANDED_OVER])
def test_closed_without_a_note(state: AlertState, outcome: Outcome) -> None:
    assert close(state, outcome, None) == changed(CLOSED, Reason.CLOSED)


@pytest.mark.parametrize(
    ("state", "note", "expected"),
    [
        (OPEN, "toast", changed(CLOSED, Reason.CLOSED)),
        (CLEARED, "toast", changed(CLOSED, Reason.CLOSED)),
        (OPEN, None, stays(OPEN, Reason.NOTE_NEEDED)),
        (OPEN, "  ", stays(OPEN, Reason.NOTE_NEEDED)),
        (CLOSED, "toast", stays(CLOSED, Reason.ALREADY_CLOSED)),
    ],
)
def test_a_false_alarm_needs_to_say_why(
    state: AlertState, note: str | None, expected: Decision
) -> None:
    assert close(state, Outcome.FALSE_ALARM, note) == expected
