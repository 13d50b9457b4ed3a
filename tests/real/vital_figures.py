"""What limits on vital signs are worth: tihm_dementia, by patient-day."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from devices.instant import to_datetime
from rules.spell import Spell
from tests.real import limits, tihm
from tests.real.judged import Figures, Judged, judged, when
from tests.real.source import DATA, read

SYMPTOMS: Mapping[str, Sequence[str]] = {
    "Pulse": ("pulse",),
    "Blood pressure": ("systolic", "diastolic"),
}
"""Label of tihm → the metrics whose limits should find it."""

ASKED_PRECISION, ASKED_RECALL = 0.75, 0.9
HALVINGS = 200


def tihm_figures() -> Iterator[Figures]:
    """Limits set on one half of the patients, scored on the other; both directions."""
    folder = DATA / "tihm_dementia"
    rows = tihm.convert(folder, "tihm").rows
    labels = read(folder / "Labels.csv")
    labelled = {label: tihm.labelled_days(labels, label) for label in SYMPTOMS}
    first, second = limits.halves(rows)
    for name, learnt, tried in (("first", first, second), ("second", second, first)):
        found = {
            label: limits.search(rows, metrics, labelled[label], learnt)
            for label, metrics in SYMPTOMS.items()
        }
        rules = tihm.rules_of({m: b for bounds in found.values() for m, b in bounds.items()})
        whole = judged(tihm.convert(folder, "tihm", rules), "tihm")
        spans = [_span(alert, whole) for alert in whole.alerts]
        mine = [row for row in rows if row.device.removeprefix("vitals-") in tried]
        for label, metrics in SYMPTOMS.items():
            alerted = tihm.alerted_days(spans, mine, [f"tihm.{metric}" for metric in metrics])
            score = tihm.score(alerted, limits.of_patients(labelled[label], tried))
            yield {
                "data": "tihm",
                "label": label,
                "limits_from": f"{name} half",
                "limits": {metric: list(bounds) for metric, bounds in found[label].items()},
                "patients": len(tried),
                **limits.figures(score),
            }


def ceiling_figures() -> Iterator[Figures]:
    """The best that limits on the pulse can do on each half, whoever sets them and however."""
    folder = DATA / "tihm_dementia"
    rows = tihm.convert(folder, "tihm").rows
    labelled = tihm.labelled_days(read(folder / "Labels.csv"), "Pulse")
    for way in limits.WAYS:
        days = limits.extremes(rows, ["pulse"], way)
        for name, half in zip(("first", "second"), limits.halves(rows), strict=True):
            bounds, score = limits.most_precise(days, "pulse", labelled, half, ASKED_RECALL)
            yield {
                "data": "tihm",
                "what": "the most precise limits of the pulse, set knowing the labels",
                "judged_by": way,
                "half": name,
                "limits": list(bounds),
                **limits.figures(score),
            }


def halvings_figures() -> Iterator[Figures]:
    """Limits set on one half and scored on the other, for many halves drawn by lot."""
    folder = DATA / "tihm_dementia"
    rows = tihm.convert(folder, "tihm").rows
    labels = read(folder / "Labels.csv")
    for label, metrics in SYMPTOMS.items():
        days = limits.extremes(rows, metrics)
        labelled = tihm.labelled_days(labels, label)
        every = limits.halvings(days, metrics, labelled, HALVINGS)
        scores = [s for s in every if s.found + s.missed and s.found + s.wrong]
        both = [s.precision >= ASKED_PRECISION and s.recall >= ASKED_RECALL for s in scores]
        yield {
            "data": "tihm",
            "what": "halves drawn by lot",
            "label": label,
            "halves": HALVINGS,
            "of_them_with_labels_and_alerts": len(scores),
            "both_reached": sum(both),
            "precision": _tenths(s.precision for s in scores),
            "recall": _tenths(s.recall for s in scores),
        }


def _tenths(shares: Iterable[float]) -> list[float]:
    """The first tenth, the median and the last tenth of these."""
    found = sorted(shares)
    return [round(found[int(len(found) * part)], 3) for part in (0.1, 0.5, 0.9)]


def _span(alert: Spell, whole: Judged) -> tihm.Span:
    patient = whole.place(alert.subject).removeprefix("vitals-")
    return tihm.Span(alert.rule.code, patient, to_datetime(alert.since), when(alert.until))
