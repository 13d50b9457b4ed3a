"""SenML: the published packs against their resolved forms, and the traps of RFC 8428."""

import json
import math
from collections import defaultdict
from typing import Any

import cbor2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.explain import Understood
from devices.formats.senml import QUANTITIES, UNITS, decode
from devices.formats.senml_pack import MAX_BYTES
from devices.metric import BY_NAME
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TOPIC = UpTopic("c", None, Direction.UP, "senml", "pack")
WIRE = "urn:dev:ow:10e2073a01080063"
LABELS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6} | {
    label: number for number, label in enumerate(("n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"))
}
MEANT: dict[str, list[tuple[str, str, float, str | None]]] = {
    "ex1": [(WIRE, "temperature", 23.1, None)],
    "ex2": [(WIRE, "voltage", 120.1, None), (WIRE, "current", 1.2, None)],
    "ex6": [
        ("2001:db8::2", "temperature", 25.2, "2011-10-31T16:27:09+00:00"),
        ("2001:db8::2", "humidity", 30.0, "2011-10-31T16:27:09+00:00"),
        ("2001:db8::1", "temperature", 12.3, "2011-10-31T16:27:09+00:00"),
        ("2001:db8::1", "humidity", 67.0, "2011-10-31T16:27:09+00:00"),
    ],
    # heat and fan are commands to a thermostat, of no quantity that is known
    "ex9": [(WIRE, "temperature", 23.1, None)],
    "ex11": [
        (WIRE, "temperature", 23.5, "2010-06-08T18:01:16+00:00"),
        (WIRE, "temperature", 23.6, "2010-06-08T18:01:31+00:00"),
    ],
}
UNDATED = {"ex1", "ex2", "ex9"}
"""Packs that say 'now': their resolved forms carry the moment at which somebody resolved them."""


def as_cbor(pack: list[dict[str, Any]]) -> bytes:
    return cbor2.dumps([{LABELS.get(k, k): v for k, v in r.items()} for r in pack])


def said_of(payload: Any) -> list[tuple[str | None, str, float, str | None]]:
    said = understood(decode, payload)
    assert said.keys() == {"readings", "events"}, said
    return [(r["device"], r["metric"], r["value"], r["time"]) for r in said["readings"]]


def both(pack: list[dict[str, Any]]) -> Understood:
    """What a pack means, if it means the same in JSON and in CBOR."""
    said = understood(decode, pack)
    assert understood(decode, as_cbor(pack)) == said
    return said


def test_every_form_of_a_published_pack_has_its_meaning() -> None:
    forms: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for message in messages("senml_rfc8428"):
        example, _, form = message["source"].rpartition(":")[2].partition(".")
        forms[example].append((form, message["payload"]))
    assert {name: len(all_) for name, all_ in forms.items()} == {
        "ex1": 3, "ex2": 3, "ex6": 4, "ex9": 3, "ex11": 4, "ex13": 2
    }  # fmt: skip
    for example, meant in MEANT.items():
        for form, payload in forms[example]:
            for bytes_ in (payload, as_cbor(orjson.loads(payload))):
                said = said_of(bytes_)
                if example in UNDATED and "resolved" in form:
                    assert {time for *_, time in said} == {"2017-06-29T23:49:39+00:00"}
                    said = [(device, metric, value, None) for device, metric, value, _ in said]
                assert said == meant, (example, form)
    for _, payload in forms["ex13"]:  # dims two lights: a command, in a unit that tells nothing
        assert understood(decode, payload)["rejected"].startswith(
            "no_reading: no record is of a known quantity: \"2001:db8::3 in '/'"
        )


