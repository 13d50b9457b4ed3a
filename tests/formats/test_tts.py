"""The Things Stack v3, by the published messages and the traps of its format."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.tts import decode
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TOPIC = "v3/app1@tenant1/devices/dev1/up"
IDS = {"device_id": "dev1", "dev_eui": "0004A30B001C0530"}
EUI = "0004a30b001c0530"


def up(**message: Any) -> dict[str, Any]:
    return {
        "end_device_ids": IDS,
        "received_at": "2020-02-12T15:15:46.014Z",
        "uplink_message": message,
    }


def about(event: str, message: Any = None, **more: Any) -> dict[str, Any]:
    return {"end_device_ids": IDS, event: message or {}} | more


def test_the_published_messages_have_their_published_meaning() -> None:
    said = [understood(decode, m["payload"], m["topic"]) for m in messages("tts_v3_messages")]
    join, ack, failed, push, old_join, uplink, *pushes, old_ack = said
    assert join["events"] == [
        {
            "device": EUI,
            "kind": "heartbeat",
            "value": 1.0,
            "time": "2020-02-17T07:49:09.736532+00:00",
            "attributes": {"event": "join"},
        }
    ]
    assert ack["events"][0]["attributes"] == {"event": "ack", "acknowledged": True}
    assert ack["events"][0]["time"] == "2020-02-17T10:32:24.590413+00:00"
    assert failed["rejected"].startswith("no_reading: downlink_failed")
    assert [one["rejected"] for one in (push, *pushes)] == ["no_reading: a command to a device"] * 3
    assert values(old_join) == values(old_ack) == {"heartbeat": 1.0}
    assert old_join["events"][0]["time"] is None
    assert uplink["rejected"].startswith("no_reading: a frame of 17 bytes on port 15")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, {"heartbeat": 1.0}),
        ({"f_port": 3, "rx_metadata": [{"rssi": -35}]}, {"heartbeat": 1.0, "rssi": -35.0}),
        ({"decoded_payload": {"BAT_V": 3.1, "flood": False}, "frm_payload": "vu8="},
         {"battery_voltage": 3.1, "water_leak": 0.0}),
        ({"decoded_payload": {"temperature": 1.0, "luminosity": 0.64}}, {"temperature": 1.0}),
        ({"normalized_payload": [{"air": {"temperature": 21.5, "relativeHumidity": 40}}]},
         {"temperature": 21.5, "humidity": 40.0}),
        ({"normalized_payload": [{"air": {"temperature": 21.5}}],
          "decoded_payload": {"temperature": 70.7, "battery": 90}},
         {"temperature": 21.5, "battery": 90.0}),
        ({"normalized_payload": [{"action": {"contactState": "open"}}, {"water": {"leak": True}}]},
         {"door_open": 1.0, "water_leak": 1.0}),
        ({"normalized_payload": [{"action": {"motion": {"detected": True}}}]}, {"motion": 1.0}),
        ({"normalized_payload": [{"soil": {"temperature": 9}}], "decoded_payload": {"hum": 5}},
         {"humidity": 5.0}),
    ],
)  # fmt: skip
def test_uplinks(message: dict[str, Any], expected: dict[str, float]) -> None:
    assert values(understood(decode, up(**message), TOPIC)) == expected


def test_a_normalized_message_repeats_one_measurement() -> None:
    given = about("uplink_normalized", {"normalized_payload": {"air": {"co2": 600}}, "f_port": 1})
    said = understood(decode, given, TOPIC + "/normalized")
    assert values(said) == {"co2_concentration": 600.0}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"settings": {"time": "2020-02-12T15:15:45Z"}, "received_at": "2020-02-12T15:15:47Z"}, 45),
        ({"settings": {"time": "yesterday"}, "received_at": "2020-02-12T15:15:47Z"}, 47),
        ({"settings": {}}, 46),
    ],
)
def test_the_time_is_the_gateways_or_the_next_that_is_told(
    message: dict[str, Any], expected: int
) -> None:
    said = understood(decode, up(**message), TOPIC)
    assert str(said["events"][0]["time"]).startswith(f"2020-02-12T15:15:{expected}")


def test_a_measurement_may_have_a_time_of_its_own() -> None:
    measured = [
        {"time": "2020-02-12T14:00:00Z", "air": {"temperature": 20.0}},
        {"time": "2020-02-12T15:00:00Z", "air": {"temperature": 21.0}},
    ]
    message = {"normalized_payload": measured, "decoded_payload": {"temperature": 21, "leak": 0}}
    said = understood(decode, up(**message), TOPIC)
    assert [(r["metric"], r["value"], str(r["time"])[11:16]) for r in said["readings"]] == [
        ("water_leak", 0.0, "15:15"),
        ("temperature", 20.0, "14:00"),
        ("temperature", 21.0, "15:00"),
    ]
    said = understood(
        decode, up(normalized_payload=measured, decoded_payload={"battery": 3.6}), TOPIC
    )
    assert [r["value"] for r in said["readings"]] == [20.0, 21.0]
    assert said["problems"] == ["bad_payload: 'battery' is 3.6: that may be % or volts"]


def test_what_is_wrong_beside_something_good_is_a_problem() -> None:
    measured = [
        {"air": {"temperature": 20.0, "co2": "much"}},
        {"air": {"temperature": 30.0}},
        {"air": {"temperature": 40.0}, "time": "14:00"},
    ]
    said = understood(decode, up(normalized_payload=measured), TOPIC)
    assert values(said) == {"temperature": 20.0}
    assert said["problems"] == [
        "bad_payload: 'air.co2' is 'much', not a number",
        "bad_payload: normalized_payload: a second air.temperature",
        "bad_payload: normalized_payload: time is '14:00'",
    ]


def test_a_device_without_a_dev_eui_is_its_id() -> None:
    given = up(decoded_payload={"leak": 1}) | {"end_device_ids": {"device_id": "dev1"}}
    assert understood(decode, given)["readings"][0]["device"] == "dev1"


def test_the_model_and_an_absent_port_of_a_frame() -> None:
    ids = {"brand_id": "netvox", "model_id": "r311a"}
    said = understood(decode, up(frm_payload="vu8=", version_ids=ids), TOPIC)
    assert said["rejected"] == ("bad_payload: unknown fPort 0; netvox/r311a sends on 6, 7")


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (TOPIC, "{", "bad_payload: payload is not JSON"),
        (TOPIC, "[]", "bad_payload: payload is []"),
        (TOPIC, "{}", "bad_payload: it holds 0 known events: []"),
        (TOPIC, about("join_accept", downlink_ack={}), "bad_payload: it holds 2 known events"),
        (TOPIC, about("uplink_message", 5), "bad_payload: uplink_message is 5, not a JSON"),
        (TOPIC, up(decoded_payload={"x": 1}), "no_reading: none of its decoded fields is known"),
        (TOPIC, up(frm_payload="vu8"), "bad_payload: frame is 'vu8', not base64"),
        (TOPIC, up(frm_payload="vu8=", f_port="1"), "bad_payload: port is '1'"),
        (TOPIC, up() | {"simulated": True}, "no_reading: a simulated message"),
        (TOPIC, up() | {"end_device_ids": {}}, "topic_mismatch: topic is of device 'dev1'"),
        (None, up() | {"end_device_ids": {}}, "bad_payload: end_device_ids has no dev_eui"),
        (None, up() | {"end_device_ids": {"device_id": "\0"}}, "bad_payload: end_device_ids has"),
        (None, up() | {"end_device_ids": {"dev_eui": "12"}}, "bad_payload: end_device_ids.dev_eui"),
        (TOPIC.replace("dev1", "dev2"), up(), "topic_mismatch: topic is of device 'dev2'"),
        (TOPIC, about("downlink_nack"), "no_reading: downlink_nack: no answer"),
        (TOPIC, about("downlink_sent"), "no_reading: downlink_sent"),
        (TOPIC, about("downlink_queued"), "no_reading: downlink_queued"),
        (TOPIC, about("location_solved"), "no_reading: location_solved"),
        (TOPIC, about("service_data"), "no_reading: service_data"),
        ("v3/app1@tenant1/devices/dev1/down/push", "", "no_reading: a command"),
        ("v3/app1@tenant1/devices/dev1/down/replace", up(), "no_reading: a command"),
    ],
)
def test_refused_with_a_reason(topic: str | None, payload: Any, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)


@pytest.mark.parametrize("depth", [40, 990, 1_000, 1_020, 100_000])
def test_deep_payloads_are_refused(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for payload in (deep, f'{{"deviceInfo": {deep}}}'):
        assert understood(decode, payload, TOPIC)["rejected"].startswith("bad_payload: payload is")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("air", "temperature", "time", "rssi", "action", "motion", "x")), inner
        )
    ),
    max_leaves=8,
)
FIELDS = ("decoded_payload", "normalized_payload", "frm_payload", "f_port", "rx_metadata")
DECODED = st.dictionaries(
    st.sampled_from(("battery", "Volt", "press", "sos", "door", "temperature", "timestamp")), JSON
)


def only_finite(topic: str, payload: bytes) -> None:
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "tts", topic), payload)
    except FormatError:
        return
    assert all(math.isfinite(value) for one in seen for value in one.values.values())


@given(st.text(), st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(topic: str, payload: bytes) -> None:
    only_finite(topic, payload)
    only_finite(TOPIC, payload)


@given(
    st.dictionaries(st.sampled_from((*FIELDS, "settings", "version_ids", "received_at")), JSON),
    st.dictionaries(st.sampled_from(("end_device_ids", "simulated", "received_at")), JSON),
    DECODED,
)
@settings(max_examples=200, deadline=None)
def test_any_change_is_read_or_refused(
    message: dict[str, Any], change: dict[str, Any], decoded: dict[str, Any]
) -> None:
    try:
        payload = orjson.dumps(up(**{"decoded_payload": decoded} | message) | change)
    except (TypeError, ValueError):
        return
    only_finite(TOPIC, payload)
