"""What outlives a change of rules or site, a restart, and an error in one rule."""

from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from devices.inventory import Inventory
from devices.reading import Batch
from rules.errors import RuleError
from rules.evaluate import evaluate
from rules.model import Rule
from rules.older import ARCHIVE, BEFORE_GATEWAYS
from rules.plan import Plan, make_plan
from rules.state import State, carry_over, dump, fresh, restore
from rules.transition import Transition
from tests.rules.archives import archive
from tests.rules.community import (
    AWAY_HOME,
    AWAY_WEARABLE,
    DOOR,
    RULES,
    WEARABLE,
    batch,
    inventory,
    reading,
    rule,
    seconds,
    told,
)

BODY = "watch: {metric: spo2}\nwhen: spo2 <= 91\nfor: 600s"
LOW = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91")
CHANGED = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 90")
DENIED = rule("x.denied", "watch: {metric: access_denied}\nwhen: count >= 2\nwithin: 99s")


def firing(*rules: Rule) -> tuple[Plan, State]:
    """Both wearables low since 1 s, and the door denied twice."""
    plan = make_plan(rules, inventory(away=()))
    low = [reading(1, device, "spo2", 90) for device in (WEARABLE, AWAY_WEARABLE)]
    denied = [reading(t, DOOR, "access_denied", 1) for t in (1, 2)]
    return plan, evaluate(plan, batch(*low, *denied), fresh(plan, 0), seconds(2)).state


def both_ways(state: State, old: Plan, new: Plan, now: float) -> tuple[State, list[Transition]]:
    """Carried over live and from a saved state: they must not differ."""
    live, withdrawn = carry_over(state, old, new, seconds(now))
    saved, again = restore(dump(state, old), new, seconds(now))
    assert dump(live, new) == dump(saved, new)
    assert told(withdrawn) == told(again)
    assert [t.subject for t in withdrawn] == [t.subject for t in again]
    assert [t.rule.code for t in withdrawn] == [t.rule.code for t in again]
    return live, withdrawn


def test_minute_seven_of_ten_survives_a_restart() -> None:
    plan = make_plan([rule("x", BODY)], inventory())
    readings = [reading(t, WEARABLE, "spo2", 90) for t in range(0, 421, 20)]
    state = evaluate(plan, batch(*readings), fresh(plan, 0), seconds(420)).state
    back, withdrawn = restore(dump(state, plan), plan, seconds(425))
    assert withdrawn == []
    later = [reading(t, WEARABLE, "spo2", 90) for t in range(440, 600, 20)]
    done = evaluate(plan, batch(*later), back, seconds(600))
    assert told(done.transitions) == [("fired", "condition_held", 0, 600)]


def test_a_removed_rule_withdraws_what_it_had_raised() -> None:
    old, state = firing(LOW, DENIED)
    new = make_plan([LOW], inventory(away=()))
    _, withdrawn = both_ways(state, old, new, 9)
    assert told(withdrawn) == [("withdrawn", "rule_removed", 1, 9)]
    assert withdrawn[0].rule.title == DENIED.title


def test_a_changed_rule_withdraws_and_begins_anew_and_others_do_not_notice() -> None:
    old, state = firing(LOW, DENIED)
    new = make_plan([CHANGED, DENIED], inventory(away=()))
    state, withdrawn = both_ways(state, old, new, 9)
    assert told(withdrawn) == [("withdrawn", "rule_changed", 1, 9)] * 2
    assert withdrawn[0].devices == (WEARABLE,)
    assert withdrawn[0].value == 90.0
    done = evaluate(new, batch(reading(10, WEARABLE, "spo2", 90)), state, seconds(10))
    assert told(done.transitions) == [("fired", "condition_held", 10, 10)]
    ended = evaluate(new, batch(reading(105, DOOR, "heartbeat", 1)), state, seconds(105))
    assert ("cleared", "count_fell", 1, 100) in told(ended.transitions)


def test_a_removed_device_withdraws_and_the_other_goes_on() -> None:
    old, state = firing(LOW)
    new = make_plan([LOW], inventory(away=(), without=[AWAY_WEARABLE]))
    state, withdrawn = both_ways(state, old, new, 9)
    assert told(withdrawn) == [("withdrawn", "subject_removed", 1, 9)]
    assert withdrawn[0].subject.id == AWAY_WEARABLE
    done = evaluate(new, batch(reading(10, WEARABLE, "spo2", 99)), state, seconds(10))
    assert told(done.transitions) == [("cleared", "condition_ended", 1, 10)]


def test_a_retitled_rule_goes_on() -> None:
    old, state = firing(LOW)
    titled = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nadvice: {zh: 看, en: Look}")
    assert both_ways(state, old, make_plan([titled], inventory(away=())), 9)[1] == []


def test_a_new_rule_and_a_new_device_are_known_from_now_on() -> None:
    silent = rule("x.silent", "watch: {metric: heartbeat}\nabsent: 40s")
    old = make_plan([], inventory(without=[DOOR]))
    new = make_plan([silent], inventory())
    state, _ = both_ways(fresh(old, 0), old, new, 100)
    done = evaluate(new, Batch.empty(), state, seconds(140))
    assert told(done.transitions) == [("fired", "nothing_heard", 100, 140)] * 2


