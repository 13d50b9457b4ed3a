"""A rule as a value: what it watches, when it is true, when it clears, what silence means.

`rules.loader` makes these from YAML; `rules.plan` binds them to the devices of an inventory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

from devices.instant import Micros
from rules.expression import Expression


class Severity(StrEnum):
    """The four national warning colours, the gravest first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


class NoData(StrEnum):
    """What a rule does when its sensor falls silent. Nothing here ever clears an alert."""

    HOLD = "hold"
    ALERT = "alert"


class SubjectKind(StrEnum):
    """What an alert is about: one device, one household, or one area."""

    DEVICE = "device"
    HOUSEHOLD = "household"
    AREA = "area"


@dataclass(frozen=True, slots=True)
class Watch:
    """Which readings a rule looks at: these metrics, of the devices that pass every given filter.

    metrics: names, the one that it is mostly about first; one for most kinds of rule, several where
    they are judged together, none for rules about other rules · care: only households with (True)
    or without (False) care · kinds: device kinds · areas: codes of areas, each with all below it
    devices: device codes. Empty or None: no restriction.
    """

    metrics: tuple[str, ...]
    care: bool | None = None
    kinds: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()

    @property
    def metric(self) -> str:
        """The first of the metrics; '' where there is none."""
        return self.metrics[0] if self.metrics else ""


@dataclass(frozen=True, slots=True)
class Per:
    """Whose readings are judged together. `area_kind` is set only for areas, e.g. 'building'."""

    subject: SubjectKind
    area_kind: str = ""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a derived number is judged: true while `when` holds for `lasting` µs, without a break.

    Cleared when `clear` (None: `when` no longer) has held for `keep` µs, without a break.
    """

    when: Expression
    clear: Expression | None
    lasting: Micros
    keep: Micros = 0


@dataclass(frozen=True, slots=True)
class Threshold:
    """True while `when` holds without a break for `lasting` µs; cleared when `clear` holds.

    `clear` None means: when `when` no longer holds. On a momentary metric each reading for which
    `when` holds is an occurrence of its own and nothing clears it but a person.
    """

    when: Expression
    clear: Expression | None
    lasting: Micros
    states_metrics: ClassVar[bool] = False

    @property
    def per(self) -> Per:
        """Each device by itself."""
        return Per(SubjectKind.DEVICE)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.when, self.clear)


@dataclass(frozen=True, slots=True)
class Absence:
    """True when no reading for which `when` holds (any, if None) came for `lasting` µs.

    With a `when`, a sensor that is silent altogether is unknown, not absent. intervals: where it is
    not 0, it is so many of each device's own intervals instead, and `lasting` is 0.
    """

    when: Expression | None
    lasting: Micros
    per: Per
    intervals: int = 0
    states_metrics: ClassVar[bool] = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.when)


@dataclass(frozen=True, slots=True)
class CountInWindow:
    """True when `count` readings for which `when` holds (any, if None) lie within `within` µs."""

    count: int
    within: Micros
    when: Expression | None
    per: Per
    states_metrics: ClassVar[bool] = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.when)


@dataclass(frozen=True, slots=True)
class Score:
    """NEWS2 of a household, judged: over `total` and `single`, the largest score of one parameter.

    valid: µs for which a parameter counts after its reading · assume: of 'air' and 'alert', what
    holds where nothing else was ever heard. Without a parameter that counts there is no total.
    """

    judging: Judging
    valid: Micros
    assume: frozenset[str]
    states_metrics: ClassVar[bool] = True
    may_use: ClassVar[frozenset[str]] = frozenset({"spo2_scale"})
    """Attributes that it uses of the devices that have them."""

    @property
    def per(self) -> Per:
        """What is worn and what stands at home tell of one person."""
        return Per(SubjectKind.HOUSEHOLD)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.judging.when, self.judging.clear)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many devices are in the state `where` by their last word, judged.

    Over `number`, `total` (those whose word is known) and `share` = number / total. known: the
    least share of all devices whose word must be known; the number is unknown below it.
    """

    where: Expression
    judging: Judging
    per: Per
    known: float
    states_metrics: ClassVar[bool] = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.where, self.judging.when, self.judging.clear)

    @property
    def told(self) -> str:
        """The name of the number that is told to people."""
        names = self.judging.when.metrics
        return next((name for name in ("share", "number", "total") if name in names), "share")


@dataclass(frozen=True, slots=True)
class InARow:
    """True at the `count`th reading for which `when` holds with no reset between them.

    A reading of `reset_metric` resets, or of the watched one where that is ''; only those for which
    `reset` holds, if it is given. With neither, a reading for which `when` does not hold resets.
    clear_after: so long after the last of them the alert ends too, µs; 0: it does not.
    """

    count: int
    when: Expression
    reset: Expression | None
    reset_metric: str
    clear_after: Micros
    per: Per
    states_metrics: ClassVar[bool] = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.when, self.reset)


@dataclass(frozen=True, slots=True)
class Correlation:
    """True when readings of `devices` different devices for which `when` holds lie within `within`.

    within: µs.
    """

    devices: int
    within: Micros
    when: Expression
    per: Per
    states_metrics: ClassVar[bool] = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.when)


def _given(*expressions: Expression | None) -> tuple[Expression, ...]:
    return tuple(e for e in expressions if e is not None)


Condition: TypeAlias = (
    Threshold | Absence | CountInWindow | Score | Occupancy | InARow | Correlation
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `title` maps 'zh' and 'en' to text; `text` is its YAML as written at source:line.

    fingerprint: changes when the meaning may have changed, so that old state is not reused.
    basis: where its threshold comes from · tuning: what to change when it is too loud or too late,
    and what that costs; both by language, empty where nothing is said.
    """

    code: str
    category: str
    watch: Watch
    condition: Condition
    severity: Severity
    no_data: NoData
    unless_away: bool
    title: Mapping[str, str]
    advice: Mapping[str, str]
    fingerprint: str
    source: str
    line: int
    text: str
    basis: Mapping[str, str] = field(default_factory=dict)
    tuning: Mapping[str, str] = field(default_factory=dict)
