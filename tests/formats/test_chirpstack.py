"""ChirpStack v4, by the published events and the traps of its schema."""

import base64
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.chirpstack import decode
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

EUI = "a84041000181c061"
TOPIC = f"application/7/device/{EUI}/event/"
INFO = {"devEui": EUI.upper(), "tags": {"model": "netvox/r311a"}}


def up(**fields: Any) -> dict[str, Any]:
    return {"time": "2022-07-18T09:34:15.775023242+00:00", "deviceInfo": INFO} | fields


def test_the_published_events_have_their_published_meaning() -> None:
    said = {
        m["topic"].rpartition("/")[2]: understood(decode, m["payload"], m["topic"])
        for m in messages("chirpstack_v4_events")
    }
    assert said["up"] == {
        "rejected": "no_reading: a frame of 1 bytes on port 1 that the network server did not"
        " decode, of a model that it does not tell"
    }
    assert said["status"]["readings"] == [
        {
            "device": "0101010101010101",
            "metric": "battery",
            "value": 88.3,
            "unit": "%",
            "time": "2022-07-18T09:35:06.927172+00:00",
        }
    ]
    assert values(said["join"]) == values(said["ack"]) == {"heartbeat": 1.0}
    assert said["join"]["events"][0]["attributes"] == {"event": "join"}
    assert said["ack"]["events"][0]["attributes"] == {"event": "ack", "acknowledged": True}
    for event in ("txack", "log", "location", "integration"):
        assert said[event]["rejected"].startswith(f"no_reading: {event}: ")


def test_an_object_its_device_time_and_best_gateway() -> None:
    said = understood(
        decode,
        up(object={"temperature": 21.5}, rxInfo=[{"rssi": -97}, {"rssi": -36}, {"snr": 1}, 5]),
        TOPIC + "up",
    )
    assert values(said) == {"temperature": 21.5, "rssi": -36.0}
    assert {r["device"] for r in said["readings"]} == {EUI}
    assert {r["time"] for r in said["readings"]} == {"2022-07-18T09:34:15.775023+00:00"}


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("up", {}, {"heartbeat": 1.0}),
        ("up", {"data": "", "object": None, "fPort": 1}, {"heartbeat": 1.0}),
        ("up", {"rxInfo": [{"rssi": -80}]}, {"heartbeat": 1.0, "rssi": -80.0}),
        ("up", {"object": {"sos": False}}, {"heartbeat": 1.0}),
        ("up", {"object": {"leak": 1}, "data": "qg=="}, {"water_leak": 1.0}),
        ("status", {"batteryLevel": 0.5}, {"battery": 0.5}),
        ("status", {"batteryLevel": 0, "externalPowerSource": True}, {"heartbeat": 1.0}),
        ("status", {"batteryLevel": 0, "batteryLevelUnavailable": True}, {"heartbeat": 1.0}),
        ("status", {"margin": 10}, {"heartbeat": 1.0}),
    ],
)
def test_events(event: str, fields: dict[str, Any], expected: dict[str, float]) -> None:
    assert values(understood(decode, up(**fields), TOPIC + event)) == expected


def test_a_button_is_an_occurrence_with_how_it_was_pressed() -> None:
    said = understood(decode, up(object={"press": "long", "battery": 90}), TOPIC + "up")
    assert values(said) == {"button": 1.0, "battery": 90.0}
    assert said["events"][0]["attributes"] == {"press": "long"}


