"""Everything wrong in a test file is told, with its line and a hint."""

import pytest

from tests.rules.testing.place import PLACE, one, read

FIRST = PLACE.count("\n") + 1
"""The line of 'tests:'; the test begins on the next, its own fields on the one after."""


def problems(body: str) -> list[tuple[int, str]]:
    """What is wrong in a test of these lines, each with its line counted from its first."""
    return [(p.line - FIRST - 1, p.what) for p in read(one(body))[2]]


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("alerts: []\nalert: []", 2, "'alert' of test 't': unknown key"),
        ("series: {band.spo2: 97}", 0, "test 't': nothing is expected"),
        ("series: {band.spo2: 97 x3 low}\nalerts: []", 1, "'low' is not understood"),
        ("series: {band.spo2: [97]}\nalerts: []", 1, "[97] is not a series"),
        ("series: {band.spo3: 97}\nalerts: []", 1, "unknown metric 'spo3'"),
        ("series: {bend.spo2: 97}\nalerts: []", 1, "there is no device 'bend'"),
        ("series: {band: 97}\nalerts: []", 1, "names no metric"),
        ("series: {door.spo2: 97}\nalerts: []", 1, "'door' does not report 'spo2'"),
        ("series: {band.spo2: 97 x3 197 x2}\nalerts: []", 1, "197 is impossible"),
        ("series: [1]\nalerts: []", 1, "[1] is not a mapping"),
        ("alerts: {rule: c.low}", 1, "is not a list"),
        ("alerts:\n- c.low", 2, "'c.low' is not a mapping"),
        ("alerts:\n- {rule: c.low}", 2, "'alerts[1].from' of test 't': is missing"),
        ("alerts:\n- {rule: c.lo, from: 0}", 2, "there is no rule 'c.lo'"),
        ("alerts:\n- {rule: c.low, from: soon}", 2, "'soon' is not a time"),
        ("alerts:\n- {rule: c.low, from: 2026-02-30 10:00}", 2, "is not a time"),
        ("alerts:\n- {rule: c.low, from: 5m, until: 4m}", 2, "is before 'from'"),
        ("alerts:\n- {rule: c.low, from: 5m, subject: home}", 2, "there is no 'home'"),
        ("alerts:\n- {rule: c.still, from: 5m, subject: band}", 2, "there is no 'band'"),
        ("alerts:\n- {rule: c.low, from: 5m, severity: crimson}", 2, "'crimson'"),
        ("alerts:\n- {rule: c.low, from: 5m, severity: {soon: red}}", 2, "'soon' is not a time"),
        ("alerts:\n- {rule: c.low, from: 5m, severity: {}}", 2, "is empty"),
        ("alerts:\n- {rule: c.low, from: 5m, severity: {5m: rot}}", 2, "'rot' is not known"),
        ("alerts:\n- {rule: c.low, from: 5m, to: zhou}", 2, "there is no member 'zhou'"),
        ("alerts:\n- {rule: c.low, from: 5m, devices: bad}", 2, "there is no device 'bad'"),
        ("alerts:\n- {rule: c.low, from: 5m, value: high}", 2, "'high' is not a number"),
        ("alerts:\n- {rule: c.low, from: 5m, unknown: 6m}", 2, "'6m' is not a span"),
        ("alerts:\n- {rule: c.low, from: 5m, unknown: 9m..6m}", 2, "ends before it begins"),
        ("alerts:\n- {rule: c.low, from: 5m, till: 6m}", 2, "unknown key"),
        ("alerts:\n- {rule: c.low, from: 367d}", 2, "'367d' is not a time"),
        ("alerts: []\nstart: 2999-01-01 10:00", 2, "is not a date and time"),
        ("alerts: []\ninterval: 300d\nseries: {band.sos: 0 x3}", 3, "more than a year"),
        (f"alerts: []\nuntil: {'9' * 400}d", 2, "is not a time"),
        (f"alerts: []\ninterval: {'9' * 400}d", 2, "is longer than any time"),
        ("only: c.sos\nalerts:\n- {rule: c.low, from: 5m}", 3, "is not in 'only'"),
        ("only: c.so\nalerts: []", 1, "there is no rule 'c.so'"),
        ("alerts: []\nstart: noon", 2, "'noon' is not a date and time"),
        ("alerts: []\ninterval: 5", 2, "'5' is not a duration"),
        ("alerts: []\nuntil: -1m", 2, "is before the start"),
        ("alerts: []\naway: {hom: 1m..}", 2, "there is no household 'hom'"),
        ("alerts: []\naway: {home: 1m}", 2, "'1m' is not a span"),
        ("at: [{time: 1m}]", 1, "'at[1].firing' of test 't': is missing"),
        ("at: [{firing: []}]", 1, "'at[1].time' of test 't': is missing"),
        ("at: [{time: 1m, firing: c.high}]", 1, "there is no rule 'c.high'"),
        ("at: [{time: 1m, firing: c.low@bund}]", 1, "there is no 'bund'"),
        ("alerts: []\nreadings:\n- {at: 1m, device: band}", 3, "is missing"),
        ("alerts: []\nreadings:\n- {at: -1m, device: band, values: {sos: 1}}", 3, "before the"),
        ("alerts: []\nreadings:\n- {at: 0, device: band, values: {sos: x}}", 3, "is not a number"),
        ("alerts: []\nreadings:\n- {at: 0, device: band, values: {sos: 2}}", 3, "2 is impossible"),
    ],
)
def test_of_a_test(body: str, line: int, what: str) -> None:
    (found,) = problems(body)
    assert found[0] == line
    assert what in found[1]


