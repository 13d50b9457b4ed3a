"""What the rules are worth on recorded and simulated data: `python -m tests.real.judge [NAME…]`.

Prints one JSON object a line. NAME: any of `ALL`; all of them, if none is given.
What the figures mean is told in docs/evaluation.md.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from devices.instant import DAY, MINUTE, to_datetime
from gridwarden.demo_site import example_site
from gridwarden.rule_library import library_texts
from gridwarden.site import check, read_folder
from gridwarden.site_writer import with_copd
from rules.loader import load
from rules.spell import Spell
from rules.transition import Change
from tests.real import adl, city, limits, parking, tihm, vast
from tests.real.judged import Judged, judged, library_rule, told, when
from tests.real.source import DATA, Row, read

Figures = dict[str, object]

SYMPTOMS: Mapping[str, Sequence[str]] = {
    "Pulse": ("pulse",),
    "Blood pressure": ("systolic", "diastolic"),
}
"""Label of tihm → the metrics whose limits should find it."""

BY_THE_DOOR = [library_rule("care.out"), library_rule("care.not_back")]
FALLS_APART = timedelta(hours=7)
"""So that all hours of the day come up."""

ASKED_PRECISION, ASKED_RECALL = 0.75, 0.9
HALVINGS = 200

STILL = ("2h", "4h", "12h")
"""For how long nobody may move before an alert: the last is the library's."""


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


def vast_figures() -> Iterator[Figures]:
    """Gas above 5: every stretch, as counted by hand."""
    converted = vast.convert(DATA / "vast2016_access", "vast")
    whole = judged(converted, "vast")
    alerts = whole.of(vast.GAS_RULE)
    yield {
        "data": "vast",
        "what": "gas above 5",
        "readings_above": sum(
            row.metric == "gas_concentration" and float(row.value) > vast.GAS_LIMIT
            for row in converted.rows
        ),
        "by_hand": vast.gas_spans(converted.rows),
        "alerts": len(alerts),
        "told": list(told(whole, alerts)),
    }


def replaced_figures() -> Iterator[Figures]:
    """A card still used after its replacement: by owner and minute, as counted by hand."""
    converted = vast.convert(DATA / "vast2016_access", "vast", [vast.REPLACED])
    alerts = judged(converted, "vast").of("access.replaced_card")
    hand = vast.replaced_reads(converted.rows)
    minutes = Counter(moment for moment, _ in hand)
    yield {
        "data": "vast",
        "what": "a replaced card",
        "by_hand": dict(Counter(owner for _, owner in hand)),
        "alerts": len(alerts),
        "of_them_by_hand": sum(to_datetime(a.fired) in minutes for a in alerts),
    }


def odd_figures() -> Iterator[Figures]:
    """Cards at hours at which nobody should come: the library's hours, and the building's own."""
    night, weekend = vast.ODD
    for opens, closes in ((6, 22), (6, 24)):
        hours = f"{closes % 24:02d}:00-{opens:02d}:00"
        weekdays = {"weekdays": "sat-sun", "hours": f"{opens:02d}:00-{closes:02d}:00"}
        rules = [
            library_rule(night, active={"hours": hours}),
            library_rule(weekend, active=weekdays),
        ]
        converted = vast.convert(DATA / "vast2016_access", "vast", rules)
        whole = judged(converted, "vast")
        hand = vast.odd_reads(converted.rows, opens, closes)
        alerts = whole.of(*vast.ODD)
        told_of = {(to_datetime(a.fired), whole.place(a.subject)) for a in alerts}
        reads = (r for r in converted.rows if (r.time, r.device) in hand)
        cards = Counter(str(orjson.loads(r.attributes)["credential"]) for r in reads)
        yield {
            "data": "vast",
            "what": "cards at odd hours",
            "closed": hours,
            "by_hand": len(hand),
            "alerts": {code: len(whole.of(code)) for code in vast.ODD},
            "of_them_by_hand": len(told_of & hand),
            "cards": len(cards),
            "most_often": dict(cards.most_common(4)),
        }