def test_a_device_on_external_power_says_so() -> None:
    said = understood(decode, up(externalPowerSource=True), TOPIC + "status")
    assert said["events"][0]["attributes"] == {"event": "status", "externalPowerSource": True}


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        ("up", "{", "bad_payload: payload is not JSON"),
        ("up", "[]", "bad_payload: payload is []"),
        ("up", "", "bad_payload"),
        ("up", b"\x0a\x24\xff", "bad_payload: payload is not JSON"),
        ("up", {}, "bad_payload: deviceInfo.devEui is None, not 16 hex"),
        ("up", {"deviceInfo": {"devEui": "xyz"}}, "bad_payload: deviceInfo.devEui is 'xyz'"),
        ("up", {"deviceInfo": {"devEui": "0" * 16}}, "topic_mismatch: topic is of device"),
        ("up", up(data="aGk=", fPort=2), "bad_payload: unknown fPort 2; netvox/r311a sends on"),
        ("up", up(data="aGk="), "bad_payload: unknown fPort 0; netvox/r311a sends on"),
        ("up", up(data="?"), "bad_payload: frame is '?', not base64"),
        ("up", up(data="é"), "bad_payload: frame is 'é', not base64"),
        ("up", up(data="A" * 600), "bad_payload: frame is a text of 600"),
        ("up", up(data=7), "bad_payload: frame is 7, not a base64 text"),
        ("up", up(data="aGk=", fPort=256), "bad_payload: port is 256"),
        ("up", up(data="aGk=", fPort=True), "bad_payload: port is True"),
        ("up", up(object={"status": 1}), "no_reading: none of its decoded fields is known"),
        ("up", up(object={"battery": 3.6}), "bad_payload: 'battery' is 3.6: that may be % or"),
        ("status", up(batteryLevel="full"), "bad_payload: 'batteryLevel' is 'full'"),
        ("ack", up(acknowledged=False), "no_reading: ack: the device did not acknowledge"),
        ("ack", up(), "no_reading: ack: the device did not acknowledge"),
        ("later", up(), "bad_payload: event 'later' is not known"),
    ],
)
def test_refused_with_a_reason(event: str, payload: Any, reason: str) -> None:
    assert understood(decode, payload, TOPIC + event)["rejected"].startswith(reason)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (None, "bad_payload: topic '' names no event"),
        (f"application/7/device/{EUI}/command/down", "no_reading: a command"),
        ("up", "bad_payload: topic 'up' names no event"),
    ],
)
def test_topics_refused_with_a_reason(topic: str | None, reason: str) -> None:
    assert understood(decode, up(), topic)["rejected"].startswith(reason)


def test_a_time_without_an_offset_is_none() -> None:
    said = understood(decode, up(time="2022-07-18T09:34:15", object={"leak": 0}), TOPIC + "up")
    assert said["readings"][0]["time"] is None


def test_the_model_goes_with_the_frame() -> None:
    frame = bytes([1, 2, 1, 30, 1, 0, 0, 0, 0, 0, 0])  # published for the R311A, a door contact
    data = base64.b64encode(frame).decode()
    said = understood(decode, up(data=data, fPort=6), TOPIC + "up")
    assert values(said) == {"door_open": 1.0, "battery_voltage": 3.0, "battery_low": 0.0}


@pytest.mark.parametrize("depth", [40, 990, 1_000, 1_020, 100_000])
def test_deep_payloads_are_refused(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for payload in (deep, f'{{"deviceInfo": {deep}}}'):
        assert understood(decode, payload, TOPIC + "up")["rejected"].startswith(
            "bad_payload: payload is"
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = ("deviceInfo", "time", "object", "data", "fPort", "rxInfo", "batteryLevel")
DECODED = st.dictionaries(
    st.sampled_from(("battery", "Volt", "press", "sos", "door", "motion", "WaterLeak_1")), JSON
)


def only_finite(topic: str, payload: bytes) -> None:
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "chirpstack", topic), payload)
    except FormatError:
        return
    assert all(math.isfinite(value) for one in seen for value in one.values.values())


@given(st.text(), st.sampled_from(("up", "status", "ack")), st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(topic: str, event: str, payload: bytes) -> None:
    only_finite(topic, payload)
    only_finite(TOPIC + event, payload)


@given(
    st.sampled_from(("up", "status", "ack", "join")),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    DECODED,
)
@settings(max_examples=200, deadline=None)
def test_any_change_is_read_or_refused(
    event: str, change: dict[str, Any], decoded: dict[str, Any]
) -> None:
    message = up(object=decoded, rxInfo=[{"rssi": -36}]) | change
    try:
        payload = orjson.dumps(message)
    except (TypeError, ValueError):
        return
    only_finite(TOPIC + event, payload)