def test_all_are_told_at_once() -> None:
    body = "series: {bend.spo2: 97, band.spo3: 1}\nalerts: [{rule: c.lo, from: soon}]"
    assert [line for line, _ in problems(body)] == [1, 1, 2, 2]


TESTS = "tests: [{name: t, alerts: []}]\n"
HOME = "inventory: {devices: {band: wearable}}\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "a test file is a mapping"),
        ("- a", 1, "a test file is a mapping"),
        ("rules: a: b", 1, "not readable as YAML"),
        (f"rules: r.yaml\n{HOME}", 1, "'tests' of the file: there are none"),
        (f"rules: r.yaml\n{HOME}tests: []", 3, "'tests' of the file: there are none"),
        (f"{HOME}{TESTS}", 1, "'rules' of the file: is missing"),
        (f"rules: r.yaml\n{TESTS}", 1, "'inventory' of the file: is missing"),
        (f"rules: r.yaml\nsite: s\n{HOME}{TESTS}", 3, "is given beside 'site'"),
        (f"site: s\ntime_zone: UTC\n{TESTS}", 2, "is given beside 'site'"),
        (f"rules: r.yaml\ntime_zone: Asia/Shangai\n{HOME}{TESTS}", 2, "is no time zone"),
        (f"rules: r.yaml\n{HOME}test: []\n{TESTS}", 3, "'test' of the file: unknown key"),
        (f"rules: r.yaml\ninventory: {{devices: {{a: b}}}}\n{TESTS}", 2, "no kind of device"),
        (f"rules: r.yaml\ninventory: [a]\n{TESTS}", 2, "is not a mapping"),
        (f"rules: r.yaml\n{HOME}tests:\n- {{name: t}}\n- {{name: t}}", 5, "is given twice"),
        (f"rules: r.yaml\n{HOME}tests: [{{alerts: []}}]", 3, "'tests[1].name' of the file"),
    ],
)
def test_of_a_file(text: str, line: int, what: str) -> None:
    (found,) = [p for p in read(text, "")[2] if "nothing is expected" not in p.what]
    assert found.line == line
    assert what in found.what
