"""The keys that every rule may have, read from a rule file."""

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from devices.instant import HOUR, Micros, format_duration
from devices.metric import BY_NAME, Metric
from devices.suggest import did_you_mean, one_of
from rules.calendar import MIDNIGHT, Active, MonthDay
from rules.entry import Entry
from rules.expression import Expression
from rules.model import (
    GRAVEST_FIRST,
    Condition,
    Grade,
    Judged,
    MeasureInWindow,
    NoData,
    Occupancy,
    Score,
    Severity,
    Threshold,
    Watch,
)
from rules.parts import over_value
from rules.placeholder import PLACEHOLDERS, names, plain

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LONGEST_LATENESS: Micros = HOUR
"""Our choice: so long every reading of the devices concerned is kept in memory."""

AWAY = "household.away"
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
"""What a rule may be called."""

_TIME = r"(\d{2}):(\d{2})"
_HOURS = re.compile(rf"{_TIME}\s*-\s*{_TIME}")
_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
_LEAP_YEAR = 2028
"""Any: every date of every year is in it."""


_KNOWN_OR_NOT = Score | Occupancy | MeasureInWindow
"""Conditions on numbers of which silence can leave nothing known."""


class Colours(NamedTuple):
    """The colour of a rule's alerts, and those by value, the gravest first."""

    severity: Severity
    grades: tuple[Grade, ...]


def read_colours(entry: Entry, watch: Watch | None, condition: Condition | None) -> Colours | None:
    """The rule's `severity`; None, with every problem noted, where it cannot be told."""
    if not isinstance(entry.data.get("severity"), dict):
        severity = entry.choice("severity", Severity, None)
        return Colours(severity, ()) if severity else None
    part = entry.part("severity")
    if part is None:
        return None
    if not isinstance(condition, Threshold | Judged | None):
        entry.complain("severity", "is by value, but this rule judges none", "write one colour")
        return None
    return _by_value(entry, part, watch, condition)


def _by_value(
    entry: Entry, part: Entry, watch: Watch | None, condition: Condition | None
) -> Colours | None:
    metric = BY_NAME[watch.metric] if watch and watch.metric else None
    names = condition.names if isinstance(condition, Judged) else None
    part.refuse_others([str(severity) for severity in Severity])
    grades = tuple(
        Grade(severity, when)
        for severity in GRAVEST_FIRST
        if (when := _colour(part, severity, metric, names)) is not None
    )
    if not part.data:
        entry.complain("severity", "has no colour", "write e.g. {orange: spo2 <= 91}")
    return Colours(grades[-1].severity, grades) if grades else None


def _colour(
    part: Entry, severity: Severity, metric: Metric | None, names: tuple[str, ...] | None
) -> Expression | None:
    """The condition of this colour; names: those of derived numbers, None where a metric is."""
    return over_value(part, severity, metric) if names is None else part.expression(severity, names)


def read_texts(entry: Entry, key: str, *, required: bool) -> Mapping[str, str]:
    """A text in every language, with placeholders that are known; empty where it is missing."""
    texts = entry.languages(key, required=required)
    written = {name for text in texts.values() for name in names(text)}
    for name in sorted(written - PLACEHOLDERS):
        what = f"unknown placeholder '{{{name}}}'"
        entry.complain(key, what, did_you_mean(name, PLACEHOLDERS))
    if any(text and not plain(text) for text in texts.values()):
        entry.complain(key, "says nothing but placeholders", "say in words what it is")
    return texts


def read_no_data(entry: Entry, watch: Watch | None, condition: Condition | None) -> NoData:
    """What silence means; `hold` where it is not said, or wrong and noted."""
    choice = entry.choice("no_data", NoData, NoData.HOLD) or NoData.HOLD
    momentary = watch is not None and any(BY_NAME[name].occurs for name in watch.metrics)
    if isinstance(condition, _KNOWN_OR_NOT) or choice is NoData.HOLD:
        return choice
    if not momentary and isinstance(condition, Threshold | None):
        return choice
    hint = "write a rule of its own: absent: …, without 'when'"
    if choice is NoData.CLEAR:
        hint = "leave it out"
    what = f"'{choice}' is for thresholds on what is measured or lasts"
    entry.complain("no_data", what, hint)
    return choice


def read_lateness(entry: Entry) -> Micros:
    """How long the rule waits for what comes late, µs; 0 where missing, or wrong and noted."""
    span = entry.duration("lateness", least=0)
    if span <= LONGEST_LATENESS:
        return span
    longest = format_duration(LONGEST_LATENESS)
    what = f"{entry.data['lateness']} is longer than {longest}: all that is heard would be kept"
    entry.complain("lateness", what, "what comes later than that is told at once or not at all")
    return 0


