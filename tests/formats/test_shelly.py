"""Shelly Gen2 and later, by examples of our own after the vendor's pages.

https://shelly-api-docs.shelly.cloud/gen2/General/Notifications and
https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/
"""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.shelly import decode
from devices.topic import Direction, UpTopic
from tests.formats.said import understood, values

HALL = "shellypro4pm-f008d1d8b8b8"
RPC = f"{HALL}/events/rpc"
TS = 1631186545.04
TIME = "2021-09-09T11:22:25.040000+00:00"


def notified(method: str = "NotifyStatus", /, ts: object = TS, **components: Any) -> dict[str, Any]:
    """A frame; `switch_0` stands for the component switch:0."""
    told = {name.replace("_", ":", 1): value for name, value in components.items()}
    return {"src": HALL, "dst": f"{HALL}/events", "method": method, "params": {"ts": ts} | told}


def by_device(said: Any) -> dict[str, dict[str, float]]:
    """What was understood, by what follows the name of the device."""
    told: dict[str, dict[str, float]] = {}
    for one in said["readings"]:
        told.setdefault(one["device"].removeprefix(HALL), {})[one["metric"]] = one["value"]
    for one in said["events"]:
        told.setdefault(one["device"].removeprefix(HALL), {})[one["kind"]] = one["value"]
    return told


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (
            {
                "switch_0": {
                    "id": 0,
                    "output": True,
                    "apower": 8.9,
                    "voltage": 237.5,
                    "current": 0.038,
                    "aenergy": {"total": 6532.0, "minute_ts": 1626935779},
                }
            },
            {
                "": {
                    "switched_on": 1.0,
                    "power": 8.9,
                    "voltage": 237.5,
                    "current": 0.038,
                    "energy": 6.532,
                }
            },
        ),
        (
            {
                "switch_0": {"output": False, "temperature": {"tC": 53.3, "tF": 128}},
                "temperature_0": {"tC": 21},
            },
            {"": {"switched_on": 0.0, "temperature": 21.0}, "/switch:0": {"temperature": 53.3}},
        ),
        (
            {"switch_2": {"output": True, "apower": 5}},
            {"/switch:2": {"switched_on": 1.0, "power": 5.0}},
        ),
        ({"temperature_0": {"tC": None, "tF": 68}}, {"": {"temperature": 20.0}}),
        ({"temperature_100": {"tC": 4.5, "tF": 40.1}}, {"/temperature:100": {"temperature": 4.5}}),
        (
            {"humidity_0": {"rh": 42.2}, "wifi": {"rssi": -54}},
            {"": {"humidity": 42.2, "rssi": -54.0}},
        ),
        (
            {
                "devicepower_0": {
                    "battery": {"V": 5.2, "percent": 71},
                    "external": {"present": False},
                }
            },
            {"": {"battery_voltage": 5.2, "battery": 71.0}},
        ),
        (
            {
                "devicepower_0": {
                    "battery": {"V": 0.43, "percent": 0},
                    "external": {"present": True},
                },
                "humidity_0": {"rh": 42},
            },
            {"": {"humidity": 42.0}},
        ),
        ({"smoke_0": {"alarm": True, "mute": False}}, {"": {"smoke": 1.0}}),
        (
            {"flood_0": {"alarm": False, "errors": ["cable_unplugged"]}},
            {"": {"water_leak": 0.0, "fault": 1.0}},
        ),
        ({"flood_0": {"errors": None}}, {"": {"fault": 0.0}}),
        (
            {"input_0": {"state": True}, "switch_0": {"output": False}},
            {"/input:0": {"switched_on": 1.0}, "": {"switched_on": 0.0}},
        ),
        (
            {"presencezone_200": {"value": True, "num_objects": 2}},
            {"/presencezone:200": {"presence": 1.0}},
        ),
        (
            {"pm1_0": {"voltage": 230, "apower": 1, "aenergy": {"total": 500}}},
            {"": {"voltage": 230.0, "power": 1.0, "energy": 0.5}},
        ),
        (
            {
                "em1_1": {"act_power": 501.8, "voltage": 234.9},
                "em1data_1": {"total_act_energy": 2000},
            },
            {"/em1:1": {"power": 501.8, "voltage": 234.9, "energy": 2.0}},
        ),
        (
            {
                "em_0": {
                    "a_act_power": 253,
                    "a_voltage": 231.2,
                    "a_current": 1.1,
                    "b_act_power": 510,
                    "total_current": 3.3,
                    "total_act_power": 763,
                },
                "emdata_0": {"a_total_act_energy": 1000, "total_act": 6000},
            },
            {
                "": {"power": 763.0, "current": 3.3, "energy": 6.0},
                "/em:0/a": {"power": 253.0, "voltage": 231.2, "current": 1.1, "energy": 1.0},
                "/em:0/b": {"power": 510.0},
            },
        ),
    ],
)
def test_components(components: dict[str, Any], expected: dict[str, dict[str, float]]) -> None:
    said = understood(decode, notified(**components), RPC)
    assert by_device(said) == expected
    assert {r["time"] for r in said["readings"]} == {TIME}


