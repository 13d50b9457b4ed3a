"""Limits found by search: on some patients, to be tried on others.

A search over limits that a person would write: steps of 5. The best are those with the greatest F2
by patient-day (van Rijsbergen's measure with recall twice as important as precision: a day missed
is worse than a false one), and of equal ones the narrowest, which miss least. Halves of the
patients: every other one in the order of their codes, so that nobody chose who is in which.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from tests.real.source import Row
from tests.real.tihm import LONDON, PatientDay, Score

Bounds = tuple[float, float]
"""What is already too low, and what is already too high."""

GRID: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "pulse": (range(60, 35, -5), range(90, 135, 5)),
    "systolic": (range(100, 75, -5), range(140, 185, 5)),
    "diastolic": (range(65, 40, -5), range(90, 120, 5)),
}
"""By metric: lower limits and upper limits to try, the narrowest first; /min and mmHg."""


def halves(rows: Iterable[Row]) -> tuple[frozenset[str], frozenset[str]]:
    """Patients' codes: every other one, and the others."""
    patients = sorted({row.device.removeprefix("vitals-") for row in rows})
    return frozenset(patients[::2]), frozenset(patients[1::2])


def search(
    rows: Iterable[Row],
    metrics: Sequence[str],
    labelled: Collection[PatientDay],
    patients: Collection[str],
) -> dict[str, Bounds]:
    """The limits of these metrics that agree best with the labels of these patients.

    A day is alerted where any reading of any of the metrics is at or beyond its limits.
    """
    days = _extremes(rows, metrics, patients)
    order = sorted(days | {day: {} for day in labelled if day[0] in patients})
    truth = np.array([day in labelled for day in order])
    choices = [_choices(metric, [days.get(day, {}) for day in order]) for metric in metrics]
    best: tuple[float, tuple[Bounds, ...]] = (-1.0, ())
    for chosen in product(*choices):
        alerted = np.logical_or.reduce([mask for _, mask in chosen])
        agreement = _f2(alerted, truth)
        if agreement > best[0]:
            best = (agreement, tuple(bounds for bounds, _ in chosen))
    return dict(zip(metrics, best[1], strict=True))


def interval(part: int, whole: int) -> tuple[float, float]:
    """In what range a share truly lies, 95 of 100 times: Wilson's score interval (1927)."""
    if not whole:
        return 0.0, 1.0
    z, share = 1.96, part / whole
    middle = share + z * z / (2 * whole)
    spread = z * float(np.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)))
    scale = 1 + z * z / whole
    return (middle - spread) / scale, (middle + spread) / scale


def of_patients(days: Iterable[PatientDay], patients: Collection[str]) -> set[PatientDay]:
    """Those of these patient-days that are of these patients."""
    return {day for day in days if day[0] in patients}


def figures(score: Score) -> dict[str, object]:
    """A score as a record, with the interval in which each share truly lies."""
    right, found = score.found + score.wrong, score.found + score.missed
    return {
        "found": score.found,
        "wrong": score.wrong,
        "missed": score.missed,
        "precision": round(score.precision, 3) if right else None,
        "precision_95": [round(x, 2) for x in interval(score.found, right)],
        "recall": round(score.recall, 3) if found else None,
        "recall_95": [round(x, 2) for x in interval(score.found, found)],
    }


def _extremes(
    rows: Iterable[Row], metrics: Sequence[str], patients: Collection[str]
) -> dict[PatientDay, dict[str, Bounds]]:
    """The least and the greatest reading of each metric on each patient-day."""
    days: dict[PatientDay, dict[str, Bounds]] = {}
    for row in rows:
        patient = row.device.removeprefix("vitals-")
        if row.metric in metrics and patient in patients:
            day = days.setdefault((patient, row.time.astimezone(LONDON).date()), {})
            low, high = day.get(row.metric, (np.inf, -np.inf))
            day[row.metric] = min(low, float(row.value)), max(high, float(row.value))
    return days


def _choices(
    metric: str, days: Sequence[Mapping[str, Bounds]]
) -> list[tuple[Bounds, npt.NDArray[np.bool_]]]:
    """Each pair of limits, with the days that it alerts."""
    least = np.array([day.get(metric, (np.inf, -np.inf))[0] for day in days])
    greatest = np.array([day.get(metric, (np.inf, -np.inf))[1] for day in days])
    lows, highs = GRID[metric]
    return [
        ((float(low), float(high)), (least <= low) | (greatest >= high))
        for low, high in product(lows, highs)
    ]


def _f2(alerted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    both = int((alerted & truth).sum())
    return 5 * both / max(1, int(alerted.sum()) + 4 * int(truth.sum()))
