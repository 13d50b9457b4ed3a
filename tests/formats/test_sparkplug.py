"""Sparkplug B: single messages, and the sessions of edge nodes."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats.sparkplug import decode
from devices.formats.sparkplug_message import message_class
from devices.formats.sparkplug_session import Session
from devices.reading import Observation
from devices.topic import Direction, UpTopic
from tests.formats.said import understood, values

MESSAGE = message_class()
NODE = "G/E"
AT = 1_700_000_000_000
NDATA, DDATA = "spBv1.0/G/NDATA/E", "spBv1.0/G/DDATA/E/D"
NAMES = ("name", "alias", "timestamp", "datatype", "is_historical", "is_null")


def payload(*metrics: dict[str, Any], seq: int | None = 0, time: int | None = AT) -> bytes:
    """A payload; a metric's value is the one of its `float`, `int`, `long`, `boolean`, …"""
    message = MESSAGE()
    if seq is not None:
        message.seq = seq
    if time is not None:
        message.timestamp = time
    for given_metric in metrics:
        metric = message.metrics.add()
        for name, value in given_metric.items():
            if name == "properties":
                for key, text in value.items():
                    metric.properties.keys.append(key)
                    field = "string_value" if isinstance(text, str) else "int_value"
                    setattr(metric.properties.values.add(), field, text)
            else:
                setattr(metric, name if name in NAMES else f"{name}_value", value)
    whole: bytes = message.SerializeToString()
    return whole


def degrees(value: float = 21.4, **other: Any) -> dict[str, Any]:
    return {"name": "Inputs/Temperature", "datatype": 9, "float": value} | other


def bdseq(number: int) -> dict[str, Any]:
    return {"name": "bdSeq", "datatype": 4, "long": number}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (degrees(), {"temperature": 21.4}),
        (degrees(71.6, properties={"engUnit": "°F"}), {"temperature": 22.0}),
        ({"name": "temp", "datatype": 10, "double": -3.5}, {"temperature": -3.5}),
        ({"name": "Room 1/Relative Humidity", "datatype": 5, "int": 44}, {"humidity": 44.0}),
        ({"name": "temperature", "datatype": 1, "int": 0xFF}, {"temperature": -1.0}),
        ({"name": "temperature", "datatype": 1, "int": 0xFFFFFFF6}, {"temperature": -10.0}),
        ({"name": "temperature", "datatype": 2, "int": 0xFFF6}, {"temperature": -10.0}),
        ({"name": "temperature", "datatype": 3, "int": 2**32 - 10}, {"temperature": -10.0}),
        ({"name": "temperature", "datatype": 3, "long": 2**64 - 10}, {"temperature": -10.0}),
        ({"name": "temperature", "datatype": 4, "long": 2**64 - 10}, {"temperature": -10.0}),
        ({"name": "illuminance", "datatype": 7, "long": 90_000}, {"illuminance": 90_000.0}),
        ({"name": "Door", "datatype": 11, "boolean": True}, {"door_open": 1.0}),
        ({"name": "door", "datatype": 12, "string": "closed"}, {"door_open": 0.0}),
        ({"name": "occupied", "datatype": 11, "boolean": False}, {"occupied": 0.0}),
        ({"name": "PM2.5", "float": 12.0}, {"pm2_5": 12.0}),
        (
            {"name": "power", "datatype": 9, "float": 1.5, "properties": {"engUnit": "kW"}},
            {"power": 1500.0},
        ),
        (degrees(properties={"Quality": 192}), {"temperature": 21.4}),
        ({"name": "sos", "datatype": 11, "boolean": True}, {"sos": 1.0}),
    ],
)
def test_values(metric: dict[str, Any], expected: dict[str, float]) -> None:
    assert values(understood(decode, payload(metric), DDATA)) == expected


