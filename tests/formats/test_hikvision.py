"""Hikvision, by the published message and by the lists of its vendor's event codes."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats import hikvision
from devices.formats.hikvision import decode
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TIME = "2026-02-23T19:34:21+08:00"


def pushed(minor: Any, major: Any = 5, **event: Any) -> dict[str, Any]:
    inner = {"majorEventType": major, "subEventType": minor, "doorNo": 1, "serialNo": 7} | event
    return {
        "ipAddress": "192.0.2.5",
        "macAddress": "aa:bb",
        "dateTime": TIME,
        "eventType": "AccessControllerEvent",
        "eventState": "active",
        "AccessControllerEvent": inner,
    }


def record(minor: Any, major: Any = 5, **event: Any) -> dict[str, Any]:
    return {"major": major, "minor": minor, "time": TIME, "doorNo": 1} | event


def test_the_published_message_has_its_published_meaning() -> None:
    said = [understood(decode, m["payload"], m["topic"]) for m in messages("hikvision_access")]
    assert said == [
        {
            "readings": [],
            "events": [
                {
                    "device": None,
                    "kind": "door_unlocked",
                    "value": 1.0,
                    "time": "2023-03-18T17:37:54+00:00",
                    "attributes": {"door": 1},
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("major", "minor", "expected"),
    [
        (5, 0x01, {"access_granted": 1.0}),
        (5, 0x26, {"access_granted": 1.0}),
        (5, 0x4B, {"access_granted": 1.0}),
        (5, 0x06, {"access_denied": 1.0}),
        (5, 0x08, {"access_denied": 1.0}),
        (5, 0x09, {"access_denied": 1.0}),
        (5, 0x27, {"access_denied": 1.0}),
        (5, 0x4C, {"access_denied": 1.0}),
        (5, 0x15, {"door_unlocked": 1.0}),
        (5, 0x17, {"button": 1.0}),
        (5, 0x19, {"door_open": 1.0}),
        (5, 0x1A, {"door_open": 0.0}),
        (5, 0x1B, {"door_forced": 1.0, "door_open": 1.0}),
        (5, 0x1C, {"door_held_open": 1.0, "door_open": 1.0}),
        (5, 0x25, {"doorbell": 1.0}),
        (1, 0x404, {"tamper": 1.0}),
        (1, 0x405, {"tamper": 0.0}),
        (1, 0x40A, {"sos": 1.0}),
        (1, 0x41C, {"sos": 1.0}),
        (2, 0x400, {"heartbeat": 1.0}),
        (2, 0x403, {"battery_low": 1.0}),
        (2, 0x404, {"battery_low": 0.0}),
    ],
)
def test_codes(major: int, minor: int, expected: dict[str, float]) -> None:
    assert values(understood(decode, pushed(minor, major))) == expected
    assert values(understood(decode, record(minor, major, macAddress="m"))) == expected


def test_no_code_has_two_meanings_and_all_metrics_are_known() -> None:
    tables = [hikvision._DOOR, hikvision._CONTROLLER, hikvision._READER]
    codes = [(5, minor) for minor in [*hikvision._GRANTED, *hikvision._DENIED]]
    codes += [code for table in tables for code in table] + list(hikvision._UNTOLD)
    assert len(codes) == len(set(codes))
    assert {name for table in tables for row in table.values() for name in row} <= set(BY_NAME)


def test_a_card_is_kept_and_its_holder_is_not() -> None:
    person = {"name": "Ana", "employeeNoString": "12", "currentVerifyMode": "cardOrFace"}
    (one,) = understood(decode, pushed(1, cardNo="1953862610", **person))["events"]
    assert one["device"] == "aa:bb/1"
    assert one["time"] == "2026-02-23T11:34:21+00:00"
    assert one["attributes"] == {"credential": "1953862610", "reason": "card"}
    (one,) = understood(decode, pushed(0x08, cardNo="1953862610", **person))["events"]
    assert one["attributes"] == {"credential": "1953862610", "reason": "card expired"}
    (one,) = understood(decode, pushed(0x01, cardNo=1953862610))["events"]
    assert one["attributes"]["credential"] == "1953862610"
    (one,) = understood(decode, pushed(0x4B, cardNo="", **person))["events"]
    assert one["attributes"] == {"reason": "face"}


@pytest.mark.parametrize(
    ("message", "device"),
    [
        (record(0x15), None),
        (record(0x15, macAddress="aa:bb"), "aa:bb/1"),
        (record(0x15, deviceName="North gate"), "North gate/1"),
        (record(0x15, deviceName="Access Controller"), None),
        (record(0x15, macAddress="aa:bb", doorNo=0), "aa:bb"),
        (record(0x15, macAddress="aa:bb", doorNo="2"), "aa:bb/2"),
        (record(0x404, 1, macAddress="aa:bb"), "aa:bb"),
        (record(0x406, 1, macAddress="aa:bb", cardReaderNo=2), "aa:bb/reader2"),
        ({"topic": "gate", "payload": record(0x15), "connected": True}, "gate/1"),
        ({"EventNotificationAlert": pushed(0x15)}, "aa:bb/1"),
    ],
)
def test_the_device_is_a_door_of_a_controller(message: Any, device: str | None) -> None:
    said = understood(decode, message)
    assert "rejected" not in said, said
    assert (*said["readings"], *said["events"])[0]["device"] == device


def test_a_state_of_an_unnamed_controller_keeps_its_door_beside_it() -> None:
    said = understood(decode, record(0x19, doorNo=2))
    assert values(said) == {"door_open": 1.0, "attributes": 1.0}
    assert said["events"][0]["attributes"] == {"door": 2}


def test_a_lost_controller() -> None:
    said = understood(decode, {"topic": "gate", "payload": None, "connected": False})
    assert (said["events"][0]["device"], values(said)) == ("gate", {"heartbeat": 0.0})


def test_a_local_time_is_no_instant() -> None:
    said = understood(decode, record(0x19, time="2023-03-18T18:37:54"))
    assert said["readings"][0]["time"] is None


def test_the_events_of_a_search() -> None:
    info = [record(1, macAddress="m"), record(0x999, macAddress="m"), 3, record(0x19, doorNo=2)]
    said = understood(decode, {"AcsEvent": {"searchID": "1", "InfoList": info}})
    assert values(said) == {"access_granted": 1.0, "door_open": 1.0, "attributes": 1.0}
    assert said["problems"] == [
        "bad_payload: major 5 minor 2457 (0x999) is no known event of an access controller",
        "bad_payload: an event in 'InfoList' is 3, not an object",
    ]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("<EventNotificationAlert/>", "bad_payload: payload is not JSON"),
        ([], "bad_payload: payload is []"),
        ({}, "bad_payload: 'major' is None"),
        (record(True), "bad_payload: 'minor' is True"),
        (record(1.0), "bad_payload: 'minor' is 1.0"),
        (record(10**18), "bad_payload: 'minor' is 1000000000000000000"),
        (record(2, 9), "bad_payload: major 9 minor 2 (0x2) is no known event"),
        (record(0x97), "bad_payload: major 5 minor 151 (0x97) is no known event"),
        (record(0x408, 1), "bad_payload: major 1 minor 1032 (0x408) is no known event"),
        (record(0x400, 3), "bad_payload: major 3 minor 1024 (0x400) is no known event"),
        (record(0x16), "no_reading: major 5 minor 22 (0x16): the lock shut"),
        (record(0x18), "no_reading: major 5 minor 24 (0x18): the exit button was released"),
        (record(0x406, 1, macAddress="m"), "bad_payload: 'cardReaderNo' is None"),
        (pushed(1) | {"AccessControllerEvent": 1}, "bad_payload: 'majorEventType' is None"),
        ({"eventType": "videoloss"}, "bad_payload: 'eventType' is 'videoloss'"),
        ({"payload": "hello", "connected": True}, "bad_payload: 'payload' is 'hello'"),
        ({"payload": None, "connected": False, "topic": ""}, "bad_payload: 'payload' is None"),
        ({"AcsEvent": {"InfoList": []}}, "no_reading: 'InfoList' is empty"),
        ({"AcsEvent": {}}, "bad_payload: 'InfoList' is None"),
        ({"AcsEvent": {"InfoList": [1] * 1_001}}, "bad_payload: 'InfoList' has 1001 events"),
        (
            pushed(1, currentEvent=False) | {"dateTime": "2026-02-23T19:34:21"},
            "bad_payload: major 5 minor 1 (0x1) is of the past, but has no time",
        ),
    ],
)
def test_refused_with_a_reason(message: Any, reason: str) -> None:
    assert understood(decode, message)["rejected"].startswith(reason)


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [
        *("major", "minor", "majorEventType", "subEventType", "time", "dateTime", "doorNo"),
        *("cardNo", "cardReaderNo", "macAddress", "deviceName", "payload", "topic", "AcsEvent"),
        "currentEvent",
    ]
)
_BASE = st.builds(pushed, st.integers(0, 0x70)) | st.builds(
    record, st.integers(0, 0x70) | st.integers(0x400, 0x425), st.integers(0, 6)
)
_WHOLE = st.builds(lambda base, other: base | other, _BASE, st.dictionaries(_NAMES, _VALUE))


@given(st.binary() | _WHOLE)
@settings(max_examples=200, deadline=None)
def test_nothing_but_a_format_error_is_raised(message: bytes | object) -> None:
    payload = message if isinstance(message, bytes) else dumped(message)
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "hikvision", ""), payload)
    except FormatError:
        return
    assert seen
    assert all(math.isfinite(value) for one in seen for value in one.values.values())


def dumped(message: object) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return repr(message).encode(errors="replace")
