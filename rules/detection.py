"""How well rules found what really happened: alerts against incidents that people noted.

An alert is of an incident where its rule is one that may tell of it, its span touches the
incident's window, and it is at the incident's place. Each incident counts once however many alerts
it has, and is found by the one that fired first; an alert is right where it is of any incident.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from devices.instant import FOREVER, Micros
from devices.inventory import Inventory
from rules.model import SubjectKind
from rules.spell import Spell
from rules.transition import Subject

Place: TypeAlias = Subject
"""A device, a household or an area, by id."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What really happened: start ≤ t ≤ until, µs since epoch, UTC.

    place: None where it is not known · rules: codes of the rules that may tell of it · name: as the
    file calls it.
    """

    name: str
    start: Micros
    until: Micros
    place: Place | None
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one rule, or of all. delays: of each incident that was found, from its start to the alert.

    alerts, right: alerts, and those of them that were of an incident · incidents, found: incidents,
    and those of them that had an alert · delays: µs, ascending, 0 where it was told before.
    """

    alerts: int
    right: int
    incidents: int
    found: int
    delays: tuple[Micros, ...]

    @property
    def precision(self) -> float | None:
        """Which share of the alerts was right; None where there was no alert."""
        return self.right / self.alerts if self.alerts else None

    @property
    def recall(self) -> float | None:
        """Which share of the incidents was found; None where there was none."""
        return self.found / self.incidents if self.incidents else None

    @property
    def median_delay(self) -> Micros | None:
        """The upper median of the delays, µs; None where nothing was found."""
        return self.delays[len(self.delays) // 2] if self.delays else None


@dataclass(frozen=True, slots=True)
class Detection:
    """The score in all and of each rule that had an alert or an incident; what was missed."""

    whole: Score
    rules: Mapping[str, Score]
    missed: Sequence[Incident]


def detect(
    spells: Sequence[Spell], incidents: Sequence[Incident], inventory: Inventory
) -> Detection:
    """Match alerts with incidents; inventory: where devices, households and areas are."""
    nearby = _by_place(spells, inventory)
    found = [[s for s in nearby.get(i.place, ()) if _is_of(s, i)] for i in incidents]
    right = {id(spell) for matches in found for spell in matches}
    codes = {s.rule.code for s in spells}.union(*(i.rules for i in incidents))
    pairs = list(zip(incidents, found, strict=True))
    by_rule: defaultdict[str, list[Spell]] = defaultdict(list)
    for spell in spells:
        by_rule[spell.rule.code].append(spell)
    return Detection(
        _score(spells, right, pairs),
        {code: _score(by_rule[code], right, _of_rule(code, pairs)) for code in sorted(codes)},
        [incident for incident, matches in pairs if not matches],
    )


_Pairs: TypeAlias = Sequence[tuple[Incident, Sequence[Spell]]]


def _of_rule(code: str, pairs: _Pairs) -> _Pairs:
    return [
        (incident, [s for s in matches if s.rule.code == code])
        for incident, matches in pairs
        if code in incident.rules
    ]


def _score(spells: Collection[Spell], right: Collection[int], pairs: _Pairs) -> Score:
    delays = sorted(
        max(0, min(s.fired for s in matches) - incident.start)
        for incident, matches in pairs
        if matches
    )
    good = sum(id(spell) in right for spell in spells)
    return Score(len(spells), good, len(pairs), len(delays), tuple(delays))


def _is_of(spell: Spell, incident: Incident) -> bool:
    until = FOREVER if spell.until is None else spell.until
    touches = spell.since <= incident.until and incident.start <= until
    return touches and spell.rule.code in incident.rules


def _by_place(
    spells: Iterable[Spell], inventory: Inventory
) -> Mapping[Place | None, Sequence[Spell]]:
    """Which spells are at each place; at None, that is somewhere, all."""
    found: defaultdict[Place | None, list[Spell]] = defaultdict(list)
    for spell in spells:
        for place in places_of(spell, inventory):
            found[place].append(spell)
        found[None].append(spell)
    return found


def places_of(spell: Spell, inventory: Inventory) -> set[Place]:
    """Where an alert is: its subject, its devices and their homes, and every area around these.

    What the inventory does not have is nowhere but in itself.
    """
    subjects = {spell.subject, *(Subject(SubjectKind.DEVICE, d) for d in spell.devices)}
    places = set(subjects)
    for subject in subjects:
        places |= _around(subject, inventory)
    return places


def _around(subject: Subject, inventory: Inventory) -> set[Place]:
    match subject.kind:
        case SubjectKind.DEVICE if subject.id in inventory.devices:
            device = inventory.devices[subject.id]
            home = {Subject(SubjectKind.HOUSEHOLD, device.household)} if device.household else set()
            return home | _areas(device.area, inventory)
        case SubjectKind.HOUSEHOLD if subject.id in inventory.households:
            return _areas(inventory.households[subject.id].area, inventory)
        case SubjectKind.AREA if subject.id in inventory.areas:
            return _areas(subject.id, inventory)
    return set()


def _areas(area: int, inventory: Inventory) -> set[Place]:
    return {Subject(SubjectKind.AREA, a) for a in inventory.path(area)}
