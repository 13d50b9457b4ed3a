"""A small community and rules of every kind over it, for tests. Times are whole seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from devices.instant import SECOND
from devices.inventory import Area, Device, Household, Inventory
from devices.metric import metric
from devices.reading import Batch, Reading
from rules.loader import load
from rules.model import Rule
from rules.transition import Transition

NAME = {"zh": "名", "en": "name"}
INTERVAL_S = 10
SILENT_AFTER_S = 3 * INTERVAL_S

WEARABLE, AWAY_WEARABLE, MOTION, MOTION_TOO, DOOR, OTHER_DOOR, CAR_PARK, GATEWAY = range(1, 9)
BEHIND = (WEARABLE, MOTION_TOO, DOOR)
"""Devices that are behind the gateway, where there is one."""
CARE_HOME, AWAY_HOME = 1, 2
COMMUNITY, BUILDING, OTHER_BUILDING = 1, 2, 3


def device(
    number: int,
    kind: str,
    metrics: tuple[str, ...],
    *,
    area: int = BUILDING,
    household: int | None = None,
    attributes: Mapping[str, float] | None = None,
) -> Device:
    """A device that reports these metrics, every INTERVAL_S seconds if healthy."""
    return Device(
        number,
        f"d{number}",
        "c",
        kind,
        area,
        household,
        INTERVAL_S * SECOND,
        metrics,
        NAME,
        attributes or {},
    )


def behind_gateway() -> Inventory:
    """The community with a gateway, and some of its devices behind it."""
    plain = inventory()
    gateway = device(GATEWAY, "gateway", ("heartbeat",))
    devices = (replace(d, gateway=GATEWAY) if d.id in BEHIND else d for d in plain.devices.values())
    return Inventory.of(plain.areas.values(), plain.households.values(), (*devices, gateway))


def inventory(*, away: Iterable[int] = (AWAY_HOME,), without: Iterable[int] = ()) -> Inventory:
    """Two buildings, two homes (1 with care, 2 away unless said otherwise), seven devices."""
    doors = ("access_denied", "heartbeat")
    devices = (
        device(WEARABLE, "wearable", ("spo2", "pulse", "sos"), household=CARE_HOME),
        device(AWAY_WEARABLE, "wearable", ("spo2", "pulse", "sos"), household=AWAY_HOME),
        device(MOTION, "motion_sensor", ("motion",), household=CARE_HOME),
        device(MOTION_TOO, "motion_sensor", ("motion",), household=CARE_HOME),
        device(DOOR, "door", doors),
        device(OTHER_DOOR, "door", doors),
        device(
            CAR_PARK,
            "car_park",
            ("parking_free",),
            area=OTHER_BUILDING,
            attributes={"capacity": 10.0},
        ),
    )
    return Inventory.of(
        (
            Area(COMMUNITY, "c", "community", None, NAME),
            Area(BUILDING, "b1", "building", COMMUNITY, NAME),
            Area(OTHER_BUILDING, "b2", "building", COMMUNITY, NAME),
        ),
        (
            Household(CARE_HOME, "h1", BUILDING, NAME, care=True, away=CARE_HOME in away),
            Household(AWAY_HOME, "h2", BUILDING, NAME, care=False, away=AWAY_HOME in away),
        ),
        (d for d in devices if d.id not in without),
    )


def rule(code: str, body: str) -> Rule:
    """The one rule with this id and these YAML lines."""
    lines = "\n".join(f"  {line.strip()}" for line in body.strip().splitlines())
    text = f"- id: {code}\n  category: care\n  severity: red\n  title: {{zh: 名, en: t}}\n{lines}\n"
    (loaded,) = load({"test.yaml": text})
    return replace(loaded, source="test.yaml")


RULES = (
    rule("t.plain", "watch: {metric: spo2}\n when: spo2 <= 91"),
    rule(
        "t.held",
        "watch: {metric: spo2}\n when: spo2 <= 91\n clear: spo2 >= 94\n for: 20s",
    ),
    rule("t.long", "watch: {metric: spo2}\n when: spo2 <= 92\n for: 45s"),
    rule(
        "t.alert",
        "watch: {metric: spo2}\n when: spo2 <= 91\n clear: spo2 >= 94\n for: 5s\n no_data: alert",
    ),
    rule(
        "t.away",
        "watch: {metric: spo2}\n when: spo2 <= 91\n for: 5s\n unless: household.away",
    ),
    rule("t.sos", "watch: {metric: sos}\n when: sos >= 1"),
    rule(
        "t.full",
        "watch: {metric: parking_free}\n when: device.capacity / parking_free > 5\n for: 10s",
    ),
    rule("a.silent", "watch: {metric: heartbeat, kind: door}\n absent: 40s"),
    rule("a.worn", "watch: {metric: spo2}\n absent: 25s"),
    rule("a.usual", "watch: {metric: pulse}\n absent: 4 intervals"),
    rule("a.home", "watch: {metric: motion}\n absent: 35s\n per: household"),
    rule(
        "a.still",
        "watch: {metric: motion}\n when: motion >= 1\n absent: 60s\n per: household",
    ),
    rule("w.denied", "watch: {metric: access_denied}\n when: count >= 3\n within: 15s"),
    rule(
        "t.gone",
        "watch: {metric: heartbeat}\n when: heartbeat < 1\n for: 5s\n no_data: alert",
    ),
    rule("t.off", "watch: {metric: heartbeat}\n when: heartbeat < 1\n for: 20s"),
    rule("w.beats", "watch: {metric: heartbeat}\n when: count >= 2\n within: 15s"),
    rule(
        "w.building",
        "watch: {metric: access_denied}\n when: count >= 4\n within: 20s\n per: building",
    ),
    rule(
        "w.pulse",
        "watch: {metric: pulse}\n when: count >= 2\n within: 20s\n where: pulse > 120",
    ),
)


def seconds(count: float) -> int:
    """Microseconds."""
    return round(count * SECOND)


def reading(
    time: float, device_id: int, name: str, value: float, *, arrival: float | None = None
) -> Reading:
    """A reading at so many seconds, arrived at once unless said otherwise."""
    at = seconds(time)
    heard = at if arrival is None else seconds(arrival)
    return Reading(at, heard, device_id, metric(name).id, value)


def batch(*readings: Reading) -> Batch:
    """These readings."""
    return Batch.of(readings)


def told(transitions: Iterable[Transition]) -> list[tuple[str, str, float, float]]:
    """What happened at which rule: (change, cause, since, at), times in seconds."""
    return [(str(t.change), str(t.cause), t.since / SECOND, t.at / SECOND) for t in transitions]
