"""Live pages through a real server: a change arrives by itself, and stopping ends every stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from alerts.web.listener import Bell
from alerts.web.serve import InboxServer
from tests.web.browser import Browser
from tests.web.town import NOW, Town, both


@pytest.fixture
async def server(app: FastAPI, town: Town) -> AsyncIterator[InboxServer]:
    """The inbox on a free port, listening for changes."""
    server = InboxServer(app, "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    await server.ready.wait()
    await app.state.desk.bell.listening.wait()
    yield server
    server.stop()
    await serving


@pytest.fixture
async def phone(server: InboxServer) -> AsyncIterator[Browser]:
    """Li's phone at that server."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        browser = Browser(client)
        await browser.sign_in("li")
        yield browser


@contextlib.asynccontextmanager
async def stream(
    phone: Browser, path: str = "/live", **headers: str
) -> AsyncIterator[AsyncIterator[str]]:
    """The fragments of a stream as they come."""
    async with phone.client.stream("GET", path, headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield fragments(answer)


async def fragments(answer: httpx.Response) -> AsyncIterator[str]:
    """The data of each event."""
    lines: list[str] = []
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            lines.append(line.removeprefix("data: "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


async def notify(town: Town, member: str = "li") -> None:
    """Commits, and tells that this member's inbox changed, as the store does."""
    payload = str(town.members[member])
    await town.conn.execute("SELECT pg_notify('gridwarden_inbox', %s)", (payload,))
    await town.conn.commit()


async def test_a_new_alert_arrives_by_itself(town: Town, phone: Browser) -> None:
    async with stream(phone) as events:
        assert "目前没有由您负责的预警" in await anext(events)
        await town.alert("li", title=both("烟雾\n报警", "Smoke"))
        await notify(town)
        fresh = await anext(events)
    assert "烟雾\n报警" in fresh
    assert "1 条待响应" in fresh


async def test_a_client_that_comes_back_gets_everything_again(town: Town, phone: Browser) -> None:
    await town.alert("li", title=both("已有的", "known"))
    await town.conn.commit()
    async with stream(phone, **{"Last-Event-ID": "'; DROP 7"}) as events:
        assert "已有的" in await anext(events)


async def test_another_members_change_sends_nothing(town: Town, phone: Browser) -> None:
    async with stream(phone) as events:
        await anext(events)
        await town.alert("wang")
        await notify(town, "wang")
        await town.alert("li", title=both("李伟的", "Li's"))
        await notify(town)
        assert "李伟的" in await anext(events)


async def test_an_alerts_page_is_live(town: Town, phone: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    async with stream(phone, f"/live/alerts/{alert}") as events:
        assert "待响应" in await anext(events)
        answer = await phone.submit(f"/alerts/{alert}", f"/alerts/{alert}/acknowledge", to="/")
        assert answer.headers["location"] == "/?said=acknowledged"
        fresh = await anext(events)
    assert "处理中" in fresh


async def test_the_stream_of_somebody_elses_alert_is_empty(town: Town, phone: Browser) -> None:
    alert = await town.alert("wang", area_id=town.areas["grid-2"])
    await town.conn.commit()
    async with stream(phone, f"/live/alerts/{alert}") as events:
        assert [event async for event in events] == []


async def test_the_stream_ends_when_the_member_is_retired(town: Town, phone: Browser) -> None:
    async with stream(phone) as events:
        await anext(events)
        await town.conn.execute("UPDATE members SET retired_at = now() WHERE code = 'li'")
        await notify(town)
        assert [event async for event in events] == []
    assert (await phone.get("/live/session")).status_code == 401


async def test_stopping_ends_the_streams_and_the_server(
    phone: Browser, server: InboxServer
) -> None:
    async with stream(phone) as events:
        await anext(events)
        server.stop()
        async with asyncio.timeout(5):
            assert [event async for event in events] == []


async def test_the_listener_returns_after_its_connection_was_cut(
    town: Town, phone: Browser, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.web.listener.RETRY_S", 0)
    bell: Bell = app.state.desk.bell
    async with stream(phone) as events:
        await anext(events)
        await town.alert("li", title=both("断线时", "while cut off"))
        await town.conn.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database()
                AND (query LIKE 'LISTEN%' OR query = 'SHOW transaction_read_only')"""
        )
        await town.conn.commit()
        assert "断线时" in await anext(events)
    await bell.listening.wait()
    assert (await phone.get("/healthz")).json() == {
        "ok": True,
        "database": True,
        "listening": True,
    }


async def test_rings_while_drawing_are_not_lost() -> None:
    bell = Bell()
    with bell.waiting_for(1) as ring:
        bell.ring(1)
        bell.ring(1)
        await ring.wait()
        ring.clear()
        bell.ring(2)
        assert not ring.is_set()
        bell.close()
        bell.close()
        assert ring.is_set()


async def test_a_stream_is_a_look_but_connecting_anew_is_none(town: Town, phone: Browser) -> None:
    alert = await town.alert("li", category="care")
    await town.conn.commit()
    for _ in range(3):
        async with stream(phone, f"/live/alerts/{alert}") as events:
            await anext(events)
    looks = b"SELECT count(*) FROM audit_log WHERE action = 'alert.viewed' AND alert_id = %s"
    assert await town.value(looks, alert) == 1


async def test_the_stream_of_an_alert_ends_with_the_right_to_it(town: Town, phone: Browser) -> None:
    """Li sees it for a duty in the grid, not as one who was told."""
    alert = await town.alert("zhao", category="care")
    await town.conn.commit()
    async with stream(phone, f"/live/alerts/{alert}") as events:
        assert "烟雾报警" in await anext(events)
        await town.conn.execute("UPDATE duties SET valid_to = %s", (NOW,))
        await notify(town)
        assert [event async for event in events] == []


async def test_streams_are_not_stored_and_do_not_last_for_ever(
    town: Town, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.web.live.LONGEST_S", 0)
    async with phone.client.stream("GET", "/live", timeout=20) as answer:
        assert answer.headers["cache-control"] == "no-store"
        assert [event async for event in fragments(answer)] == []
    assert town.members["li"]
