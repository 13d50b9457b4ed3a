"""german_parking_free: free places of German car parks, eight days of 2020.

Each place is a car park, with its capacity where the meta data state one. An empty cell says
nothing (unchanged, or not read), so it makes no reading. More free places than there are places is
impossible and must be rejected.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.real.source import Converted, Row, in_order, read, rule, site

FULL_RULE = "german.car_park_full"
FULL, NOT_FULL = 0.05, 0.10
"""Full at 95 % taken (DOMAIN.md); no longer full at more than a tenth free."""


LASTING, SILENT_AFTER = timedelta(minutes=10), timedelta(minutes=30)
"""How long the library's rules wait, and how long a car park's word counts (devices/kind.py)."""


def convert(
    folder: Path, community: str, rules: Sequence[dict[str, object]] | None = None
) -> Converted:
    """A car park per place that was ever read; rules: the one on being full, if not given."""
    capacities = capacity(read(folder / "meta-data.csv"))
    rows = [row for day in sorted(folder.glob("2020-*.csv")) for row in _day(read(day))]
    places = sorted({row.device for row in rows})
    return Converted(
        site(
            community,
            "Europe/Berlin",
            devices=[_device(place, capacities.get(place), community) for place in places],
            rules=[_full()] if rules is None else list(rules),
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


class Stretch(NamedTuple):
    """A car park was full, or filling: since, told from `fired` on, until (None: to the end)."""

    place: str
    since: datetime
    fired: datetime
    until: datetime | None


def stretches(
    rows: Iterable[Row], capacities: Mapping[str, float], most: float, least: float
) -> list[Stretch]:
    """What the library's rules must find, told by hand: free share <= most for ten minutes.

    Until a free share above `least`. A reading counts for half an hour; the ten minutes begin
    anew after that.
    """
    by_place: dict[str, list[tuple[datetime, float]]] = {}
    for row in rows:
        if 0 <= float(row.value) <= capacities.get(row.device, -1.0):
            share = float(row.value) / capacities[row.device]
            by_place.setdefault(row.device, []).append((row.time, share))
    end = max(row.time for row in rows)
    found = [
        s for place, said in by_place.items() for s in _of_place(place, said, (most, least), end)
    ]
    return sorted(found, key=lambda s: (s.fired, s.place))


def _of_place(
    place: str, said: list[tuple[datetime, float]], limits: tuple[float, float], end: datetime
) -> Iterator[Stretch]:
    most, least = limits
    since: datetime | None = None
    standing: Stretch | None = None
    before = said[0][0]
    for at, share in said:
        if since and standing is None and at >= since + LASTING:
            standing = Stretch(place, since, since + LASTING, None)
        if standing is None and at - before > SILENT_AFTER:
            since = None
        if share <= most:
            since = since or at
        else:
            since = None
            if standing and share > least:
                yield standing._replace(until=at)
                standing = None
        before = at
    if standing is None and since and since + LASTING <= end:
        standing = Stretch(place, since, since + LASTING, None)
    if standing:
        yield standing


def longest_silence(rows: Sequence[Row]) -> tuple[datetime, datetime]:
    """From when to when no car park said anything."""
    times = sorted({row.time for row in rows})
    return max(pairwise(times), key=lambda pair: pair[1] - pair[0])
