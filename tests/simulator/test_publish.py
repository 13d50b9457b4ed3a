"""The publisher counts what the broker has answered for, and keeps to its window and its clock."""

import socket
import threading
from collections.abc import Callable

import pytest

from devices.simulator.message import Message
from devices.simulator.publish import Address, Publisher, PublishError, play


class Ticking:
    """A clock that each look moves on by one second."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> int:
        self.seconds += 1
        return self.seconds * 1_000_000


def test_an_address_is_read_and_a_wrong_one_named() -> None:
    address = Address.parse("mqtt://us%40er:pa%3Ass@broker.example:2883")
    assert address == Address("broker.example", 2883, "us@er", "pa:ss")
    assert Address.parse("mqtt://localhost") == Address("localhost", 1883, None, None)
    assert Address.parse("mqtts://localhost", "ca.crt") == Address(
        "localhost", 8883, None, None, tls=True, ca_file="ca.crt"
    )
    with pytest.raises(ValueError, match="'http' is not mqtt"):
        Address.parse("http://x")


def test_nobody_at_the_address_is_said_with_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        address = Address("127.0.0.1", port, None, None)
        with pytest.raises(PublishError, match=f"no broker answers at 127.0.0.1:{port}"):
            Publisher(address).__enter__()


def test_everything_sent_is_accepted_over_several_connections(
    broker_url: str, unique: Callable[[str], str]
) -> None:
    community = unique("hx")
    with Publisher(Address.parse(broker_url), connections=3, window=20) as publisher:
        for n in range(500):
            publisher.publish(f"gw/v1/{community}/d{n % 7}/up", b"{}")
            assert publisher.sent - publisher.accepted <= 20
        publisher.drain()
        assert publisher.sent == publisher.accepted == 500


def test_play_waits_for_each_instant_and_ends_when_stopped(
    broker_url: str, unique: Callable[[str], str]
) -> None:
    stop, seen = threading.Event(), []
    topic = f"gw/v1/{unique('hx')}/d/up"

    def note(message: Message) -> None:
        seen.append(message.due)
        if len(seen) == 3:
            stop.set()

    clock = Ticking()
    schedule = [Message(due * 1_000_000, topic, b"{}") for due in (0, 1, 2, 900)]
    with Publisher(Address.parse(broker_url)) as publisher:
        play(schedule, publisher, clock=clock, speed=1e6, stop=stop, sent=note)
        publisher.drain()
        assert publisher.accepted == 3
    assert seen == [0, 1_000_000, 2_000_000]
