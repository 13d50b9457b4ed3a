"""The publisher counts what the broker has answered for, and keeps to its window and its clock."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.simulator.message import Message
from devices.simulator.publish import Account, Address, Publisher, PublishError, play
from tests.services.server import Server
from tests.simulator.scripted import Scripted, certificate


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
    with pytest.raises(ValueError, match="not mqtt"):
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
            assert publisher.sent - publisher.accepted <= 3 * 20
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


def test_what_a_broken_connection_left_unanswered_is_sent_again() -> None:
    with Scripted([3, 5, None]) as broker:
        address = Address.parse(f"mqtt://127.0.0.1:{broker.port}")
        with Publisher(address, window=10) as publisher:
            for n in range(40):
                publisher.publish(f"gw/v1/hx/d{n}/up", b"%d" % n)
            publisher.drain()
            assert publisher.accepted == publisher.sent == 40
            assert publisher.reconnects == 2
    assert {int(payload) for _, _, payload in broker.heard} == set(range(40))
    for connection in range(3):
        own = [(first, int(p)) for number, first, p in broker.heard if number == connection]
        before = {int(p) for number, _, p in broker.heard if number < connection}
        marked = {n for first, n in own if first == 0x3A}
        assert marked >= before & {n for _, n in own}
        assert [n for _, n in own] == sorted(n for _, n in own)
    assert {first for number, first, _ in broker.heard if number == 0} == {0x32}


def test_a_broker_that_is_killed_and_started_again_gets_everything(own_broker: Server) -> None:
    with Publisher(Address.parse(own_broker.url), connections=4, window=50) as publisher:
        for n in range(3_000):
            publisher.publish(f"gw/v1/hx/d{n % 50}/up", b"%d" % n)
            if n == 1_000:
                own_broker.kill()
                own_broker.start()
        publisher.drain()
        assert publisher.accepted == publisher.sent == 3_000
        assert publisher.reconnects >= 4


def test_a_broker_that_stays_away_is_told_of_with_what_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("devices.simulator.publish.STALL_TIMEOUT_S", 0.3)
    with Scripted([2]) as broker:
        address = Address.parse(f"mqtt://127.0.0.1:{broker.port}")
        publisher = Publisher(address).__enter__()
        broker._listener.close()

        def five() -> None:
            publisher.publish_all([0] * 5, [b"gw/v1/hx/d/up"] * 5, [b"{}"] * 5)
            publisher.drain()

        with pytest.raises(PublishError, match=r"is gone .* \d messages are unacknowledged"):
            five()


def test_tls_is_spoken_to_a_broker_whose_certificate_is_trusted(tmp_path: Path) -> None:
    with certificate(tmp_path) as (context, ca_file), Scripted([None], tls=context) as broker:
        address = Address.parse(f"mqtts://127.0.0.1:{broker.port}", str(ca_file))
        with Publisher(address, window=100) as publisher:
            for n in range(2_000):
                publisher.publish("gw/v1/hx/d/up", b"%d" % n * 50)
            publisher.drain()
            assert publisher.accepted == 2_000


def test_tls_of_a_stranger_is_refused(tmp_path: Path) -> None:
    with certificate(tmp_path) as (context, _), Scripted([None], tls=context) as broker:
        address = Address.parse(f"mqtts://127.0.0.1:{broker.port}")
        with pytest.raises(PublishError, match="no broker answers"):
            Publisher(address).__enter__()


def test_each_connection_speaks_as_its_account_and_passwords_are_not_shown() -> None:
    accounts = [Account("one", "secret-1"), Account("two", "secret-2"), Account(None, None)]
    with Scripted([None] * 3) as broker:
        address = Address.parse(f"mqtt://127.0.0.1:{broker.port}")
        with Publisher(address, accounts=accounts) as publisher:
            publisher.publish_all(range(6), [b"gw/v1/hx/d/up"] * 6, [b"{}"] * 6)
            publisher.drain()
            assert publisher.connections == 3
    assert sorted(broker.users) == ["", "one/secret-1", "two/secret-2"]
    assert "secret" not in repr(accounts) + repr(Address.parse("mqtt://u:secret@h"))