@pytest.mark.parametrize(
    ("metric", "detail"),
    [
        ({"name": "temperature", "int": 5}, "int_value 5 has no datatype"),
        ({"name": "temperature", "datatype": 1, "int": 300}, "300 does not fit its datatype 1"),
        ({"name": "temperature", "datatype": 5, "int": 256}, "256 does not fit its datatype 5"),
        ({"name": "temperature", "datatype": 9, "int": 5}, "datatype 9 in int_value is not"),
        ({"name": "temperature", "datatype": 13, "long": AT}, "datatype 13 in long_value is not"),
        ({"name": "temperature", "datatype": 99, "int": 5}, "datatype 99 in int_value is not"),
        ({"name": "temperature", "datatype": 9}, "datatype 9 in no value field is not"),
        ({"name": "temperature", "bytes": b"1"}, "bytes_value is not a measurement"),
        ({"name": "temperature", "datatype": 11, "boolean": True}, "is True, not a number"),
        (degrees(math.nan), "is nan, not a number"),
        (degrees(math.inf), "is inf, not a number"),
        (degrees(properties={"engUnit": "furlong"}), "unit 'furlong' is not known"),
        (degrees(properties={"Quality": 500}), "has the quality 500, not 192 (good)"),
        ({"name": "Temperature/Current", "datatype": 9, "float": 2.0}, "has no 'engUnit'"),
        (degrees(is_historical=True), "is of the past and has no time"),
        (degrees(is_historical=True, timestamp=7), "is of the past and has no time"),
        ({"alias": 7, "datatype": 9, "float": 2.0}, "alias 7 was not announced"),
        ({"datatype": 9, "float": 2.0}, "a metric has neither a name nor an alias"),
    ],
)
def test_a_metric_that_is_not_certain_does_not_spoil_the_others(
    metric: dict[str, Any], detail: str
) -> None:
    good = {"name": "humidity", "datatype": 9, "float": 40.0}
    said = understood(decode, payload(metric, good), DDATA)
    assert values(said) == {"humidity": 40.0}
    (problem,) = said["problems"]
    assert problem.startswith("bad_payload")
    assert detail in problem
    assert detail in understood(decode, payload(metric), DDATA)["rejected"]


def test_two_names_of_one_metric_are_both_refused() -> None:
    said = understood(
        decode,
        payload(degrees(), degrees(30.0, name="Outputs/temperature")),
        "spBv1.0/G/DBIRTH/E/D",
    )
    assert values(said) == {"heartbeat": 1.0}
    assert said["problems"] == [
        "bad_payload: 'Inputs/Temperature' is not the only temperature of its device",
        "bad_payload: 'Outputs/temperature' is not the only temperature of its device",
    ]


def test_times_are_those_of_the_metrics() -> None:
    humidity = {"name": "humidity", "datatype": 9, "float": 40.0}
    earlier = degrees(timestamp=AT - 1_000, is_historical=True)
    said = understood(decode, payload(earlier, humidity), NDATA)
    assert [(r["device"], r["metric"], r["time"]) for r in said["readings"]] == [
        (NODE, "temperature", "2023-11-14T22:13:19+00:00"),
        (NODE, "humidity", "2023-11-14T22:13:20+00:00"),
    ]


@pytest.mark.parametrize("time", [None, 0, 7, 10**12 - 1, 10**14 + 1, 2**64 - 1])
def test_a_time_that_no_clock_shows_is_no_instant(time: int | None) -> None:
    assert understood(decode, payload(degrees(), time=time), NDATA)["readings"][0]["time"] is None


def test_a_birth_tells_of_life_and_counts_no_occurrence_but_a_call() -> None:
    metrics = [
        degrees(),
        {"name": "button", "datatype": 11, "boolean": True},
        {"name": "fall", "datatype": 11, "boolean": True},
        {"name": "sos", "datatype": 11, "boolean": False},
        {"name": "Node Control/Fault", "datatype": 11, "boolean": True},
        degrees(is_null=True),
    ]
    said = understood(decode, payload(*metrics), "spBv1.0/G/DBIRTH/E/D")
    assert values(said) == {"heartbeat": 1.0, "temperature": 21.4, "fall": 1.0}
    assert {one["device"] for one in said["events"]} == {"G/E/D"}


def test_a_death_is_silence_and_a_will_has_no_time_of_its_own() -> None:
    (one,) = understood(decode, payload(bdseq(3), seq=None), "spBv1.0/G/NDEATH/E")["events"]
    assert (one["device"], one["kind"], one["value"], one["time"]) == (
        NODE,
        "heartbeat",
        0.0,
        None,
    )
    (one,) = understood(decode, payload(), "spBv1.0/G/DDEATH/E/D")["events"]
    assert (one["device"], one["value"], one["time"]) == (
        "G/E/D",
        0.0,
        "2023-11-14T22:13:20+00:00",
    )


@pytest.mark.parametrize(
    ("topic", "content", "reason"),
    [
        (NDATA, b"", "bad_payload: payload is empty"),
        (NDATA, b"{}", "bad_payload: payload of 2 bytes is not a Sparkplug B message"),
        (NDATA, payload(degrees())[:-1], "bad_payload: payload of"),
        (NDATA, payload(), "no_reading: nothing in it is a known metric"),
        (NDATA, b"\x12\x03\x0a\x01\xff", "bad_payload: a metric's name b'\\xff' is not UTF-8"),
        ("spBv1.0/G/NDEATH/E", payload(), "bad_payload: NDEATH has no 'bdSeq'"),
        ("spBv1.0/G/NCMD/E", payload(), "no_reading: a command"),
        ("spBv1.0/G/DCMD/E/D", payload(), "no_reading: a command"),
        ("spBv1.0/STATE/host", b'{"online": true}', "no_reading: the state of a host"),
        ("STATE/host", b"ONLINE", "no_reading: the state of a host"),
        (None, payload(degrees()), "bad_payload: topic '' has not the form"),
        ("spAv1.0/G/NDATA/E", payload(degrees()), "bad_payload: topic 'spAv1.0/G/NDATA/E' has"),
        ("spBv1.0/G/NDATA/E/D", payload(degrees()), "bad_payload: topic"),
        ("spBv1.0/G/DDATA/E", payload(degrees()), "bad_payload: topic"),
        ("spBv1.0/G/XDATA/E", payload(degrees()), "bad_payload: topic"),
        ("spBv1.0//NDATA/E", payload(degrees()), "bad_payload: topic"),
    ],
)
def test_refused_with_a_reason(topic: str | None, content: bytes, reason: str) -> None:
    assert understood(decode, content, topic)["rejected"].startswith(reason)


