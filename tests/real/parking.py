"""german_parking_free: free places of German car parks, eight days of 2020.

Each place is a car park, with its capacity where the meta data state one. An empty cell says
nothing (unchanged, or not read), so it makes no reading. More free places than there are places is
impossible and must be rejected.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from tests.real.source import Converted, Row, in_order, read, rule, site

FULL_RULE = "german.car_park_full"
FULL, NOT_FULL = 0.05, 0.10
"""Full at 95 % taken (DOMAIN.md); no longer full at more than a tenth free."""


def convert(folder: Path, community: str) -> Converted:
    """A car park per place that was ever read."""
    capacities = capacity(read(folder / "meta-data.csv"))
    rows = [row for day in sorted(folder.glob("2020-*.csv")) for row in _day(read(day))]
    places = sorted({row.device for row in rows})
    return Converted(
        site(
            community,
            "Europe/Berlin",
            devices=[_device(place, capacities.get(place), community) for place in places],
            rules=[_full()],
        ),
        in_order(rows),
    )


def capacity(meta: list[dict[str, str]]) -> dict[str, float]:
    """Places in all, of those car parks whose meta data say so."""
    return {row["place_id"]: float(row["num_all"]) for row in meta if row["num_all"]}


def impossible(rows: list[Row], capacities: Mapping[str, float]) -> list[Row]:
    """The readings that cannot be: below 0, or more than there are places."""
    return [r for r in rows if not 0 <= float(r.value) <= capacities.get(r.device, 100_000)]


def full_spans(rows: list[Row], capacities: Mapping[str, float]) -> dict[str, int]:
    """How often each car park became full, told by hand: what the rule must find exactly."""
    wrong = set(impossible(rows, capacities))
    times: dict[str, int] = {}
    full: set[str] = set()
    for row in rows:
        if row in wrong or row.device not in capacities:
            continue
        share = float(row.value) / capacities[row.device]
        if share <= FULL and row.device not in full:
            full.add(row.device)
            times[row.device] = times.get(row.device, 0) + 1
        elif share > NOT_FULL:
            full.discard(row.device)
    return times


def _full() -> dict[str, object]:
    clear = f"parking_free > {NOT_FULL} * device.capacity"
    when = f"parking_free <= {FULL} * device.capacity"
    return rule(FULL_RULE, "parking", "parking_free", when, clear=clear)


def _day(rows: list[dict[str, str]]) -> Iterator[Row]:
    for row in rows:
        at = datetime.fromisoformat(row.pop("timestamp"))
        for place, free in row.items():
            if free:
                yield Row(at, place, "parking_free", free)


def _device(place: str, capacity: float | None, community: str) -> dict[str, object]:
    device: dict[str, object] = {"code": place, "kind": "car_park", "area": f"{community}-here"}
    return device | ({"attributes": {"capacity": capacity}} if capacity else {})
