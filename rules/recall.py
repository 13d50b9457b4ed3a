"""What a rule remembers of one subject, in words and numbers that a person can follow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.kind import SILENT_AFTER_INTERVALS
from rules import baseline, occupancy
from rules.correlation import CorrelationMemory
from rules.in_a_row import InARowMemory
from rules.joining import BOTH, FIRST, THEN
from rules.measured import (
    BaselineMemory,
    GrowthMemory,
    MeasureMemory,
    PaneMemory,
    SetMemory,
    measuring,
)
from rules.memory import AbsenceMemory, Memory, ThresholdMemory, WindowMemory
from rules.model import (
    SPO2_SCALE,
    Absence,
    Baseline,
    Correlation,
    InARow,
    Missing,
    Occupancy,
    Rule,
    Score,
)
from rules.newest import Newest
from rules.news2 import PARAMETERS, news2
from rules.occupancy import OccupancyMemory
from rules.plan import Plan, RulePlan
from rules.replaced import ReplacedMemory
from rules.risk import COLOURS, RiskMemory, risk_of
from rules.score import ON_SCALE_2, ScoreMemory
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from rules.spans import SpanMemory
from rules.table import Table


class Fact(NamedTuple):
    """One thing that is remembered. what: a word that stays the same from version to version.

    device: its id, metric: its name, where it is about one · at, until: µs, UTC · number: in the
    metric's unit, or how many.
    """

    what: str
    device: int | None = None
    metric: str = ""
    at: Micros | None = None
    until: Micros | None = None
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """moments: by name, µs, UTC, None where there is none · numbers: by name, known ones only
    facts: whatever there may be several of.
    """

    moments: Mapping[str, Micros | None] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    facts: Sequence[Fact] = ()


class Asked(NamedTuple):
    """What is asked for: the memory of this slot of a rule of the plan.

    since: begin of the span that is to be explained, at: when it was due, µs · token: whom the
    event that raised it names, 0 where nobody · newest: what the rule's devices said last.
    """

    plan: Plan
    own: RulePlan
    newest: Newest
    slot: int
    since: Micros
    at: Micros
    token: int = 0

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.own.rule

    @property
    def devices(self) -> list[int]:
        """The ids of the subject's devices."""
        ids: list[int] = self.own.devices_of(self.slot).tolist()
        return ids

    def of_devices(self, values: Any) -> list[Any]:
        """What a column by device has for them, in their order."""
        start, end = self.own.starts[self.slot : self.slot + 2].tolist()
        found: list[Any] = values[start:end].tolist()
        return found


def recall(memory: Memory, asked: Asked) -> Recalled:
    """What this memory holds of the slot."""
    return _OF[type(memory)](memory, asked)


def moment(at: Micros) -> Micros | None:
    """None where it stands for no moment."""
    return None if at in {NEVER, FOREVER} else at


def _numbers(**numbers: float) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items() if not np.isnan(number)}


def _due(asked: Asked, pending: Micros, lasting: Micros) -> Micros | None:
    if pending == FOREVER:
        return None
    return moment(int(asked.own.calendar.due(np.array([pending]), lasting)[0]))


def _threshold(memory: ThresholdMemory, asked: Asked) -> Recalled:
    slot, lasting = asked.slot, int(getattr(asked.rule.condition, "lasting", 0))
    pending = int(memory.pending[slot])
    device, metric = asked.own.devices[slot : slot + 1], asked.own.metric
    judged = asked.newest.times_of(device, metric)[0]
    if metric in asked.plan.cells.momentary:
        judged = memory.judged[slot]
    moments = {
        "judged": moment(int(judged)),
        "pending": moment(pending),
        "due": _due(asked, pending, lasting),
    }
    value = float(asked.newest.values_of(device, metric)[0])
    return Recalled(moments, _numbers(value=value))


def _absence(memory: AbsenceMemory, asked: Asked) -> Recalled:
    last, condition = int(memory.last[asked.slot]), cast("Absence", asked.rule.condition)
    lasting = condition.lasting
    if condition.intervals:
        limit = int(asked.plan.silent_after[asked.devices[0]])
        lasting = limit // SILENT_AFTER_INTERVALS * condition.intervals
    due = int(asked.own.calendar.elapse(np.array([last]), lasting)[0])
    return Recalled({"last": last, "due": moment(due)})


