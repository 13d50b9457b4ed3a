"""The MQTT session against a real broker: what it receives, acknowledges, and gets again."""

import asyncio
from collections.abc import Callable

import pytest

from devices.topic import MARK, SUBSCRIPTIONS, subscriptions
from gridwarden.clock import WallClock
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.errors import SourceError
from ingest.hearing import SETTLE
from ingest.message import RawMessage
from ingest.session import Version
from ingest.source import Source
from tests.ingest.publisher import Publisher
from tests.services.server import Provider, Server
from tests.waiting import until

QUICK = Backoff(first=0.01, longest=0.05)


def source(
    url: str,
    client_id: str,
    *,
    version: Version = "5",
    window: int = 100,
    batch: int = 10,
    policy: BatchPolicy | None = None,
) -> Source:
    return Source(
        url=url,
        client_id=client_id,
        policy=policy or BatchPolicy(messages=batch, age=0.01),
        clock=WallClock(),
        version=version,
        receive_window=window,
        backoff=QUICK,
    )


async def take(session: Source, count: int) -> list[RawMessage]:
    """This many messages, unacknowledged."""
    taken: list[RawMessage] = []
    while len(taken) < count:
        taken += await session.receive()
    return taken


async def until_received(session: Source, count: int) -> None:
    """Return once this many messages came, taken or not."""

    async def reached() -> bool:
        return session.received == count

    await until(reached, what=f"{count} messages received")


def payloads(messages: list[RawMessage]) -> list[bytes]:
    return [m.payload for m in messages]


def numbered(topic: str, count: int) -> list[tuple[str, bytes]]:
    return [(topic, b"%d" % n) for n in range(count)]


def see_off(url: str) -> None:
    """Return when the broker has read what a session before sent last.

    It reads one packet of each client a turn: a busy one could take the next connection, and with
    it the session, before it has read all acknowledgements of the last.
    """
    with Publisher(url) as publisher:
        for _turn in range(50):
            publisher.publish([("elsewhere", b"")])


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(
    own_broker: Server, version: Version
) -> None:
    client_id, topic = "session", "gw/v1/c1/w1/up"
    async with source(own_broker.url, client_id, version=version) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 25))
        first = await take(session, 25)
        assert payloads(first) == [b"%d" % n for n in range(25)]
        assert {m.topic for m in first} == {topic}
        session.acknowledge(first[:15])
        assert (session.received, session.acknowledged, session.in_flight) == (25, 15, 10)
    await asyncio.to_thread(see_off, own_broker.url)
    async with source(own_broker.url, client_id, version=version) as session:
        again = await take(session, 10)
        assert payloads(again) == [b"%d" % n for n in range(15, 25)]
        session.acknowledge(again)


async def test_what_is_published_while_we_are_away_waits(own_broker: Server) -> None:
    client_id, topic = "session", "gw/v1/c1/w1/up"
    async with source(own_broker.url, client_id) as session:
        await session.wait_connected()
    with Publisher(own_broker.url) as publisher:
        await asyncio.to_thread(publisher.publish, numbered(topic, 5))
    async with source(own_broker.url, client_id) as session:
        assert payloads(await take(session, 5)) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_is_published_at_qos_2_is_held_for_us_until_it_is_acknowledged(
    own_broker: Server, version: Version
) -> None:
    client_id, topic = "session", "gw/v1/c1/w1/up"
    async with source(own_broker.url, client_id, version=version) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 25), qos=2)
        first = await take(session, 25)
        assert payloads(first) == [b"%d" % n for n in range(25)]
        session.acknowledge(first[:15])
    await asyncio.to_thread(see_off, own_broker.url)
    with Publisher(own_broker.url) as publisher:
        await asyncio.to_thread(publisher.publish, [(topic, b"while away")], qos=2)
    async with source(own_broker.url, client_id, version=version) as session:
        again = await take(session, 11)
        assert payloads(again) == [*(b"%d" % n for n in range(15, 25)), b"while away"]
        session.acknowledge(again)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_retained_message_from_before_is_no_news(
    own_broker: Server, version: Version
) -> None:
    topic = "gw/v1/c1/w1/status"
    with Publisher(own_broker.url) as publisher:
        await asyncio.to_thread(publisher.publish, [(topic, b"online")], retain=True)
        async with source(own_broker.url, "session", version=version) as session:
            await session.wait_connected()
            await asyncio.to_thread(publisher.publish, [(topic, b"offline")], retain=True)
            assert payloads(await take(session, 1)) == [b"offline"]
        await asyncio.to_thread(publisher.publish, [(topic, b"")], retain=True)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_no_more_than_the_window_is_held_unacknowledged(
    own_broker: Server, version: Version
) -> None:
    topic = "gw/v1/c1/w1/up"
    async with source(own_broker.url, "session", version=version, window=20) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 200))
        taken: list[RawMessage] = []
        while len(taken) < 200:
            batch = await session.receive()
            assert session.in_flight <= 21
            assert not session.settled
            session.acknowledge(batch)
            taken += batch
        assert payloads(taken) == [b"%d" % n for n in range(200)]


