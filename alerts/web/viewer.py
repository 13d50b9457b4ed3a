"""Who is looking, in which language, and what every handler needs: dependencies of the routes."""

import hmac
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Form, Path, Request
from psycopg_pool import AsyncConnectionPool

from alerts.web import cookie
from alerts.web.config import WebConfig
from alerts.web.cookie import Seal, Session
from alerts.web.language import LANGUAGES, Speaker, choose
from alerts.web.listener import Bell
from alerts.web.moment import Teller
from alerts.web.password import Passwords
from alerts.web.queries import find_member
from alerts.web.rows import MemberRow
from alerts.web.throttle import Throttle
from devices.instant import Clock, to_datetime

LANGUAGE_COOKIE = "gridwarden_lang"


class SignInNeededError(Exception):
    """The page is for members, and nobody is signed in."""


class ForgedFormError(Exception):
    """A form came without the token of the session that it should have come from."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the inbox works with; one per application, in `app.state.desk`."""

    pool: AsyncConnectionPool
    clock: Clock
    config: WebConfig
    seal: Seal
    passwords: Passwords
    throttle: Throttle
    bell: Bell


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever is looking; `member` is None before sign-in."""

    member: MemberRow | None
    session: Session
    say: Speaker

    @property
    def language(self) -> str:
        """'zh' or 'en'."""
        return self.say.language


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A viewer who is a member."""

    member: MemberRow
    viewer: Viewer


def desk(request: Request) -> Desk:
    """The application's desk."""
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk)]


def teller(at: Desk, viewer: Viewer) -> Teller:
    """Tells instants to this viewer, now."""
    return Teller(viewer.say, ZoneInfo(at.config.time_zone), to_datetime(at.clock.now()))


async def _member(at: Desk, session: Session | None) -> MemberRow | None:
    if session is None or session.member is None:
        return None
    async with at.pool.connection() as conn:
        member = await find_member(conn, member=session.member)
    if member is None or session.password_mark != cookie.mark(member.password_hash):
        return None
    return member


async def look(request: Request, at: AtDesk) -> Viewer:
    """The viewer of this request: their session is ended if they left or changed their password."""
    session = at.seal.read(request.cookies.get(at.seal.name))
    member = await _member(at, session)
    if session is None or (session.member is not None and member is None):
        session = cookie.start()
    return Viewer(member, session, Speaker(language_of(request, member)))


def language_of(request: Request, member: MemberRow | None = None) -> str:
    """?lang, else the cookie, else the member's own, else what the browser accepts."""
    wishes = (
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        member.language if member else None,
    )
    return choose(wishes, request.headers.get("accept-language", ""))


def chosen_language(request: Request) -> str | None:
    """The language this request asks to keep, None if it asks for none that we speak."""
    wish = request.query_params.get("lang")
    return wish if wish in LANGUAGES else None


Looking = Annotated[Viewer, Depends(look)]


def require_member(viewer: Looking) -> SignedIn:
    """The signed-in viewer; SignInNeededError where there is none."""
    if viewer.member is None:
        raise SignInNeededError
    return SignedIn(viewer.member, viewer)


def require_own_form(viewer: Looking, form_token: Annotated[str, Form()] = "") -> None:
    """ForgedFormError unless the form repeats the token of the session it was made for."""
    if not hmac.compare_digest(form_token.encode(), viewer.session.form_token.encode()):
        raise ForgedFormError


AlertId = Annotated[int, Path(ge=1, lt=2**63)]
Member = Annotated[SignedIn, Depends(require_member)]
OwnForm = Depends(require_own_form)


async def member_still(at: Desk, who: SignedIn) -> bool:
    """True while the member is in service and their session holds: for streams that last."""
    member = await _member(at, who.viewer.session)
    return member is not None
