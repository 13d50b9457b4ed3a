"""Duties with their dates read in the site's time zone."""

import datetime as dt
from collections import defaultdict
from zoneinfo import ZoneInfo

from devices.errors import Problem
from devices.instant import FOREVER, NEVER, Micros, to_micros
from devices.site.entries import Entries, Placed
from devices.site.forms import DutyForm, Moment
from devices.site.model import DutyEntry

_ONE_DAY = dt.timedelta(days=1)


def link_duties(
    entries: Entries[DutyForm], zone: ZoneInfo, problems: list[Problem]
) -> tuple[DutyEntry, ...]:
    """The duties as written; empty and doubled spans are told."""
    duties = []
    for placed in entries.placed:
        duty = _duty(placed, zone)
        duties.append(duty)
        if _end(duty) <= _begin(duty):
            hint = "a date in 'to' is the last day of the duty"
            problems.append(placed.problem("to", "the duty ends before it begins", hint))
    problems += _doubled(duties)
    return tuple(duties)


def _duty(placed: Placed[DutyForm], zone: ZoneInfo) -> DutyEntry:
    form = placed.form
    return DutyEntry(
        form.member,
        form.area,
        form.role,
        form.categories,
        None if form.begin is None else _instant(form.begin, zone),
        None if form.end is None else _instant(_after(form.end), zone),
        placed.origin,
    )


def _after(moment: Moment) -> Moment:
    """The end of the last day; an instant is itself."""
    return moment if isinstance(moment, dt.datetime) else moment + _ONE_DAY


def _instant(moment: Moment, zone: ZoneInfo) -> Micros:
    if isinstance(moment, dt.datetime):
        return to_micros(moment)
    return to_micros(dt.datetime.combine(moment, dt.time(), zone))


def _doubled(duties: list[DutyEntry]) -> list[Problem]:
    """Duties that say the same of the same time."""
    alike = defaultdict(list)
    for duty in duties:
        alike[duty.member, duty.area, duty.role, duty.categories].append(duty)
    return [
        _doubled_problem(first, second)
        for group in alike.values()
        for number, second in enumerate(group)
        for first in group[:number]
        if _begin(first) < _end(second) and _begin(second) < _end(first)
    ]


def _doubled_problem(first: DutyEntry, second: DutyEntry) -> Problem:
    what = f"member {second.member!r} has this duty twice at the same time"
    hint = f"the first is at {first.origin.source}:{first.origin.line}"
    return Problem(*second.origin, what, hint)


def _begin(duty: DutyEntry) -> Micros:
    return NEVER if duty.valid_from is None else duty.valid_from


def _end(duty: DutyEntry) -> Micros:
    return FOREVER if duty.valid_to is None else duty.valid_to