@pytest.mark.parametrize(("version", "ahead"), [("5", 100), ("3.1.1", 20)])
async def test_a_broker_that_sends_little_ahead_does_not_stall_large_batches(
    services: Callable[[], Provider], version: Version, ahead: int
) -> None:
    """Mosquitto's default: 20 messages unacknowledged, unless an MQTT 5 client asks for more."""
    broker = services().mosquitto(max_inflight_messages="20")
    topic = "gw/v1/c1/w1/up"
    async with source(broker.url, "session", version=version, batch=5_000) as session:
        await session.wait_connected()
        with Publisher(broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 200))
        taken = await take(session, ahead)
        assert session.in_flight == ahead
        session.acknowledge(taken)
        while len(taken) < 200:
            batch = await session.receive()
            assert session.in_flight <= ahead
            session.acknowledge(batch)
            taken += batch
        assert payloads(taken) == [b"%d" % n for n in range(200)]
    broker.remove()


async def test_a_lone_message_waits_for_no_other_and_what_gathers_is_taken_whole(
    own_broker: Server,
) -> None:
    topic = "gw/v1/c1/w1/up"
    slow = BatchPolicy(messages=5_000, age=3_600.0)
    async with source(own_broker.url, "session", window=500, policy=slow) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 1))
            assert payloads(await session.receive()) == [b"0"]
            await asyncio.to_thread(publisher.publish, numbered(topic, 200))
        await until_received(session, 201)
        assert payloads(await session.receive()) == [b"%d" % n for n in range(200)]


async def test_batches_are_cut_by_the_bytes_of_their_payloads(own_broker: Server) -> None:
    topic = "gw/v1/c1/w1/up"
    small = BatchPolicy(messages=5_000, age=0.01, size=1_000)
    async with source(own_broker.url, "session", policy=small) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            sizes = [2_000, *[300] * 10]
            await asyncio.to_thread(publisher.publish, [(topic, b"x" * size) for size in sizes])
        await until_received(session, 11)
        batches: list[list[int]] = []
        while sum(map(len, batches)) < 11:
            batches.append([len(message.payload) for message in await session.receive()])
        assert batches == [[2_000], [300] * 3, [300] * 3, [300] * 3, [300]]


async def test_a_broker_killed_and_started_again_is_found_again(
    own_broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    topic = "gw/v1/c1/w1/up"
    caplog.set_level("INFO", "ingest")
    async with source(own_broker.url, "session") as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 3))
        before = await take(session, 3)
        await asyncio.to_thread(own_broker.kill)
        await session.wait_disconnected()
        assert not session.connected
        await asyncio.to_thread(own_broker.start)
        await session.wait_connected()
        session.acknowledge(before)
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, [(topic, b"after")])
        while (await session.receive())[-1].payload != b"after":
            pass
        assert session.connections >= 2
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert actions[0] == actions[-1] == "source.connected"
    assert "source.disconnected" in actions


async def test_a_redelivered_message_keeps_its_arrival(
    own_broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker is told to drop the session's connection by a second one of the same name."""
    topic = "gw/v1/c1/w1/up"
    async with source(own_broker.url, "session") as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, numbered(topic, 3))
            first = await take(session, 3)
            async with source(own_broker.url, "session") as thief:
                stolen = await take(thief, 3)
            again = await take(session, 3)
        assert payloads(first) == payloads(stolen) == payloads(again)
        assert [m.arrival for m in again] == [m.arrival for m in first]
        assert {m.ticket.connection for m in first} != {m.ticket.connection for m in again}
        session.acknowledge(first)
        session.acknowledge(again)
        assert session.in_flight == 0
    reasons = [getattr(record, "reason", "") for record in caplog.records]
    assert "the broker ended the connection: Session taken over" in reasons


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mqtt://", "mqtt://host:port", ""])
def test_an_address_that_is_none_is_told_so(url: str) -> None:
    with pytest.raises(SourceError, match="broker's URL"):
        source(url, "session")


