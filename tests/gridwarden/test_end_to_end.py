"""From a published reading to a closed alert, through the real service, broker and database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import aiomqtt
import httpx
import orjson
import psycopg
import pytest

from alerts.web.password import set_password
from devices.topic import alerts, down
from tests.gridwarden.conftest import SOS, Whole
from tests.small_site import MEMBER
from tests.web.browser import Browser

OTHER = "zhao-lei"
PASSWORD = "correct horse battery"


@pytest.fixture
async def running(whole: Whole) -> Whole:
    """The whole with a second member, who has no duty; both can sign in; the service runs."""
    await whole.apply(members=f"- {{code: {OTHER}, name: {{zh: 赵雷, en: Zhao Lei}}}}\n")
    async with await psycopg.AsyncConnection.connect(whole.url) as conn:
        await set_password(conn, MEMBER, PASSWORD)
        await set_password(conn, OTHER, PASSWORD)
    await whole.start()
    return whole


@pytest.fixture
async def app(running: Whole) -> AsyncIterator[aiomqtt.Client]:
    """The member's app: subscribed to its alerts."""
    async with aiomqtt.Client("127.0.0.1", running.broker.port) as client:
        await client.subscribe(alerts(running.community, "+"), qos=1)
        yield client


@contextlib.asynccontextmanager
async def signed_in(running: Whole, member: str) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(base_url=running.inbox()) as client:
        browser = Browser(client)
        assert (await browser.sign_in(member, PASSWORD)).headers["location"] == "/"
        yield browser


async def told(app: aiomqtt.Client) -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(30):
        message = await anext(app.messages)
    assert isinstance(message.payload, bytes)
    assert message.qos == 1
    return str(message.topic), orjson.loads(message.payload)


async def test_a_low_reading_is_told_acknowledged_and_closed(
    running: Whole, app: aiomqtt.Client
) -> None:
    running.say("wearable-3", spo2=85)
    where, body = await told(app)
    assert where == alerts(running.community, MEMBER)
    UUID(body.pop("message_id"))
    alert = body.pop("alert")
    assert body.pop("since").endswith("Z")
    assert body == {
        "occasion": "opened",
        "state": "open",
        "rule": "care.spo2_low",
        "severity": "red",
        "category": "care",
        "title": {"zh": "血氧过低", "en": "Low blood oxygen"},
        "community": running.community,
        "place": {"zh": "测试社区 · 第一网格", "en": "Test Community · Grid 1"},
        "link": f"/alerts/{alert}",
    }
    async with signed_in(running, MEMBER) as phone:
        assert f'href="/alerts/{alert}"' in (await phone.get("/")).text
        page = f"/alerts/{alert}"
        assert (await phone.get(page)).status_code == 200
        forged = await phone.client.post(f"{page}/acknowledge", data={"form_token": "guessed"})
        assert forged.status_code == 403
        taken = await phone.submit(page, f"{page}/acknowledge", to=page)
        assert taken.headers["location"] == f"{page}?said=acknowledged"
        assert running.rows(
            "SELECT state, m.code FROM alerts JOIN members m ON m.id = acknowledged_by"
        ) == [("acknowledged", MEMBER)]
        closed = await phone.submit(page, f"{page}/close", outcome="handled", note="吸氧后好转")
        assert closed.headers["location"] == f"{page}?said=closed"
    assert running.rows("SELECT state, outcome, note FROM alerts") == [
        ("closed", "handled", "吸氧后好转")
    ]
    assert running.rows("SELECT kind, reason FROM alert_events ORDER BY id") == [
        ("opened", "condition_held"),
        ("routed", "duty_at_place"),
        ("acknowledged", "acknowledged"),
        ("closed", "handled"),
    ]
    await running.service.stop()
    assert running.ledger() == (1, 1, 0, 0)


