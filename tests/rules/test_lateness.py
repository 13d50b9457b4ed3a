"""Rules that wait for what comes late: the order in which it comes does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import MINUTE, Micros
from devices.reading import Batch, Reading
from rules.errors import RulesError
from rules.evaluate import evaluate
from rules.keys import LONGEST_LATENESS
from rules.loader import load
from rules.model import Absence, Rule
from rules.plan import Plan, make_plan
from rules.regroup import regroup
from rules.state import State, carry_over, dump, fresh, restore
from rules.transition import Subject, Transition
from rules.written import fingerprint, write
from tests.rules.community import (
    AT_TIMES,
    AWAY_WEARABLE,
    RULES,
    WEARABLE,
    batch,
    behind_gateway,
    reading,
    rule,
    seconds,
    told,
)
from tests.rules.oracle import by_subject
from tests.rules.test_evaluate_properties import timed

LATENESS_S = 30
LATE = (
    rule("l.plain", "watch: {metric: spo2}\n when: spo2 <= 91\n lateness: 30s"),
    rule(
        "l.held",
        "watch: {metric: spo2}\n when: spo2 <= 91\n clear: spo2 >= 94\n for: 20s\n"
        "lateness: 30s\n no_data: alert",
    ),
    rule(
        "l.kept",
        "watch: {metric: spo2}\n when: spo2 <= 91\n keep_for: 7s\n lateness: 30s\n"
        "severity: {red: spo2 <= 90, blue: spo2 <= 92}",
    ),
    rule("l.sos", f"watch: {{metric: sos}}\n when: sos == 1\n lateness: 30s\n {AT_TIMES}"),
    rule("l.absent", "watch: {metric: motion}\n absent: 25s\n lateness: 30s"),
    rule(
        "l.denied",
        "watch: {metric: access_denied}\n when: count >= 3\n within: 15s\n lateness: 30s\n"
        "unless: l.off",
    ),
    rule(
        "l.off",
        "watch: {metric: heartbeat, kind: door}\n when: heartbeat < 1\n lateness: 30s",
    ),
)
PLAN = make_plan(LATE, behind_gateway())
WITHOUT_ABSENCE = make_plan(
    [made for made in LATE if not isinstance(made.condition, Absence)], behind_gateway()
)


def run(plan: Plan, rows: list[Reading], nows: list[Micros], state: State) -> list[Transition]:
    """Hear each reading in the first batch after its arrival; what is said."""
    said: list[Transition] = []
    waiting = sorted(rows, key=lambda row: row.arrival)
    for now in nows:
        heard = [row for row in waiting if row.arrival <= now]
        waiting = waiting[len(heard) :]
        done = evaluate(plan, Batch.of(heard), state, now)
        assert not done.failures
        state, said = done.state, said + done.transitions
    return said


def delayed(draw: st.DrawFn, rows: list[Reading]) -> list[Reading]:
    """The same, each on its way for up to the lateness."""
    return [
        row._replace(arrival=row.time + seconds(draw(st.integers(0, LATENESS_S)))) for row in rows
    ]


def ticks(draw: st.DrawFn, rows: list[Reading]) -> list[Micros]:
    """Instants of batches, the last long after all readings."""
    end = (rows[-1].time if rows else 0) + seconds(100)
    steps = draw(st.lists(st.integers(0, end), max_size=12))
    return sorted({*steps, end})


@given(timed(size=40), st.data())
@settings(max_examples=50, deadline=None)
def test_whatever_order_they_come_in_within_it_the_alerts_are_the_same(
    rows: list[Reading], data: st.DataObject
) -> None:
    @st.composite
    def ways(draw: st.DrawFn) -> tuple[list[Reading], list[Micros]]:
        return delayed(draw, rows), ticks(draw, rows)

    late, nows = data.draw(ways())
    others = data.draw(ways())
    prompt = by_subject(run(PLAN, rows, nows, fresh(PLAN, 0)))
    assert by_subject(run(PLAN, late, nows, fresh(PLAN, 0))) == prompt
    start = fresh(WITHOUT_ABSENCE, 0)
    whole = by_subject(run(WITHOUT_ABSENCE, late, nows, start))
    assert by_subject(run(WITHOUT_ABSENCE, *others, start)) == whole


@given(timed(size=40))
@settings(max_examples=25, deadline=None)
def test_the_alerts_are_those_without_it_so_much_later(rows: list[Reading]) -> None:
    body = [write(made).replace('"lateness":"30s"', '"lateness":"0s"') for made in LATE]
    plain = make_plan([load({"w": text})[0] for text in body], behind_gateway())
    nows = [row.time for row in rows]
    end = (nows or [0])[-1] + seconds(60)
    prompt = run(plain, rows, [*nows, end], fresh(plain, 0))
    shifted = [now + seconds(LATENESS_S) for now in (*nows, end)]
    late = run(PLAN, rows, shifted, fresh(PLAN, 0))

    def said(transitions: list[Transition]) -> list[tuple[str, Subject, str, float, float]]:
        return [(t.rule.code, t.subject, str(t.change), t.since, t.at) for t in transitions]

    assert said(late) == said(prompt)


def low(time: float, value: float, arrival: float, device: int = WEARABLE) -> Reading:
    return reading(time, device, "spo2", value, arrival=arrival)


def one(code: str) -> Rule:
    (made,) = (made for made in LATE if made.code == code)
    return made


def test_what_comes_later_than_it_changes_nothing_of_what_was_said() -> None:
    plan = make_plan([one("l.plain")], behind_gateway())
    rows = [low(1, 90, 1), low(20, 97, 20), low(10, 97, 52)]
    assert told(run(plan, rows, [seconds(51), seconds(120)], fresh(plan, 0))) == [
        ("fired", "condition_held", 1, 1),
        ("cleared", "condition_ended", 1, 20),
    ]


def test_it_is_told_as_much_later() -> None:
    plan = make_plan([one("l.plain")], behind_gateway())
    state = fresh(plan, 0)
    done = evaluate(plan, batch(low(5, 90, 5)), state, seconds(34.999))
    assert done.transitions == []
    assert told(evaluate(plan, Batch.empty(), done.state, seconds(35)).transitions) == [
        ("fired", "condition_held", 5, 5)
    ]


def test_others_do_not_wait() -> None:
    plan = make_plan([one("l.plain"), *RULES], behind_gateway())
    done = evaluate(plan, batch(low(5, 90, 5)), fresh(plan, 0), seconds(5))
    assert "t.plain" in {t.rule.code for t in done.transitions}
    assert len(done.state.waiting[seconds(LATENESS_S)].rows) == 1


def test_what_waits_outlives_a_restart_and_a_change_of_rules() -> None:
    plan = make_plan([one("l.plain")], behind_gateway())
    more = make_plan([one("l.plain"), one("l.absent"), *RULES], behind_gateway())
    rows = batch(low(5, 90, 5), low(6, 90, 6, AWAY_WEARABLE))
    state = evaluate(plan, rows, fresh(plan, 0), seconds(6)).state
    data = dump(state, plan)
    for into in (plan, more):
        for carried, withdrawn in (
            restore(data, into, seconds(7)),
            carry_over(state, plan, into, seconds(7)),
        ):
            assert withdrawn == []
            assert dump(carry_over(carried, into, into, seconds(7))[0], into) == dump(carried, into)
            done = evaluate(into, Batch.empty(), carried, seconds(36))
            assert [t.since for t in done.transitions if t.rule.code == "l.plain"] == [
                seconds(5),
                seconds(6),
            ]


def test_what_waits_for_the_longest_lateness_outlives_a_restart() -> None:
    plan = make_plan([replace(one("l.plain"), lateness=LONGEST_LATENESS)], behind_gateway())
    state = evaluate(plan, batch(low(5, 90, 5)), fresh(plan, 0), seconds(6)).state
    back, _ = restore(dump(state, plan), plan, seconds(7))
    assert len(back.waiting[LONGEST_LATENESS].rows) == 1


def test_a_device_that_a_lateness_newly_covers_was_heard_when_all_heard_it() -> None:
    old = make_plan([one("l.absent")], behind_gateway())
    new = make_plan([one("l.absent"), one("l.held")], behind_gateway())
    state = evaluate(old, batch(low(500, 97, 500)), fresh(old, 0), seconds(500)).state
    carried, _ = carry_over(state, old, new, seconds(501))
    done = evaluate(new, Batch.empty(), carried, seconds(502))
    assert WEARABLE not in {t.subject.id for t in done.transitions if t.rule.code == "l.held"}
    again = evaluate(new, Batch.empty(), done.state, seconds(561))
    raised = [t for t in again.transitions if t.rule.code == "l.held"]
    assert WEARABLE in {t.subject.id for t in raised}


def test_what_waits_goes_along_when_shards_are_divided_anew() -> None:
    plan = make_plan([one("l.plain")], behind_gateway())
    rows = batch(low(5, 90, 5), low(6, 90, 6, AWAY_WEARABLE))
    state = evaluate(plan, rows, fresh(plan, 0), seconds(6)).state
    for number, part in enumerate(regroup([dump(state, plan)], lambda s: s.id % 2, 2)):
        mine, _ = restore(part, plan, seconds(7))
        waiting = mine.waiting[seconds(LATENESS_S)]
        assert np.unique(waiting.rows.device % 2).tolist() == [number]


def test_is_part_of_what_a_rule_means() -> None:
    text = "- id: a.b\n  category: c\n  severity: red\n  title: {zh: 题, en: t}\n"
    text += "  watch: {metric: spo2}\n  when: spo2 <= 91\n"
    (plain,), (late,) = load({"r": text}), load({"r": text + "  lateness: 1m\n"})
    assert (plain.lateness, late.lateness) == (0, MINUTE)
    assert fingerprint(plain) != fingerprint(late)
    assert load({"w": write(late)})[0].lateness == MINUTE
    with pytest.raises(RulesError, match=r"'lateness' of rule a\.b: 2h is longer"):
        load({"r": text + "  lateness: 2h\n"})
