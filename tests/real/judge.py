"""What the rules are worth on recorded and simulated data: `python -m tests.real.judge [NAME…]`.

Prints one JSON object a line. NAME: any of `ALL`; all of them, if none is given.
What the figures mean is told in docs/evaluation.md.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import orjson

from devices.instant import DAY, to_datetime
from gridwarden.demo_site import example_site
from gridwarden.rule_library import library_texts
from gridwarden.site import check, read_folder
from gridwarden.site_writer import COPD, with_copd
from rules.loader import load
from rules.spell import Spell
from rules.transition import Change
from tests.real import access_figures, city, home_figures, parking, vital_figures
from tests.real.judged import Figures, Judged, judged, when
from tests.real.source import DATA, Row, read

WHOLE = "- library: [parking, access, safety, devices]\n- library: care\n"


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
    """Simulated days of the example site and of a part of a city, with incidents and faults.

    Each with the example's rules and with the whole library as it is, but for who has COPD.
    """
    site, rules = check(example_site())
    whole = load({"rules/whole.yaml": WHOLE}, library_texts())
    yield {"data": "city", "what": "example site", **city.days(site, rules, 3 * DAY, 1).figures}
    lived = city.days(site, whole, 3 * DAY, 1)
    yield {"data": "city", "what": "example site, whole library", **lived.figures}
    files = {p: t for p, t in read_folder(example_site()).items() if p.startswith("rules/")}
    own = load(with_copd(files), library_texts())
    part = city.city_site(site, 2, 600)
    yield {"data": "city", "what": "600 elders", **city.days(part, own, 2 * DAY, 1).figures}
    whole = load({"rules/whole.yaml": WHOLE + "  change:\n" + COPD}, library_texts())
    lived = city.days(part, whole, 2 * DAY, 1)
    yield {"data": "city", "what": "600 elders, whole library", **lived.figures}


def quiet_figures() -> Iterator[Figures]:
    """What the library tells of elders to whom nothing happens, by their habits alone."""
    site, _ = check(example_site())
    library = load({"rules/care.yaml": "- library: care\n"}, library_texts())
    habits = [rule for rule in library if rule.watch.metric in {"motion", "water_volume"}]
    part = city.city_site(site, 2, 600)
    homes = sum(home.care for home in part.households.values())
    for seed in (1, 2):
        alerts = Counter(spell.rule.code for spell in city.quiet(part, habits, 7 * DAY, seed))
        yield {
            "data": "city",
            "what": "quiet days",
            "seed": seed,
            "homes_and_days": homes * 7,
            "alerts": {rule.code: alerts[rule.code] for rule in habits if rule.told},
        }


ALL: Mapping[str, Callable[[], Iterator[Figures]]] = {
    "tihm": vital_figures.tihm_figures,
    "ceiling": vital_figures.ceiling_figures,
    "halvings": vital_figures.halvings_figures,
    "vast": access_figures.vast_figures,
    "replaced": access_figures.replaced_figures,
    "odd": access_figures.odd_figures,
    "adl": home_figures.adl_figures,
    "falls": home_figures.falls_figures,
    "parking": parking_figures,
    "city": city_figures,
    "quiet": quiet_figures,
}


def main(names: Sequence[str]) -> None:
    """Print the figures of these data, or of all."""
    for name in names or ALL:
        for figures in ALL[name]():
            sys.stdout.write(orjson.dumps(figures).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
