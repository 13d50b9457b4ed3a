"""A rule as a value: what it watches, when it is true, when it clears, what silence means.

`rules.loader` makes these from YAML; `rules.plan` binds them to the devices of an inventory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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

    With a `when`, a sensor that is silent altogether is unknown, not absent.
    """

    when: Expression | None
    lasting: Micros
    per: Per
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


class Measure(StrEnum):
    """What readings of a window come to: one number. What each means is told in docs/rules.md."""

    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    RISE = "rise"
    RATE = "rate"
    DISTINCT = "distinct"
    ACTIVE_SHARE = "active_share"


@dataclass(frozen=True, slots=True)
class MeasureInWindow:
    """A measure of the readings for which `where` holds (all, if None) in the last `within` µs.

    It is judged at the end of each `step`, µs, of which `within` is a multiple.
    """

    measure: Measure
    within: Micros
    step: Micros
    where: Expression | None
    judging: Judging
    per: Per
    states_metrics: ClassVar[bool] = False

    @property
    def reach(self) -> Micros:
        """How far apart, µs, two readings of a counter may be to tell of growth."""
        return self.within

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.judging.when, self.judging.clear, self.where)


class Season(StrEnum):
    """After what time the same is expected again."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Baseline:
    """How far a measure of each `step`, µs, lies from what it usually is at that time.

    where: as in `MeasureInWindow` · values: how many earlier values of the same hour (of the day or
    the week) are looked at · least: with fewer nothing is said · spread: the least that is taken
    for usual, in the metric's unit.
    """

    measure: Measure
    step: Micros
    season: Season
    values: int
    least: int
    spread: float
    where: Expression | None
    judging: Judging
    per: Per
    states_metrics: ClassVar[bool] = False

    @property
    def within(self) -> Micros:
        """The window of the measure, µs: one step."""
        return self.step

    @property
    def reach(self) -> Micros:
        """How far apart, µs, two readings of a counter may be to tell of growth."""
        return 2 * self.step

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.judging.when, self.judging.clear, self.where)


@dataclass(frozen=True, slots=True)
class RiskIndex:
    """What the open alerts of an area weigh together, by colour, and how that rises.

    categories: of the rules that count; all if empty · over, trend: µs, whole hours, over which the
    mean is taken, and the weight of the distance from it; 0 without a trend.
    """

    weights: tuple[tuple[Severity, float], ...]
    categories: tuple[str, ...]
    over: Micros
    trend: float
    judging: Judging
    per: Per
    states_metrics: ClassVar[bool] = True

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.judging.when, self.judging.clear)


def _given(*expressions: Expression | None) -> tuple[Expression, ...]:
    return tuple(e for e in expressions if e is not None)


Condition: TypeAlias = Threshold | Absence | CountInWindow | MeasureInWindow | Baseline | RiskIndex


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `title` maps 'zh' and 'en' to text; `text` is its YAML as written at source:line.

    fingerprint: changes when the meaning may have changed, so that old state is not reused.
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
