"""Tasmota, by the published messages, each with its meaning or the reason why it is refused."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.tasmota import decode
from devices.instant import Micros
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

SENSOR = "tele/hall/SENSOR"
UNLABELLED = "(unlabelled line in docs)"

Meaning = dict[str, dict[str, float]]
"""Device ('' where the message names none) to metric to value."""

UNREADABLE = "bad_payload: payload is not JSON"
UNKNOWN = "no_reading: nothing in it is a known metric"
GATEWAY = "no_reading: a message of the Zigbee gateway about itself"
MEMORY = "no_reading: what the gateway remembers"
TUYA = "no_reading: a message of the Tuya controller"
LORAWAN = "no_reading: a LoRaWAN payload"
CODE = "no_reading: RfRaw: a code by radio"

CARD = {"tasmota": {"attributes": 1.0}}

PUBLISHED: dict[int, Meaning | str] = {
    1: {"tasmota": {"illuminance": 8.0}},
    2: UNKNOWN,  # A0 is the converter's raw number
    3: {"wemos2/POWER1": {"switched_on": 0.0}},
    4: {
        "%topic%/LYWSD03-52680f": {"temperature": 21.1, "humidity": 58.0, "battery": 100.0},
        "%topic%/LYWSD02-a2fd09": {"temperature": 21.4, "humidity": 57.0, "battery": 2.0},
        "%topic%/MJ_HT_V1-d8799d": {"temperature": 21.4, "humidity": 54.6},
    },
    5: {  # the Flora's humidity is the soil's
        "tasmota/Flora-6ab577": {"temperature": 21.7, "illuminance": 21.0},
        "tasmota/MJ_HT_V1-3108be": {"temperature": 22.3, "humidity": 56.1},
    },
    6: {"A4C1387FC1E1": {"heartbeat": 1.0, "rssi": -56.0}},
    7: {"A4C1387FC1E1": {"heartbeat": 0.0}},
    8: {"tasmota/Switch1": {"switched_on": 1.0}},
    9: {"tasmota/Switch1": {"switched_on": 0.0}},
    10: {"tasmota/Button<x>": {"button": 1.0}},
    11: UNREADABLE,  # two messages and a sentence of the documentation
    12: {"tasmota/Switch1": {"switched_on": 0.0}},
    13: {"tasmota/Switch1": {"switched_on": 1.0}},
    19: {"demo-sensor": {"switched_on": 1.0, "rssi": -57.0}},
    20: {
        "demo-sensor/Switch1": {"switched_on": 0.0},
        "demo-sensor/Switch2": {"switched_on": 1.0},
    },
    25: {"": {"presence": 0.0}},
    26: {"": {"presence": 1.0}},
    28: LORAWAN,
    38: CARD,
    40: CARD,
    41: CARD,
    42: CARD,
    44: {"tasmota": {"switched_on": 1.0}},
    45: {"wemos-4/POWER1": {"switched_on": 0.0}},
    46: {"wemos-4/POWER1": {"switched_on": 1.0}},
    47: {"wemos-4/POWER1": {"switched_on": 0.0}},
    48: {"ds1820": {"temperature": 20.9}},
    49: {"mqttTopic": {"switched_on": 0.0}},
    57: {"": {"co2_concentration": 1204.0, "temperature": 28.8, "humidity": 47.5}},
    60: {"GD-30W/POWER1": {"switched_on": 1.0}},
    61: TUYA,
    75: {"0x2916": {"temperature": 25.72, "humidity": 47.73}},
    80: {"0x7120": {"switched_on": 1.0}},
    83: {"SHP15": {"switched_on": 0.0}},
    84: {"SHP15": {"switched_on": 1.0}},
    86: {"SHP15": {"power": 0.0}},
    87: {"SHP15": {"switched_on": 0.0}},
    88: {"SHP15": {"switched_on": 1.0}},
    94: MEMORY,
    95: MEMORY,
    96: UNREADABLE,  # a closing brace is missing in the documentation
    97: UNREADABLE,
    98: {"IKEA_Light": {"switched_on": 1.0}},
}
"""Line of the file to what it means."""

PUBLISHED |= dict.fromkeys([*range(14, 19), *range(64, 72), 73, 77, 79, 89, 91], GATEWAY)
PUBLISHED |= dict.fromkeys(range(104, 115), CODE)
PUBLISHED |= dict.fromkeys((21, 22, 23, 24, 27), UNKNOWN)  # distances and a radar's settings
PUBLISHED |= dict.fromkeys((58, 59, 62, 63, 76, 82, 85, 90), UNKNOWN)  # answers to commands
PUBLISHED |= dict.fromkeys((29, 30, 31, 32, 33, 34, 35, 36, 37), UNKNOWN)  # pins and settings
PUBLISHED |= dict.fromkeys((39, 43, *range(50, 57)), UNKNOWN)  # rules and their variables
PUBLISHED |= dict.fromkeys((72, 74, 78), UNKNOWN)  # a Zigbee model, a configuration
PUBLISHED |= dict.fromkeys((92, 93, 99, 100, 101, 102, 103), UNKNOWN)  # tilt, groups, a dimmer
PUBLISHED[81] = UNKNOWN  # a meter's raw register, its unit is in another attribute


def by_device(said: Any) -> Meaning:
    """What was understood, by device."""
    told: Meaning = {}
    for one in said["readings"]:
        told.setdefault(one["device"] or "", {})[one["metric"]] = one["value"]
    for one in said["events"]:
        told.setdefault(one["device"] or "", {})[one["kind"]] = one["value"]
    return told


def test_every_published_message_has_its_meaning() -> None:
    said = {
        line: understood(decode, m["payload"], None if m["topic"] == UNLABELLED else m["topic"])
        for line, m in enumerate(messages("tasmota_mqtt"), 1)
    }
    assert said.keys() == PUBLISHED.keys()
    for line, meaning in PUBLISHED.items():
        one = said[line]
        if isinstance(meaning, str):
            assert one["rejected"].startswith(meaning), line
        else:
            assert "rejected" not in one, (line, one)
            assert "problems" not in one, (line, one)
            assert by_device(one) == meaning, line


def test_the_only_published_times_with_an_offset_are_instants() -> None:
    lines = messages("tasmota_mqtt")
    said = understood(decode, lines[18]["payload"], lines[18]["topic"])
    assert {r["time"] for r in said["readings"]} == {"2021-06-27T13:03:44+00:00"}
    said = understood(decode, lines[0]["payload"], lines[0]["topic"])
    assert said["readings"][0]["time"] is None
    said = understood(decode, {"Time": "2021-06-27T13:03:44Z", "POWER": "ON"}, "tele/hall/STATE")
    assert said["readings"][0]["time"] == "2021-06-27T13:03:44+00:00"


def test_a_card_read_names_its_card_and_nothing_of_its_data() -> None:
    one = messages("tasmota_mqtt")[39]
    event = understood(decode, one["payload"], one["topic"])["events"][0]
    assert event["attributes"] == {
        "event": "card_read",
        "credential": "94D8FC5F",
        "reader": "PN532",
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"AM2301": {"Temperature": 70.7, "Humidity": "50"}, "TempUnit": "F"},
            {"temperature": 21.5, "humidity": 50.0},
        ),
        ({"BME280": {"Pressure": 750.062}, "PressureUnit": "mmHg"}, {"air_pressure": 999.9999}),
        ({"BME280": {"Pressure": 29.92}, "PressureUnit": "inHg"}, {"air_pressure": 1013.2075}),
        ({"BME280": {"Pressure": 1013, "SeaPressure": 1020}}, {"air_pressure": 1013.0}),
        ({"BME680": {"Gas": 51.2, "Humidity": 40}}, {"humidity": 40.0}),
        ({"BH1750": {"Illuminance": 79}}, {"illuminance": 79.0}),
        ({"SDS0X1": {"PM2.5": 3.2, "PM10": 5}}, {"pm2_5": 3.2, "pm10": 5.0}),
        (
            {
                "ENERGY": {
                    "Total": 3.185,
                    "Today": 0.1,
                    "Power": 12,
                    "ApparentPower": 20,
                    "Voltage": 229,
                    "Current": 0.09,
                }
            },
            {"energy": 3.185, "power": 12.0, "voltage": 229.0, "current": 0.09},
        ),
        ({"SonoffSC": {"Temperature": 23, "Light": 10, "Noise": 20}, "PIR": "ON"}, {"motion": 1.0}),
        ({"ESP32": {"Temperature": 46.1}, "Motion1": "OFF"}, {"motion": 0.0}),
        ({"Wifi": {"RSSI": 86, "Signal": -57}}, {"rssi": -57.0}),
    ],
)
def test_sensors(payload: object, expected: dict[str, float]) -> None:
    assert values(understood(decode, payload, SENSOR)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("topic", "payload", "device", "expected"),
    [
        ("tele/hall/LWT", "Online", "hall", {"heartbeat": 1.0}),
        ("hall/tele/LWT", "Offline", "hall", {"heartbeat": 0.0}),
        ("home/floor 1/tele/LWT", "Offline", "home/floor 1", {"heartbeat": 0.0}),
        ("home/stat/hall/POWER", "ON", "home/hall", {"switched_on": 1.0}),
        ("stat/hall/POWER2", "OFF", "hall/POWER2", {"switched_on": 0.0}),
        ("stat/hall/POWER", '{"POWER": "ON"}', "hall", {"switched_on": 1.0}),
        ("stat/stat/POWER", "ON", "stat", {"switched_on": 1.0}),
        ("gw/v1/c/ext/tasmota/tele/hall/LWT", "Online", "hall", {"heartbeat": 1.0}),
        (
            "stat/hall/RESULT",
            '{"Switch1": {"Action": "OFF"}}',
            "hall/Switch1",
            {"switched_on": 0.0},
        ),
        ("stat/hall/RESULT", '{"Button2": {"Action": "HOLD"}}', "hall/Button2", {"button": 1.0}),
        ("stat/hall/STATUS11", '{"StatusSTS": {"POWER": "ON"}}', "hall", {"switched_on": 1.0}),
        ("POWER", "ON", "", {"switched_on": 1.0}),
    ],
)
def test_topics_and_plain_texts(
    topic: str, payload: str, device: str, expected: dict[str, float]
) -> None:
    assert by_device(understood(decode, payload, topic)) == {device: expected}


def test_sensors_of_one_quantity_are_devices_of_their_own() -> None:
    told = {
        "DS18B20-1": {"Id": "01", "Temperature": 20.5},
        "DS18B20-2": {"Id": "02", "Temperature": 4.5},
        "BH1750": {"Illuminance": 3},
    }
    assert by_device(understood(decode, told, SENSOR)) == {
        "hall/DS18B20-1": {"temperature": 20.5},
        "hall/DS18B20-2": {"temperature": 4.5},
        "hall": {"illuminance": 3.0},
    }
    told.pop("DS18B20-2")  # the other one keeps its name when this one falls silent
    assert "hall/DS18B20-1" in by_device(understood(decode, told, SENSOR))
    both = {"AM2301": {"Temperature": 20, "Humidity": 50}, "BMP280": {"Temperature": 21}}
    assert by_device(understood(decode, both, SENSOR)) == {
        "hall/AM2301": {"temperature": 20.0, "humidity": 50.0},
        "hall/BMP280": {"temperature": 21.0},
    }


def test_phases_of_a_meter_are_devices_of_their_own() -> None:
    told = {"ENERGY": {"Total": 7.5, "Power": [10, 20], "Voltage": [230, 231], "Current": [0.1]}}
    assert by_device(understood(decode, told, SENSOR)) == {
        "hall": {"energy": 7.5},
        "hall/ENERGY-1": {"power": 10.0, "voltage": 230.0, "current": 0.1},
        "hall/ENERGY-2": {"power": 20.0, "voltage": 231.0},
    }


@pytest.mark.parametrize(
    ("key", "told", "device", "expected"),
    [
        (
            "Kitchen",
            {
                "Device": "0x8F20",
                "Voltage": 2.995,
                "Battery": 98,
                "Temperature": 21.01,
                "Humidity": 53.68,
                "Pressure": 1004.04,
                "PressureUnit": "hPa",
            },
            "Kitchen",
            {
                "battery_voltage": 2.995,
                "battery": 98.0,
                "temperature": 21.01,
                "humidity": 53.68,
                "air_pressure": 1004.04,
            },
        ),
        ("0x662E", {"Device": "0x662E", "Name": "door", "Contact": 1}, "door", {"door_open": 1.0}),
        ("0x662E", {"Contact": 0}, "0x662E", {"door_open": 0.0}),
        ("0x1", {"Occupancy": 1, "Illuminance": 21000}, "0x1", {"motion": 1.0}),
        (
            "0x1",
            {"Fire": 1, "Water": 0, "CO": 0},
            "0x1",
            {"smoke": 1.0, "water_leak": 0.0, "carbon_monoxide": 0.0},
        ),
        ("0x1", {"Panic": 1}, "0x1", {"sos": 1.0}),
        ("0x1", {"Panic": 0, "Battery": 50}, "0x1", {"battery": 50.0}),
        ("0x1", {"Voltage": 3, "Temperature": 68, "TempUnit": "F"}, "0x1", {"temperature": 20.0}),
    ],
)
def test_zigbee_devices(key: str, told: object, device: str, expected: dict[str, float]) -> None:
    said = understood(decode, {"ZbReceived": {key: told}}, "tele/gateway/SENSOR")
    assert by_device(said) == {device: expected}


def test_a_zigbee_device_without_the_frame_around_it() -> None:
    told = {"door": {"Device": "0x662E", "Contact": 1, "Endpoint": 1, "LinkQuality": 157}}
    said = understood(decode, told, "tele/gateway/662E/SENSOR")
    assert by_device(said) == {"door": {"door_open": 1.0}}


def test_a_field_that_cannot_be_read_does_not_spoil_the_others() -> None:
    told = {
        "AM2301": {"Temperature": None, "Humidity": "wet"},
        "POWER": "ON",
        "Wifi": {"Signal": []},
    }
    said = understood(decode, told, SENSOR)
    assert by_device(said) == {"hall": {"switched_on": 1.0}}
    assert said["problems"] == [
        "bad_payload: 'Humidity' is 'wet', not a number",
        "bad_payload: 'Signal' is [], not a number",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("cmnd/hall/POWER", "ON", "no_reading: a command"),
        ("hall/cmnd/POWER", "TOGGLE", "no_reading: a command"),
        ("tasmota/discovery/A020A6/config", "{}", "no_reading: Tasmota's announcement"),
        ("hall/SENSOR", "{}", "bad_payload: topic 'hall/SENSOR' has no level tele, stat or cmnd"),
        ("tele/hall/LWT", "perhaps", "bad_payload: LWT is 'perhaps'"),
        ("stat/hall/POWER", "BLINK", "bad_payload: 'POWER' is 'BLINK', not a number"),
        (SENSOR, "ON", "bad_payload: payload is not JSON"),
        (SENSOR, "[1]", "bad_payload: payload is [1], not a JSON object"),
        (SENSOR, "[" * 1000 + "]" * 1000, "bad_payload: payload is a"),
        (SENSOR, "{}", "no_reading: nothing in it is a known metric"),
        (SENSOR, '{"COUNTER": {"C1": 7}}', "no_reading: nothing in it is a known metric"),
        (SENSOR, '{"CCS811": {"eCO2": 400, "TVOC": 1}}', "no_reading"),
        (
            SENSOR,
            '{"A": {"Temperature": 1}, "TempUnit": "X"}',
            "bad_payload: 'Temperature': unit 'X'",
        ),
        (
            SENSOR,
            '{"A": {"Temperature": 1}, "TempUnit": 7}',
            "bad_payload: 'Temperature': unit '7'",
        ),
        (
            SENSOR,
            '{"A": {"Pressure": 1}, "PressureUnit": "yd"}',
            "bad_payload: 'Pressure': unit 'yd'",
        ),
        (
            SENSOR,
            '{"A": {"Pressure": 1.7e308}, "PressureUnit": "mmHg"}',
            "bad_payload: 'Pressure' is 1.7e+308 mmHg, beyond all numbers",
        ),
        (SENSOR, '{"LD2410S": {"People": 9}}', "bad_payload: 'People' is 9"),
        (SENSOR, '{"ZbReceived": {"0x1": 7}}', "bad_payload: 'ZbReceived'.'0x1' is 7"),
        ("stat/hall/RESULT", '{"Button1": {"Action": "CLEAR"}}', "no_reading"),
        (
            "stat/hall/RESULT",
            '{"Button1": {"Action": "SING"}}',
            "bad_payload: 'Button1': action 'SING'",
        ),
        (
            "tele/hall/RESULT",
            '{"IrReceived": {"Data": "0x1"}}',
            "no_reading: IrReceived: a code by infrared",
        ),
        ("tele/hall/INFO1", '{"Info1": {"Module": "Basic"}}', "no_reading"),
    ],
)
def test_refused_with_a_reason(topic: str, payload: str, reason: str) -> None:
    assert understood(decode, payload, topic)["rejected"].startswith(reason)


KEYS = st.sampled_from(
    [
        "Time",
        "TempUnit",
        "PressureUnit",
        "AM2301",
        "DS18B20-1",
        "ENERGY",
        "Wifi",
        "ZbReceived",
        "POWER",
        "POWER1",
        "Switch1",
        "PIR",
        "Button1",
        "Action",
        "IBEACON",
        "PN532",
        "UID",
        "MAC",
        "Temperature",
        "Pressure",
        "Humidity",
        "Power",
        "Voltage",
        "Battery",
        "STATE",
        "LD2410S",
        "People",
        "StatusSNS",
        "Signal",
        "0x1",
        "Name",
        "Contact",
        "Panic",
        "Illuminance",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["F", "inHg", "mmHg", "ON", "OFF", "1e308", "nan", "SINGLE", "0x12"])
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(KEYS, t, max_size=5), max_leaves=20
)
TOPICS = st.sampled_from(
    [SENSOR, "stat/hall/POWER1", "hall/tele/LWT", "", "SENSOR", "tele/SENSOR"]
) | st.text(max_size=30)


def read(topic: str, payload: bytes) -> None:
    """Nothing but FormatError, and finite numbers."""
    try:
        seen = decode(UpTopic("c", None, Direction.UP, "tasmota", topic), payload)
    except FormatError:
        return
    times: list[Micros | None] = [one.time for one in seen]
    assert seen
    assert all(time is None or isinstance(time, int) for time in times)
    assert all(math.isfinite(v) for one in seen for v in one.values.values())


@settings(max_examples=200, deadline=None)
@given(TOPICS, st.binary(max_size=60) | st.dictionaries(KEYS, TREES, max_size=6).map(orjson.dumps))
def test_nothing_but_a_format_error_is_raised(topic: str, payload: bytes) -> None:
    read(topic, payload)
    read(topic, payload[:-1])
