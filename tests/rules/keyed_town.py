"""Two communities with devices of many kinds, for rules of every kind with every key.

Times are whole units: of a second, or of more where rules look at hours and days.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from devices.inventory import Area, Device, Household, Inventory
from tests.rules.community import NAME, device

COMMUNITY, BUILDING, OTHER_BUILDING, FAR_COMMUNITY, FAR_BUILDING = 1, 2, 3, 4, 5
HOME, OTHER_HOME, AWAY_HOME, FAR_HOME = 1, 2, 3, 4

MONITOR, SCALE_2, AWAY_MONITOR, FAR_MONITOR = 1, 2, 3, 21
BAYS, FAR_BAYS = (4, 5, 6), (22, 23)
SMOKES, FAR_SMOKES = (7, 8, 9), (24, 25)
DOORS, FAR_DOOR = (10, 11), 26
METERS, FAR_METER = (12, 13), 27
MOTION, BUTTON = 14, 15
GATE, EXIT, FAR_GATE, FAR_EXIT = 16, 17, 28, 29
GATEWAY, FAR_GATEWAY = 18, 30
BEHIND: Mapping[int, int] = {
    MONITOR: GATEWAY,
    BAYS[0]: GATEWAY,
    SMOKES[0]: GATEWAY,
    DOORS[0]: GATEWAY,
    METERS[0]: GATEWAY,
    EXIT: GATEWAY,
    MOTION: GATEWAY,
    FAR_DOOR: FAR_GATEWAY,
    FAR_BAYS[0]: FAR_GATEWAY,
}

VITALS = (
    "pulse",
    "spo2",
    "breathing_rate",
    "systolic",
    "body_temperature",
    "oxygen_flow",
    "consciousness",
)
DOOR_METRICS = ("access_granted", "access_denied", "door_open", "heartbeat")


def _near() -> tuple[Device, ...]:
    first, second = DOORS
    return (
        device(MONITOR, "vital_signs", VITALS, household=HOME),
        device(
            SCALE_2,
            "vital_signs",
            VITALS,
            household=OTHER_HOME,
            attributes={"spo2_scale": 2.0},
        ),
        device(AWAY_MONITOR, "vital_signs", VITALS, household=AWAY_HOME),
        *(device(i, "parking_bay", ("occupied",)) for i in BAYS[:-1]),
        device(BAYS[-1], "parking_bay", ("occupied",), area=OTHER_BUILDING),
        *(device(i, "smoke_detector", ("smoke",)) for i in SMOKES[:-1]),
        device(SMOKES[-1], "smoke_detector", ("smoke",), household=AWAY_HOME),
        device(
            first,
            "door",
            DOOR_METRICS,
            household=HOME,
            attributes={"door": 1, "x": 0, "y": 0},
        ),
        device(
            second,
            "door",
            DOOR_METRICS,
            household=HOME,
            attributes={"door": 1, "x": 0, "y": 300},
        ),
        *(device(i, "water_meter", ("water_volume",), household=HOME) for i in METERS),
        device(MOTION, "motion_sensor", ("motion",), household=HOME),
        device(BUTTON, "sos_button", ("sos",), household=HOME),
        device(GATE, "barrier", ("vehicle_entry",)),
        device(EXIT, "barrier", ("vehicle_exit",)),
        device(GATEWAY, "gateway", ("heartbeat",)),
    )


def _far() -> tuple[Device, ...]:
    devices = (
        device(FAR_MONITOR, "vital_signs", VITALS, household=FAR_HOME),
        *(device(i, "parking_bay", ("occupied",)) for i in FAR_BAYS),
        *(device(i, "smoke_detector", ("smoke",)) for i in FAR_SMOKES),
        device(
            FAR_DOOR,
            "door",
            DOOR_METRICS,
            household=FAR_HOME,
            attributes={"door": 1, "x": 40, "y": 0},
        ),
        device(FAR_METER, "water_meter", ("water_volume",), household=FAR_HOME),
        device(FAR_GATE, "barrier", ("vehicle_entry",)),
        device(FAR_EXIT, "barrier", ("vehicle_exit",)),
        device(FAR_GATEWAY, "gateway", ("heartbeat",)),
    )
    return tuple(replace(d, area=FAR_BUILDING) for d in devices)


AREAS = (
    Area(COMMUNITY, "c", "community", None, NAME),
    Area(BUILDING, "b1", "building", COMMUNITY, NAME),
    Area(OTHER_BUILDING, "b2", "building", COMMUNITY, NAME),
    Area(FAR_COMMUNITY, "f", "community", None, NAME),
    Area(FAR_BUILDING, "b3", "building", FAR_COMMUNITY, NAME),
)
HOMES = (
    Household(HOME, "h1", BUILDING, NAME, care=True, away=False),
    Household(OTHER_HOME, "h2", BUILDING, NAME, care=True, away=False),
    Household(AWAY_HOME, "h3", BUILDING, NAME, care=True, away=True),
    Household(FAR_HOME, "h4", FAR_BUILDING, NAME, care=True, away=False),
)
NEAR_AREAS = (COMMUNITY, BUILDING, OTHER_BUILDING)


@lru_cache
def town(unit: int = 1, *, gateways: bool = True, near: bool = True, far: bool = True) -> Inventory:
    """Devices are healthy if heard every ten units (s). near, far: with which communities."""
    devices = (*(_near() if near else ()), *(_far() if far else ()))
    behind = BEHIND if gateways else {}
    areas = [a for a in AREAS if (near if a.id in NEAR_AREAS else far)]
    known = {area.id for area in areas}
    return Inventory.of(
        areas,
        (home for home in HOMES if home.area in known),
        (replace(d, interval=d.interval * unit, gateway=behind.get(d.id)) for d in devices),
    )


def is_far(kind: str, number: int) -> bool:
    """Whether this device, household or area is in the second community."""
    first = {"device": FAR_MONITOR, "household": FAR_HOME, "area": FAR_COMMUNITY}[kind]
    return number >= first
