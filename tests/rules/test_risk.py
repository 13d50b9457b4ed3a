"""The risk index against a plain loop, and by example."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import HOUR
from devices.reading import Batch, Reading
from rules.errors import RulesError
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Absence, RiskIndex, Severity
from rules.plan import make_plan
from rules.risk import RiskMemory
from rules.state import carry_over, dump, fresh, restore
from rules.transition import Change, Transition
from rules.written import write
from tests.rules.community import (
    AWAY_WEARABLE,
    BUILDING,
    COMMUNITY,
    DOOR,
    OTHER_DOOR,
    WEARABLE,
    batch,
    behind_gateway,
    inventory,
    reading,
    rule,
    seconds,
    told,
)
from tests.rules.community import KEY_RULES as KEYED
from tests.rules.community import RULES as FEEDING
from tests.rules.oracle import Oracle, by_subject
from tests.rules.test_evaluate_properties import timed

WEIGHTS = "{red: 8, orange: 4, yellow: 2, blue: 1}"
COLOURS = tuple(Severity)
INDEXES = (
    rule(
        "i.building",
        f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 9\n clear: index < 9",
    ),
    rule(
        "i.community",
        f"index: {{weights: {WEIGHTS}, trend: {{over: 3h, weight: 0.5}}}}\n"
        " per: community\n when: index >= 20\n for: 10s\n keep_for: 7s",
    ),
    rule(
        "i.trend",
        f"index: {{weights: {WEIGHTS}, trend: {{over: 2h, weight: 2}}}}\n"
        " per: building\n when: index >= 12\n clear: index < 9",
    ),
    rule(
        "i.other",
        f"index: {{weights: {WEIGHTS}, categories: [other]}}\n per: building\n when: index > 0",
    ),
)
RULES = (
    *(replace(r, severity=COLOURS[i % 4]) for i, r in enumerate(FEEDING)),
    *(replace(r, code=f"o.{r.code}", category="other") for r in FEEDING[:1]),
    *KEYED,
    *INDEXES,
)
PLAN = make_plan(RULES, behind_gateway())


def of_indexes(said: list[Transition]) -> object:
    rounded = [replace(t, value=round(t.value or 0.0, 6)) for t in said if t.rule in INDEXES]
    return by_subject(rounded)


@given(timed(size=40), st.sampled_from([1, 1, 400]), st.data(), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    rows: list[Reading], scale: int, data: st.DataObject, rest: int
) -> None:
    rows = [r._replace(time=r.time * scale, arrival=r.time * scale) for r in rows]
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    cuts = data.draw(st.sets(st.integers(0, len(rows))))
    parts = [rows[a:b] for a, b in pairwise(sorted({0, len(rows), *cuts}))]
    ends = [part[-1].time for part in parts]
    for part, now in [
        *zip(parts, ends, strict=True),
        ([], ends[-1] + seconds(rest) * scale if ends else 0),
    ]:
        done = evaluate(PLAN, Batch.of(part), state, now)
        assert not done.failures
        assert of_indexes(done.transitions) == of_indexes(oracle.evaluate(part, now))
        state = done.state
        if data.draw(st.integers(0, 3)) == 3:
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []


TIMED = make_plan([r for r in RULES if not isinstance(r.condition, Absence)], inventory())


@given(timed(size=40), st.sampled_from([1, 400]), st.data())
@settings(max_examples=40, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(
    rows: list[Reading], scale: int, data: st.DataObject
) -> None:
    rows = [r._replace(time=r.time * scale, arrival=r.time * scale) for r in rows]
    end = (rows[-1].time if rows else 0) + seconds(100)
    cuts = data.draw(st.sets(st.integers(0, len(rows))))
    expected = of_indexes(evaluate(TIMED, Batch.of(rows), fresh(TIMED, 0), end).transitions)
    state, said = fresh(TIMED, 0), list[Transition]()
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = data.draw(st.permutations(rows[start:stop]))
        done = evaluate(TIMED, Batch.of(part), state, rows[stop - 1].time)
        state, said = done.state, said + done.transitions
    said += evaluate(TIMED, Batch.empty(), state, end).transitions
    assert of_indexes(said) == expected


LOW = rule("a.low", "watch: {metric: spo2}\n when: spo2 <= 91")
DENIED = replace(
    rule("a.denied", "watch: {metric: access_denied}\n when: count >= 1\n within: 60s"),
    severity=Severity.YELLOW,
)
INDEX = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 10")


def test_open_alerts_of_an_area_weigh_by_their_colour() -> None:
    plan = make_plan([INDEX, LOW, DENIED], inventory())
    rows = [reading(1, WEARABLE, "spo2", 90), reading(3, OTHER_DOOR, "access_denied", 1)]
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(5))
    (fired,) = [t for t in done.transitions if t.rule.code == "i"]
    assert told([fired]) == [("fired", "condition_held", 3, 3)]
    assert (fired.value, fired.subject.id, fired.devices) == (10, BUILDING, ())
    later = evaluate(plan, batch(reading(7, WEARABLE, "spo2", 96)), done.state, seconds(8))
    (cleared,) = [t for t in later.transitions if t.rule.code == "i"]
    assert (cleared.change, cleared.at, cleared.value) == (Change.CLEARED, seconds(7), 2)


def test_an_index_that_is_new_begins_with_what_is_open() -> None:
    before = make_plan([LOW, DENIED], inventory())
    rows = [reading(1, WEARABLE, "spo2", 90), reading(3, OTHER_DOOR, "access_denied", 1)]
    state = evaluate(before, batch(*rows), fresh(before, 0), seconds(5)).state
    after = make_plan([LOW, DENIED, INDEX], inventory())
    state, _ = carry_over(state, before, after, seconds(6))
    (fired,) = evaluate(after, Batch.empty(), state, seconds(7)).transitions
    assert told([fired]) == [("fired", "condition_held", 6, 6)]


def test_alerts_that_were_withdrawn_weigh_nothing() -> None:
    both = make_plan([LOW, INDEX, DENIED], inventory())
    rows = [reading(1, WEARABLE, "spo2", 90), reading(3, OTHER_DOOR, "access_denied", 1)]
    state = evaluate(both, batch(*rows), fresh(both, 0), seconds(5)).state
    alone = make_plan([INDEX, DENIED], inventory())
    state, _ = carry_over(state, both, alone, seconds(6))
    (cleared,) = evaluate(alone, Batch.empty(), state, seconds(7)).transitions
    assert (cleared.rule.code, cleared.change, cleared.value) == ("i", Change.CLEARED, 2)


def test_a_rising_level_adds_to_the_index_and_a_lasting_one_does_not() -> None:
    body = f"index: {{weights: {WEIGHTS}, trend: {{over: 4h, weight: 1}}}}\n per: community"
    index = rule("i", body + "\n when: index >= 12")
    plan = make_plan([LOW, index], inventory())
    row = reading(2 * 3600, WEARABLE, "spo2", 90)
    done = evaluate(plan, batch(row), fresh(plan, 0), seconds(7 * 3600 + 1))
    said = [t for t in done.transitions if t.rule.code == "i"]
    assert [(str(t.change), t.at // HOUR, t.value) for t in said] == [
        ("fired", 2, 16),
        ("cleared", 5, 8 + (8 - (0 + 8 + 8 + 8) / 4)),
    ]
    assert said[0].subject.id == COMMUNITY


def of_index(said: list[Transition]) -> list[tuple[str, float, float | None]]:
    """What was said of the rule 'i': what, when in seconds, the index."""
    return [(str(t.change), t.at / seconds(1), t.value) for t in said if t.rule.code == "i"]


ANY = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 4")
GRADED = rule(
    "a.graded",
    "watch: {metric: spo2}\n when: spo2 <= 93\n clear: spo2 >= 95\n"
    " severity: {blue: spo2 <= 93, orange: spo2 <= 91, red: spo2 <= 88}",
)


def falls_and_rises(*pairs: tuple[float, float]) -> Batch:
    return batch(*(reading(time, WEARABLE, "spo2", value) for time, value in pairs))


@pytest.mark.parametrize("cut", [False, True], ids=["one batch", "one by one"])
def test_an_alert_weighs_as_the_colour_that_it_has_at_the_time(*, cut: bool) -> None:
    """It is killed and restored after each batch, too."""
    index = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 4\n{KEEP}")
    plan = make_plan([index, GRADED], inventory())
    rows = [(1, 92), (3, 90), (5, 80), (7, 92), (9, 94), (11, 96)]
    state, said = fresh(plan, 0), list[Transition]()
    for part in [[row] for row in rows] if cut else [rows]:
        done = evaluate(plan, falls_and_rises(*part), state, seconds(part[-1][0]) + 1)
        said += done.transitions
        state, _ = restore(dump(done.state, plan), plan, seconds(part[-1][0]) + 1)
    said += evaluate(plan, Batch.empty(), state, seconds(30)).transitions
    assert of_index(said) == [
        ("fired", 3, 4),
        ("graded", 5, 8),
        ("graded", 7, 1),
        ("cleared", 9, 1),
    ]


KEEP = "clear: index < 2\n keep_for: 2s\n severity: {yellow: index >= 0, red: index >= 8}"


def test_numbers_with_colours_weigh_as_these_too() -> None:
    full = rule(
        "a.full",
        "watch: {metric: heartbeat}\n share: heartbeat == 1\n per: building\n when: number >= 1\n"
        " severity: {blue: number >= 1, orange: number >= 2}",
    )
    plan = make_plan([full, ANY], inventory())
    rows = [(1, DOOR, 1), (3, OTHER_DOOR, 1), (5, DOOR, 0), (7, DOOR, 1), (9, DOOR, 0)]
    rows += [(10, OTHER_DOOR, 0)]
    state, said = fresh(plan, 0), list[Transition]()
    for time, number, value in rows:
        row = batch(reading(time, number, "heartbeat", value))
        done = evaluate(plan, row, state, seconds(time) + 1)
        state, said = done.state, said + done.transitions
    assert of_index(said) == [
        ("fired", 3, 4),
        ("cleared", 5, 1),
        ("fired", 7, 4),
        ("cleared", 9, 1),
    ]
    open_now = [m.open[:].sum() for m in state.memories if isinstance(m, RiskMemory)]
    assert open_now == [0]


QUIET = rule("a.quiet", "watch: {metric: spo2}\n when: spo2 <= 91\n unless: a.grave")
GRAVE = replace(rule("a.grave", "watch: {metric: spo2}\n when: spo2 <= 85"), severity=Severity.BLUE)


@pytest.mark.parametrize("then", ["goes on", "restored", "reloaded", "the index is new"])
def test_what_another_rule_keeps_quiet_weighs_nothing_until_it_is_told(then: str) -> None:
    plan = make_plan([QUIET, GRAVE, ANY], inventory())
    first = make_plan([QUIET, GRAVE], inventory()) if then == "the index is new" else plan
    done = evaluate(first, falls_and_rises((1, 80)), fresh(first, 0), seconds(2))
    state = done.state
    if then == "restored":
        state, _ = restore(dump(state, plan), plan, seconds(2))
    elif then != "goes on":
        state, _ = carry_over(state, first, plan, seconds(2))
    quiet = evaluate(plan, Batch.empty(), state, seconds(5))
    assert of_index([*done.transitions, *quiet.transitions]) == []
    later = evaluate(plan, falls_and_rises((6, 90)), quiet.state, seconds(7))
    assert of_index(later.transitions) == [("fired", 6, 8)]
    ended = evaluate(plan, falls_and_rises((8, 95)), later.state, seconds(9))
    assert of_index(ended.transitions) == [("cleared", 8, 0)]


def test_a_colour_by_value_is_known_after_a_change_of_plan() -> None:
    before = make_plan([GRADED], inventory())
    done = evaluate(before, falls_and_rises((1, 92), (2, 90)), fresh(before, 0), seconds(3))
    after = make_plan([GRADED, ANY], inventory())
    state, _ = carry_over(done.state, before, after, seconds(3))
    said = evaluate(after, Batch.empty(), state, seconds(4)).transitions
    assert of_index(said) == [("fired", 3, 4)]


def test_an_index_is_kept_quiet_and_told_like_any_rule() -> None:
    index = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 8\n{MUTED}")
    several = rule(
        "a.several",
        "watch: {metric: access_denied}\n when: count >= 1\n within: 9s\n per: building",
    )
    plan = make_plan([index, LOW, several], inventory())
    rows = [reading(1, OTHER_DOOR, "access_denied", 1), reading(3, WEARABLE, "spo2", 90)]
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(5))
    assert of_index(done.transitions) == []
    rows = [reading(4, WEARABLE, "spo2", 90), reading(11, OTHER_DOOR, "heartbeat", 1)]
    later = evaluate(plan, batch(*rows), done.state, seconds(12))
    assert of_index(later.transitions) == [("fired", 10, 8)]


MUTED = "unless: a.several"


def test_an_index_keeps_no_rule_quiet() -> None:
    quiet = rule("a", "watch: {metric: spo2}\n when: spo2 <= 91\n unless: i")
    with pytest.raises(RulesError, match="'i' is a risk index, made of what is told"):
        load({"a": write(ANY), "b": write(quiet)}, whole=True)


def test_a_press_of_a_button_is_not_known_to_be_over_and_weighs_nothing() -> None:
    sos = rule("a.sos", "watch: {metric: sos}\n when: sos >= 1")
    index = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index > 0")
    plan = make_plan([sos, index], inventory(away=()))
    rows = [reading(1, AWAY_WEARABLE, "sos", 1)]
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(5))
    assert [t.rule.code for t in done.transitions] == ["a.sos"]


def test_an_index_with_a_lateness_waits_for_what_is_told_late() -> None:
    """Whichever of two alerts is told first, the index knows them in the order of their times."""
    index = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index >= 10")
    plan = make_plan([replace(index, lateness=seconds(30)), LOW, DENIED], inventory())
    late = [
        reading(1, OTHER_DOOR, "access_denied", 1),
        reading(3, WEARABLE, "spo2", 90, arrival=20),
        reading(5, WEARABLE, "spo2", 96, arrival=20),
    ]
    for order in (late, [late[0]._replace(arrival=seconds(25)), *late[1:]]):
        state, said = fresh(plan, 0), list[Transition]()
        for now in (10, 20, 25, 34, 60):
            came = [r for r in order if now - 10 < r.arrival // seconds(1) <= now]
            done = evaluate(plan, batch(*came), state, seconds(now))
            state, said = done.state, said + done.transitions
        of_index = [t for t in said if t.rule.code == "i"]
        assert told(of_index) == [
            ("fired", "condition_held", 3, 3),
            ("cleared", "condition_ended", 3, 5),
        ]


MANY = replace(
    rule(
        "a.many", "watch: {metric: access_denied}\n when: count >= 1\n within: 20s\n per: building"
    ),
    severity=Severity.YELLOW,
)


def test_an_index_is_kept_quiet_by_another_rule() -> None:
    """It is told when that has ended, if it is still high."""
    index = replace(INDEX, unless=("a.many",))
    plan = make_plan([index, LOW, MANY], inventory())
    lows = [reading(t, WEARABLE, "spo2", 90) for t in (4, 20, 30)]
    doors = [reading(t, d, "heartbeat", 1) for t in (20, 30) for d in (DOOR, OTHER_DOOR)]
    rows = [*lows, *doors, reading(3, OTHER_DOOR, "access_denied", 1)]
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(31))
    assert [(t.rule.code, str(t.change)) for t in done.transitions] == [
        ("a.many", "fired"),
        ("a.low", "fired"),
        ("a.many", "cleared"),
    ]
    low_too = replace(LOW, code="a.low_too", severity=Severity.ORANGE)
    plan = make_plan([index, LOW, low_too, MANY], inventory())
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(31))
    assert told(t for t in done.transitions if t.rule.code == "i") == [
        ("fired", "condition_held", 4, 23)
    ]


def test_what_is_held_back_weighs_nothing_whenever_the_index_looks() -> None:
    """Also first of all, and after a restart or a change of the plan."""
    quiet = replace(LOW, unless=("a.many",))
    index = rule("i", f"index: {{weights: {WEIGHTS}}}\n per: building\n when: index > 2")
    plan = make_plan([index, quiet, MANY], inventory())
    rows = [reading(1, OTHER_DOOR, "access_denied", 1), reading(3, WEARABLE, "spo2", 90)]
    done = evaluate(plan, batch(*rows), fresh(plan, 0), seconds(5))
    assert [t.rule.code for t in done.transitions] == ["a.many"]
    for state in (
        restore(dump(done.state, plan), plan, seconds(6))[0],
        carry_over(done.state, plan, plan, seconds(6))[0],
    ):
        assert evaluate(plan, Batch.empty(), state, seconds(7)).transitions == []


def test_an_index_is_read_and_written_back() -> None:
    for each in INDEXES:
        (again,) = load({"w": write(each)})
        assert again.condition == each.condition
        assert again.fingerprint == each.fingerprint
    condition = INDEXES[1].condition
    assert isinstance(condition, RiskIndex)
    assert (condition.over, condition.trend) == (3 * HOUR, 0.5)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            "index: {weights: {red: 1}}\n per: device\n when: index > 1",
            "an index is that of an area",
        ),
        ("index: {weights: {red: 1}}\n when: index > 1", "'per' of rule i: is missing"),
        ("index: {weights: {pink: 1}}\n per: grid\n when: index > 1", "is no colour"),
        ("index: {weights: {red: 0}}\n per: grid\n when: index > 1", "nothing has a weight"),
        (
            "index: {weights: {red: x}}\n per: grid\n when: index > 1",
            "is not a number of at least 0",
        ),
        ("index: {}\n per: grid\n when: index > 1", "'index.weights' of rule i: is missing"),
        ("index: 3\n per: grid\n when: index > 1", "is not a mapping"),
        ("index: {weights: {red: 1}}\n per: grid\n when: mean > 1", "unknown name 'mean'"),
        ("index: {weights: {red: 1}}\n per: grid\n when: index > device.x", "there is no 'device"),
        (
            "index: {weights: {red: 1}, trend: {over: 90m, weight: 1}}\n per: b\n when: index > 1",
            "is not whole hours",
        ),
        (
            "watch: {metric: spo2}\n index: {weights: {red: 1}}\n per: grid\n when: index > 1",
            "'watch.metric' of rule i: unknown key",
        ),
        (
            "index: {weights: {red: 1}}\n per: grid\n when: index < 0",
            "'index < 0' can never be true (index is 0 or more)",
        ),
        (
            "index: {weights: {red: 1}}\n per: grid\n when: index > 9\n clear: index < 12",
            "contradicts 'when': index 10 would both raise and clear the alert",
        ),
        (
            "index: {weights: {red: 1}}\n per: grid\n when: index > 1\n no_data: alert",
            "'alert' is for thresholds",
        ),
    ],
)
def test_what_makes_no_sense_is_said(body: str, what: str) -> None:
    with pytest.raises(RulesError) as caught:
        rule("i", body)
    assert any(what in str(problem) for problem in caught.value.problems), caught.value.problems
