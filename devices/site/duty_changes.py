"""Duties that a site ends and begins, without rewriting who was on duty in the past."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from devices.instant import FOREVER, NEVER, Micros
from devices.site.model import DutyEntry

Charge: TypeAlias = tuple[str, str, str, frozenset[str] | None]
"""Member, area, role, categories: what a duty is, apart from when."""


@dataclass(frozen=True, slots=True)
class DutyRow:
    """A duty as registered: valid_from ≤ t < valid_to, µs since the Unix epoch, UTC."""

    member: str
    area: str
    role: str
    categories: frozenset[str] | None
    valid_from: Micros
    valid_to: Micros | None

    @property
    def charge(self) -> Charge:
        """What the duty is, apart from when."""
        return self.member, self.area, self.role, self.categories

    @property
    def empty(self) -> bool:
        """True of a duty that was ended before it began."""
        return self.valid_to is not None and self.valid_to <= self.valid_from


@dataclass(frozen=True, slots=True)
class StoredDuty:
    """A registered duty and its id."""

    id: int
    row: DutyRow


@dataclass(frozen=True, slots=True)
class DutyPlan:
    """Duties to end now, and duties to begin."""

    ended: list[StoredDuty]
    begun: list[DutyRow]


def plan_duties(stored: Sequence[StoredDuty], wanted: Sequence[DutyEntry], now: Micros) -> DutyPlan:
    """What to end and begin so that exactly the wanted duties are in force from `now` on.

    A duty that vanishes from the site ends now; one that changes ends and begins anew. None begins
    before `now`, whatever its 'from' says: nobody was told anything as long as it was not
    registered.
    """
    rows: dict[Charge, list[StoredDuty]] = defaultdict(list)
    for duty in stored:
        if not duty.row.empty:
            rows[duty.row.charge].append(duty)
    kept: set[int] = set()
    missing = []
    for entry in wanted:
        match = next((d for d in rows[_charge(entry)] if _means(d.row, entry, now)), None)
        if match is None:
            missing.append(entry)
        else:
            kept.add(match.id)
    ended = [d for d in stored if d.id not in kept and not d.row.empty and _end(d.row) > now]
    begun = [_begin(entry, now) for entry in missing]
    return DutyPlan(ended, [row for row in begun if not row.empty])


def _charge(entry: DutyEntry) -> Charge:
    return entry.member, entry.area, entry.role, entry.categories


def _means(row: DutyRow, entry: DutyEntry, now: Micros) -> bool:
    """True if this row is this duty: they agree on all that is not yet past."""
    begin = NEVER if entry.valid_from is None else entry.valid_from
    same_begin = begin == row.valid_from or (begin <= now and row.valid_from <= now)
    return same_begin and entry.valid_to == row.valid_to


def _begin(entry: DutyEntry, now: Micros) -> DutyRow:
    begin = now if entry.valid_from is None else max(entry.valid_from, now)
    return DutyRow(*_charge(entry), valid_from=begin, valid_to=entry.valid_to)


def _end(row: DutyRow) -> Micros:
    return FOREVER if row.valid_to is None else row.valid_to
