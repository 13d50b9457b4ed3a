"""Messages from the broker, in batches, acknowledged after their commit: the face of the session.

All state here belongs to the event loop; the network thread hands over through it. Up to
`receive_window` messages are held unacknowledged; the broker's queue holds the rest.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Self

from devices.instant import Clock, Micros
from devices.topic import MARK, SUBSCRIPTIONS
from ingest.address import parse_address
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy, Pace
from ingest.hearing import Hearing
from ingest.message import RawMessage
from ingest.network import Network
from ingest.receipts import Earlier
from ingest.session import SessionOptions, Version
from ingest.subscribing import Wanted


class Source:
    """The persistent MQTT session as an asynchronous context manager.

    heard: where `heard_until` resumes, e.g. `store.last_heard`; µs since the Unix epoch, UTC ·
    stored: what an earlier process stored and may not have acknowledged, e.g. `store.undated` ·
    ca_file: PEM certificates that vouch for the broker (mqtts://); None: the system's.
    keepalive: a broker that says nothing for twice so many seconds is left and called again.
    topics: filters to be subscribed to · leave: filters that an earlier process may have left.
    until: text of the mark (`topic.MARK`) before which receiving ends; other marks are acknowledged
    unseen. SourceError if the URL cannot be used; a broker that is away is waited for.
    """

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        policy: BatchPolicy,
        clock: Clock,
        version: Version = "5",
        receive_window: int = 20_000,
        heard: Micros = 0,
        stored: Mapping[int, Earlier] = MappingProxyType({}),
        backoff: Backoff | None = None,
        ca_file: str | None = None,
        keepalive: int = 30,
        topics: Iterable[str] = SUBSCRIPTIONS,
        leave: Iterable[str] = (),
        until: str | None = None,
    ) -> None:
        address = parse_address(url, ca_file)
        self._options = SessionOptions(address, client_id, version, receive_window, keepalive)
        self._policy = policy
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._stored = stored
        self._hearing = Hearing(heard)
        self._promised = heard
        self._drained: Micros = 0
        self._in_hand: list[RawMessage] = []
        self._waiting: list[RawMessage] = []
        self._waiting_since = 0.0
        self._waiting_size = 0
        self._worked = 0.0
        self._taken_at: float | None = None
        self._done_at = 0.0
        self._received = 0
        self._acknowledged = 0
        self._due = asyncio.Event()
        self._serving = asyncio.Event()
        self._away = asyncio.Event()
        self._away.set()
        self._stopping = False
        self._wanted = Wanted(tuple(topics), tuple(leave))
        self._granted = asyncio.Event()
        self._until_mark = None if until is None else until.encode()
        self._marked: Micros | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._network = Network(
            self._options,
            clock=self._clock,
            backoff=self._backoff,
            deliver=lambda *read: loop.call_soon_threadsafe(self._delivered, *read),
            on_change=lambda serving: loop.call_soon_threadsafe(self._changed, serving),
            stored=self._stored,
            wanted=self._wanted,
            on_granted=lambda wanted: loop.call_soon_threadsafe(self._on_granted, wanted),
        )
        self._network.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await asyncio.to_thread(self._network.stop)

    async def receive(self) -> list[RawMessage]:
        """The next batch, at least one message, in order of receipt; [] only after `stop`.

        The call says that the batch before has been acknowledged and handed on.
        """
        self._in_hand = []
        self._hearing = self._hearing.reaching(self._promised)
        self._finish()
        while not self._stopping:
            if self._marked is not None and not self._waiting:
                self.stop()
                break
            wait = self._due_in()
            if wait == 0.0:
                return self._take()
            self._due.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._due.wait()
        return []

    def acknowledge(self, messages: Sequence[RawMessage]) -> None:
        """These are committed. Those that came by the present connection get their PUBACK."""
        self._acknowledged += len(messages)
        self._network.release(messages)
        self._observe()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0 once the broker serves this session; forgotten if it takes too many."""
        self._network.publish(topic, payload)

    def stop(self) -> None:
        """Let `receive` return [] from now on; what waits stays unacknowledged at the broker."""
        self._stopping = True
        self._due.set()

    async def subscribe(self, topics: Iterable[str], *, leave: Iterable[str] = ()) -> None:
        """Be subscribed to these filters only; returns when the broker has granted all of it.

        On the living connection; no message of a filter that stays is lost. leave: filters that the
        broker may have for us beside those of before.
        """
        before, wanted = self._wanted, tuple(topics)
        left = {*before.topics, *leave} | (set() if self._granted.is_set() else {*before.leave})
        self._wanted = Wanted(wanted, tuple(sorted(left - {*wanted})))
        self._granted.clear()
        self._network.want(self._wanted)
        await self._granted.wait()

    async def wait_connected(self) -> None:
        """Wait until the broker has granted the subscriptions."""
        await self._serving.wait()

    async def wait_disconnected(self) -> None:
        """Wait until no broker serves this session."""
        await self._away.wait()

    @property
    def stopping(self) -> bool:
        """True after `stop`."""
        return self._stopping

    @property
    def connected(self) -> bool:
        """True while the broker serves this session."""
        return self._serving.is_set()

    @property
    def settled(self) -> bool:
        """True once the broker's backlog counts as drained."""
        return self._hearing.settled(self._at())

    @property
    def received(self) -> int:
        """Messages that came since the start, redeliveries included."""
        return self._received

    @property
    def acknowledged(self) -> int:
        """Messages given to `acknowledge` since the start."""
        return self._acknowledged

    @property
    def in_flight(self) -> int:
        """Messages received and not yet acknowledged."""
        return self._received - self._acknowledged

    @property
    def waiting(self) -> int:
        """Messages received that are in no batch yet."""
        return len(self._waiting)

    @property
    def connections(self) -> int:
        """Connections tried since the start."""
        return self._network.connections

    def heard_until(self, now: Micros) -> Micros:
        """Up to when all that the broker accepted is committed and handed on; never goes back.

        Stands still while the session is away or catching up. µs since the Unix epoch, UTC.
        """
        self._hearing = self._hearing.reaching(self._until(now, self._in_hand or self._waiting))
        return self._hearing.heard

    def heard_with_batch(self, now: Micros) -> Micros:
        """What `heard_until` will be at `now` if the batch in hand is committed."""
        self._promised = max(self._promised, self._until(now, self._waiting))
        return self._promised

    def _until(self, now: Micros, unheard: Sequence[RawMessage]) -> Micros:
        oldest = unheard[0].arrival if unheard else self._marked
        return self._hearing.until(now, self._at(), drained=self._drained, oldest=oldest)

    def _finish(self) -> None:
        """The batch in hand is committed, acknowledged and handed on."""
        self._done_at = self._at()
        if self._taken_at is not None:
            self._worked = self._done_at - self._taken_at
            self._taken_at = None

    def _due_in(self) -> float | None:
        at = self._at()
        pace = Pace(self._worked, at - self._done_at)
        age = at - self._waiting_since
        return self._policy.due_in(len(self._waiting), self._waiting_size, age, pace)

    def _take(self) -> list[RawMessage]:
        count = self._policy.share(len(message.payload) for message in self._waiting)
        self._in_hand, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_size -= sum(len(message.payload) for message in self._in_hand)
        self._taken_at = self._at()
        return self._in_hand

    def _delivered(self, burst: list[RawMessage], drained: Micros | None) -> None:
        burst = self._without_marks(burst)
        was_empty = not self._waiting
        self._waiting += burst
        self._waiting_size += sum(len(message.payload) for message in burst)
        self._received += len(burst)
        self._drained = self._drained if drained is None else drained
        if was_empty and burst:
            self._waiting_since = self._at()
        if burst and (was_empty or self._due_in() == 0.0):
            self._due.set()
        self._observe()

    def _without_marks(self, burst: list[RawMessage]) -> list[RawMessage]:
        """What came before the awaited mark; that and what follows stay unacknowledged."""
        if self._marked is not None:
            return []
        marks = [n for n, message in enumerate(burst) if message.topic == MARK]
        for n in marks:
            if burst[n].payload == self._until_mark:
                self._marked = burst[n].arrival
                self._due.set()
                return [message for message in burst[:n] if message.topic != MARK]
        if not marks:
            return burst
        self._network.release([burst[n] for n in marks])
        return [message for message in burst if message.topic != MARK]

    def _on_granted(self, wanted: Wanted) -> None:
        if wanted is self._wanted:
            self._granted.set()

    def _changed(self, serving: bool) -> None:
        begins, ends = (self._serving, self._away) if serving else (self._away, self._serving)
        ends.clear()
        begins.set()
        self._observe()

    def _observe(self) -> None:
        self._hearing = self._hearing.observe(
            connected=self.connected,
            unacknowledged=self.in_flight,
            window=self._options.receive_window,
            at=self._at(),
        )

    def _at(self) -> float:
        return asyncio.get_running_loop().time()
