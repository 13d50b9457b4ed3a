"""What rules of access and gas say of vast2016_access, against counts by hand."""

from collections import Counter
from collections.abc import Iterator

import orjson

from devices.instant import to_datetime
from tests.real import vast
from tests.real.judged import Figures, judged, library_rule, told
from tests.real.source import DATA


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
