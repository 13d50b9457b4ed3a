"""Limits found by search: on some patients, to be tried on others.

A search over limits that a person would write: steps of 5. The best are those with the greatest F2
by patient-day (van Rijsbergen's measure with recall twice as important as precision: a day missed
is worse than a false one), and of equal ones the narrowest, which miss least. Halves of the
patients: every other one in the order of their codes, so that nobody chose who is in which.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from tests.real.source import Row
from tests.real.tihm import LONDON, PatientDay, Score
from tests.real.tihm import score as scored

Bounds = tuple[float, float]
"""What is already too low, and what is already too high."""

GRID: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "pulse": (range(60, 35, -5), range(90, 135, 5)),
    "systolic": (range(100, 75, -5), range(140, 185, 5)),
    "diastolic": (range(65, 40, -5), range(90, 120, 5)),
}
"""By metric: lower limits and upper limits to try, the narrowest first; /min and mmHg."""

Extremes = Mapping[PatientDay, Mapping[str, Bounds]]
"""By patient-day and metric: the least and the greatest of what is held against the limits."""

WAYS: Mapping[str, Callable[[Sequence[float]], Bounds]] = {
    "any reading": lambda values: (min(values), max(values)),
    "the last reading of the day": lambda values: (values[-1], values[-1]),
    "the mean of the day": lambda values: (float(np.mean(values)), float(np.mean(values))),
}
"""What of a day's readings may be held against limits."""


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
    return _search(extremes(rows, metrics), metrics, labelled, patients)


def _search(
    every: Extremes,
    metrics: Sequence[str],
    labelled: Collection[PatientDay],
    patients: Collection[str],
) -> dict[str, Bounds]:
    days = {day: found for day, found in every.items() if day[0] in patients}
    order = sorted(days.keys() | of_patients(labelled, patients))
    truth = np.array([day in labelled for day in order])
    choices = [_choices(metric, [days.get(day, {}) for day in order]) for metric in metrics]
    best: tuple[float, tuple[Bounds, ...]] = (-1.0, ())
    for chosen in product(*choices):
        alerted = np.logical_or.reduce([mask for _, mask in chosen])
        agreement = _f2(alerted, truth)
        if agreement > best[0]:
            best = (agreement, tuple(bounds for bounds, _ in chosen))
    return dict(zip(metrics, best[1], strict=True))


def most_precise(
    days: Extremes,
    metric: str,
    labelled: Collection[PatientDay],
    patients: Collection[str],
    recall: float,
) -> tuple[Bounds, Score]:
    """The most precise limits, in whole numbers, that reach this recall on these patients.

    Where none do, those with the greatest recall.
    They are chosen knowing the labels that they are scored by: no way of setting limits beats them.
    """
    own = of_patients(labelled, patients)
    mine = {day: found[metric] for day, found in days.items() if day[0] in patients}
    lows, highs = ([int(limit) for limit in limits] for limits in GRID[metric])
    pairs = product(range(min(lows) - 10, max(lows) + 1), range(min(highs), max(highs) + 11))
    tried = [
        (
            (float(low), float(high)),
            scored({d for d, (a, b) in mine.items() if a <= low or b >= high}, own),
        )
        for low, high in pairs
    ]
    found = [one for one in tried if one[1].found]
    return max(found, key=lambda one: (min(one[1].recall, recall), one[1].precision))


def halvings(
    days: Extremes, metrics: Sequence[str], labelled: Collection[PatientDay], count: int
) -> Iterator[Score]:
    """Limits set on one half of the patients and scored on the other, for halves drawn by lot."""
    lot, patients = np.random.default_rng(1), sorted({patient for patient, _ in days})
    for _ in range(count):
        learnt = frozenset(lot.choice(patients, len(patients) // 2, replace=False).tolist())
        limits = _search(days, metrics, labelled, learnt)
        tried = [day for day in days if day[0] not in learnt]
        alerted = {day for day in tried if _outside(days[day], limits)}
        yield scored(alerted, of_patients(labelled, set(patients) - learnt))


def _outside(found: Mapping[str, Bounds], limits: Mapping[str, Bounds]) -> bool:
    return any(a <= limits[name][0] or b >= limits[name][1] for name, (a, b) in found.items())


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


def extremes(
    rows: Iterable[Row], metrics: Sequence[str], way: str = "any reading"
) -> dict[PatientDay, dict[str, Bounds]]:
    """Of each metric on each patient-day the least and the greatest, by one of `WAYS`.

    rows: in time order.
    """
    days: dict[PatientDay, dict[str, list[float]]] = {}
    for row in rows:
        if row.metric in metrics:
            patient = row.device.removeprefix("vitals-")
            day = days.setdefault((patient, row.time.astimezone(LONDON).date()), {})
            day.setdefault(row.metric, []).append(float(row.value))
    held = WAYS[way]
    return {day: {name: held(values) for name, values in of.items()} for day, of in days.items()}


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
