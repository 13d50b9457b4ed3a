"""A rule as a value: what it watches, when it is true, when it clears, what silence means.

`rules.loader` makes these from YAML; `rules.plan` binds them to the devices of an inventory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

from devices.instant import Micros
from rules.calendar import Active
from rules.expression import Expression

SPO2_SCALE = "spo2_scale"
"""The attribute by which a device says on which scale of NEWS2 its person's SpO2 is scored."""


class Severity(StrEnum):
    """The four national warning colours, the gravest first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


GRAVEST_FIRST = tuple(Severity)
"""The colours by gravity: the place of each here is its rank, 0 for red."""


class NoData(StrEnum):
    """What a rule does when its sensor falls silent. Silence itself never clears an alert.

    CLEAR: an alert does not outlive the silence: the first reading after it ends the alert, unless
    `when` holds for that reading.
    """

    HOLD = "hold"
    ALERT = "alert"
    CLEAR = "clear"


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
    """Whose readings are judged together. `area_kind` is set only for areas, e.g. 'building'.

    attribute: of devices only; those of one area that have the same number in it are one subject,
    which goes by the first of them.
    """

    subject: SubjectKind
    area_kind: str = ""
    attribute: str = ""


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

    `clear` None means: when `when` no longer holds. keep: for how long, µs, that must have been so
    without a break. On a momentary metric each reading for which
    `when` holds is an occurrence of its own and nothing clears it but a person.
    """

    when: Expression
    clear: Expression | None
    lasting: Micros
    keep: Micros = 0
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


class Same(StrEnum):
    """What two readings must have in common to be of one sequence."""

    DEVICE = "device"
    HOUSEHOLD = "household"
    DOOR = "door"
    CREDENTIAL = "credential"
    PLATE = "plate"

    @property
    def named(self) -> bool:
        """Whether it is whom the events name; that is known within a community."""
        return self in {Same.CREDENTIAL, Same.PLATE}

    @property
    def per(self) -> Per:
        """Whose readings are judged together for that."""
        if self.named:
            return Per(SubjectKind.AREA, "community")
        if self is Same.HOUSEHOLD:
            return Per(SubjectKind.HOUSEHOLD)
        return Per(SubjectKind.DEVICE, attribute="door" if self is Same.DOOR else "")


@dataclass(frozen=True, slots=True)
class Part:
    """Readings with one part in a sequence: of this metric, where `where` holds (any, if None)."""

    metric: str
    where: Expression | None


@dataclass(frozen=True, slots=True)
class Succession:
    """True at each `then` that comes at most `within` µs after a `first`.

    elsewhere: only where the two are of different devices · speed: only where the way from one
    device to the other, straight between their attributes x and y (m), takes longer at this speed
    (m/s); 0: whatever the distance.
    """

    first: Part
    then: Part
    within: Micros
    same: Same
    elsewhere: bool = False
    speed: float = 0.0
    states_metrics: ClassVar[bool] = True
    begins: ClassVar[tuple[bool, bool]] = (True, True)

    @property
    def per(self) -> Per:
        """Whose readings are judged together."""
        return self.same.per

    @property
    def parts(self) -> tuple[Part, Part]:
        """The earlier and the later."""
        return self.first, self.then

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.first.where, self.then.where)

    @property
    def attributes(self) -> frozenset[str]:
        """Those of its devices that it needs beside its expressions'."""
        return frozenset(("x", "y")) if self.speed else frozenset()


@dataclass(frozen=True, slots=True)
class Missing:
    """True when no `then` came within `within` µs after a `first`."""

    first: Part
    then: Part
    within: Micros
    same: Same
    states_metrics: ClassVar[bool] = True
    begins: ClassVar[tuple[bool, bool]] = (True, False)

    @property
    def per(self) -> Per:
        """Whose readings are judged together."""
        return self.same.per

    @property
    def parts(self) -> tuple[Part, Part]:
        """The earlier and the later."""
        return self.first, self.then

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.first.where, self.then.where)


