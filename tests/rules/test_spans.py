"""Derived numbers judged, against a plain loop over points."""

from dataclasses import replace
from datetime import UTC
from typing import NamedTuple, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import FOREVER, HOUR, MINUTE
from devices.reading import Batch
from rules.calendar import Active, Calendar
from rules.expression import parse
from rules.listening import listen
from rules.model import Grade, Judging, NoData, Severity
from rules.newest import Astir
from rules.plan import make_plan
from rules.screen import screen
from rules.spans import Points, SpanMemory, fold, fresh_spans, tick, verdicts
from rules.state import fresh
from rules.transition import Change
from rules.turn import Turn
from tests.rules import oracle_spans
from tests.rules.community import inventory, rule, seconds
from tests.rules.oracle_core import Track
from tests.rules.oracle_spans import Span

HOLD = "watch: {metric: access_denied}\n when: count >= 3\n within: 15s"
"""Any rule with two subjects of one device each will do."""
WHEN, CLEAR = parse("value >= 5"), parse("value <= 3")


class Said(NamedTuple):
    change: str
    since: int
    at: int
    value: float | None


class Point(NamedTuple):
    time: int
    value: float | None


class Teller(Track):
    """Of a rule that has only this: notes what is said."""

    def __init__(self, turn: Turn) -> None:
        self.rule, self.own, self.away = turn.own.rule, turn.own, set()
        self.noted: list[Said] = []

    def say(self, change: Change, *what: object, value: float | None, **_: object) -> None:
        since, at = cast("tuple[int, int]", what[-1])
        self.noted.append(Said(str(change), since, at, value))


@st.composite
def stories(draw: st.DrawFn) -> list[list[list[Point]]]:
    """Batches; of each, for either subject, points at ascending times."""
    values = st.one_of(st.none(), st.sampled_from([1.0, 4.0, 5.0, 9.0]))
    batches, now = [], [0, 0]
    for sizes in draw(st.lists(st.tuples(*[st.integers(0, 5)] * 2), min_size=1, max_size=6)):
        batch: list[list[Point]] = [[], []]
        for subject, size in enumerate(sizes):
            for _ in range(size):
                now[subject] += draw(st.integers(1, 8))
                batch[subject].append(Point(now[subject], draw(values)))
        batches.append(batch)
    return batches


def points_of(batch: list[list[Point]], how: Judging, order: list[int]) -> Points:
    rows = [(slot, p) for slot, points in enumerate(batch) for p in points]
    rows = [rows[i % len(rows)] for i in order] if rows else rows
    rows = list(dict.fromkeys(rows))
    value = np.array([np.nan if p.value is None else p.value for _, p in rows], np.float64)
    return Points(
        np.array([slot for slot, _ in rows], np.int32),
        np.array([p.time for _, p in rows], np.int64),
        value,
        verdicts(how, value, ~np.isnan(value)),
    )