def _window(memory: WindowMemory, asked: Asked) -> Recalled:
    pairs = zip(memory.times[asked.slot].tolist(), memory.devices[asked.slot].tolist(), strict=True)
    counted = [Fact("counted", device, at=at) for at, device in pairs if at != NEVER]
    return Recalled({"spent": moment(int(memory.spent[asked.slot]))}, facts=counted)


def _span(memory: SpanMemory, asked: Asked) -> Recalled:
    slot, judging = asked.slot, getattr(asked.rule.condition, "judging", None)
    pending = int(memory.pending[slot])
    moments = {
        "judged": moment(int(memory.heard[slot])),
        "pending": moment(pending),
        "due": _due(asked, pending, judging.lasting if judging else 0),
    }
    return Recalled(moments, _numbers(value=float(memory.value[slot])))


def _score(memory: ScoreMemory, asked: Asked) -> Recalled:
    span, condition = _span(memory, asked), cast("Score", asked.rule.condition)
    times, numbers = memory.times[asked.slot].tolist(), memory.numbers[[asked.slot]]
    facts = [
        Fact("parameter", None, name, at, at + condition.valid, number)
        if at != NEVER
        else Fact("parameter", None, name)
        for name, at, number in zip(PARAMETERS, times, numbers[0].tolist(), strict=True)
    ]
    scale_2 = asked.plan.attributes[SPO2_SCALE][asked.devices] == ON_SCALE_2
    single = news2(numbers, np.array([scale_2.any()]))[1]
    known = {"total": span.numbers["value"], "single": float(single[0])} if span.numbers else {}
    return Recalled(span.moments, known, facts)


def _occupancy(memory: OccupancyMemory, asked: Asked) -> Recalled:
    span, condition = _span(memory, asked), cast("Occupancy", asked.rule.condition)
    said = {occupancy.SO: "so", occupancy.NOT_SO: "not_so", occupancy.UNKNOWN: "unknown"}
    words, since = asked.of_devices(memory.word.values), asked.of_devices(memory.at.values)
    facts = [
        Fact(said[word], device, asked.rule.watch.metric, moment(at))
        for device, word, at in zip(asked.devices, words, since, strict=True)
    ]
    number, total = words.count(occupancy.SO), len(words) - words.count(occupancy.UNKNOWN)
    share = number / total if total else np.nan
    counts = _numbers(number=number, total=total, share=share)
    return Recalled(span.moments, counts | {"known": condition.known}, facts)


def _in_a_row(memory: InARowMemory, asked: Asked) -> Recalled:
    slot, condition = asked.slot, cast("InARow", asked.rule.condition)
    names = ("first", "latest", "last")
    moments = {name: moment(int(getattr(memory, name)[slot])) for name in names}
    return Recalled(moments, _numbers(count=int(memory.count[slot]), wanted=condition.count))


def _correlation(memory: CorrelationMemory, asked: Asked) -> Recalled:
    condition, last = (
        cast("Correlation", asked.rule.condition),
        asked.of_devices(memory.last.values),
    )
    spent, begin = int(memory.spent[asked.slot]), asked.at - condition.within
    facts = [
        Fact("counted", device, asked.rule.watch.metric, at)
        for device, at in zip(asked.devices, last, strict=True)
        if at != NEVER and at > spent and at >= begin
    ]
    facts.sort(key=lambda fact: fact.at or 0)
    counts = _numbers(count=len(facts), wanted=condition.devices)
    return Recalled({"spent": moment(spent)}, counts, facts)


def _measure(memory: MeasureMemory, asked: Asked) -> Recalled:
    span, condition = _span(memory, asked), measuring(asked.rule)
    begin = max(asked.at - condition.within, 0)
    moments = {**span.moments, "window_begin": begin, "window_end": asked.at}
    if not (isinstance(memory, BaselineMemory) and isinstance(condition, Baseline)):
        return Recalled(moments, span.numbers)
    season = baseline.season_of(condition, np.array([begin]), asked.own.calendar.zone)
    known = memory.history[np.array([asked.slot]), season][0].astype(np.float64)
    known = known[~np.isnan(known)]
    facts = [Fact("earlier", number=number) for number in known.tolist()]
    if not len(known):
        return Recalled(moments, span.numbers, facts)
    usual = _numbers(usual=float(np.median(known)))
    return Recalled(moments, {**span.numbers, **usual, "least": condition.least}, facts)


