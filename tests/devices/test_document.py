"""YAML as data with lines: what is understood, and what is refused where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.document import MAX_CHARACTERS, MAX_DEPTH, Data, read, scan, write
from devices.errors import DocumentError

TEXT = """\
# 注释 a comment
a: 1
b: [no, 2.5, 007, +86, 12:30, 2024-01-01, "5", 1e999, true, ~]

c:
  - k: v
    z: false
  - q: {r: '', s: }
"""


def test_plain_data() -> None:
    data, _ = read("a.yaml", TEXT)
    assert data == {
        "a": 1,
        "b": ["no", 2.5, "007", "+86", "12:30", "2024-01-01", "5", "1e999", True, None],
        "c": [{"k": "v", "z": False}, {"q": {"r": "", "s": None}}],
    }


def test_every_thing_has_its_line() -> None:
    _, lines = read("a.yaml", TEXT)
    assert [lines.at("a"), lines.at("b"), lines.at("c")] == [2, 3, 5]
    assert [lines.at("c", 0), lines.at("c", 0, "z"), lines.at("c", 1, "q", "s")] == [6, 7, 8]


def test_a_missing_thing_is_on_the_line_of_what_should_hold_it() -> None:
    _, lines = read("a.yaml", TEXT)
    assert lines.at("c", 1, "absent", "deeper") == 8


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice", "the first is on line 1"),
        ("a: 1\nb: *x\n", 2, "alias '*x' is not allowed", "write the value out"),
        ("a: 1\nb: &x 1\n", 2, "anchor '&x' is not allowed", "write the value out"),
        ("\na: !!python/object 1\n", 2, "tag 'tag:yaml.org,2002:python/object'", "leave it out"),
        ("a: 1\n---\nb: 1\n", 2, "a second document begins here", "leave out this '---'"),
        ("a: 1\n? [x]\n: b\n", 2, "a key is a list or a mapping", "a key must be text"),
        ("a:\n\tb: 1\n", 2, "cannot start any token", "indent with spaces, not with tabs"),
        ("a: 1\nb: c: d\n", 2, "mapping values", "put text that contains ': ' in quotes"),
        ("a: 1\nb: [1, 2\n", 3, "not readable as YAML", "quotes, brackets and indentation"),
        ("a: 1\nb: \x00\n", 2, "control characters", "quotes, brackets and indentation"),
        ("a: 1\nb: \ud800\n", 2, "surrogates", "quotes, brackets and indentation"),
        ("[" * 10_000, 1, f"nested more than {MAX_DEPTH} deep", "flatten this"),
    ],
)
def test_refused(text: str, line: int, what: str, hint: str) -> None:
    with pytest.raises(DocumentError) as raised:
        read("site/x.yaml", text)
    (problem,) = raised.value.problems
    assert (problem.source, problem.line) == ("site/x.yaml", line)
    assert what in problem.what
    assert hint in problem.hint
    assert str(raised.value) == f"site/x.yaml:{line}: {problem.what} ({problem.hint})"


def test_every_problem_is_told_and_the_rest_is_understood() -> None:
    data, _, problems = scan("x.yaml", "a: 1\na: 2\nb: &n 3\nc: *n\nd: 4\n")
    assert [p.line for p in problems] == [2, 3, 4]
    assert data == {"a": 1, "b": 3, "c": None, "d": 4}


def test_a_few_aliases_do_not_become_gigabytes() -> None:
    levels = ["a0: &a0 [x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    data, _, problems = scan("bomb.yaml", "\n".join(levels))
    assert isinstance(data, dict)
    assert data["a11"] == [None] * 10
    assert len(problems) == 12 + 110


def test_an_enormous_text_is_not_read() -> None:
    _, _, (problem,) = scan("x.yaml", "a" * (MAX_CHARACTERS + 1))
    assert f"more than {MAX_CHARACTERS}" in problem.what


@given(st.text(max_size=80))
def test_any_text_is_understood_or_refused_with_a_line_in_it(text: str) -> None:
    _, _, problems = scan("any", text)
    assert all(1 <= p.line <= len(text.splitlines()) + 1 for p in problems)


WRITTEN = st.characters(exclude_categories=["Cs", "Cc", "Cn"])
PLAIN: st.SearchStrategy[Data] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(WRITTEN, max_size=30)
    | st.sampled_from(
        ["true", "null", "~", "", "5", "-1.5", "1e5", "1.0e3", "007", "a: b", "- x", "no"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(WRITTEN, min_size=1, max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_written_reads_back_as_the_same(data: Data) -> None:
    again, _ = read("w.yaml", write(data))
    assert again == data


def test_what_is_written_is_for_people_too() -> None:
    data: Data = {"title": {"zh": "门", "en": "Door"}, "for": "60s", "when": "door_open == 1"}
    assert write([data]) == (
        "- title:\n    zh: 门\n    en: Door\n  for: 60s\n  when: door_open == 1\n"
    )