def heard(session: Session, kind: str, content: bytes, device: str = "") -> list[Observation]:
    topic = f"spBv1.0/G/{kind}/E" + (f"/{device}" if device else "")
    return session.hear(UpTopic("c", None, Direction.UP, "sparkplug", topic), content)


def refusal(session: Session, kind: str, content: bytes, device: str = "") -> str:
    with pytest.raises(FormatError) as error:
        heard(session, kind, content, device)
    return f"{error.value.reason}: {error.value.detail}"


def details(seen: list[Observation]) -> list[str]:
    return [problem.detail for one in seen for problem in one.problems]


@pytest.fixture
def alive() -> Session:
    """A node with a device, whose temperature is alias 7, in °F, a 16-bit number."""
    session = Session(NODE)
    heard(session, "NBIRTH", payload(bdseq(1), degrees(alias=7), seq=0))
    fahrenheit = {"name": "temperature", "alias": 7, "datatype": 2, "int": 50}
    heard(session, "DBIRTH", payload(fahrenheit | {"properties": {"engUnit": "°F"}}, seq=1), "D")
    return session


def test_an_alias_means_what_its_own_device_announced(alive: Session) -> None:
    (node,) = heard(alive, "NDATA", payload({"alias": 7, "float": 20.5}, seq=2))
    (device,) = heard(alive, "DDATA", payload({"alias": 7, "int": 0xFFFC}, seq=3), "D")
    assert (node.device, node.values, node.problems) == (NODE, {"temperature": 20.5}, ())
    assert (device.device, device.values) == ("G/E/D", {"temperature": -20.0})
    assert not alive.rebirth_needed


def test_an_alias_nobody_announced(alive: Session) -> None:
    assert refusal(alive, "NDATA", payload({"alias": 8, "float": 1.0}, seq=2)) == (
        "bad_payload: alias 8 was not announced"
    )
    assert alive.rebirth_needed
    heard(alive, "NBIRTH", payload(bdseq(1)))
    assert not alive.rebirth_needed


def test_a_missing_message_is_a_problem_once(alive: Session) -> None:
    seen = heard(alive, "NDATA", payload({"alias": 7, "float": 20.5}, seq=4))
    assert seen[0].values == {"temperature": 20.5}
    assert details(seen) == ["sequence number 4 after 1: a rebirth is needed"]
    assert alive.rebirth_needed
    assert details(heard(alive, "NDATA", payload({"alias": 7, "float": 20.5}, seq=5))) == []
    assert refusal(alive, "NDATA", payload(seq=None)) == (
        "no_reading: sequence number None after 5: a rebirth is needed;"
        " nothing in it is a known metric that has a value"
    )


def test_a_message_that_tells_nothing_still_counts(alive: Session) -> None:
    assert refusal(alive, "NDATA", payload(seq=2)).startswith("no_reading: nothing in it")
    assert details(heard(alive, "NDATA", payload({"alias": 7, "float": 20.5}, seq=3))) == []


def test_the_sequence_begins_again_after_255() -> None:
    session = Session(NODE)
    heard(session, "NBIRTH", payload(degrees(), bdseq(1), seq=255))
    assert details(heard(session, "NDATA", payload(degrees(), seq=0))) == []


def test_data_before_its_birth_is_refused(alive: Session) -> None:
    assert refusal(Session(NODE), "NDATA", payload(degrees())) == (
        "bad_payload: NDATA before the NBIRTH of 'G/E': a rebirth is needed"
    )
    assert refusal(Session(NODE), "DBIRTH", payload(degrees()), "D").startswith(
        "bad_payload: DBIRTH before the NBIRTH"
    )
    assert refusal(alive, "DDATA", payload(degrees(), seq=2), "other") == (
        "bad_payload: DDATA before the DBIRTH of 'G/E/other': a rebirth is needed"
    )
    heard(alive, "NBIRTH", payload(bdseq(2), seq=0))
    assert "before the DBIRTH" in refusal(alive, "DDATA", payload(degrees(), seq=1), "D")


