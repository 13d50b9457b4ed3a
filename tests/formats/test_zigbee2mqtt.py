"""zigbee2mqtt, by the published messages and the traps its README names."""

import pytest

from devices.formats.zigbee2mqtt import decode
from tests.formats.published import messages
from tests.formats.said import understood, values

NAME = "zigbee2mqtt/FRIENDLY_NAME"


def test_the_published_messages_have_their_published_meaning() -> None:
    said = [
        understood(decode, m["payload"], m["topic"])
        for m in messages("zigbee2mqtt")
        if m["payload"] is not None
    ]
    assert [values(one) for one in said[:5]] == [
        {"temperature": 27.34, "humidity": 44.72},
        {"button": 1.0},
        {"motion": 1.0},
        {"heartbeat": 1.0},
        {"heartbeat": 0.0},
    ]
    assert said[1]["events"][0]["attributes"] == {"action": "single"}
    assert said[3]["events"][0]["device"] == "zigbee2mqtt"
    assert {one["rejected"] for one in said[5:]} == {
        "no_reading: a message of the bridge about itself"
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"contact": True}, {"door_open": 0.0}),
        ({"contact": False, "tamper": "false"}, {"door_open": 1.0, "tamper": 0.0}),
        ({"action": "emergency", "battery": "87"}, {"sos": 1.0, "battery": 87.0}),
        ({"voltage": 2900, "battery": 40}, {"battery_voltage": 2.9, "battery": 40.0}),
        ({"voltage": 229, "power": 12.5}, {"voltage": 229.0, "power": 12.5}),
        ({"state": "OFF"}, {"switched_on": 0.0}),
        ({"smoke": True, "linkquality": 80}, {"smoke": 1.0}),
        ({"temperature": None, "humidity": 0}, {"humidity": 0.0}),
    ],
)
def test_fields(given: object, expected: dict[str, float]) -> None:
    assert values(understood(decode, given, NAME)) == expected


def test_the_device_is_the_friendly_name() -> None:
    said = understood(decode, {"occupancy": False}, "gw/v1/c/ext/zigbee2mqtt/home/hall/ceiling")
    assert said["readings"][0]["device"] == "hall/ceiling"
    said = understood(decode, '{"state": "offline"}', "zigbee2mqtt/hall/availability")
    assert (said["events"][0]["device"], said["events"][0]["value"]) == ("hall", 0.0)


def test_a_field_that_cannot_be_read_does_not_spoil_the_others() -> None:
    said = understood(decode, {"battery": "low", "smoke": True, "temperature": 999}, NAME)
    assert values(said) == {"smoke": 1.0}
    assert said["problems"] == [
        "bad_payload: 'battery' is 'low', not a number",
        "out_of_range: temperature 999 is outside -60 to 100 Cel",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (NAME, "{", "bad_payload: payload is not JSON"),
        (NAME, "[]", "bad_payload: payload is []"),
        (NAME, "[" * 1_000 + "]" * 1_000, "bad_payload: payload is a value nested too"),
        (NAME, "{}", "no_reading: nothing in it is a known metric"),
        (NAME, '{"battery": "low"}', "bad_payload: 'battery' is 'low'"),
        (NAME + "/set", '{"state": "ON"}', "no_reading: a command"),
        (NAME + "/availability", "perhaps", "bad_payload: availability is 'perhaps'"),
        (None, '{"battery": 1}', "bad_payload: topic '' names no device"),
        (NAME, '{"battery": 1e999}', "bad_payload"),
        (NAME, '{"battery": 12345678901234567890123}', "out_of_range: battery 1.23457e+22"),
    ],
)
def test_refused_with_a_reason(topic: str | None, payload: str, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)