@dataclass(frozen=True, slots=True)
class Without:
    """True at each reading `of` the watched metric with no `before` in the `within` µs up to it."""

    of: Part
    before: Part
    within: Micros
    same: Same
    states_metrics: ClassVar[bool] = False
    begins: ClassVar[tuple[bool, bool]] = (False, True)

    @property
    def per(self) -> Per:
        """Whose readings are judged together."""
        return self.same.per

    @property
    def parts(self) -> tuple[Part, Part]:
        """The earlier and the later."""
        return self.before, self.of

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.before.where, self.of.where)


def _given(*expressions: Expression | None) -> tuple[Expression, ...]:
    return tuple(e for e in expressions if e is not None)


@dataclass(frozen=True, slots=True)
class Replaced:
    """True at each reading of a credential of which a later issue was read before.

    of: which readings · keep: for how long a credential is remembered that is not read, µs.
    """

    of: Part
    keep: Micros
    states_metrics: ClassVar[bool] = False

    @property
    def per(self) -> Per:
        """Whose readings are judged together: a credential is known within a community."""
        return Same.CREDENTIAL.per

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.of.where)


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
    names: ClassVar[tuple[str, ...]] = ("total", "single")
    """What `when`, `clear` and colours may be written over."""
    may_use: ClassVar[frozenset[str]] = frozenset({SPO2_SCALE})
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
    names: ClassVar[tuple[str, ...]] = ("share", "number", "total")
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
    def names(self) -> tuple[str, ...]:
        """What `when`, `clear` and colours may be written over."""
        return (str(self.measure),)

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
    def names(self) -> tuple[str, ...]:
        """What `when`, `clear` and colours may be written over."""
        return ("deviation",)

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
    def names(self) -> tuple[str, ...]:
        """What `when`, `clear` and colours may be written over."""
        return ("index",)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with."""
        return _given(self.judging.when, self.judging.clear)


Joined: TypeAlias = Succession | Missing | Without
"""Conditions on two readings, `parts`, that must belong together.

`begins` says of each part whether, on a state or a measurement, only the reading counts with which
`where` begins to hold. That a subject has devices for both is asked by the plan.
"""

Judged: TypeAlias = Score | Occupancy | MeasureInWindow | Baseline | RiskIndex
"""Conditions on a number that is worked out, which `judging` judges."""

Condition: TypeAlias = (
    Threshold
    | Absence
    | CountInWindow
    | Succession
    | Missing
    | Without
    | Replaced
    | Score
    | Occupancy
    | InARow
    | Correlation
    | MeasureInWindow
    | Baseline
    | RiskIndex
)


@dataclass(frozen=True, slots=True)
class Grade:
    """A colour, and the condition on the value for which an alert has it."""

    severity: Severity
    when: Expression


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `title` maps 'zh' and 'en' to text; `text` is its YAML as written at source:line.

    severity: the colour of its alerts; with `grades`, the least grave of them, which counts where
    no grade holds · fingerprint: changes when the meaning may have changed, so that old state is
    not reused · grades: the gravest first · active: when it may raise alerts, None for always
    tuning: what to change when it is too loud or too late, and what that costs · basis: where its
    threshold comes from; both by language, empty where nothing is said · unless: codes of rules
    that keep it from being told while they fire around · lateness: how long it waits for readings
    that come late, µs · told: False where it only keeps others quiet, and is no alert itself.
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
    grades: tuple[Grade, ...] = ()
    active: Active | None = None
    tuning: Mapping[str, str] = field(default_factory=dict)
    basis: Mapping[str, str] = field(default_factory=dict)
    unless: tuple[str, ...] = ()
    lateness: Micros = 0
    told: bool = True

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is written with: of its condition, and of its colours."""
        return (*self.condition.expressions, *(grade.when for grade in self.grades))
