"""Live pages: a stream of server-sent events that redraws a part of a page when it changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from fastapi import APIRouter
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from alerts.errors import NoSuchAlertError
from alerts.web import alert, inbox
from alerts.web.listener import Bell
from alerts.web.viewer import AlertId, AtDesk, Desk, Member, SignedIn, member_still

router = APIRouter()

RECONNECT_MS = 3_000
LONGEST_S = 3_600
"""Real seconds after which a stream ends: the browser connects again, and everything is checked
anew, the age of the session too."""

Draw = Callable[[], Awaitable[str]]


@router.get("/live", response_class=EventSourceResponse)
async def live_inbox(at: AtDesk, who: Member) -> AsyncIterator[ServerSentEvent]:
    """The inbox's list, now and whenever it changes; ends with the session or the service."""
    async for event in _stream(at, who, lambda: inbox.redraw(at, who)):
        yield event


@router.get("/live/session")
async def session_holds(_: Member) -> Response:
    """204 while somebody is signed in, else 401: a page whose stream was refused asks why."""
    return Response(status_code=204)


@router.get("/live/alerts/{alert_id}", response_class=EventSourceResponse)
async def live_alert(alert_id: AlertId, at: AtDesk, who: Member) -> AsyncIterator[ServerSentEvent]:
    """The changing part of an alert's page; ends when the member may no longer see it."""
    with contextlib.suppress(NoSuchAlertError):
        with anyio.CancelScope(shield=True):
            await alert.note_watching(at, who, alert_id)
        async for event in _stream(at, who, lambda: alert.redraw(at, who, alert_id)):
            yield event


async def _stream(at: Desk, who: SignedIn, draw: Draw) -> AsyncIterator[ServerSentEvent]:
    """Each event is the whole fragment, so a client that missed some has missed nothing."""
    drawn, time = None, asyncio.get_running_loop().time
    end = time() + LONGEST_S
    with at.bell.waiting_for(who.member.id) as ring:
        while not at.bell.closed and time() < end:
            ring.clear()
            fresh = await _drawn(at, who, draw)
            if fresh is None:
                return
            if fresh != drawn:
                yield ServerSentEvent(raw_data=fresh, event="redraw", retry=RECONNECT_MS)
            drawn = fresh
            await _wait(ring, at.bell, at.config.refresh_s)


async def _drawn(at: Desk, who: SignedIn, draw: Draw) -> str | None:
    """The fragment, None once the session has ended.

    Shielded: whoever leaves in the middle of a query would cost the pool its connection.
    """
    drawn = None
    with anyio.CancelScope(shield=True):
        if await member_still(at, who):
            drawn = await draw()
    return drawn


async def _wait(ring: asyncio.Event, bell: Bell, seconds: float) -> None:
    """Until the bell rings, or so long, so that 'x min ago' stays true."""
    if bell.closed:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ring.wait()
