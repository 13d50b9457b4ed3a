"""The inbox as an application: routes, headers, and the pages for what went wrong."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from importlib.resources import files

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg_pool import AsyncConnectionPool
from starlette.exceptions import HTTPException

from alerts.errors import NoSuchAlertError
from alerts.web import alert, inbox, live, session
from alerts.web.config import WebConfig
from alerts.web.cookie import Seal
from alerts.web.headers import CachedFiles, SecurityHeaders, SmallBodies
from alerts.web.listener import Bell, listen
from alerts.web.pages import go, message_page
from alerts.web.password import Passwords
from alerts.web.throttle import Throttle
from alerts.web.viewer import (
    AtDesk,
    Desk,
    ForgedFormError,
    SignInNeededError,
    language_of,
)
from devices.instant import Clock

log = logging.getLogger(__name__)


def create_app(pool: AsyncConnectionPool, clock: Clock, config: WebConfig) -> FastAPI:
    """The grid members' inbox over an open pool, of which it holds one connection for listening.

    Whoever serves it must call `end_streams` (or use `alerts.web.serve`) when stopping: a server
    waits for open responses before it tells the application that it stops.
    """
    app = FastAPI(title="Gridwarden", openapi_url=None, lifespan=_lifespan)
    app.state.desk = Desk(pool, clock, config, Seal(config), Passwords(), Throttle(), Bell())
    for part in (session, inbox, alert, live):
        app.include_router(part.router)
    app.add_api_route("/healthz", health, include_in_schema=False)
    static = files("alerts.web").joinpath("static")
    app.mount("/static", CachedFiles(directory=str(static)), name="static")
    app.add_middleware(SmallBodies)
    app.add_middleware(SecurityHeaders, https=config.public_url.startswith("https:"))
    _answer_errors(app)
    return app


def end_streams(app: FastAPI) -> None:
    """Ends every live stream at once and starts no new one; idempotent."""
    app.state.desk.bell.close()


async def health(at: AtDesk) -> Response:
    """200 while the database answers and changes are listened for, else 503; says which."""
    try:
        async with at.pool.connection(timeout=2) as conn:
            await conn.execute("SELECT 1")
        database = True
    except psycopg.Error:
        database = False
    well = database and at.bell.listening.is_set()
    parts = {"database": database, "listening": at.bell.listening.is_set()}
    return JSONResponse({"ok": well, **parts}, 200 if well else 503)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    at: Desk = app.state.desk
    listening = asyncio.create_task(listen(at.pool, at.bell), name="inbox listener")
    try:
        yield
    finally:
        at.bell.close()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeededError, _sign_in_needed)
    app.add_exception_handler(ForgedFormError, _forged)
    app.add_exception_handler(NoSuchAlertError, _not_found)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(psycopg.OperationalError, _no_database)
    for unstorable in (psycopg.DataError, UnicodeError):
        app.add_exception_handler(unstorable, _invalid)


def _say(request: Request, status: int, topic: str) -> Response:
    at: Desk = request.app.state.desk
    return message_page(request, at, language_of(request), status, topic)


async def _sign_in_needed(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/live"):
        return Response(status_code=401)
    to = request.url.path if request.method == "GET" else "/"
    return go("/sign-in" if to == "/" else f"/sign-in?to={to}")


async def _forged(request: Request, _: Exception) -> Response:
    return _say(request, 403, "forged")


async def _not_found(request: Request, _: Exception) -> Response:
    return _say(request, 404, "not_found")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _say(request, status, "not_found" if status in {404, 405} else "invalid")


async def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if any(problem["loc"][0] == "path" for problem in problems):
        return _say(request, 404, "not_found")
    return _say(request, 422, "invalid")


async def _no_database(request: Request, error: Exception) -> Response:
    log.error(
        "A page could not be made: the database does not answer.",
        extra={"action": "inbox_database_error", "error": str(error)},
    )
    return _say(request, 503, "no_database")
