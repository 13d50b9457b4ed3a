"""Home Assistant discovery, by examples of our own after the public documentation.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.homeassistant import decode
from devices.topic import Direction, UpTopic
from tests.formats.said import understood

TOPIC = "homeassistant/binary_sensor/garden/door/config"
LONG = {
    "name": "Door",
    "device_class": "door",
    "state_topic": "garden/door/state",
    "unique_id": "d-1",
    "value_template": "{{ value_json.contact }}",
    "device": {
        "identifiers": ["0x00158d00", "second"],
        "name": "Garden door",
        "manufacturer": "Aqara",
        "model": "MCCGQ11LM",
    },
}
SHORT = {
    "~": "garden/door",
    "name": "Door",
    "dev_cla": "door",
    "stat_t": "~/state",
    "uniq_id": "d-1",
    "val_tpl": "{{ value_json.contact }}",
    "dev": {
        "ids": "0x00158d00",
        "name": "Garden door",
        "mf": "Aqara",
        "mdl": "MCCGQ11LM",
    },
}
ANNOUNCED = {
    "event": "announced",
    "component": "binary_sensor",
    "device_class": "door",
    "name": "Door",
    "manufacturer": "Aqara",
    "model": "MCCGQ11LM",
    "state_topic": "garden/door/state",
}


@pytest.mark.parametrize("config", [LONG, SHORT])
def test_an_announcement_in_long_and_in_short(config: object) -> None:
    said = understood(decode, config, TOPIC)
    assert said["readings"] == []
    assert said["events"] == [
        {
            "device": "0x00158d00",
            "kind": "attributes",
            "value": 1.0,
            "time": None,
            "attributes": ANNOUNCED,
        }
    ]


@pytest.mark.parametrize(
    ("topic", "config", "device"),
    [
        ("homeassistant/sensor/t1/config", {"stat_t": "a/b"}, "t1"),
        ("homeassistant/sensor/t1/config", {"stat_t": "a/b", "uniq_id": "u1"}, "u1"),
        ("homeassistant/sensor/t1/config", {"stat_t": "a/b", "dev": {"ids": []}}, "t1"),
        ("homeassistant/sensor/t1/config", {"stat_t": "a/b", "dev": {"ids": [7]}}, "t1"),
        ("homeassistant/sensor/node/t1/config", {"stat_t": "a/b"}, "t1"),
        ("home/assistant/sensor/t1/config", {"stat_t": "a/b"}, "t1"),
        ("home/assistant/sensor/node/t1/config", {"stat_t": "a/b"}, "t1"),
        ("gw/v1/c/ext/homeassistant/ha/event/bell/config", {"stat_t": "a/b"}, "bell"),
        ("ha/device_tracker/tag/config", {"json_attr_t": "a/b"}, "tag"),
    ],
)
def test_the_device_is_its_first_identifier(topic: str, config: object, device: str) -> None:
    said = understood(decode, config, topic)
    assert [e["device"] for e in said["events"]] == [device]


def test_the_unit_and_both_places_of_the_base_topic() -> None:
    config = {"~": "base", "stat_t": "x/~", "unit_of_meas": "°C", "dev": {"name": "Pool"}}
    told = understood(decode, config, "ha/sensor/pool/config")["events"][0]["attributes"]
    assert told == {
        "event": "announced",
        "component": "sensor",
        "unit": "°C",
        "name": "Pool",
        "state_topic": "x/base",
    }


def test_long_texts_are_cut() -> None:
    config = {"stat_t": "a/b", "name": "n" * 100_000}
    told = understood(decode, config, "ha/sensor/pool/config")["events"][0]["attributes"]
    assert told["name"] == "n" * 256


def test_all_components_of_a_device_at_once() -> None:
    config = {
        "dev": {"ids": "ea334450945afc", "name": "Kitchen", "mf": "Bla electronics"},
        "o": {"name": "bla2mqtt"},
        "cmps": {
            "t": {"p": "sensor", "dev_cla": "temperature", "unit_of_meas": "°C", "uniq_id": "t"},
            "h": {"platform": "sensor", "device_class": "humidity", "state_topic": "own/h"},
            "l": {"p": "light", "cmd_t": "x"},
            "b": {"p": "device_automation", "automation_type": "trigger"},
            "gone": {"p": "sensor"},
            "odd": {"p": "oracle", "stat_t": "x"},
            "none": 7,
        },
        "stat_t": "sensorBedroom/state",
    }
    said = understood(decode, config, "homeassistant/device/0AFFD2/config")
    assert [
        (e["device"], e["attributes"]["device_class"], e["attributes"]["state_topic"])
        for e in said["events"]
    ] == [
        ("ea334450945afc", "temperature", "sensorBedroom/state"),
        ("ea334450945afc", "humidity", "own/h"),
    ]
    assert said["problems"] == [
        "bad_payload: component 'odd': platform 'oracle' is not known",
        "bad_payload: component 'none' is 7, not an object",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (TOPIC, "", "no_reading: binary_sensor 'door' is removed"),
        ("homeassistant/light/x/config", "{}", "no_reading: a light measures nothing"),
        ("homeassistant/climate/x/config", "no JSON", "no_reading: a climate measures nothing"),
        ("homeassistant/device_automation/x/y/config", "{}", "no_reading: a device_automation"),
        ("homeassistant/oracle/x/config", "{}", "bad_payload: component 'oracle' is not known"),
        ("homeassistant/status", "online", "no_reading: the birth or last will"),
        ("garden/door/state", "ON", "no_reading: a state cannot be understood"),
        ("", "{}", "no_reading: a state cannot be understood"),
        ("sensor/x/config", "{}", "bad_payload: topic 'sensor/x/config' is not {prefix}"),
        ("ha/sensor//config", "{}", "bad_payload: topic 'ha/sensor//config'"),
        (TOPIC, "[]", "bad_payload: payload is [], not a JSON object"),
        (TOPIC, "[" * 1000 + "]" * 1000, "bad_payload: payload is a"),
        (TOPIC, '{"name": "Door"}', "bad_payload: binary_sensor 'door' has no state topic"),
        (TOPIC, '{"stat_t": 7}', "bad_payload: binary_sensor 'door' has no state topic"),
        ("ha/device/x/config", "{}", "bad_payload: 'components' is None, not an object"),
        ("ha/device/x/config", '{"cmps": {}}', "no_reading: none of its components"),
        (
            "ha/device/x/config",
            '{"cmps": {"a": {"p": "sensor", "name": "A"}}}',
            "bad_payload: sensor 'x' has no state topic",
        ),
        ("ha/device/x/config", "", "no_reading: device 'x' is removed"),
        (
            "ha/sensor/x/config",
            '{"stat_t": "a\\u0000b"}',
            "bad_payload: what it says beside numbers contains",
        ),
    ],
)
def test_refused_with_a_reason(topic: str, payload: str, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)


KEYS = st.sampled_from([*SHORT, *LONG, "ids", "mf", "mdl", "cmps", "p", "platform", "json_attr_t"])
LEAVES: Any = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["~/x", "sensor", "light", "device_tracker"])
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(KEYS, t, max_size=6), max_leaves=20
)
TOPICS = st.sampled_from([TOPIC, "ha/device/x/config", "ha/sensor/x/config"]) | st.text(max_size=30)


@settings(max_examples=200, deadline=None)
@given(TOPICS, st.binary(max_size=60) | st.dictionaries(KEYS, TREES, max_size=8).map(orjson.dumps))
def test_nothing_but_a_format_error_is_raised(topic: str, payload: bytes) -> None:
    for given_bytes in (payload, payload[:-1]):
        try:
            seen = decode(UpTopic("c", None, Direction.UP, "homeassistant", topic), given_bytes)
        except FormatError:
            continue
        assert seen
        assert all(one.attributes["event"] == "announced" and not one.values for one in seen)