@given(
    stories(),
    st.sampled_from([0, 3, 10]),
    st.sampled_from([0, 4]),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@settings(max_examples=300, deadline=None)
def test_spans_are_those_of_a_plain_loop(  # noqa: PLR0917 - drawn
    batches: list[list[list[Point]]],
    lasting: int,
    keep: int,
    hysteresis: bool,
    alert: bool,
    random: object,
) -> None:
    how = Judging(WHEN, CLEAR if hysteresis else None, lasting, keep)
    turn = make_turn(no_data=NoData.ALERT if alert else NoData.HOLD)
    memory = SpanMemory(**fresh_spans(2))  # type: ignore[arg-type]
    tellers = [Teller(turn), Teller(turn)]
    loops = [Span(teller, turn.own.subject(n), how) for n, teller in enumerate(tellers)]
    for batch in batches:
        size = sum(map(len, batch))
        order = list(range(size))
        random.shuffle(order)  # type: ignore[attr-defined]
        fold(turn, memory, points_of(batch, how, order), how)
        for loop, points in zip(loops, batch, strict=True):
            loop.take([known(point) for point in points])
    tick(turn, memory, 1_000, how)
    for slot, loop in enumerate(loops):
        loop.until(1_000)
        subject = turn.own.subject(slot)
        said = [
            Said(str(t.change), t.since, t.at, t.value) for t in turn.said if t.subject == subject
        ]
        assert said == tellers[slot].noted


def known(point: Point) -> oracle_spans.Point:
    time, value = point
    numbers = None if value is None else {"value": value}
    return oracle_spans.Point(time, numbers, value)


def make_turn(no_data: NoData = NoData.HOLD) -> Turn:
    plan = make_plan([rule("x", HOLD)], inventory())
    object.__setattr__(plan.rules[0].rule, "no_data", no_data)
    state = fresh(plan, 0)
    hearing = listen(plan, Batch.empty(), state.silence, seconds(0))
    newest = state.newest
    newest.stirred = Astir.nothing(plan.cells)
    screened = screen(plan.cells, hearing, hearing, newest)
    return Turn(plan, plan.rules[0], hearing, state.silence, newest, screened)


def test_a_point_before_the_last_one_is_taken_as_of_that() -> None:
    how = Judging(WHEN, None, 0)
    turn, memory = make_turn(), SpanMemory(**fresh_spans(2))  # type: ignore[arg-type]
    fold(turn, memory, points_of([[Point(10, 1.0)], []], how, [0]), how)
    fold(turn, memory, points_of([[Point(4, 9.0)], []], how, [0]), how)
    assert [(t.change, t.at) for t in turn.said] == [(Change.FIRED, 10)]
    assert int(memory.pending[0]) == 10
    assert int(memory.pending[1]) == FOREVER


def judge(turn: Turn, how: Judging, *points: Point) -> list[Said]:
    """What is said of these points of the first subject, one batch each."""
    memory = SpanMemory(**fresh_spans(2))  # type: ignore[arg-type]
    for point in points:
        own = points_of([[point], []], how, [0])
        fold(turn, memory, replace(own, rank=turn.ranks_by(own.value)), how)
    tick(turn, memory, points[-1].time, how)
    return [Said(str(t.change), t.since, t.at, t.value) for t in turn.said]


def test_colours_go_by_the_number_while_it_fires() -> None:
    turn = make_turn()
    grades = (Grade(Severity.RED, parse("value >= 9")), Grade(Severity.YELLOW, WHEN))
    object.__setattr__(turn.own.rule, "grades", grades)
    object.__setattr__(turn.own.rule, "severity", Severity.YELLOW)
    values = (5.0, 6.0, 9.0, 5.0, 1.0)
    points = [Point(time, value) for time, value in enumerate(values, 1)]
    said = judge(turn, Judging(WHEN, CLEAR, 0), *points)
    assert [(s.change, s.at) for s in said] == [
        ("fired", 1),
        ("graded", 3),
        ("graded", 4),
        ("cleared", 5),
    ]
    assert [str(t.severity) for t in turn.said] == ["yellow", "red", "yellow", "yellow"]


def graded(no_data: NoData = NoData.HOLD) -> Turn:
    """Of a rule that is red from 9 on, yellow from 5 on, else blue."""
    turn = make_turn(no_data)
    grades = (
        Grade(Severity.RED, parse("value >= 9")),
        Grade(Severity.YELLOW, WHEN),
        Grade(Severity.BLUE, parse("value >= 0")),
    )
    object.__setattr__(turn.own.rule, "grades", grades)
    object.__setattr__(turn.own.rule, "severity", Severity.BLUE)
    return turn


def test_an_alert_ends_with_the_colour_that_it_had() -> None:
    turn = graded()
    judge(turn, Judging(WHEN, CLEAR, 0), Point(1, 9.0), Point(2, 1.0), Point(3, 5.0))
    assert [(str(t.change), str(t.severity)) for t in turn.said] == [
        ("fired", "red"),
        ("cleared", "red"),
        ("fired", "yellow"),
    ]


def test_an_alert_for_silence_alone_has_the_least_grave_colour() -> None:
    turn = graded(NoData.ALERT)
    how = Judging(parse("value > 9"), CLEAR, 0, keep=100)
    judge(turn, how, Point(1, 9.0), Point(2, None), Point(3, 9.0))
    assert [(str(t.change), t.at, str(t.severity)) for t in turn.said] == [
        ("fired", 2, "blue"),
        ("cleared", 3, "blue"),
    ]


def test_what_holds_since_before_the_active_hours_fires_in_them() -> None:
    turn = make_turn()
    calendar = Calendar(Active(((60, 120),), frozenset(), ()), UTC)
    object.__setattr__(turn.own, "calendar", calendar)
    how = Judging(WHEN, None, 10 * MINUTE)
    points = (Point(30 * MINUTE, 9.0), Point(HOUR + 9 * MINUTE, 9.0), Point(2 * HOUR, 9.0))
    assert judge(turn, how, *points[:2]) == []
    said = judge(turn, how, *points)
    assert [(s.change, s.at) for s in said] == [("fired", HOUR + 10 * MINUTE)]


def test_what_is_unknown_since_before_the_active_hours_is_told_in_them() -> None:
    """Once, as they begin, if nothing is known until then."""
    how, story = Judging(WHEN, None, 5 * MINUTE), (Point(1, 1.0), Point(2, None))
    for back, at in ((HOUR, None), (2 * HOUR, HOUR)):
        turn = make_turn(NoData.ALERT)
        calendar = Calendar(Active(((60, 120),), frozenset(), ()), UTC)
        object.__setattr__(turn.own, "calendar", calendar)
        said = judge(turn, how, *story, Point(3, None), Point(back, 1.0))
        assert said == [] if at is None else [("fired", 2, at, 1.0), ("cleared", 2, back, 1.0)]


def test_an_alert_does_not_outlive_a_silence_where_the_rule_says_so() -> None:
    how = Judging(WHEN, CLEAR, 0, keep=100)
    points = (Point(1, 9.0), Point(2, None), Point(3, 4.0))
    held = judge(make_turn(), how, *points)
    assert [s.change for s in held] == ["fired", "went_silent", "heard_again"]
    said = judge(make_turn(NoData.CLEAR), how, *points)
    assert [(s.change, s.at) for s in said[2:]] == [("heard_again", 3), ("cleared", 3)]
    again = judge(make_turn(NoData.CLEAR), how, *points[:2], Point(3, 9.0), Point(4, 4.0))
    assert [s.change for s in again] == ["fired", "went_silent", "heard_again"]


def test_a_number_that_comes_late_to_the_silence_does_not_end_what_it_let_lapse() -> None:
    """It is taken as of the silence; the first after it ends the alert."""
    how, turn = Judging(WHEN, CLEAR, 0), make_turn(NoData.CLEAR)
    memory = SpanMemory(**fresh_spans(2))  # type: ignore[arg-type]
    for points in ([Point(1, 9.0), Point(5, None)], [Point(4, 4.0)], [Point(5, 1.0)]):
        fold(turn, memory, points_of([points, []], how, [*range(len(points))]), how)
    assert [str(t.change) for t in turn.said] == ["fired", "went_silent"]
    fold(turn, memory, points_of([[Point(6, 4.0)], []], how, [0]), how)
    assert [(str(t.change), t.at) for t in turn.said[2:]] == [("heard_again", 6), ("cleared", 6)]


def test_an_alert_for_silence_alone_has_the_least_grave_colour_until_something_is_heard() -> None:
    turn = make_turn(NoData.ALERT)
    grades = (Grade(Severity.RED, parse("value >= 9")), Grade(Severity.YELLOW, WHEN))
    object.__setattr__(turn.own.rule, "grades", grades)
    object.__setattr__(turn.own.rule, "severity", Severity.YELLOW)
    points = (Point(1, 9.0), Point(2, None), Point(3, 9.0), Point(4, 1.0))
    judge(turn, Judging(WHEN, CLEAR, 10), *points)
    assert [(str(t.change), str(t.severity), t.was and str(t.was)) for t in turn.said] == [
        ("fired", "yellow", None),
        ("graded", "red", "yellow"),
        ("cleared", "red", None),
    ]
