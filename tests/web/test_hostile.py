"""Whatever is sent to the inbox, it answers, keeps its pages to itself and never breaks."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from alerts.web.app import create_app
from alerts.web.config import WebConfig
from alerts.web.cookie import Seal, Session, mark
from alerts.web.headers import LARGEST_BODY
from alerts.web.throttle import FREE_FAILURES
from tests.clock import ManualClock
from tests.web.browser import Browser
from tests.web.town import Town, build, password_hash

CONFIG = WebConfig(secret_key="a key for tests only", refresh_s=3600)
HARD = "\0\ud800\u202e/\\%?#&=;\"'<>{}\r\n\t .:@٣网"
WORDS = st.text(st.sampled_from(HARD) | st.characters(), max_size=12)
STEMS = ["/", "/sign-in", "/sign-out", "/alerts/", "/alerts/1", "/alerts/1/close", "/static/"]
STEMS += ["/alerts/1/acknowledge", "/live/session", "/healthz", "/static/inbox.css", "//", "/live"]
PATHS = st.builds(lambda stem, rest: stem + rest, st.sampled_from(STEMS), st.just("") | WORDS)
FIELDS = st.sampled_from(
    ["form_token", "code", "password", "to", "outcome", "note", "lang", "said"]
)
FORMS = st.dictionaries(FIELDS, WORDS | st.sampled_from(["handled", "false_alarm", "li", "token"]))
METHODS = st.sampled_from(["GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
LINK = re.compile(r'(?:href|action|src)="([^"#]+)"')
ENCODINGS = st.sampled_from(["form", "utf-7", "utf-16", "unicode_escape", "idna", "json", "torn"])


def encoded(form: dict[str, str], how: str) -> tuple[bytes, str]:
    """The form as a body and its content type; where it is not a form's own, as an attacker may."""
    pairs = {k: quote(v.encode("utf-8", "surrogatepass")) for k, v in form.items()}
    body = "&".join(f"{k}={v}" for k, v in pairs.items()).encode()
    if how == "form":
        return body, "application/x-www-form-urlencoded"
    if how in {"json", "torn"}:
        return body, "application/json" if how == "json" else "multipart/form-data; boundary=x"
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n+2AA-\\ud800{v}\r\n'
        for k, v in pairs.items()
    ]
    return "".join(
        [*parts, "--x--\r\n"]
    ).encode(), f"multipart/form-data; boundary=x; charset={how}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request; who: 0 is nobody, 1 is Li, both with the token of their session's forms."""

    method: str
    path: str
    query: str
    form: dict[str, str]
    how: str
    who: int = 0


ATTEMPTS = st.builds(Attempt, METHODS, PATHS, WORDS, FORMS, ENCODINGS, st.integers(0, 1))
TOKEN = {"form_token": "token"}


class Target:
    """An inbox over a town with one alert, in an event loop of its own."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        self.runner = runner
        self.pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False)
        self.app = create_app(self.pool, ManualClock(), CONFIG)
        runner.run(self._build(url))

    async def _build(self, url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url) as conn:
            town = await build(conn)
            await town.alert("li", category="care", household_id=town.homes["101"])
        password = mark(password_hash())
        seal = Seal(CONFIG)
        sessions = [Session(None, "token"), Session(town.members["li"], "token", password)]
        self.cookies = [{seal.name: seal.write(session)} for session in sessions]
        await self.pool.open()

    def answer(self, attempt: Attempt) -> httpx.Response:
        """What comes back; an exception in the inbox is the test's."""
        return self.runner.run(self._answer(attempt))

    async def _answer(self, attempt: Attempt) -> httpx.Response:
        body, content_type = encoded(attempt.form, attempt.how)
        path = quote(attempt.path.encode("utf-8", "surrogatepass"), safe="/%")
        query = quote(attempt.query.encode("utf-8", "surrogatepass"))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://inbox.test",
            cookies=self.cookies[attempt.who],
        ) as client:
            return await client.request(
                attempt.method,
                f"http://inbox.test{path}?{query}",
                content=body,
                headers={"content-type": content_type},
            )


@pytest.fixture
def target(database_url: str) -> Iterator[Target]:
    """Closed at the end."""
    with asyncio.Runner() as runner:
        target = Target(runner, database_url)
        yield target
        runner.run(target.pool.close())


