"""Fields of a test file that rule files do not have: lists of entries, instants, numbers."""

from collections.abc import Iterator

from devices.errors import Problem
from devices.instant import Micros
from rules.entry import Entry
from rules.testing.moment import HINT, Scale, read_instant, read_span

Span = tuple[Micros, Micros | None]
"""From when to when, µs UTC; None: to the end of the test."""


def listed(entry: Entry, key: str) -> Iterator[Entry]:
    """The mappings in the list of this field; what is no mapping is noted."""
    value = entry.data.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        entry.complain(key, f"{value!r} is not a list", "begin each entry with '- '")
        return
    lines = entry.lines.parts.get(key, entry.lines)
    for index, item in enumerate(value):
        place = lines.parts.get(index, lines)
        prefix = f"{entry.prefix}{key}[{index + 1}]"
        if isinstance(item, dict):
            yield Entry(entry.source, entry.name, f"{prefix}.", item, place, entry.problems)
        else:
            what = f"'{prefix}' of {entry.name}: {item!r} is not a mapping"
            problem = Problem(entry.source, place.line, what, "write {key: value, …}")
            entry.problems.append(problem)


def words(entry: Entry, key: str) -> frozenset[str] | None:
    """A word or a list of words, which may be empty; None where it is not given, or wrong."""
    if key not in entry.data:
        return None
    return frozenset() if entry.data[key] == [] else entry.words(key)


def instant(entry: Entry, key: str, scale: Scale) -> Micros | None:
    """An instant, µs UTC; None where it is not given, or wrong and noted."""
    value = entry.data.get(key)
    if value is None:
        return None
    found = read_instant(value, scale)
    if found is None:
        entry.complain(key, f"{value!r} is not a time", HINT)
    return found


def required_instant(entry: Entry, key: str, scale: Scale) -> Micros | None:
    """As `instant`, and noted where it is not given."""
    if entry.data.get(key) is None:
        entry.complain(key, "is missing", HINT)
    return instant(entry, key, scale)


def spans(entry: Entry, key: str, scale: Scale) -> tuple[Span, ...]:
    """Spans such as 16m..19m, one or a list of them, ascending."""
    value = entry.data.get(key)
    if value is None:
        return ()
    found = []
    for item in value if isinstance(value, list) else [value]:
        span = read_span(item, scale)
        if span is None:
            entry.complain(key, f"{item!r} is not a span", "write e.g. 16m..19m, or 16m..")
        elif span[1] is not None and span[1] < span[0]:
            entry.complain(key, f"{item!r} ends before it begins")
        else:
            found.append(span)
    return tuple(sorted(found, key=lambda each: each[0]))


def number(entry: Entry, key: str) -> float | None:
    """A number; None where it is not given, or wrong and noted."""
    value = entry.data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        entry.complain(key, f"{value!r} is not a number")
        return None
    return float(value)
