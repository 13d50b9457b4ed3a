"""The inbox over a real database, with a clock that stands still."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts.web.app import create_app
from alerts.web.config import WebConfig
from tests.clock import ManualClock
from tests.web.browser import Browser
from tests.web.town import Town, build

Pool = AsyncConnectionPool[AsyncConnection[Any]]
MakeApp = Callable[[WebConfig], FastAPI]
SignedIn = Callable[[str], Awaitable[Browser]]


@pytest.fixture
def clock() -> ManualClock:
    """Shows town.NOW."""
    return ManualClock()


@pytest.fixture
async def town(connection: AsyncConnection[Any]) -> Town:
    """The town, committed; commit what you add."""
    return await build(connection)


@pytest.fixture
def make_app(pool: Pool, clock: ManualClock) -> MakeApp:
    """Makes inboxes with other settings."""
    return lambda config: create_app(pool, clock, config)


@pytest.fixture
def app(make_app: MakeApp) -> FastAPI:
    """The inbox."""
    return make_app(WebConfig(secret_key="a key for tests only", refresh_s=3600))


@pytest.fixture
async def phone(app: FastAPI) -> AsyncIterator[Browser]:
    """A phone that nobody is signed in at."""
    browser = Browser.at(app)
    yield browser
    await browser.client.aclose()


@pytest.fixture
async def signed_in(app: FastAPI, town: Town) -> AsyncIterator[SignedIn]:
    """Gives the phone of the member with this code, signed in."""
    browsers: list[Browser] = []

    async def sign_in(code: str) -> Browser:
        browsers.append(Browser.at(app))
        await browsers[-1].sign_in(code)
        return browsers[-1]

    yield sign_in
    for browser in browsers:
        await browser.client.aclose()


@pytest.fixture
async def li(signed_in: SignedIn) -> Browser:
    """Li's phone, signed in."""
    return await signed_in("li")
