"""A made-up city: who there is, and what each kind of device can say.

Of every hundred devices, which share a building and a gateway, so many are of each kind as below;
a hundred buildings are a community. Each speaks once in PASS, five minutes, monitors of vital signs
every eight hours. What they say, and of how many all is not well, is in `tests.bench_rules.stream`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from devices.instant import MINUTE, SECOND, Micros
from devices.inventory import Area, Device, Household, Inventory
from devices.kind import BY_NAME as KINDS

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN: Micros = 1_795_017_600_000_000
"""When the devices begin to speak, a midnight in ZONE: 2026-11-19, µs since the Unix epoch, UTC."""
PASS: Micros = 5 * MINUTE
HUNDRED = 100
BLOCKS = 100
"""Buildings of a community."""
HOMES = 25
"""In each hundred devices."""

FIRST_BUILDING = 1_000_001
"""The id of an area."""

_NAME = {"zh": "名", "en": "name"}


@dataclass(frozen=True, slots=True)
class Said:
    """A number of a message: ordinarily, and when all is not well; NaN: it is not said then.

    before: how long before the message's own time it was so, µs · raised: when all is not well in
    another way; None: as ordinarily.
    """

    metric: str
    ordinary: float
    alarming: float
    before: Micros = 0
    raised: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a hundred devices, and what each says. every: in one pass of so many."""

    count: int
    says: tuple[Said, ...]
    every: int = 1
    at_home: bool = False
    behind: bool = False
    attributes: Mapping[str, float] | None = None


NOT_SAID = float("nan")
EVERY_EIGHT_HOURS = 96
BATTERY = Said("battery", 80, 15)
SHARES: Mapping[str, Share] = {
    "wearable": Share(
        25,
        (
            Said("pulse", 72, 134, raised=118),
            Said("spo2", 97, 90, raised=92.5),
            BATTERY,
            Said("fall", NOT_SAID, NOT_SAID, raised=1),
        ),
        at_home=True,
    ),
    "vital_signs": Share(
        3,
        (
            Said("systolic", 128, 86, raised=96),
            Said("body_temperature", 36.6, 39.4, raised=34.7),
            Said("breathing_rate", 16, 26, raised=22),
            Said("pulse", 74, 118),
            Said("spo2", 96, 92),
        ),
        every=EVERY_EIGHT_HOURS,
        at_home=True,
    ),
    "motion_sensor": Share(25, (Said("motion", 1, 0), BATTERY), at_home=True, behind=True),
    "parking_bay": Share(12, (Said("occupied", 0, 1), BATTERY), attributes={"fire_lane": 1.0}),
    "door": Share(
        8,
        (
            Said("door_open", 0, 1),
            Said("heartbeat", 1, 1),
            Said("access_granted", 1, NOT_SAID),
            *(Said("access_denied", NOT_SAID, 1, n * SECOND) for n in (2, 1, 0)),
            Said("door_forced", NOT_SAID, NOT_SAID, raised=1),
        ),
    ),
    "water_meter": Share(8, (Said("water_volume", 0, 0), BATTERY), at_home=True),
    "sos_button": Share(
        6,
        (Said("heartbeat", 1, 0), BATTERY, Said("sos", NOT_SAID, 1)),
        at_home=True,
        behind=True,
    ),
    "smoke_detector": Share(5, (Said("smoke", 0, 1), BATTERY), at_home=True, behind=True),
    "leak_sensor": Share(2, (Said("water_leak", 0, 1), BATTERY), behind=True),
    "gas_detector": Share(2, (Said("gas", 0, 1), Said("gas_concentration", 5, 900))),
    "card_reader": Share(1, (Said("access_granted", 1, 1),)),
    "car_park": Share(1, (Said("parking_free", 60, 2),), attributes={"capacity": 100.0}),
    "barrier": Share(1, (Said("barrier_open", 0, 1), Said("heartbeat", 1, 1))),
    "gateway": Share(1, (Said("heartbeat", 1, 0),)),
}
KINDS_HERE = [kind for kind, share in SHARES.items() for _ in range(share.count)]
"""The kind of each of a hundred devices; the last is their gateway."""


def inventory(devices: int) -> Inventory:
    """So many devices, a multiple of a hundred, with the ids 1, 2, …"""
    if devices <= 0 or devices % HUNDRED:
        raise ValueError(f"{devices} devices are not a multiple of {HUNDRED}")
    blocks = devices // HUNDRED
    communities = -(-blocks // BLOCKS)
    areas = [Area(n + 1, f"c{n}", "community", None, _NAME) for n in range(communities)]
    areas += [
        Area(FIRST_BUILDING + n, f"b{n}", "building", n // BLOCKS + 1, _NAME) for n in range(blocks)
    ]
    homes = (
        Household(
            n + 1,
            f"h{n}",
            FIRST_BUILDING + n // HOMES,
            _NAME,
            care=n % 5 < 3,
            away=n % 20 == 19,
        )
        for n in range(blocks * HOMES)
    )
    return Inventory.of(areas, homes, (_device(n) for n in range(devices)))


def _device(number: int) -> Device:
    block, place = divmod(number, HUNDRED)
    kind = KINDS_HERE[place]
    share, known = SHARES[kind], KINDS[kind]
    return Device(
        id=number + 1,
        code=f"d{number}",
        community=f"c{block // BLOCKS}",
        kind=kind,
        area=FIRST_BUILDING + block,
        household=block * HOMES + place % HOMES + 1 if share.at_home else None,
        interval=known.interval,
        metrics=known.metrics,
        name=_NAME,
        attributes=share.attributes or {},
        gateway=(block + 1) * HUNDRED if share.behind else None,
    )
