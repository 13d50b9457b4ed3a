"""Open mHealth: the published bodies, data points, and what no measurement is."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.openmhealth import FIELDS, SPANS, decode
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TOPIC = UpTopic("c", None, Direction.UP, "openmhealth", "omh/cuff")
FEBRUARY = "2013-02-05T07:25:00+00:00"
JUNE = "2013-06-05T07:25:00+00:00"
MEANT: dict[str, tuple[dict[str, float], str | None]] = {
    "blood-pressure blood-pressure-only": ({"systolic": 160, "diastolic": 60}, None),
    "blood-pressure with-date-time-time-frame": ({"systolic": 160, "diastolic": 60}, FEBRUARY),
    "blood-pressure with-descriptive-statistic": (
        {"systolic": 160, "diastolic": 60, "attributes": 1},
        JUNE,
    ),
    "blood-pressure with-everything": ({"systolic": 100, "diastolic": 60, "attributes": 1}, JUNE),
    "blood-pressure with-position": ({"systolic": 160, "diastolic": 60}, None),
    # the evening of a date: no instant
    "blood-pressure with-time-frame": ({"systolic": 160, "diastolic": 60}, None),
    "blood-pressure with-user-notes": ({"systolic": 160, "diastolic": 60}, None),
    "body-temperature valid-temperature-with-statistic": (
        {"body_temperature": (96.5 - 32) / 1.8},
        "2015-02-06T06:00:00+00:00",
    ),
    "body-temperature valid-temperature": ({"body_temperature": (97 - 32) / 1.8}, FEBRUARY),
    "heart-rate heart-rate-only": ({"pulse": 60}, None),
    "heart-rate with-everything": ({"pulse": 50}, FEBRUARY),
    "heart-rate with-temporal-relationship-to-physical-activity": ({"pulse": 50}, FEBRUARY),
    "heart-rate with-time-frame": ({"pulse": 60}, FEBRUARY),
    "heart-rate with-user-notes": ({"pulse": 50}, FEBRUARY),
    "oxygen-saturation saturation-only": ({"spo2": 95}, FEBRUARY),
    "oxygen-saturation with-oxygen": ({"spo2": 95, "oxygen_flow": 2.5}, FEBRUARY),
    "respiratory-rate respiratory-rate-only": ({"breathing_rate": 12}, None),
    "respiratory-rate with-statistic": (
        {"breathing_rate": 10, "attributes": 1},
        "2013-02-06T07:25:00+00:00",
    ),
    "respiratory-rate with-temporal-relationship-to-physical-activity": (
        {"breathing_rate": 12},
        FEBRUARY,
    ),
    "respiratory-rate with-time-frame": ({"breathing_rate": 12}, FEBRUARY),
    "sleep-episode valid-sleep-episode": ({"sleep_time": 8.5}, "2016-02-06T06:35:00+00:00"),
    "step-count step-count-only": ({"steps": 6000}, None),
    "step-count with-time-frame": ({"steps": 6000}, FEBRUARY),
}
RATE = {"heart_rate": {"value": 60, "unit": "beats/min"}}
SLEPT = {"total_sleep_time": {"value": 7, "unit": "h"}}


def test_every_published_body_has_its_meaning() -> None:
    published = messages("openmhealth_vitals")
    assert len(published) == len(MEANT)
    for message in published:
        name = message["meaning"].replace(" 1.0 shouldPass:", "")
        meant, time = MEANT[name]
        said = understood(decode, message["payload"], "omh/cuff")
        assert values(said) == pytest.approx(meant), name
        assert {(one["device"], one["time"]) for one in said["readings"]} == {("cuff", time)}, name
        assert "problems" not in said
        assert b"dizzy" not in orjson.dumps(said)


def test_a_statistic_other_than_the_average_is_told() -> None:
    for word, told in (("maximum", {"descriptive_statistic": "maximum"}), ("average", None)):
        said = understood(decode, RATE | {"descriptive_statistic": word})
        assert said["readings"][0]["value"] == 60.0
        assert [event["attributes"] for event in said["events"]] == ([told] if told else [])


@pytest.mark.parametrize(
    ("header", "device"),
    [
        ({"acquisition_provenance": {"source_name": "Cuff 7", "modality": "sensed"}}, "Cuff 7"),
        ({"acquisition_provenance": {"source_name": "App", "device_id": "SN-1"}}, "SN-1"),
        ({"acquisition_provenance": {"source_name": 5}}, "cuff"),
        ({"acquisition_provenance": None}, "cuff"),
        ({}, "cuff"),
    ],
)
def test_the_device_is_the_source_and_never_the_person(header: Any, device: str) -> None:
    point = {"header": {"user_id": "joe", "id": "1"} | header, "body": RATE}
    said = understood(decode, point, "omh/cuff")
    assert said["readings"][0]["device"] == device
    assert b"joe" not in orjson.dumps(said)
    said = understood(decode, {"body": RATE, "header": {"user_id": "joe"}})
    assert said["readings"][0]["device"] is None


@pytest.mark.parametrize(
    ("frame", "time"),
    [
        ({"date_time": "2013-02-05T07:25:00+01:00"}, "2013-02-05T06:25:00+00:00"),
        ({"date_time": "2013-02-05T07:25:00"}, None),
        ({"date_time": "2013-02-05"}, None),
        ({"date_time": 5}, None),
        ({"time_interval": {"start_date_time": "2013-02-05T07:25:00Z"}}, None),
        ({"time_interval": {"date": "2013-02-05", "part_of_day": "morning"}}, None),
        (
            {
                "time_interval": {
                    "end_date_time": "2013-02-05T07:25:00Z",
                    "duration": {"value": 8, "unit": "h"},
                }
            },
            FEBRUARY,
        ),
        ("2013-02-05T07:25:00Z", None),
    ],
)
def test_time(frame: Any, time: str | None) -> None:
    said = understood(decode, RATE | {"effective_time_frame": frame})
    assert said["readings"][0]["time"] == time


@pytest.mark.parametrize(
    ("value", "unit", "time"),
    [
        (30, "min", "2013-02-05T07:55:00+00:00"),
        (0.5, "h", "2013-02-05T07:55:00+00:00"),
        (1, "wk", "2013-02-12T07:25:00+00:00"),
        (1, "Mo", None),
        (-1, "h", None),
        (1e300, "h", None),
        (True, "h", None),
        ("1", "h", None),
    ],
)
def test_an_interval_ends_after_its_duration(value: Any, unit: str, time: str | None) -> None:
    interval = {
        "start_date_time": "2013-02-05T07:25:00Z",
        "duration": {"value": value, "unit": unit},
    }
    said = understood(decode, SLEPT | {"effective_time_frame": {"time_interval": interval}})
    assert said["readings"][0]["time"] == time


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("systolic_blood_pressure", 16, "kPa", {"systolic": 120.00985}),
        ("body_temperature", 37, "C", {"body_temperature": 37.0}),
        ("body_temperature", 310.15, "K", {"body_temperature": 37.0}),
        ("blood_glucose", 90, "mg/dL", {"blood_glucose": 4.99567}),
        ("blood_glucose", 5, "mmol/L", {"blood_glucose": 5.0}),
        ("body_weight", 150, "lb", {"body_weight": 68.0388555}),
        ("body_height", 180, "cm", {"body_height": 1.8}),
        ("body_height", 70, "in", {"body_height": 1.778}),
        ("total_sleep_time", 450, "min", {"sleep_time": 7.5}),
        ("sleep_duration", 25_200, "sec", {"sleep_time": 7.0}),
        ("step_count", 6000, "steps", {"steps": 6000.0}),
        ("ambient_temperature", 70, "F", {"temperature": 21.11111}),
    ],
)
def test_units(name: str, value: float, unit: str, expected: dict[str, float]) -> None:
    said = understood(decode, {name: {"value": value, "unit": unit}})
    assert values(said) == pytest.approx(expected, abs=1e-4)


def test_a_field_that_cannot_be_read_does_not_spoil_the_others() -> None:
    said = understood(
        decode, RATE | {"body_temperature": 37, "body_weight": {"value": 70, "unit": "stone"}}
    )
    assert values(said) == {"pulse": 60.0}
    assert said["problems"] == [
        "bad_payload: 'body_temperature' is 37, without a unit",
        "bad_payload: 'body_weight': unit 'stone' is not known; body_weight is in kg",
    ]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{", "bad_payload: payload is not JSON"),
        ([], "bad_payload: payload is [], not a JSON object"),
        ({}, "no_reading: nothing in it is a known metric"),
        ({"header": {}}, "bad_payload: 'body' is None, not an object"),
        ({"header": {}, "body": []}, "bad_payload: 'body' is [], not an object"),
        ({"user_notes": "dizzy", "descriptive_statistic": "maximum"}, "no_reading: nothing in it"),
        ({"heart_rate": {"value": "60", "unit": "beats/min"}}, "bad_payload: 'heart_rate' is {'v"),
        ({"heart_rate": {"value": True, "unit": "beats/min"}}, "bad_payload: 'heart_rate' is {'v"),
        ({"heart_rate": {"unit": "beats/min"}}, "bad_payload: 'heart_rate' is {'unit'"),
        ({"heart_rate": {"value": 60, "unit": ""}}, "bad_payload: 'heart_rate' is {'value': 60"),
        ({"heart_rate": {"value": 60, "unit": "kg"}}, "bad_payload: 'heart_rate': unit 'kg' does"),
        ({"step_count": {"value": 5, "unit": "m"}}, "bad_payload: 'step_count': unit 'm' does not"),
        ({"systolic_blood_pressure": {"value": 1e308, "unit": "kPa"}}, "bad_payload: 'systolic_b"),
        (SLEPT | {"total_sleep_time": None}, "bad_payload: 'total_sleep_time' is None"),
    ],
)
def test_refused_with_a_reason(given: Any, reason: str) -> None:
    assert understood(decode, given)["rejected"].startswith(reason)


def test_every_field_is_a_metric() -> None:
    assert {meaning.metric for meaning in FIELDS.values()} <= BY_NAME.keys()


def checked(payload: bytes) -> None:
    try:
        seen = decode(TOPIC, payload)
    except FormatError:
        return
    for one in seen:
        assert one.values
        assert all(math.isfinite(value) for value in one.values.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["F", "kPa", "bpm", "dB", "C"])
    | st.sampled_from(["2013-02-05T07:25:00Z", "9999-12-31T23:59:59-12:00", *SPANS]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["value", "unit", "date_time", "header", "body"]), inner)
    | st.fixed_dictionaries({"value": inner, "unit": inner})
    | st.fixed_dictionaries({"start_date_time": inner, "duration": inner}),
    max_leaves=6,
)  # fmt: skip
BODY = st.dictionaries(
    st.sampled_from([*FIELDS, "effective_time_frame", "descriptive_statistic"]), JSON, max_size=4
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(),
        BODY.map(lambda b: json.dumps(RATE | b).encode()),
        st.builds(lambda h, b: json.dumps({"header": h, "body": b}).encode(), JSON, BODY | JSON),
        JSON.map(
            lambda j: json.dumps(RATE | {"effective_time_frame": {"time_interval": j}}).encode()
        ),
    ),
    st.integers(0, 200),
    st.binary(max_size=3),
)
def test_nothing_but_a_format_error_is_raised(payload: bytes, at: int, put: bytes) -> None:
    checked(payload)
    checked(payload[:at] + put + payload[at + len(put) :])