def _risk(memory: RiskMemory, asked: Asked) -> Recalled:
    span, weights = _span(memory, asked), dict(risk_of(asked.rule).weights)
    counts = memory.open[asked.slot].tolist()
    level = sum(weights.get(c, 0.0) * n for c, n in zip(COLOURS, counts, strict=True))
    facts = [Fact(f"open_{c}", number=n) for c, n in zip(COLOURS, counts, strict=True) if n]
    return Recalled(span.moments, {**span.numbers, "level": level}, facts)


_ROLES = {FIRST: "first", BOTH: "first_and_then", THEN: "then"}


def _mine(asked: Asked, *tables: Table) -> Iterator[dict[str, Any]]:
    """The rows of the slot that are about whom the alert is about, by time."""
    rows = [
        {name: table[name][i].item() for name in table}
        for table in tables
        for i in np.flatnonzero(table.slot == asked.slot).tolist()
    ]
    tokens = {asked.token} if asked.token else _tokens(rows, asked.since)
    mine = [row for row in rows if not tokens or row["token"] in tokens]
    return iter(sorted(mine, key=lambda row: int(row.get("time", row.get("since", 0)))))


def _tokens(rows: Sequence[Mapping[str, Any]], since: Micros) -> set[int]:
    """What rows of this moment are joined by: of a door or a home, a number of its own."""
    return {row["token"] for row in rows if since in {row.get("time"), row.get("since")}}


def _sequence(memory: SequenceMemory, asked: Asked) -> Recalled:
    rows = _mine(asked, memory.seen, memory.lately)
    return Recalled(facts=[_part(row) for row in rows])


def _part(row: Mapping[str, Any]) -> Fact:
    return Fact(_ROLES.get(row["role"], "first"), row["device"], at=row["time"])


def _missing(memory: MissingMemory, asked: Asked) -> Recalled:
    within, facts = cast("Missing", asked.rule.condition).within, list[Fact]()
    for row in _mine(asked, memory.keys):
        if row["since"] != FOREVER:
            until = row["since"] + within
            facts.append(Fact("waits", row["device"], at=row["since"], until=until))
        if row["answered"] != NEVER:
            facts.append(Fact("then", at=row["answered"]))
    unsure = {"unsure": moment(int(memory.unsure[asked.slot]))}
    return Recalled(unsure, facts=facts)


def _without(memory: WithoutMemory, asked: Asked) -> Recalled:
    excuses = [
        _part(row)._replace(what="excuse") for row in _mine(asked, memory.seen, memory.lately)
    ]
    waiting = [
        Fact("asked", row["device"], at=row["time"], number=row["value"])
        for row in _mine(asked, memory.asked)
        if not row["decided"]
    ]
    since = {"all_heard_since": moment(int(memory.unsure[asked.slot]))}
    return Recalled(since, facts=[*excuses, *waiting])


def _replaced(memory: ReplacedMemory, asked: Asked) -> Recalled:
    if not asked.token:
        return Recalled()
    return Recalled(
        facts=[
            Fact("card", at=row["since"], until=row["newest"], number=row["issue"])
            for row in _mine(asked, memory.cards)
        ]
    )


_MEASURING = (PaneMemory, GrowthMemory, SetMemory, BaselineMemory)
_OF: Mapping[type[Any], Callable[[Any, Asked], Recalled]] = MappingProxyType(
    {
        ThresholdMemory: _threshold,
        AbsenceMemory: _absence,
        WindowMemory: _window,
        ScoreMemory: _score,
        OccupancyMemory: _occupancy,
        InARowMemory: _in_a_row,
        CorrelationMemory: _correlation,
        RiskMemory: _risk,
        SequenceMemory: _sequence,
        MissingMemory: _missing,
        WithoutMemory: _without,
        ReplacedMemory: _replaced,
        **dict.fromkeys(_MEASURING, _measure),
    }
)
