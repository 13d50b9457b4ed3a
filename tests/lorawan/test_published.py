"""Every published frame of every model: what it is read as, and that nothing is read beyond it."""

from collections.abc import Iterator
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.lorawan import MODELS, read_frame
from devices.metric import BY_NAME
from tests.formats.published import messages

ALIVE = {"heartbeat": 1.0}
LOW = {"battery_low": 0.0}
V3 = LOW | {"battery_voltage": 3.0}
V12 = LOW | {"battery_voltage": 12.0}
OK = {"fault": 0.0}
DOOR = {"battery_voltage": 2.952, "door_open": 0.0, "door_open_count": 9472.0}
MOKO = {"battery_low": 0.0, "tamper": 0.0, "battery_voltage": 3.4}
DUST = V12 | {"pm2_5": 200.0, "pm10": 700.0}
NO = None

PUBLISHED: dict[str, list[dict[str, float] | None]] = {
    "nwave/nps310sm": [{"occupied": 1.0}, {"occupied": 0.0}, {"occupied": 0.0} | ALIVE],
    "nwave/ncc405": [{"vehicle_count": 1706.0}, {"battery_voltage": 2.908} | ALIVE, ALIVE],
    "dragino/lds02": [DOOR, NO],
    "dragino/lwl01": [DOOR, NO],
    "dragino/lwl02": [DOOR, NO],
    "dragino/lds03a": [ALIVE, NO],
    "netvox/r311a": [
        ALIVE,
        V3 | {"door_open": 1.0},
        {"battery_low": 1.0, "battery_voltage": 2.3, "door_open": 1.0},
        ALIVE,
        ALIVE,
    ],
    "netvox/r311g": [ALIVE, V3 | {"illuminance": 120.0}, ALIVE, ALIVE],
    "netvox/rb02i": [ALIVE, V3, ALIVE, ALIVE, ALIVE, ALIVE],
    "netvox/r311w": [ALIVE, V3 | {"water_leak": 1.0}, ALIVE, ALIVE],
    # Published as Status_2 ON; a seat occupancy sensor, though its category is "water_leak".
    "netvox/r311wa": [ALIVE, V3 | {"presence": 1.0}, ALIVE, ALIVE],
    "netvox/r718wa": [ALIVE, V3 | {"water_leak": 1.0}, ALIVE, ALIVE],
    "netvox/ra0715": [
        ALIVE,
        DUST,
        DUST,
        V12,
        V12,
        V12 | {"co_concentration": 20.0},
        V12,
        V12 | {"co2_concentration": 500.0},  # NH3 and noise: no sensor
        V12,
        V12,
        V12,
        V12,
        V12 | {"temperature": -20.0, "humidity": 10.0},
        V12,
        V12,
        ALIVE,
        ALIVE,
    ],
    "laird/rs1xx-ext-multi-sensor": [
        OK | {"temperature": 98.67, "humidity": 52.33, "battery": 80.0},  # published: "80-100%"
        OK | ALIVE | {"battery": 80.0},  # its two readings are of earlier
        OK | ALIVE,
        OK | ALIVE,
        OK | ALIVE,
        OK | ALIVE,
        OK | ALIVE,
        OK | ALIVE,
        OK | {"door_open": 1.0},
        OK | {"battery_voltage": 3.01},
    ],
    "browan/tbpb100": [{"sos": 1.0, "battery_voltage": 3.9, "temperature": 23.0}, NO],
    "browan/tbms100": [
        {"motion": 1.0, "battery_voltage": 3.6, "temperature": 20.0, "motion_count": 96476.0},
        NO,
    ],
    "browan/tbwl100": [
        {"water_leak": 1.0, "battery_voltage": 3.6, "humidity": 40.0, "temperature": 22.0},
        NO,
    ],
    "elsys/ers": [{"temperature": 22.6, "humidity": 41.0, "illuminance": 39.0, "motion": 1.0}],
    "elsys/ems-desk": [{"temperature": 22.6, "humidity": 41.0, "presence": 1.0}],
    "moko/lw001-bg": [
        MOKO | ALIVE | {"motion": 1.0, "temperature": 30.0},
        MOKO | {"motion": 0.0, "temperature": 31.0},
    ],
    "mclimate/flood-sensor": [{"water_leak": 0.0, "tamper": 1.0, "battery_voltage": 3.216}],
    "aquascope/wwd": [
        {"water_leak": 1.0, "battery": 100.0, "temperature": 29.0},
        {"water_leak": 0.0, "battery": 100.0, "temperature": 29.0},
        NO,
    ],
    "digital-matter/oyster": [{"battery_voltage": 5.55}, {"battery_voltage": 4.75}],
    "abeeway/asset-tracker-2": [
        {"temperature": 25.3, "motion": 0.0},
        {"temperature": 23.8, "motion": 0.0},
    ],
}
"""What each published frame is read as, in the order of the file; None where it is refused."""