def adl_figures() -> Iterator[Figures]:
    """Nobody moves for so long: every alert, with what the person was doing."""
    folder = DATA / "uci_adl_binary"
    done = adl.activities(folder)
    rules = [_still(least, door=door) for least in STILL for door in (False, True)]
    converted = adl.convert(folder, "adl", [*rules, *BY_THE_DOOR])
    whole = judged(converted, "adl")
    quiet = adl.silences(converted.rows, timedelta(hours=2))
    yield {
        "data": "adl",
        "what": "silences of two hours or more, by hand",
        "silences": [[a.isoformat(), b.isoformat(), _doing(a, b, done)] for a, b in quiet],
        "rows_that_end_before_they_start": adl.reversed_rows(folder),
    }
    for rule in rules:
        alerts = whole.of(str(rule["id"]))
        told_of = list(told(whole, alerts))
        for record, alert in zip(told_of, alerts, strict=True):
            record["doing"] = _doing(to_datetime(alert.since), to_datetime(alert.fired), done)
        doing = Counter(str(record["doing"]) for record in told_of)
        yield {
            "data": "adl",
            "what": f"nobody moves for {rule['absent']}",
            "away_by_the_door": "care.out" in str(rule["unless"]),
            "alerts": len(alerts),
            "doing": dict(doing),
            "told": told_of,
        }
    yield _out(folder, done)
    asked_after = whole.of("care.not_back")
    yield {"data": "adl", "what": "nobody back within a day", "alerts": len(asked_after)}


def _out(folder: Path, done: Sequence[adl.Activity]) -> Figures:
    """When care.out takes the person to be out, told for once, against what they said they did."""
    rules = [library_rule("care.out", told=True)]
    spans = judged(adl.convert(folder, "adl", rules), "adl").alerts
    out = [(to_datetime(s.since), to_datetime(s.until)) for s in spans if s.until is not None]
    left = [(a.start, a.end) for a in done if a.what == "Leaving"]
    shared = sum((_shared(a, b) for a in out for b in left), timedelta())
    said, truly = (sum((b - a for a, b in of), timedelta()) for of in (out, left))
    return {
        "data": "adl",
        "what": "out, by the door",
        "spans": len(out),
        "hours": round(said / timedelta(hours=1), 1),
        "share_labelled_leaving": round(shared / said, 3),
        "share_of_leaving": round(shared / truly, 3),
    }


def _shared(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> timedelta:
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))


