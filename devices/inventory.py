"""The inventory: an immutable picture of areas, households and devices at one moment.

It answers, without any I/O, where a device is: device → household → grid → community → … . The
registry (SQL) makes one after every change of the site; decoding, rules and routing only read it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.columns import DeviceColumns, HouseholdColumns, same_address
from devices.gathering import devices_of, households_of
from devices.registered import Area, Device, Household

__all__ = ["COMMUNITY", "Area", "Device", "Household", "Inventory", "same_address"]

COMMUNITY = "community"
"""The kind of area whose code stands in topics; each device lies in exactly one."""


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """Areas, households and devices by id; `version` is the applied site's number.

    communities: the codes of the areas that are communities.
    """

    version: int
    areas: Mapping[int, Area]
    households: HouseholdColumns
    devices: DeviceColumns
    communities: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        communities = frozenset(a.code for a in self.areas.values() if a.kind == COMMUNITY)
        object.__setattr__(self, "communities", communities)

    @classmethod
    def of(
        cls,
        areas: Iterable[Area],
        households: Iterable[Household],
        devices: Iterable[Device],
        *,
        version: int = 0,
    ) -> "Inventory":
        """An inventory of these, by their ids; of those with one id the last counts."""
        known = MappingProxyType({a.id: a for a in areas})
        return cls(version, known, households_of(households), devices_of(devices))

    def of_communities(self, communities: Collection[str]) -> "Inventory":
        """What of it lies in these communities, and the areas above all communities."""
        wanted = {
            area.id
            for area in self.areas.values()
            if (own := self.community_of(area.id)) is None or own.code in communities
        }
        return Inventory.of(
            (a for a in self.areas.values() if a.id in wanted),
            (h for h in self.households.values() if h.area in wanted),
            (d for d in self.devices.values() if d.community in communities),
            version=self.version,
        )

    def find(self, community: str, code: str) -> Device | None:
        """The device with this code in this community, as a topic names it."""
        row = self.devices.find(community, code)
        return None if row < 0 else self.devices.at(row)

    def find_id(self, community: str, code: str) -> int:
        """The id of that device, 0 if there is none; quicker than `find`."""
        row = self.devices.find(community, code)
        return 0 if row < 0 else self.devices.id_at(row)

    def find_address(self, community: str, address: str) -> Device | None:
        """The device with this address in this community, as a vendor's message names it.

        A device without an address of its own goes by its code.
        """
        row = self.devices.find_address(community, address)
        return self.find(community, address) if row < 0 else self.devices.at(row)

    def path(self, area: int | None) -> tuple[int, ...]:
        """Area ids from this one up to the root, the deepest first."""
        path: list[int] = []
        while area is not None:
            path.append(area)
            area = self.areas[area].parent
        return tuple(path)

    def community_of(self, area: int) -> Area | None:
        """The community that this area is or lies in."""
        above = (self.areas[a] for a in self.path(area))
        return next((a for a in above if a.kind == COMMUNITY), None)
