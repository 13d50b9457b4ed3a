"""Why an alert fired: its rule, led once more through the readings before it. Pure.

With it go the rules that may keep it quiet, and of a risk index those that it counts, each over
what of the site is near the alert.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TypeAlias

import numpy as np

from devices.instant import DAY, SECOND, Micros
from devices.inventory import Inventory
from devices.reading import I32, Batch, Bool
from devices.token import NOBODY
from rules.expression import Expression
from rules.held import Held
from rules.model import (
    Absence,
    Baseline,
    Correlation,
    CountInWindow,
    InARow,
    MeasureInWindow,
    Replaced,
    RiskIndex,
    Rule,
    Score,
    Season,
    Succession,
    Threshold,
    Without,
)
from rules.newest import Newest
from rules.plan import Plan, RulePlan, about, make_plan, per_of
from rules.recall import Asked, Fact, moment, recall
from rules.replay import Replay, Step, cut, steps
from rules.silence import Silence
from rules.transition import Change, Subject, Transition

_BY_READING = (Threshold, Absence, CountInWindow, InARow, Correlation)
"""Kinds whose condition is on the value of one reading."""

LONGEST_OF_PARTS: Micros = DAY
"""So long before an index readings of the rules that it counts are looked at, at most; our choice:
what was open for longer is missing in what is told of it."""

Moments: TypeAlias = Mapping[str, Micros | None]


@dataclass(frozen=True, slots=True)
class Alert:
    """The alert to account for: since when its span ran and when it was due, µs, UTC."""

    subject: Subject
    since: Micros
    fired: Micros

    def is_told_by(self, fired: Transition) -> bool:
        """Whether this is its beginning, or as of its moment that of a span seen from later on."""
        return fired.since == self.since or fired.at == self.fired


@dataclass(frozen=True, slots=True)
class Before:
    """What the rule remembered of the subject just before the alert; instants in µs, UTC.

    moments, numbers, facts: as in `rules.recall` · silent: from when each device would be silent if
    it said nothing more, by its id · quiet: codes of the rules that kept this one quiet · held: the
    alert that they kept back, None where there was none.
    """

    moments: Moments
    numbers: Mapping[str, float]
    facts: Sequence[Fact]
    silent: Mapping[int, Micros | None]
    quiet: Sequence[str] = ()
    held: Held | None = None

    @property
    def counted(self) -> Sequence[Micros]:
        """When each reading was that counts so far, ascending."""
        return [fact.at for fact in self.facts if fact.what == "counted" and fact.at is not None]


@dataclass(frozen=True, slots=True)
class Account:
    """What the replay says. fired: the transition, None where the rule did not fire this time."""

    before: Before
    fired: Transition | None


def subject_plan(
    rule: Rule,
    inventory: Inventory,
    subject: Subject,
    zone: tzinfo = UTC,
    others: Sequence[Rule] = (),
) -> Plan | None:
    """The rule over this one subject; None where it does not judge it on this site.

    others: the rules beside it; of these the plan has, after the rule, those that may keep it
    quiet, or that it counts, over the subjects that matter to it · zone: the site's time zone,
    which active hours are in. The gateways of all their devices are in it, for their silence
    counts.
    """
    rules = [rule, *_beside(rule, others)]
    plan = make_plan(rules, inventory, zone)
    slot = _find(plan.rules[0], subject)
    if slot is None:
        return None
    devices = np.unique(np.concatenate(list(_near(plan, slot, subject))))
    return make_plan(rules, _part(inventory, devices), zone)


def _beside(rule: Rule, others: Sequence[Rule]) -> list[Rule]:
    """Those of the others that this one depends on, and that those do."""
    known = {other.code: other for other in others if other.code != rule.code}
    wanted: dict[str, Rule] = {}
    coming = [rule]
    while coming:
        one = coming.pop()
        for code in (*one.unless, *_counted(one, known)):
            if code in known and code not in wanted:
                wanted[code] = known[code]
                coming.append(known[code])
    return list(wanted.values())


def _counted(rule: Rule, known: Mapping[str, Rule]) -> Iterator[str]:
    """The rules that an index counts."""
    if isinstance(rule.condition, RiskIndex):
        categories = rule.condition.categories
        for other in known.values():
            counts = not categories or other.category in categories
            if counts and not isinstance(other.condition, RiskIndex):
                yield other.code


def _near(plan: Plan, slot: int, subject: Subject) -> Iterator[I32]:
    """The devices of whatever is about the subject, or counts at it, of all the rules."""
    seen, coming = set[tuple[int, int]](), [(0, slot, subject)]
    while coming:
        number, slot, subject = coming.pop()
        if (number, slot) in seen:
            continue
        seen.add((number, slot))
        own = plan.rules[number]
        yield own.devices_of(slot)
        for code in own.rule.unless:
            other = plan.number.get(code)
            if other is not None:
                slots = plan.whereabouts.slots(other, subject)
                coming += [(other, one, plan.rules[other].subject(one)) for one in slots]
        for code, lying in own.feeds.items():
            other = plan.number[code]
            slots = np.flatnonzero(lying[:] == slot).tolist()
            coming += [(other, one, plan.rules[other].subject(one)) for one in slots]


def _find(own: RulePlan, subject: Subject) -> int | None:
    """The slot that is about the subject; where a name joins, that in which the device is."""
    if subject.kind is not about(own.rule):
        return None
    if about(own.rule) is per_of(own.rule).subject:
        slots = np.flatnonzero(own.subject_ids == subject.id)
        return int(slots[0]) if len(slots) else None
    known = subject.id < len(own.slot)
    slot = int(own.slot[np.array([subject.id])][0]) if known else -1
    return slot if slot >= 0 else None


def heard_devices(plan: Plan) -> list[int]:
    """The devices whose readings the plan's rules look at, and their gateways, by id."""
    devices = np.unique(np.concatenate([own.devices for own in plan.rules]))
    gateways = plan.gateway[devices]
    return sorted({*devices.tolist(), *gateways[gateways >= 0].tolist()})