def falls_figures() -> Iterator[Figures]:
    """How late it would be told that the person lies helpless at home, from any hour on."""
    folder = DATA / "uci_adl_binary"
    moments = adl.at_home(folder, FALLS_APART)
    rules = [*(_still(h, door=d) for h, d in (("12h", False), ("12h", True), ("2h", True)))]
    rules += BY_THE_DOOR
    whole = judged(adl.fallen(folder, "adl", rules, moments), "adl", every=10 * MINUTE)
    fell = {f"{adl.HOME}-{n}": moment for n, moment in enumerate(moments)}
    for name, codes in (
        ("12 h", ["adl.still_12h"]),
        ("12 h, away by the door", ["adl.still_12h_door"]),
        ("2 h, away by the door", ["adl.still_2h_door"]),
    ):
        hours: dict[str, float] = {}
        for alert in whole.of(*codes):
            home, at = whole.place(alert.subject), to_datetime(alert.fired)
            if at >= fell[home]:
                hours.setdefault(home, (at - fell[home]).total_seconds() / 3600)
        late = sorted(hours.values())
        yield {
            "data": "adl",
            "what": f"a fall at home, told by: {name}",
            "falls": len(moments),
            "told": len(late),
            "median_hours": round(late[len(late) // 2], 1),
            "longest_hours": round(late[-1], 1),
        }


def _doing(start: datetime, end: datetime, done: Sequence[adl.Activity]) -> str:
    """What the person did for most of this time."""
    spent: Counter[str] = Counter()
    for activity in done:
        both = _shared((start, end), (activity.start, activity.end))
        spent[activity.what] += int(both.total_seconds())
    return spent.most_common(1)[0][0]


def _still(least: str, *, door: bool) -> Figures:
    return {
        "id": f"adl.still_{least}{'_door' * door}",
        "category": "care",
        "watch": {"metric": "motion", "household": {"care": True}},
        "when": "motion == 1",
        "absent": least,
        "per": "household",
        "unless": ["household.away", *(["care.out"] * door)],
        "severity": "orange",
        "title": {"zh": least, "en": least},
    }


def parking_figures() -> Iterator[Figures]:
    """Filling and full, by the library's rules, against a count by hand; the silent source."""
    folder = DATA / "german_parking_free"
    converted = parking.convert(folder, "de", [{"library": "parking"}])
    capacities = parking.capacity(read(folder / "meta-data.csv"))
    whole = judged(converted, "de")
    for code, most, least in (
        ("parking.car_park_filling", 0.15, 0.20),
        ("parking.car_park_full", 0.05, 0.10),
    ):
        hand = parking.stretches(converted.rows, capacities, most, least)
        alerts = {
            parking.Stretch(
                whole.place(a.subject), to_datetime(a.since), to_datetime(a.fired), when(a.until)
            )
            for a in whole.of(code)
        }
        yield {
            "data": "parking",
            "rule": code,
            "by_hand": len(hand),
            "alerts": len(alerts),
            "same": len(alerts & set(hand)),
            "unknown": sum(
                t.rule.code == code and t.change is Change.WENT_SILENT for t in whole.said
            ),
        }
    yield _silence(converted.rows, whole)
    yield {
        "data": "parking",
        "what": "impossible values",
        "by_hand": len(parking.impossible(converted.rows, capacities)),
        "rejected": whole.left_out.out_of_range,
    }


def _silence(rows: Sequence[Row], whole: Judged) -> Figures:
    """What the rules said while the source was silent."""
    begin, end = parking.longest_silence(rows)
    inside = [t for t in whole.said if begin < to_datetime(t.at) < end]
    standing = [
        a
        for a in whole.alerts
        if to_datetime(a.fired) <= begin and (a.until is None or to_datetime(a.until) >= end)
    ]
    return {
        "data": "parking",
        "what": "the silent source",
        "from": begin.isoformat(),
        "until": end.isoformat(),
        "hours": round((end - begin).total_seconds() / 3600, 1),
        "alerts_standing_through_it": len(standing),
        "known_at_its_end": _known(standing, whole, end),
        "fired": sum(t.change is Change.FIRED for t in inside),
        "cleared": sum(t.change is Change.CLEARED for t in inside),
    }


def _known(standing: Sequence[Spell], whole: Judged, moment: datetime) -> int:
    """How many of these alerts were not shown as unknown just before this moment."""
    unknown: set[tuple[str, object]] = set()
    for transition in whole.said:
        if to_datetime(transition.at) >= moment:
            continue
        key = (transition.rule.code, transition.subject)
        if transition.change is Change.WENT_SILENT:
            unknown.add(key)
        elif transition.change in {Change.HEARD_AGAIN, Change.CLEARED}:
            unknown.discard(key)
    return sum((alert.rule.code, alert.subject) not in unknown for alert in standing)


def city_figures() -> Iterator[Figures]:
    """Simulated days of the example site and of a part of a city, with incidents and faults."""
    site, rules = check(example_site())
    yield {"data": "city", "what": "example site", **city.days(site, rules, 3 * DAY, 1).figures}
    files = {p: t for p, t in read_folder(example_site()).items() if p.startswith("rules/")}
    own = load(with_copd(files), library_texts())
    part = city.city_site(site, 2, 600)
    yield {"data": "city", "what": "600 elders", **city.days(part, own, 2 * DAY, 1).figures}


ALL: Mapping[str, Callable[[], Iterator[Figures]]] = {
    "tihm": tihm_figures,
    "ceiling": ceiling_figures,
    "halvings": halvings_figures,
    "vast": vast_figures,
    "replaced": replaced_figures,
    "odd": odd_figures,
    "adl": adl_figures,
    "falls": falls_figures,
    "parking": parking_figures,
    "city": city_figures,
}


def main(names: Sequence[str]) -> None:
    """Print the figures of these data, or of all."""
    for name in names or ALL:
        for figures in ALL[name]():
            sys.stdout.write(orjson.dumps(figures).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
