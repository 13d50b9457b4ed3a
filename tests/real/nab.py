"""nab: road sensors and an office's temperature, with the windows in which something was odd.

Labels of the Numenta Anomaly Benchmark. Its road data span two to ten weeks, so hours are compared
with the same hour of other days; the office's temperature of ten months with that of other weeks.
None of it is parking or care: it shows what a baseline finds, not that a rule of ours is right.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from devices.instant import HOUR, Micros, to_micros
from devices.inventory import Area, Device, Inventory
from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.loader import load
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Change
from tests.real.source import read

DAYS = "{of: mean, every: 1h, season: day, history: 7d, spread: %s}"
WEEKS = "{of: mean, every: 1h, season: week, history: 4w, spread: %s}"
SERIES = {
    "realTraffic/TravelTime_387": DAYS % 30,
    "realTraffic/TravelTime_451": DAYS % 30,
    "realTraffic/occupancy_6005": DAYS % 1,
    "realTraffic/occupancy_t4013": DAYS % 1,
    "realTraffic/speed_6005": DAYS % 2,
    "realTraffic/speed_7578": DAYS % 2,
    "realTraffic/speed_t4013": DAYS % 2,
    "realKnownCause/ambient_temperature_system_failure": WEEKS % 1,
}
"""The baseline of each; spreads of the size that the numbers are rounded to, or a bit more."""

_NAME = {"zh": "路", "en": "road"}


class Found(NamedTuple):
    """windows: labelled · found: those with an alert in them · outside: alerts in none, of all."""

    windows: int
    found: int
    outside: int
    alerts: int
    days: float


def judge(folder: Path, name: str) -> Found:
    """What a baseline with `deviation >= 4` says of this series."""
    rows = read(folder / "data" / f"{name}.csv")
    readings = _readings(rows)
    plan = make_plan(load({"nab": _rule(SERIES[name])}), _inventory())
    state = fresh(plan, readings[0].time)
    done = evaluate(plan, Batch.of(readings), state, readings[-1].time + HOUR)
    fired = [t.at for t in done.transitions if t.change is Change.FIRED]
    windows = _windows(folder, name)
    hit = {w for w in windows for at in fired if w[0] <= at <= w[1] + HOUR}
    outside = [at for at in fired if not any(w[0] <= at <= w[1] + HOUR for w in windows)]
    days = (readings[-1].time - readings[0].time) / (24 * HOUR)
    return Found(len(windows), len(hit), len(outside), len(fired), days)


def total(found: Iterable[Found]) -> Found:
    """All of them together."""
    columns = zip(*found, strict=True)
    windows, hit, outside, alerts, days = (sum(column) for column in columns)
    return Found(int(windows), int(hit), int(outside), int(alerts), days)


def _readings(rows: list[dict[str, str]]) -> list[Reading]:
    kind = metric("power").id
    times = [to_micros(_moment(row["timestamp"])) for row in rows]
    pairs = zip(times, rows, strict=True)
    return [Reading(time, time, 1, kind, float(row["value"])) for time, row in pairs]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _windows(folder: Path, name: str) -> list[tuple[Micros, Micros]]:
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    return [
        (to_micros(_moment(begin)), to_micros(_moment(end))) for begin, end in labels[f"{name}.csv"]
    ]


def _inventory() -> Inventory:
    """One sensor; its numbers are taken for watts, a metric with room for all of them."""
    sensor = Device(1, "s", "c", "meter", 1, None, 2 * HOUR, ("power",), _NAME, {})
    return Inventory.of([Area(1, "c", "community", None, _NAME)], [], [sensor])


def _rule(baseline: str) -> str:
    return (
        "- id: nab.unusual\n  category: road\n  severity: blue\n  watch: {metric: power}\n"
        "  title: {zh: 异常, en: Unusual}\n  when: deviation >= 4\n  clear: deviation < 2\n"
        f"  baseline: {baseline}\n"
    )