@given(ATTEMPTS)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(Attempt("POST", "/sign-in", "", {**TOKEN, "code": "\0"}, "form"))
@example(Attempt("POST", "/sign-in", "", TOKEN, "utf-7"))
@example(Attempt("POST", "/sign-in", "", {**TOKEN, "code": "a"}, "unicode_escape"))
@example(Attempt("POST", "/alerts/1/close", "", {**TOKEN, "outcome": "handled"}, "utf-7", 1))
@example(Attempt("GET", "/static/\0", "", {}, "form"))
@example(Attempt("GET", "//evil.test/", "", {}, "form"))
def test_nothing_breaks_it_and_nothing_leads_away(target: Target, attempt: Attempt) -> None:
    assume(not attempt.path.startswith("/live") or attempt.path == "/live/session")
    got = target.answer(attempt)
    assert got.status_code < 500 or attempt.path.startswith("/healthz")
    kept = got.headers["cache-control"]
    assert kept == "no-store" or (attempt.path.startswith("/static/") and "public" in kept)
    for place in (got.headers.get("location", "/"), *LINK.findall(got.text)):
        assert place.startswith("http://inbox.test/") or re.match(r"/(?![/\\])", place), place
    assert attempt.who or "101" not in got.text


async def test_a_note_that_cannot_be_kept_is_refused(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    answer = await li.submit(page, f"{page}/close", outcome="handled", note="a\0b")
    assert answer.status_code == 422
    assert await town.value(b"SELECT state FROM alerts") == "open"


async def test_an_error_page_links_to_no_other_site(phone: Browser) -> None:
    answer = await phone.client.get("http://inbox.test//evil.test/x")
    assert answer.status_code == 404
    assert 'href="/?lang=' in answer.text
    assert "evil.test" not in answer.text


@pytest.mark.parametrize("stated", [True, False])
async def test_a_huge_form_is_refused_before_it_is_kept(phone: Browser, *, stated: bool) -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1_000):
            taken += 1
            yield b"x" * (LARGEST_BODY // 4)

    content: Any = b"x" * (4 * LARGEST_BODY) if stated else pieces()
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await phone.client.post("/sign-in", content=content, headers=form)
    assert answer.status_code == 413
    assert taken <= 5


async def test_guesses_sent_all_at_once_are_not_all_looked_at(town: Town, app: FastAPI) -> None:
    phones = [Browser.at(app) for _ in range(4 * FREE_FAILURES)]
    answers = await asyncio.gather(*(p.sign_in("li", f"guess {i}") for i, p in enumerate(phones)))
    for phone in phones:
        await phone.client.aclose()
    codes = [a.status_code for a in answers]
    assert (codes.count(401), codes.count(429)) == (FREE_FAILURES, 3 * FREE_FAILURES)
    assert town.members["li"]


@pytest.mark.parametrize("code", [" li", "li\t", "\u3000li"])
async def test_white_space_is_no_way_round_the_throttle(
    town: Town, phone: Browser, code: str
) -> None:
    for _ in range(FREE_FAILURES):
        assert (await phone.sign_in("li", "wrong password")).status_code == 401
    assert (await phone.sign_in(code)).status_code == 429
    assert town.members["li"]


async def test_a_refused_sign_in_does_not_log_what_was_typed(
    town: Town, phone: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await phone.sign_in("my-password", "my-password")
    await phone.sign_in("li", "my-password")
    said = [r.__dict__ for r in caplog.records if r.__dict__.get("action") == "sign_in_refused"]
    assert [s["member"] for s in said] == [None, "li"]
    assert "my-password" not in caplog.text


async def test_a_session_planted_before_sign_in_is_not_kept(
    town: Town, phone: Browser, app: FastAPI
) -> None:
    await phone.get("/sign-in")
    planted = phone.client.cookies["gridwarden"]
    await phone.sign_in("li")
    assert phone.client.cookies["gridwarden"] != planted
    thief = Browser.at(app)
    thief.client.cookies.set("gridwarden", planted)
    answer = await thief.get("/")
    await thief.client.aclose()
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert town.members["li"]