def test_timers_begin_anew_when_people_are_back() -> None:
    still = rule(
        "x.still",
        "watch: {metric: heartbeat, device: d5}\nabsent: 40s\nunless: household.away",
    )
    pending = rule(
        "x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nfor: 20s\nunless: household.away"
    )
    plan, away = (make_plan([still, pending], inventory(away=a)) for a in ((), [AWAY_HOME]))
    low = batch(reading(1, AWAY_WEARABLE, "spo2", 90), reading(1, WEARABLE, "spo2", 90))
    state = evaluate(plan, low, fresh(plan, 0), seconds(1)).state
    gone, _ = both_ways(state, plan, away, 5)
    back, _ = both_ways(gone, away, plan, 10)
    done = evaluate(plan, Batch.empty(), back, seconds(25))
    assert [t.subject.id for t in done.transitions] == [WEARABLE]


def test_a_state_from_before_gateways_goes_on() -> None:
    plan = make_plan([rule("x", BODY)], inventory())
    low = reading(0, WEARABLE, "spo2", 90)
    state = evaluate(plan, batch(low), fresh(plan, 0), seconds(1)).state
    kept = {name: state.silence.kept()[name] for name in ("heard", "ever", "lag")}
    data = archive(BEFORE_GATEWAYS, plan, state, kept)
    back, withdrawn = restore(data, plan, seconds(2))
    assert withdrawn == []
    assert dump(back, plan) == dump(state, plan)


def test_a_state_from_when_it_was_an_archive_goes_on() -> None:
    plan, state = firing(LOW, DENIED)
    data = archive(ARCHIVE, plan, state, state.silence.kept())
    back, withdrawn = restore(data, plan, seconds(2))
    assert withdrawn == []
    assert dump(back, plan) == dump(state, plan)
    for damaged in (data[:-20], data[:200] + b"\0\0\0" + data[203:]):
        with pytest.raises(RuleError, match=r"saved rule state of .* cannot be used"):
            restore(damaged, plan, 0)


VERSION_5 = b64decode(
    "Z3JpZHdhcmRlbi1ydWxlcy01CngBrVTbjpswECVV29f+QWX5ma6AQBJQt1r1I/qyRKvBOMFbYiIwyWajSHnoa6VK"
    "/cZ+Rzs2mE16UZWqiGgmZ26e4yO+PnfMs6c53wjGG5rMXFq3pfZu9xSauxwU0ITe7lMq8pQmKX24KqttSt2UMlB8"
    "WdU7AzOouUG3oFiBEFasuKoFM+FmXQUpPWBVwze8Fqqrqjk2RVBWZpJJLaqyA7cFl0MxeXtNYt8kK6FKnKUnPOpJ"
    "Kf325bOJ9PkKJx3m1KULIZe8XtdCKlzCgylMggwigDhbxDHzvSCAbMzGYZTHkwgLmqqtGcdcxRt1tYNViWApJEK+"
    "i+CD7vOGiDwhHQ+SEEtDgh5ygIhdMSF6PwTMiROyfywSgmd1CZcJUQcdMnRhqOMqIZqoLoDbd3+71fXp2uyeM4WX"
    "E7hPV+bhwSAzd7Y/uJRVZbuS+gLpfZsveY6FGyhbjnbNZY6UoLcQSIp2GiFxYW1Ljiy5NNvdGd+gNciPiA1lJawb"
    "7Dh3acHLHGfMD+4fdZJzKfr7tRyZ2/qLVIChElF5ffWFmhGqEJ1q/NU4bows1rw2gzuVG2jQFqtaqci7a4LyRCH+"
    "q7bCEMYQRFkYhbPZZBrMFt4kjiOfef4EwJtqhi/RVr/9f5fXGbknOjuhQYvSsJiQOG70wS+UnRIr/IA8KfR3akMl"
    "qjMZoaS2IJQWpVbVqPsyOceb96+Ma22PD+b46fXgnzq2wSl2kT9yRtijey8q/CV56IQR3dN5ph3znufqmOMcP9xY"
    "O7JbWzvCx/rW2k7avsDKl/jTvo3/xNDRNMcxJlkXfO8fPNtQZJOcH0HZkV8="
)
"""What version 5 wrote of `firing(LOW, DENIED)`."""


@pytest.mark.parametrize("mark", [b"rules-5", b"rules-4"])
def test_a_state_from_before_rules_shared_what_was_said_last_goes_on(mark: bytes) -> None:
    """These rules remember nothing else than version 4 did, so only the mark differs."""
    plan, state = firing(LOW, DENIED)
    back, withdrawn = restore(VERSION_5.replace(b"rules-5", mark), plan, seconds(2))
    assert withdrawn == []
    assert dump(back, plan) == dump(state, plan)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"something else",
        lambda data: data.replace(b"rules-6", b"rules-9"),
        lambda data: data[:-20],
        lambda data: data[:-1],
        lambda data: data[:200] + b"\0\0\0" + data[203:],
    ],
    ids=["empty", "foreign", "other version", "cut", "cut a little", "overwritten"],
)
def test_a_damaged_state_is_refused(damage: object) -> None:
    assert callable(damage)
    plan, state = firing(LOW, DENIED)
    with pytest.raises(RuleError, match=r"saved rule state of .* cannot be used"):
        restore(damage(dump(state, plan)), plan, 0)


