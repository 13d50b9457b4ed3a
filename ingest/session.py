"""One MQTT connection of the persistent session: the only place that knows paho-mqtt.

Everything here runs in the network thread of `ingest.network`. A connection is used once: after it
ends another is made, so nothing of a dead one can be mistaken for the living.
"""

import select
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from devices.formats import announces
from devices.topic import is_external
from ingest.address import Address
from ingest.goodbye import Goodbye
from ingest.receipts import Published
from ingest.subscribing import Packet, Subscribing, Wanted

Version = Literal["5", "3.1.1"]

_QOS = 1
_FOREVER = 0xFFFF_FFFF
_TAKEN_OVER = 0x8E
_BURST = 2_000
"""Messages that are read before acknowledgements get their turn."""
_CHUNK = 65_536
"""Bytes asked of the socket at once."""
_PLAIN, _ANY_DUP = 0x32, 0xF7
"""A PUBLISH of QoS 1 that is not retained; the mask leaves out that it is sent again."""
_PUBACK = 0x40
_NAMED = 5
"""Refused topics that are named."""
_GOODBYE = 2_000
"""Milliseconds that the last acknowledgements may take when stopping."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How the session is opened. keepalive: s · receive_window: unacknowledged messages."""

    address: Address
    client_id: str
    version: Version
    receive_window: int
    keepalive: int = 30


