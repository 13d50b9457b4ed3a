"""Which SUBSCRIBE or UNSUBSCRIBE a session sends next. No I/O.

Thousands of communities are thousands of filters: they go in portions, each after the broker has
answered the one before. What is wanted may change at any time.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from devices.topic import SUBSCRIPTIONS

PORTION = 500
"""Filters in one packet; some brokers refuse packets of many KiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """topics: filters to be subscribed to · leave: that the broker may have for us, to be ended."""

    topics: tuple[str, ...] = SUBSCRIPTIONS
    leave: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """A SUBSCRIBE to these filters, or, if leaving, an UNSUBSCRIBE."""

    topics: tuple[str, ...]
    leaving: bool = False


class Subscribing:
    """One connection's way to what is wanted: it asks for all of it, kept session or not."""

    def __init__(self, wanted: Wanted) -> None:
        self._have: set[str] = set()
        self._left: set[str] = set()
        self._asked: Packet | None = None
        self.want(wanted)

    def want(self, wanted: Wanted) -> None:
        """From now on this is wanted."""
        self.wanted = wanted
        self._to_ask = deque(self._packets())

    def next(self) -> Packet | None:
        """What to send now; None while an answer is awaited, and when nothing is left."""
        if self._asked is not None or not self._to_ask:
            return None
        self._asked = self._to_ask.popleft()
        topics = self._asked.topics
        gained, lost = (self._left, self._have) if self._asked.leaving else (self._have, self._left)
        gained.update(topics)
        lost.difference_update(topics)
        return self._asked

    def answered(self) -> Packet:
        """The broker has answered; gives what it was asked."""
        asked, self._asked = self._asked, None
        return asked or Packet(())

    @property
    def done(self) -> bool:
        """True when the broker has answered all that is wanted."""
        return self._asked is None and not self._to_ask

    def _packets(self) -> Iterator[Packet]:
        join = (topic for topic in self.wanted.topics if topic not in self._have)
        yield from (Packet(topics) for topics in _portions(join))
        leave = (topic for topic in self.wanted.leave if topic not in self._left)
        yield from (Packet(topics, leaving=True) for topics in _portions(leave))


def _portions(topics: Iterable[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(topics)
    while portion := tuple(islice(rest, PORTION)):
        yield portion
