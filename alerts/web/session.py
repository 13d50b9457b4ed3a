"""Sign in by member code and password, and out."""

import logging
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from alerts.web import cookie
from alerts.web.pages import go, keep_session, own_path, render
from alerts.web.queries import find_member
from alerts.web.rows import MemberRow
from alerts.web.viewer import AtDesk, Desk, Looking, OwnForm, Viewer
from devices.instant import SECOND, to_datetime

log = logging.getLogger(__name__)
router = APIRouter()

_REHASH = "UPDATE members SET password_hash = %s WHERE id = %s"
_AUDIT = "INSERT INTO audit_log (at, member_id, action) VALUES (%s, %s, %s)"


@router.get("/sign-in")
async def form(request: Request, at: AtDesk, viewer: Looking, to: str = "/") -> Response:
    """The form; members who are signed in already go on."""
    if viewer.member is not None:
        return go(own_path(to))
    return render("sign_in.html", request, at, viewer, to=own_path(to), code="", problem="")


@router.post("/sign-in", dependencies=[OwnForm])
async def sign_in(
    *,
    request: Request,
    at: AtDesk,
    viewer: Looking,
    code: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=256)] = "",
    to: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Starts a session of their own for whoever knows a member's password."""
    code = code.strip()
    wait = at.throttle.attempt(code, at.clock.now())
    member = None if wait else await _recognise(at, code, password)
    if member is not None:
        return _welcome(at, viewer, member, to)
    problem = viewer.say("sign_in.wrong")
    if wait:
        problem = viewer.say("sign_in.wait", seconds=-(-wait // SECOND))
    status = 429 if wait else 401
    context = {"to": own_path(to), "code": code, "problem": problem}
    return render("sign_in.html", request, at, viewer, status, **context)


@router.post("/sign-out", dependencies=[OwnForm])
async def sign_out(at: AtDesk) -> Response:
    """Ends the session in this browser."""
    response = go("/sign-in")
    response.delete_cookie(
        at.seal.name, httponly=True, samesite="lax", secure=at.config.secure_cookies
    )
    return response


def _welcome(at: Desk, viewer: Viewer, member: MemberRow, to: str) -> Response:
    response = go(own_path(to))
    session = cookie.start(member.id, member.password_hash or "")
    keep_session(response, at, Viewer(member, session, viewer.say))
    return response


async def _recognise(at: Desk, code: str, password: str) -> MemberRow | None:
    async with at.pool.connection() as conn:
        member = await find_member(conn, code=code)
    stored = member.password_hash if member else None
    known = member.code if member else None  # what else was typed may be a password
    if await at.passwords.matches(stored, password) and member and stored:
        return await _admit(at, member, stored, password)
    log.info("A sign-in was refused.", extra={"action": "sign_in_refused", "member": known})
    return None


async def _admit(at: Desk, member: MemberRow, stored: str, password: str) -> MemberRow | None:
    """The member as they are now: with a hash of today's strength."""
    at.throttle.succeeded(member.code)
    renewed = await at.passwords.hash(password) if at.passwords.is_outdated(stored) else None
    async with at.pool.connection() as conn:
        if renewed:
            await conn.execute(_REHASH, (renewed, member.id))
        await conn.execute(_AUDIT, (to_datetime(at.clock.now()), member.id, "member.signed_in"))
        return await find_member(conn, member=member.id)
