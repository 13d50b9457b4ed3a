"""Templates into responses."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts import measure
from alerts.web.language import LANGUAGES, Speaker
from alerts.web.viewer import LANGUAGE_COOKIE, Desk, Viewer, chosen_language, teller

YEAR_S = 365 * 24 * 3600


@cache
def environment() -> Environment:
    """The templates: everything is escaped, and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("alerts.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    made.globals["measure"] = measure
    made.globals["languages"] = LANGUAGES
    return made


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    content = files("alerts.web").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"


def fragment(template: str, at: Desk, viewer: Viewer, **context: Any) -> str:
    """A template as text, with say (words), tell (instants) and viewer at hand."""
    page = environment().get_template(template)
    return page.render(say=viewer.say, tell=teller(at, viewer), viewer=viewer, **context)


def render(
    template: str, request: Request, at: Desk, viewer: Viewer, status: int = 200, **context: Any
) -> Response:
    """A template as a page; keeps the viewer's session and language in cookies."""
    context = {"path": request.url.path, **context}
    text = fragment(template, at, viewer, **context)
    response = HTMLResponse(text, status)
    if at.seal.read(request.cookies.get(at.seal.name)) != viewer.session:
        keep_session(response, at, viewer)
    keep_language(response, request, at)
    return response


def keep_session(response: Response, at: Desk, viewer: Viewer) -> None:
    """Hands the viewer's session to the browser."""
    response.set_cookie(
        at.seal.name,
        at.seal.write(viewer.session),
        max_age=at.config.session_s,
        httponly=True,
        samesite="lax",
        secure=at.config.secure_cookies,
    )


def keep_language(response: Response, request: Request, at: Desk) -> None:
    """Keeps the language that ?lang asked for."""
    chosen = chosen_language(request)
    if chosen:
        response.set_cookie(
            LANGUAGE_COOKIE,
            chosen,
            max_age=YEAR_S,
            httponly=True,
            samesite="lax",
            secure=at.config.secure_cookies,
        )


def go(path: str) -> Response:
    """After a form: look at this page of ours."""
    return RedirectResponse(path, status_code=303)


def own_path(path: str) -> str:
    """The path if it leads to a page of ours, else the inbox."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours else "/"


def message_page(request: Request, at: Desk, language: str, status: int, topic: str) -> Response:
    """A page that only says something, `topic`.title and `topic`.text; needs no database."""
    say = Speaker(language)
    title, text = say(f"{topic}.title"), say(f"{topic}.text")
    page = environment().get_template("message.html")
    body = page.render(say=say, title=title, text=text, path=quote(own_path(request.url.path)))
    response = HTMLResponse(body, status)
    keep_language(response, request, at)
    return response