class Unless(NamedTuple):
    """What keeps a rule quiet: nobody at home, or other rules by their codes."""

    away: bool
    rules: tuple[str, ...]


def read_unless(entry: Entry) -> Unless:
    """The rule's `unless`; of rules only that each could be one is checked here."""
    value = entry.data.get("unless")
    if value is None:
        return Unless(away=False, rules=())
    items = value if isinstance(value, list) else [value]
    words = [item for item in items if isinstance(item, str)]
    wrong = [item for item in items if item not in words or not CODE.fullmatch(item)]
    if wrong or not items:
        hint = "write 'household.away', the id of another rule, or a list of them"
        entry.complain("unless", f"{(wrong or [value])[0]!r} is not known", hint)
    rules = tuple(dict.fromkeys(word for word in words if word != AWAY))
    return Unless(AWAY in words, rules)


def read_active(entry: Entry) -> Active | None:
    """When the rule may raise alerts; None where it always may, or what is said is wrong."""
    part = entry.part("active")
    if part is None:
        return None
    before = len(entry.problems)
    part.refuse_others({"hours", "weekdays", "dates"})
    if not part.data:
        entry.complain("active", "says nothing", 'write e.g. {hours: "22:00-06:00"}')
    hours = tuple(span for text in _texts(part, "hours") if (span := _hours(part, text)))
    days = frozenset(day for text in _texts(part, "weekdays") for day in _weekdays(part, text))
    dates = tuple(dated for text in _texts(part, "dates") if (dated := _dates(part, text)))
    return Active(hours, days, dates) if len(entry.problems) == before else None


def _texts(part: Entry, key: str) -> list[str]:
    """A text or a list of them; empty where it is not given."""
    value = part.data.get(key)
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if not items:
        part.complain(key, "the list is empty, so nothing would be active", "leave it out")
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        part.complain(key, f"{value!r} is not a text or a list of texts", "put it in quotes")
    return texts


def _hours(part: Entry, text: str) -> tuple[int, int] | None:
    match = _HOURS.fullmatch(text.strip())
    begin = end = 0
    if match:
        hour, minute, to_hour, to_minute = map(int, match.groups())
        begin, end = hour * 60 + minute, to_hour * 60 + to_minute
        sound = max(minute, to_minute) < 60 and begin < MIDNIGHT and 0 < end <= MIDNIGHT
        match = match if sound else None
    if not match:
        hint = 'write e.g. "06:00-22:00", over midnight "22:00-06:00", to midnight "18:00-24:00"'
        part.complain("hours", f"{text!r} is not a span of a day", hint)
        return None
    if begin == end:
        part.complain("hours", f"{text!r} begins when it ends", "leave it out for the whole day")
        return None
    return begin, end


def _weekdays(part: Entry, text: str) -> list[int]:
    """The days, 0 for Monday, of a word such as 'mon' or 'fri-mon'."""
    words = [word.strip() for word in text.split("-")]
    unknown = [word for word in words if word not in WEEKDAYS]
    if unknown or len(words) > 2:
        hint = did_you_mean(unknown[0], WEEKDAYS) if unknown else one_of(WEEKDAYS)
        part.complain("weekdays", f"{text!r} is no day of the week or span of them", hint)
        return []
    first, last = WEEKDAYS.index(words[0]), WEEKDAYS.index(words[-1])
    return [(first + i) % 7 for i in range((last - first) % 7 + 1)]


def _dates(part: Entry, text: str) -> tuple[MonthDay, MonthDay] | None:
    words = [word.strip() for word in text.split("..")]
    days = [day for word in words if (day := _date(word)) is not None]
    if len(days) < len(words) or len(words) > 2:
        hint = 'write e.g. "05-01..05-03" for every year, or "2026-12-24"'
        part.complain("dates", f"{text!r} is no date or span of dates", hint)
        return None
    begin, end = days[0], days[-1]
    if bool(begin.year) != bool(end.year):
        part.complain("dates", f"{text!r} has a year on one side only", "write it twice or never")
        return None
    if begin.year and end < begin:
        part.complain("dates", f"{text!r} ends before it begins")
        return None
    return begin, end


def _date(word: str) -> MonthDay | None:
    match = _DATE.fullmatch(word)
    if not match:
        return None
    year, month, day = (int(number or 0) for number in match.groups())
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return None
    return MonthDay(year, month, day)
