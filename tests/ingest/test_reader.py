"""Packets read without paho are read as paho reads them, however the socket cuts them."""

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage

from ingest.address import parse_address
from ingest.receipts import Published
from ingest.session import SessionOptions, Version, _client, _Reader, _topic

Packet = tuple[bytes, bytes, int, int, bytes]
"""Topic, payload, packet id; DUP, QoS and RETAIN; a content type among the properties."""
PINGRESP = b"\xd0\x00"


class Pieces:
    """A socket that has these bytes, and nothing for the moment between two pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        piece = self.pieces[0]
        if not piece:
            self.pieces.pop(0)
            raise BlockingIOError
        self.pieces[0] = piece[size:]
        return piece[:size]

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.pieces.clear()


def variable(number: int) -> bytes:
    """MQTT's variable byte integer."""
    more, low = divmod(number, 128)
    return bytes([low + 128]) + variable(more) if more else bytes([low])


def publish(packet: Packet, *, version5: bool) -> bytes:
    """The PUBLISH of this packet."""
    topic, payload, packet_id, flags, words = packet
    body = struct.pack(">H", len(topic)) + topic
    body += struct.pack(">H", packet_id) if flags & 0b110 else b""
    properties = b"\x03" + struct.pack(">H", len(words)) + words if words else b""
    body += variable(len(properties)) + properties if version5 else b""
    body += payload
    return bytes([0x30 | flags]) + variable(len(body)) + body


PACKETS = st.tuples(
    st.sampled_from([b"gw/v1/c1/w1/up", b"t", "区".encode(), b"\xff\xfe", b"x" * 200]),
    st.binary(max_size=20) | st.sampled_from([130, 16_300, 16_400]).map(lambda n: b"p" * n),
    st.integers(1, 65_535),
    st.sampled_from([0b0010, 0b0010, 0b1010, 0b0000, 0b0011]),
    st.sampled_from([b"", b"", b"json", b"w" * 200]),
)
SENT = st.lists(PACKETS | st.just(None), max_size=12)
CUTS = st.lists(st.integers(1, 60_000) | st.integers(1, 40), max_size=6)


def reader(pieces: list[bytes], version: Version) -> tuple[_Reader, list[Published]]:
    """A connected client that reads these, and what paho tells it."""
    address = parse_address("mqtt://127.0.0.1:1")
    client = _client(SessionOptions(address, "session", version, receive_window=10))
    told: list[Published] = []

    def on_message(_client: Client, _data: object, m: MQTTMessage) -> None:
        told.append(Published(_topic(m), bytes(m.payload), m.mid, m.qos, m.dup))

    client.on_message = on_message
    client._sock = Pieces(pieces)  # type: ignore[assignment]
    return client, told


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    pieces = []
    for size in cuts:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, stream]


@given(SENT, CUTS, st.sampled_from(["5", "3.1.1"]), st.integers(1, 3))
@example(
    [
        (
            b"t",
            b"x",
            258,
            0b0010,
            b"",
        )
    ]
    * 2,
    [1, 1, 1],
    "5",
    1,
)
@settings(deadline=None)
def test_what_is_taken_is_what_paho_reads(
    sent: list[Packet | None],
    cuts: list[int],
    version: Version,
    most: int,
) -> None:
    packets = [PINGRESP if p is None else publish(p, version5=version == "5") for p in sent]
    stream = b"".join(packets)
    pieces = [stream]
    plain, expected = reader(pieces, version)
    while plain._sock is not None and (plain.pending or pieces):
        plain.loop_read()
    assert len(expected) == sum(p is not None for p in sent)

    pieces = cut(stream, cuts)
    client, told = reader(pieces, version)
    while client._sock is not None and (client.pending or pieces):
        told += client.take(most)
        client.loop_read()
    assert told == expected
    assert not client.pending


def test_the_packets_of_devices_are_taken_without_paho() -> None:
    sent = [
        publish((b"gw/v1/c1/w1/up", b'{"values":{}}', 7, 0b0010, b""), version5=True),
        publish((b"gw/v1/c1/w1/up", b"x" * 200, 513, 0b1010, b"json"), version5=True),
    ]
    client, told = reader([b"".join([PINGRESP, *sent])], "5")
    client.loop_read()
    assert client.take(10) == [
        Published("gw/v1/c1/w1/up", b'{"values":{}}', 7, 1, False),
        Published("gw/v1/c1/w1/up", b"x" * 200, 513, 1, True),
    ]
    assert not told
    assert not client.pending


def test_acknowledgements_go_as_one_piece_in_their_order() -> None:
    client, _ = reader([], "5")
    client.on_socket_register_write = lambda *_: None
    client.acknowledge([1, 258, 65_535])
    (packet,) = client._out_packet
    assert packet["packet"] == b"\x40\x02\x00\x01\x40\x02\x01\x02\x40\x02\xff\xff"
