"""Messages out over MQTT, QoS 1: as fast as the broker acknowledges, or paced by a clock.

The only part of the simulator that knows a network. Generation is any iterable of messages.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from devices.errors import DeviceError
from devices.instant import SECOND, Clock
from devices.simulator.message import Message

CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 60.0
SHORTEST_WAIT_S = 0.002
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class PublishError(DeviceError):
    """The broker cannot be reached, or has acknowledged nothing for too long."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens; over TLS, ca_file (PEM) vouches for it, or the system if None."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: bool = False
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> "Address":
        """mqtt[s]://[user[:password]@]host[:port]; ValueError, without the URL, for others."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            what = f"a broker's URL of scheme {parts.scheme!r}"
            raise ValueError(f"{what} is not mqtt[s]://[user:password@]host[:port]")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.hostname, port, user, password, parts.scheme == "mqtts", ca_file)


class Publisher:
    """Publishes at QoS 1 over some connections, with at most `window` messages unacknowledged.

    `sent` counts what was handed over, `accepted` the broker's PUBACKs: what it has answered for.
    A device's messages all go over one connection, so that their order is kept.
    """

    def __init__(self, address: Address, *, connections: int = 1, window: int = 1_000) -> None:
        self.sent = 0
        self.accepted = 0
        self._window = window
        self._changed = threading.Condition()
        self._address = address
        self._lines = [self._line() for _ in range(connections)]
        self._connected = 0
        self._given_up = False

    def __enter__(self) -> Self:
        """Connect; PublishError where the broker does not answer or refuses."""
        try:
            self._connect()
        except OSError as error:
            self._hang_up()
            where = f"{self._address.host}:{self._address.port}"
            raise PublishError(f"no broker answers at {where}: {error}") from error
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
        self._hang_up()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one message; waits while the window is full, PublishError if it stays full."""
        self._await_room(self._window)
        with self._changed:
            self.sent += 1
        line = self._lines[hash(topic) % len(self._lines)]
        line.publish(topic, payload, qos=1)

    def drain(self) -> None:
        """Wait until the broker has acknowledged everything; PublishError where it stalls."""
        self._await_room(1)

    def give_up(self) -> None:
        """Let nobody wait for acknowledgements any more: whoever does gets a PublishError."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def _connect(self) -> None:
        for line in self._lines:
            line.connect(self._address.host, self._address.port)
            line.loop_start()
        self._await_connections()

    def _await_room(self, limit: int) -> None:
        with self._changed:
            while self.sent - self.accepted >= limit:
                if self._given_up:
                    left = self.sent - self.accepted
                    raise PublishError(f"given up with {left} messages unacknowledged")
                if not self._changed.wait(STALL_TIMEOUT_S):
                    raise PublishError(self._stalled())

    def _await_connections(self) -> None:
        with self._changed:
            wanted = len(self._lines)
            if not self._changed.wait_for(lambda: self._connected >= wanted, CONNECT_TIMEOUT_S):
                raise PublishError(
                    f"broker {self._address.host}:{self._address.port} accepted "
                    f"{self._connected} of {wanted} connections in {CONNECT_TIMEOUT_S:g} s"
                )

    def _stalled(self) -> str:
        waiting = self.sent - self.accepted
        return (
            f"broker {self._address.host}:{self._address.port} acknowledged none of {waiting} "
            f"messages for {STALL_TIMEOUT_S:g} s"
        )

    def _line(self) -> mqtt.Client:
        line = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if self._address.user:
            line.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            line.tls_set(ca_certs=self._address.ca_file)
        line.max_inflight_messages_set(self._window)
        line.on_connect = self._on_connect
        line.on_publish = self._on_publish
        return line

    def _on_connect(self, _line: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if not reason.is_failure:
            with self._changed:
                self._connected += 1
                self._changed.notify_all()

    def _on_publish(self, *_: Any) -> None:
        with self._changed:
            self.accepted += 1
            self._changed.notify_all()

    def _hang_up(self) -> None:
        for line in self._lines:
            line.disconnect()
            line.loop_stop()


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
            if stop.wait(max(early / speed / SECOND, SHORTEST_WAIT_S)):
                return
        if stop.is_set():
            return
        sent(message)
        publisher.publish(message.topic, message.payload)
