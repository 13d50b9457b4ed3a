"""States of the models that no published frame shows, and what is refused, with its reason."""

import pytest

from devices.errors import FormatError
from devices.lorawan import read_frame

CASES: list[tuple[str, int, str, dict[str, float]]] = [
    ("dragino/lds02", 10, "8b8801000001000000 01", {"door_open": 1, "door_held_open": 1}),
    ("dragino/lds02", 10, "0b8801000001000000 01", {"door_open": 0}),
    ("dragino/lwl01", 10, "4b8802000001000000 00", {"water_leak": 1}),
    ("dragino/lwl02", 10, "cb8803000001000000 00", {"water_leak": 1, "door_open": 1}),
    ("dragino/lds03a", 2, "01000102 000005 60d4c2a1", {"door_open": 1, "door_open_count": 258}),
    ("dragino/lds03a", 5, "0a0100 01ff 0d8d", {"battery_voltage": 3.469, "heartbeat": 1}),
    ("netvox/r311a", 6, "0102011e00000000000000", {"door_open": 0}),
    ("netvox/r311a", 6, "0102010001000000000000", {"door_open": 1, "battery_low": 0}),
    ("netvox/rb02i", 6, "0110011e01000000000000", {"sos": 1}),
    ("netvox/r311w", 6, "0106011e00000000000000", {"water_leak": 0}),
    ("netvox/ra0715", 6, "01050778ffffffff028a00", {"noise": 65.0}),
    ("browan/tbpb100", 147, "00fe370000040000", {"battery_voltage": 3.9}),
    ("elsys/ers", 5, "01ff9c 070e10 1200 1532 2d", {"temperature": -10, "noise": 45}),
    ("elsys/ers", 5, "14000f6950", {"air_pressure": 1010.0}),
    ("elsys/ems-desk", 5, "1100 1201", {"presence": 0, "water_leak": 1}),
    ("elsys/ems-desk", 5, "1101", {"heartbeat": 1}),
    ("elsys/ers", 5, "1101", {"heartbeat": 1}),
    ("laird/rs1xx-ext-multi-sensor", 1, "01102134cee70001000000", {"fault": 1}),
    ("laird/rs1xx-ext-multi-sensor", 1, "01102134cef60000000000", {"temperature": -10.5}),
    ("laird/rs1xx-ext-multi-sensor", 1, "090000000101", {"door_open": 0}),
    ("laird/rs1xx-ext-multi-sensor", 1, "090001010101", {"heartbeat": 1, "fault": 0}),
    ("moko/lw001-bg", 7, "09fbc007e6080309140400", {"tamper": 1}),
    ("mclimate/flood-sensor", 2, "22c915", {"water_leak": 1, "test": 1, "temperature": 21}),
    ("digital-matter/oyster", 4, "00000000000000a004", {"battery_voltage": 4.0}),
    ("digital-matter/oyster", 2, "810203", {"heartbeat": 1}),
    ("abeeway/asset-tracker-2", 18, "0514c18900", {"sos": 1, "motion": 1, "heartbeat": 1}),
    ("aquascope/wwd", 16, "0050fffb", {"battery": 80, "temperature": -5}),
    ("elsys/ers", 5, "060320 070e10 1102 1201", {"co2_concentration": 800, "presence": 1}),
    ("elsys/ems-desk", 5, "060320 070e10 0501", {"motion": 1, "battery_voltage": 3.6}),
    ("elsys/ems-desk", 5, "14000f6950 15322d 040027", {"air_pressure": 1010, "noise": 45}),
    ("nwave/nps310sm", 3, "010d000201", {"occupied": 1, "heartbeat": 1}),
    ("nwave/nps310sm", 1, "fe", {"occupied": 0}),
    ("dragino/lds02", 10, "4b8802000001000000 00", {"water_leak": 1}),
    ("dragino/lwl01", 10, "8b8803000001000000 01", {"door_open": 1, "door_held_open": 1}),
    ("dragino/lwl02", 10, "8b8801000001000000 01", {"door_open": 1, "door_held_open": 1}),
    ("dragino/lds03a", 2, "03000102 000005 60d4c2a1", {"door_open": 1, "door_held_open": 1}),
]
"""Model, fPort, frame, and what it must be read as among others."""


@pytest.mark.parametrize(("model", "port", "frame", "expected"), CASES)
def test_values(model: str, port: int, frame: str, expected: dict[str, float]) -> None:
    values = read_frame(model, port, bytes.fromhex(frame)).values
    assert {name: values.get(name) for name in expected} == expected
    assert "door_held_open" in expected or "door_held_open" not in values
    assert "sos" in expected or "sos" not in values


def test_which_probe_is_wet_is_a_fact() -> None:
    wet = read_frame("netvox/r311w", 6, bytes.fromhex("0106011e00010000000000"))
    assert wet.attributes == {"channels": [2]}
    assert not read_frame("netvox/r311w", 6, bytes.fromhex("0106011e00000000000000")).attributes


@pytest.mark.parametrize(
    ("model", "port", "frame", "why"),
    [
        ("elsys/ers", 5, "", "frame ends early: bytes 0 to 0 are needed, it has 0 bytes"),
        ("elsys/ers", 5, "0100e20229 04", "bytes 6 to 7 are needed, it has 6 bytes"),
        ("elsys/ers", 5, "0100e2fa", "byte 3, the type of a field, is 250"),
        ("elsys/ems-desk", 5, "1107", "byte 1, the occupancy, is 7"),
        ("netvox/r311a", 6, "0104011e00780000000000", "device type, is 4; this model's is 2"),
        ("netvox/r311a", 6, "0102021e00780000000000", "the report type, is 2"),
        ("netvox/r311a", 6, "0102011e02000000000000", "byte 4, a state, is 2"),
        ("netvox/r311a", 7, "8302000000000000000000", "the command, is 131"),
        ("netvox/ra0715", 6, "01050f7800000000000000", "the report type, is 15"),
        ("nwave/nps310sm", 1, "0100", "frame has 2 bytes, not 1"),
        ("dragino/lds02", 10, "0b8804", "the mode, is 4"),
        ("dragino/lds03a", 3, "00" * 11, "recorded earlier"),
        ("laird/rs1xx-ext-multi-sensor", 1, "0b00", "kind of the message, is 11"),
        ("laird/rs1xx-ext-multi-sensor", 1, "01002134436209000000 01", "the battery, is 9"),
        ("laird/rs1xx-ext-multi-sensor", 1, "0a00ff03", "-1 hundredths and 3 whole"),
        ("abeeway/asset-tracker-2", 18, "0600c18900", "type of the message, is 6"),
        ("mclimate/flood-sensor", 2, "88c9", "the reason, bits 5 to 7 of byte 0, is 4"),
    ],
)
def test_refused_with_a_reason(model: str, port: int, frame: str, why: str) -> None:
    with pytest.raises(FormatError, match=why.replace(".", r"\.")):
        read_frame(model, port, bytes.fromhex(frame))
