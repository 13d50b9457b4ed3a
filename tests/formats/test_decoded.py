"""Names that decoders give, by the published outputs of makers' decoders."""

from typing import Any

import pytest

from devices.errors import FormatError
from devices.formats.decoded import TABLE, read_decoded
from devices.metric import BY_NAME
from tests.formats.published import messages

BATTERY = "that may be % or volts"


def said(given: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    decoded = read_decoded(given)
    return decoded.read.values, [error.detail for error in decoded.read.problems]


def published(device: str, meaning: str) -> dict[str, Any]:
    found = [
        m["decoded"]["data"]
        for m in messages("ttn_lorawan_codec_examples")
        if (m["device"], m["meaning"]) == (device, meaning)
    ]
    data: dict[str, Any] = found[-1]
    return data


@pytest.mark.parametrize(
    ("device", "meaning", "expected"),
    [
        ("nwave/nps310sm", "Parking Status", {"occupied": 1.0}),
        ("nwave/nps310sm", "Heartbeat", {"occupied": 0.0}),
        ("nwave/ncc405", "Heartbeat", {"battery_voltage": 2.908}),
        (
            "dragino/lds02",
            "Distance Detection",
            {"battery_voltage": 2.952, "door_open": 0.0, "door_open_count": 9472.0},
        ),
        ("netvox/r311a", "Status report", {"battery_voltage": 2.3, "battery_low": 1.0}),
        ("netvox/r311g", "Status report", {"battery_voltage": 3.0, "illuminance": 120.0}),
        ("netvox/r311w", "Status report", {"battery_voltage": 3.0, "water_leak": 1.0}),
        ("netvox/r718wa", "Status report", {"battery_voltage": 3.0, "water_leak": 1.0}),
        (
            "aquascope/wwd",
            "Alarm and 29 Degree",
            {"water_leak": 1.0, "battery": 100.0, "temperature": 29.0},
        ),
        (
            "aquascope/wwd",
            "Valve Closed",
            {"water_leak": 0.0, "battery": 100.0, "temperature": 29.0},
        ),
        (
            "elsys/ers",
            "ERS temperature, humidity, light and motion",
            {"temperature": 22.6, "humidity": 41.0, "illuminance": 39.0, "motion": 1.0},
        ),
        ("moko/lw001-bg", "heratbeat payload", {"battery_voltage": 3.4, "motion": 1.0}),
        ("digital-matter/oyster", "Position update fix valid", {"battery_voltage": 5.55}),
        (
            "netvox/ra0715",
            "Status report - 2",
            {"battery_voltage": 12.0, "pm2_5": 200.0, "pm10": 700.0},
        ),
        (
            "netvox/ra0715",
            "Status report - 7",
            {"battery_voltage": 12.0, "co2_concentration": 500.0},
        ),
        (
            "laird/rs1xx-ext-multi-sensor",
            "Send Temp RH Data Notification",
            {"temperature": 98.67, "humidity": 52.33},
        ),
        ("abeeway/asset-tracker-2", "Uplink containing GPS_FIX position", {}),
    ],
)
def test_published_outputs(device: str, meaning: str, expected: dict[str, float]) -> None:
    assert said(published(device, meaning)) == (expected, [])


def test_published_volts_by_the_name_of_a_percentage_are_no_charge() -> None:
    values, problems = said(published("mclimate/flood-sensor", "Short periodic uplink"))
    assert values == {"tamper": 1.0, "water_leak": 0.0}
    assert problems == [f"'battery' is 3.216: {BATTERY}"]
    # `status` is the panic button here, and something else with the next maker
    assert said(published("browan/tbpb100", "Button I pressed")) == (
        {},
        [f"'battery' is 3.9: {BATTERY}"],
    )


def test_a_published_number_of_occupancy_is_not_guessed() -> None:
    meaning = "EMS Desk temperature, humidity, accelerometer, and occupancy"
    values, problems = said(published("elsys/ems-desk", meaning))
    assert values == {"temperature": 22.6, "humidity": 41.0}
    assert problems == ["'occupancy' is 2: makers do not agree on what that means"]


def test_a_published_reading_of_the_past_is_not_read_as_now() -> None:
    given = published("laird/rs1xx-ext-multi-sensor", "Send Backlog Message Notification")
    with pytest.raises(FormatError, match="values are of another time"):
        read_decoded(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"battery": 87}, {"battery": 87.0}),
        ({"battery": "87%"}, {"battery": 87.0}),
        ({"battery": "3.4V"}, {"battery_voltage": 3.4}),
        ({"battery": 0}, {"battery": 0.0}),
        ({"battery": 3}, {"battery": 3.0}),
        ({"battery": 5.5}, {"battery": 5.5}),
        ({"BatV": 3.1}, {"battery_voltage": 3.1}),
        ({"batteryVoltage": 3600}, {"battery_voltage": 3.6}),
        ({"Bat-V": "3600 mV"}, {"battery_voltage": 3.6}),
        ({"battery voltage": "3.4V"}, {"battery_voltage": 3.4}),
        ({"Volt": "2.3(low battery)"}, {"battery_voltage": 2.3, "battery_low": 1.0}),
        ({"temperature": "86°F"}, {"temperature": 30.0}),
        ({"temperature": -3, "TempC_SHT": -3.0}, {"temperature": -3.0}),
        ({"PM10": 7, "PM1_0": 1}, {"pm10": 7.0}),
        ({"door": "open"}, {"door_open": 1.0}),
        ({"magnet_status": "close"}, {"door_open": 0.0}),
        ({"parking_status": "vacant"}, {"occupied": 0.0}),
        ({"occupancy": "occupied"}, {"presence": 1.0}),
        ({"occupancy": False}, {"presence": 0.0}),
        ({"pir": "trigger"}, {"motion": 1.0}),
        ({"motion": 0}, {"motion": 0.0}),
        ({"WaterLeak_1": "Leak", "WaterLeak_2": "NoLeak"}, {"water_leak": 1.0}),
        ({"WaterLeak_1": "NoLeak", "WaterLeak_2": "Leak"}, {"water_leak": 1.0}),
        ({"tamper_status": "installed"}, {"tamper": 0.0}),
        ({"sos": True}, {"sos": 1.0}),
        ({"sos": 0, "button": "0"}, {}),
        ({"button": 3}, {"button": 1.0}),
        ({"leak": None}, {}),
        ({"battery_mV": 900}, {"battery_voltage": 0.9}),
        ({"Volt": "3600 V"}, {"battery_voltage": 3600.0}),
        ({"gas_alarm": 1}, {"gas": 1.0}),
        ({"gas": "normal"}, {"gas": 0.0}),
        ({"presence": 2}, {"presence": 1.0}),
        ({"door_open": "close"}, {"door_open": 0.0}),
        ({"smoke": "1"}, {"smoke": 1.0}),
    ],
)
def test_fields(given: dict[str, Any], expected: dict[str, float]) -> None:
    assert said(given) == (expected, [])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"battery": 3.6}, f"'battery' is 3.6: {BATTERY}"),
        ({"battery": "0.9"}, f"'battery' is 0.9: {BATTERY}"),
        ({"battery": True}, "'battery' is True, not a number"),
        ({"temperature": True}, "'temperature' is True, not a number"),
        ({"smoke": 30}, "'smoke' is 30, not 0 or 1"),
        ({"occupied": 2}, "'occupied' is 2, not 0 or 1"),
        ({"motion": -1}, "'motion' is -1, below 0"),
        ({"battery": "high"}, "'battery' is 'high', not a number"),
        ({"battery": "80-100%"}, "'battery' is '80-100%', not a number"),
        ({"temperature": "3.4V"}, "'temperature': unit 'V' does not fit"),
        ({"temperature": "21 parsec"}, "'temperature': unit 'parsec' is not known"),
        ({"temperature": [1]}, "'temperature' is [1], not a number"),
        ({"Noise": 1, "co2": "NoSensor"}, "'co2' is 'NoSensor', not a number"),
        ({"door": 1}, "'door' is 1: makers do not agree"),
        ({"door": "0"}, "'door' is '0': makers do not agree"),
        ({"contact": True}, "'contact' is True: makers do not agree"),
        ({"occupancy": 1.0}, "'occupancy' is 1.0: makers do not agree"),
        ({"gas": 400}, "'gas' is 400: makers do not agree"),
        ({"leak": -1}, "'leak' is -1, not 0 or 1"),
    ],
)
def test_problems(given: dict[str, Any], problem: str) -> None:
    values, problems = said(given)
    assert values == {}
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_two_names_that_contradict_each_other_are_a_problem() -> None:
    values, problems = said({"temperature": 21.0, "temp": 45.0})
    assert values == {"temperature": 21.0}
    assert problems == ["'temp' is 45, but temperature is also 21 in it"]


@pytest.mark.parametrize(
    "name", ["status", "state", "alarm", "count", "OnOff", "voltage", "pressure", "CO", "manDown"]
)
def test_names_that_do_not_tell_are_left_alone(name: str) -> None:
    assert not read_decoded({name: 1}).known


def test_how_a_button_was_pressed_is_kept() -> None:
    assert read_decoded({"press": "double"}).facts == {"press": "double"}
    assert read_decoded({"sos": True}).facts == {}


def test_names_are_written_once_and_mean_a_metric() -> None:
    assert all(meaning.metric in BY_NAME for _, meaning in TABLE.values())
    assert all(name == name.lower() for name in TABLE)
