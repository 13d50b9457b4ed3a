"""What a notification says, what it keeps to itself, and when it is tried again."""

from datetime import UTC
from uuid import UUID

import pytest

from alerts.backoff import LONGEST, next_attempt
from alerts.message import MQTT, WEB, Telling, body, message_id, occasion_of
from alerts.place import locate
from alerts.texts import Texts, texts_of
from devices.instant import SECOND
from devices.reading import Json
from rules.model import Severity, SubjectKind
from rules.transition import Subject, Transition
from tests.alerts.estate import CITY, EAST, FLAT, INVENTORY, NOW, press, transition


def texts(of: Transition) -> Texts:
    return texts_of(of, locate(of.subject, INVENTORY), [], UTC)


def said(of: Transition, channel: str) -> dict[str, Json]:
    place = locate(of.subject, INVENTORY)
    telling, message = Telling.of(of, of.severity, texts(of)), UUID(int=1)
    return body(telling, place, alert=17, message=message, channel=channel, occasion="opened")


def test_a_notification_says_what_where_since_when_and_where_to_look() -> None:
    assert said(transition(), WEB) == {
        "message_id": "00000000-0000-0000-0000-000000000001",
        "alert": 17,
        "occasion": "opened",
        "rule": "fire.smoke",
        "severity": "red",
        "category": "fire",
        "title": {"zh": "烟雾报警", "en": "Smoke"},
        "community": "sunshine",
        "place": {
            "zh": "阳光社区 · 东网格 · 1号楼",
            "en": "Sunshine · East grid · Building 1",
        },
        "subject": {"zh": "烟感", "en": "Smoke detector"},
        "since": "2025-11-21T02:40:00Z",
        "value": 1.0,
        "link": "/alerts/17",
    }


def test_the_inbox_names_the_home() -> None:
    assert said(press(), WEB)["place"] == {
        "zh": "阳光社区 · 东网格 · 1号楼 · 301室",
        "en": "Sunshine · East grid · Building 1 · Flat 301",
    }


def test_care_by_mqtt_says_neither_value_nor_home() -> None:
    message = said(press(), MQTT)
    assert "value" not in message
    assert "subject" not in message
    assert "301" not in str(message)
    assert message["link"] == "/alerts/17"


def test_other_categories_by_mqtt_do_say_the_value() -> None:
    assert said(transition(value=3.0), MQTT)["value"] == 3.0


def test_the_message_id_is_the_same_for_the_same_telling_only() -> None:
    opened = occasion_of(transition(), opens=True, again=False)
    again = occasion_of(transition(since=NOW + 1), opens=False, again=True)
    telling = Telling.of(transition(), Severity.RED, texts(transition()))
    ids = {
        message_id(telling, 1, opened, "wang", WEB),
        message_id(telling, 1, opened, "wang", MQTT),
        message_id(telling, 1, opened, "li", WEB),
        message_id(telling, 1, again, "wang", WEB),
        message_id(telling, 2, opened, "wang", WEB),
    }
    assert len(ids) == 5
    later = Telling.of(transition(at=NOW + 9), Severity.RED, texts(transition()))
    assert message_id(later, 1, opened, "wang", WEB) in ids


@pytest.mark.parametrize(
    ("subject", "path", "community", "words"),
    [
        (Subject(SubjectKind.HOUSEHOLD, FLAT), (5, 3, 2, 1), "sunshine", "东网格 · 1号楼"),
        (Subject(SubjectKind.AREA, EAST), (3, 2, 1), "sunshine", "阳光社区 · 东网格"),
        (Subject(SubjectKind.AREA, CITY), (1,), "daqing", "大庆"),
    ],
)
def test_places_of_households_and_areas(
    subject: Subject, path: tuple[int, ...], community: str, words: str
) -> None:
    place = locate(subject, INVENTORY)
    assert (place.path, place.community) == (path, community)
    assert place.areas["zh"].endswith(words)


@pytest.mark.parametrize(
    ("attempts", "jitter", "seconds"),
    [(1, 0.0, 1), (2, 0.0, 2), (5, 0.0, 16), (9, 0.0, 256), (10, 0.0, 300), (999, 0.0, 300),
     (1, 0.5, 0.75), (999, 0.5, 225)],
)  # fmt: skip
def test_the_wait_doubles_to_five_minutes(attempts: int, jitter: float, seconds: float) -> None:
    assert next_attempt(attempts, NOW, jitter) == NOW + round(seconds * SECOND)
    assert next_attempt(attempts, NOW, 0.999) > NOW
    assert next_attempt(attempts, NOW, 0.0) <= NOW + LONGEST
