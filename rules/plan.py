"""Rules bound to an inventory: whose readings each rule judges, as arrays to index by device id."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, NamedTuple, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from devices.columns import NONE
from devices.instant import Micros
from devices.inventory import Inventory
from devices.kind import SILENT_AFTER_INTERVALS
from devices.metric import BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules.calendar import Calendar, calendar_of
from rules.inhibitors import Whereabouts, in_order
from rules.model import (
    Baseline,
    InARow,
    Joined,
    MeasureInWindow,
    Part,
    Per,
    Replaced,
    RiskIndex,
    Rule,
    Score,
    SubjectKind,
    Succession,
    Threshold,
)
from rules.newest import Cells, make_cells
from rules.sparse import Sparse
from rules.transition import Subject
from rules.watched import Watched
from rules.watchers import Watchers

Scalar = TypeVar("Scalar", bound=np.generic)

NOBODY = -1
"""In `RulePlan.slot`: this device's readings are not judged. In `Plan.gateway`: there is none."""


class Inapplicable(NamedTuple):
    """A watched device that a rule cannot judge, for want of an attribute that the rule uses."""

    device: int
    attribute: str


@dataclass(frozen=True, slots=True, eq=False)
class Lacking:
    """Watched devices that lack attributes. device: ids, (k,) · which: (k,), of `names`."""

    device: I32
    which: I64
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RulePlan:
    """One rule's subjects, n of them in slots 0 … n-1 by ascending id, and their m devices.

    metrics: ids of those that it watches, the main one first · subject_ids: int32 (n,)
    slot: int32, by device id, NOBODY where not judged · devices: int32 (m,), ids by slot and then
    by id · starts: int32 (n + 1,), slot k has devices[starts[k]:starts[k + 1]] · away: bool (n,),
    True where the rule does not look for now · reports: of rules about readings that belong
    together, which part's metric each device declares, bool (m, 2); else (m, 0). Rules with the
    same subjects share these arrays. calendar: when it may raise alerts · feeds: of rules about
    other rules, by their code: the slot here of the area that each of their subjects lies in,
    NOBODY where in none.
    """

    rule: Rule
    metrics: tuple[int, ...]
    subject_ids: I32
    slot: Sparse[np.int32]
    devices: I32
    starts: I32
    away: Bool
    reports: Bool
    attributes: frozenset[str]
    lacking: Lacking
    calendar: Calendar
    feeds: Mapping[str, Sparse[np.int32]] = field(default_factory=dict)

    @property
    def metric(self) -> int:
        """The metric that it is mostly about; NOBODY where it is about none."""
        return self.metrics[0] if self.metrics else NOBODY

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """All of them, by slot; made when asked for."""
        kind = per_of(self.rule).subject
        return tuple(Subject(kind, number) for number in self.subject_ids.tolist())

    @property
    def inapplicable(self) -> tuple[Inapplicable, ...]:
        """The watched devices that it cannot judge, by device; made when asked for."""
        lacking = self.lacking
        pairs = zip(lacking.device.tolist(), lacking.which.tolist(), strict=True)
        return tuple(Inapplicable(device, lacking.names[which]) for device, which in pairs)

    def subject(self, slot: int) -> Subject:
        """The subject in this slot."""
        return Subject(per_of(self.rule).subject, int(self.subject_ids[slot]))

    def devices_of(self, slot: int) -> I32:
        """The ids of the devices of this subject."""
        return self.devices[self.starts[slot] : self.starts[slot + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All rules over one inventory.

    size: device ids are below it · silent_after: int64 µs by device id, 0 where there is no such
    device · attributes: by name, float64 by device id, NaN where the device lacks it
    gateway: int32 by device id, the gateway that it is behind, NOBODY where none · gateways: int32,
    those that any device is behind, ascending · number: of each rule, by its code · inhibited:
    numbers of rules that others may keep quiet, in the order in which to ask · whereabouts: of all
    subjects · groups: numbers of the rules by their lateness, 0 always among them · judging: of
    those that have subjects and are not about other rules · watching: of these, by each metric that
    they watch, but for rules on thresholds, which are in `screening` · stepping: of these, by the
    length of their steps, those that measure over windows · watchers: of each device,
    the rules that watch it · indices: of rules with subjects that are about other rules · covered:
    by each lateness but 0, bool by device id, the devices of its rules, and all gateways · cells:
    what is remembered of, whatever the rule.
    """

    rules: tuple[RulePlan, ...]
    size: int
    silent_after: I64
    attributes: Mapping[str, F64]
    gateway: I32
    gateways: I32
    number: Mapping[str, int]
    inhibited: tuple[int, ...]
    whereabouts: Whereabouts
    groups: Mapping[Micros, tuple[int, ...]]
    watching: Mapping[Micros, Mapping[int, tuple[int, ...]]]
    screening: Mapping[Micros, Mapping[int, tuple[int, ...]]]
    judging: Mapping[Micros, tuple[int, ...]]
    stepping: Mapping[Micros, Mapping[Micros, tuple[int, ...]]]
    watchers: Watchers
    indices: tuple[int, ...]
    covered: Mapping[Micros, Bool]
    cells: Cells


def make_plan(rules: Sequence[Rule], inventory: Inventory, zone: tzinfo = UTC) -> Plan:
    """These rules over this inventory; hours and dates in them are in this time zone.

    A rule looks at the devices that declare its metric, pass its filters and have every attribute
    that it uses; those without are told of in `RulePlan.inapplicable`.
    """
    watched = Watched(inventory)
    ids = watched.ids
    size = int(ids.max(initial=-1)) + 1
    shared = _Shared(size)
    plans = tuple(_bind(rule, watched, shared, zone) for rule in rules)
    plans = tuple(_fed(own, plans, watched) for own in plans)
    names = frozenset[str]().union(*(plan.attributes | _may_use(plan.rule) for plan in plans))
    attributes = {name: _spread(watched.attribute(name), ids, size) for name in sorted(names)}
    gateway = _gateways(inventory, size)
    gateways = np.unique(gateway[gateway != NOBODY])
    return Plan(
        plans,
        size,
        _silent_after(inventory, size),
        attributes,
        gateway,
        gateways,
        **_together(plans, inventory, gateways, size),
        cells=make_cells(rules, inventory, size, attributes),
    )


def without(plan: Plan, codes: Collection[str]) -> Plan:
    """The plan without the rules of these codes."""
    plans = tuple(own for own in plan.rules if own.rule.code not in codes)
    together = _together(plans, plan.whereabouts.inventory, plan.gateways, plan.size)
    return replace(plan, rules=plans, **together)


class _Together(TypedDict):
    """What a plan has because of all its rules; as in `Plan`."""

    number: Mapping[str, int]
    inhibited: tuple[int, ...]
    whereabouts: Whereabouts
    groups: Mapping[Micros, tuple[int, ...]]
    watching: Mapping[Micros, Mapping[int, tuple[int, ...]]]
    screening: Mapping[Micros, Mapping[int, tuple[int, ...]]]
    judging: Mapping[Micros, tuple[int, ...]]
    stepping: Mapping[Micros, Mapping[Micros, tuple[int, ...]]]
    watchers: Watchers
    indices: tuple[int, ...]
    covered: Mapping[Micros, Bool]


def _together(
    plans: Sequence[RulePlan], inventory: Inventory, gateways: I32, size: int
) -> _Together:
    rules = [plan.rule for plan in plans]
    groups = _groups(rules)
    busy = [number for number, plan in enumerate(plans) if len(plan.subject_ids)]
    judging = {
        late: tuple(n for n in numbers if n in busy and not _is_index(rules[n]))
        for late, numbers in groups.items()
    }
    kinds, subjects = [per_of(rule).subject for rule in rules], [p.subject_ids for p in plans]
    return {
        "number": {rule.code: number for number, rule in enumerate(rules)},
        "inhibited": in_order(rules),
        "whereabouts": Whereabouts(inventory, kinds, subjects),
        "groups": groups,
        "judging": judging,
        "watching": {
            late: _watching(plans, [n for n in numbers if not _is_threshold(rules[n])])
            for late, numbers in judging.items()
        },
        "screening": {
            late: _watching(plans, [n for n in numbers if _is_threshold(rules[n])])
            for late, numbers in judging.items()
        },
        "stepping": {late: _stepping(rules, numbers) for late, numbers in judging.items()},
        "watchers": Watchers(size, [plan.devices for plan in plans]),
        "indices": tuple(number for number in busy if _is_index(rules[number])),
        "covered": {late: _covered(plans, groups[late], gateways, size) for late in groups if late},
    }


def _groups(rules: Sequence[Rule]) -> dict[Micros, tuple[int, ...]]:
    latenesses = sorted({0, *(rule.lateness for rule in rules)})
    return {
        late: tuple(number for number, rule in enumerate(rules) if rule.lateness == late)
        for late in latenesses
    }


def _is_index(rule: Rule) -> bool:
    """Whether it is about other rules."""
    return isinstance(rule.condition, RiskIndex)


def _is_threshold(rule: Rule) -> bool:
    return isinstance(rule.condition, Threshold)


def _watching(plans: Sequence[RulePlan], numbers: Sequence[int]) -> dict[int, tuple[int, ...]]:
    watching: dict[int, list[int]] = {}
    for number in numbers:
        for metric in set(plans[number].metrics):
            watching.setdefault(metric, []).append(number)
    return {metric: tuple(found) for metric, found in watching.items()}


def _stepping(rules: Sequence[Rule], numbers: Sequence[int]) -> dict[Micros, tuple[int, ...]]:
    stepping: dict[Micros, list[int]] = {}
    for number in numbers:
        condition = rules[number].condition
        if isinstance(condition, MeasureInWindow | Baseline):
            stepping.setdefault(condition.step, []).append(number)
    return {step: tuple(found) for step, found in stepping.items()}


def _covered(plans: Sequence[RulePlan], numbers: Sequence[int], gateways: I32, size: int) -> Bool:
    covered = np.zeros(size, np.bool_)
    covered[gateways] = True
    for number in numbers:
        covered[plans[number].devices] = True
    return covered


def _metrics(rule: Rule) -> tuple[str, ...]:
    """Those whose rows the rule must see."""
    reset = rule.condition.reset_metric if isinstance(rule.condition, InARow) else ""
    return (*rule.watch.metrics, reset) if reset else rule.watch.metrics


def _may_use(rule: Rule) -> frozenset[str]:
    """Attributes that the rule uses where devices have them."""
    return rule.condition.may_use if isinstance(rule.condition, Score) else frozenset()


def _silent_after(inventory: Inventory, size: int) -> I64:
    devices = inventory.devices
    limits = [SILENT_AFTER_INTERVALS * model.interval for model in devices.models]
    silent_after = np.zeros(size, np.int64)
    silent_after[devices.ids] = np.array(limits, np.int64)[devices.model]
    return silent_after


def _gateways(inventory: Inventory, size: int) -> I32:
    devices = inventory.devices
    gateway = np.full(size, NOBODY, np.int32)
    behind = np.flatnonzero(devices.gateway != NONE)
    there = behind[devices.rows(devices.gateway[behind]) >= 0]
    gateway[devices.ids[there]] = devices.gateway[there]
    return gateway


def _spread(values: F64, ids: I32, size: int) -> F64:
    column = np.full(size, np.nan)
    column[ids] = values
    return column


class _Shared:
    """Arrays of which rules with the same subjects have one in common."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrays: dict[tuple[str, tuple[int, ...], bytes], npt.NDArray[Any]] = {}
        self._slots: dict[tuple[int, int, int], Sparse[np.int32]] = {}

    def array(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """The same array, or an equal one that another rule has."""
        digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
        return self._arrays.setdefault((array.dtype.str, array.shape, digest), array)

    def slots(self, devices: I32, starts: I32, muted: Bool) -> Sparse[np.int32]:
        """The slot of each device by its id; all are `array`s of this."""
        key = id(devices), id(starts), id(muted)
        if key not in self._slots:
            slot = Sparse(self._size, np.int32(NOBODY))
            numbers = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
            slot[devices[~muted]] = numbers[~muted]
            self._slots[key] = slot
        return self._slots[key]


def _bind(rule: Rule, watched: Watched, shared: _Shared, zone: tzinfo) -> RulePlan:
    names = _attributes(rule)
    rows = watched.rows(rule.watch)
    rows, lacking = _with_attributes(rows, tuple(sorted(names)), watched)
    per = per_of(rule)
    subjects = watched.subjects(per, rows)
    rows, subjects = rows[subjects != NONE], subjects[subjects != NONE]
    rows, subjects = _in_order(rows, subjects, watched.ids)
    reports = watched.reports(rows, [part.metric for part in _parts(rule)])
    rows, subjects, reports = _complete(rows, subjects, reports)
    first = np.flatnonzero(np.diff(subjects, prepend=NONE) != 0)
    ids = shared.array(subjects[first])
    devices = shared.array(watched.ids[rows])
    starts = shared.array(np.append(first, len(rows)).astype(np.int32))
    muted = shared.array(_muted(rule, per, rows, watched))
    return RulePlan(
        rule=rule,
        metrics=tuple(BY_NAME[name].id for name in _metrics(rule)),
        subject_ids=ids,
        slot=shared.slots(devices, starts, muted),
        devices=devices,
        starts=starts,
        away=shared.array(_away(rule, per, ids, rows[first], watched)),
        reports=shared.array(reports),
        attributes=names,
        lacking=lacking,
        calendar=calendar_of(rule.active, zone),
    )


def _fed(own: RulePlan, plans: Sequence[RulePlan], watched: Watched) -> RulePlan:
    """A rule about other rules with where their subjects lie; any other as it is."""
    if not _is_index(own.rule):
        return own
    others = [p for p in plans if not _is_index(p.rule)]
    return replace(own, feeds={p.rule.code: _lying(p, own, watched) for p in others})


def _lying(other: RulePlan, own: RulePlan, watched: Watched) -> Sparse[np.int32]:
    """In which slot's area each subject of the other rule lies."""
    per = per_of(own.rule)
    if per_of(other.rule).subject is SubjectKind.AREA:
        areas = watched.around(other.subject_ids, per.area_kind)
    else:
        first = np.searchsorted(watched.ids, other.devices[other.starts[:-1]])
        areas = watched.subjects(per, first)
    lying = Sparse(len(areas), np.int32(NOBODY))
    place = np.searchsorted(own.subject_ids, areas)
    here = np.flatnonzero(np.isin(areas, own.subject_ids))
    lying[here] = place[here]
    return lying


def _with_attributes(rows: I64, names: tuple[str, ...], watched: Watched) -> tuple[I64, Lacking]:
    """Those of these rows that have all these attributes, and what the others lack."""
    if not names:
        return rows, Lacking(np.empty(0, np.int32), np.empty(0, np.int64), names)
    lacks = ~np.column_stack([watched.having(name, rows) for name in names])
    where, which = np.nonzero(lacks)
    return rows[~lacks.any(axis=1)], Lacking(watched.ids[rows[where]], which, names)


def _in_order(rows: I64, subjects: I32, ids: I32) -> tuple[I64, I32]:
    """By subject and then by device."""
    devices = ids[rows]
    if (np.diff(subjects) > 0).all():
        return rows, subjects
    order = np.lexsort((devices, subjects))
    return rows[order], subjects[order]


def per_of(rule: Rule) -> Per:
    """Whose readings this rule judges together."""
    return rule.condition.per


def about(rule: Rule) -> SubjectKind:
    """What its alerts are about: whom it judges, or where that is a name, the device."""
    condition = rule.condition
    named = isinstance(condition, Joined) and condition.same.named
    named |= isinstance(condition, Replaced)
    return SubjectKind.DEVICE if named else condition.per.subject


def _attributes(rule: Rule) -> frozenset[str]:
    """The attributes of devices that the rule cannot do without."""
    condition = rule.condition
    names = frozenset[str]().union(*(e.attributes for e in rule.expressions))
    return names | condition.attributes if isinstance(condition, Succession) else names


def _parts(rule: Rule) -> tuple[Part, ...]:
    condition = rule.condition
    return condition.parts if isinstance(condition, Joined) else ()


def _complete(rows: I64, subjects: I32, reports: Bool) -> tuple[I64, I32, Bool]:
    """Those of subjects that have a device for every part: others would lack it for ever."""
    if not reports.shape[1] or not len(rows):
        return rows, subjects, reports
    begins = np.diff(subjects, prepend=NONE) != 0
    declared = np.logical_or.reduceat(reports, np.flatnonzero(begins), axis=0).sum(axis=1)
    kept = (declared == reports.shape[1])[np.cumsum(begins) - 1]
    return rows[kept], subjects[kept], reports[kept]


def _away(rule: Rule, per: Per, ids: I32, rows: I64, watched: Watched) -> Bool:
    """rows: of the first device of each subject."""
    if not rule.unless_away or per.subject is SubjectKind.AREA:
        return np.zeros(len(ids), np.bool_)
    if per.subject is SubjectKind.HOUSEHOLD:
        return watched.households_away(ids)
    return watched.away(rows)


def _muted(rule: Rule, per: Per, rows: I64, watched: Watched) -> Bool:
    """Devices of absent people in a rule over areas: the area is judged without them."""
    if not rule.unless_away or per.subject is not SubjectKind.AREA:
        return np.zeros(len(rows), np.bool_)
    return watched.away(rows)
