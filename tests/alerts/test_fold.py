"""Transitions onto standing alerts, any history of them, and any crash in it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.fold import Folded, Key, Mark, Picture, fold, key_of, mark_of
from alerts.lifecycle import Reason
from alerts.model import AlertState
from rules.model import Severity
from rules.transition import Cause, Change, Transition
from tests.alerts.estate import BAY, NOW, PARKING_RULE, SMOKE, press, transition

EMPTY = Picture({}, {}, {})


def picture_after(folded: Folded, before: Picture) -> Picture:
    """What the store would read back once these effects are written."""
    ids = {e.alert: len(before.conditions) - e.alert for e in folded.effects if e.alert < 0}
    done = folded.numbered(ids)
    conditions = {**before.conditions, **done.conditions}
    keys: dict[Key, int] = dict(before.standing)
    keys |= {key_of(e.transition): e.alert for e in done.effects}
    standing = {k: i for k, i in keys.items() if conditions[i].state.standing}
    gone = {e.alert for e in done.effects if e.decision.reason is Reason.WITHDRAWN}
    told = {**before.told, **done.told}
    return Picture(standing, conditions, told, gone | set(before.withdrawn))


def reasons(transitions: Sequence[Transition]) -> list[Reason]:
    return [e.decision.reason for e in fold(transitions, EMPTY).effects]


def test_two_spans_in_one_batch_are_two_alerts() -> None:
    batch = [
        transition(since=NOW),
        transition(Change.CLEARED, since=NOW, at=NOW + 1, cause=Cause.CONDITION_ENDED),
        transition(since=NOW + 2),
    ]
    folded = fold(batch, EMPTY)
    assert [e.alert for e in folded.effects] == [-1, -1, -2]
    assert [c.state for c in folded.conditions.values()] == [AlertState.CLEARED, AlertState.OPEN]


def test_pressed_again_is_merged_and_told_again() -> None:
    folded = fold([press(NOW), press(NOW + 1)], EMPTY)
    assert [e.decision.reason for e in folded.effects] == [Reason.OPENED, Reason.FIRED_AGAIN]
    assert [e.telling for e in folded.effects] == [True, True]


def test_another_car_that_did_not_leave_is_told_of_though_one_stands() -> None:
    folded = fold([transition(since=t, cause=Cause.UNANSWERED) for t in (NOW, NOW + 1)], EMPTY)
    assert [e.telling for e in folded.effects] == [True, True]


def test_a_lasting_condition_that_fires_again_is_merged_and_not_told_again() -> None:
    folded = fold([transition(since=NOW), transition(since=NOW + 1)], EMPTY)
    assert [e.telling for e in folded.effects] == [True, False]


def test_the_end_of_a_merged_span_ends_the_alert() -> None:
    ended = transition(Change.CLEARED, since=NOW + 1, at=NOW + 5)
    folded = fold([transition(since=NOW), transition(since=NOW + 1), ended], EMPTY)
    assert folded.conditions[-1].state is AlertState.CLEARED
    assert folded.conditions[-1].cleared_at == NOW + 5


def test_the_end_of_an_older_span_leaves_the_new_alert_alone() -> None:
    first = [transition(since=NOW), transition(Change.CLEARED, since=NOW, at=NOW + 1)]
    late_end = transition(Change.CLEARED, since=NOW, at=NOW + 9)
    folded = fold([*first, transition(since=NOW + 2), late_end], EMPTY)
    assert folded.conditions[-2].state is AlertState.OPEN


def test_silence_is_noted_and_taken_back() -> None:
    silent = transition(Change.WENT_SILENT, at=NOW + 1, cause=Cause.SENSOR_SILENT)
    heard = transition(Change.HEARD_AGAIN, at=NOW + 2, cause=Cause.HEARD)
    noted = fold([transition(), silent], EMPTY).conditions[-1]
    assert (noted.state, noted.silent_since) == (AlertState.OPEN, NOW + 1)
    assert fold([transition(), silent, heard], EMPTY).conditions[-1].silent_since is None


def test_a_withdrawn_rule_closes_with_its_cause() -> None:
    gone = transition(Change.WITHDRAWN, at=NOW + 1, cause=Cause.RULE_REMOVED)
    closed = fold([transition(), gone], EMPTY).conditions[-1]
    ended = (closed.state, closed.outcome, closed.closed_at)
    assert ended == (AlertState.CLOSED, "rule_removed", NOW + 1)


@pytest.mark.parametrize("together", [True, False])
def test_what_a_withdrawn_rule_was_told_is_told_anew_when_it_is_back(together: bool) -> None:
    """Nothing was heard since the same instant: the span is the same, the alert is another."""
    gone = transition(Change.WITHDRAWN, at=NOW + 1, cause=Cause.RULE_CHANGED)
    first, back = [transition(), gone], [transition(), transition(), gone]
    if together:
        folded = fold([*first, *back], EMPTY)
    else:
        picture = picture_after(fold(first, EMPTY), EMPTY)
        folded = fold(back, picture)
        again = fold(back, picture_after(folded, picture))
        assert again.effects == (), "the same withdrawal again, and what it left standing"
    opened = [e.alert for e in folded.effects if e.opens]
    assert opened == ([-1, -2] if together else [-1])
    assert folded.conditions[opened[-1]].state is AlertState.OPEN


def graded(severity: Severity, at: int, **more: Any) -> Transition:
    return transition(Change.GRADED, at=at, cause=Cause.VALUE_CHANGED, severity=severity, **more)


def test_a_colour_rises_and_falls_and_only_rising_is_told() -> None:
    steps = [
        transition(severity=Severity.YELLOW),
        graded(Severity.RED, NOW + 1),
        graded(Severity.ORANGE, NOW + 2),
        graded(Severity.ORANGE, NOW + 3),
    ]
    folded = fold(steps, EMPTY)
    assert [e.decision.reason for e in folded.effects] == [
        Reason.OPENED,
        Reason.SEVERITY_CHANGED,
        Reason.SEVERITY_CHANGED,
    ]
    assert [e.telling for e in folded.effects] == [True, True, False]
    assert [(e.before, e.severity) for e in folded.effects] == [
        (None, Severity.YELLOW),
        (Severity.YELLOW, Severity.RED),
        (Severity.RED, Severity.ORANGE),
    ]
    assert folded.conditions[-1].severity is Severity.ORANGE
    picture = picture_after(folded, EMPTY)
    assert fold(steps, picture).effects == (), "a replay"


def test_another_press_does_not_make_the_first_less_grave() -> None:
    first, lesser, graver = (
        replace(press(NOW + i), severity=severity)
        for i, severity in enumerate([Severity.ORANGE, Severity.BLUE, Severity.RED])
    )
    folded = fold([first, lesser, graver], EMPTY)
    assert [e.severity for e in folded.effects] == [Severity.ORANGE, Severity.ORANGE, Severity.RED]


def test_what_ends_nothing_has_no_effect() -> None:
    ends = [transition(change) for change in Change if change is not Change.FIRED]
    assert reasons(ends) == []


COLOURS = st.sampled_from(Severity)


@st.composite
def histories(draw: st.DrawFn) -> list[Transition]:
    """What an engine may say of two subjects: spans begin and end in order, presses any time."""
    history = []
    begun: dict[int, int | None] = {SMOKE: None, BAY: None}
    for at in range(NOW, NOW + draw(st.integers(0, 12))):
        device = draw(st.sampled_from([SMOKE, BAY, 0]))
        since = begun.get(device)
        if device == 0:
            history.append(press(at))
        elif since is None:
            begun[device] = at
            history.append(_of(device, Change.FIRED, at, at, draw(COLOURS)))
        else:
            change = draw(st.sampled_from([c for c in Change if c is not Change.FIRED]))
            history.append(_of(device, change, since, at, draw(COLOURS)))
            if change in {Change.CLEARED, Change.WITHDRAWN}:
                begun[device] = None
    return history


def _of(device: int, change: Change, since: int, at: int, severity: Severity) -> Transition:
    if device == SMOKE:
        return transition(change, since=since, at=at, severity=severity)
    return transition(change, of=PARKING_RULE, device=BAY, since=since, at=at, severity=severity)


def closed_by_hand(picture: Picture) -> Picture:
    """A person closes everything that stands."""
    closed = {
        i: replace(picture.conditions[i], state=AlertState.CLOSED)
        for i in picture.standing.values()
    }
    return replace(picture, standing={}, conditions={**picture.conditions, **closed})


@given(histories(), st.data())
def test_any_crash_repeats_work_and_never_effects(
    history: list[Transition], data: st.DataObject
) -> None:
    """Batches of any size; each may hand over again anything since the last withdrawal, with which
    the engine saves its state, as after a crash."""
    picture, done = EMPTY, 0
    told: list[Mark] = []
    saved = [0, *(i for i, t in enumerate(history, 1) if t.change is Change.WITHDRAWN)]
    while done < len(history):
        upto = data.draw(st.integers(done + 1, len(history)))
        since = max(i for i in saved if i <= done)
        folded = fold(history[data.draw(st.integers(since, done)) : upto], picture)
        told += [mark_of(e.transition) for e in folded.effects]
        picture, done = picture_after(folded, picture), upto
        if data.draw(st.booleans()):
            picture = closed_by_hand(picture)
    assert fold(history[saved[-1] :], picture).effects == ()
    assert len(told) == len(set(told))
    spans = {mark_of(t) for t in history if t.change is Change.FIRED}
    assert spans <= set(told), "every span that began was told"


@given(histories())
def test_an_alert_that_stands_has_the_colour_that_was_said_last(history: list[Transition]) -> None:
    folded = fold(history, EMPTY)
    standing = picture_after(folded, EMPTY).standing
    for key, alert in standing.items():
        said = [
            t.severity
            for t in history
            if key_of(t) == key and t.change in {Change.FIRED, Change.GRADED}
        ]
        assert folded.conditions[-alert].severity is said[-1]


@given(histories(), st.integers(0, 12))
def test_where_a_batch_is_cut_does_not_matter(history: list[Transition], cut: int) -> None:
    whole = fold(history, EMPTY)
    first = fold(history[:cut], EMPTY)
    second = fold(history[cut:], picture_after(first, EMPTY))
    in_two = [e.decision for e in (*first.effects, *second.effects)]
    assert in_two == [e.decision for e in whole.effects]