def test_the_death_of_a_node_is_that_of_its_devices(alive: Session) -> None:
    seen = heard(alive, "NDEATH", payload(bdseq(1), seq=None))
    assert [(one.device, one.time, one.values) for one in seen] == [
        (NODE, None, {"heartbeat": 0.0}),
        ("G/E/D", None, {"heartbeat": 0.0}),
    ]
    assert "before the NBIRTH" in refusal(alive, "NDATA", payload(degrees(), seq=2))


def test_the_death_of_an_earlier_session_is_not_that_of_this_one(alive: Session) -> None:
    assert refusal(alive, "NDEATH", payload(bdseq(0), seq=None)) == (
        "no_reading: the death of session 0; session 1 lives"
    )
    assert details(heard(alive, "NDATA", payload(degrees(), seq=2))) == []


def test_the_death_of_a_device_leaves_its_node_alive(alive: Session) -> None:
    (one,) = heard(alive, "DDEATH", payload(seq=2), "D")
    assert (one.device, one.values) == ("G/E/D", {"heartbeat": 0.0})
    assert "before the DBIRTH" in refusal(alive, "DDATA", payload(degrees(), seq=3), "D")
    assert [o.device for o in heard(alive, "NDEATH", payload(bdseq(1), seq=None))] == [NODE]


def test_an_alias_announced_twice_is_nobodys() -> None:
    session = Session(NODE)
    humidity = {"name": "humidity", "alias": 7, "datatype": 9, "float": 40.0}
    seen = heard(session, "NBIRTH", payload(degrees(alias=7), humidity))
    assert details(seen) == ["alias 7 is announced twice"]
    assert "alias 7 was not" in refusal(
        session, "NDATA", payload({"alias": 7, "float": 1.0}, seq=1)
    )


def test_what_two_names_mean_stays_refused_where_data_names_one() -> None:
    session = Session(NODE)
    both = (degrees(alias=1), degrees(name="Out/temperature", alias=2))
    heard(session, "NBIRTH", payload(*both))
    assert "is not the only temperature" in refusal(
        session, "NDATA", payload({"alias": 2, "float": 1.0}, seq=1)
    )


def test_a_session_hears_its_own_node_only(alive: Session) -> None:
    other = UpTopic("c", None, Direction.UP, "sparkplug", "spBv1.0/G/NDATA/F")
    with pytest.raises(FormatError, match="is of 'G/F', not of 'G/E'"):
        alive.hear(other, payload(degrees(), seq=2))


_METRIC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["temperature", "door", "sos", "bdSeq", "a/temp"]) | st.text(),
        "alias": st.integers(0, 3) | st.integers(0, 2**64 - 1),
        "timestamp": st.integers(0, 2**64 - 1),
        "datatype": st.integers(0, 20) | st.integers(0, 2**32 - 1),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "int": st.integers(0, 2**32 - 1),
        "long": st.integers(0, 2**64 - 1),
        "float": st.floats(width=32),
        "double": st.floats(),
        "boolean": st.booleans(),
        "string": st.text(),
        "bytes": st.binary(),
        "properties": st.dictionaries(
            st.sampled_from(["engUnit", "Quality"]), st.text() | st.integers(0, 600)
        ),
    },
)
_SEQ = st.none() | st.integers(0, 300)
_TIME = st.none() | st.integers(0, 2**64 - 1)
_PAYLOAD = st.builds(
    lambda metrics, seq, time: payload(*metrics, seq=seq, time=time),
    st.lists(_METRIC, max_size=4),
    _SEQ,
    _TIME,
)
_CHANGED = st.builds(
    lambda whole, at, byte: whole[: at % (len(whole) + 1)] + byte + whole[at % (len(whole) + 1) :],
    _PAYLOAD,
    st.integers(0, 200),
    st.binary(max_size=2),
)
_KIND = st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"])
_TOPIC = _KIND.map(lambda kind: f"spBv1.0/G/{kind}/E" + ("/D" if kind[0] == "D" else ""))


@given(_TOPIC | st.text(), st.binary() | _PAYLOAD | _CHANGED)
@settings(max_examples=200, deadline=None)
def test_nothing_but_a_format_error_is_raised(topic: str, content: bytes) -> None:
    finite(decode, topic, content)


@given(st.lists(st.tuples(_TOPIC, _PAYLOAD | _CHANGED), max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_session_raises_nothing_but_a_format_error(told: list[tuple[str, bytes]]) -> None:
    session = Session(NODE)
    for topic, content in told:
        finite(session.hear, topic, content)


def finite(read: Any, topic: str, content: bytes) -> None:
    try:
        seen = read(UpTopic("c", None, Direction.UP, "sparkplug", topic), content)
    except FormatError:
        return
    assert seen
    assert all(math.isfinite(value) for one in seen for value in one.values.values())
    assert all(one.values for one in seen)
