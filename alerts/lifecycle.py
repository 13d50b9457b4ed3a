"""What becomes of an alert: every decision with the reason that is stored and shown. Pure.

A sensor may end an alert and never reopens one; a person's word stands until a person changes it;
silence is noted and ends nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from alerts.model import AlertState, Outcome
from rules.model import Severity


class Reason(StrEnum):
    """Why an alert is now as it is; the kind of its line in the history where it changed."""

    OPENED = "opened"
    FIRED_AGAIN = "fired_again"
    REPEATED = "repeated"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    WENT_SILENT = "went_silent"
    HEARD_AGAIN = "heard_again"
    SEVERITY_CHANGED = "severity_changed"
    NOTHING_STANDING = "nothing_standing"
    ALREADY_SILENT = "already_silent"
    NOT_SILENT = "not_silent"
    SAME_SEVERITY = "same_severity"
    ACKNOWLEDGED = "acknowledged"
    ALREADY_YOURS = "already_yours"
    TAKEN_BY_ANOTHER = "taken_by_another"
    STAYS_CLEARED = "stays_cleared"
    STAYS_CLOSED = "stays_closed"
    CLOSED = "closed"
    ALREADY_CLOSED = "already_closed"
    NOTE_NEEDED = "note_needed"


@dataclass(frozen=True, slots=True)
class Decision:
    """The state from now on (None: there is no alert), why, and whether anything is written."""

    state: AlertState | None
    reason: Reason
    changed: bool


def on_fired(standing: AlertState | None, *, known: bool) -> Decision:
    """A span began. standing: the state of the alert that stands for this rule and subject.

    known: this very span (rule, subject, since) was told before, whatever became of its alert.
    """
    if known:
        return _stays(standing, Reason.REPEATED)
    if standing is None:
        return Decision(AlertState.OPEN, Reason.OPENED, changed=True)
    return Decision(standing, Reason.FIRED_AGAIN, changed=True)


def on_cleared(state: AlertState | None) -> Decision:
    """The sensor says it is over; state: of the alert of that span, None where there is none."""
    return _ended(state, AlertState.CLEARED, Reason.CLEARED)


def on_withdrawn(state: AlertState | None) -> Decision:
    """The rule or its subject is no more: nothing will ever clear the alert, so it is closed."""
    return _ended(state, AlertState.CLOSED, Reason.WITHDRAWN)


def on_silent(state: AlertState | None, *, silent: bool) -> Decision:
    """The sensor is no longer heard. The alert stands: what it last said is now unknown."""
    if state is None or not state.standing:
        return _stays(state, Reason.NOTHING_STANDING)
    if silent:
        return _stays(state, Reason.ALREADY_SILENT)
    return Decision(state, Reason.WENT_SILENT, changed=True)


def on_heard(state: AlertState | None, *, silent: bool) -> Decision:
    """The sensor is heard again. Whether the alert is over is for a CLEARED to say."""
    if state is None or not state.standing:
        return _stays(state, Reason.NOTHING_STANDING)
    if not silent:
        return _stays(state, Reason.NOT_SILENT)
    return Decision(state, Reason.HEARD_AGAIN, changed=True)


def on_graded(state: AlertState | None, before: Severity | None, now: Severity) -> Decision:
    """The sensor says how grave it is from now on. before: the alert's colour until then."""
    if state is None or not state.standing:
        return _stays(state, Reason.NOTHING_STANDING)
    if before is now:
        return _stays(state, Reason.SAME_SEVERITY)
    return Decision(state, Reason.SEVERITY_CHANGED, changed=True)


def acknowledge(state: AlertState, *, by: int, holder: int | None) -> Decision:
    """Member `by` takes the alert; `holder` has it already. An ended alert stays ended."""
    match state:
        case AlertState.OPEN:
            return Decision(AlertState.ACKNOWLEDGED, Reason.ACKNOWLEDGED, changed=True)
        case AlertState.ACKNOWLEDGED:
            yours = by == holder
            return _stays(state, Reason.ALREADY_YOURS if yours else Reason.TAKEN_BY_ANOTHER)
        case AlertState.CLEARED:
            return _stays(state, Reason.STAYS_CLEARED)
        case AlertState.CLOSED:
            return _stays(state, Reason.STAYS_CLOSED)


def close(state: AlertState, outcome: Outcome, note: str | None) -> Decision:
    """A person says what was found. A false alarm needs a note: it is how rules get better."""
    if state is AlertState.CLOSED:
        return _stays(state, Reason.ALREADY_CLOSED)
    if outcome is Outcome.FALSE_ALARM and not (note or "").strip():
        return _stays(state, Reason.NOTE_NEEDED)
    return Decision(AlertState.CLOSED, Reason.CLOSED, changed=True)


def _ended(state: AlertState | None, end: AlertState, reason: Reason) -> Decision:
    if state is None or not state.standing:
        return _stays(state, Reason.NOTHING_STANDING)
    return Decision(end, reason, changed=True)


def _stays(state: AlertState | None, reason: Reason) -> Decision:
    return Decision(state, reason, changed=False)
