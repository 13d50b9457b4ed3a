"""Days and hours of a community: spans of time in its time zone, and how busy its streets are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from devices.instant import Micros, to_datetime, to_micros

_EPOCH = date(1970, 1, 1)

STREET_BY_HOUR = (
    *(0.02, 0.01, 0.01, 0.01, 0.03, 0.15, 0.50, 1.00, 0.90, 0.50, 0.40, 0.60),
    *(0.60, 0.40, 0.40, 0.50, 0.70, 1.00, 0.95, 0.70, 0.50, 0.30, 0.15, 0.05),
)
"""How busy doors, barriers and bays are, by local hour, as a share of their busiest; our choice."""


@dataclass(frozen=True, slots=True)
class Span:
    """start ≤ t < end, µs since the Unix epoch, UTC, in a community of this time zone."""

    start: Micros
    end: Micros
    zone: tzinfo

    def midnight(self, at: Micros) -> Micros:
        """The local midnight at or before this instant."""
        return to_micros(datetime.combine(self._local(at), time(), self.zone))

    def number(self, at: Micros) -> int:
        """The local date at this instant, in days since 1970-01-01."""
        return (self._local(at) - _EPOCH).days

    def days(self) -> Iterator[tuple[int, Micros]]:
        """Every local date that the span touches, with its midnight."""
        day, last = self._local(self.start), self._local(max(self.start, self.end - 1))
        while day <= last:
            yield (day - _EPOCH).days, to_micros(datetime.combine(day, time(), self.zone))
            day += timedelta(days=1)

    def _local(self, at: Micros) -> date:
        return to_datetime(at).astimezone(self.zone).date()
