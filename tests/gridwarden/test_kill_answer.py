"""A device is answered though the service is killed with -9 before it sent, and after it sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import orjson
import psycopg
import pytest

from alerts.web.password import set_password
from devices.topic import down
from tests.gridwarden.conftest import Whole
from tests.service_process import ServiceProcess
from tests.small_site import MEMBER
from tests.web.browser import Browser

PASSWORD = "correct horse battery"
SPEED = 20
"""What a killed service held is due again after 20 s of its clock: here after one real second."""


@pytest.fixture
async def fast(whole: Whole, tmp_path: Path, unique: Callable[[str], str]) -> AsyncIterator[Whole]:
    """The whole, with a service whose clock runs fast; a member can sign in; nothing runs yet."""
    now = datetime.now(UTC).isoformat()
    whole.service = ServiceProcess(
        database_url=whole.url,
        mqtt_url=whole.broker.url,
        log_file=tmp_path / "service.log",
        mqtt_client_id=unique("gridwarden"),
        clock_origin=now,
        clock_real_origin=now,
        clock_speed=str(SPEED),
    )
    async with await psycopg.AsyncConnection.connect(whole.url) as conn:
        await set_password(conn, MEMBER, PASSWORD)
    yield whole
    await whole.service.close()


@contextlib.asynccontextmanager
async def settling_held_up(url: str) -> AsyncIterator[None]:
    """Nothing that was sent can be settled."""
    async with await psycopg.AsyncConnection.connect(url) as conn:
        await conn.execute("LOCK TABLE downlink_attempts IN ACCESS EXCLUSIVE MODE")
        yield


async def take(whole: Whole) -> None:
    """The member takes the one alert that there is."""
    ((alert,),) = whole.rows("SELECT id FROM alerts")
    async with httpx.AsyncClient(base_url=whole.inbox()) as client:
        phone = Browser(client)
        await phone.sign_in(MEMBER, PASSWORD)
        taken = await phone.submit(f"/alerts/{alert}", f"/alerts/{alert}/acknowledge")
    assert "said=acknowledged" in taken.headers["location"]


async def heard(device: aiomqtt.Client) -> dict[str, Any]:
    async with asyncio.timeout(60):
        message = await anext(device.messages)
    assert isinstance(message.payload, bytes)
    told: dict[str, Any] = orjson.loads(message.payload)
    return told


@pytest.mark.timeout(180)
async def test_killed_before_the_send_and_between_send_and_settle(fast: Whole) -> None:
    await fast.start()
    fast.say("wearable-1", sos=1)
    await fast.until("notifications WHERE channel = 'web' AND state = 'delivered'")
    fast.broker.kill()
    await take(fast)
    assert fast.rows("SELECT told, state FROM downlinks") == [("acknowledged", "queued")]
    await fast.service.kill()
    fast.broker.start()
    async with aiomqtt.Client("127.0.0.1", fast.broker.port) as device:
        await device.subscribe(down(fast.community, "wearable-1"), qos=1)
        async with settling_held_up(fast.url):
            await fast.start()
            first = await heard(device)
            await fast.service.kill()
        assert fast.rows("SELECT state FROM downlinks") == [("queued",)], "sent and not known"
        await fast.start()
        again = await heard(device)
        await fast.until("downlinks WHERE state = 'delivered'")
    assert (first["state"], again) == ("acknowledged", first)
    assert fast.rows("SELECT message_id::text, told FROM downlinks") == [
        (first["message_id"], "acknowledged")
    ]
    assert fast.rows("SELECT count(*) FROM downlink_attempts WHERE outcome = 'delivered'") == [(1,)]
    assert fast.rows("SELECT count(*) FROM alert_events WHERE kind = 'answered'") == [(1,)]
    await fast.service.stop()
