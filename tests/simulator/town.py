"""A small town for the simulator: one community, two homes, each kind of device once or more."""

from devices.inventory import Area, Device, Household, Inventory
from devices.kind import BY_NAME


def small_town() -> Inventory:
    """Two care homes with sensors, four doors, a fire lane, a car park."""
    areas = [
        Area(1, "hx", "community", None, {"zh": "红星", "en": "Hongxing"}),
        Area(2, "hx-g1", "grid", 1, {"zh": "一格", "en": "Grid 1"}),
    ]
    households = [Household(n, f"home-{n}", 2, {"zh": "户", "en": "home"}, True) for n in (1, 2)]
    return Inventory.of(areas, households, _devices())


def _devices() -> list[Device]:
    at_home = ("sos_button", "motion_sensor", "water_meter", "wearable", "smoke_detector")
    homes = [(kind, household) for household in (1, 2) for kind in at_home]
    shared = [("door", None)] * 4 + [("barrier", None), ("car_park", None), ("parking_bay", None)]
    more = [
        (k, None) for k in ("gas_detector", "leak_sensor", "vital_signs", "card_reader", "gateway")
    ]
    placed = [*homes, *shared, *more]
    devices = [_device(n, kind, home) for n, (kind, home) in enumerate(placed, start=1)]
    return [*devices, _device(99, "parking_bay", None, fire_lane=1.0)]


def _device(number: int, kind: str, household: int | None, **attributes: float) -> Device:
    known = BY_NAME[kind]
    return Device(
        id=number,
        code=f"{kind}-{number}",
        community="hx",
        kind=kind,
        area=2,
        household=household,
        interval=known.interval,
        metrics=known.metrics,
        name={"zh": known.zh, "en": known.en},
        attributes=attributes,
    )
