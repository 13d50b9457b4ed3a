"""The native format: what device makers may send, and what each mistake is told."""

from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FormatError, RejectReason
from devices.formats import decode
from devices.formats.fields import MAX_ATTRIBUTES
from devices.instant import to_micros
from devices.reading import Observation
from devices.topic import UpTopic, parse

UP = parse("gw/v1/c1/d1/up")
STATUS = parse("gw/v1/c1/d1/status")
NOON = to_micros(datetime(2026, 11, 21, 4, 0, 0, 123_000, tzinfo=UTC))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
near_misses = st.dictionaries(
    st.sampled_from(["ts", "values", "attributes", "device", "value", ""]),
    json_values | st.dictionaries(st.text(), st.floats() | st.booleans()),
)


def reject(topic: UpTopic, payload: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        decode(topic, payload)
    assert caught.value.reason is RejectReason.BAD_PAYLOAD
    return caught.value.detail


@pytest.mark.parametrize(
    "ts",
    [
        b"1795233600123",
        b'"2026-11-21T04:00:00.123Z"',
        b'"2026-11-21T12:00:00.123+08:00"',
    ],
)
def test_time_is_milliseconds_or_rfc_3339(ts: bytes) -> None:
    payload = b'{"ts": %b, "values": {"spo2": 97}}' % ts
    assert decode(UP, payload) == [Observation("d1", NOON, {"spo2": 97.0})]


def test_an_array_holds_several_observations() -> None:
    payload = b"""[{"values": {"door_open": true, "battery": 3.5}},
                   {"device": "d2", "values": {"motion": false}, "attributes": {"a": [1, null]}}]"""
    assert decode(UP, payload) == [
        Observation("d1", None, {"door_open": 1.0, "battery": 3.5}),
        Observation("d2", None, {"motion": 0.0}, {"a": [1, None]}),
    ]


@pytest.mark.parametrize(("word", "value"), [(b"online", 1.0), (b"offline\n", 0.0)])
def test_status_is_a_heartbeat_of_one_or_zero(word: bytes, value: float) -> None:
    assert decode(STATUS, word) == [Observation("d1", None, {"heartbeat": value})]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"", "not JSON"),
        (b"\xff\x00", "not JSON"),
        (b"[" * 2_000, "not JSON"),
        (b"[]", "empty array"),
        (b"7", "the number 7, not an object"),
        (b'[{"values": {"spo2": 97}}, null]', "[1] is null"),
        (b'{"value": {"spo2": 97}}', "did you mean 'values'?"),
        (b'{"timestamp": 1, "values": {"spo2": 97}}', "did you mean 'ts'?"),
        (b'{"xyzzy": 1}', "one of 'attributes', 'device', 'ts', 'values'"),
        (b"{}", "neither values nor attributes"),
        (b'{"values": {}}', "neither values nor attributes"),
        (b'{"values": [97]}', "'values' is an array"),
        (b'{"values": {"spo2": "97"}}', "'spo2' is text, not a number"),
        (b'{"values": {"spo2": null}}', "'spo2' is null"),
        (b'{"values": {"spo2": NaN}}', "not JSON"),
        (b'{"values": {"spo2": 1e999}}', "not JSON"),
        (b'{"ts": 1.5, "values": {"spo2": 97}}', "the number 1.5, not whole milliseconds"),
        (b'{"ts": true, "values": {"spo2": 97}}', "a boolean"),
        (b'{"ts": "2026-11-21T04:00:00", "values": {"spo2": 97}}', "with an offset"),
        (b'{"ts": "noon", "values": {"spo2": 97}}', "'noon' is not RFC 3339"),
        (b'{"device": 5, "values": {"spo2": 97}}', "'device' is the number 5"),
        (b'{"attributes": "card"}', "'attributes' is text"),
        (b'{"attributes": {"card": "\\u0000"}}', "U+0000"),
        (b'{"attributes": {"a": "%b"}}' % (b"x" * MAX_ATTRIBUTES), "takes 4104 bytes"),
        (b'{"attributes": {"a": %b}}' % (b"[" * 500 + b"]" * 500), "cannot be kept"),
    ],
)
def test_a_bad_payload_is_told_what_is_wrong(payload: bytes, told: str) -> None:
    assert told in reject(UP, payload)


def test_a_status_that_is_no_status_is_told_so() -> None:
    assert "not 'online' or 'offline'" in reject(STATUS, b"ON")


def test_a_format_nobody_speaks_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        decode(parse("gw/v1/c1/ext/morse/x"), b"...")
    assert caught.value.reason is RejectReason.UNKNOWN_FORMAT
    assert "known: chirpstack, esprfid, " in caught.value.detail


def read_or_refuse(payload: bytes) -> None:
    for topic in (UP, STATUS):
        with suppress(FormatError):
            observations = decode(topic, payload)
            assert observations
            assert all(o.values or o.attributes for o in observations)


@given(st.binary())
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    read_or_refuse(payload)


@given(near_misses | st.lists(near_misses) | json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    read_or_refuse(orjson.dumps(value))
