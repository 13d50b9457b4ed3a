"""What applying a site would change, decided from what is registered and what the site says.

Pure: the registry reads what is registered, asks here, shows the changes and carries them out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from zoneinfo import ZoneInfo

from devices.instant import Micros, format_duration, to_datetime
from devices.reading import Json
from devices.site.duty_changes import DutyPlan, DutyRow, StoredDuty, plan_duties
from devices.site.fields import Fields, Section, wanted_entries
from devices.site.model import Site


class ChangeKind(StrEnum):
    """What happens to an entry. Nothing is ever deleted."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    RETIRED = "retired"
    RETURNED = "returned"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an entry, before and after."""

    field: str
    old: Json
    new: Json

    def __str__(self) -> str:
        return f"{self.field}: {_shown(self.field, self.old)} → {_shown(self.field, self.new)}"


@dataclass(frozen=True, slots=True)
class SiteChange:
    """One entry that changes; `code` is as people know it, a device's with its community."""

    section: Section
    kind: ChangeKind
    code: str
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        details = "; ".join(str(field) for field in self.fields)
        return f"{self.section} {self.code} {self.kind}" + (f" ({details})" if details else "")


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as the registry keeps it: its code, meaning (fingerprint), place and text."""

    code: str
    fingerprint: str
    source: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A registered entry; `retired` where it is kept for its history only."""

    fields: Fields
    retired: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered. Devices are keyed 'community/code'; rules are those in force."""

    version: int
    site: Fields | None
    entries: Mapping[Section, Mapping[str, Stored]]
    duties: Sequence[StoredDuty]
    rules: Mapping[str, RuleText]


@dataclass(frozen=True, slots=True)
class RulePlan:
    """Rules to end by code, and rules to begin; a changed one is in both.

    moved: rules of which only the place in the files is new; that is no change of the site.
    """

    ended: Sequence[str]
    begun: Sequence[RuleText]
    moved: Sequence[RuleText]


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What to do: rows to write and codes to retire by section, duties and rules."""

    changes: tuple[SiteChange, ...]
    written: Mapping[Section, Sequence[Fields]]
    retired: Mapping[Section, Sequence[str]]
    duties: DutyPlan
    rules: RulePlan


_PLACE = frozenset({"parent", "area", "household"})


def plan(
    registered: Registered, site: Site, rules: Sequence[RuleText] | None, now: Micros
) -> SitePlan:
    """What applying this site at `now` (µs since the Unix epoch, UTC) would do.

    rules None: rules stay as they are.
    """
    changes = _site_changes(registered.site, site)
    written: dict[Section, list[Fields]] = {}
    retired: dict[Section, list[str]] = {}
    for section, wanted in wanted_entries(site).items():
        found = list(_section_changes(section, registered.entries[section], wanted))
        retired[section] = [c.code for c in found if c.kind is ChangeKind.RETIRED]
        written[section] = [wanted[c.code] for c in found if c.kind is not ChangeKind.RETIRED]
        changes += found
    duties = plan_duties(registered.duties, site.duties, now)
    changes += _duty_changes(duties, ZoneInfo(site.time_zone))
    new_rules = plan_rules(registered.rules, rules)
    changes += _rule_changes(registered.rules, new_rules)
    return SitePlan(tuple(changes), written, retired, duties, new_rules)


def plan_rules(in_force: Mapping[str, RuleText], rules: Sequence[RuleText] | None) -> RulePlan:
    """Which rules to end, begin and merely note at their new place."""
    if rules is None:
        return RulePlan([], [], [])
    same = {rule.code: rule for rule in rules if _same(in_force, rule)}
    return RulePlan(
        [code for code in in_force if code not in same],
        [rule for rule in rules if rule.code not in same],
        [rule for rule in same.values() if rule != in_force[rule.code]],
    )


def _site_changes(old: Fields | None, site: Site) -> list[SiteChange]:
    new: Fields = {"name": dict(site.name), "time_zone": site.time_zone}
    if old is None:
        return [SiteChange(Section.SITE, ChangeKind.ADDED, site.name["en"])]
    fields = _differences(old, new)
    return [SiteChange(Section.SITE, ChangeKind.CHANGED, site.name["en"], fields)] if fields else []


def _section_changes(
    section: Section, stored: Mapping[str, Stored], wanted: Mapping[str, Fields]
) -> Iterable[SiteChange]:
    for code, new in wanted.items():
        old = stored.get(code)
        if old is None:
            yield SiteChange(section, ChangeKind.ADDED, code)
            continue
        fields = _differences(old.fields, new)
        if old.retired:
            yield SiteChange(section, ChangeKind.RETURNED, code, fields)
        elif fields:
            moved = any(field.field in _PLACE for field in fields)
            yield SiteChange(
                section, ChangeKind.MOVED if moved else ChangeKind.CHANGED, code, fields
            )
    for code, old in sorted(stored.items(), key=itemgetter(0)):
        if code not in wanted and not old.retired:
            yield SiteChange(section, ChangeKind.RETIRED, code)


def _differences(old: Fields, new: Fields) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(f, old[f], new[f]) for f in new if old[f] != new[f])


def _duty_changes(duties: DutyPlan, zone: ZoneInfo) -> Iterable[SiteChange]:
    for duty in duties.ended:
        yield _duty_change(ChangeKind.ENDED, duty.row, zone)
    for row in duties.begun:
        yield _duty_change(ChangeKind.ADDED, row, zone)


def _duty_change(kind: ChangeKind, row: DutyRow, zone: ZoneInfo) -> SiteChange:
    scope = "everything" if row.categories is None else ", ".join(sorted(row.categories))
    span = f"from {_local(row.valid_from, zone)}"
    if row.valid_to is not None:
        span += f" to {_local(row.valid_to, zone)}"
    code = f"{row.member} as {row.role} at {row.area} for {scope} {span}"
    return SiteChange(Section.DUTY, kind, code)


def _local(instant: Micros, zone: ZoneInfo) -> str:
    return to_datetime(instant).astimezone(zone).isoformat(sep=" ", timespec="minutes")


def _same(in_force: Mapping[str, RuleText], rule: RuleText) -> bool:
    old = in_force.get(rule.code)
    return old is not None and (old.fingerprint, old.text) == (rule.fingerprint, rule.text)


def _rule_changes(in_force: Mapping[str, RuleText], rules: RulePlan) -> Iterable[SiteChange]:
    for rule in rules.begun:
        kind = ChangeKind.CHANGED if rule.code in in_force else ChangeKind.ADDED
        yield SiteChange(Section.RULE, kind, rule.code)
    for code in set(rules.ended) - {rule.code for rule in rules.begun}:
        yield SiteChange(Section.RULE, ChangeKind.ENDED, code)


def _shown(field: str, value: Json) -> str:
    if field == "interval_us" and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{key} {_shown('', part)}" for key, part in sorted(value.items())) or "none"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_shown("", part) for part in value)
    return "none" if value is None else str(value)
