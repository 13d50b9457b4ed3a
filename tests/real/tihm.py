"""tihm_dementia: vital signs at home, judged by patient-day against the clinicians' labels.

The clock trap. A label comes a quarter of an hour after the measurement that caused it, if the
measurements are read as UK summer time and the labels as UTC; read both as UTC and the labels come
45 minutes *before*. So measurements are London time, labels UTC. A patient-day is a calendar day in
London for both: the patient's own day, and the one boundary no measurement here straddles (none is
labelled across a midnight).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.real.source import Converted, Row, in_order, read, rule, site

LONDON = ZoneInfo("Europe/London")

METRICS = {
    "Heart rate": ("pulse", "beats/min"),
    "Systolic blood pressure": ("systolic", "mm[Hg]"),
    "Diastolic blood pressure": ("diastolic", "mm[Hg]"),
    "Body Temperature": ("body_temperature", "Cel"),
    "Skin Temperature": ("skin_temperature", "Cel"),
    "Body weight": ("body_weight", "kg"),
    "O/E - muscle mass": ("muscle_mass", "kg"),
    "Total body water": ("body_water", "%"),
}
"""Every device_type of the file → our metric, and the unit in which it must be given."""

_LIMITS = {
    "tihm.pulse": ("pulse", 50.0, 100.0),
    "tihm.systolic": ("systolic", 90.0, 160.0),
    "tihm.diastolic": ("diastolic", 55.0, 100.0),
}
"""Rule → metric, and the values that are already too low and too high (the data's README)."""

RULES = {
    code: (metric, f"{metric} <= {low:g} or {metric} >= {high:g}")
    for code, (metric, low, high) in _LIMITS.items()
}
LABELS = {
    "Pulse": ("tihm.pulse",),
    "Blood pressure": ("tihm.systolic", "tihm.diastolic"),
}
"""Label → the rules that should find it."""

PatientDay = tuple[str, date]


class UnitError(ValueError):
    """A measurement is in a unit that the mapping does not expect."""


@dataclass(frozen=True, slots=True)
class Span:
    """An alert: raised by `rule` at a patient's device, from since until cleared (None: open)."""

    rule: str
    patient: str
    since: datetime
    cleared: datetime | None


@dataclass(frozen=True, slots=True)
class Score:
    """Patient-days: found (of both), wrong (alert only), missed (label only)."""

    found: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of alerted days that are labelled."""
        return self.found / (self.found + self.wrong)

    @property
    def recall(self) -> float:
        """Share of labelled days that are alerted."""
        return self.found / (self.found + self.missed)


def rules_of(limits: Mapping[str, tuple[float, float]]) -> dict[str, tuple[str, str]]:
    """Rules by code: metric and condition, true at or beyond the limits of the metric."""
    return {
        f"tihm.{metric}": (metric, f"{metric} <= {low:g} or {metric} >= {high:g}")
        for metric, (low, high) in limits.items()
    }


def convert(
    folder: Path, community: str, rules: Mapping[str, tuple[str, str]] = RULES
) -> Converted:
    """One household with a vital_signs device per patient."""
    measured = read(folder / "Physiology.csv")
    patients = sorted({row["patient_id"] for row in measured})
    return Converted(
        site(
            community,
            "Europe/London",
            households=[_household(community, patient) for patient in patients],
            devices=[_device(community, patient) for patient in patients],
            rules=[rule(code, "care", *watched) for code, watched in rules.items()],
        ),
        in_order(_row(row) for row in measured),
    )


def labelled_days(rows: Iterable[Mapping[str, str]], label: str) -> set[PatientDay]:
    """The patient-days on which clinicians were shown this kind of event."""
    return {
        (row["patient_id"], _utc(row["date"]).astimezone(LONDON).date())
        for row in rows
        if row["type"] == label
    }


def outside_days(readings: Iterable[Row], rules: Sequence[str]) -> set[PatientDay]:
    """The patient-days with a reading outside the limits, told by hand from the readings."""
    limits = {metric: (low, high) for metric, low, high in map(_LIMITS.__getitem__, rules)}
    return {
        (row.device.removeprefix("vitals-"), row.time.astimezone(LONDON).date())
        for row in readings
        if row.metric in limits and not _between(row, limits[row.metric])
    }


def alerted_days(
    spans: Sequence[Span], readings: Iterable[Row], rules: Sequence[str]
) -> set[PatientDay]:
    """The patient-days on which a patient was measured while such an alert stood.

    An alert that stands since yesterday and is confirmed today counts today too; one that merely
    was not cleared yet, on a day without a measurement, does not.
    """
    days = set()
    for row in readings:
        patient = row.device.removeprefix("vitals-")
        if any(_stands(s, row, rules) for s in spans if s.patient == patient):
            days.add((patient, row.time.astimezone(LONDON).date()))
    return days


def score(alerted: set[PatientDay], labelled: set[PatientDay]) -> Score:
    """How the two sets of patient-days agree."""
    return Score(len(alerted & labelled), len(alerted - labelled), len(labelled - alerted))


def _stands(span: Span, row: Row, rules: Sequence[str]) -> bool:
    watched = RULES.get(span.rule, ("", ""))[0]
    if span.rule not in rules or watched != row.metric or row.time < span.since:
        return False
    return span.cleared is None or row.time < span.cleared


def _between(row: Row, limits: tuple[float, float]) -> bool:
    low, high = limits
    return low < float(row.value) < high


def _row(row: Mapping[str, str]) -> Row:
    metric, unit = METRICS[row["device_type"]]
    if row["unit"] != unit:
        raise UnitError(f"{row['device_type']} in {row['unit']!r}, expected {unit!r}")
    at = datetime.fromisoformat(row["date"]).replace(tzinfo=LONDON).astimezone(UTC)
    return Row(at, f"vitals-{row['patient_id']}", metric, row["value"])


def _household(community: str, patient: str) -> dict[str, object]:
    name = {"zh": patient, "en": patient}
    return {
        "code": f"{community}-home-{patient}",
        "area": f"{community}-here",
        "name": name,
        "care": True,
    }


def _device(community: str, patient: str) -> dict[str, object]:
    return {
        "code": f"vitals-{patient}",
        "kind": "vital_signs",
        "household": f"{community}-home-{patient}",
    }


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
