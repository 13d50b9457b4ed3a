"""Backtests judge as the service does; spells, runs and incidents are compared as documented."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import SECOND
from devices.reading import Batch, Reading
from rules import threshold
from rules.detection import Incident, Place, detect
from rules.difference import compare
from rules.evaluate import advance
from rules.model import SubjectKind
from rules.plan import make_plan
from rules.replay import LONGEST_STEP, Replay, cut, cut_across, replay, steps
from rules.spell import Spell, Spells
from rules.state import fresh
from rules.transition import Cause, Subject, Transition
from tests.rules.community import (
    BUILDING,
    CARE_HOME,
    DOOR,
    MOTION,
    MOTION_TOO,
    OTHER_BUILDING,
    OTHER_DOOR,
    RULES,
    WEARABLE,
    behind_gateway,
    inventory,
    reading,
    rule,
    seconds,
)
from tests.rules.oracle import by_subject
from tests.rules.test_evaluate_properties import PLAN, timed

LOW = rule("t.low", "watch: {metric: spo2}\n when: spo2 <= 91\n clear: spo2 >= 94")


def as_the_service(rows: Sequence[Reading], end: int) -> list[Transition]:
    """A batch for each reading, and a tick every second: all happens at whole seconds."""
    state, said, now = fresh(PLAN, 0), list[Transition](), 0
    for row in [*rows, None]:
        until = end if row is None else row.arrival
        while now + SECOND < until:
            now += SECOND
            said += advance(PLAN, Batch.empty(), state, now).transitions
        now = until
        if row is None:
            said += advance(PLAN, Batch.empty(), state, now).transitions
        else:
            said += advance(PLAN, Batch.of([row]), state, now).transitions
    return said


@given(timed(size=25), st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_says_what_the_service_says_though_it_ticks_seldom(rows: list[Reading], rest: int) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    live = as_the_service(rows, end)
    said = list(replay(PLAN, cut(Batch.of(rows), SECOND), 0, end))
    assert by_subject(said) == by_subject(live)


@given(timed(), st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_the_portions_in_which_rows_come_do_not_matter(
    rows: list[Reading], every: int, data: st.DataObject
) -> None:
    whole = Batch.of(rows)
    edges = sorted([0, *data.draw(st.lists(st.integers(0, len(rows)), max_size=6)), len(rows)])
    portions = [whole.take(np.arange(start, stop)) for start, stop in pairwise(edges)]
    batches = [batch.rows() for batch in cut_across(portions, seconds(every))]
    assert batches == [batch.rows() for batch in cut(whole, seconds(every))]


@given(timed(), st.integers(1, 60), st.integers(0, 5_000))
@settings(max_examples=60, deadline=None)
def test_every_row_is_in_one_step_and_time_goes_on(
    rows: list[Reading], every: int, rest: int
) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    taken = list(steps(cut(Batch.of(rows), seconds(every)), 0, end))
    assert [r for step in taken for r in step.batch.rows()] == rows
    assert all(one.now < other.now for one, other in pairwise(taken))
    assert all(other.now - one.now <= LONGEST_STEP for one, other in pairwise(taken))
    for one, other in pairwise(taken):
        # All that came before is heard, and nothing that is still to come.
        assert (other.batch.arrival > one.now).all()
        assert (one.batch.arrival <= one.now).all()
    assert not taken or taken[-1].now == end


def test_a_batch_ends_where_its_span_does() -> None:
    rows = Batch.of(reading(t, WEARABLE, "spo2", 90) for t in (0.2, 0.9, 1.0, 3.5, 3.6))
    assert [b.time.tolist() for b in cut(rows, SECOND)] == [
        [seconds(0.2), seconds(0.9)],
        [seconds(1)],
        [seconds(3.5), seconds(3.6)],
    ]
    assert list(cut(Batch.empty(), SECOND)) == []


def test_a_rule_that_fails_is_left_out_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule over another metric than the one that fails: one count, one threshold."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(threshold, "heed", broken)
    counted = rule("w.two", "watch: {metric: access_denied}\n when: count >= 2\n within: 15s")
    plan = make_plan((LOW, counted), inventory())
    own = Replay.begin(plan, 0)
    rows = [reading(1, WEARABLE, "spo2", 88)]
    rows += [reading(t, DOOR, "access_denied", 1) for t in (2, 3)]
    said = [t for step in steps(cut(Batch.of(rows), SECOND), 0, seconds(9)) for t in own.take(step)]
    assert [t.rule.code for t in said] == ["w.two"]
    assert [failure.rule.code for failure in own.failures] == ["t.low"]
    with pytest.raises(ZeroDivisionError):
        list(replay(plan, cut(Batch.of(rows), SECOND), 0, seconds(9)))


def test_spells_begin_end_stand_and_occur() -> None:
    plan = make_plan(RULES, behind_gateway())
    low = [(1, 88.0), (5, 97.0), (8, 80.0)]
    rows = [reading(t, WEARABLE, "spo2", value) for t, value in low]
    rows += [reading(9, WEARABLE, "sos", 1), reading(10, WEARABLE, "sos", 1)]
    heard = Spells()
    heard.take(replay(plan, cut(Batch.of(rows), SECOND), 0, seconds(12)))
    found = [
        (s.rule.code, s.since // SECOND, s.until and s.until // SECOND)
        for s in heard.all()
        if s.rule.code in {"t.plain", "t.sos"}
    ]
    assert found == [
        ("t.plain", 1, 5),
        ("t.plain", 8, None),
        ("t.sos", 9, 9),
        ("t.sos", 10, 10),
    ]
    standing = next(s for s in heard.all() if s.until is None and s.rule.code == "t.plain")
    assert standing.lasted(seconds(12)) == seconds(4)


IN_A_HOME = "{metric: motion, where: motion == 1}\nsame: household", (MOTION, MOTION_TOO), "motion"
BY_NAME = "{metric: access_denied}\nsame: credential", (DOOR, OTHER_DOOR), "heartbeat"


@pytest.mark.parametrize(("then", "until"), [(IN_A_HOME, 15), (BY_NAME, 11)])
def test_what_was_not_followed_ends_in_a_home_and_is_over_at_once_where_a_name_joins(
    then: tuple[str, tuple[int, int], str], until: int
) -> None:
    text, sensors, metric = then
    missing = rule("m", f"first: {{metric: sos}}\nwithin: 10s\nmissing: true\nthen: {text}")
    plan = make_plan([missing], inventory())
    rows = [reading(1, WEARABLE, "sos", 1)._replace(token=7)]
    alive = metric == "heartbeat"
    rows += [reading(t, d, metric, alive or t > 14) for t in (2, 12, 15) for d in sensors]
    heard = Spells()
    heard.take(replay(plan, cut(Batch.of(rows), SECOND), 0, seconds(20)))
    (found,) = heard.all()
    assert (found.since, found.fired, found.until) == (seconds(1), seconds(11), seconds(until))


def spell(
    since: float,
    until: float | None,
    *,
    subject: Subject = Subject(SubjectKind.DEVICE, WEARABLE),  # noqa: B008 - a value
    fired: float | None = None,
    code: str = "t.low",
) -> Spell:
    """A spell of this rule, at a wearable unless said otherwise; seconds."""
    own = LOW if code == "t.low" else rule(code, "watch: {metric: spo2}\n when: spo2 <= 80")
    devices = (subject.id,) if subject.kind is SubjectKind.DEVICE else ()
    return Spell(
        own,
        subject,
        seconds(since),
        seconds(since if fired is None else fired),
        None if until is None else seconds(until),
        own.severity,
        Cause.CONDITION_HELD,
        devices,
        None,
    )


def test_two_runs_are_compared_by_rule_and_subject_and_span() -> None:
    other = Subject(SubjectKind.DEVICE, DOOR)
    old = [spell(0, 10), spell(20, 30), spell(40, None), spell(50, 60, subject=other)]
    new = [spell(2, 12, fired=5), spell(31, 33), spell(100, 110), spell(50, 60, code="t.other")]
    found = compare(old, new)
    assert [(same.old, same.new) for same in found.same] == [(old[0], new[0]), (old[2], new[2])]
    assert [same.later for same in found.same] == [seconds(5), seconds(60)]
    assert list(found.added) == [new[1], new[3]]
    assert list(found.removed) == [old[1], old[3]]


def test_a_run_is_the_same_as_itself() -> None:
    spells = [spell(0, 10), spell(10, 10), spell(20, None)]
    found = compare(spells, spells)
    assert (len(found.same), list(found.added), list(found.removed)) == (3, [], [])
    assert all(not same.later for same in found.same)


def incident(start: float, until: float, place: Place | None, *rules: str) -> Incident:
    return Incident(f"at {start:g}", seconds(start), seconds(until), place, frozenset(rules))


def test_an_alert_is_of_an_incident_by_rule_window_and_place() -> None:
    home, area = Place(SubjectKind.HOUSEHOLD, CARE_HOME), Place(SubjectKind.AREA, BUILDING)
    elsewhere = Place(SubjectKind.AREA, OTHER_BUILDING)
    alerts = [
        spell(10, 20, fired=15),
        spell(12, 20, fired=13, subject=home, code="t.other"),
        spell(100, None, fired=130),
    ]
    incidents = [
        incident(5, 11, home, "t.low"),  # found at 15 by the first alert
        incident(5, 11, area, "t.low", "t.other"),  # the other begins only after it
        incident(5, 12, area, "t.low", "t.other"),  # found at 13 by the second
        incident(5, 30, elsewhere, "t.low"),  # nothing there
        incident(21, 99, None, "t.low"),  # between two alerts
        incident(140, 150, None, "t.low"),  # told before it began
    ]
    found = detect(alerts, incidents, inventory())
    assert [one.name for one in found.missed] == ["at 5", "at 21"]
    whole = found.whole
    assert (whole.alerts, whole.right, whole.incidents, whole.found) == (3, 3, 6, 4)
    assert whole.delays == (0, seconds(8), seconds(10), seconds(10))
    assert (whole.precision, whole.recall, whole.median_delay) == (1.0, 4 / 6, seconds(10))
    other = found.rules["t.other"]
    assert (other.alerts, other.incidents, other.found, other.delays) == (1, 2, 1, (seconds(8),))


def test_wrong_alerts_cost_precision_and_where_there_is_nothing_there_is_no_share() -> None:
    found = detect([spell(10, 20), spell(50, 60)], [incident(0, 30, None, "t.low")], inventory())
    assert (found.whole.precision, found.whole.recall) == (0.5, 1.0)
    nothing = detect([], [], inventory()).whole
    assert (nothing.precision, nothing.recall, nothing.median_delay) == (None, None, None)


def test_what_has_left_the_inventory_is_nowhere_but_in_itself() -> None:
    gone = Subject(SubjectKind.DEVICE, 999)
    at_itself = incident(0, 9, Place(SubjectKind.DEVICE, 999), "t.low")
    found = detect([spell(1, 2, subject=gone)], [at_itself], inventory())
    assert np.isclose(found.whole.recall or 0, 1.0)
