"""One suite for every channel: what each does when the far side accepts, refuses or is away."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts.channels.base import (
    NOBODY_SUBSCRIBED,
    Channel,
    Delivered,
    Downlink,
    Notification,
    Rejected,
    Result,
    Retry,
)
from alerts.channels.mqtt import Broker, DeviceChannel, MqttChannel
from alerts.channels.web import WebChannel
from tests.alerts.estate import NOW, WANG
from tests.alerts.scripted_broker import Manner, scripted_broker
from tests.services.server import Server, free_port

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]
Members: TypeAlias = Channel[Notification]
Maker: TypeAlias = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Members]]

SECRET = "open-sesame"


def notification(number: int = 1, community: str = "sunshine") -> Notification:
    return Notification(
        id=number,
        message=UUID(int=number),
        alert=17,
        member=WANG,
        member_code="wang",
        occasion="opened",
        body={"message_id": str(UUID(int=number)), "community": community, "alert": 17},
        attempts=0,
        opened_at=NOW,
    )


def _mqtt(port: int, **more: Any) -> MqttChannel:
    return MqttChannel(Broker("127.0.0.1", port, "gw", SECRET, timeout=0.2, **more))


@asynccontextmanager
async def web(request: pytest.FixtureRequest) -> AsyncIterator[Members]:
    url = request.getfixturevalue("database_url")
    async with AsyncConnectionPool(url, min_size=1, open=False) as pool:
        yield WebChannel(pool)


@asynccontextmanager
async def web_away(_: pytest.FixtureRequest) -> AsyncIterator[Members]:
    url = f"postgresql://gw:{SECRET}@127.0.0.1:{free_port()}/gw"
    async with AsyncConnectionPool(
        url, min_size=1, open=False, timeout=0.1, reconnect_timeout=0.1
    ) as pool:
        yield WebChannel(pool)


@asynccontextmanager
async def mqtt(request: pytest.FixtureRequest) -> AsyncIterator[Members]:
    where = urlsplit(request.getfixturevalue("broker_url"))
    assert where.hostname
    yield MqttChannel(Broker(where.hostname, where.port or 1883))


@asynccontextmanager
async def mqtt_311(request: pytest.FixtureRequest) -> AsyncIterator[Members]:
    where = urlsplit(request.getfixturevalue("broker_url"))
    assert where.hostname
    yield MqttChannel(Broker(where.hostname, where.port or 1883, version="3.1.1"))


@asynccontextmanager
async def mqtt_away(_: pytest.FixtureRequest) -> AsyncIterator[Members]:
    yield _mqtt(free_port())


def scripted(manner: Manner) -> Maker:
    @asynccontextmanager
    async def make(_: pytest.FixtureRequest) -> AsyncIterator[Members]:
        async with scripted_broker(manner) as broker:
            channel = _mqtt(broker.port)
            yield channel
            await channel.close()

    return make


CASES: list[tuple[str, Maker, Result | type[Result]]] = [
    ("web", web, Delivered()),
    ("web, database away", web_away, Retry),
    ("mqtt 5", mqtt, Delivered("the broker took it; nobody is subscribed")),
    ("mqtt 3.1.1", mqtt_311, Delivered()),
    ("mqtt, broker away", mqtt_away, Retry),
    ("mqtt, accepts", scripted(Manner.ACCEPTS), Delivered()),
    ("mqtt, refuses", scripted(Manner.NOT_AUTHORISED),
     Rejected("PUBACK with reason code 0x87")),
    ("mqtt, over quota", scripted(Manner.OVER_QUOTA), Retry("PUBACK with reason code 0x97")),
    ("mqtt, silent", scripted(Manner.SILENT), Retry("no PUBACK within 0.20 s")),
    ("mqtt, hangs up", scripted(Manner.HANGS_UP),
     Retry("broker: connection lost before the PUBACK")),
]  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_every_channel(
    make: Maker,
    expected: Result | type[Result],
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    unique: Callable[[str], str],
) -> None:
    """It answers and never raises, a second time too; closes twice; tells nobody its secrets."""
    caplog.set_level(logging.DEBUG)
    community = unique("c")
    async with make(request) as channel:
        first = await channel.send(notification(1, community))
        both = await asyncio.gather(*(channel.send(notification(n, community)) for n in (2, 3)))
        await channel.close()
        await channel.close()
    for result in (first, *both):
        _check(result, expected)
    assert SECRET not in caplog.text
    assert SECRET not in repr((first, channel))


def _check(result: Result, expected: Result | type[Result]) -> None:
    if isinstance(expected, type):
        assert isinstance(result, expected)
    elif isinstance(expected, Retry):
        # Of two sent at once, one may find the connection already given up by the other.
        assert isinstance(result, Retry)
    else:
        assert result == expected


async def test_what_the_first_failure_says() -> None:
    for manner, reason in (
        (Manner.SILENT, "no PUBACK within 0.20 s"),
        (Manner.HANGS_UP, "broker: connection lost before the PUBACK"),
        (Manner.OVER_QUOTA, "PUBACK with reason code 0x97"),
    ):
        async with scripted_broker(manner) as broker:
            channel = _mqtt(broker.port)
            assert await channel.send(notification()) == Retry(reason)
            await channel.close()


async def test_a_member_hears_on_the_topic(broker_url: str, unique: Callable[[str], str]) -> None:
    where, community = urlsplit(broker_url), unique("c")
    assert where.hostname
    channel = MqttChannel(Broker(where.hostname, where.port or 1883))
    async with aiomqtt.Client(where.hostname, where.port or 1883) as phone:
        await phone.subscribe(f"gw/v1/{community}/alerts/wang", qos=1)
        assert await channel.send(notification(5, community)) == Delivered()
        message = await anext(phone.messages)
    assert isinstance(message.payload, bytes)
    assert json.loads(message.payload)["message_id"] == str(UUID(int=5))
    assert (message.qos, message.retain) == (1, False)
    await channel.close()


def downlink(number: int = 1, community: str = "sunshine", keep_s: int = 3600) -> Downlink:
    return Downlink(
        id=number,
        message=UUID(int=number),
        alert=17,
        community=community,
        device_code="sos-1",
        body={"message_id": str(UUID(int=number)), "alert": 17, "state": "acknowledged"},
        keep_s=keep_s,
        attempts=0,
        opened_at=NOW,
    )


@pytest.mark.parametrize(
    ("manner", "expected"),
    [
        (Manner.ACCEPTS, Delivered()),
        (Manner.NOBODY_LISTENS, Delivered(NOBODY_SUBSCRIBED)),
        (Manner.NOT_AUTHORISED, Rejected("PUBACK with reason code 0x87")),
        (Manner.OVER_QUOTA, Retry("PUBACK with reason code 0x97")),
        (Manner.SILENT, Retry("no PUBACK within 0.20 s")),
        (Manner.HANGS_UP, Retry("broker: connection lost before the PUBACK")),
    ],
)
async def test_what_the_way_to_devices_says(manner: Manner, expected: Result) -> None:
    async with scripted_broker(manner) as broker:
        channel = DeviceChannel(Broker("127.0.0.1", broker.port, timeout=0.2))
        assert await channel.send(downlink()) == expected
        await channel.close()
        await channel.close()


async def test_a_broker_that_is_away_is_no_reason_to_raise() -> None:
    channel = DeviceChannel(Broker("127.0.0.1", free_port(), timeout=0.2))
    assert isinstance(await channel.send(downlink()), Retry)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_device_that_sleeps_is_told_when_it_wakes(
    version: str, broker_url: str, unique: Callable[[str], str]
) -> None:
    where, community, name = urlsplit(broker_url), unique("c"), unique("sos")
    assert where.hostname

    def device() -> aiomqtt.Client:
        assert where.hostname
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3600
        return aiomqtt.Client(
            where.hostname,
            where.port or 1883,
            identifier=name,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=kept,
        )

    async with device() as awake:
        await awake.subscribe(f"gw/v1/{community}/sos-1/down", qos=1)
    channel = DeviceChannel(Broker(where.hostname, where.port or 1883, version=version))
    assert await channel.send(downlink(7, community, keep_s=3600)) == Delivered()
    await channel.close()
    async with device() as awake_again:
        message = await anext(awake_again.messages)
    assert isinstance(message.payload, bytes)
    assert json.loads(message.payload)["message_id"] == str(UUID(int=7))
    assert (message.qos, message.retain) == (1, False)
    left = getattr(message.properties, "MessageExpiryInterval", None)
    if version == "5":
        assert left is not None
        assert 0 < left <= 3600
    else:
        assert left is None, "MQTT 3.1.1 cannot say it"


async def test_a_killed_broker_is_found_again(own_broker: Server) -> None:
    channel = MqttChannel(Broker("127.0.0.1", own_broker.port, timeout=5))
    assert isinstance(await channel.send(notification(1)), Delivered)
    own_broker.kill()
    assert isinstance(await channel.send(notification(2)), Retry)
    own_broker.start()
    assert isinstance(await channel.send(notification(2)), Delivered)
    await channel.close()


async def test_the_members_pages_are_woken(pool: Pool, database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as ear:
        await ear.execute("LISTEN gridwarden_inbox")
        assert await WebChannel(pool).send(notification()) == Delivered()
        [heard] = [n async for n in ear.notifies(timeout=60, stop_after=1)]
    assert heard.payload == str(WANG)