def test_data_types_of_section_5_1_4() -> None:
    pack: list[dict[str, Any]] = [
        {"bn": f"{WIRE}:", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfv-reader", "vd": "aGkgCg"},
    ]
    said = understood(decode, pack)
    assert said["readings"][0]["device"] == WIRE
    assert [(e["device"], e["attributes"]) for e in said["events"]] == [
        (WIRE, {"label": "Machine Room", "nfv-reader": "aGkgCg"})
    ]
    pack[3]["vd"] = b"hi \n"
    assert understood(decode, as_cbor(pack)) == said


@pytest.mark.parametrize(
    ("record", "device", "expected"),
    [
        ({"n": "a/battery", "u": "%EL", "v": 80}, "a", {"battery": 80.0}),
        ({"n": "a:battery", "u": "/", "v": 0.8}, "a", {"battery": 80.0}),
        ({"n": "a:battery", "u": "V", "v": 3.1}, "a", {"battery_voltage": 3.1}),
        ({"n": "a/b/heart_rate", "u": "beat/min", "v": 61}, "a/b", {"pulse": 61.0}),
        ({"n": "a:temp", "u": "K", "v": 300}, "a", {"temperature": 26.85}),
        ({"n": "urn:dev:ow:2644_humidity", "u": "%RH", "v": 40}, "urn:dev:ow:2644",
         {"humidity": 40.0}),
        ({"n": "urn:dev:os:1-a_b_heart_rate", "v": 70}, "urn:dev:os:1-a_b", {"pulse": 70.0}),
        ({"n": "a_humidity", "u": "%RH", "v": 40}, "a_humidity", {"humidity": 40.0}),
        ({"n": "2001:db8::3", "u": "lx", "v": 5}, "2001:db8::3", {"illuminance": 5.0}),
        ({"n": "temperature", "v": 20}, None, {"temperature": 20.0}),
        ({"n": "a:door", "vb": True}, "a", {"door_open": 1.0}),
        ({"n": "a:door", "vs": "closed"}, "a", {"door_open": 0.0}),
        ({"n": "a:contact", "vb": True}, "a", {"door_open": 0.0}),
        ({"n": "a:contact", "vs": "open"}, "a", {"door_open": 1.0}),
        ({"n": "a:contact", "v": 0}, "a", {"door_open": 1.0}),
        ({"n": "a:noise", "u": "dBA", "v": 50}, "a", {"noise": 50.0}),
        ({"n": "a:rssi", "u": "dBm", "v": -90}, "a", {"rssi": -90.0}),
        ({"n": "a:motion", "v": 1}, "a", {"motion": 1.0}),
        ({"n": "a:gas", "vb": False}, "a", {"gas": 0.0}),
        ({"n": "a:gas", "u": "m3", "v": 12.5}, "a", {"gas_volume": 12.5}),
        ({"n": "a:water", "u": "l", "v": 1250}, "a", {"water_volume": 1.25}),
        ({"n": "a:water", "vb": True}, "a", {"water_leak": 1.0}),
        ({"n": "a:sos", "vb": True}, "a", {"sos": 1.0}),
        ({"n": "a:power", "u": "W", "v": 100, "s": 7.2e6}, "a", {"power": 100.0, "energy": 2.0}),
        ({"n": "a:power", "u": "W", "s": 3.6e6}, "a", {"energy": 1.0}),
    ],
)  # fmt: skip
def test_names_and_units(
    record: dict[str, Any], device: str | None, expected: dict[str, float]
) -> None:
    said = both([record])
    assert values(said) == pytest.approx(expected)
    assert {one["device"] for one in [*said["readings"], *said["events"]]} == {device}


def test_base_fields_hold_until_they_are_replaced() -> None:
    pack = [
        {"bn": "a:", "bt": 1_500_000_000, "bu": "Cel", "bv": 20, "n": "temp", "v": 1.5},
        {"n": "humidity", "u": "%RH", "v": 20},
        {"bn": "b:", "n": "temp", "v": -1, "t": 60},
        {"n": "temp", "t": 120},
        {"bv": 0, "bt": 1_600_000_000, "n": "temp", "v": 5},
    ]
    assert said_of(pack) == said_of(as_cbor(pack)) == [
        ("a", "temperature", 21.5, "2017-07-14T02:40:00+00:00"),
        ("a", "humidity", 40.0, "2017-07-14T02:40:00+00:00"),
        ("b", "temperature", 19.0, "2017-07-14T02:41:00+00:00"),
        ("b", "temperature", 20.0, "2017-07-14T02:42:00+00:00"),
        ("b", "temperature", 5.0, "2020-09-13T12:26:40+00:00"),
    ]  # fmt: skip


def test_a_base_sum_is_added() -> None:
    pack = [{"bn": "a:", "bu": "W", "bs": 3.6e6}, {"n": "power", "s": 3.6e6}, {"n": "power"}]
    assert [value for _, _, value, _ in said_of(pack)] == [2.0, 1.0]


def test_values_of_one_device_and_time_are_one_observation() -> None:
    pack: list[dict[str, Any]] = [
        {"bn": "a:", "n": "temp", "u": "Cel", "v": 20},
        {"n": "humidity", "u": "%RH", "v": 40},
        {"n": "temp", "u": "Cel", "v": 21},
        {"n": "battery", "u": "%EL", "v": 9, "t": 1_500_000_000.25},
    ]
    seen = decode(TOPIC, orjson.dumps(pack))
    assert [(one.device, one.time, dict(one.values)) for one in seen] == [
        ("a", None, {"temperature": 20.0, "humidity": 40.0}),
        ("a", None, {"temperature": 21.0}),
        ("a", 1_500_000_000_250_000, {"battery": 9.0}),
    ]


@pytest.mark.parametrize("now", [{}, {"t": 0}, {"t": -1}, {"t": 0.5}, {"bt": -5, "t": 5}])
def test_now_is_dated_by_its_arrival(now: dict[str, Any]) -> None:
    assert said_of([{"n": "a:temp", "u": "Cel", "v": 20} | now]) == [
        ("a", "temperature", 20.0, None)
    ]


def test_a_record_that_cannot_be_read_does_not_spoil_the_others() -> None:
    pack: list[dict[str, Any]] = [
        {"bn": "a:", "n": "temp", "u": "Cel", "v": 20},
        {"n": "temp", "u": "Cel", "v": 19, "t": -5},
        {"n": "humidity", "u": "Cel", "v": 5},
        {"n": "door", "v": 0.5},
        {"n": "battery", "vb": True},
        {"n": "pressure", "v": 101325},
        {"n": "voltage", "v": "12"},
        {"n": "smoke", "v": 1, "vb": True},
        {"n": "spo2"},
        {"n": "fan", "u": "/", "v": 1},
    ]
    said = both(pack)
    assert values(said) == {"temperature": 20.0}
    assert said["problems"] == [
        (
            "bad_payload: record 2 has the time -5 s relative to its arrival, which a format does"
            " not know; send seconds since 1970"
        ),
        "bad_payload: record 7: 'v' is '12', not a number",
        "bad_payload: record 8 has more than one value: v, vb",
        "bad_payload: record 9 has neither a value nor a sum nor a base field",
        "bad_payload: record 3: 'humidity': unit 'Cel' does not fit humidity, in %",
        "bad_payload: record 4: 'door' is 0.5, which is no value of it",
        "bad_payload: record 5: 'battery' is True, not a number",
        "bad_payload: record 6: 'pressure' has no unit",
    ]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ([], "no_reading: the pack holds no record"),
        ([{"bn": "a:"}], "no_reading: no record holds a value"),
        ([{"n": "a:sos", "vb": False}], "no_reading: no record holds a value"),
        ([{"n": "a:temp", "v": 1, "size_": 2}], "bad_payload: record 1 has the field 'size_'"),
        ([{"bver": 11, "n": "a:temp", "v": 1}], "bad_payload: record 1 is of version 11; 10 is"),
        ([{"bver": True, "n": "a:temp", "v": 1}], "bad_payload: record 1: 'bver' is True"),
        ([{"bn": 5}, {"n": "a:temp", "v": 1}], "bad_payload: record 1: 'bn' is 5, not a text"),
        ([{"bt": None}, {"n": "a:temp", "v": 1}], "bad_payload: record 1: 'bt' is None"),
        ([{"v": 1, "u": "Cel"}], "bad_payload: record 1 has no name"),
        ([{"n": "/a", "v": 1, "u": "Cel"}], "bad_payload: record 1 has the name '/a'"),
        ([{"n": "küche", "v": 1, "u": "Cel"}], "bad_payload: record 1 has the name 'küche'"),
        ([{"n": "a", "v": 1, "u": "Cel", "t": 1e300}], "bad_payload: record 1 has the time 1e+300"),
        ([{"n": "a", "v": 1, "u": "Cel", "t": 3600}], "bad_payload: record 1 has the time 3600 s"),
        ([{"bv": 1e308, "n": "a", "v": 1e308}], "bad_payload: record 1: 'v' and its base are too"),
        ([{"n": "a", "v": 1, "u": "kg"}], "no_reading: no record is of a known quantity"),
        ([{"n": "a:humidity", "v": 1e308, "u": "/"}], "bad_payload: record 1: 'humidity' is 1e+30"),
        ([{"n": "a:hr", "v": 60, "u": "V"}], "bad_payload: record 1: 'hr': unit 'V' does not fit"),
        ([{"n": "a:temp", "v": 60, "u": "beat/min"}], "bad_payload: record 1: 'temp': unit 'beat"),
        ([{"n": "a:sos", "vs": "off"}], "no_reading: no record holds a value"),
        ([{"bn": "a_" * 120, "n": "b_" * 10, "v": 1}], "bad_payload: record 1 has a name of 260"),
        ([{"n": "a:door", "v": 1, "u": "dB"}], "bad_payload: record 1: 'door': unit 'dB' does not"),
        ([{"n": "a:noise", "v": 1, "u": "dBm"}], "bad_payload: record 1: 'noise': unit 'dBm' does"),
        ([{"n": "a:voltage", "s": 5, "u": "V"}], "no_reading: record 1: a sum of 'a:voltage'"),
        ([{"n": "a:label", "vs": "x" * 5_000}], "bad_payload: what it says beside numbers takes"),
        ([5], "bad_payload: record 1 is 5, not a map"),
    ],
)  # fmt: skip
def test_refused_with_a_reason(pack: Any, reason: str) -> None:
    assert understood(decode, pack)["rejected"].startswith(reason)
    if pack != [5]:
        assert both(pack)["rejected"].startswith(reason)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "bad_payload: payload is not JSON"),
        (b"\xff", "bad_payload: payload is not JSON"),
        (b'{"n": "a", "v": 1}', "bad_payload: payload is {'n': 'a', 'v': 1}, not an array"),
        (b" [" + b" " * MAX_BYTES + b"]", "bad_payload: payload has 262147 bytes; 262144 are read"),
        (b"[" * 5_000, "bad_payload: payload is not JSON"),
        (b"\x81" * 5_000, "bad_payload: payload is not CBOR"),
        (b"\x9b\x00\xff\xff\xff\xff\xff\xff\xff", "bad_payload: payload is not CBOR"),
        (b"\x81\xa1\x00\x7b\x00\xff\xff\xff\xff\xff\xff\xff", "bad_payload: payload is not CBOR"),
        (b"\x81\xa1\x00\x62\xff\xff", "bad_payload: payload is not CBOR"),
        (b"\x81\xa2\x00\x61a\x00\x61b", "bad_payload: payload is not CBOR"),
        (b"\x81\xa2\x00\x61a\x61n\x61b", "bad_payload: record 1 has the field 'n' twice"),
        (b"\x81\xa1\xf5\x61a", "bad_payload: record 1 has the label True"),
        (b"\x81\xa1\x41a\x61a", "bad_payload: record 1 has the label b'a'"),
        (b"\xd9\xd9\xf7\x80", "bad_payload: payload is not CBOR"),
        (b"\xd8\x1c\x81\xd8\x1d\x00", "bad_payload: payload is not CBOR"),
        (b"\x80\x00", "bad_payload: payload goes on after its CBOR ends, at byte 1"),
        (b"\x81\x01", "bad_payload: record 1 is 1, not a map"),
        (b"\xc4\x82\x01\x02", "bad_payload: payload is 20.0, not an array"),
    ],
)
def test_refused_bytes(payload: bytes, reason: str) -> None:
    assert understood(decode, payload)["rejected"].startswith(reason)