async def test_a_stopped_source_gives_no_more_batches(own_broker: Server) -> None:
    async with source(own_broker.url, "session") as session:
        waiting = asyncio.create_task(session.receive())
        await session.wait_connected()
        session.stop()
        assert await waiting == []
        assert await session.receive() == []


async def test_timers_are_held_until_all_is_committed_and_handed_on(
    own_broker: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [100.0]
    clock = WallClock()
    async with source(own_broker.url, "session", batch=1) as session:
        monkeypatch.setattr(session, "_at", lambda: seconds[0])
        await session.wait_connected()
        assert session.heard_until(clock.now()) == 0
        seconds[0] += SETTLE
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, [("gw/v1/c1/w1/up", b"one")])
            (one,) = await session.receive()
            assert session.settled
            assert session.heard_until(clock.now()) == one.arrival
            promised = session.heard_with_batch(clock.now())
            assert promised > one.arrival
            session.acknowledge([one])
            assert session.heard_until(clock.now()) == one.arrival
            following = asyncio.create_task(session.receive())
            await asyncio.to_thread(publisher.publish, [("gw/v1/c1/w1/up", b"two")])
            (two,) = await following
        assert session.heard_until(clock.now()) == two.arrival > promised


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_subscriptions_change_on_the_living_connection_and_nothing_is_lost(
    own_broker: Server, version: Version
) -> None:
    async with Source(
        url=own_broker.url,
        client_id="session",
        policy=BatchPolicy(messages=100, age=0.01),
        clock=WallClock(),
        version=version,
        topics=(*subscriptions("stays"), *subscriptions("goes")),
        leave=subscriptions("never-there"),
    ) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            flowing = asyncio.create_task(
                asyncio.to_thread(publisher.publish, numbered("gw/v1/stays/w1/up", 300))
            )
            # 600 communities are 1 800 filters: four packets
            come = [f"comes-{number}" for number in range(600)]
            topics = [topic for c in ("stays", *come) for topic in subscriptions(c)]
            await session.subscribe(topics)
            await flowing
            last = ("gw/v1/comes-599/w1/up", b"new")
            await asyncio.to_thread(publisher.publish, [("gw/v1/goes/w1/up", b"old"), last])
            taken = await take(session, 301)
    assert payloads(taken) == [*(b"%d" % n for n in range(300)), b"new"]
    assert session.connections == 1


async def test_what_an_earlier_process_had_subscribed_to_is_ended(own_broker: Server) -> None:
    policy = BatchPolicy(messages=100, age=0.01)

    def of(*communities: str, leave: tuple[str, ...] = ()) -> Source:
        return Source(
            url=own_broker.url,
            client_id="session",
            policy=policy,
            clock=WallClock(),
            topics=[topic for c in communities for topic in subscriptions(c)],
            leave=leave,
        )

    async with of("a", "b") as session:
        await session.wait_connected()
    async with of("a", leave=subscriptions("b")) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            said = [("gw/v1/b/w1/up", b"b"), ("gw/v1/a/w1/up", b"a")]
            await asyncio.to_thread(publisher.publish, said)
        assert payloads(await take(session, 1)) == [b"a"]


async def test_receiving_ends_before_the_mark(own_broker: Server) -> None:
    async with Source(
        url=own_broker.url,
        client_id="session",
        policy=BatchPolicy(messages=100, age=0.01),
        clock=WallClock(),
        topics=(*SUBSCRIPTIONS, MARK),
        until="this one",
    ) as session:
        await session.wait_connected()
        with Publisher(own_broker.url) as publisher:
            topic = "gw/v1/c1/w1/up"
            said = [(topic, b"0"), (MARK, b"another"), (topic, b"1"), (MARK, b"this one")]
            await asyncio.to_thread(publisher.publish, [*said, (topic, b"2")])
        taken = await take(session, 2)
        session.acknowledge(taken)
        assert payloads(taken) == [b"0", b"1"]
        assert await session.receive() == []
        assert session.in_flight == 0
    async with source(own_broker.url, "session") as session:
        # the awaited mark was not acknowledged; who awaits none is not told of it
        assert payloads(await take(session, 1)) == [b"2"]
