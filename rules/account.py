"""Why an alert fired: its rule alone, led once more through the readings before it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TypeAlias

import numpy as np

from devices.instant import FOREVER, NEVER, SECOND, Micros
from devices.inventory import Inventory
from devices.reading import I32, Batch, Bool
from rules.expression import Expression
from rules.memory import AbsenceMemory, Memory, ThresholdMemory, WindowMemory, columns_of
from rules.model import Absence, CountInWindow, Rule, Threshold
from rules.newest import Newest
from rules.plan import Plan, make_plan
from rules.replay import Replay, Step, cut, steps
from rules.state import State
from rules.transition import Change, Subject, Transition

_BY_READING = (Threshold, Absence, CountInWindow)
"""Kinds whose condition is on the value of one reading."""

_KEPT = ("pending", "since", "spent")
"""Moments that kinds keep of a subject, where they do."""

Moments: TypeAlias = Mapping[str, Micros | None]


@dataclass(frozen=True, slots=True)
class Alert:
    """The alert to account for: since when its span ran and when it was due, µs, UTC."""

    subject: Subject
    since: Micros
    fired: Micros


@dataclass(frozen=True, slots=True)
class Before:
    """What the rule remembered of the subject just before the alert; instants in µs, UTC.

    moments: by name, None where there is none · value: the last one judged, where the rule keeps it
    · counted: when each reading in its window was, ascending · silent: from when each device would
    be silent if it said nothing more, by its id.
    """

    moments: Moments
    value: float | None
    counted: Sequence[Micros]
    silent: Mapping[int, Micros | None]


@dataclass(frozen=True, slots=True)
class Account:
    """What the replay says. fired: the transition, None where the rule did not fire this time."""

    before: Before
    fired: Transition | None


def subject_plan(
    rule: Rule, inventory: Inventory, subject: Subject, zone: tzinfo = UTC
) -> Plan | None:
    """The rule over this one subject; None where it does not judge it on this site.

    zone: the site's time zone, which the rule's active hours are in.

    The gateways of its devices are in it, for their silence counts.
    """
    (bound,) = make_plan([rule], inventory, zone).rules
    slots = np.flatnonzero(bound.subject_ids == subject.id)
    if not len(slots) or bound.subject(int(slots[0])).kind is not subject.kind:
        return None
    return make_plan([rule], _part(inventory, bound.devices_of(int(slots[0]))), zone)


def heard_devices(plan: Plan) -> list[int]:
    """The devices whose readings the plan's one rule looks at, and their gateways, by id."""
    devices = plan.rules[0].devices
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
    slot = _slot(plan, alert.subject)
    if place < len(taken):
        begun = taken[place - 1].now if place else start
        own.take(_short_of(taken[place], own, alert, begun))
    return Account(_before(own, slot), fired)


def _short_of(step: Step, own: Replay, alert: Alert, begun: Micros) -> Step:
    """The step that fires, but only up to just before that in the time of its devices."""
    devices = own.plan.rules[0].devices_of(_slot(own.plan, alert.subject))
    due = alert.fired + int(own.state.silence.lag[devices].max())
    now = max(begun, min(step.now, due) - 1)
    return Step(step.batch.take(step.batch.arrival < alert.fired), now)


def _slot(plan: Plan, subject: Subject) -> int:
    """Where the subject is in the plan's one rule; beside it there may be its gateways."""
    return int(np.flatnonzero(plan.rules[0].subject_ids == subject.id)[0])


def holds(rule: Rule, plan: Plan, rows: Batch) -> Bool | None:
    """For which of these rows, all of the rule's metric, its condition on a value holds (n,).

    None where the rule has none: any reading counts, or none is judged by itself.
    """
    judges = type(rule.condition) in _BY_READING
    expression: Expression | None = getattr(rule.condition, "when", None) if judges else None
    if expression is None:
        return None
    attributes = {name: plan.attributes[name][rows.device] for name in plan.rules[0].attributes}
    return expression.evaluate(rows.value, attributes)


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
    """At which step the alert's span fires, and how; if it does not, after all, and None."""
    own = Replay.begin(plan, start)
    for place, step in enumerate(taken):
        for said in own.take(step):
            mine = said.subject == alert.subject and said.since == alert.since
            if mine and said.change is Change.FIRED:
                return place, said
    return len(taken), None


def _before(own: Replay, slot: int) -> Before:
    (memory,), (bound,) = own.state.memories, own.plan.rules
    devices = bound.devices_of(slot)
    silent = own.state.silence.silent_at(devices)
    value, moments = np.nan, dict(_moments(memory, slot, bound.rule))
    if isinstance(memory, ThresholdMemory):
        newest = _newest(own.state, bound.rule)
        value = float(newest.values_of(devices, bound.metric)[0])
        moments |= {"judged": _moment(int(newest.times_of(devices, bound.metric)[0]))}
    return Before(
        moments,
        None if np.isnan(value) else value,
        _counted(memory, slot),
        {d: _moment(at) for d, at in zip(devices.tolist(), silent.tolist(), strict=True)},
    )


def _newest(state: State, rule: Rule) -> Newest:
    return state.waiting[rule.lateness].newest if rule.lateness else state.newest


def _moments(memory: Memory, slot: int, rule: Rule) -> Moments:
    """Since when it was pending or nothing came, and when that was due; else what is kept."""
    if isinstance(memory, ThresholdMemory):
        pending = _moment(int(memory.pending[slot]))
        due = None if pending is None else pending + span_of(rule)
        return {"pending": pending, "due": due}
    if isinstance(memory, AbsenceMemory):
        last = int(memory.last[slot])
        return {"last": last, "due": last + span_of(rule)}
    columns = columns_of(memory)
    return {name: _moment(int(columns[name][slot])) for name in _KEPT if name in columns}


def _counted(memory: Memory, slot: int) -> Sequence[Micros]:
    if not isinstance(memory, WindowMemory):
        return ()
    return [at for at in memory.times[slot].tolist() if at != NEVER]


def _moment(at: Micros) -> Micros | None:
    return None if at in {NEVER, FOREVER} else at


def stretch_before(rule: Rule, plan: Plan) -> Micros:
    """How long before the begin of a span readings still matter to it, µs.

    The rule's own span, twice where it counts, and the time after which its devices are silent.
    """
    own = span_of(rule) * (2 if isinstance(rule.condition, CountInWindow) else 1)
    devices = heard_devices(plan)
    return own + int(plan.silent_after[devices].max(initial=0))


def span_of(rule: Rule) -> Micros:
    """How long its state must last, be absent, or how wide its window is, whichever is longest."""
    return max(int(getattr(rule.condition, name, 0)) for name in ("lasting", "within"))
