"""My open alerts, the gravest that nobody has acknowledged first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.model import CARE
from alerts.web.arrange import Inbox, arrange
from alerts.web.pages import fragment, render
from alerts.web.queries import LISTED, note_once, visible_alerts
from alerts.web.reply import reply_of
from alerts.web.viewer import AtDesk, Desk, Member, SignedIn
from devices.instant import to_datetime

router = APIRouter()


async def load(at: Desk, member: int) -> Inbox:
    """This member's inbox now; that it showed alerts about care is in the audit log."""
    now = to_datetime(at.clock.now())
    async with at.pool.connection() as conn:
        inbox = arrange(await visible_alerts(conn, member, now))
        if care := [a.id for a in inbox.shown if a.category == CARE]:
            await note_once(conn, member, care, LISTED, now)
    return inbox


async def redraw(at: Desk, who: SignedIn) -> str:
    """The part of the page that changes, for a live stream."""
    inbox = await load(at, who.member.id)
    return fragment("inbox_list.html", at, who.viewer, inbox=inbox)


@router.get("/")
async def show(request: Request, at: AtDesk, who: Member, said: str = "") -> Response:
    """The inbox."""
    inbox = await load(at, who.member.id)
    reply = reply_of(who.viewer.say, said)
    return render("inbox.html", request, at, who.viewer, inbox=inbox, reply=reply)
