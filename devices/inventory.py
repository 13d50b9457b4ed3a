"""The inventory: an immutable picture of areas, households and devices at one moment.

It answers, without any I/O, where a device is: device → household → grid → community → … . The
registry (SQL) makes one after every change of the site; decoding, rules and routing only read it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.instant import Micros
from devices.kind import SILENT_AFTER_INTERVALS

COMMUNITY = "community"
"""The kind of area whose code stands in topics; each device lies in exactly one."""


def same_address(address: str) -> str:
    """Addresses are the same where these are: vendors write them in large letters or small."""
    return address.strip().casefold()


@dataclass(frozen=True, slots=True)
class Area:
    """A node of the tree of places. `name` maps 'zh' and 'en' to what people call it."""

    id: int
    code: str
    kind: str
    parent: int | None
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Household:
    """A home. `care`: somebody here is looked after; `away`: nobody is at home for now."""

    id: int
    code: str
    area: int
    name: Mapping[str, str]
    care: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A sensor or reader in service.

    area: where it is (its household's area where it is in a home) · interval: the longest it stays
    silent when healthy, µs · metrics: names it reports · attributes: numbers that rules may use as
    `device.NAME`, e.g. capacity · address: what its vendor's format calls it, e.g. a DevEUI ·
    gateway: id of the gateway that it is heard through, if it is behind one.
    """

    id: int
    code: str
    community: str
    kind: str
    area: int
    household: int | None
    interval: Micros
    metrics: tuple[str, ...]
    name: Mapping[str, str]
    attributes: Mapping[str, float] = field(default_factory=dict)
    address: str | None = None
    gateway: int | None = None

    @property
    def silent_after(self) -> Micros:
        """How long after its last reading the device counts as silent, µs."""
        return SILENT_AFTER_INTERVALS * self.interval


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """Areas, households and devices by id; `version` is the applied site's number.

    communities: the codes of the areas that are communities.
    """

    version: int
    areas: Mapping[int, Area]
    households: Mapping[int, Household]
    devices: Mapping[int, Device]
    _by_code: Mapping[tuple[str, str], Device] = field(init=False, repr=False)
    _by_address: Mapping[tuple[str, str], Device] = field(init=False, repr=False)
    communities: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = {(d.community, d.code): d for d in self.devices.values()}
        object.__setattr__(self, "_by_code", MappingProxyType(codes))
        addresses = {
            (d.community, same_address(d.address)): d for d in self.devices.values() if d.address
        }
        object.__setattr__(self, "_by_address", MappingProxyType(addresses))
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
        """An inventory of these, by their ids."""
        return cls(
            version,
            MappingProxyType({a.id: a for a in areas}),
            MappingProxyType({h.id: h for h in households}),
            MappingProxyType({d.id: d for d in devices}),
        )

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
        return self._by_code.get((community, code))

    def find_address(self, community: str, address: str) -> Device | None:
        """The device with this address in this community, as a vendor's message names it.

        A device without an address of its own goes by its code.
        """
        found = self._by_address.get((community, same_address(address)))
        return found or self._by_code.get((community, address))

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
