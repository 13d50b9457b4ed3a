"""What the inbox shows, to whom, in which order and language."""

import re
from datetime import timedelta

import pytest

from alerts import store
from alerts.errors import NoSuchAlertError
from alerts.web.headers import HEADERS
from alerts.web.queries import visible_alert
from devices.instant import HOUR, to_micros
from tests.clock import ManualClock
from tests.web.browser import Browser
from tests.web.conftest import SignedIn
from tests.web.town import NOW, Town, both


def order(page: str, *words: str) -> list[str]:
    """These words in the order in which the page has them first."""
    return sorted((w for w in words if w in page), key=page.index)


async def test_an_inbox_without_alerts_says_so(li: Browser) -> None:
    assert "目前没有由您负责的预警" in (await li.get("/")).text


async def test_the_unacknowledged_and_the_gravest_come_first(town: Town, li: Browser) -> None:
    acknowledged = {"state": "acknowledged", "acknowledged_by": town.members["li"]}
    await town.alert("li", title=both("红已接", "a"), severity="red", **acknowledged)
    await town.alert("li", title=both("黄色的", "b"), severity="yellow")
    await town.alert("li", title=both("红色的", "c"), severity="red")
    ended = {"state": "cleared", "cleared_at": NOW - timedelta(hours=1)}
    await town.alert("li", title=both("已解除", "d"), severity="red", **ended)
    await town.conn.commit()
    page = (await li.get("/")).text
    assert order(page, "红已接", "黄色的", "红色的", "已解除") == [
        "红色的",
        "黄色的",
        "红已接",
        "已解除",
    ]
    assert "2 条待响应" in page
    assert "李伟 已响应" in page


async def test_what_ended_long_ago_is_gone(town: Town, li: Browser) -> None:
    ended = {"state": "closed", "closed_at": NOW - timedelta(hours=25), "outcome": "handled"}
    await town.alert("li", title=both("昨天的", "yesterday's"), **ended)
    await town.conn.commit()
    assert "昨天的" not in (await li.get("/")).text


async def test_severity_is_told_by_word_and_shape(town: Town, li: Browser) -> None:
    shapes = {}
    for severity, word in (
        ("red", "红色"),
        ("orange", "橙色"),
        ("yellow", "黄色"),
        ("blue", "蓝色"),
    ):
        alert = await town.alert("li", severity=severity)
        await town.conn.commit()
        page = (await li.get(f"/alerts/{alert}")).text
        badge = page.split(f'<span class="badge {severity}">')[1].split("</span>")[0]
        assert word in badge
        shapes[badge.split("<path")[1] if "<circle" not in badge else "circle"] = severity
    assert len(shapes) == 4


async def test_place_and_time_are_local(town: Town, li: Browser) -> None:
    await town.alert("li", household_id=town.homes["101"])
    await town.conn.commit()
    page = re.sub("</?span[^>]*>", "", (await li.get("/")).text)
    assert "阳光社区 · 第一网格 · 1号楼 · 101室" in page
    assert "大庆市" not in page
    assert "5 分钟前" in page
    assert "今天 10:35" in page, "02:35 UTC"


async def test_others_see_nothing_of_it(town: Town, signed_in: SignedIn) -> None:
    alert = await town.alert("li", title=both("只给李伟", "Li's only"))
    await town.conn.commit()
    for code in ("wang", "qian", "sun", "zhao"):
        browser = await signed_in(code)
        for path in ("/", "/?lang=en"):
            text = (await browser.get(path)).text
            assert "只给李伟" not in text
            assert "Li's only" not in text
        assert (await browser.get(f"/alerts/{alert}")).status_code == 404


async def test_a_duty_over_the_place_for_the_category_sees_it(
    town: Town, signed_in: SignedIn
) -> None:
    alert = await town.alert("li", category="parking", title=both("车位占用", "Bay taken"))
    await town.conn.commit()
    zhao = await signed_in("zhao")
    page = (await zhao.get("/")).text
    assert order(page, "目前没有由您负责的预警", "由他人负责（1）", "车位占用")[-1] == "车位占用"
    assert (await zhao.get(f"/alerts/{alert}")).status_code == 200


