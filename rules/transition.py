"""What the evaluator says: a rule became true, or false, or unknown, at a subject."""

from dataclasses import dataclass, field
from enum import StrEnum

from devices.instant import Micros
from rules.model import Rule, Severity, SubjectKind


class Change(StrEnum):
    """The kinds of transition."""

    FIRED = "fired"
    CLEARED = "cleared"
    WENT_SILENT = "went_silent"
    HEARD_AGAIN = "heard_again"
    GRADED = "graded"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """Why; stored with the alert and shown to people."""

    CONDITION_HELD = "condition_held"
    OCCURRED = "occurred"
    NOTHING_HEARD = "nothing_heard"
    NOT_FOLLOWED = "not_followed"
    UNANSWERED = "unanswered"
    COUNT_REACHED = "count_reached"
    SENSOR_SILENT = "sensor_silent"
    VALUE_CHANGED = "value_changed"
    CONDITION_ENDED = "condition_ended"
    HEARD = "heard"
    COUNT_FELL = "count_fell"
    RULE_CHANGED = "rule_changed"
    RULE_REMOVED = "rule_removed"
    SUBJECT_REMOVED = "subject_removed"

    @property
    def momentary(self) -> bool:
        """Whether what fires for it is over as soon as it is told.

        Each is news, also of an alert that stands, and only a person ends it.
        """
        return self in {Cause.OCCURRED, Cause.UNANSWERED}


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about: `id` is a device's, household's or area's, by `kind`."""

    kind: SubjectKind
    id: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of one rule at one subject.

    since: when the span began (with rule and subject: the alert's identity) · at: when the change
    took effect; both µs since epoch, UTC, and computed from the readings, so that the same readings
    give the same numbers again after a crash · devices: ids whose readings caused it · value: the
    last value seen, in the metric's unit (a count for windows), None where nothing was heard
    severity: the colour from then on, or at the end · was: of GRADED, the colour before; it follows
    from the transitions before this one, so it makes no other transition of it.
    """

    rule: Rule
    subject: Subject
    change: Change
    cause: Cause
    since: Micros
    at: Micros
    devices: tuple[int, ...]
    value: float | None
    severity: Severity
    was: Severity | None = field(default=None, compare=False)
