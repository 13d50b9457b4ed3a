"""A made-up city of the size of Daqing: streets, communities, grids, buildings, homes, devices.

33 streets, 258 communities, 2 781 562 residents of whom 398 530 are 60 or older (docs/simulator.md
has the source); the shape of a grid is our choice. Only homes of older people are registered, with
one or two of them in turn, and every one of these homes has care sensors; the other households of a
grid of 300 to 500 are seen at its doors and in its car park.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from devices.kind import BY_NAME
from devices.simulator.chance import key_of
from devices.simulator.parts import Part
from devices.site import AreaEntry, DeviceEntry, DutyEntry, HouseholdEntry, MemberEntry, Origin

RESIDENTS: Final = 2_781_562
ELDERS: Final = 398_530
COMMUNITIES: Final = 258
STREETS: Final = 33

_PER_HOUSEHOLD: Final = 2.6
_GRID_HOUSEHOLDS: Final = 400
_BUILDINGS: Final = 6
_DOORS: Final = 2
_APART: Final = 20.0
"""Metres between two doors of a building."""

_FLOORS_WATCHED: Final = (1, 3, 5)
_BAYS: Final = 20
_PLACES: Final = 120
_COPD_OF_100: Final = 3
"""Of a hundred wearables so many are of somebody whose blood oxygen is low for good; our choice."""

_HERE: Final = Origin("generated", 1)
_SURNAMES: Final = (
    ("王", "Wang"),
    ("李", "Li"),
    ("张", "Zhang"),
    ("刘", "Liu"),
    ("陈", "Chen"),
    ("杨", "Yang"),
    ("赵", "Zhao"),
    ("孙", "Sun"),
    ("周", "Zhou"),
    ("吴", "Wu"),
)
_GIVEN: Final = (
    ("敏", "Min"),
    ("静", "Jing"),
    ("强", "Qiang"),
    ("磊", "Lei"),
    ("洋", "Yang"),
    ("艳", "Yan"),
    ("勇", "Yong"),
    ("杰", "Jie"),
    ("娟", "Juan"),
    ("涛", "Tao"),
)


@dataclass(frozen=True, slots=True)
class CityPlan:
    """How large: communities, and residents of 60 or older in all of them."""

    communities: int = COMMUNITIES
    elders: int = ELDERS

    @property
    def streets(self) -> int:
        """As many as Daqing has for that number of communities."""
        return max(1, round(self.communities * STREETS / COMMUNITIES))

    def elders_in(self, number: int) -> int:
        """How many live in this community, counted from 0: equal shares."""
        return self.elders // self.communities + (number < self.elders % self.communities)

    def parts(self) -> Iterator[Part]:
        """Its communities, one after the other."""
        return (_Community(self, number).part() for number in range(self.communities))


class _Community:
    """One community as it is built up."""

    def __init__(self, plan: CityPlan, number: int) -> None:
        self._code = f"c{number + 1:03d}"
        self._number = number + 1
        self._elders = plan.elders_in(number)
        street = number % plan.streets + 1
        self._areas = [
            _area("daqing", "city", None, "大庆（模拟）", "Daqing (simulated)"),
            _area(f"street-{street:02d}", "street", "daqing", f"{street}街道", f"Street {street}"),
        ]
        zh, en = f"{self._number}社区", f"Community {self._number}"
        self._areas.append(_area(self._code, "community", f"street-{street:02d}", zh, en))
        self._homes: list[HouseholdEntry] = []
        self._devices: list[DeviceEntry] = []
        self._members: list[MemberEntry] = []
        self._duties: list[DutyEntry] = []

    def part(self) -> Part:
        """The community with everything in it."""
        grids = self._grids()
        for grid in range(1, grids + 1):
            self._grid(grid)
        elders = self._elders
        buildings = grids * _BUILDINGS
        number = 0
        while elders > 0:
            number += 1
            living = min(elders, 1 + number % 2)
            self._home(number, number % buildings, living)
            elders -= living
        self._people(grids)
        return Part(
            self._code, self._areas, self._homes, self._devices, self._members, self._duties
        )

    def _grids(self) -> int:
        """Grids of some 400 households, of which the older people's are a part."""
        households = self._elders * RESIDENTS / ELDERS / _PER_HOUSEHOLD
        return max(1, round(households / _GRID_HOUSEHOLDS))

    def _building(self, number: int) -> str:
        grid, building = divmod(number, _BUILDINGS)
        return f"{self._code}-g{grid + 1:02d}-b{building + 1}"

    def _grid(self, grid: int) -> None:
        code = f"{self._code}-g{grid:02d}"
        self._areas.append(_area(code, "grid", self._code, f"第{grid}网格", f"Grid {grid}"))
        self._areas.append(_area(f"{code}-lot", "parking", code, "停车场", "Car Park"))
        self._areas.append(_area(f"{code}-lane", "fire_lane", code, "消防通道", "Fire Lane"))
        lot, name = f"{code}-lot", f"{grid:02d}"
        self._device(f"car-park-{name}", "car_park", lot, capacity=_PLACES)
        self._device(f"barrier-{name}", "barrier", lot)
        self._device(f"lane-{name}", "parking_bay", f"{code}-lane", fire_lane=1)
        for bay in range(1, _BAYS + 1):
            self._device(f"bay-{name}-{bay:03d}", "parking_bay", lot)
        for building in range(1, _BUILDINGS + 1):
            self._shared(grid, building, f"{code}-b{building}")

    def _shared(self, grid: int, building: int, area: str) -> None:
        """What a building has: doors, a gateway, smoke detectors, a lift in every third one."""
        zh, en = f"{building}号楼", f"Building {building}"
        self._areas.append(_area(area, "building", area.rpartition("-")[0], zh, en))
        name = f"{grid:02d}-{building}"
        for door in range(1, _DOORS + 1):
            x, y = _place(grid, building)
            self._device(f"door-{name}-{door}", "door", area, x=x + _APART * door, y=y)
        self._device(self._gateway(area), "gateway", area)
        for floor in _FLOORS_WATCHED:
            self._device(f"smoke-{name}-f{floor}", "smoke_detector", area)
        if building % 3 == 0:
            self._device(f"lift-{name}", "card_reader", area)

    def _home(self, number: int, building: int, living: int) -> None:
        code = f"{self._code}-h{number:04d}"
        area = self._building(building)
        name = _name(f"{number}户", f"Home {number}")
        self._homes.append(HouseholdEntry(code, area, name, True, False, _HERE))
        kinds = ("sos_button", "motion_sensor", "water_meter", "smoke_detector")
        for kind in (*kinds, "gas_detector", "leak_sensor"):
            gateway = None if kind == "water_meter" else self._gateway(area)
            self._device(f"{_SHORT[kind]}-{number:04d}", kind, area, code, gateway=gateway)
        for person in range(1, living + 1):
            device = f"watch-{number:04d}-{person}"
            copd = key_of(0, self._code, device) % 100 < _COPD_OF_100
            self._device(device, "wearable", area, code, copd=int(copd))

    def _gateway(self, building: str) -> str:
        return f"gw{building.removeprefix(self._code)}"

    def _device(
        self,
        code: str,
        kind: str,
        area: str,
        home: str | None = None,
        *,
        gateway: str | None = None,
        **attributes: float,
    ) -> None:
        known = BY_NAME[kind]
        self._devices.append(
            DeviceEntry(
                code=code,
                community=self._code,
                kind=kind,
                area=area,
                household=home,
                interval=known.interval,
                metrics=known.metrics,
                name=_KIND_NAMES[kind],
                attributes=attributes,
                address=None,
                gateway=gateway,
                origin=_HERE,
            )
        )

    def _people(self, grids: int) -> None:
        """Somebody for every category everywhere: one a grid, and four for the community."""
        for grid in range(1, grids + 1):
            code = f"{self._code}-g{grid:02d}"
            self._on_duty(code, code, "grid_member", {"parking", "access", "safety"})
        for word, role, categories in (
            ("care", "care_contact", {"care"}),
            ("police", "police_officer", {"access"}),
            ("duty", "duty_officer", None),
        ):
            self._on_duty(f"{self._code}-{word}", self._code, role, categories)

    def _on_duty(self, member: str, area: str, role: str, categories: set[str] | None) -> None:
        chance = key_of(0, "member", member)
        surname, given = _SURNAMES[chance % 10], _GIVEN[chance // 10 % 10]
        name = _name(surname[0] + given[0], f"{surname[1]} {given[1]}")
        self._members.append(MemberEntry(member, name, None, "zh", _HERE))
        chosen = None if categories is None else frozenset(categories)
        self._duties.append(DutyEntry(member, area, role, chosen, None, None, _HERE))


def _place(grid: int, building: int) -> tuple[float, float]:
    """Where a building stands, metres: three in a row, grids beside each other in rows of ten."""
    across, along = divmod(building - 1, 3)
    return (grid % 10) * 400.0 + along * 100.0, (grid // 10) * 300.0 + across * 100.0


_SHORT: Mapping[str, str] = {
    "sos_button": "sos",
    "motion_sensor": "motion",
    "water_meter": "water",
    "smoke_detector": "smoke",
    "gas_detector": "gas",
    "leak_sensor": "leak",
}


def _name(zh: str, en: str) -> Mapping[str, str]:
    return {"zh": zh, "en": en}


_KIND_NAMES = {
    kind.name: _name(kind.zh, kind.en[:1].upper() + kind.en[1:]) for kind in BY_NAME.values()
}


def _area(code: str, kind: str, parent: str | None, zh: str, en: str) -> AreaEntry:
    return AreaEntry(code, kind, parent, _name(zh, en), _HERE)