def test_a_full_status_is_read_like_a_change() -> None:
    said = understood(decode, notified("NotifyFullStatus", humidity_0={"rh": 42}, sys={}), RPC)
    assert values(said) == {"humidity": 42.0}


@pytest.mark.parametrize("ts", [None, 3.2, "1631186545", 1e300])
def test_a_clock_that_is_not_set_tells_no_time(ts: object) -> None:
    said = understood(decode, notified(ts=ts, humidity_0={"rh": 42}), RPC)
    assert said["readings"][0]["time"] is None


def test_what_a_bluetooth_device_said_last_has_its_own_time() -> None:
    heard = {"rssi": -63, "battery": 100, "packet_id": 209, "last_updated_ts": 1726738130}
    told = notified(bthomedevice_200=heard, bthomesensor_201={"value": True}, wifi={"rssi": -50})
    said = understood(decode, told, RPC)
    assert by_device(said) == {
        "/bthomedevice:200": {"rssi": -63.0, "battery": 100.0},
        "": {"rssi": -50.0},
    }
    times = {r["device"]: r["time"] for r in said["readings"]}
    assert times == {f"{HALL}/bthomedevice:200": "2024-09-19T09:28:50+00:00", HALL: TIME}


def test_each_push_is_an_event_of_its_own_time() -> None:
    events = [
        {"component": "input:0", "id": 0, "event": "btn_down", "ts": TS},
        {"component": "input:0", "id": 0, "event": "double_push", "ts": TS},
        {"component": "bthomedevice:200", "event": "long_push", "idx": 1, "ts": TS + 1},
        7,
    ]
    said = understood(decode, notified("NotifyEvent", events=events), RPC)
    assert by_device(said) == {"/input:0": {"button": 1.0}, "/bthomedevice:200": {"button": 1.0}}
    assert [e["attributes"] for e in said["events"]] == [
        {"component": "input:0", "event": "double_push"},
        {"component": "bthomedevice:200", "event": "long_push", "button": 1},
    ]
    assert [e["time"] for e in said["events"]] == [TIME, TIME.replace("25.04", "26.04")]
    assert said["problems"] == ["bad_payload: event 7 is no object"]


@pytest.mark.parametrize(
    ("topic", "payload", "device", "expected"),
    [
        (f"{HALL}/online", "true", HALL, {"heartbeat": 1.0}),
        ("home/hall/online", "false", "home/hall", {"heartbeat": 0.0}),
        (
            f"{HALL}/status/switch:1",
            '{"id":1,"output":true}',
            f"{HALL}/switch:1",
            {"switched_on": 1.0},
        ),
        ("home/hall/status/flood:0", '{"alarm":true}', "home/hall", {"water_leak": 1.0}),
        (
            "home/hall/events/rpc",
            '{"method":"NotifyStatus","params":{"smoke:0":{"alarm":true}}}',
            "home/hall",
            {"smoke": 1.0},
        ),
        (
            "",
            '{"src":"x","method":"NotifyStatus","params":{"smoke:0":{"alarm":false}}}',
            "x",
            {"smoke": 0.0},
        ),
    ],
)
def test_topics(topic: str, payload: str, device: str, expected: dict[str, float]) -> None:
    said = understood(decode, payload, topic)
    assert values(said) == expected
    told: list[Any] = [*said["readings"], *said["events"]]
    assert {(one["device"], one["time"]) for one in told} == {(device, None)}


