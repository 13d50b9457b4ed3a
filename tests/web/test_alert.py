"""One alert's page, taking it and closing it."""

from collections.abc import Mapping
from datetime import timedelta
from html import unescape

import pytest
from psycopg.types.json import Jsonb

from alerts.channels.base import NOBODY_SUBSCRIBED
from alerts.web.advice import advice_of
from tests.web.browser import Browser
from tests.web.conftest import SignedIn
from tests.web.town import NOW, Town, both

SPO2, ACCESS_DENIED = 34, 22


async def spo2_alert(town: Town) -> int:
    """Low blood oxygen at flat 101, with the readings that caused it."""
    for minutes, value in ((40, 97), (20, 95), (6, 90), (5, 89), (4, 88.5)):
        await town.heard("ring", SPO2, minutes, value)
    alert = await town.alert(
        "li",
        category="care",
        title=both("血氧过低", "Low blood oxygen"),
        device_id=town.devices["ring"],
        household_id=town.homes["101"],
        devices=[town.devices["ring"]],
        metrics=[SPO2],
    )
    await town.conn.commit()
    return alert


async def test_the_page_says_what_where_and_who(town: Town, li: Browser) -> None:
    alert = await spo2_alert(town)
    page = (await li.get(f"/alerts/{alert}?lang=en")).text
    for words in ("Low blood oxygen", "Flat 101", "wristband", "5 min ago", "told: Li Wei"):
        assert words in page
    assert "web inbox" in page
    assert "waiting to be sent" in page, "by the phone app"
    assert "grid member for Grid 1" in page


async def test_a_device_called_like_its_place_is_said_once(town: Town, li: Browser) -> None:
    await town.device("lane", "parking_bay", both("1号楼", "Building 1"), ["occupied"])
    alert = await town.alert("li", device_id=town.devices["lane"])
    other = await town.alert("li", device_id=town.devices["reader"])
    await town.conn.commit()
    pages = [(await li.get(f"/alerts/{each}?lang=en")).text for each in (alert, other)]
    assert ["<dt>Device</dt>" in page for page in pages] == [False, True]


async def test_the_readings_are_drawn_and_listed_with_their_unit(town: Town, li: Browser) -> None:
    alert = await spo2_alert(town)
    page = (await li.get(f"/alerts/{alert}?lang=en")).text
    chart = page.split('<svg class="chart"')[1].split("</svg>")[0]
    assert "5 readings" in chart
    assert "lowest 88.5 %, highest 97 %" in chart
    assert chart.count("<circle") == 5
    assert "10:36:00" in page, "02:36 UTC"
    assert "88.5 %" in page.split("<table>")[1]


async def test_events_are_listed_with_their_facts(town: Town, li: Browser) -> None:
    await town.happened("reader", ACCESS_DENIED, 4, {"credential": "<7>"})
    alert = await town.alert("li", devices=[town.devices["reader"]], metrics=[ACCESS_DENIED])
    await town.conn.commit()
    page = (await li.get(f"/alerts/{alert}?lang=en")).text
    assert "credential: &lt;7&gt;" in page
    assert "access denied" in page


