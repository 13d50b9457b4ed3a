"""Rules bound to an inventory: whose readings each rule judges, as arrays to index by device id."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from devices.columns import NONE
from devices.inventory import Inventory
from devices.kind import SILENT_AFTER_INTERVALS
from devices.metric import BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules.model import Per, RiskIndex, Rule, SubjectKind
from rules.sparse import Sparse
from rules.transition import Subject
from rules.watched import Watched

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
    True where the rule does not look for now. Rules with the same subjects share these arrays.
    feeds: of rules about other rules, by their code: the slot here of the area that each of their
    subjects lies in, NOBODY where in none.
    """

    rule: Rule
    metrics: tuple[int, ...]
    subject_ids: I32
    slot: Sparse[np.int32]
    devices: I32
    starts: I32
    away: Bool
    attributes: frozenset[str]
    lacking: Lacking
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
    those that any device is behind, ascending.
    """

    rules: tuple[RulePlan, ...]
    size: int
    silent_after: I64
    attributes: Mapping[str, F64]
    gateway: I32
    gateways: I32


def make_plan(rules: Sequence[Rule], inventory: Inventory) -> Plan:
    """These rules over this inventory.

    A rule looks at the devices that declare its metric, pass its filters and have every attribute
    that it uses; those without are told of in `RulePlan.inapplicable`.
    """
    watched = Watched(inventory)
    ids = watched.ids
    size = int(ids.max(initial=-1)) + 1
    shared = _Shared(size)
    plans = tuple(_bind(rule, watched, shared) for rule in rules)
    plans = tuple(_fed(own, plans, watched) for own in plans)
    names = frozenset[str]().union(*(plan.attributes for plan in plans))
    attributes = {name: _spread(watched.attribute(name), ids, size) for name in sorted(names)}
    gateway = _gateways(inventory, size)
    gateways = np.unique(gateway[gateway != NOBODY])
    return Plan(plans, size, _silent_after(inventory, size), attributes, gateway, gateways)


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
        self._arrays: dict[tuple[str, int, bytes], npt.NDArray[Any]] = {}
        self._slots: dict[tuple[int, int, int], Sparse[np.int32]] = {}

    def array(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """The same array, or an equal one that another rule has."""
        digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
        return self._arrays.setdefault((array.dtype.str, len(array), digest), array)

    def slots(self, devices: I32, starts: I32, muted: Bool) -> Sparse[np.int32]:
        """The slot of each device by its id; all are `array`s of this."""
        key = id(devices), id(starts), id(muted)
        if key not in self._slots:
            slot = Sparse(self._size, np.int32(NOBODY))
            numbers = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
            slot[devices[~muted]] = numbers[~muted]
            self._slots[key] = slot
        return self._slots[key]


def _bind(rule: Rule, watched: Watched, shared: _Shared) -> RulePlan:
    names = frozenset[str]().union(*(e.attributes for e in rule.condition.expressions))
    rows = watched.rows(rule.watch)
    rows, lacking = _with_attributes(rows, tuple(sorted(names)), watched)
    per = per_of(rule)
    subjects = watched.subjects(per, rows)
    rows, subjects = rows[subjects != NONE], subjects[subjects != NONE]
    rows, subjects = _in_order(rows, subjects, watched.ids)
    first = np.flatnonzero(np.diff(subjects, prepend=NONE) != 0)
    ids = shared.array(subjects[first])
    devices = shared.array(watched.ids[rows])
    starts = shared.array(np.append(first, len(rows)).astype(np.int32))
    muted = shared.array(_muted(rule, per, rows, watched))
    return RulePlan(
        rule=rule,
        metrics=tuple(BY_NAME[name].id for name in rule.watch.metrics),
        subject_ids=ids,
        slot=shared.slots(devices, starts, muted),
        devices=devices,
        starts=starts,
        away=shared.array(_away(rule, per, ids, rows, watched)),
        attributes=names,
        lacking=lacking,
    )


def _fed(own: RulePlan, plans: Sequence[RulePlan], watched: Watched) -> RulePlan:
    """A rule about other rules with where their subjects lie; any other as it is."""
    if not isinstance(own.rule.condition, RiskIndex):
        return own
    others = [p for p in plans if not isinstance(p.rule.condition, RiskIndex)]
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


def _away(rule: Rule, per: Per, ids: I32, rows: I64, watched: Watched) -> Bool:
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