def account_for(plan: Plan, rows: Batch, alert: Alert, start: Micros, end: Micros) -> Account:
    """Judge these readings, by arrival, from `start` to `end`, and tell the state before the alert.

    plan: of `subject_plan` · end: when the alert was opened; its devices' clocks may be behind, or
    the service have been away, so that it was due before. It is done twice: once to see at which
    step the rule fires, and once up to just before it.
    """
    taken = list(steps(cut(rows, SECOND), start, end))
    place, fired = _firing(plan, taken, alert, start)
    own = Replay.begin(plan, start)
    for step in taken[:place]:
        own.take(step)
    if place < len(taken):
        begun = taken[place - 1].now if place else start
        own.take(_short_of(taken[place], own, alert, begun))
    return Account(_before(own, alert, rows), fired)


def _short_of(step: Step, own: Replay, alert: Alert, begun: Micros) -> Step:
    """The step that fires, but only up to just before that in the time of its devices."""
    bound = own.plan.rules[0]
    lag = own.state.silence.lag[bound.devices_of(_slot(own.plan, alert.subject))]
    due = alert.fired + int(lag.max(initial=0)) + bound.rule.lateness
    now = max(begun, min(step.now, due) - 1)
    return Step(step.batch.take(step.batch.arrival < alert.fired), now)


def _slot(plan: Plan, subject: Subject) -> int:
    """Where the subject is in the plan's first rule; beside it there may be its gateways."""
    slot = _find(plan.rules[0], subject)
    if slot is None:
        raise LookupError(f"the plan's first rule does not judge {subject}")
    return slot


def holds(rule: Rule, plan: Plan, rows: Batch) -> Bool | None:
    """For which of these rows, all of the rule's metric, its condition on a value holds (n,).

    None where the rule has none: any reading counts, or none is judged by itself.
    """
    expression = _of_reading(rule)
    if expression is None or any(rows.metric != plan.rules[0].metric):
        return None
    attributes = {name: plan.attributes[name][rows.device] for name in plan.rules[0].attributes}
    return expression.evaluate(rows.value, attributes)


def _of_reading(rule: Rule) -> Expression | None:
    condition = rule.condition
    if isinstance(condition, _BY_READING):
        return condition.when
    where: Expression | None = getattr(condition, "where", None)
    return where


def _part(inventory: Inventory, devices: I32) -> Inventory:
    wanted = [inventory.devices[device] for device in devices.tolist()]
    gateways = {d.gateway for d in wanted if d.gateway is not None} - {d.id for d in wanted}
    wanted += [inventory.devices[gateway] for gateway in sorted(gateways)]
    homes = {d.household for d in wanted if d.household is not None}
    return Inventory.of(
        inventory.areas.values(),
        (inventory.households[home] for home in sorted(homes)),
        wanted,
        version=inventory.version,
    )


