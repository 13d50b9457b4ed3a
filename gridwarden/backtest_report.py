"""What a backtest tells, as plain values: the same for the table and for JSON lines. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alerts.model import CARE
from devices.instant import Micros, to_datetime
from devices.inventory import Inventory
from devices.reading import Json
from gridwarden.backtest import Ground, LeftOut, Load, Played, Router
from rules.detection import Detection, Incident, Score, detect
from rules.difference import Difference
from rules.model import Rule, SubjectKind
from rules.spell import Spell

DANGERS = frozenset({"fire", "safety"})
"""In a home, all but these categories are about its people, as on the dashboards."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A backtest, judged. start, end: µs, UTC · seconds: real ones that it took.

    difference, before: with the other rules, where there were such · detection, missing: against
    incidents, where there were such; outside: how many of those lay outside the recording.
    """

    ground: Ground
    played: Played
    left_out: LeftOut
    start: Micros
    end: Micros
    every: Micros
    seconds: float
    load: Load
    difference: Difference | None = None
    detection: Detection | None = None
    before: Detection | None = None
    outside: int = 0

    @property
    def spells(self) -> Sequence[Spell]:
        """The alerts of the rules that are tried."""
        return self.played.runs[0].spells


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one rule: alerts, those still standing at the end, and how long they lasted in all, µs.

    watched: how many devices, households or areas it looks at.
    """

    rule: Rule
    watched: int
    alerts: int
    standing: int
    lasted: Micros


def tallies(outcome: Outcome) -> list[Tally]:
    """Every rule, those with the most alerts first."""
    own: defaultdict[str, list[Spell]] = defaultdict(list)
    for spell in outcome.spells:
        own[spell.rule.code].append(spell)
    run = outcome.played.runs[0]
    found = [
        Tally(
            rule,
            run.watched[rule.code],
            len(own[rule.code]),
            sum(spell.until is None for spell in own[rule.code]),
            sum(spell.lasted(outcome.end) for spell in own[rule.code]),
        )
        for rule in run.rules
    ]
    return sorted(found, key=lambda one: (-one.alerts, one.rule.code))


def longest(outcome: Outcome, count: int) -> list[Spell]:
    """The alerts that lasted longest, those first."""
    return sorted(outcome.spells, key=lambda s: -s.lasted(outcome.end))[:count]


def changes(difference: Difference) -> Mapping[str, tuple[int, int, int, int]]:
    """By rule: how many are the same, of these at another moment; only new; only old."""
    same = Counter(one.new.rule.code for one in difference.same)
    moved = Counter(one.new.rule.code for one in difference.same if one.later)
    added = Counter(spell.rule.code for spell in difference.added)
    removed = Counter(spell.rule.code for spell in difference.removed)
    codes = sorted({*same, *added, *removed})
    return {code: (same[code], moved[code], added[code], removed[code]) for code in codes}


def against_incidents(
    spells: Sequence[Spell],
    incidents: Iterable[Incident],
    inventory: Inventory,
    span: tuple[Micros, Micros],
) -> tuple[Detection, int]:
    """The detection of the incidents that touch the span, and how many others there were."""
    listed = list(incidents)
    start, end = span
    inside = [one for one in listed if one.start <= end and start <= one.until]
    return detect(spells, inside, inventory), len(listed) - len(inside)


class Whereabouts(NamedTuple):
    """Of an alert: COMMUNITY/DEVICE, or the code of a household or an area; personal: in a home, or
    about care.
    """

    code: str
    area: str
    personal: bool

    def shown(self, ground: Ground) -> str:
        """The code; of what is about people the area's, where that is private."""
        return self.area if self.hidden(ground) else self.code

    def hidden(self, ground: Ground) -> bool:
        """Whether home and value stay unsaid."""
        return ground.private and self.personal


def whereabouts(spell: Spell, inventory: Inventory) -> Whereabouts:
    """Where an alert is, and whether it is about people."""
    subject, at_home = spell.subject, False
    if subject.kind is SubjectKind.AREA:
        area = subject.id
        code = inventory.areas[area].code
    elif subject.kind is SubjectKind.HOUSEHOLD:
        household = inventory.households[subject.id]
        area, code, at_home = household.area, household.code, True
    else:
        device = inventory.devices[subject.id]
        area, code = device.area, f"{device.community}/{device.code}"
        at_home = device.household is not None
    category = spell.rule.category
    personal = category == CARE or (at_home and category not in DANGERS)
    return Whereabouts(code, inventory.areas[area].code, personal)


def alert_fields(spell: Spell, outcome: Outcome, router: Router) -> dict[str, Json]:
    """An alert as JSON; times in RFC 3339, UTC; of people no value where that is private."""
    ground = outcome.ground
    where = whereabouts(spell, ground.inventory)
    return {
        "rule": spell.rule.code,
        "category": spell.rule.category,
        "severity": str(spell.rule.severity),
        "subject": str(spell.subject.kind),
        "place": where.shown(ground),
        "since": moment(spell.since),
        "fired": moment(spell.fired),
        "until": None if spell.until is None else moment(spell.until),
        "cause": str(spell.cause),
        "value": None if where.hidden(ground) else spell.value,
        "told": list(router.members(spell)),
    }


def score_fields(score: Score) -> dict[str, Json]:
    """A score as JSON, spans in seconds."""
    delay = score.median_delay
    return {
        "alerts": score.alerts,
        "right": score.right,
        "precision": score.precision,
        "incidents": score.incidents,
        "found": score.found,
        "recall": score.recall,
        "median_delay_s": None if delay is None else delay / 1e6,
        "longest_delay_s": score.delays[-1] / 1e6 if score.delays else None,
    }


def sum_fields(outcome: Outcome) -> dict[str, Json]:
    """What was played, and how quickly, as JSON."""
    left_out = outcome.left_out
    return {
        "from": moment(outcome.start),
        "to": moment(outcome.end),
        "devices": len(outcome.ground.inventory.devices),
        "readings": outcome.played.readings,
        "batch_s": outcome.every / 1e6,
        "alerts": len(outcome.spells),
        "unknown_device": sum(left_out.unknown.values()),
        "out_of_range": left_out.out_of_range,
        "impossible_time": left_out.impossible_time,
        "failed_rules": [one.rule.code for run in outcome.played.runs for one in run.failures],
        "seconds": round(outcome.seconds, 3),
    }


def moment(instant: Micros) -> str:
    """RFC 3339, UTC."""
    return to_datetime(instant).isoformat()
