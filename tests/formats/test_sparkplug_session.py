"""What an edge node is asked, and when; calls for help before a birth; what is kept."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import formats
from devices.errors import FormatError
from devices.formats import memory
from devices.formats.announcing import announcing
from devices.formats.memory import NOTHING, Memory, Notes
from devices.formats.sparkplug_message import read
from devices.formats.sparkplug_session import ASK_AGAIN, ASK_SELDOM, Node, hear, rebirth_due
from devices.instant import HOUR, MINUTE, SECOND, Micros
from devices.reading import Observation
from devices.topic import Direction, UpTopic
from tests.formats.test_sparkplug import bdseq, degrees, details, payload

T0: Micros = 1_700_000_000 * SECOND


def say(
    notes: Notes, kind: str, content: bytes, *, at: Micros = T0, device: str = ""
) -> list[Observation]:
    where = f"spBv1.0/G/{kind}/E" + (f"/{device}" if device else "")
    return hear(UpTopic("c", None, Direction.UP, "sparkplug", where), content, notes, at)


def asked(notes: Notes, kind: str, content: bytes, *, at: Micros = T0) -> bool:
    """True if the message, understood or not, leads to a request."""
    notes.commands.clear()
    with suppress(FormatError):
        say(notes, kind, content, at=at)
    return bool(notes.commands)


def test_a_request_is_an_ncmd_with_rebirth() -> None:
    notes = Notes()
    assert asked(notes, "NDATA", payload(degrees()))
    ((where, content),) = notes.commands.items()
    assert where == ("c", "sparkplug", "spBv1.0/G/NCMD/E")
    message = read(content)
    (metric,) = message.metrics
    assert (metric.name, metric.datatype, metric.value) == ("Node Control/Rebirth", 11, True)
    assert message.time == T0 // 1_000


def test_requests_are_rare_and_become_rarer() -> None:
    notes, data = Notes(), payload(degrees())
    times = [t for t in range(5 * 3_600) if asked(notes, "NDATA", data, at=T0 + t * SECOND)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] == 0
    assert gaps == [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]


def test_a_birth_begins_the_waits_again_but_not_at_once() -> None:
    notes, data, birth = Notes(), payload(degrees(), seq=7), payload(bdseq(1), degrees(), seq=0)
    assert asked(notes, "NDATA", data)
    assert not asked(notes, "NBIRTH", birth, at=T0 + SECOND)
    assert not asked(notes, "NDATA", data, at=T0 + 2 * SECOND)
    assert asked(notes, "NDATA", data, at=T0 + 31 * SECOND)


@given(
    st.booleans(),
    st.none() | st.integers(0, 10 * HOUR),
    st.integers(0, 2**40),
    st.integers(-HOUR, 10 * HOUR),
)
def test_when_a_request_is_due(
    needed: bool, asked_at: Micros | None, asks: int, now: Micros
) -> None:
    node = Node(rebirth_needed=needed, asked=asked_at, asks=asks)
    due = rebirth_due(node, now)
    if not needed or asked_at is None:
        assert due is needed
    elif 0 <= now - asked_at < ASK_AGAIN:
        assert not due
    elif now < asked_at or now - asked_at >= ASK_SELDOM:
        assert due


@pytest.mark.parametrize("name", ["sos", "Alarm/Fall"])
def test_a_call_for_help_is_heard_before_its_birth(name: str) -> None:
    call = {"name": name, "datatype": 11, "boolean": True}
    notes = Notes()
    (one,) = say(notes, "NDATA", payload(degrees(), call))
    assert one.values == {name.rpartition("/")[2].lower(): 1.0}
    assert details([one]) == ["NDATA before the NBIRTH of 'G/E': a rebirth is needed"]
    say(notes, "NBIRTH", payload(bdseq(1), seq=0))
    (one,) = say(notes, "DDATA", payload(call, seq=1), device="D")
    assert one.device == "G/E/D"
    with pytest.raises(FormatError, match="before the DBIRTH"):
        say(notes, "DDATA", payload(call | {"boolean": False}, seq=2), device="D")


def test_an_alias_of_what_means_nothing_is_no_gap() -> None:
    notes = Notes()
    other = {"name": "Pump/Hours", "alias": 8, "datatype": 9, "float": 1.0}
    say(notes, "NBIRTH", payload(bdseq(1), degrees(alias=7), other, seq=0))
    assert not asked(notes, "NDATA", payload({"alias": 8, "float": 2.0}, seq=1))
    (one,) = say(notes, "NDATA", payload({"alias": 7, "float": 2.0}, seq=2))
    assert (one.values, one.problems) == ({"temperature": 2.0}, ())


def test_what_announces_too_much_is_understood_and_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MAX_ENTRY", 60)
    notes = Notes()
    (one,) = say(notes, "NBIRTH", payload(bdseq(1), degrees(alias=7, name="x" * 90 + "/temp")))
    assert one.values == {"heartbeat": 1.0, "temperature": 21.4}
    assert "bytes to be remembered" in details([one])[0]
    with pytest.raises(FormatError, match="before the NBIRTH"):
        say(notes, "NDATA", payload({"alias": 7, "float": 2.0}, seq=1), at=T0 + MINUTE)
    monkeypatch.setattr(memory, "MAX_BYTES", 100)
    with pytest.raises(FormatError, match="no room for another"):
        say(Notes(), "NBIRTH", payload(bdseq(1), degrees()))


def test_what_is_named_twice_means_its_last_also_by_alias() -> None:
    notes = Notes()
    twice = (degrees(alias=7), degrees(alias=7, datatype=10) | {"double": 1.0})
    twice[1].pop("float")
    say(notes, "NBIRTH", payload(bdseq(1), *twice))
    kept = {
        key: formats.load(key[1], key[2], entry.dump())
        for key, entry in notes.changes.items()
        if entry is not None
    }
    assert kept == notes.changes


def test_a_session_is_the_same_after_it_was_kept() -> None:
    notes = Notes()
    fahrenheit = {"engUnit": "°F"}
    say(notes, "NBIRTH", payload(bdseq(2**64 - 1), degrees(alias=2**64 - 1), seq=255))
    say(notes, "DBIRTH", payload(degrees(alias=3, properties=fahrenheit), seq=0), device="D-ß")
    entries = [
        (key, formats.load(key[1], key[2], entry.dump()))
        for key, entry in notes.changes.items()
        if entry is not None
    ]
    kept = Memory.of(entries)
    assert kept == NOTHING.after(notes.changes)
    (one,) = say(Notes(kept), "DDATA", payload({"alias": 3, "float": 71.6}, seq=1), device="D-ß")
    assert (one.values, one.problems) == ({"temperature": 22.0}, ())
    told = announcing(kept.entries.items())
    assert {(a.address, a.metrics) for a in told.values()} == {
        ("G/E", ("temperature",)),
        ("G/E/D-ß", ("temperature",)),
    }
