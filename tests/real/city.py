"""The simulated city: how many planted incidents the rules find, and how often they are wrong.

Incidents and faults are the simulator's own ground truth. An alert is right where it is of an
incident, or, if it is about a device, of a fault of that device or of the gateway it is behind.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from devices.instant import DAY, HOUR, MINUTE, Micros, to_datetime, to_micros
from devices.reading import Batch
from devices.simulator.city import City
from devices.simulator.daqing import CityPlan
from devices.simulator.faults import NO_FAULTS
from devices.simulator.incidents import Incidence
from devices.simulator.incidents import Incident as Planted
from devices.simulator.rhythm import Span
from devices.site import Site
from gridwarden.backtest import Ground, LeftOut, Recording, Router, Run, play
from gridwarden.backtest_file import possible
from gridwarden.backtest_ground import ground_of_site, site_of_parts
from gridwarden.incident_file import of_planted
from rules.detection import Incident, Place, detect, places_of
from rules.model import Rule, SubjectKind
from rules.spell import Spell
from rules.transition import Subject
from tests.real.judged import LIMITS

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, tzinfo=ZONE))
GRACE: Micros = 15 * MINUTE
"""So long after its end an alert may still be of a fault: what it left behind is told late."""

EVERY: Micros = MINUTE
"""So much is judged at once; the service judges more often, and says the same times."""

SEEN_TOO = {
    "motion": frozenset({"water_volume"}),
    "spo2": frozenset({"pulse"}),
    "door_forced": frozenset({"door_open"}),
}
"""By the metric that shows an incident: what else does; who lies helpless uses no water."""

AFTER: Micros = 13 * HOUR
"""So long before the end an incident must begin to be counted: no rule takes longer to tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Simulated days, judged. false: alerts of no incident and no fault.

    found: incidents that were told of · false_per_day: false alerts per grid member and day.
    """

    incidents: Sequence[Incident]
    alerts: Sequence[Spell]
    false: Sequence[Spell]
    found: int
    false_per_day: float
    figures: Mapping[str, object]


def city_site(like: Site, communities: int, elders: int) -> Site:
    """A made-up city of so many communities and elders."""
    return site_of_parts(CityPlan(communities, elders).parts(), like)


def days(site: Site, rules: Sequence[Rule], span: Micros, seed: int) -> Days:
    """So long a life of this site, with incidents and faults at their usual rates."""
    ground = replace(ground_of_site(site), rules=rules)
    city = City(ground.inventory, Span(START, START + span, ZONE), seed=seed, incidence=Incidence())
    run = _run(ground, city)
    planted = [i for i in city.incidents if i.start <= START + span - AFTER]
    counted, every = (_incidents(each, ground) for each in (planted, city.incidents))
    false = [s for s in run.spells if not (_of(s, every, ground) or _faulty(s, city))]
    found = detect(run.spells, counted, ground.inventory)
    load = _load(false, ground)
    per_day = sum(load.values()) / (len(_grid_members(ground)) * span / DAY)
    figures = {
        "days": span / DAY,
        "devices": len(ground.inventory.devices),
        "grid_members": len(_grid_members(ground)),
        "incidents": found.whole.incidents,
        "found": found.whole.found,
        "recall": found.whole.recall,
        "by_kind": _by_kind(counted, found.missed),
        "alerts": len(run.spells),
        "false": len(false),
        "false_by_rule": dict(Counter(alert.rule.code for alert in false).most_common()),
        "false_per_grid_member_and_day": round(per_day, 3),
        "most_of_a_grid_member_on_a_day": max(load.values(), default=0),
        "median_delay_s": (found.whole.median_delay or 0) / 1e6,
    }
    return Days(counted, run.spells, false, found.whole.found, per_day, figures)


def quiet(site: Site, rules: Sequence[Rule], span: Micros, seed: int) -> Sequence[Spell]:
    """The alerts of so long a life in which nothing happens and nothing breaks."""
    ground = replace(ground_of_site(site), rules=rules)
    lasting, nothing = Span(START, START + span, ZONE), Incidence(0, (), opening=False)
    city = City(ground.inventory, lasting, seed=seed, incidence=nothing, rates=NO_FAULTS)
    return _run(ground, city).spells


def _run(ground: Ground, city: City) -> Run:
    left_out, span = LeftOut(), city.span
    heard = (possible(rows, ground.inventory, LIMITS, left_out) for rows in _readings(city))
    recording = Recording(heard, span.start, span.end, left_out)
    (run,) = play(ground, [ground.rules], recording, EVERY).runs
    assert not run.failures, run.failures
    return run


def _by_kind(planted: Sequence[Incident], missed: Sequence[Incident]) -> dict[str, list[int]]:
    """Of each kind of incident how many were found, and how many there were."""
    every, lost = Counter(i.name for i in planted), Counter(i.name for i in missed)
    return {name: [every[name] - lost[name], every[name]] for name in sorted(every)}


def _readings(city: City) -> Iterator[Batch]:
    yield from city.readings()


def _incidents(planted: Sequence[Planted], ground: Ground) -> list[Incident]:
    """As they are matched with alerts: smoke in a stairwell is of the whole building."""
    found = []
    for one, incident in zip(planted, of_planted(planted, ground.rules), strict=True):
        if one.household is None and len(one.devices) > 1:
            area = ground.inventory.devices[one.device_id].area
            place: Place | None = Subject(SubjectKind.AREA, area)
        else:
            place = incident.place
        found.append(_seen_too(replace(incident, place=place), ground.rules))
    return found


def _seen_too(incident: Incident, rules: Sequence[Rule]) -> Incident:
    """The incident, told also by rules over what else shows it."""
    shown = {m for rule in rules if rule.code in incident.rules for m in rule.watch.metrics}
    more = frozenset().union(*(SEEN_TOO.get(metric, frozenset()) for metric in shown))
    also = {rule.code for rule in rules if more & set(rule.watch.metrics)}
    return replace(incident, rules=incident.rules | also)


def _of(spell: Spell, incidents: Sequence[Incident], ground: Ground) -> bool:
    places = places_of(spell, ground.inventory)
    end = START * 2 if spell.until is None else spell.until
    return any(
        incident.place in places
        and spell.rule.code in incident.rules
        and spell.since <= incident.until
        and incident.start <= end
        for incident in incidents
    )


def _faulty(spell: Spell, city: City) -> bool:
    """Whether one of its devices had a fault meanwhile, or what it is heard through was gone."""
    mine = set(np.flatnonzero(np.isin(city.cast.id, spell.devices)).tolist())
    relays = {int(city.cast.relay[row]) for row in mine}
    return any(
        (fault.row in mine or fault.relay in relays - {-1})
        and fault.start * 1_000 <= spell.fired
        and spell.since <= fault.until * 1_000 + GRACE
        for fault in city.faults.listed()
    )


def _grid_members(ground: Ground) -> set[str]:
    return {ground.members[duty.member] for duty in ground.duties if duty.role == "grid_member"}


def _load(alerts: Sequence[Spell], ground: Ground) -> Counter[tuple[str, str]]:
    """How many of these alerts each grid member would have been told of, by local day."""
    router, grid = Router(ground), _grid_members(ground)
    told: Counter[tuple[str, str]] = Counter()
    for alert in alerts:
        day = to_datetime(alert.fired).astimezone(ground.zone).date().isoformat()
        told.update((member, day) for member in router.members(alert) if member in grid)
    return told
