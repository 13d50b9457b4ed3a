"""Instants of a test: written as the time since its start or as a date, shown as both."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from devices.errors import DurationError
from devices.instant import Micros, format_duration, parse_duration, to_datetime, to_micros
from rules.entry import LONGEST

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?")
YEARS = range(1970, 2201)
HINT = "write the time since the start, e.g. 5m30s, or a date, e.g. 2026-03-01 22:00"


@dataclass(frozen=True, slots=True)
class Scale:
    """What times of a test are counted from (µs, UTC), and the zone of its dates."""

    start: Micros
    zone: tzinfo

    def show(self, instant: Micros) -> str:
        """The time since the start, and the local time: '12m (08:12:00)'."""
        local, begun = self._local(instant), self._local(self.start)
        day = "" if local.date() == begun.date() else f"{local:%Y-%m-%d} "
        return f"{offset(instant - self.start)} ({day}{local:%H:%M:%S})"

    def _local(self, instant: Micros) -> datetime:
        return to_datetime(instant).astimezone(self.zone)


def offset(span: Micros) -> str:
    """A span as the test would write it; '-' before what is before the start."""
    sign = "-" if span < 0 else ""
    whole, rest = divmod(abs(span), 1_000)
    exact = f"+{rest}us" if rest else ""
    return f"{sign}{format_duration(whole * 1_000)}{exact}"


def read_date(text: str, zone: tzinfo) -> Micros | None:
    """A date with its time, local to this zone unless it says its own; None where it is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    known = moment.year in YEARS
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone)) if known else None


def read_instant(value: object, scale: Scale) -> Micros | None:
    """The instant that is written so, µs UTC; None where it is none within a year of the start."""
    found = _read_instant(str(value), scale)
    near = found is not None and abs(found - scale.start) <= LONGEST
    return found if near else None


def _read_instant(value: str, scale: Scale) -> Micros | None:
    if value == "0":
        return scale.start
    sign, span = (-1, value[1:]) if value.startswith("-") else (1, value)
    try:
        return scale.start + sign * parse_duration(span)
    except DurationError:
        return read_date(value, scale.zone)


def read_span(text: object, scale: Scale) -> tuple[Micros, Micros | None] | None:
    """From when to when: '16m..19m', or '16m..' without an end; None where not understood."""
    parts: Sequence[str] = text.split("..") if isinstance(text, str) else ()
    if len(parts) != 2:
        return None
    begin = read_instant(parts[0], scale)
    if begin is None or not parts[1]:
        return None if begin is None else (begin, None)
    end = read_instant(parts[1], scale)
    return None if end is None else (begin, end)
