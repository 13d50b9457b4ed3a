"""Households, car parks and doors live as they would: nothing vanishes, at night they sleep."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import DAY, HOUR, MINUTE, to_micros
from devices.inventory import Inventory
from devices.reading import Json
from devices.simulator.cast import Cast
from devices.simulator.city import City
from devices.simulator.faults import NO_FAULTS
from devices.simulator.home import home_day
from devices.simulator.incidents import Incidence
from devices.simulator.parts import inventory_of
from devices.simulator.rhythm import Span
from gridwarden.site import check

ZONE = ZoneInfo("Asia/Shanghai")
MIDNIGHT = to_micros(datetime(2026, 3, 2, tzinfo=ZONE))
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
NOTHING = Incidence(0, (), opening=False)
DAYS = 3
AWAY = "4-302"
"""A home with sensors where nobody is at present."""


class Heard(NamedTuple):
    """One message: hours since the first midnight, local."""

    hour: float
    device: str
    values: dict[str, float]
    attributes: dict[str, Json]


@cache
def example() -> Inventory:
    return inventory_of(check(EXAMPLE)[0])


@cache
def heard() -> list[Heard]:
    """Three uneventful days of the example site."""
    span = Span(MIDNIGHT, MIDNIGHT + DAYS * DAY, ZONE)
    return list(listened(City(example(), span, incidence=NOTHING, rates=NO_FAULTS)))


def listened(city: City) -> Iterator[Heard]:
    for message in city.messages():
        body = orjson.loads(message.payload)
        hour = (message.due - MIDNIGHT) / HOUR
        device = message.topic.split("/")[3]
        yield Heard(hour, device, body["values"], body.get("attributes", {}))


def of(kind: str, metric: str) -> dict[str, list[tuple[float, float]]]:
    """(hour, value) of this metric by device of this kind."""
    codes = {d.code for d in example().devices.values() if d.kind == kind}
    found = defaultdict(list)
    for one in heard():
        if one.device in codes and metric in one.values:
            found[one.device].append((one.hour, one.values[metric]))
    return found


def test_entries_less_exits_are_what_the_counter_shows() -> None:
    counters = of("car_park", "parking_free")
    for park, shown in counters.items():
        number = park.rpartition("-")[2]
        change, moves = 0, [(0.0, 0)]
        for one in heard():
            if one.device == f"barrier-{number}" and one.values.keys() & {
                "vehicle_entry",
                "vehicle_exit",
            }:
                change += 1 if "vehicle_entry" in one.values else -1
                moves.append((one.hour, change))
        assert len(moves) > 40
        hours = [hour for hour, _ in moves]
        inside = {
            20 - free - moves[int(np.searchsorted(hours, hour, "right")) - 1][1]
            for hour, free in shown
        }
        assert len(inside) == 1, park  # the cars of the first midnight, whenever it is looked at


def test_bays_are_taken_as_the_counter_says_but_for_cars_on_their_way() -> None:
    bays = of("parking_bay", "occupied")
    for number, park in enumerate(("car-park-1", "car-park-2", "car-park-3")):
        own = [f"bay-{n:03d}" for n in range(20 * number + 1, 20 * number + 21)]
        for hour, free in of("car_park", "parking_free")[park][20:]:
            taken = 0.0
            for bay in own:
                before = [value for at, value in bays[bay] if at <= hour]
                taken += before[-1]
            moving = sum(
                1
                for bay in own
                for (_, was), (at, value) in pairwise(bays[bay])
                if was != value and abs(at - hour) <= 100 / 3600
            )
            assert abs(20 - free - taken) <= moving, (park, hour)


def test_bays_keep_the_state_that_they_told_until_they_tell_another() -> None:
    for bay, states in of("parking_bay", "occupied").items():
        assert {value for _, value in states} <= {0.0, 1.0}
        assert len(states) > 24, bay


def test_water_only_grows_and_is_drawn_while_somebody_is_up() -> None:
    for meter, volumes in of("water_meter", "water_volume").items():
        assert all(a <= b for (_, a), (_, b) in pairwise(volumes)), meter
        if meter == f"water-{AWAY}":
            assert len({volume for _, volume in volumes}) == 1
            continue
        for day in range(DAYS):
            drawn = [v for hour, v in volumes if 24 * day <= hour < 24 * day + 24]
            night = [v for hour, v in volumes if 24 * day + 1 <= hour < 24 * day + 5]
            assert 0.03 < drawn[-1] - drawn[0] < 0.45
            assert night[-1] - night[0] < 0.25 * (drawn[-1] - drawn[0])  # two flushes


def test_at_night_nobody_moves_but_for_a_few() -> None:
    for sensor, states in of("motion_sensor", "motion").items():
        by_hour = Counter(int(hour) % 24 for hour, value in states if value)
        night = sum(by_hour[hour] for hour in (0, 1, 2, 3))
        day = sum(by_hour[hour] for hour in range(8, 20))
        assert night <= 3 * DAYS * 1.5, sensor
        assert day == 0 if sensor == f"motion-{AWAY}" else day > 20 * DAYS, sensor


def test_pulse_is_lower_asleep_than_by_day() -> None:
    for wearable, pulses in of("wearable", "pulse").items():
        night = np.mean([value for hour, value in pulses if 0.5 < hour % 24 < 4.5])
        day = np.mean([value for hour, value in pulses if 9 < hour % 24 < 12])
        assert night + 4 < day, wearable


def test_who_goes_out_passes_a_door_of_the_building_with_a_card_of_the_home() -> None:
    cast = Cast.of([example()], 1)
    day = home_day(cast.homes, MIDNIGHT // DAY + 1)
    cards = defaultdict(list)
    for one in heard():
        if "access_granted" in one.values and one.hour < 24:
            cards[one.device.rpartition("-")[0]].append((one.hour, one.attributes["credential"]))
    goings = 0
    for home, code in enumerate(cast.homes.code):
        building = code[1]
        for out in day.outings:
            if not out.end[home]:
                continue
            left, back = out.start[home] + 1 / 60, out.end[home] - 1 / 60
            passed = [
                {card for at, card in cards[f"door-{building}"] if abs(at - hour) < 0.001}
                for hour in (left, back)
            ]
            assert passed[0] & passed[1], (code, left, back)
            goings += 1
    assert goings > 100


def test_a_lift_reads_the_card_beside_the_door() -> None:
    town = example()
    reader = next(d for d in town.devices.values() if d.code == "door-1-1")
    lift = type(reader)(
        **{
            **{name: getattr(reader, name) for name in reader.__slots__},
            "id": 10_000,
            "code": "lift-1",
            "kind": "card_reader",
            "metrics": ("access_granted", "access_denied"),
        }
    )
    more = Inventory.of(
        town.areas.values(), town.households.values(), [*town.devices.values(), lift]
    )
    span = Span(MIDNIGHT, MIDNIGHT + DAY, ZONE)
    cards = defaultdict(list)
    for one in listened(City(more, span, incidence=NOTHING, rates=NO_FAULTS)):
        if "access_granted" in one.values and one.device.startswith(("door-1-", "lift-1")):
            cards[one.device].append((one.hour, one.attributes["credential"]))
    homes = Cast.of([more], 1).homes
    at_lift = cards.pop("lift-1")
    at_doors = [(at, card) for own in cards.values() for at, card in own]
    met = [
        any(card == other and abs(at - when) < 31 / 3600 for when, other in at_doors)
        for at, card in at_lift
    ]
    assert len(homes) == 120
    assert sum(met) > 40


@given(st.integers(0, 2**31), st.integers(0, 20), st.sampled_from([11 * MINUTE, HOUR, 26 * HOUR]))
@settings(max_examples=15, deadline=None)
def test_a_meter_never_goes_back_whatever_happens(seed: int, day: int, length: int) -> None:
    start = MIDNIGHT + day * DAY + 7 * HOUR
    own = [d for d in example().devices.values() if d.kind in {"water_meter", "motion_sensor"}]
    fewer = Inventory.of(example().areas.values(), example().households.values(), own)
    span = Span(start, start + 30 * HOUR, ZONE)
    often = Incidence(30, ("no_movement",))
    shown = defaultdict(list)
    city = City(fewer, span, seed=seed, incidence=often, rates=NO_FAULTS)
    for burst in city.bursts(length // 1_000):
        for topic, payload in zip(burst.topic, burst.payload, strict=True):
            values = orjson.loads(payload)["values"]
            if "water_volume" in values:
                shown[topic].append(values["water_volume"])
    assert len(shown) == 12
    assert all(a <= b for own in shown.values() for a, b in pairwise(own))


def test_no_water_is_drawn_while_somebody_lies_helpless() -> None:
    span = Span(MIDNIGHT + 7 * HOUR, MIDNIGHT + 2 * DAY, ZONE)
    city = City(example(), span, incidence=Incidence(0, ("no_movement",)), rates=NO_FAULTS)
    (still,) = city.incidents
    meter = still.device.replace("motion", "water")
    drawn = [
        one.values["water_volume"]
        for one in listened(city)
        if one.device == meter
        and "water_volume" in one.values
        and still.start <= one.hour * HOUR + MIDNIGHT <= still.until
    ]
    assert len(drawn) > 20
    assert len(set(drawn)) == 1