def _firing(
    plan: Plan, taken: Sequence[Step], alert: Alert, start: Micros
) -> tuple[int, Transition | None]:
    """At which step the alert fires, and how; if it does not, after all, and None.

    Its span, or where that began before the readings at hand, an alert of that moment.
    """
    own, code = Replay.begin(plan, start), plan.rules[0].rule.code
    for place, step in enumerate(taken):
        for said in own.take(step):
            mine = said.rule.code == code and said.subject == alert.subject
            if mine and said.change is Change.FIRED and alert.is_told_by(said):
                return place, said
    return len(taken), None


def _before(own: Replay, alert: Alert, rows: Batch) -> Before:
    plan, state = own.plan, own.state
    bound = plan.rules[0]
    slot = _slot(plan, alert.subject)
    token = token_in(bound, rows, alert)
    asked = Asked(plan, bound, _newest(own, bound.rule), slot, alert.since, alert.fired, token)
    found = recall(state.memories[0], asked)
    silence = _heard(own, bound.rule)
    devices = bound.devices_of(slot)
    silent = silence.silent_at(devices)
    return Before(
        found.moments,
        found.numbers,
        found.facts,
        {d: moment(at) for d, at in zip(devices.tolist(), silent.tolist(), strict=True)},
        list(_quiet(own, alert.subject)),
        state.held.get(bound.rule.code, {}).get(alert.subject.id),
    )


def _newest(own: Replay, rule: Rule) -> Newest:
    waiting = own.state.waiting.get(rule.lateness)
    return own.state.newest if waiting is None else waiting.newest


def _heard(own: Replay, rule: Rule) -> Silence:
    """What rules of this lateness have heard."""
    waiting = own.state.waiting.get(rule.lateness)
    return own.state.silence if waiting is None else waiting.silence


def token_in(own: RulePlan, rows: Batch, alert: Alert) -> int:
    """Whom the event names that raised the alert, where that joins readings; else NOBODY."""
    if about(own.rule) is per_of(own.rule).subject:
        return NOBODY
    mine = (rows.device == alert.subject.id) & np.isin(rows.time, (alert.since, alert.fired))
    tokens = rows.token[mine & (rows.token != NOBODY)]
    return int(tokens[0]) if len(tokens) else NOBODY


def _quiet(own: Replay, subject: Subject) -> Iterator[str]:
    """Which of the rules in its `unless` have an alert there."""
    plan, state = own.plan, own.state
    for code in plan.rules[0].rule.unless:
        number = plan.number.get(code)
        if number is not None:
            ids = plan.rules[number].subject_ids
            held = state.held.get(code, {})
            slots = plan.whereabouts.slots(number, subject)
            firing = state.memories[number].firing
            if any(firing[slot] and int(ids[slot]) not in held for slot in slots):
                yield code


def window_of(rule: Rule) -> Micros:
    """How long before the begin of its span the readings lie that made it true, µs."""
    condition = rule.condition
    if isinstance(condition, MeasureInWindow | Baseline | Without | Succession):
        return condition.within
    return condition.keep if isinstance(condition, Replaced) else 0


def stretch_before(plan: Plan) -> Micros:
    """How long before the begin of a span readings still matter to it, µs.

    The longest of what any of the plan's rules looks back, of an index's parts no longer than
    `LONGEST_OF_PARTS`, and the time after which their devices are silent.
    """
    limit = int(plan.silent_after[heard_devices(plan)].max(initial=0))
    back = [_looks_back(own, limit) for own in plan.rules]
    if isinstance(plan.rules[0].rule.condition, RiskIndex):
        back = [back[0] + min(max(back), LONGEST_OF_PARTS)]
    return max(back) + limit


def _looks_back(own: RulePlan, limit: Micros) -> Micros:
    """Windows twice: nothing is said before a whole one has passed, and what was before counts.

    limit: the longest that a device may be silent.
    """
    condition = own.rule.condition
    judging = getattr(condition, "judging", condition)
    lasting = int(getattr(judging, "lasting", 0)) + own.rule.lateness
    return lasting + 2 * int(getattr(condition, "within", 0)) + _further(own, limit)


def _further(own: RulePlan, limit: Micros) -> Micros:
    """What kinds look back besides: history, how long words count, several readings of a device."""
    match own.rule.condition:
        case Baseline(values=values) as condition:
            season = DAY if condition.season is Season.DAY else 7 * DAY
            return (values + 1) * season
        case RiskIndex(over=span) | Score(valid=span) | Replaced(keep=span):
            return span
        case InARow(count=times) | Absence(intervals=times):
            return times * limit
        case _:
            return 0
