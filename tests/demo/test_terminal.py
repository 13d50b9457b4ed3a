"""The view shows every figure, in both languages, with a word and an icon beside each colour."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from gridwarden.demo_books import AlertLine, Books
from gridwarden.demo_view import View
from gridwarden.latency import Percentiles
from gridwarden.settlement import Ledger
from gridwarden.terminal import COLOURS, Picture, panel

AT = datetime(2026, 3, 1, 1, 2, 3, tzinfo=UTC)


def alert(number: int, severity: str = "red", who: str = "Wang Fang") -> AlertLine:
    return AlertLine(number, severity, f"SOS {number}", "Flat 102", who, "open", AT)


def picture(*alerts: AlertLine, language: str = "en") -> Picture:
    books = Books(
        ledger=Ledger(120, 100, 15, 5),
        readings=90,
        events=17,
        rejects={"bad_payload": 5},
        alerts=alerts,
        alert_count=len(alerts),
        standing=1,
        notified={"web": 3},
    )
    return Picture(
        address="http://127.0.0.1:8080",
        members=("wang-fang",),
        password="demo-password",
        now=AT.astimezone(ZoneInfo("Asia/Shanghai")),
        day=0.4,
        speed=240,
        accepted=121,
        in_flight=1,
        books=books,
        latency=Percentiles(3, 0.0512, 0.1234),
        incidents={"found": 2, "standing": 1, "missed": 1},
        note="",
        language=language,
    )


def rendered(shown: Picture) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(panel(shown))
    return out.getvalue()


def test_every_figure_is_on_the_panel() -> None:
    text = rendered(picture(alert(1)))
    for part in (
        "http://127.0.0.1:8080",
        "wang-fang",
        "demo-password",
        "2026-03-01 09:02:03 × 240",
        "received 120 = stored 100 + duplicate 15 + rejected 5",
        "balanced",
        "in flight 1",
        "90 / 17",
        "bad_payload 5",
        "web 3",
        "p50 51 ms  p99 123 ms  (n=3)",
        "planted incidents 4",
        "found 3",
        "missed 1",
        "▲ RED",
        "SOS 1",
        "Flat 102",
        "→ Wang Fang",
    ):
        assert part in text, part


def test_a_ledger_that_does_not_balance_is_shouted() -> None:
    shown = picture()
    books = replace(shown.books, ledger=Ledger(120, 100, 15, 4))
    assert "NOT BALANCED" in rendered(replace(shown, books=books))


@pytest.mark.parametrize("severity", COLOURS)
def test_each_colour_has_its_word_and_icon_in_both_languages(severity: str) -> None:
    _, icon, zh, en = COLOURS[severity]
    assert f"{icon} {zh}" in rendered(picture(alert(1, severity), language="zh"))
    assert f"{icon} {en}" in rendered(picture(alert(1, severity)))


def test_an_alert_that_nobody_answers_for_says_so() -> None:
    assert "→ nobody" in rendered(picture(alert(1, who="")))


def test_plain_lines_tell_each_new_alert_once() -> None:
    out = io.StringIO()
    with View(Console(file=out, width=40), plain=True) as view:
        view.show(picture(alert(1)))
        view.show(picture(alert(2), alert(1)))
        view.show(picture(alert(2), alert(1)))
    text = out.getvalue()
    assert text.count("SOS 2") == 1
    assert "SOS 1" not in text
    assert text.count("http://127.0.0.1:8080") == 1
