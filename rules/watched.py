"""The devices of an inventory as rules choose among them: whole columns at once.

Rows are those of `Inventory.devices`.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from devices.columns import NONE
from devices.inventory import Inventory
from devices.reading import F64, I32, I64, Bool
from rules.model import Per, SubjectKind, Watch


class Watched:
    """An inventory's devices, with what several rules ask of all of them kept."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._devices = inventory.devices
        self.ids: I32 = inventory.devices.ids
        self._attributes: dict[str, F64] = {}

    def rows(self, watch: Watch) -> I64:
        """Those that declare a metric, if it names any, and pass the filters; ascending."""
        rows = np.flatnonzero(self._of_model(watch))
        if watch.devices:
            rows = rows[np.isin(rows, self._called(watch.devices))]
        if watch.care is not None:
            rows = rows[self._care[rows] if watch.care else self._careless[rows]]
        if watch.areas:
            rows = rows[np.isin(self._devices.area[rows], self._below(watch.areas))]
        return rows

    def subjects(self, per: Per, rows: I64) -> I32:
        """Whom each of these devices is judged with, by id; NONE where with nobody."""
        if per.subject is SubjectKind.DEVICE:
            return self._groups(per.attribute, rows) if per.attribute else self.ids[rows]
        if per.subject is SubjectKind.HOUSEHOLD:
            return self._devices.household[rows]
        around = self.around(self._areas, per.area_kind)
        return around[np.searchsorted(self._areas, self._devices.area[rows])]

    def reports(self, rows: I64, metrics: Sequence[str]) -> Bool:
        """Which of these metrics each of these devices declares, bool (k, len(metrics))."""
        models = [[name in model.metrics for name in metrics] for model in self._devices.models]
        declared = np.array(models, np.bool_).reshape(len(models), len(metrics))
        return declared[self._devices.model[rows]]

    def around(self, areas: I32, kind: str) -> I32:
        """The nearest area of this kind that each of these is or lies in; NONE if there is none."""
        return np.array([self._around(area, kind) for area in areas.tolist()], np.int32)

    def away(self, rows: I64) -> Bool:
        """Which of these are in a household where nobody is for now."""
        return self._away[rows]

    def households_away(self, ids: I32) -> Bool:
        """In which of these households nobody is for now."""
        households = self._inventory.households
        return households.away[households.rows(ids)]

    def having(self, name: str, rows: I64) -> Bool:
        """Which of these have this attribute."""
        return self._devices.having(name)[rows]

    def attribute(self, name: str) -> F64:
        """This attribute of all devices, NaN where it lacks."""
        return self._devices.attribute(name)

    def _groups(self, attribute: str, rows: I64) -> I32:
        """The first of the devices in the same area that have the same number in the attribute.

        One that lacks it stands for itself.
        """
        number, area, ids = (
            self.attribute(attribute)[rows],
            self._devices.area[rows],
            self.ids[rows],
        )
        alone = np.where(np.isnan(number), ids, -1)
        order = np.lexsort((ids, alone, number, area))
        new = np.ones(len(order), np.bool_)
        for column in (area, np.nan_to_num(number), alone):
            ordered = column[order]
            new[1:] &= ordered[1:] == ordered[:-1]
        new = ~new | (np.arange(len(order)) == 0)
        begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
        first = np.empty(len(order), np.int32)
        first[order] = ids[order][begin]
        return first

    def _of_model(self, watch: Watch) -> Bool:
        fits = [
            (not watch.metrics or not set(watch.metrics).isdisjoint(model.metrics))
            and (not watch.kinds or model.kind in watch.kinds)
            for model in self._devices.models
        ]
        return np.array(fits, np.bool_)[self._devices.model]

    def _called(self, codes: frozenset[str]) -> I64:
        communities = {model.community for model in self._devices.models}
        found = [self._devices.find(c, code) for c in communities for code in codes]
        return np.array(found, np.int64)

    def _below(self, codes: frozenset[str]) -> I32:
        """The areas with devices that have one of these codes, or lie in one that has."""
        inventory = self._inventory
        inside = [
            area
            for area in self._areas.tolist()
            if any(inventory.areas[a].code in codes for a in inventory.path(area))
        ]
        return np.array(inside, np.int32)

    def _around(self, area: int, kind: str) -> int:
        """The nearest area of this kind, going up."""
        areas = self._inventory.areas
        path = self._inventory.path(area)
        return next((a for a in path if areas[a].kind == kind), NONE)

    @cached_property
    def _areas(self) -> I32:
        """The areas in which devices are, ascending."""
        return np.unique(self._devices.area)

    @cached_property
    def _care(self) -> Bool:
        return self._at_home(self._inventory.households.care)

    @cached_property
    def _careless(self) -> Bool:
        return self._at_home(~self._inventory.households.care)

    @cached_property
    def _away(self) -> Bool:
        return self._at_home(self._inventory.households.away)

    def _at_home(self, flags: Bool) -> Bool:
        """A flag of its household for each device; False where it is in none."""
        home = self._inventory.households.rows(self._devices.household)
        at_home = home >= 0
        at_home[at_home] = flags[home[at_home]]
        return at_home