def test_a_field_that_cannot_be_read_does_not_spoil_the_others() -> None:
    told = notified(switch_0={"output": "perhaps", "apower": 3}, humidity_0={"rh": []}, cloud=7)
    said = understood(decode, told, RPC)
    assert values(said) == {"power": 3.0}
    assert said["problems"] == [
        "bad_payload: 'output' is 'perhaps', not a number",
        "bad_payload: 'rh' is [], not a number",
        "bad_payload: 'cloud' is 7, not an object",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (f"{HALL}/online", "yes", "bad_payload: online is 'yes'"),
        (f"{HALL}/command/switch:0", "on", "no_reading: a command"),
        (f"{HALL}/command", "status_update", "no_reading: a command"),
        (
            f"{HALL}/rpc",
            '{"id":1,"src":"me","method":"Switch.Set"}',
            "no_reading: a command to a device: 'Switch.Set'",
        ),
        ("me/rpc", '{"id":1,"src":"x","result":{}}', "no_reading: an answer"),
        (RPC, "{", "bad_payload: payload is not JSON"),
        (RPC, "[]", "bad_payload: payload is [], not a JSON object"),
        (RPC, "[" * 1000 + "]" * 1000, "bad_payload: payload is a"),
        (RPC, "{}", "bad_payload: it has no 'method'"),
        (RPC, '{"method":"NotifyStatus"}', "bad_payload: 'params' is None"),
        (RPC, '{"method":"NotifyWeather","params":{}}', "bad_payload: method 'NotifyWeather'"),
        (RPC, '{"method":"NotifyEvent","params":{"events":7}}', "bad_payload: 'events' is 7"),
        (
            RPC,
            '{"method":"NotifyEvent","params":{"events":[{"event":"config_changed"}]}}',
            "no_reading: no event of a button: 'config_changed'",
        ),
        (
            RPC,
            '{"method":"NotifyStatus","params":{"bthomesensor:200":{"value":1}}}',
            "no_reading: nothing in it is a known metric: 'bthomesensor:200'",
        ),
        (RPC, '{"method":"NotifyStatus","params":{"cloud":{"connected":false}}}', "no_reading"),
        (
            RPC,
            '{"method":"NotifyStatus","params":{"humidity:0":{"rh":"wet"}}}',
            "bad_payload: 'rh' is 'wet'",
        ),
        (f"{HALL}/status/humidity:0", '{"rh":null}', "no_reading"),
    ],
)
def test_refused_with_a_reason(topic: str, payload: str, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)


KINDS = ("switch", "em", "emdata", "temperature", "devicepower", "flood", "input", "bthomedevice")
KEYS = st.sampled_from(
    [
        *(f"{kind}:{n}" for kind in KINDS for n in (0, 1)),
        *("params", "method", "src", "ts", "events", "event", "component", "idx", "output"),
        *("apower", "aenergy", "total", "tC", "tF", "battery", "percent", "V", "external"),
        *("present", "alarm", "errors", "state", "a_current", "a_total_act_energy", "rssi"),
        *("last_updated_ts", "temperature", "wifi"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["NotifyStatus", "NotifyEvent", "single_push", "1e308", "nan", TS])
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(KEYS, t, max_size=6), max_leaves=20
)
FRAMES = st.builds(
    lambda method, params: {"src": HALL, "method": method, "params": params},
    st.sampled_from(["NotifyStatus", "NotifyFullStatus", "NotifyEvent"]) | LEAVES,
    st.dictionaries(KEYS, TREES, max_size=6) | TREES,
)
TOPICS = st.sampled_from([RPC, "", f"{HALL}/status/em:0", "x/online"]) | st.text(max_size=30)


def read(topic: str, payload: bytes) -> None:
    """Nothing but FormatError, and finite numbers."""
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "shelly", topic), payload)
    except FormatError:
        return
    assert seen
    assert all(math.isfinite(v) for one in seen for v in one.values.values())


@settings(max_examples=200, deadline=None)
@given(TOPICS, st.binary(max_size=60) | (FRAMES | TREES).map(orjson.dumps))
def test_nothing_but_a_format_error_is_raised(topic: str, payload: bytes) -> None:
    read(topic, payload)
    read(topic, payload[:-1])