async def test_an_alert_without_readings_says_so(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    assert "没有收到读数" in (await li.get(f"/alerts/{alert}")).text


async def test_opening_marks_it_read(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    assert "未读" in (await li.get("/")).text
    await li.get(f"/alerts/{alert}")
    assert "未读" not in (await li.get("/")).text
    read = b"SELECT channel, read_at FROM notifications ORDER BY channel DESC"
    rows = await (await town.conn.execute(read)).fetchall()
    assert rows == [("web", NOW), ("mqtt", None)]


async def test_each_look_at_care_is_audited(town: Town, li: Browser) -> None:
    care = await spo2_alert(town)
    other = await town.alert("li")
    await town.conn.commit()
    for alert in (care, other, care):
        await li.get(f"/alerts/{alert}")
    looks = b"SELECT member_id, alert_id, at FROM audit_log WHERE action = 'alert.viewed'"
    rows = await (await town.conn.execute(looks)).fetchall()
    assert rows == [(town.members["li"], care, NOW)] * 2


async def test_a_look_that_was_refused_is_no_look(town: Town, signed_in: SignedIn) -> None:
    alert = await spo2_alert(town)
    wang = await signed_in("wang")
    assert (await wang.get(f"/alerts/{alert}")).status_code == 404
    looks = b"SELECT count(*) FROM audit_log WHERE action = 'alert.viewed'"
    assert await town.value(looks) == 0


async def test_one_tap_takes_it(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    answer = await li.submit("/", f"/alerts/{alert}/acknowledge", to="/")
    assert answer.headers["location"] == "/?said=acknowledged"
    page = (await li.get(answer.headers["location"])).text
    assert "已登记由您处理" in page
    assert "李伟 已响应" in page
    history = (await li.get(f"/alerts/{alert}")).text.split("处理经过")[1]
    assert "开始处理" in history


DELIVERED: Mapping[str, object] = {"state": "delivered", "attempts": 1, "delivered_at": NOW}
NOBODY_HEARD = "the broker took it but no device listens"


@pytest.mark.parametrize(
    ("sending", "detail", "zh", "en"),
    [
        ({}, None, "待发送", "waiting to be sent"),
        ({"attempts": 2}, "busy", "发送失败 2 次", "failed 2 times"),
        (DELIVERED, "", "消息服务器已接收", "the broker took it"),
        (DELIVERED, NOBODY_SUBSCRIBED, "但设备未订阅", NOBODY_HEARD),
        ({"state": "rejected", "attempts": 1}, "0x87", "被拒收: 0x87", "rejected: 0x87"),
        ({"state": "dropped", "attempts": 1}, "overtaken", "已有更新的状态", "newer news"),
        ({"state": "dropped", "attempts": 1}, "expired", "等待过久", "waited too long"),
        ({"state": "dropped", "attempts": 1}, "device_gone", "设备已停用", "out of service"),
    ],
)
async def test_the_history_says_what_the_device_was_told_and_how_that_fared(  # noqa: PLR0917 - one case a row
    town: Town, li: Browser, sending: dict[str, object], detail: str | None, zh: str, en: str
) -> None:
    alert = await town.alert("li")
    told = await town.answered(alert, "ring", "acknowledged", **sending)
    if detail is not None:
        row = {"downlink_id": told, "at": NOW, "outcome": "tried", "detail": detail}
        await town.insert("downlink_attempts", **row)
    await town.conn.commit()
    for language, heading, words in (
        ("zh", "处理经过", ("回应设备", "王奶奶的手环", "有人前来", zh)),
        ("en", "History", ("Device answered", "wristband: help is coming", en)),
    ):
        page = (await li.get(f"/alerts/{alert}?lang={language}")).text
        history = page.split(heading)[1].split("</section>")[0]
        assert [word for word in words if word not in unescape(history)] == []
        assert (en == NOBODY_HEARD) == (NOBODY_HEARD in history) or language == "zh"


async def test_taking_it_twice_says_so(town: Town, li: Browser) -> None:
    alert = await town.alert("li", "zhao")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    for said in ("acknowledged", "already_yours"):
        answer = await li.submit(page, f"{page}/acknowledge", to=page)
        assert answer.headers["location"] == f"{page}?said={said}"
    assert "此预警已由您处理" in (await li.get(f"{page}?said=already_yours")).text


async def test_who_comes_second_is_told_who_has_it(town: Town, signed_in: SignedIn) -> None:
    alert = await town.alert("li", "zhao")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    for code in ("li", "zhao"):
        browser = await signed_in(code)
        answer = await browser.submit(page, f"{page}/acknowledge", to=page)
    text = (await browser.get(answer.headers["location"])).text
    assert "已有其他人在处理" in text
    assert "李伟 已响应" in text


async def test_taking_what_the_sensor_cleared_says_so(town: Town, li: Browser) -> None:
    alert = await town.alert("li", state="cleared", cleared_at=NOW)
    await town.conn.commit()
    page = f"/alerts/{alert}"
    answer = await li.submit(page, f"{page}/acknowledge", to=page)
    text = (await li.get(answer.headers["location"])).text
    assert "预警已自行解除，无需响应" in text
    assert await town.value(b"SELECT state FROM alerts") == "cleared"


@pytest.mark.parametrize("outcome", ["handled", "false_alarm", "duplicate", "handed_over"])
async def test_it_is_closed_with_what_was_found(town: Town, li: Browser, outcome: str) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    note = "厨房 <油烟>"
    answer = await li.submit(page, f"{page}/close", outcome=outcome, note=note)
    assert answer.headers["location"] == f"{page}?said=closed"
    row = await (await town.conn.execute("SELECT state, outcome, note FROM alerts")).fetchone()
    assert row == ("closed", outcome, note)
    text = (await li.get(page)).text
    assert "厨房 &lt;油烟&gt;" in text
    assert 'name="outcome"' not in text


async def test_a_false_alarm_without_a_reason_brings_the_form_back(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    answer = await li.submit(page, f"{page}/close", outcome="false_alarm", note="  ")
    assert answer.status_code == 422
    assert "误报须写明原因" in answer.text
    assert 'value="false_alarm" required checked' in answer.text
    assert await town.value(b"SELECT state FROM alerts") == "open"


async def test_closing_twice_says_so(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    await li.submit(page, f"{page}/close", outcome="handled")
    again = await li.submit(page, f"{page}/close", outcome="duplicate")
    assert "此前已有人办结" in (await li.get(again.headers["location"])).text
    assert await town.value(b"SELECT outcome FROM alerts") == "handled"


@pytest.mark.parametrize("form", ["acknowledge", "close"])
async def test_others_cannot_act(town: Town, signed_in: SignedIn, form: str) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    wang = await signed_in("wang")
    answer = await wang.submit("/", f"/alerts/{alert}/{form}", outcome="handled")
    assert answer.status_code == 404
    assert await town.value(b"SELECT state FROM alerts") == "open"


@pytest.mark.parametrize(
    "fields", [{}, {"outcome": "eaten"}, {"outcome": "handled", "note": "x" * 2001}]
)
async def test_nonsense_is_refused(town: Town, li: Browser, fields: dict[str, str]) -> None:
    alert = await town.alert("li")
    await town.conn.commit()
    page = f"/alerts/{alert}"
    assert (await li.submit(page, f"{page}/close", **fields)).status_code == 422
    assert await town.value(b"SELECT state FROM alerts") == "open"


@pytest.mark.parametrize("path", ["/alerts/999", "/alerts/x", "/alerts/99999999999999999999"])
async def test_there_is_no_such_alert(li: Browser, path: str) -> None:
    assert (await li.get(path)).status_code == 404


async def test_silence_is_shown_as_unknown(town: Town, li: Browser) -> None:
    alert = await town.alert("li", silent_since=NOW - timedelta(minutes=2))
    await town.conn.commit()
    for path in ("/", f"/alerts/{alert}"):
        assert "现状未知" in (await li.get(path)).text


async def test_the_rules_advice_is_shown_while_it_stands(town: Town, li: Browser) -> None:
    text = "- id: rule.1\n  advice: {zh: 先打电话给家属, en: Phone the family first}\n"
    await town.insert(
        "rules", code="rule.1", fingerprint="f", source="a", line=1, text=text, valid_from=NOW
    )
    alert = await town.alert("li")
    await town.conn.commit()
    assert "先打电话给家属" in (await li.get(f"/alerts/{alert}")).text
    await li.submit(f"/alerts/{alert}", f"/alerts/{alert}/close", outcome="handled")
    assert "先打电话给家属" not in (await li.get(f"/alerts/{alert}")).text


async def test_the_advice_is_that_of_when_it_was_opened(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    advice = Jsonb({"zh": "去301室", "en": "Go to flat 301"})
    await town.conn.execute("UPDATE alerts SET advice = %s WHERE id = %s", [advice, alert])
    await town.conn.commit()
    assert "去301室" in (await li.get(f"/alerts/{alert}")).text


async def test_the_history_tells_how_the_colour_changed(town: Town, li: Browser) -> None:
    alert = await town.alert("li")
    await town.insert(
        "alert_events",
        alert_id=alert,
        at=NOW,
        kind="severity_changed",
        reason="value_changed",
        detail=Jsonb({"from": "yellow", "to": "red"}),
    )
    await town.conn.commit()
    text = (await li.get(f"/alerts/{alert}")).text
    assert "预警级别变化" in text
    assert "黄色 → 红色" in text


@pytest.mark.parametrize("text", ["", "{", "[]", "id: a", "advice: none", "- 7"])
def test_a_rule_without_advice_gives_none(text: str) -> None:
    assert advice_of(text) == {}
