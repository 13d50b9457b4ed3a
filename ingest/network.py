"""The network thread: keeps the session connected, dates what comes, sends acknowledgements.

It alone touches the connection, so an acknowledgement cannot go to another connection than the one
its message came by. What it has read goes to the event loop once per look at the socket, not once
per message.
"""

import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import SystemRandom

from devices.instant import Clock, Micros
from ingest.backoff import Backoff
from ingest.message import RawMessage
from ingest.receipts import Earlier, Published, Receipts
from ingest.session import Connection, SessionOptions
from ingest.subscribing import Wanted

_LOOK_EVERY_MS = 50
_REST_MS = 5
"""How long the socket is left alone after all that it held was read: under load each look brings
many messages, and a look costs as much as ten of them. A lone message does not wait for it."""
_OUTGOING = 1_000
"""Messages that may wait to be published; the oldest are forgotten first."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
log = logging.getLogger(__name__)

Deliver = Callable[[list[RawMessage], Micros | None], object]
"""Takes what was read, in order, and an instant before which nothing is left to read (or None)."""


class Network:
    """Runs the session in a thread of its own from `start` to `stop`.

    deliver, on_change: called in that thread; on_change when a connection serves and when it ends ·
    stored: what an earlier process stored and may not have acknowledged, by packet id · wanted:
    what to be subscribed to · on_granted: told, in that thread, what the broker has granted.
    """

    def __init__(
        self,
        options: SessionOptions,
        *,
        clock: Clock,
        backoff: Backoff,
        deliver: Deliver,
        on_change: Callable[[bool], object],
        stored: Mapping[int, Earlier],
        wanted: Wanted | None = None,
        on_granted: Callable[[Wanted], object] = lambda _: None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._backoff = backoff
        self._deliver = deliver
        self._on_change = on_change
        self._receipts = Receipts(stored)
        self._wanted = wanted or Wanted()
        self._tell_granted = on_granted
        self._burst: list[RawMessage] = []
        self._received = 0
        self._released = 0
        self._releases: deque[Sequence[RawMessage]] = deque()
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=_OUTGOING)
        self._granted = False
        self._resting = False
        self._failures = 0
        self._complaint = ""
        self._chance = SystemRandom()
        self._stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="gridwarden-mqtt", daemon=True)

    @property
    def connections(self) -> int:
        """Connections tried so far."""
        return self._receipts.connection

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Send the acknowledgements given so far, disconnect, end the thread; may be repeated."""
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._wake_reader.close()
        self._wake_writer.close()

    def release(self, messages: Sequence[RawMessage]) -> None:
        """These are committed: acknowledge those of the living connection, forget the others."""
        self._released += len(messages)
        self._releases.append(messages)
        self._wake()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, once and never again, when a connection serves."""
        self._outgoing.append((topic, payload))
        self._wake()

    def want(self, wanted: Wanted) -> None:
        """Be subscribed to this, on the living connection or on the next."""
        self._wanted = wanted
        self._wake()

    def _wake(self) -> None:
        # A full pipe wakes the thread just as well; a closed one has no thread to wake.
        with suppress(OSError):
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._receipts.reconnect()
            self._stopping.wait(self._one_connection())

    def _one_connection(self) -> float:
        """Connect and serve until that ends; the seconds to wait before the next try."""
        self._granted = False
        try:
            connection = Connection(
                self._options, self._on_granted, self._on_published, self._wanted
            )
        except (OSError, ValueError) as error:
            return self._fail(f"cannot connect: {error}")
        try:
            self._serve(connection)
        except Exception as error:  # noqa: BLE001 - a malformed packet ends a connection, not us
            connection.ended_because = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
            self._hand_over(None)
            self._on_change(False)
        if self._stopping.is_set():
            return 0.0
        pause = self._fail(connection.ended_because)
        # Not at once: two that take the session from each other would do nothing else.
        return self._backoff.longest if connection.taken_over else pause

    def _serve(self, connection: Connection) -> None:
        while (sock := connection.socket) is not None:
            self._wait(connection, sock)
            self._acknowledge(connection)
            self._publish(connection)
            connection.want(self._wanted)
            if not self._crowded():
                connection.read(self._room())
                looked = self._clock.now()
                drained = connection.drained()
                self._resting = drained and bool(self._burst)
                self._hand_over(looked if drained else None)
            connection.keep_alive()
            if self._stopping.is_set():
                # What was released before the stop, and after the look above.
                self._acknowledge(connection)
                connection.leave()

    def _wait(self, connection: Connection, sock: socket.socket) -> None:
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        if self._resting:
            poll.poll(_REST_MS)
        if not self._crowded():
            # Not while crowded: a dead socket would wake us without end.
            writing = select.POLLOUT if connection.wants_to_write else 0
            poll.register(sock, select.POLLIN | writing)
        more = connection.pending and not self._crowded()
        poll.poll(0 if more else _LOOK_EVERY_MS)
        with suppress(BlockingIOError):
            self._wake_reader.recv(4_096)

    def _acknowledge(self, connection: Connection) -> None:
        while self._releases:
            connection.acknowledge(self._receipts.settle(self._releases.popleft()))

    def _publish(self, connection: Connection) -> None:
        while self._granted and self._outgoing:
            connection.publish(*self._outgoing.popleft())

    def _crowded(self) -> bool:
        """More is out than the receive window allows: a broker that ignores it is left waiting."""
        return self._room() <= 0

    def _room(self) -> int:
        """How many more messages until we are crowded."""
        return self._options.receive_window + 1 - (self._received - self._released)

    def _on_published(self, published: Sequence[Published]) -> None:
        self._received += len(published)
        self._burst += self._receipts.receive_all(published, self._clock.now())

    def _hand_over(self, drained: Micros | None) -> None:
        if self._burst or drained is not None:
            self._deliver(self._burst, drained)
            self._burst = []

    def _on_granted(self, wanted: Wanted) -> None:
        if not self._granted:
            self._on_serving()
        self._tell_granted(wanted)

    def _on_serving(self) -> None:
        log.info(
            "The MQTT session is connected.",
            extra={
                "action": "source.connected",
                "broker": str(self._options.address),
                "failures": self._failures,
            },
        )
        self._failures, self._complaint = 0, ""
        self._granted = True
        self._on_change(True)

    def _fail(self, why: str) -> float:
        self._failures += 1
        if why != self._complaint:
            log.warning(
                "The MQTT session is away; trying again.",
                extra={
                    "action": "source.disconnected",
                    "broker": str(self._options.address),
                    "client_id": self._options.client_id,
                    "reason": why,
                },
            )
            self._complaint = why
        return self._backoff.delay(self._failures, self._chance.random())
