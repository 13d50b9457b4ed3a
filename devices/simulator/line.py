"""One connection's books: which packets wait to go, which went and are not acknowledged. Pure.

A packet id is taken for at most `window` messages at a time. After a lost connection everything
unacknowledged goes again, in its order, marked as such.
"""

from typing import Final

from devices.simulator.packets import Inbound, again, connect, publish

_LAST_ID: Final = 65_535


class Line:
    """What one connection has to send and has not had answered; no socket."""

    def __init__(self, window: int, hello: bytes) -> None:
        self.in_flight: dict[int, bytes] = {}
        self._window = min(window, _LAST_ID - 1)
        self._hello = hello
        self._next = 1
        self._unsent: list[bytes] = []
        self._inbound = Inbound()
        self._held: list[bytes] = []

    @classmethod
    def of(
        cls, window: int, client_id: str, user: str | None, password: str | None, keepalive: int
    ) -> "Line":
        """A line that says hello as this client."""
        return cls(window, connect(client_id, user, password, keepalive))

    @property
    def connected(self) -> bool:
        """Whether the broker has taken the present connection."""
        return self._inbound.connected

    @property
    def full(self) -> bool:
        """No further message now: the window is full."""
        return len(self.in_flight) >= self._window

    def add(self, topic: bytes, payload: bytes) -> None:
        """One message to go; only where the line is not full."""
        number = self._next
        while number in self.in_flight:
            number = number % _LAST_ID + 1
        self._next = number % _LAST_ID + 1
        packet = publish(topic, payload, number)
        self.in_flight[number] = packet
        (self._unsent if self._inbound.connected else self._held).append(packet)

    def say(self, packet: bytes) -> None:
        """A packet that is not acknowledged."""
        self._unsent.append(packet)

    def begin(self) -> None:
        """A new connection: hello first; what went before goes again when it is taken."""
        self._inbound = Inbound()
        fresh = set(map(id, self._held))
        packets = self.in_flight.values()
        self._held = [p if id(p) in fresh else again(p) for p in packets]
        self.in_flight = dict(zip(self.in_flight, self._held, strict=True))
        self._unsent = [self._hello]

    def outgoing(self) -> bytes:
        """All bytes that may go now; they count as gone."""
        if not self._unsent:
            return b""
        data = b"".join(self._unsent)
        self._unsent.clear()
        return data

    def receive(self, data: bytes) -> int:
        """Bytes from the broker; how many messages they acknowledge. PublishError if it refuses."""
        before, taken = len(self.in_flight), self._inbound.connected
        for number in self._inbound.feed(data):
            self.in_flight.pop(number, None)
        if self._inbound.connected and not taken:
            self._unsent += self._held
            self._held = []
        return before - len(self.in_flight)