class Connection:
    """Connects at once, OSError if nobody answers.

    on_granted: told what is wanted as soon as the broker has granted all of it.
    """

    def __init__(
        self,
        options: SessionOptions,
        on_granted: Callable[[Wanted], None],
        on_messages: Callable[[list[Published]], None],
        wanted: Wanted | None = None,
    ) -> None:
        self.taken_over = False
        self.ended_because = ""
        self._accepted = False
        self._subscribing = Subscribing(wanted or Wanted())
        self._on_granted = on_granted
        self._on_published = on_messages
        self._seen = 0
        self._client = _client(options)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_answer
        self._client.on_unsubscribe = self._on_answer
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        # Having this callback keeps paho from writing each packet as it is queued.
        self._client.on_socket_register_write = lambda *_: None
        _connect(self._client, options)

    @property
    def socket(self) -> socket.socket | None:
        """The open socket; None after the connection has ended."""
        sock = self._client.socket()
        return sock if isinstance(sock, socket.socket) and sock.fileno() >= 0 else None

    @property
    def wants_to_write(self) -> bool:
        return self._client.want_write()

    def read(self, room: int) -> None:
        """Read what the socket holds, up to a bound and to `room` messages, at least 1."""
        begin = self._seen
        most = begin + min(room, _BURST)
        while self._seen < most:
            plain = self._client.take(most - self._seen)
            if plain:
                self._seen += len(plain)
                self._on_published(plain)
                continue
            seen = self._seen
            self._client.loop_read()
            if self._seen == seen or self.socket is None:
                return

    @property
    def pending(self) -> bool:
        """True if something that was read from the socket has not been looked at."""
        return self.socket is not None and self._client.pending

    def drained(self) -> bool:
        """True if the socket is open and nothing that came by it is unread."""
        sock = self.socket
        if sock is None or self.pending or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            return False
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return not poll.poll(0)

    def acknowledge(self, packets: Sequence[tuple[int, int]]) -> None:
        """Queue the acknowledgement of each (packet id, QoS), in this order, and send."""
        if all(qos == 1 for _, qos in packets):
            self._client.acknowledge([packet_id for packet_id, _ in packets])
        else:
            for packet_id, qos in packets:
                self._client.ack(packet_id, qos)
        self._client.loop_write()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0."""
        self._client.publish(topic, payload, qos=0)
        self._client.loop_write()

    def want(self, wanted: Wanted) -> None:
        """Be subscribed to this from now on, on the living connection."""
        if wanted is not self._subscribing.wanted:
            self._subscribing.want(wanted)
            if self._accepted:
                self._ask(self._client)

    def keep_alive(self) -> None:
        """Send what is due; end the connection if the broker does not answer any more."""
        if self.wants_to_write:
            self._client.loop_write()
        self._client.loop_misc()

    def leave(self) -> None:
        """Send what is queued, then DISCONNECT; the broker keeps the session.

        What the broker has not read by then is not thrown away by what we have not.
        """
        open_socket = self.socket
        goodbye = None if open_socket is None else Goodbye(open_socket)
        self._client.disconnect()
        while (sock := self.socket) is not None and self.wants_to_write:
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            if [event for _, event in poll.poll(_GOODBYE)] != [select.POLLOUT]:
                break
            self._client.loop_write()
        self.close()
        if goodbye is not None:
            goodbye.finish(_GOODBYE)

    def close(self) -> None:
        """Let go of the socket, whatever state it is in."""
        sock = self.socket
        if sock is not None:
            sock.close()

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            self.ended_because = f"the broker refuses the connection: {reason}"
            return
        # Also where the session was kept: an earlier run may have died before it subscribed.
        self._accepted = True
        self._ask(client)

    def _ask(self, client: Client) -> None:
        """Send the next SUBSCRIBE or UNSUBSCRIBE, or say that all is granted."""
        packet = self._subscribing.next()
        if packet is None:
            if self._subscribing.done:
                self._on_granted(self._subscribing.wanted)
            return
        if packet.leaving:
            code, _ = client.unsubscribe(list(packet.topics))
        else:
            code, _ = client.subscribe(_subscriptions(client, packet))
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.close()

    def _on_answer(
        self, client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        packet = self._subscribing.answered()
        refused = [
            f"{topic} ({reason})"
            for topic, reason in zip(packet.topics, reasons, strict=False)
            if reason.is_failure or (reason.value < _QOS and not packet.leaving)
        ]
        if refused:
            what = "end our subscription" if packet.leaving else "subscribe us"
            self.ended_because = f"the broker refuses to {what} to {_few(refused)}"
            client.disconnect()
            return
        self._ask(client)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _more: Any
    ) -> None:
        by_broker = flags.is_disconnect_packet_from_server
        self.taken_over = by_broker and reason.value == _TAKEN_OVER
        who = "the broker ended the connection" if by_broker else "the connection was lost"
        self.ended_because = self.ended_because or f"{who}: {reason}"

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        self._seen += 1
        if message.retain and not announces(_topic(message)):
            # A copy of something said before we subscribed (MQTT 3.1.1 has no way to decline it).
            client.ack(message.mid, message.qos)
            return
        self._on_published(
            [
                Published(
                    _topic(message), bytes(message.payload), message.mid, message.qos, message.dup
                )
            ]
        )


class _Reader(Client):
    """A client whose connection ends where reading finds the end, never by a failed write.

    A broker that dies leaves messages in the socket that it had passed on before it acknowledged
    them to their devices; paho closes the socket over a failed write, and they would be lost.

    It asks the socket for much at once, and reads the plainest packets, which are nearly all,
    without paho: of paho's 20 µs a message 2 are left. Whatever else comes paho reads as ever.
    """

    _chunk = b""
    _at = 0

    @property
    def pending(self) -> bool:
        """True if something that was read from the socket has not been looked at."""
        return self._at < len(self._chunk)

    def take(self, most: int) -> list[Published]:
        """The plain messages at the begin of what was read: QoS 1, not retained, whole, short.

        Stops before any other packet, which `loop_read` reads.
        """
        taken: list[Published] = []
        if self._in_packet["command"]:
            return taken
        chunk, begin = self._chunk, self._at
        version5 = self._protocol == MQTTProtocolVersion.MQTTv5
        try:
            while len(taken) < most and chunk[begin] & _ANY_DUP == _PLAIN:
                published, begin = _plain(chunk, begin, version5=version5)
                taken.append(published)
                self._at = begin
        except (IndexError, ValueError):
            pass  # not whole yet, or not plain
        return taken

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Queue the PUBACK of each, in this order, as one piece."""
        if packet_ids:
            packets = np.empty(len(packet_ids), [("head", ">u2"), ("id", ">u2")])
            packets["head"] = 256 * _PUBACK + 2
            packets["id"] = packet_ids
            self._packet_queue(_PUBACK, packets.tobytes(), packet_ids[-1], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.pending:
            self._chunk, self._at = super()._sock_recv(_CHUNK), 0
        piece = self._chunk[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except OSError as error:
            # What cannot be sent now stays queued, and goes with the connection.
            raise BlockingIOError from error


def _plain(chunk: bytes, begin: int, *, version5: bool) -> tuple[Published, int]:
    """The message whose packet begins there, and where that ends.

    IndexError or ValueError if the packet is not whole, not well-formed, of more than 16 KiB, or
    has more than 127 bytes of properties.
    """
    length, at = chunk[begin + 1], begin + 2
    if length > 127:
        length, at = length - 128 + 128 * chunk[at], at + 1
    end = at + length
    after_topic = at + 2 + 256 * chunk[at] + chunk[at + 1]
    payload = after_topic + 2
    if version5:
        payload += 1 + chunk[payload]
    if length > 16_383 or end > len(chunk) or payload > end or after_topic == at + 2:
        raise ValueError
    if version5 and chunk[after_topic + 2] > 127:
        raise ValueError
    return Published(
        chunk[at + 2 : after_topic].decode(),
        chunk[payload:end],
        256 * chunk[after_topic] + chunk[after_topic + 1],
        1,
        chunk[begin] != _PLAIN,
    ), end


def _client(options: SessionOptions) -> _Reader:
    version5 = options.version == "5"
    client = _Reader(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        clean_session=None if version5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.username_pw_set(options.address.username, options.address.password)
    if options.address.tls:
        client.tls_set(ca_certs=options.address.ca_file)
    return client


def _connect(client: Client, options: SessionOptions) -> None:
    address = options.address
    if options.version == "3.1.1":
        client.connect(address.host, address.port, options.keepalive)
        return
    wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wanted.SessionExpiryInterval = _FOREVER
    wanted.ReceiveMaximum = options.receive_window
    client.connect(
        address.host, address.port, options.keepalive, clean_start=False, properties=wanted
    )


def _subscriptions(client: Client, packet: Packet) -> Any:
    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return [(topic, _QOS) for topic in packet.topics]
    return [
        (topic, SubscribeOptions(_QOS, retainHandling=_retained(topic))) for topic in packet.topics
    ]


def _retained(topic: str) -> int:
    """Of gateways' topics those retained at first: what announced itself before we were there."""
    if is_external(topic):
        return SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
    return SubscribeOptions.RETAIN_DO_NOT_SEND


def _few(topics: Sequence[str]) -> str:
    more = f" and {len(topics) - _NAMED} more" if len(topics) > _NAMED else ""
    return f"{', '.join(topics[:_NAMED])}{more}"


def _topic(message: MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return "\ufffd"
