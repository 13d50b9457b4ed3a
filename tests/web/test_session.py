"""Signing in and out, and what a session is bound to."""

import httpx
import pytest
from argon2 import PasswordHasher

from alerts.errors import NoSuchMemberError, WeakPasswordError
from alerts.web.config import WebConfig
from alerts.web.pages import own_path
from alerts.web.password import set_password
from alerts.web.throttle import FIRST_PAUSE, FREE_FAILURES
from tests.clock import ManualClock
from tests.web.browser import Browser
from tests.web.conftest import MakeApp
from tests.web.town import Town


async def test_a_member_signs_in_and_out(town: Town, phone: Browser) -> None:
    assert (await phone.get("/")).headers["location"] == "/sign-in"
    answer = await phone.sign_in("li")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "李伟" in (await phone.get("/")).text
    out = await phone.submit("/", "/sign-out")
    assert out.headers["location"] == "/sign-in"
    assert (await phone.get("/")).headers["location"] == "/sign-in"


async def test_the_cookie_is_kept_from_scripts_and_other_sites(town: Town, phone: Browser) -> None:
    cookie = (await phone.sign_in("li")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


async def test_behind_https_the_cookie_is_bound_to_it(make_app: MakeApp) -> None:
    config = WebConfig("k" * 16, secure_cookies=True, public_url="https://inbox.test")
    browser = Browser.at(make_app(config), "https://inbox.test")
    async with browser.client:
        answer = await browser.get("/sign-in")
    assert answer.headers["set-cookie"].startswith("__Host-gridwarden=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("code", ["li", "nobody"])
async def test_a_wrong_password_and_an_unknown_member_are_told_the_same(
    town: Town, phone: Browser, code: str
) -> None:
    answer = await phone.sign_in(code, "not the password")
    assert answer.status_code == 401
    assert "编号或密码不正确" in answer.text


async def test_a_member_without_a_password_cannot_sign_in(town: Town, phone: Browser) -> None:
    await town.conn.execute("UPDATE members SET password_hash = NULL WHERE code = 'li'")
    await town.conn.commit()
    assert (await phone.sign_in("li")).status_code == 401


async def test_repeated_failures_make_the_member_wait(
    town: Town, phone: Browser, clock: ManualClock
) -> None:
    for _ in range(FREE_FAILURES):
        assert (await phone.sign_in("li", "wrong password")).status_code == 401
    refused = await phone.sign_in("li")
    assert refused.status_code == 429
    assert "30 秒" in refused.text
    clock.advance(FIRST_PAUSE)
    assert (await phone.sign_in("li")).status_code == 303


async def test_one_members_failures_do_not_stop_another(town: Town, phone: Browser) -> None:
    for _ in range(FREE_FAILURES):
        await phone.sign_in("li", "wrong password")
    assert (await phone.sign_in("wang")).status_code == 303


async def test_a_retired_members_session_ends(town: Town, li: Browser) -> None:
    assert (await li.get("/")).status_code == 200
    await town.conn.execute("UPDATE members SET retired_at = now() WHERE code = 'li'")
    await town.conn.commit()
    assert (await li.get("/")).headers["location"] == "/sign-in"
    assert (await li.get("/live")).status_code == 401
    assert (await li.sign_in("li")).status_code == 401


async def test_a_new_password_ends_old_sessions(town: Town, li: Browser) -> None:
    await set_password(town.conn, "li", "another password")
    await town.conn.commit()
    assert (await li.get("/")).status_code == 303
    assert (await li.sign_in("li", "another password")).headers["location"] == "/"


async def test_a_session_grows_old(town: Town, make_app: MakeApp) -> None:
    browser = Browser.at(make_app(WebConfig("k" * 16, session_s=-1)))
    async with browser.client:
        answer = await browser.sign_in("li")
    assert answer.status_code == 403


async def test_a_cookie_signed_with_another_key_is_worth_nothing(
    town: Town, li: Browser, make_app: MakeApp
) -> None:
    other = Browser.at(make_app(WebConfig("some other key")))
    other.client.cookies = httpx.Cookies(li.client.cookies)
    async with other.client:
        assert (await other.get("/")).headers["location"] == "/sign-in"


@pytest.mark.parametrize("fields", [{}, {"form_token": "guessed"}])
async def test_a_form_without_the_sessions_token_is_refused(
    town: Town, li: Browser, fields: dict[str, str]
) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    answer = await li.client.post(f"/alerts/{alert}/acknowledge", data=fields)
    assert answer.status_code == 403
    assert "表单已失效" in answer.text
    assert await town.value(b"SELECT state FROM alerts") == "open"


async def test_signing_in_leads_to_the_page_asked_for(town: Town, phone: Browser) -> None:
    assert (await phone.get("/alerts/7")).headers["location"] == "/sign-in?to=/alerts/7"
    assert (await phone.sign_in("li", to="/alerts/7")).headers["location"] == "/alerts/7"


@pytest.mark.parametrize("to", ["//evil.test", "/\\evil.test", "https://evil.test", "/a\nb", ""])
def test_sign_in_never_leads_elsewhere(to: str) -> None:
    assert own_path(to) == "/"


async def test_set_password_says_what_is_wrong(town: Town) -> None:
    with pytest.raises(WeakPasswordError, match="8 to 256 characters, this one has 5"):
        await set_password(town.conn, "li", "short")
    with pytest.raises(NoSuchMemberError, match="'ghost'"):
        await set_password(town.conn, "ghost", "long enough")


async def test_a_hash_of_yesterdays_strength_is_renewed(town: Town, phone: Browser) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("long enough")
    await town.conn.execute("UPDATE members SET password_hash = %s WHERE code = 'li'", (weak,))
    await town.conn.commit()
    await phone.sign_in("li", "long enough")
    assert await town.value(b"SELECT password_hash FROM members WHERE code = 'li'") != weak
    assert (await phone.get("/")).status_code == 200
