"""What a test plays in: rules bound to the devices of a place, and what its things are called."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property

from devices.inventory import Device, Inventory
from rules.model import Rule, SubjectKind
from rules.plan import Plan, RulePlan, make_plan, per_of
from rules.transition import Subject

SEPARATOR = "/"
"""Between a community's code and a device's, where several communities have that device."""


@dataclass(frozen=True, eq=False)
class Scene:
    """rules: by code · zone: of local dates · members: the codes of those who can be told."""

    rules: Mapping[str, Rule]
    inventory: Inventory
    zone: tzinfo
    members: frozenset[str]

    @cached_property
    def plan(self) -> Plan:
        """The rules over the inventory."""
        return make_plan(tuple(self.rules.values()), self.inventory)

    def narrowed(self, devices: Collection[int]) -> "Scene":
        """The same with these devices alone: of the others nothing is expected, not even a word."""
        inventory = Inventory.of(
            self.inventory.areas.values(),
            self.inventory.households.values(),
            (self.inventory.devices[number] for number in sorted(devices)),
        )
        return replace(self, inventory=inventory)

    def moved(self, away: Mapping[int, bool]) -> "Scene":
        """The same where these households, by id, are away (True) or at home."""
        if not away:
            return self
        homes = self.inventory.households.values()
        inventory = Inventory.of(
            self.inventory.areas.values(),
            (replace(home, away=away.get(home.id, home.away)) for home in homes),
            self.inventory.devices.values(),
        )
        return replace(self, inventory=inventory)

    def households(self, name: str) -> list[int]:
        """The ids of the households with this code."""
        return [home.id for home in self.inventory.households.values() if home.code == name]

    def devices(self, name: str) -> list[Device]:
        """The devices that are called so, by code or by COMMUNITY/CODE."""
        community, _, code = name.rpartition(SEPARATOR)
        wanted = [community] if community else sorted(self.inventory.communities)
        found = (self.inventory.find(one, code) for one in wanted)
        return [device for device in found if device is not None]

    def bound(self, rule: str) -> RulePlan:
        """The rule with its subjects."""
        return next(own for own in self.plan.rules if own.rule.code == rule)

    def subjects(self, rule: str, name: str) -> list[Subject]:
        """What the rule could mean by this name: devices, households or areas of the place."""
        per = per_of(self.rules[rule])
        match per.subject:
            case SubjectKind.DEVICE:
                ids = [device.id for device in self.devices(name)]
            case SubjectKind.HOUSEHOLD:
                ids = self.households(name)
            case SubjectKind.AREA:
                areas = self.inventory.areas.values()
                ids = [area.id for area in areas if area.code == name]
        return [Subject(per.subject, number) for number in ids]

    def names(self, rule: str) -> list[str]:
        """The names of everything that could be this rule's subject."""
        match per_of(self.rules[rule]).subject:
            case SubjectKind.DEVICE:
                return [device.code for device in self.inventory.devices.values()]
            case SubjectKind.HOUSEHOLD:
                return [home.code for home in self.inventory.households.values()]
            case SubjectKind.AREA:
                return [area.code for area in self.inventory.areas.values()]

    def name(self, subject: Subject) -> str:
        """The code of what an alert is about."""
        match subject.kind:
            case SubjectKind.DEVICE:
                return self.device_name(subject.id)
            case SubjectKind.HOUSEHOLD:
                return self.inventory.households[subject.id].code
            case SubjectKind.AREA:
                return self.inventory.areas[subject.id].code

    def device_name(self, number: int) -> str:
        """The device's code, with its community's where that is needed."""
        device = self.inventory.devices[number]
        alone = len(self.devices(device.code)) == 1
        return device.code if alone else f"{device.community}{SEPARATOR}{device.code}"