def cbor_value(encoded: bytes) -> bytes:
    """[{n: 'a:temp', u: 'Cel', v: …}] with these bytes as the value."""
    return b"\x81\xa3\x00\x66a:temp\x01\x63Cel\x02" + encoded


@pytest.mark.parametrize(
    ("encoded", "value"),
    [(b"\x17", 23.0), (b"\x24", -5.0), (b"\xf9\x4d\xc0", 23.0), (b"\xc4\x82\x20\x18\xe7", 23.1)],
)
def test_cbor_numbers(encoded: bytes, value: float) -> None:
    """Integers, half floats and decimal fractions (tag 4), as section 6 allows."""
    assert said_of(cbor_value(encoded)) == [("a", "temperature", value, None)]


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xf9\x7e\x00",  # not a number
        b"\xf9\x7c\x00",  # infinite
        b"\xf7",  # undefined
        b"\xf8\xff",  # a simple value
        b"\xc1\x00",  # a date
        b"\xc2\x49" + b"\xff" * 9,  # a big integer
        b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",  # 1e9223372036854775807
        b"\xc4\x82\x19\x01\x90\x01",  # 1e400
        b"\xd8\x23\x61(",  # a regular expression
    ],
)
def test_what_is_no_number_in_cbor_is_refused(encoded: bytes) -> None:
    assert understood(decode, cbor_value(encoded))["rejected"].startswith("bad_payload: ")


