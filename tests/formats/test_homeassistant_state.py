"""Home Assistant's states, by what announced them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from devices import formats
from devices.errors import FormatError
from devices.formats.announcing import announcing
from devices.formats.homeassistant_state import hear
from devices.formats.memory import NOTHING, Notes
from devices.kind import kind_told_by
from devices.topic import Direction, UpTopic

DEVICE = {"ids": ["0xd"], "name": "Hall", "mf": "Maker", "mdl": "M1"}


def said(notes: Notes, topic: str, payload: object) -> list[tuple[str, Mapping[str, float]]]:
    """Device and values of each observation."""
    return [(one.device, one.values) for one in heard(notes, topic, payload)]


def heard(notes: Notes, topic: str, payload: object) -> list[Any]:
    content = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return list(hear(UpTopic("c", None, Direction.UP, "homeassistant", topic), content, notes, 0))


def refusal(notes: Notes, topic: str, payload: object) -> str:
    with pytest.raises(FormatError) as error:
        heard(notes, topic, payload)
    return f"{error.value.reason}: {error.value.detail}"


def sensor(notes: Notes, name: str, component: str = "sensor", **config: object) -> list[str]:
    """Announce an entity; the problems with it."""
    whole = {"stat_t": "z/hall", "dev": DEVICE, "name": name, **config}
    seen = heard(notes, f"ha/{component}/0xd/{name}/config", whole)
    return [problem.detail for one in seen for problem in one.problems]


def zigbee() -> Notes:
    """A door sensor as zigbee2mqtt announces it: all its entities share one topic."""
    notes = Notes()
    avty: dict[str, Any] = {
        "availability_mode": "all",
        "availability": [
            {"topic": "z/bridge/state", "value_template": "{{ value_json.state }}"},
            {"topic": "z/hall/availability", "value_template": "{{ value_json.state }}"},
        ],
    }
    door = {"device_class": "door", "payload_on": False, "payload_off": True}
    sensor(
        notes, "door", "binary_sensor", value_template="{{ value_json.contact }}", **door, **avty
    )
    for name, unit in (("temperature", "°C"), ("battery", "%"), ("voltage", "mV")):
        config = {
            "device_class": name,
            "unit_of_measurement": unit,
            "entity_category": "diagnostic",
        }
        sensor(notes, name, value_template=f"{{{{ value_json.{name} }}}}", **config, **avty)
    sensor(notes, "linkquality", unit_of_measurement="lqi", value_template="{{ x if y }}")
    return notes


def test_entities_of_one_topic_are_one_observation_of_their_device() -> None:
    state = {
        "contact": False,
        "temperature": 21.5,
        "battery": 87,
        "voltage": 3000,
        "linkquality": 9,
    }
    (one,) = heard(zigbee(), "z/hall", state)
    assert (one.device, one.time, one.problems) == ("0xd", None, ())
    assert one.values == {
        "door_open": 1.0,
        "temperature": 21.5,
        "battery": 87.0,
        "battery_voltage": 3.0,
    }
    assert said(zigbee(), "z/hall", {"contact": True}) == [("0xd", {"door_open": 0.0})]


def test_what_is_not_in_it_is_not_said() -> None:
    assert refusal(zigbee(), "z/hall", {"linkquality": 9}) == "no_reading: it tells no known metric"


def test_a_state_that_fits_nothing_does_not_spoil_the_others() -> None:
    (one,) = heard(zigbee(), "z/hall", {"contact": "ajar", "battery": 80, "temperature": True})
    assert one.values == {"battery": 80.0}
    assert [problem.detail for problem in one.problems] == [
        "'door': state is 'ajar', neither 'False' nor 'True'",
        "'temperature': state is True, not a number",
    ]
    assert refusal(zigbee(), "z/hall", b"\xff").startswith("bad_payload: 'door': payload is not")


def test_one_of_several_availability_topics_cannot_say_that_a_device_is_there() -> None:
    notes = zigbee()
    assert refusal(notes, "z/bridge/state", {"state": "online"}).startswith("no_reading")
    assert said(notes, "z/bridge/state", {"state": "offline"}) == [("0xd", {"heartbeat": 0.0})]
    assert said(notes, "z/hall/availability", {"state": "offline"}) == [("0xd", {"heartbeat": 0.0})]
    assert "neither 'online' nor 'offline'" in refusal(notes, "z/hall/availability", {"state": "?"})


@pytest.mark.parametrize(
    ("mode", "online", "offline"), [("any", 1.0, None), ("latest", 1.0, 0.0), (None, 1.0, 0.0)]
)
def test_what_an_availability_topic_says(
    mode: str | None, online: float | None, offline: float | None
) -> None:
    notes = Notes()
    both = [{"t": "a", "pl_avail": "up", "pl_not_avail": "down"}, {"topic": "~/b"}]
    sensor(notes, "t", avty=both, avty_mode=mode, **{"~": "base"})
    for topic, word, expected in (("a", b"up", online), ("base/b", b"offline", offline)):
        if expected is None:
            assert refusal(notes, topic, word).startswith("no_reading")
        else:
            assert said(notes, topic, word) == [("0xd", {"heartbeat": expected})]


def test_one_availability_topic_is_enough() -> None:
    notes = Notes()
    sensor(notes, "t", avty_t="lwt", pl_avail="1", pl_not_avail="0", avty_mode="all")
    assert said(notes, "lwt", b"1") == [("0xd", {"heartbeat": 1.0})]


@pytest.mark.parametrize(
    ("device_class", "metric"),
    [
        ("door", "door_open"),
        ("window", "door_open"),
        ("motion", "motion"),
        ("occupancy", "presence"),
        ("smoke", "smoke"),
        ("gas", "gas"),
        ("moisture", "water_leak"),
        ("battery", "battery_low"),
        ("tamper", "tamper"),
        ("problem", "fault"),
    ],
)
def test_a_binary_sensor_is_1_when_it_is_on(device_class: str, metric: str) -> None:
    notes = Notes()
    sensor(notes, "x", "binary_sensor", dev_cla=device_class)
    assert said(notes, "z/hall", b"ON") == [("0xd", {metric: 1.0})]
    assert said(notes, "z/hall", b"OFF") == [("0xd", {metric: 0.0})]
    assert "neither 'ON' nor 'OFF'" in refusal(notes, "z/hall", b"on")


@pytest.mark.parametrize(
    ("device_class", "unit", "state", "values"),
    [
        ("temperature", "°F", b"71.6", {"temperature": 22.0}),
        ("carbon_dioxide", "ppm", b"612", {"co2_concentration": 612.0}),
        ("energy", "Wh", b"1500", {"energy": 1.5}),
        ("water", "L", b"250", {"water_volume": 0.25}),
        ("atmospheric_pressure", "kPa", b"101.3", {"air_pressure": 1013.0}),
        ("signal_strength", "dBm", b"-70", {"rssi": -70.0}),
        ("humidity", None, b"44", {"humidity": 44.0}),
    ],
)
def test_a_sensor_is_read_in_its_unit(
    device_class: str, unit: str | None, state: bytes, values: dict[str, float]
) -> None:
    notes = Notes()
    assert sensor(notes, "x", dev_cla=device_class, unit_of_meas=unit) == []
    assert said(notes, "z/hall", state) == [("0xd", values)]
    for silent in (b"", b"None", b"unknown", b"unavailable"):
        assert refusal(notes, "z/hall", silent).startswith("no_reading")


@pytest.mark.parametrize(
    ("config", "detail"),
    [
        ({"dev_cla": "temperature"}, "has no unit_of_measurement"),
        ({"dev_cla": "temperature", "unit_of_meas": "ppm"}, "unit 'ppm' does not fit temperature"),
        ({"dev_cla": "power", "unit_of_meas": "horses"}, "unit 'horses' is not known"),
        (
            {"dev_cla": "battery", "val_tpl": "{{ value_json.a | default(3) }}"},
            "value_template '{{ value_json.a | default(3) }}' is none of {{ value }}",
        ),
    ],
)
def test_what_cannot_be_told_for_certain_is_refused_when_it_is_announced_and_when_it_is_said(
    config: dict[str, Any], detail: str
) -> None:
    notes = Notes()
    (problem,) = sensor(notes, "x", **config)
    assert detail in problem
    assert detail in refusal(notes, "z/hall", {"a": 1})


@pytest.mark.parametrize(
    "config",
    [
        {"dev_cla": "voltage", "unit_of_meas": "V"},
        {"dev_cla": "pressure", "unit_of_meas": "hPa"},
        {"unit_of_meas": "°C"},
        {},
    ],
)
def test_what_means_nothing_for_certain_gives_nothing(config: dict[str, Any]) -> None:
    notes = Notes()
    assert sensor(notes, "x", **config) == []
    assert refusal(notes, "z/hall", b"3.0") == "no_reading: it tells no known metric"


def test_two_entities_of_one_metric_are_both_refused_but_for_a_diagnostic_one() -> None:
    notes = Notes()
    degrees = {"dev_cla": "temperature", "unit_of_meas": "°C"}
    sensor(notes, "in", val_tpl="{{ value_json.i }}", **degrees)
    sensor(notes, "chip", val_tpl="{{ value_json.c }}", ent_cat="diagnostic", **degrees)
    assert said(notes, "z/hall", {"i": 21.0, "c": 40.0}) == [("0xd", {"temperature": 21.0})]
    sensor(notes, "out", val_tpl="{{ value_json.o }}", **degrees)
    assert refusal(notes, "z/hall", {"i": 21.0, "c": 40.0}) == (
        "bad_payload: 'in' is not the only temperature of '0xd'"
    )
    heard_nothing = refusal(notes, "ha/sensor/0xd/out/config", b"")
    assert heard_nothing.startswith("no_reading: sensor 'out' is removed")
    assert said(notes, "z/hall", {"i": 21.0}) == [("0xd", {"temperature": 21.0})]


def test_one_topic_may_tell_of_several_devices() -> None:
    notes = Notes()
    for place in ("hall", "yard"):
        config = {
            "stat_t": "site/state",
            "dev_cla": "door",
            "val_tpl": f"{{{{ value_json['{place}'] }}}}",
            "dev": {"ids": place},
        }
        heard(notes, f"ha/binary_sensor/{place}/config", config)
    assert said(notes, "site/state", {"hall": "ON", "yard": "OFF"}) == [
        ("hall", {"door_open": 1.0}),
        ("yard", {"door_open": 0.0}),
    ]


def test_an_event_is_an_occurrence_with_its_type() -> None:
    notes = Notes()
    sensor(notes, "bell", "event", dev_cla="doorbell")
    (one,) = heard(notes, "z/hall", {"event_type": "press"})
    assert (one.values, one.attributes) == ({"doorbell": 1.0}, {"event_type": "press"})
    assert "without an 'event_type'" in refusal(notes, "z/hall", {"press": 1})


def test_what_is_withdrawn_is_forgotten_and_what_is_wrong_leaves_it() -> None:
    notes = Notes()
    sensor(notes, "x", "binary_sensor", dev_cla="door")
    config = "ha/binary_sensor/0xd/x/config"
    assert refusal(notes, config, b"no JSON").startswith("bad_payload")
    assert said(notes, "z/hall", b"ON") == [("0xd", {"door_open": 1.0})]
    assert refusal(notes, config, b"").startswith("no_reading")
    assert refusal(notes, "z/hall", b"ON").startswith("no_reading: a state cannot be understood")
    assert NOTHING.after(notes.changes) == NOTHING


def test_another_community_knows_nothing_of_it() -> None:
    notes = Notes()
    sensor(notes, "x", "binary_sensor", dev_cla="door")
    elsewhere = UpTopic("other", None, Direction.UP, "homeassistant", "z/hall")
    with pytest.raises(FormatError, match="without its announcement"):
        hear(elsewhere, b"ON", notes, 0)


def test_what_a_device_announced_is_told_in_one() -> None:
    memory = NOTHING.after(zigbee().changes)
    (one,) = announcing(memory.entries.items()).values()
    assert (one.address, one.name, one.maker, one.model) == ("0xd", "Hall", "Maker", "M1")
    assert sorted(one.metrics) == ["battery", "battery_voltage", "door_open", "temperature"]
    assert sorted(one.entities) == ["battery", "door", "linkquality", "temperature", "voltage"]
    kind = kind_told_by(one.metrics)
    assert kind is not None
    assert kind.name == "door"
    assert kind_told_by(["door_open", "smoke"]) is None
    assert kind_told_by(["pulse", "spo2"]) is None


def test_what_is_kept_is_the_same_again() -> None:
    for key, entry in zigbee().changes.items():
        assert entry is not None
        assert formats.load(key[1], key[2], entry.dump()) == entry


def test_retained_announcements_are_told_from_other_retained_messages() -> None:
    assert formats.announces("gw/v1/c/ext/homeassistant/ha/sensor/x/config")
    assert not formats.announces("gw/v1/c/ext/homeassistant/z/hall")
    assert not formats.announces("gw/v1/c/ext/zigbee2mqtt/ha/sensor/x/config")
    assert not formats.announces("gw/v1/c/config")
