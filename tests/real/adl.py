"""uci_adl_binary: the sensors of a home in which an adult lives alone, and what they did.

Every sensor but the front door is a motion sensor here: 1 when it begins, 0 when it ends. The door
is a door. Mats under the bed and the seat say that they are pressed again every half hour, as such
sensors do (our assumption: the data have only when it began and ended); the others say nothing
between two changes, so a healthy one may be silent for days. The times are the home's own; the data
set does not say where it was, and they are taken as UTC. A row that ends before it starts keeps its
start.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.real.source import Converted, Row, in_order, site

HOME = "home"
DOOR = "maindoor"
INTERVAL = "7d"
"""The longest that a sensor of a room that is seldom used stays silent, of the fortnight."""


PRESSED_AGAIN = timedelta(minutes=30)
TRIED = timedelta(hours=40)
"""So long after a fall the rules are looked at."""


class Activity(NamedTuple):
    """What the person said that they did, from when to when."""

    what: str
    start: datetime
    end: datetime


def convert(folder: Path, community: str, rules: Sequence[dict[str, object]]) -> Converted:
    """A home with a device per sensor, these rules, and all that was sensed."""
    spans = list(_table(folder / "OrdonezA_Sensors.txt"))
    devices = sorted({_code(words) for _, _, words in spans})
    households: list[dict[str, object]] = [
        {"code": HOME, "area": f"{community}-here", "care": True, "name": {"zh": HOME, "en": HOME}}
    ]
    return Converted(
        site(
            community,
            "UTC",
            households=households,
            devices=[_device(code) for code in devices],
            rules=rules,
        ),
        in_order(row for span in spans for row in _rows(*span)),
    )


def fallen(
    folder: Path, community: str, rules: Sequence[dict[str, object]], moments: Sequence[datetime]
) -> Converted:
    """A home for each moment, `home-N`: what was sensed in the day before it, and nothing after.

    As if the person had fallen then. The sensors stay alive: each says after `TRIED` that it sees
    nobody.
    """
    spans = list(_table(folder / "OrdonezA_Sensors.txt"))
    every = in_order(row for span in spans for row in _rows(*span))
    codes = sorted({_code(words) for _, _, words in spans})
    households: list[dict[str, object]] = []
    devices, rows = list[dict[str, object]](), list[Row]()
    for n, moment in enumerate(moments):
        home = f"{HOME}-{n}"
        name = {"zh": home, "en": home}
        households.append({"code": home, "area": f"{community}-here", "care": True, "name": name})
        devices += [{**_device(code), "code": f"{code}-{n}", "household": home} for code in codes]
        before = (r for r in every if moment - timedelta(days=1) <= r.time <= moment)
        rows += [r._replace(device=f"{r.device}-{n}") for r in before]
        rows += [_nothing(code, f"{code}-{n}", moment + TRIED) for code in codes]
    parts = site(community, "UTC", households=households, devices=devices, rules=rules)
    return Converted(parts, in_order(rows))


def at_home(folder: Path, every: timedelta) -> list[datetime]:
    """Moments so far apart at which the person was not out, of the days that have one before."""
    done, first = activities(folder), _table(folder / "OrdonezA_Sensors.txt")
    begin = next(first)[0] + timedelta(days=1)
    last = max(activity.end for activity in done)
    count = (last - begin) // every
    moments = [begin + n * every for n in range(count)]
    return [m for m in moments if during(m, done) not in {"Leaving", ""}]


def _nothing(code: str, device: str, at: datetime) -> Row:
    return Row(at, device, "door_open" if code == DOOR else "motion", "0")


def activities(folder: Path) -> list[Activity]:
    """What the person did, by its start."""
    return [Activity(w[0], start, end) for start, end, w in _table(folder / "OrdonezA_ADLs.txt")]


def reversed_rows(folder: Path) -> int:
    """How many rows, of the sensors and of the activities, end before they start."""
    files = (folder / f"OrdonezA_{name}.txt" for name in ("Sensors", "ADLs"))
    return sum(end < start for file in files for start, end, _ in _table(file))


def during(moment: datetime, done: Sequence[Activity]) -> str:
    """What the person was doing at this moment; '' where nothing is labelled."""
    return next((a.what for a in done if a.start <= moment <= a.end), "")


def silences(rows: Sequence[Row], least: timedelta) -> list[tuple[datetime, datetime]]:
    """Stretches of at least this length in which no sensor of a room saw anything begin."""
    begun = [row.time for row in rows if row.metric == "motion" and row.value == "1"]
    return [(a, b) for a, b in pairwise(begun) if b - a >= least]


def _table(path: Path) -> Iterator[tuple[datetime, datetime, list[str]]]:
    for line in path.read_text("utf-8").splitlines()[2:]:
        words = line.split()
        if words:
            yield _time(words[0:2]), _time(words[2:4]), words[4:]


def _rows(start: datetime, end: datetime, words: list[str]) -> Iterator[Row]:
    code = _code(words)
    metric = "door_open" if code == DOOR else "motion"
    at = start
    while at <= start or (words[1] == "Pressure" and at < end):
        yield Row(at, code, metric, "1")
        at += PRESSED_AGAIN
    if end > start:
        yield Row(end, code, metric, "0")


def _code(words: list[str]) -> str:
    return words[0].lower()


def _device(code: str) -> dict[str, object]:
    kind = "door" if code == DOOR else "motion_sensor"
    return {"code": code, "kind": kind, "household": HOME, "interval": INTERVAL}


def _time(words: list[str]) -> datetime:
    return datetime.fromisoformat(" ".join(words)).replace(tzinfo=UTC)