def test_more_than_23_records_and_a_stream() -> None:
    """Arrays of 24 and more have a length of their own; a stream's array is indefinite."""
    records = [{"n": f"a{i}:temp", "u": "Cel", "v": i} for i in range(27)]
    assert as_cbor(records)[:2] == b"\x98\x1b"
    assert len(said_of(as_cbor(records))) == 27
    stream = b"\x9f" + as_cbor(records)[2:] + b"\xff"
    assert said_of(stream) == said_of(records)


def test_every_quantity_and_unit_names_a_metric() -> None:
    assert {metric for all_ in QUANTITIES.values() for metric in all_} <= BY_NAME.keys()
    assert set(UNITS.values()) <= BY_NAME.keys()


def checked(payload: bytes) -> None:
    try:
        seen = decode(TOPIC, payload)
    except FormatError:
        return
    assert seen
    for one in seen:
        assert one.values or one.attributes
        assert all(math.isfinite(value) for value in one.values.values())
        orjson.dumps(dict(one.attributes))


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["a:temp", "a:door", "Cel", "W", "/", "count", "open", "urn:dev:ow:1_gas"])
    | st.sampled_from(["a:hr", "beat/min", "dB", "dBm", "a:noise", "a:rssi"])
)  # fmt: skip
RECORDS = st.lists(
    st.dictionaries(st.sampled_from([*LABELS, "x", "x_"]), SCALARS | st.lists(SCALARS), max_size=5),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda b: b"\x81\xa1\x00" + b),
        RECORDS.map(as_cbor),
        RECORDS.map(lambda r: json.dumps(r).encode()),
    ),
    st.integers(0, 200),
    st.binary(max_size=3),
)
def test_nothing_but_a_format_error_is_raised(payload: bytes, at: int, put: bytes) -> None:
    checked(payload)
    checked(payload[:at] + put + payload[at + len(put) :])
