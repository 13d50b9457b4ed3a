"""MQTT's bytes as the standard has them, in whatever pieces they come; a line keeps its books."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from devices.simulator.errors import PublishError
from devices.simulator.line import Line
from devices.simulator.packets import Inbound, again, connect, publish, remaining_length

CONNACK = b"\x20\x02\x00\x00"


def understood(packet: bytes) -> MQTTMessage:
    """The PUBLISH as another library's parser reads it."""
    at, size, shift = 1, 0, 0
    while True:
        byte = packet[at]
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            break
    assert len(packet) == at + size
    client = Client(CallbackAPIVersion.VERSION2)
    client._in_packet["command"] = packet[0]
    client._in_packet["packet"] = bytearray(packet[at:])
    client._in_packet["remaining_length"] = size
    seen: list[MQTTMessage] = []
    client._handle_on_message = seen.append  # type: ignore[assignment,method-assign]
    client._handle_publish()
    return seen[0]


@pytest.mark.parametrize(
    ("size", "encoded"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\x01"),
        (268_435_455, b"\xff\xff\xff\x7f"),
    ],
)
def test_lengths_are_those_of_the_standard(size: int, encoded: bytes) -> None:
    assert remaining_length(size) == encoded


@pytest.mark.parametrize("size", [-1, 268_435_456])
def test_a_length_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        remaining_length(size)


@given(
    st.text(st.characters(blacklist_characters="\0#+", blacklist_categories=["Cs"]), min_size=1),
    st.one_of(
        st.binary(),
        st.integers(100, 140).map(bytes),
        st.integers(4_080, 4_110).map(bytes),
        st.integers(16_360, 16_400).map(bytes),
    ),
    st.integers(1, 65_535),
    st.booleans(),
)
def test_another_library_reads_what_was_written(
    topic: str, payload: bytes, number: int, twice: bool
) -> None:
    packet = publish(topic.encode(), payload, number)
    message = understood(again(packet) if twice else packet)
    assert (message.topic, message.payload, message.mid) == (topic, payload, number)
    assert (message.qos, message.retain, message.dup) == (1, False, twice)


def test_connect_is_laid_out_as_the_standard_says() -> None:
    assert connect("a", None, None, 60) == b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"
    with_user = connect("a", "u", "密", 0)
    assert (
        with_user == b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x00\x00\x01a\x00\x01u\x00\x03\xe5\xaf\x86"
    )


@given(st.lists(st.integers(1, 65_535), max_size=50), st.data())
def test_acknowledgements_are_read_in_any_pieces(numbers: list[int], data: st.DataObject) -> None:
    stream = CONNACK + b"".join(
        b"\x40\x02" + number.to_bytes(2) + (b"\xd0\x00" if number % 3 == 0 else b"")
        for number in numbers
    )
    inbound, heard = Inbound(), list[int]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += inbound.feed(stream[:size])
        stream = stream[size:]
    assert heard == numbers
    assert inbound.connected


@pytest.mark.parametrize(
    ("code", "why"), [(4, "user or password"), (5, "rights"), (3, "unavailable"), (99, "99")]
)
def test_a_refusal_is_told_with_its_reason(code: int, why: str) -> None:
    with pytest.raises(PublishError, match=why):
        list(Inbound().feed(b"\x20\x02\x00" + bytes([code])))


def test_what_was_not_acknowledged_goes_again_in_order_and_marked() -> None:
    line = Line.of(4, "a", None, None, 0)
    line.begin()
    assert line.outgoing()[0] == 0x10
    line.add(b"t", b"held")
    assert line.outgoing() == b""
    assert line.receive(CONNACK) == 0
    first = line.outgoing()
    assert first == publish(b"t", b"held", 1)
    line.add(b"t", b"second")
    line.outgoing()
    assert line.receive(b"\x40\x02\x00\x01") == 1
    line.begin()
    line.add(b"t", b"third")
    assert line.outgoing()[0] == 0x10
    line.receive(CONNACK)
    assert line.outgoing() == again(publish(b"t", b"second", 2)) + publish(b"t", b"third", 3)


@given(st.lists(st.sampled_from(["add", "ack", "lose"]), max_size=200))
def test_nothing_is_forgotten_and_no_number_is_used_twice(steps: list[str]) -> None:
    line = Line.of(5, "a", None, None, 0)
    line.begin()
    line.receive(CONNACK)
    added = acknowledged = 0
    for step in steps:
        if step == "add" and not line.full:
            added += 1
            line.add(b"t", str(added).encode())
        elif step == "ack" and line.in_flight:
            number = next(iter(line.in_flight))
            acknowledged += line.receive(b"\x40\x02" + number.to_bytes(2))
        elif step == "lose":
            line.begin()
            line.receive(CONNACK)
        waiting = [int(understood(packet).payload) for packet in line.in_flight.values()]
        assert waiting == list(range(acknowledged + 1, added + 1))
