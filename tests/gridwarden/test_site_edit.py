"""An entry of a site file taken out or rewritten, and nothing else of the file touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import document
from devices.site import SiteError
from gridwarden.site_edit import flow, rewritten, taken_out

TEXT = """\
# 门 Doors
- {code: a, name: 中文, attributes: {x: 1}}  # the first

# before b
- code: b   # its code
  kind: door
  attributes:
    x: 1
# after b
-
  code: c
  kind: door
- {code: d,
   kind: door}
"""


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        (2, "- {code: a, name: 中文, attributes: {x: 1}}  # the first\n"),
        (5, "- code: b   # its code\n  kind: door\n  attributes:\n    x: 1\n"),
        (11, "-\n  code: c\n  kind: door\n"),
        (13, "- {code: d,\n   kind: door}\n"),
    ],
)
def test_only_the_entry_goes(line: int, gone: str) -> None:
    assert gone in TEXT
    assert taken_out("f", TEXT, line) == TEXT.replace(gone, "")


def test_an_entry_is_rewritten_on_one_line_and_its_comment_stays() -> None:
    new = rewritten("f", TEXT, 2, {"name": None, "address": "a: b"})
    old = "- {code: a, name: 中文, attributes: {x: 1}}"
    assert new == TEXT.replace(old, "- {code: a, attributes: {x: 1}, address: 'a: b'}")
    new = rewritten("f", TEXT, 11, {"kind": "on"})
    assert new == TEXT.replace("-\n  code: c\n  kind: door", "- {code: c, kind: 'on'}")


def test_an_indented_list_keeps_its_indent() -> None:
    text = "  - code: a\n    kind: door\n  - code: b\n"
    assert rewritten("f", text, 1, {"area": "g"}) == (
        "  - {code: a, kind: door, area: g}\n  - code: b\n"
    )


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (TEXT, 5, "f:5: the entry has a comment inside"),
        (TEXT, 3, "f:3: no entry of a list begins there"),
        ("[{code: a}]\n", 1, "f:1: no entry of a list begins there"),
        ("- #-\n  code: a\n", 2, "f:2: the entry has no line of its own"),
        (
            "- code: a\n  name: |\n    two\n    lines\n",
            1,
            "f:1: the entry ends in a text of several",
        ),
        ("- word\n", 1, "f:1: the entry is no mapping"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text: str, line: int, told: str) -> None:
    with pytest.raises(SiteError) as refused:
        rewritten("f", text, line, {"kind": "door"})
    assert str(refused.value).startswith(told)
    assert "change it by hand" in str(refused.value)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
ENTRIES = st.lists(
    st.dictionaries(WORDS, WORDS | st.integers(-9, 9) | st.booleans(), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


@given(ENTRIES, st.data())
def test_the_other_entries_mean_what_they_meant(
    entries: list[dict[str, str | int | bool]], data: st.DataObject
) -> None:
    text = "".join(f"- {flow(entry)}\n" for entry in entries)
    number = data.draw(st.integers(0, len(entries) - 1))
    left, _ = document.read("f", taken_out("f", text, number + 1))
    assert (left or []) == entries[:number] + entries[number + 1 :]
    changes = data.draw(st.dictionaries(WORDS, WORDS, max_size=2))
    new, _ = document.read("f", rewritten("f", text, number + 1, changes))
    entries[number] |= changes
    assert new == entries
