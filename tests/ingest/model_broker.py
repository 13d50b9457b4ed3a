"""A broker of one session, and the link to it, in memory: does what no real one does on demand."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from devices.instant import Clock, Micros
from ingest.backoff import Backoff
from ingest.message import RawMessage
from ingest.receipts import Earlier, Published, Receipts
from ingest.session import SessionOptions
from ingest.subscribing import Wanted

IDS = 24
"""In place of 65 535: packet ids are soon given out again, to other messages."""

IN_FLIGHT = 10
"""The broker sends no more ahead."""

Message = tuple[str, bytes]


@dataclass(slots=True)
class Broker:
    """What a broker keeps of one session."""

    queue: deque[Message] = field(default_factory=deque)
    sent: dict[int, Message] = field(default_factory=dict)
    """By packet id, in order: not acknowledged yet."""
    _last: int = 0

    def send(self, most: int) -> list[Published]:
        """The next of what waits, for the first time."""
        published = []
        for _ in range(min(most, len(self.queue), IN_FLIGHT - len(self.sent))):
            self._last = self._last % IDS + 1
            self.sent[self._last] = self.queue.popleft()
            published.append(Published(*self.sent[self._last], self._last, 1, False))
        return published

    def send_again(self) -> list[Published]:
        """All that it does not know to have arrived."""
        return [Published(*message, id_, 1, True) for id_, message in self.sent.items()]


class Link:
    """In place of `ingest.network.Network`: the same books, no socket and no thread."""

    def __init__(
        self,
        _options: SessionOptions,
        *,
        clock: Clock,
        backoff: Backoff,
        deliver: Callable[[list[RawMessage], Micros | None], object],
        on_change: Callable[[bool], object],
        stored: Mapping[int, Earlier],
        wanted: Wanted,
        on_granted: Callable[[Wanted], object],
    ) -> None:
        del backoff, wanted, on_granted
        self._clock = clock
        self._deliver = deliver
        self._on_change = on_change
        self._receipts = Receipts(stored)
        self.broker = Broker()
        self.passes: int | None = None
        """Acknowledgements that still arrive before the connection is cut; None: all."""

    def start(self) -> None:
        """The source is entered; the broker is given after that, by `connect`."""

    def stop(self) -> None:
        """The connection ends with the source."""

    def connect(self) -> None:
        """A new connection: what was not acknowledged comes again."""
        self.passes = None
        self._receipts.reconnect()
        self._on_change(False)
        self._on_change(True)
        self._receive(self.broker.send_again())

    def send(self, most: int) -> None:
        """The broker sends what waits."""
        self._receive(self.broker.send(most))

    def release(self, messages: Sequence[RawMessage]) -> None:
        """Acknowledge to the broker."""
        for packet_id, _qos in self._receipts.settle(messages):
            if self.passes == 0:
                return self.connect()
            if self.passes is not None:
                self.passes -= 1
            del self.broker.sent[packet_id]
        if self.passes is not None:
            self.connect()
        return None

    def _receive(self, published: list[Published]) -> None:
        now = self._clock.now()
        self._deliver(self._receipts.receive_all(published, now), now)
