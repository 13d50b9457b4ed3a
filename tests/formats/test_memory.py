"""What is remembered: as a value, looked for by name, and never without end."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FormatError
from devices.formats import memory as module
from devices.formats.memory import MAX_BYTES, MAX_ENTRY, NOTHING, OVERHEAD, Key, Memory, Notes


@dataclass(frozen=True)
class Said:
    """An entry of any size."""

    text: str
    names: tuple[str, ...] = ()

    def dump(self) -> bytes:
        return self.text.encode()


def key(subject: str, community: str = "c") -> Key:
    return community, "f", subject


KEYS = st.builds(key, st.sampled_from("abc"), st.sampled_from(["c", "d"]))
SAID = st.builds(
    Said, st.text("xy", max_size=3), st.lists(st.sampled_from("mn"), unique=True).map(tuple)
)


@given(st.lists(st.lists(st.tuples(KEYS, st.none() | SAID), max_size=6), max_size=5))
def test_a_memory_after_changes_is_a_memory_of_what_is_left(
    batches: list[list[tuple[Key, Said | None]]],
) -> None:
    memory, left = NOTHING, dict[Key, Said]()
    for batch in batches:
        notes = Notes(memory)
        for where, said in batch:
            if said is None:
                notes.drop(where)
                left.pop(where, None)
            else:
                notes.put(where, said)
                left[where] = said
            for community in "cd":
                for name in "mn":
                    assert notes.named(community, "f", name) == sorted(
                        k for k, s in left.items() if k[0] == community and name in s.names
                    )
        before = dict(memory.entries)
        after = memory.after(notes.changes)
        assert memory.entries == before
        memory = after
        assert memory == Memory.of(list(left.items()))
        assert memory.entries == left


def test_what_is_said_again_is_no_change() -> None:
    memory = Memory.of([(key("a"), Said("x"))])
    notes = Notes(memory)
    notes.put(key("a"), Said("x"))
    notes.drop(key("b"))
    assert notes.changes == {}
    assert memory.after(notes.changes) is memory


def test_a_community_has_its_share_and_no_more() -> None:
    notes, size = Notes(), MAX_ENTRY
    held = MAX_BYTES // (size + OVERHEAD + 6)
    for number in range(held):
        notes.put(key(f"{number:06}"), Said("x" * size))
    with pytest.raises(FormatError, match="community 'c' have announced more than 16777216 bytes"):
        notes.put(key("another"), Said("x" * size))
    notes.put(key("0", "d"), Said("x"))
    with pytest.raises(FormatError, match="no room"):
        Notes(NOTHING.after(notes.changes)).put(key("another"), Said("x" * size))
    notes.put(key("000000"), Said("y" * size))
    notes.drop(key("000001"))
    notes.put(key("another"), Said("x" * size))
    assert sum(v is not None for v in notes.changes.values()) == held + 1


@pytest.mark.parametrize(
    ("subject", "said", "detail"),
    [
        ("a", Said("x" * (MAX_ENTRY + 1)), "32769 bytes to be remembered; 32768 are the most"),
        ("a" * 1_001, Said("x"), "no name that is kept"),
        ("a\0", Said("x"), "no name that is kept"),
    ],
)
def test_what_is_too_large_is_refused(subject: str, said: Said, detail: str) -> None:
    notes = Notes()
    with pytest.raises(FormatError, match=detail):
        notes.put(key(subject), said)
    assert notes.changes == {}


def test_one_topic_is_not_named_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NAMED", 3)
    notes = Notes(Memory.of([(key(s), Said(s, ("bridge",))) for s in "ab"]))
    notes.put(key("c"), Said("c", ("bridge",)))
    notes.put(key("c"), Said("c2", ("bridge",)))
    with pytest.raises(FormatError, match="3 announcements already name 'bridge'"):
        notes.put(key("d"), Said("d", ("bridge",)))
    notes.drop(key("a"))
    notes.put(key("d"), Said("d", ("bridge",)))
    assert [k[2] for k in notes.named("c", "f", "bridge")] == ["b", "c", "d"]