async def test_an_ended_duty_sees_nothing(town: Town, signed_in: SignedIn) -> None:
    alert = await town.alert("li", category="parking")
    await town.conn.execute("UPDATE duties SET valid_to = %s", (NOW,))
    await town.conn.commit()
    assert (await (await signed_in("zhao")).get(f"/alerts/{alert}")).status_code == 404
    assert (await (await signed_in("li")).get(f"/alerts/{alert}")).status_code == 200


@pytest.mark.parametrize(("code", "shown"), [("li", True), ("zhao", True), ("sun", True)])
async def test_what_nobody_is_responsible_for_is_told_to_duty_holders_and_officers(
    town: Town, signed_in: SignedIn, code: str, shown: bool
) -> None:
    alert = await town.alert()
    await town.conn.commit()
    browser = await signed_in(code)
    assert ("有 1 条预警无人负责" in (await browser.get("/")).text) is shown
    assert (await browser.get(f"/alerts/{alert}")).status_code == 200


@pytest.mark.parametrize("code", ["wang", "qian"])
async def test_what_nobody_is_responsible_for_stays_hidden_elsewhere(
    town: Town, signed_in: SignedIn, code: str
) -> None:
    alert = await town.alert()
    await town.conn.commit()
    browser = await signed_in(code)
    assert "无人负责" not in (await browser.get("/?lang=zh")).text
    assert (await browser.get(f"/alerts/{alert}")).status_code == 404


async def test_the_language_is_the_members_until_they_choose(signed_in: SignedIn) -> None:
    wang = await signed_in("wang")
    assert "My alerts" in (await wang.get("/")).text
    assert "我的预警" in (await wang.get("/?lang=zh")).text
    assert "我的预警" in (await wang.get("/")).text, "kept in a cookie"
    assert 'lang="zh-CN"' in (await wang.get("/")).text


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("en-GB,en;q=0.9", "Sign in"),
        ("fr, zh-TW;q=0.5, en;q=0.4", "网格员登录"),
        ("", "网格员登录"),
    ],
)
async def test_before_sign_in_the_browsers_language_counts(
    phone: Browser, header: str, title: str
) -> None:
    answer = await phone.client.get("/sign-in", headers={"accept-language": header})
    assert f"<h1>{title}</h1>" in answer.text


async def test_hostile_names_are_only_text(town: Town, li: Browser) -> None:
    hostile = '<script>alert("1")</script>'
    alert = await town.alert(
        "li",
        title=both(hostile, hostile),
        state="closed",
        note=hostile,
        closed_at=NOW,
        outcome=hostile,
    )
    await town.conn.execute("UPDATE members SET name = %s", (both(hostile, hostile),))
    await town.conn.execute("UPDATE areas SET name = %s", (both(hostile, hostile),))
    await town.conn.commit()
    for path in ("/", f"/alerts/{alert}"):
        page = (await li.get(path)).text
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page


async def test_every_answer_carries_the_safety_headers(li: Browser) -> None:
    for path in ("/", "/sign-in", "/alerts/1", "/nowhere", "/healthz", "/static/inbox.css"):
        headers = (await li.get(path)).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, path
    assert (await li.get("/")).headers["cache-control"] == "no-store"


