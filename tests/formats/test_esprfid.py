"""esp-rfid, by the published messages and the traps its README and firmware have."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.esprfid import decode
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

SEND = "/rfid/send"
AT = "2020-11-21T20:42:55+00:00"
LOST = (
    "no_reading: 'Disconnected from MQTT server': a past loss of connection; it is connected again"
)


def event(payload: object, topic: str = SEND) -> Any:
    said = understood(decode, payload, topic)
    assert "rejected" not in said, said
    assert said["readings"] == []
    (one,) = said["events"]
    return one


def test_the_published_messages_have_their_published_meaning() -> None:
    published = messages("esp_rfid_mqtt")
    said = [understood(decode, m["payload"], SEND) for m in published[:-1]]
    assert [one.get("rejected") or values(one) for one in said] == [
        {"heartbeat": 1.0},
        {"heartbeat": 1.0},
        # A difference: the published word stands for one of four, each of which is tested below.
        "bad_payload: 'access' is 'the access state', no access state of esp-rfid",
        {"access_denied": 1.0},
        # A difference: the same card was told by its access message; it is not counted twice.
        "no_reading: 'Unknown rfid tag is scanned': the access message of the same card tells it",
        {"door_open": 1.0},
        {"door_open": 0.0},
        {"doorbell": 1.0},
        {"door_forced": 1.0},
        {"door_held_open": 1.0},
        {"heartbeat": 1.0},
        LOST,
        {"heartbeat": 1.0},
        {"heartbeat": 1.0},
        {"heartbeat": 1.0},
        {"heartbeat": 1.0},
        {"heartbeat": 1.0},
    ]
    told = [(*one["readings"], *one["events"]) for one in said if "rejected" not in one]
    assert {one["device"] for (one,) in told} == {"your esp-rfid hostname"}
    assert [one["time"] for (one,) in told] == ["2020-11-21T19:33:32+00:00"] + [AT] * 13
    # A difference: the published card read has a comma before its brace and is no JSON.
    tag = understood(decode, published[-1]["payload"], "/rfid/tag")
    assert tag["rejected"].startswith("bad_payload: payload is not JSON")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Admin", "access_granted"),
        ("Always", "access_granted"),
        ("Disabled", "access_denied"),
        ("Expired", "access_denied"),
    ],
)
def test_the_published_access_of_a_known_card(word: str, kind: str) -> None:
    payload = messages("esp_rfid_mqtt")[2]["payload"].replace("the access state", word)
    one = event(payload)
    assert (one["kind"], one["time"]) == (kind, AT)
    assert one["attributes"] == {"reason": word, "credential": "token UID"}


def test_the_unknown_card_keeps_its_credential_and_no_name() -> None:
    one = event(messages("esp_rfid_mqtt")[3]["payload"])
    assert one["attributes"] == {"reason": "Denied", "credential": "token UID"}


def test_the_card_read_of_home_assistant_without_its_comma() -> None:
    payload = messages("esp_rfid_mqtt")[-1]["payload"]
    payload = payload.replace(",\n }", "\n }").replace("the access state", "Always")
    one = event(payload, "house/north/tag")
    assert (one["device"], one["kind"], one["time"]) == ("house/north", "access_granted", AT)
    assert one["attributes"] == {"reason": "Always", "credential": "token UID"}


@pytest.mark.parametrize(
    ("name", "by"), [("Button", "exit button"), ("MQTT", "remote command"), ("Ana", None)]
)
def test_an_opening_without_a_card(name: str, by: str | None) -> None:
    given = {"type": "access", "access": "Always", "username": name, "uid": " ", "hostname": "d"}
    expected = {"reason": "Always"} | ({"by": by} if by else {})
    assert event(given)["attributes"] == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1605991375, AT),
        (1_000_000_000, "2001-09-09T01:46:40+00:00"),
        (999_999_999, None),
        (37, None),
        (0, None),
        (-5, None),
        (True, None),
        ("1605991375", None),
        (1e300, None),
        (None, None),
    ],
)
def test_a_clock_that_was_never_set_tells_no_instant(time: Any, expected: str | None) -> None:
    assert event({"type": "heartbeat", "time": time, "hostname": "d"})["time"] == expected


@pytest.mark.parametrize(
    ("topic", "word", "expected"),
    [
        ("rfid/io/door", "ON", {"door_open": 1.0}),
        ("rfid/io/door", "OFF", {"door_open": 0.0}),
        ("rfid/io/doorbell", "ON", {"doorbell": 1.0}),
        ("rfid/io/tamper", "ON", {"tamper": 1.0}),
        ("rfid/io/tamper", "OFF", {"tamper": 0.0}),
        ("rfid/io/lock", "UNLOCKED", {"door_unlocked": 1.0}),
        ("gw/v1/c/ext/esprfid/rfid/io/lock2", "UNLOCKED", {"door_unlocked": 1.0}),
        ("rfid/avty", "online", {"heartbeat": 1.0}),
        ("/rfid/avty", "offline", {"heartbeat": 0.0}),
    ],
)
def test_words_of_home_assistant(topic: str, word: str, expected: dict[str, float]) -> None:
    said = understood(decode, word, topic)
    assert values(said) == expected
    assert (*said["readings"], *said["events"])[0]["device"] == "rfid"


def test_the_second_lock_is_named() -> None:
    assert event("UNLOCKED", "rfid/io/lock1")["attributes"] == {"lock": "1"}


def test_older_firmware_names_the_device_as_its_door() -> None:
    assert event({"type": "access", "access": "Always", "uid": "a1", "door": "east"})["device"] == (
        "east"
    )


def test_what_the_controller_says_of_itself_is_kept_beside_its_sign_of_life() -> None:
    one = event({"type": "WARN", "src": "sys", "desc": "Event log cleared!", "hostname": "d"})
    assert one["attributes"] == {"message": "Event log cleared!"}


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (SEND, "", "bad_payload: payload is not JSON"),
        (SEND, "[1]", "bad_payload: payload is [1], not a JSON object"),
        (SEND, "{}", "bad_payload: 'type' is None"),
        (SEND, '{"type": ["access"]}', "bad_payload: 'type' is ['access']"),
        (SEND, '{"type": "access", "access": "Open"}', "bad_payload: 'access' is 'Open'"),
        (SEND, '{"type": "access", "access": ["Always"]}', "bad_payload: 'access' is ['Always']"),
        (
            SEND,
            '{"type": "access", "access": "Always", "isKnown": "false"}',
            "bad_payload: 'access' is 'Always', but 'isKnown' is 'false'",
        ),
        (
            SEND,
            '{"type": "access", "access": "Always", "isKnown": "yes"}',
            "bad_payload: 'isKnown' is 'yes'",
        ),
        (SEND, '{"type": "INFO", "src": "door", "desc": "Door Ajar"}', "bad_payload: 'desc' is"),
        (SEND, '{"type": "INFO", "src": "cat", "desc": "Miaow"}', "bad_payload: 'desc' is"),
        (SEND, '{"type": "deletuid", "hostname": "d"}', "no_reading: an answer"),
        (SEND, '{"command": "userfile", "uid": "1"}', "no_reading: an answer"),
        ("rfid/cmd", '{"cmd": "opendoor"}', "no_reading: a command"),
        ("homeassistant/lock/d/config", "{}", "no_reading: an announcement"),
        ("rfid/io/door", "ajar", "bad_payload: 'door' is 'ajar'"),
        ("rfid/io/lock٣", "UNLOCKED", "bad_payload: 'lock٣' is 'unlocked'"),
        ("rfid/io/window", "ON", "bad_payload: 'window' is 'on'"),
        ("rfid/io/doorbell", "OFF", "no_reading: the bell rings no more"),
        ("rfid/io/lock", "LOCKED", "no_reading: the lock is shut"),
        ("rfid/avty", "away", "bad_payload: 'avty' is 'away'"),
        (SEND, '{"type": "access", "access": "Always", "uid": "\\u0000"}', "bad_payload: what it"),
        (
            SEND,
            orjson.dumps({"type": "access", "access": "Always", "uid": "7" * 5_000}).decode(),
            "bad_payload: what it says beside numbers takes 50",
        ),
    ],
)
def test_refused_with_a_reason(topic: str, payload: str, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["access", "boot", "INFO", "WARN"]) | _VALUE,
        "access": st.sampled_from(["Admin", "Denied"]) | _VALUE,
        "isKnown": st.sampled_from(["true", "false"]) | _VALUE,
        "src": st.sampled_from(["door", "sys", "tamper"]) | _VALUE,
        "desc": st.sampled_from(["Door Open", "Door was tampered!"]) | _VALUE,
        "uid": _VALUE,
        "username": _VALUE,
        "hostname": _VALUE,
        "time": _VALUE,
    },
)
_TOPIC = st.text() | st.sampled_from([SEND, "r/tag", "r/io/door", "r/io/lock1", "r/avty", "/", ""])


@given(_TOPIC, st.binary() | _MESSAGE)
@settings(max_examples=200, deadline=None)
def test_nothing_but_a_format_error_is_raised(topic: str, message: bytes | object) -> None:
    payload = message if isinstance(message, bytes) else dumped(message)
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "esprfid", topic), payload)
    except FormatError:
        return
    assert seen
    assert all(math.isfinite(value) for one in seen for value in one.values.values())


def dumped(message: object) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return repr(message).encode(errors="replace")
