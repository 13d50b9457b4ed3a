"""An area, a household, a device: what a site registers, each as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devices.instant import Micros
from devices.kind import SILENT_AFTER_INTERVALS


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