async def test_static_files_are_kept_by_the_browser(li: Browser) -> None:
    page = (await li.get("/")).text
    for name in ("inbox.css", "inbox.js", "icon.svg"):
        address = page.split(f"/static/{name}?v=")[1].split('"')[0]
        answer = await li.get(f"/static/{name}?v={address}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


async def test_health_says_what_is_wrong(li: Browser) -> None:
    answer = await li.get("/healthz")
    assert answer.status_code == 503, "nobody started the listener here"
    assert answer.json() == {"ok": False, "database": True, "listening": False}


async def test_unknown_pages_speak_the_readers_language(phone: Browser) -> None:
    answer = await phone.get("/nowhere?lang=en")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_the_inbox_and_the_store_agree_on_who_may_act(town: Town) -> None:
    places = [town.areas[code] for code in ("building-1", "grid-2", "sunny", "far")]
    for area in places:
        for category in ("parking", "care"):
            await town.alert("wang", area_id=area, category=category)
            await town.alert("li", "qian", area_id=area, category=category)
            await town.alert("zhao", area_id=area, category=category)
            await town.alert(area_id=area, category=category)
            held = {"state": "acknowledged", "acknowledged_by": town.members["qian"]}
            await town.alert(area_id=area, category=category, **held)
            left = {"state": "acknowledged", "acknowledged_by": town.members["zhao"]}
            await town.alert(area_id=area, category=category, **left)
            over = {"state": "closed", "closed_at": NOW, "closed_by": town.members["qian"]}
            await town.alert(area_id=area, category=category, **over)
            await town.alert("zhao", area_id=area, category=category, **over)
    await town.conn.execute("UPDATE members SET retired_at = now() WHERE code = 'zhao'")
    seen = 0
    del town.members["zhao"]
    for member in town.members.values():
        for alert in range(1, town.alerts + 1):
            may = await store.sees(town.conn, alert, member, to_micros(NOW))
            assert await sees(town, alert, member) is may, (member, alert)
            seen += may
    assert 0 < seen < town.alerts * len(town.members)


async def sees(town: Town, alert: int, member: int) -> bool:
    """Whether the page of this alert exists for this member."""
    try:
        return (await visible_alert(town.conn, alert, member, NOW)).id == alert
    except NoSuchAlertError:
        return False


async def test_an_officer_takes_what_nobody_is_responsible_for(
    town: Town, signed_in: SignedIn
) -> None:
    alert = await town.alert(title=both("无人负责的", "unowned"))
    await town.conn.commit()
    sun = await signed_in("sun")
    assert 'data-waiting="1"' in (await sun.get("/")).text
    answer = await sun.submit("/", f"/alerts/{alert}/acknowledge", to="/")
    assert answer.headers["location"] == "/?said=acknowledged"
    page = (await sun.get("/")).text
    assert "孙丽 已响应" in page
    assert "条预警无人负责" not in page
    answer = await sun.submit(f"/alerts/{alert}", f"/alerts/{alert}/close", outcome="handled")
    assert answer.headers["location"] == f"/alerts/{alert}?said=closed"
    assert "已办结，谢谢" in (await sun.get(answer.headers["location"])).text
    assert "无人负责的" in (await sun.get("/")).text.split("最近 24 小时内已结束")[1]


async def test_what_a_retired_member_had_is_nobodys(town: Town, li: Browser) -> None:
    held = {"state": "acknowledged", "acknowledged_by": town.members["zhao"]}
    await town.alert("zhao", title=both("赵强的", "Zhao's"), **held)
    await town.conn.execute("UPDATE members SET retired_at = now() WHERE code = 'zhao'")
    await town.conn.commit()
    page = (await li.get("/")).text
    assert order(page, "有 1 条预警无人负责", "赵强的")[-1] == "赵强的"


async def test_however_many_there_are_the_gravest_of_mine_is_among_them(
    town: Town, li: Browser
) -> None:
    long_ago = NOW - timedelta(days=2)
    await town.alert("li", title=both("早先的红色", "old red"), opened_at=long_ago)
    await town.conn.execute(
        """INSERT INTO alerts (rule_code, rule_fingerprint, subject_kind, subject_id, since,
                fired_at, opened_at, category, severity, title, area_id, devices, metrics, state,
                route_reason, cleared_at)
           SELECT 'flood.' || i || s.state, 'f', subject_kind, subject_id, %(now)s, %(now)s,
                  %(now)s, category, 'yellow', '{"zh": "洪水", "en": "flood"}', area_id, devices,
                  metrics, s.state, 'nobody',
                  CASE s.state WHEN 'cleared' THEN %(now)s::timestamptz END
             FROM alerts, generate_series(1, 600) i, (VALUES ('open'), ('cleared')) s (state)""",
        {"now": NOW},
    )
    await town.conn.commit()
    page = (await li.get("/")).text
    assert "早先的红色" in page
    assert "洪水" in page


async def test_care_in_the_list_is_audited_once_while_the_page_is_open(
    town: Town, li: Browser, clock: ManualClock
) -> None:
    alert = await town.alert("li", category="care")
    await town.alert("li", category="parking")
    await town.conn.commit()
    looks = b"SELECT count(*) FROM audit_log WHERE action = 'alert.listed' AND alert_id = %s"
    for _ in range(3):
        await li.get("/")
    assert await town.value(looks, alert) == 1
    assert await town.value(b"SELECT count(*) FROM audit_log WHERE action = 'alert.listed'") == 1
    clock.advance(2 * HOUR)
    await li.get("/")
    assert await town.value(looks, alert) == 2
