"""Time as data: int64 microseconds since 1970-01-01T00:00Z, the resolution of PostgreSQL.

Nothing here reads a clock. `Clock` is the one port through which the edges learn what time it is;
its implementations live in `gridwarden.clock`.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

from devices.errors import DurationError

Micros = int
"""An instant or a span in microseconds; an instant counts from the Unix epoch, in UTC."""

NEVER: Micros = -(2**63)
"""Before every instant: 'has not happened yet' in an int64 array."""

FOREVER: Micros = 2**63 - 1
"""After every instant: 'no deadline' in an int64 array."""

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


class Clock(Protocol):
    """Tells the service's time, which is the wall clock's except in demos and tests."""

    def now(self) -> Micros:
        """The present instant in microseconds since the Unix epoch, UTC."""
        ...


def to_micros(moment: datetime) -> Micros:
    """An aware datetime as microseconds since the Unix epoch; ValueError if it is naive."""
    if moment.tzinfo is None:
        raise ValueError(f"datetime {moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(micros: Micros) -> datetime:
    """Microseconds since the Unix epoch as an aware datetime in UTC; OverflowError past 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_duration(text: str) -> Micros:
    """'90s', '2m', '1h30m', '12h', '7d' as microseconds; DurationError for anything else."""
    if not _WHOLE.fullmatch(text):
        raise DurationError(
            f"{text!r} is not a duration; write a number and ms, s, m, h, d or w, e.g. '10m'"
        )
    span = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not math.isfinite(span):
        raise DurationError(f"{text[:40]!r}… is longer than any time")
    return round(span)


def format_duration(span: Micros) -> str:
    """Microseconds as the shortest text `parse_duration` reads back: 5400 s is '1h30m'."""
    if span < 1_000:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, span = divmod(span, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