def test_an_error_in_one_rule_does_not_stop_the_others() -> None:
    plan = make_plan(RULES, inventory())
    state = fresh(plan, 0)
    broken = state.memories[0]
    broken.since = np.zeros(0, np.int64)  # type: ignore[union-attr]
    low = batch(reading(1, WEARABLE, "spo2", 90), reading(1, WEARABLE, "sos", 1))
    done = evaluate(plan, low, state, seconds(30))
    assert [failure.rule.code for failure in done.failures] == ["t.plain"]
    assert isinstance(done.failures[0].error, IndexError)
    assert {t.rule.code for t in done.transitions} >= {"t.sos", "t.held"}


def test_readings_of_devices_that_the_plan_does_not_know_are_left_out() -> None:
    plan = make_plan(RULES, inventory(without=[DOOR]))
    strange = batch(reading(1, DOOR, "heartbeat", 1), reading(1, 999, "spo2", 90))
    done = evaluate(plan, strange, fresh(plan, 0), seconds(1))
    assert (done.transitions, done.failures) == ([], ())


def test_transitions_come_by_time() -> None:
    plan = make_plan(RULES, inventory())
    rows = [reading(t, WEARABLE, "spo2", 90) for t in (1, 20, 40)]
    sos = reading(15, WEARABLE, "sos", 1)
    at = [t.at for t in evaluate(plan, batch(*rows, sos), fresh(plan, 0), seconds(99)).transitions]
    assert at == sorted(at)
    assert len(at) > 4


def test_a_timer_goes_on_when_the_devices_interval_is_changed() -> None:
    made = rule("x", "watch: {metric: spo2, device: d1}\nwhen: spo2 <= 91\nfor: 60s")
    slow = [replace(d, interval=seconds(60)) for d in inventory().devices.values()]
    before = inventory()
    after = Inventory.of(before.areas.values(), before.households.values(), slow)
    old, new = make_plan([made], before), make_plan([made], after)
    pending = evaluate(old, batch(reading(0, WEARABLE, "spo2", 90)), fresh(old, 0), 0).state
    assert evaluate(old, Batch.empty(), pending, seconds(60)).transitions == []
    state, _ = both_ways(pending, old, new, 20)
    done = evaluate(new, Batch.empty(), state, seconds(60))
    assert told(done.transitions) == [("fired", "condition_held", 0, 60)]


def test_an_alert_is_held_while_people_are_away_and_ends_when_they_are_back_and_well() -> None:
    made = rule("x", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: household.away")
    plan, away = (make_plan([made], inventory(away=a)) for a in ((), [AWAY_HOME]))
    low = batch(reading(1, AWAY_WEARABLE, "spo2", 90))
    state = evaluate(plan, low, fresh(plan, 0), seconds(1)).state
    state, withdrawn = both_ways(state, plan, away, 5)
    gone = evaluate(away, batch(reading(8, AWAY_WEARABLE, "spo2", 97)), state, seconds(99))
    state, more = both_ways(gone.state, away, plan, 100)
    back = evaluate(plan, batch(reading(101, AWAY_WEARABLE, "spo2", 97)), state, seconds(101))
    assert [*withdrawn, *gone.transitions, *more] == []
    assert ("cleared", "condition_ended", 1, 101) in told(back.transitions)


def test_who_was_never_heard_is_known_since_before_the_restart() -> None:
    plan = make_plan(
        [rule("x", "watch: {metric: heartbeat, device: d5}\nabsent: 40s")], inventory()
    )
    state, _ = restore(dump(fresh(plan, 0), plan), plan, seconds(30))
    done = evaluate(plan, Batch.empty(), state, seconds(40))
    assert told(done.transitions) == [("fired", "nothing_heard", 0, 40)]


def test_a_count_goes_on_through_a_restart() -> None:
    plan = make_plan([DENIED], inventory())
    one = batch(reading(1, DOOR, "access_denied", 1))
    state = evaluate(plan, one, fresh(plan, 0), seconds(1)).state
    state, _ = restore(dump(state, plan), plan, seconds(50))
    done = evaluate(plan, batch(reading(60, DOOR, "access_denied", 1)), state, seconds(60))
    assert told(done.transitions) == [("fired", "count_reached", 1, 60)]


def test_a_clock_set_back_says_nothing_and_breaks_nothing() -> None:
    plan, state = firing(*RULES)
    later = evaluate(plan, Batch.empty(), state, seconds(500)).state
    earlier = evaluate(plan, Batch.empty(), later, seconds(3))
    assert (earlier.transitions, earlier.failures) == ([], ())
    assert evaluate(plan, Batch.empty(), earlier.state, seconds(500)).transitions == []
