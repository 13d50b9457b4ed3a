"""What rules about silence at home say of uci_adl_binary, where no emergency occurs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from devices.instant import MINUTE, to_datetime
from tests.real import adl
from tests.real.judged import Figures, judged, library_rule, told
from tests.real.source import DATA

BY_THE_DOOR = [library_rule("care.out"), library_rule("care.not_back")]
FALLS_APART = timedelta(hours=7)
"""So that all hours of the day come up."""

STILL = ("2h", "4h", "12h")
"""For how long nobody may move before an alert: the last is the library's."""


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
