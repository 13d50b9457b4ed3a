"""Which rule keeps which from being told, and where: bound to an inventory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np

from devices.columns import NONE
from devices.inventory import Inventory
from devices.reading import I32
from rules.model import Rule, SubjectKind
from rules.transition import Subject


def in_order(rules: Sequence[Rule]) -> tuple[int, ...]:
    """The numbers of the rules that others may keep quiet, each after those that may.

    A rule that is not there keeps none quiet. The loader refuses circles; with one they are in the
    rules' own order.
    """
    number = {rule.code: i for i, rule in enumerate(rules)}
    graph = {
        i: [number[code] for code in rule.unless if code in number]
        for i, rule in enumerate(rules)
        if rule.unless
    }
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        order = tuple(graph)
    return tuple(i for i in order if i in graph)


def circle(unless: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Rules each kept quiet by the next, the first again at the end; () where there are none."""
    try:
        TopologicalSorter(unless).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """Of which subjects an alert counts at another. ids: by rule number, those of its subjects."""

    inventory: Inventory
    kinds: Sequence[SubjectKind]
    ids: Sequence[I32]
    _of_homes: dict[int, tuple[I32, I32]] = field(default_factory=dict)

    def slots(self, rule: int, subject: Subject) -> Sequence[int]:
        """The slots of this rule that are about the subject, what it is in, or its own devices."""
        kind, ids = self.kinds[rule], self.ids[rule]
        if kind is SubjectKind.AREA:
            return _found(ids, self._areas(subject))
        if subject.kind is SubjectKind.AREA:
            return ()
        if kind is subject.kind:
            return _found(ids, [subject.id])
        if kind is SubjectKind.HOUSEHOLD:
            return _found(ids, [self._home(subject.id)])
        return self._at_home(rule, subject.id)

    def _home(self, device: int) -> int:
        household = self.inventory.devices[device].household
        return NONE if household is None else household

    def _areas(self, subject: Subject) -> Sequence[int]:
        inventory = self.inventory
        match subject.kind:
            case SubjectKind.DEVICE:
                return inventory.path(inventory.devices[subject.id].area)
            case SubjectKind.HOUSEHOLD:
                return inventory.path(inventory.households[subject.id].area)
            case SubjectKind.AREA:
                return inventory.path(subject.id)

    def _at_home(self, rule: int, household: int) -> Sequence[int]:
        """The slots of a rule over devices that are in this household."""
        if rule not in self._of_homes:
            devices = self.inventory.devices
            homes = devices.household[devices.rows(self.ids[rule])]
            order = np.argsort(homes, kind="stable").astype(np.int32)
            self._of_homes[rule] = homes[order], order
        homes, order = self._of_homes[rule]
        begin, end = np.searchsorted(homes, [household, household + 1])
        slots: list[int] = order[begin:end].tolist()
        return slots


def _found(ids: I32, wanted: Sequence[int]) -> list[int]:
    """The places of these in ascending ids."""
    places = np.searchsorted(ids, np.array(wanted, np.int32))
    pairs = zip(places.tolist(), wanted, strict=True)
    return [place for place, one in pairs if place < len(ids) and int(ids[place]) == one]
