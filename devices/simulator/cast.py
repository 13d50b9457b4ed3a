"""Who plays: the devices and homes of an inventory as columns, in whatever number.

Rows are positions in these columns; a device's chance hangs on its community and code alone, a
home's on its community's and its own code.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from devices import topic
from devices.inventory import Device, Household, Inventory
from devices.reading import F64, I32, I64, Bool
from devices.simulator.chance import U64, bits, key_of

NOWHERE = -1


def keeps_clear(device: Device) -> bool:
    """True for a bay where nobody may park: its attribute fire_lane or hydrant is not 0."""
    return any(device.attributes.get(name, 0) for name in ("fire_lane", "hydrant"))


class Role(NamedTuple):
    """Devices of one kind that report the same metrics; rows: ascending."""

    kind: str
    metrics: frozenset[str]
    rows: I32


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """Households as columns of one length.

    id: the inventory's · residents: one or two; as many as there are wearables, where there are.
    """

    code: list[str]
    id: I64
    key: U64
    area: I32
    care: Bool
    away: Bool
    residents: I64

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: I64) -> "Homes":
        """These homes."""
        codes = [self.code[row] for row in rows.tolist()]
        return Homes(
            codes,
            self.id[rows],
            self.key[rows],
            self.area[rows],
            self.care[rows],
            self.away[rows],
            self.residents[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Relays:
    """What can fail and take devices with it: gateways, and areas for devices that name none.

    key: its chance · row: of the gateway; NOWHERE for an area · area: of the area; NOWHERE for a
    gateway.
    """

    key: U64
    row: I32
    area: I32


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Devices as columns of one length.

    id: the inventory's · key: its chance · interval: ms · home, area: positions in `homes` and
    `area_codes`, NOWHERE without · capacity: NaN without · number: the last digits of the code, or
    of its chance · copd: the attribute of that name · area_key: by area · relay: through what it is
    heard, a position in `relays`.
    """

    topic: list[bytes]
    id: I64
    key: U64
    interval: I64
    home: I32
    area: I32
    number: I32
    capacity: F64
    keeps_clear: Bool
    copd: Bool
    roles: tuple[Role, ...]
    homes: Homes
    area_codes: list[str]
    area_key: U64
    relay: I32
    relays: Relays

    @classmethod
    def of(
        cls, parts: Iterable[Inventory], seed: int, step: Callable[[], None] = lambda: None
    ) -> "Cast":
        """All devices of these inventories; `step` is told of each that was read."""
        listing = _Listing(seed)
        for part in parts:
            listing.add(part)
            step()
        return listing.cast()

    def __len__(self) -> int:
        return len(self.topic)

    def where(self, row: int) -> tuple[str, str]:
        """The codes of a device's community and its own."""
        parts = self.topic[row].decode().split("/")
        return parts[2], parts[3]

    def rows(self, kind: str, metric: str = "") -> I32:
        """All rows of this kind, of those that report this metric."""
        chosen = [r.rows for r in self.roles if r.kind == kind and metric in {"", *r.metrics}]
        return np.sort(np.concatenate([np.zeros(0, np.int32), *chosen]))