def read(model: str, port: int, frame: bytes) -> dict[str, float] | None:
    try:
        return dict(read_frame(model, port, frame).values)
    except FormatError:
        return None


def frames() -> Iterator[tuple[str, int, bytes]]:
    for one in messages("ttn_lorawan_codec_examples"):
        yield one["device"], one["payload"]["fPort"], bytes(one["payload"]["bytes"])


def test_every_published_frame_has_its_published_meaning() -> None:
    found: dict[str, list[dict[str, float] | None]] = {}
    for model, port, frame in frames():
        found.setdefault(model, []).append(read(model, port, frame))
    assert found == PUBLISHED
    assert found.keys() <= MODELS.keys()


def test_a_frame_published_with_errors_is_refused_and_names_the_ports() -> None:
    with pytest.raises(FormatError, match=r"unknown fPort 42; dragino/lds02 sends on 10$"):
        read_frame("dragino/lds02", 42, b"\x0b\x88\x01")
    with pytest.raises(FormatError, match=r"lds03a sends on 2, 3, 4, 5$"):
        read_frame("dragino/lds03a", 42, b"")


# These formats are rows of fields or have an optional last part: a beginning of a frame is a frame.
SHORTER_IS_VALID = {"elsys/ers", "elsys/ems-desk", "dragino/lds02", "dragino/lwl01"} | {
    "dragino/lwl02",
    "mclimate/flood-sensor",
    "abeeway/asset-tracker-2",
}


def test_a_beginning_of_a_frame_is_refused_or_read_for_what_is_whole() -> None:
    for model, port, frame in frames():
        whole = read(model, port, frame)
        for length in range(len(frame)):
            part = read(model, port, frame[:length])
            if part is None or whole is None:
                assert part is None
                continue
            assert model in SHORTER_IS_VALID, (model, length)
            assert part.items() <= whole.items(), (model, length)


@pytest.mark.parametrize("model", sorted(MODELS))
@given(port=st.integers(0, 255), frame=st.binary(max_size=64))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_values_of_known_metrics_or_refused(
    model: str, port: int, frame: bytes
) -> None:
    values = read(model, port, frame)
    assert values is None or (values and values.keys() <= BY_NAME.keys())
    assert values is None or all(isfinite(v) for v in values.values())


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_published_frame_with_bytes_changed_is_values_or_refused(data: st.DataObject) -> None:
    model, port, frame = data.draw(st.sampled_from(list(frames())))
    changed = bytearray(frame)
    for at in data.draw(st.lists(st.integers(0, len(frame) - 1), max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    values = read(model, port, bytes(changed))
    assert values is None or values.keys() <= BY_NAME.keys()


def test_a_model_that_is_not_known_is_refused_with_the_nearest() -> None:
    with pytest.raises(FormatError, match=rf"'dragino/lds2'; {len(MODELS)} are known, the nearest"):
        read_frame("dragino/lds2", 10, b"")
    with pytest.raises(FormatError, match="the nearest is 'netvox/r311a'"):
        read_frame("Netvox/R311AA", 6, b"")
    assert read_frame("Nwave/NPS310SM", 1, b"\1").values == {"occupied": 1.0}
