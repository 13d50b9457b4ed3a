"""Messages out over MQTT, QoS 1: as fast as the broker acknowledges, or paced by a clock.

The only part of the simulator that knows a network. Many PUBLISH packets go in one write; what is
not acknowledged when a connection breaks is sent again over the next one.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from secrets import token_hex
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import TracebackType
from typing import Final, Self
from zlib import crc32

from devices.instant import SECOND, Clock, Micros
from devices.simulator.address import Account, Address
from devices.simulator.errors import PublishError
from devices.simulator.line import Line
from devices.simulator.message import Message
from devices.simulator.packets import DISCONNECT, PINGREQ

__all__ = ["Account", "Address", "PublishError", "Publisher", "play"]

CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 60.0
SHORTEST_WAIT_S = 0.002
KEEPALIVE_S: Final = 60
LINGER_S: Final = 0.5
"""How long a connection stays after its last message: amqtt, the demo's broker where there is no
other, forgets what it has acknowledged and not yet handed on when its sender leaves."""
PIECE: Final = 512 * 1024
"""Bytes that wait for a socket before more is made: enough for one write, too few to matter."""


class _Wire:
    """One line with its socket."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.socket: socket.socket | None = None
        self.rest = memoryview(b"")
        self.events = 0

    def pending(self) -> bool:
        """Whether TLS holds bytes that a selector does not see."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0


class Publisher:
    """Publishes at QoS 1 over some connections, with at most `window` messages unacknowledged each.

    `sent` counts what was handed over, `accepted` the broker's PUBACKs: what it has answered for.
    A device's messages all go over one connection, so that their order is kept. One thread at a
    time may use it; `give_up`, `sent` and `accepted` are for any. With a clock, quiet connections
    are kept alive by pings; else they ask the broker not to mind silence.
    """

    def __init__(
        self,
        address: Address,
        *,
        connections: int = 1,
        window: int = 1_000,
        accounts: Sequence[Account] = (),
        clock: Clock | None = None,
    ) -> None:
        self.sent = 0
        self.accepted = 0
        self.reconnects = 0
        self._address = address
        self._clock = clock
        self._pinged: Micros = clock.now() if clock else 0
        self._given_up = threading.Event()
        self._pause = threading.Event()
        self._selector = DefaultSelector()
        self._waiting: set[_Wire] = set()
        own = accounts or [Account(address.user, address.password)] * connections
        name = f"simulator-{token_hex(4)}"
        alive = KEEPALIVE_S if clock else 0
        self._wires = [
            _Wire(Line.of(window, a.client_id or f"{name}-{n}", a.user, a.password, alive))
            for n, a in enumerate(own)
        ]

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._wires)

    def __enter__(self) -> Self:
        """Connect; PublishError where the broker does not answer or refuses."""
        try:
            for wire in self._wires:
                self._open(wire)
            self._await_connections()
        except OSError as error:
            self._hang_up()
            raise PublishError(f"no broker answers at {self._where}: {error}") from error
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self.accepted:
            self.idle(LINGER_S)
        self._hang_up()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one message; waits while the window is full, PublishError if it stays full."""
        address = topic.encode()
        self._add(crc32(address), address, payload)
        self._turn(0)

    def publish_all(
        self, rows: Iterable[int], topics: Iterable[bytes], payloads: Iterable[bytes]
    ) -> None:
        """Hand over many; all of a row go over one connection."""
        for number, topic, payload in zip(rows, topics, payloads, strict=True):
            self._add(number, topic, payload)
        self._turn(0)

    def idle(self, seconds: float) -> None:
        """Wait so long, and hear the broker meanwhile."""
        waited = 0.0
        while waited < seconds:
            waited += max(SHORTEST_WAIT_S, self._turn(min(0.05, seconds - waited)))

    def drain(self) -> None:
        """Wait until the broker has acknowledged everything; PublishError where it stalls."""
        self._await(lambda: self.accepted >= self.sent)

    def give_up(self) -> None:
        """Let nobody wait for acknowledgements any more: whoever does gets a PublishError."""
        self._given_up.set()

    def _add(self, number: int, topic: bytes, payload: bytes) -> None:
        wire = self._wires[number % len(self._wires)]
        if wire.line.full:
            self._await(lambda: not wire.line.full)
        wire.line.add(topic, payload)
        self._waiting.add(wire)
        self.sent += 1
        if not self.sent % 500:
            self._turn(0)

    def _await_connections(self) -> None:
        waited = 0.0
        while not all(wire.line.connected for wire in self._wires):
            waited += self._turn(0.05)
            if waited > CONNECT_TIMEOUT_S:
                raise PublishError(self._not_taken())

    def _await(self, reached: Callable[[], bool]) -> None:
        still, before = 0.0, self.accepted
        while not reached():
            if self._given_up.is_set():
                raise PublishError(f"given up with {self._open_count} messages unacknowledged")
            waited = self._turn(0.05)
            still = 0.0 if self.accepted > before else still + waited
            before = self.accepted
            if still > STALL_TIMEOUT_S:
                raise PublishError(self._stalled())

    def _turn(self, timeout: float) -> float:
        """Send what can be sent, hear what there is; seconds waited in vain, at most `timeout`."""
        self._keep_alive()
        waiting, self._waiting = self._waiting, set()
        for wire in waiting:
            self._send(wire)
        ready = self._selector.select(timeout)
        for key, events in ready:
            wire = key.data
            if events & EVENT_READ:
                self._hear(wire)
            self._send(wire)
        return 0.0 if ready else timeout

    def _send(self, wire: _Wire) -> None:
        if wire.socket is None:
            return
        try:
            while True:
                if not wire.rest:
                    wire.rest = memoryview(wire.line.outgoing())
                    if not wire.rest:
                        break
                gone = wire.socket.send(wire.rest[:PIECE])
                wire.rest = wire.rest[gone:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self._reopen(wire, error)
            return
        self._watch(wire, EVENT_READ | (EVENT_WRITE if wire.rest else 0))

    def _hear(self, wire: _Wire) -> None:
        try:
            while wire.socket is not None:
                data = wire.socket.recv(65_536)
                if not data:
                    raise ConnectionError("the broker closed the connection")
                self.accepted += wire.line.receive(data)
                if len(data) < 65_536 and not wire.pending():
                    return
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._reopen(wire, error)

    def _watch(self, wire: _Wire, events: int) -> None:
        if wire.socket is not None and wire.events != events:
            change = self._selector.modify if wire.events else self._selector.register
            change(wire.socket, events, wire)
            wire.events = events

    def _open(self, wire: _Wire) -> None:
        raw = socket.create_connection((self._address.host, self._address.port), CONNECT_TIMEOUT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._address.tls:
            context = ssl.create_default_context(cafile=self._address.ca_file)
            raw = context.wrap_socket(raw, server_hostname=self._address.host)
        raw.setblocking(False)
        wire.socket, wire.rest = raw, memoryview(b"")
        wire.line.begin()
        self._waiting.add(wire)
        self._watch(wire, EVENT_READ)

    def _close(self, wire: _Wire) -> None:
        if wire.socket is not None:
            if wire.events:
                self._selector.unregister(wire.socket)
            wire.socket.close()
            wire.socket, wire.events = None, 0

    def _reopen(self, wire: _Wire, error: OSError) -> None:
        """Connect again, ever more patiently; PublishError where that does not help."""
        self._close(wire)
        self.reconnects += 1
        waited = 0.0
        for delay in _delays():
            try:
                self._open(wire)
            except OSError as again:
                if waited > STALL_TIMEOUT_S or self._given_up.is_set():
                    raise PublishError(self._gone(error)) from again
                self._pause.wait(delay)
                waited += delay
            else:
                return

    def _keep_alive(self) -> None:
        if self._clock is None or self._clock.now() - self._pinged < KEEPALIVE_S // 2 * SECOND:
            return
        self._pinged = self._clock.now()
        for wire in self._wires:
            if wire.line.connected:
                wire.line.say(PINGREQ)
                self._waiting.add(wire)

    def _hang_up(self) -> None:
        for wire in self._wires:
            if wire.socket is not None and wire.line.connected and not wire.rest:
                wire.line.say(DISCONNECT)
                self._send_last(wire)
            self._close(wire)
        self._selector.close()

    def _send_last(self, wire: _Wire) -> None:
        if wire.socket is not None:
            try:
                wire.socket.send(wire.line.outgoing())
            except OSError:
                return

    @property
    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    @property
    def _open_count(self) -> int:
        return self.sent - self.accepted

    def _not_taken(self) -> str:
        taken = sum(wire.line.connected for wire in self._wires)
        return (
            f"broker {self._where} accepted {taken} of {len(self._wires)} connections "
            f"in {CONNECT_TIMEOUT_S:g} s"
        )

    def _stalled(self) -> str:
        return (
            f"broker {self._where} acknowledged none of {self._open_count} messages for "
            f"{STALL_TIMEOUT_S:g} s"
        )

    def _gone(self, error: OSError) -> str:
        return (
            f"broker {self._where} is gone ({error}) and does not come back; "
            f"{self._open_count} messages are unacknowledged"
        )


def _delays() -> Iterator[float]:
    return (min(2.0, 0.1 * 2 ** min(n, 5)) for n in count())


def play(
    messages: Iterable[Message],
    publisher: Publisher,
    *,
    clock: Clock,
    speed: float,
    stop: threading.Event,
    sent: Callable[[Message], None] = lambda _: None,
) -> None:
    """Publish each message when the clock, running at `speed`, reaches its instant; until stopped.

    Messages that are overdue go at once. `sent` is told of each, before it is handed over.
    """
    for message in messages:
        while (early := message.due - clock.now()) > 0:
            if stop.is_set():
                return
            publisher.idle(min(0.1, max(early / speed / SECOND, SHORTEST_WAIT_S)))
        if stop.is_set():
            return
        sent(message)
        publisher.publish(message.topic, message.payload)