@dataclass(slots=True)
class _Listing:
    """Columns as they grow, part by part."""

    seed: int
    topics: list[bytes] = field(default_factory=list)
    devices: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    rare: dict[int, tuple[float, bool, bool]] = field(default_factory=dict)
    roles: dict[tuple[str, tuple[str, ...]], list[int]] = field(default_factory=dict)
    homes: list[tuple[str, int, int, int, bool, bool]] = field(default_factory=list)
    areas: list[str] = field(default_factory=list)
    area_keys: list[int] = field(default_factory=list)
    gateways: list[int] = field(default_factory=list)
    chunks: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(self, part: Inventory) -> None:
        areas = {number: len(self.areas) + n for n, number in enumerate(part.areas)}
        for area in part.areas.values():
            self.areas.append(area.code)
            self.area_keys.append(key_of(self.seed, "area", area.code))
        homes = {number: len(self.homes) + n for n, number in enumerate(part.households)}
        self.homes += [
            self._home(home, areas[home.area], part) for home in part.households.values()
        ]
        relays = self._gateways(part)
        for device in part.devices.values():
            home = NOWHERE if device.household is None else homes[device.household]
            via = device.id if device.gateway is None else device.gateway
            self._device(device, areas[device.area], home, relays.get(via, NOWHERE))
        self._pack()

    def _gateways(self, part: Inventory) -> dict[int, int]:
        """Positions of this part's gateways by their ids; notes the row that each will have."""
        relays: dict[int, int] = {}
        for row, device in enumerate(part.devices.values(), start=len(self.topics)):
            if device.kind == "gateway":
                relays[device.id] = len(self.gateways)
                self.gateways.append(row)
        return relays

    def _home(
        self, home: Household, area: int, part: Inventory
    ) -> tuple[str, int, int, int, bool, bool]:
        community = part.community_of(home.area)
        key = key_of(self.seed, "home", community.code if community else "", home.code)
        return home.code, home.id, key, area, home.care, home.away

    def _device(self, device: Device, area: int, home: int, relay: int) -> None:
        row = len(self.topics)
        key = key_of(self.seed, "device", device.community, device.code)
        digits = device.code[len(device.code.rstrip("0123456789")) :][-6:]
        number = int(digits) if digits else key % 1_000
        self.topics.append(topic.up(device.community, device.code).encode())
        self.devices.append((device.id, key, device.interval // 1_000, home, area, number, relay))
        if device.attributes:
            known = device.attributes
            capacity = float(known.get("capacity", np.nan))
            self.rare[row] = (capacity, keeps_clear(device), bool(known.get("copd", 0)))
        self.roles.setdefault((device.kind, device.metrics), []).append(row)

    def _pack(self) -> None:
        """Rows of a part into arrays, so that a city is not held as a million tuples."""
        columns = zip(*self.devices, strict=True) if self.devices else [()] * 7
        types = (np.int64, np.uint64, np.int64, np.int32, np.int32, np.int32, np.int32)
        packed = [np.array(c, t) for c, t in zip(columns, types, strict=True)]
        self.chunks.append(tuple(packed))
        self.devices.clear()

    def cast(self) -> Cast:
        columns = [np.concatenate(c) for c in zip(*self.chunks, strict=True)]
        identity, key, interval, home, area, number, relay = columns
        area_key, gateways = np.array(self.area_keys, np.uint64), np.array(self.gateways, np.int32)
        capacity = np.full(len(key), np.nan)
        clear, copd = np.zeros(len(key), bool), np.zeros(len(key), bool)
        for row, (places, is_clear, has_copd) in self.rare.items():
            capacity[row], clear[row], copd[row] = places, is_clear, has_copd
        return Cast(
            topic=self.topics,
            id=identity,
            key=key,
            interval=interval,
            home=home,
            area=area,
            number=number,
            capacity=capacity,
            keeps_clear=clear,
            copd=copd,
            roles=_roles(self.roles),
            homes=self._homes(home, _roles(self.roles)),
            area_codes=self.areas,
            area_key=area_key,
            relay=np.where(relay == NOWHERE, area, len(area_key) + relay).astype(np.int32),
            relays=_relays(area_key, key[gateways], gateways),
        )

    def _homes(self, home: I32, roles: tuple[Role, ...]) -> Homes:
        codes, ids, keys, areas, care, away = (
            zip(*self.homes, strict=True) if self.homes else [()] * 6
        )
        key = np.array(keys, np.uint64)
        worn = [home[role.rows] for role in roles if role.kind == "wearable"]
        wearers = np.concatenate([np.zeros(0, np.int32), *worn])
        people = np.bincount(wearers[wearers != NOWHERE], minlength=len(key))
        chance = 1 + (bits(key, "residents") & np.uint64(1)).astype(np.int64)
        return Homes(
            list(codes),
            np.array(ids, np.int64),
            key,
            np.array(areas, np.int32),
            np.array(care, bool),
            np.array(away, bool),
            np.where(people > 0, np.minimum(people, 2), chance),
        )


def _relays(area_key: U64, gateway_key: U64, gateways: I32) -> Relays:
    areas = np.arange(len(area_key), dtype=np.int32)
    return Relays(
        key=np.concatenate([area_key, gateway_key]),
        row=np.concatenate([np.full_like(areas, NOWHERE), gateways]),
        area=np.concatenate([areas, np.full_like(gateways, NOWHERE)]),
    )


def _roles(found: Mapping[tuple[str, tuple[str, ...]], list[int]]) -> tuple[Role, ...]:
    return tuple(
        Role(kind, frozenset(metrics), np.array(rows, np.int32))
        for (kind, metrics), rows in sorted(found.items())
    )
