"""The published LoRaWAN frames as messages, and what a message may not be."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.lorawan import decode
from devices.lorawan import read_frame
from devices.topic import Direction, UpTopic
from tests.formats.published import messages
from tests.formats.said import understood, values

TOPIC = UpTopic("c", None, Direction.UP, "lorawan", "")
DOOR: dict[str, Any] = {
    "device": "dragino/lds02",
    "fPort": 10,
    "bytes": [139, 136, 1, 0, 37, 0, 1],
    "devEui": "A84041000181C061",
    "time": "2026-11-21T08:00:00Z",
}


def test_the_published_frames_say_what_their_model_reads() -> None:
    """What each is read as stands in tests/lorawan; here, that the message loses nothing of it."""
    seen = 0
    for one in messages("ttn_lorawan_codec_examples"):
        payload = orjson.dumps(one["payload"] | {"device": one["device"]})
        port, frame = one["payload"]["fPort"], bytes(one["payload"]["bytes"])
        if "errors" in one["decoded"] and one["decoded"]["errors"]:
            with pytest.raises(FormatError, match=f"unknown fPort {port}; "):
                decode(TOPIC, payload)
            continue
        (heard,) = decode(TOPIC, payload)
        assert heard.values == read_frame(one["device"], port, frame).values
        assert (heard.device, heard.problems) == ("", ())
        seen += 1
    assert seen == 78


def test_the_device_is_the_eui_and_the_time_the_network_servers() -> None:
    said = understood(decode, DOOR)
    assert values(said) == {"battery_voltage": 2.952, "door_open": 1.0, "door_open_count": 9472.0}
    assert {(r["device"], r["time"]) for r in said["readings"]} == {
        ("a84041000181c061", "2026-11-21T08:00:00+00:00")
    }


@pytest.mark.parametrize(
    ("change", "time"),
    [
        ({"time": None, "recvTime": "2026-11-21T09:00:00+01:00"}, "2026-11-21T08:00:00+00:00"),
        ({"time": "2026-11-21T08:00:00"}, None),
        ({"time": 7}, None),
    ],
)
def test_a_time_without_offset_is_no_instant(change: dict[str, Any], time: str | None) -> None:
    assert understood(decode, DOOR | change)["readings"][0]["time"] == time


def test_bytes_may_be_hexadecimal() -> None:
    assert understood(decode, DOOR | {"bytes": "8B880100250001"}) == understood(decode, DOOR)
    assert understood(decode, DOOR | {"bytes": "8b 88 01 00 25 00 01"}) == understood(decode, DOOR)


def test_facts_beside_the_values() -> None:
    frame = {"device": "netvox/r311w", "fPort": 6, "bytes": "0106011e00010000000000"}
    (event,) = understood(decode, frame)["events"]
    assert event["attributes"] == {"channels": [2]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"device": None}, "'device' is None, not a model"),
        ({"device": "dragino/lds2"}, "unknown LoRaWAN device 'dragino/lds2'; "),
        ({"device": ""}, "unknown LoRaWAN device ''; "),
        ({"fPort": 42}, "unknown fPort 42; dragino/lds02 sends on 10"),
        ({"fPort": True}, "'fPort' is True, not a number from 0 to 255"),
        ({"fPort": "10"}, "'fPort' is '10', not a number"),
        ({"fPort": 256}, "'fPort' is 256, not a number"),
        ({"bytes": None}, "'bytes' is None, not a list"),
        ({"bytes": [1, 256]}, "'bytes' has 256 at 1, not a number from 0 to 255"),
        ({"bytes": [1, True]}, "'bytes' has True at 1"),
        ({"bytes": [1.0]}, "'bytes' has 1.0 at 0"),
        ({"bytes": "0b8"}, "'bytes' is '0b8', which is not hexadecimal"),
        ({"bytes": [0] * 256}, "'bytes' are 256; a frame has at most 255"),
        ({"bytes": []}, "frame ends early: bytes 0 to 1 are needed, it has 0 bytes"),
        ({"devEui": "x"}, "'devEui' is 'x', not 16 hexadecimal digits"),
    ],
)
def test_refused_with_a_reason(change: dict[str, Any], reason: str) -> None:
    assert understood(decode, DOOR | change)["rejected"].startswith(f"bad_payload: {reason}")


@pytest.mark.parametrize("depth", [900, 1_000, 1_020, 5_000])
@pytest.mark.parametrize("name", ["device", "fPort", "bytes", "devEui", "time", ""])
def test_a_message_nested_deeply_is_refused(name: str, depth: int) -> None:
    """orjson reads 1,023 levels, more than Python's repr of them can."""
    nested = "[" * depth + "]" * depth
    payload = orjson.dumps(DOOR)[:-1] + f', "{name}": {nested}}}'.encode() if name else nested
    if name == "time" and depth < 1_024:  # a time that is none is left out
        assert "readings" in understood(decode, payload)
    else:
        assert understood(decode, payload)["rejected"].startswith("bad_payload: ")


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(payload=st.binary(max_size=80), change=st.dictionaries(st.sampled_from([*DOOR]), _ANY))
@settings(max_examples=200, deadline=None)
def test_nothing_but_a_format_error_is_raised(payload: bytes, change: dict[str, Any]) -> None:
    try:
        changed = orjson.dumps(DOOR | change)
    except (TypeError, orjson.JSONEncodeError):
        changed = b"{"
    for one in (payload, changed):
        try:
            heard = decode(TOPIC, one)
        except FormatError:
            continue
        assert all(math.isfinite(v) for observation in heard for v in observation.values.values())
