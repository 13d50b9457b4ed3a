"""Rules bound to an inventory: whose readings each rule judges, as arrays to index by device id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from devices.instant import Micros
from devices.inventory import Device, Inventory
from devices.metric import BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules.expression import Expression
from rules.model import CountInWindow, Per, Rule, SubjectKind, Threshold, Watch
from rules.transition import Subject

NOBODY = -1
"""In `RulePlan.slot`: this device's readings are not judged. In `Plan.gateway`: there is none."""


class Inapplicable(NamedTuple):
    """A watched device that a rule cannot judge, for want of an attribute that the rule uses."""

    device: int
    attribute: str


@dataclass(frozen=True, slots=True, eq=False)
class RulePlan:
    """One rule's subjects, n of them in slots 0 … n-1 by ascending id, and their m devices.

    subject_ids: int32 (n,) · slot: int32, by device id, NOBODY where not judged · devices: int32
    (m,), ids by slot and then by id · starts: int64 (n + 1,), slot k has devices[starts[k]:starts
    [k + 1]] · away: bool (n,), True where the rule does not look for now.
    """

    rule: Rule
    metric: int
    subjects: tuple[Subject, ...]
    subject_ids: I32
    slot: I32
    devices: I32
    starts: I64
    away: Bool
    attributes: frozenset[str]
    inapplicable: tuple[Inapplicable, ...]

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
    size = max(inventory.devices, default=-1) + 1
    by_metric = _by_metric(inventory.devices.values())
    plans = tuple(
        _bind(rule, by_metric.get(rule.watch.metric, ()), inventory, size) for rule in rules
    )
    silent_after = np.zeros(size, np.int64)
    for device in inventory.devices.values():
        silent_after[device.id] = device.silent_after
    names = frozenset[str]().union(*(plan.attributes for plan in plans))
    attributes = {name: _attribute(name, inventory, size) for name in sorted(names)}
    gateway = _gateways(inventory, size)
    gateways = np.unique(gateway[gateway != NOBODY])
    return Plan(plans, size, silent_after, attributes, gateway, gateways)


def _gateways(inventory: Inventory, size: int) -> I32:
    gateway = np.full(size, NOBODY, np.int32)
    for device in inventory.devices.values():
        if device.gateway is not None and device.gateway in inventory.devices:
            gateway[device.id] = device.gateway
    return gateway


def _by_metric(devices: Iterable[Device]) -> Mapping[str, Sequence[Device]]:
    by_metric: dict[str, list[Device]] = {}
    for device in devices:
        for name in device.metrics:
            by_metric.setdefault(name, []).append(device)
    return by_metric


def _attribute(name: str, inventory: Inventory, size: int) -> F64:
    column = np.full(size, np.nan)
    for device in inventory.devices.values():
        if name in device.attributes:
            column[device.id] = device.attributes[name]
    return column


def _bind(rule: Rule, candidates: Iterable[Device], inventory: Inventory, size: int) -> RulePlan:
    names = frozenset[str]().union(*(e.attributes for e in _expressions(rule)))
    watched = [d for d in candidates if _passes(rule.watch, d, inventory)]
    lacking = tuple(
        Inapplicable(d.id, name) for d in watched for name in sorted(names - d.attributes.keys())
    )
    able = [d for d in watched if names <= d.attributes.keys()]
    per = per_of(rule)
    pairs = sorted((s, d.id) for d in able if (s := _subject(per, d, inventory)) is not None)
    ids, first = np.unique(np.array([s for s, _ in pairs], np.int32), return_index=True)
    devices = np.array([d for _, d in pairs], np.int32)
    starts = np.append(first, len(pairs)).astype(np.int64)
    away = _away(rule, per, ids, inventory)
    return RulePlan(
        rule=rule,
        metric=BY_NAME[rule.watch.metric].id,
        subjects=tuple(Subject(per.subject, i) for i in ids.tolist()),
        subject_ids=ids,
        slot=_slots(devices, starts, _muted(rule, per, devices, inventory), size),
        devices=devices,
        starts=starts,
        away=away,
        attributes=names,
        inapplicable=lacking,
    )


def per_of(rule: Rule) -> Per:
    """Whose readings this rule judges together."""
    if isinstance(rule.condition, Threshold):
        return Per(SubjectKind.DEVICE)
    return rule.condition.per


def window_of(rule: Rule) -> Micros:
    """The rule's own span in µs: how long a state must last, be absent, or how wide to count."""
    condition = rule.condition
    return condition.within if isinstance(condition, CountInWindow) else condition.lasting


def _expressions(rule: Rule) -> list[Expression]:
    written = [rule.condition.when]
    if isinstance(rule.condition, Threshold):
        written.append(rule.condition.clear)
    return [expression for expression in written if expression is not None]


def _passes(watch: Watch, device: Device, inventory: Inventory) -> bool:
    if watch.kinds and device.kind not in watch.kinds:
        return False
    if watch.devices and device.code not in watch.devices:
        return False
    if watch.care is not None:
        household = inventory.households.get(device.household) if device.household else None
        if household is None or household.care is not watch.care:
            return False
    path = inventory.path(device.area) if watch.areas else ()
    return not watch.areas or any(inventory.areas[a].code in watch.areas for a in path)


def _subject(per: Per, device: Device, inventory: Inventory) -> int | None:
    if per.subject is SubjectKind.DEVICE:
        return device.id
    if per.subject is SubjectKind.HOUSEHOLD:
        return device.household
    path = inventory.path(device.area)
    return next((a for a in path if inventory.areas[a].kind == per.area_kind), None)


def _is_away(device: int, inventory: Inventory) -> bool:
    household = inventory.devices[device].household
    return household is not None and inventory.households[household].away


def _away(rule: Rule, per: Per, ids: I32, inventory: Inventory) -> Bool:
    if not rule.unless_away or per.subject is SubjectKind.AREA:
        return np.zeros(len(ids), np.bool_)
    if per.subject is SubjectKind.HOUSEHOLD:
        return np.array([inventory.households[i].away for i in ids.tolist()], np.bool_)
    return np.array([_is_away(i, inventory) for i in ids.tolist()], np.bool_)


def _muted(rule: Rule, per: Per, devices: I32, inventory: Inventory) -> Bool:
    """Devices of absent people in a rule over areas: the area is judged without them."""
    if not rule.unless_away or per.subject is not SubjectKind.AREA:
        return np.zeros(len(devices), np.bool_)
    return np.array([_is_away(d, inventory) for d in devices.tolist()], np.bool_)


def _slots(devices: I32, starts: I64, muted: Bool, size: int) -> I32:
    slot = np.full(size, NOBODY, np.int32)
    slot[devices] = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    slot[devices[muted]] = NOBODY
    return slot