async def test_an_sos_reaches_whoever_is_responsible_and_no_other(
    running: Whole, app: aiomqtt.Client
) -> None:
    running.say("wearable-1", sos=1)
    where, body = await told(app)
    assert (where, body["rule"]) == (alerts(running.community, MEMBER), "care.sos")
    page = body["link"]
    async with signed_in(running, OTHER) as stranger:
        assert (await stranger.get(page)).status_code == 404
        assert page not in (await stranger.get("/")).text
        refused = await stranger.submit("/", f"{page}/acknowledge")
        assert refused.status_code == 404
    async with signed_in(running, MEMBER) as phone:
        assert (await phone.get(page)).status_code == 200
    assert running.rows("SELECT state FROM alerts") == [("open",)]
    assert running.rows(
        "SELECT m.code, action FROM audit_log JOIN members m ON m.id = member_id"
        " WHERE alert_id IS NOT NULL"
    ) == [(MEMBER, "alert.viewed")]
    await running.until("notifications WHERE channel = 'web' AND read_at IS NOT NULL")


@contextlib.asynccontextmanager
async def button(running: Whole, device: str) -> AsyncIterator[aiomqtt.Client]:
    """What a device hears: subscribed to its own topic."""
    async with aiomqtt.Client("127.0.0.1", running.broker.port) as client:
        await client.subscribe(down(running.community, device), qos=1)
        yield client


async def test_whoever_pressed_sees_that_help_is_coming_and_that_it_is_over(
    running: Whole, app: aiomqtt.Client
) -> None:
    async with (
        button(running, "wearable-1") as mine,
        button(running, "wearable-2") as other,
        signed_in(running, MEMBER) as phone,
    ):
        running.say("wearable-1", sos=1)
        page = (await told(app))[1]["link"]
        taken = await phone.submit(page, f"{page}/acknowledge", to=page)
        assert taken.headers["location"] == f"{page}?said=acknowledged"
        where, coming = await told(mine)
        assert where == down(running.community, "wearable-1")
        UUID(coming["message_id"])
        assert list(coming) == ["message_id", "alert", "state", "at"]
        assert (f"/alerts/{coming['alert']}", coming["state"]) == (page, "acknowledged")
        running.say("wearable-1", sos=1)
        assert (await told(app))[1]["occasion"].startswith("again:")
        again = (await told(mine))[1]
        await phone.submit(page, f"{page}/close", outcome="handled")
        over = (await told(mine))[1]
        assert [(m["alert"], m["state"]) for m in (again, over)] == [
            (coming["alert"], "acknowledged"),
            (coming["alert"], "closed"),
        ]
        moments = [datetime.fromisoformat(m["at"]) for m in (coming, again, over)]
        assert moments == sorted(set(moments))
        await running.until("downlinks WHERE state = 'delivered'", 3)
        shown = (await phone.get(f"{page}?lang=en")).text
        assert shown.count("Device answered") == 3
        assert shown.count("the broker took it") == 3
        running.publisher.publish(down(running.community, "wearable-2"), b"a mark")
        async with asyncio.timeout(30):
            assert (await anext(other.messages)).payload == b"a mark", "it was told nothing before"


async def test_from_a_vendors_button_behind_a_bridge_to_an_alert(whole: Whole) -> None:
    button = "- {code: sos-9, kind: sos_button, household: h-1, address: hall/sos}\n"
    await whole.apply(rules=SOS, devices=button)
    await whole.start()
    bridge = f"gw/v1/{whole.community}/ext/zigbee2mqtt/zigbee2mqtt/Hall/SOS"
    whole.publisher.publish(bridge, b'{"action": "emergency", "battery": 88, "linkquality": 90}')
    await whole.until("alerts")
    assert whole.rows(
        "SELECT d.code, l.value FROM latest_readings l JOIN devices d ON d.id = l.device_id"
        " ORDER BY l.value"
    ) == [("sos-9", 1.0), ("sos-9", 88.0)]
    assert whole.ledger() == (1, 1, 0, 0)
