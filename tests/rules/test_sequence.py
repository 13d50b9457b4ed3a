"""Rules about two readings that belong together. Devices are silent after 30 s."""

from itertools import pairwise

from devices.inventory import Area, Household, Inventory
from devices.reading import Batch, Reading
from devices.token import token_of
from rules.evaluate import evaluate
from rules.plan import make_plan
from rules.spell import Spells
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import NAME, batch, device, reading, rule, seconds, told

READER, CONTACT, FAR, LOCK, GATE, SOS, MOTION = range(1, 8)
HOME, COMMUNITY, BUILDING = 1, 1, 2
OPENED = "first: {metric: access_granted}\nthen: {metric: door_open, where: door_open == 1}"


def place() -> Inventory:
    """Door 1, of a reader and a contact; a reader 300 m away; a lock; a gate; a home."""
    devices = (
        device(READER, "door", ("access_granted",), attributes={"door": 1, "x": 0, "y": 0}),
        device(CONTACT, "door", ("door_open",), attributes={"door": 1}),
        device(FAR, "door", ("access_granted",), attributes={"door": 2, "x": 0, "y": 300}),
        device(LOCK, "door", ("access_granted", "door_open"), attributes={"x": 0, "y": 0}),
        device(GATE, "barrier", ("vehicle_entry", "vehicle_exit")),
        device(SOS, "sos_button", ("sos",), household=HOME),
        device(MOTION, "motion_sensor", ("motion",), household=HOME),
    )
    return Inventory.of(
        (
            Area(COMMUNITY, "c", "community", None, NAME),
            Area(BUILDING, "b1", "building", COMMUNITY, NAME),
        ),
        (Household(HOME, "h1", BUILDING, NAME, care=True, away=False),),
        devices,
    )


PLACE = place()


def judge(body: str, *steps: tuple[list[Reading], float]) -> list[Transition]:
    """Everything said; each step is readings and the `now` after them. Restored between steps."""
    plan = make_plan([rule("x", body)], PLACE)
    assert len(plan.rules[0].subject_ids)
    state, said = fresh(plan, 0), list[Transition]()
    for readings, now in steps:
        done = evaluate(plan, Batch.of(readings), state, seconds(now))
        assert done.failures == ()
        state, _ = restore(dump(done.state, plan), plan, seconds(now))
        said += done.transitions
    return said


def granted(
    time: float, device_id: int, card: str = "", *, arrival: float | None = None
) -> Reading:
    token = token_of({"credential": card})
    return reading(time, device_id, "access_granted", 1, arrival=arrival)._replace(token=token)


def door(time: float, value: float, device_id: int = CONTACT) -> Reading:
    return reading(time, device_id, "door_open", value)


AFTER = f"{OPENED}\nwithin: 10s\nsame: door"


def test_the_one_after_the_other_in_time_is_told_since_the_first() -> None:
    said = judge(AFTER, ([door(1, 0), granted(5, READER), door(9, 1)], 9))
    assert told(said) == [("fired", "occurred", 5, 9)]
    assert (said[0].subject.id, said[0].devices, said[0].value) == (READER, (READER, CONTACT), 1.0)
    assert told(judge(AFTER, ([door(1, 0), granted(5, READER), door(16, 1)], 16))) == []


def test_a_door_that_stays_open_opens_once() -> None:
    rows = [door(1, 0), granted(5, READER), door(7, 1), granted(8, READER), door(9, 1)]
    assert told(judge(AFTER, (rows, 9))) == [("fired", "occurred", 5, 7)]


def test_what_was_open_when_it_was_first_heard_or_after_a_silence_did_not_open_then() -> None:
    assert told(judge(AFTER, ([granted(5, READER), door(7, 1)], 9))) == []
    rows = [door(1, 0), granted(38, READER), door(40, 1), door(41, 0), door(42, 1)]
    assert told(judge(AFTER, (rows, 42))) == [("fired", "occurred", 38, 42)]


def test_a_first_that_comes_late_finds_what_followed_it() -> None:
    late = granted(5, READER, arrival=20)
    assert told(judge(AFTER, ([door(1, 0), door(9, 1)], 9), ([late], 20))) == [
        ("fired", "occurred", 5, 9)
    ]
    assert told(judge(AFTER, ([door(1, 0), door(9, 1)], 9), ([late], 20), ([late], 21))) == [
        ("fired", "occurred", 5, 9)
    ]


TWO_DOORS = (
    "first: {metric: access_granted}\nthen: {metric: access_granted}\n"
    "within: 1h\nsame: credential\nspeed: 1.5"
)


def test_one_card_at_two_doors_faster_than_one_can_walk() -> None:
    """300 m at 1.5 m/s are 200 s."""
    said = judge(TWO_DOORS, ([granted(5, READER, "a")], 5), ([granted(204, FAR, "a")], 204))
    assert told(said) == [("fired", "occurred", 5, 204)]
    assert (said[0].subject.kind, said[0].subject.id) == ("device", FAR)
    assert said[0].devices == (READER, FAR)
    for other in (granted(205, FAR, "a"), granted(20, FAR, "b"), granted(20, FAR)):
        assert judge(TWO_DOORS, ([granted(5, READER, "a"), granted(5, READER), other], 300)) == []


def test_at_one_instant_one_card_at_two_doors_is_told_once() -> None:
    rows = [granted(5, FAR, "a"), granted(5, READER, "a")]
    assert told(judge(TWO_DOORS, (rows, 5))) == [("fired", "occurred", 5, 5)]
    assert told(judge(TWO_DOORS, (rows[:1], 5), (rows[1:], 6))) == [("fired", "occurred", 5, 5)]


def test_devices_without_coordinates_are_not_judged_and_are_told_of() -> None:
    plan = make_plan([rule("x", TWO_DOORS + "\nwatch: {kind: door}")], PLACE)
    assert plan.rules[0].devices.tolist() == [READER, FAR, LOCK]
    near = TWO_DOORS.replace("speed: 1.5", "different: device")
    assert told(judge(near, ([granted(5, READER, "a"), granted(3600, LOCK, "a")], 3600))) == [
        ("fired", "occurred", 5, 3600)
    ]


NOT_OPENED = f"{OPENED}\nwithin: 10s\nsame: door\nmissing: true"


def alive(*times: float) -> list[Reading]:
    return [door(time, 0) for time in times]


def test_what_did_not_follow_in_time_is_told_when_the_time_is_over() -> None:
    said = judge(NOT_OPENED, ([*alive(1), granted(5, READER)], 15), ([], 16), ([], 99))
    assert told(said) == [("fired", "not_followed", 5, 15)]
    assert (said[0].subject.id, said[0].devices, said[0].value) == (READER, (READER,), None)
    assert judge(NOT_OPENED, ([*alive(1), granted(5, READER), door(15, 1)], 16), ([], 99)) == []


def test_what_follows_after_all_ends_it() -> None:
    rows = [*alive(1), granted(5, READER), granted(8, READER), *alive(20), door(22, 1)]
    told_once = [("fired", "not_followed", 5, 15), ("cleared", "heard", 5, 22)]
    assert told(judge(NOT_OPENED, (rows, 22), ([], 99))) == told_once
    assert told(judge(NOT_OPENED, (rows[:3], 17), (rows[3:], 22), ([], 99))) == told_once


def test_what_followed_in_time_and_was_heard_late_ends_it_too() -> None:
    late = reading(12, CONTACT, "door_open", 1, arrival=17)
    said = judge(NOT_OPENED, ([*alive(1), granted(5, READER)], 16), ([late], 17), ([], 99))
    assert told(said) == [("fired", "not_followed", 5, 15), ("cleared", "heard", 5, 15)]


def test_silence_of_what_should_have_followed_is_unknown() -> None:
    """The contact is silent from 31 s on; the reader was never heard before."""
    rows = [*alive(1), granted(25, READER)]
    assert judge(NOT_OPENED, (rows, 26), ([], 40), ([], 99), ([], 9999)) == []
    assert judge(NOT_OPENED, (rows, 26), (alive(50), 50), ([], 99)) == []
    rows = [*alive(1), granted(20, READER)]
    assert told(judge(NOT_OPENED, (rows, 26), ([], 99))) == [("fired", "not_followed", 20, 30)]
    assert told(judge(NOT_OPENED, ([*rows, *alive(50)], 50))) == [("fired", "not_followed", 20, 30)]


CARE = (
    "first: {metric: sos}\nthen: {metric: motion, where: motion == 1}\n"
    "within: 20s\nsame: household\nmissing: true"
)


def test_a_wait_may_be_over_a_household() -> None:
    rows = [reading(1, MOTION, "motion", 0), reading(4, SOS, "sos", 1)]
    assert told(judge(CARE, (rows, 30))) == [("fired", "not_followed", 4, 24)]
    rows.append(reading(24, MOTION, "motion", 1))
    assert judge(CARE, (rows, 30)) == []


STAYED = (
    "first: {metric: vehicle_entry}\nthen: {metric: vehicle_exit}\n"
    "within: 20s\nsame: plate\nmissing: true"
)


def car(time: float, name: str, plate: str) -> Reading:
    token = token_of({"plate": plate})
    return reading(time, GATE, name, 1)._replace(token=token)


def test_each_car_is_waited_for_by_itself() -> None:
    rows = [car(t, "vehicle_entry", p) for t, p in ((1, "a"), (2, "b"), (3, "c"), (4, ""))]
    rows.append(car(9, "vehicle_exit", "b"))
    said = judge(STAYED, (rows[:2], 2), (rows[2:], 20), ([], 22), ([], 30), ([], 99))
    assert told(said) == [("fired", "unanswered", 1, 21), ("fired", "unanswered", 3, 23)]
    assert {(t.subject.kind, t.subject.id) for t in said} == {("device", GATE)}


def test_a_car_that_stayed_is_of_a_moment_and_a_door_that_was_not_opened_stands() -> None:
    spells = Spells()
    spells.take(judge(STAYED, ([car(1, "vehicle_entry", "a")], 1), ([], 99)))
    spells.take(judge(NOT_OPENED, ([*alive(1), granted(5, READER)], 6), ([], 99)))
    assert [(s.cause, s.until) for s in spells.all()] == [
        ("not_followed", None),
        ("unanswered", seconds(21)),
    ]


def test_what_did_not_follow_is_held_back_while_another_rule_fires_and_told_then() -> None:
    busy = rule(
        "y", "watch: {metric: door_open, device: d2}\nwhen: count >= 1\nwithin: 20s\nper: building"
    )
    quiet = rule("x", NOT_OPENED + "\nunless: y")
    plan = make_plan([quiet, busy], PLACE)
    rows = [*alive(1, 14), granted(5, READER)]
    state = evaluate(plan, Batch.of(rows), fresh(plan, 0), seconds(16)).state
    assert list(state.held["x"]) == [READER]
    done = evaluate(plan, Batch.of(alive(22, 40)), state, seconds(65))
    assert told(t for t in done.transitions if t.rule is quiet) == [
        ("fired", "not_followed", 5, 60)
    ]


FORCED = (
    "watch: {metric: door_open}\nwhen: door_open == 1\n"
    "without: {metric: access_granted, within: 10s}\nsame: door"
)


def heard(*times: float) -> list[Reading]:
    return [r for t in times for r in (granted(t, READER), door(t, 0))]


def test_a_door_that_opens_without_a_grant_was_forced() -> None:
    said = judge(FORCED, ([*heard(15), door(26, 1)], 27))
    assert told(said) == [("fired", "occurred", 26, 26)]
    assert (said[0].subject.id, said[0].devices, said[0].value) == (READER, (CONTACT,), 1.0)
    for grant in (16, 20, 26):
        assert judge(FORCED, ([*heard(15), door(26, 1), granted(grant, READER)], 27)) == []


def test_a_grant_in_a_later_batch_still_excuses_while_the_clock_has_not_passed() -> None:
    assert judge(FORCED, ([*heard(15), door(26, 1)], 26), ([granted(26, READER)], 27)) == []
    said = judge(FORCED, ([*heard(15), door(26, 1)], 26), ([], 27), ([], 99))
    assert told(said) == [("fired", "occurred", 26, 26)]


def test_of_what_could_not_be_heard_nothing_is_told() -> None:
    """The reader is silent from 45 s on; the rule is there since 0 s."""
    opens = [door(26, 0), door(50, 0), door(51, 1)]
    assert judge(FORCED, ([*heard(15), *opens], 52), ([granted(60, READER)], 60)) == []
    assert judge(FORCED, ([*heard(15), *opens, granted(60, READER)], 60), ([], 99)) == []
    again = [*heard(15), *opens, granted(60, READER), door(65, 0), door(69, 1), door(75, 0)]
    assert judge(FORCED, ([*again, door(69, 1)], 99)) == []
    assert told(judge(FORCED, ([*again, door(81, 1)], 99))) == [("fired", "occurred", 81, 81)]
    assert judge(FORCED, ([door(3, 0), door(9, 1)], 99)) == []


def test_a_lock_that_reports_both_is_a_door_by_itself() -> None:
    plan = make_plan([rule("x", FORCED)], PLACE)
    assert plan.rules[0].subject_ids.tolist() == [READER, LOCK]
    assert plan.rules[0].devices.tolist() == [READER, CONTACT, LOCK]
    alone = make_plan([rule("x", FORCED.replace("same: door", "same: device"))], PLACE)
    assert alone.rules[0].subject_ids.tolist() == [LOCK]


def test_who_leaves_without_having_entered() -> None:
    body = (
        "watch: {metric: vehicle_exit}\nwhen: vehicle_exit == 1\n"
        "without: {metric: vehicle_entry, within: 20s}\nsame: plate"
    )
    rows = [
        car(15, "vehicle_entry", "a"),
        car(25, "vehicle_exit", "a"),
        car(26, "vehicle_exit", "b"),
    ]
    assert told(judge(body, (rows, 30))) == [("fired", "occurred", 26, 26)]


REPLACED = "watch: {metric: access_granted}\nwhen: access_granted == 1\nreplaced: 366d"


def card(time: float, issue: int, device_id: int = READER, *, number: str = "a") -> Reading:
    return granted(time, device_id, number)._replace(issue=issue)


def test_a_card_that_is_used_after_its_replacement_appeared() -> None:
    """As in the VAST challenge of 2016, where two replaced cards were used on."""
    rows = [card(1, 1), card(9, 2), card(10, 3, number="b"), card(12, 2), card(20, 1, FAR)]
    rows += [card(21, 2), card(30, 1), card(31, 0), granted(32, READER)]
    said = judge(REPLACED, (rows, 40))
    assert told(said) == [("fired", "occurred", 20, 20), ("fired", "occurred", 30, 30)]
    assert [(t.subject.kind, t.subject.id, t.devices) for t in said] == [
        ("device", FAR, (FAR,)),
        ("device", READER, (READER,)),
    ]
    for cuts in (range(1, len(rows) + 1), (3, 5, 9)):
        starts = [0, *cuts]
        steps = [(rows[a:b], rows[b - 1].time / 1e6) for a, b in pairwise(starts)]
        assert told(judge(REPLACED, *steps)) == told(said)
    assert told(judge(REPLACED, (rows, 40), (rows, 40))) == told(said)


def test_a_new_card_is_the_first_to_be_read_as_often_as_not() -> None:
    assert told(judge(REPLACED, ([card(5, 2), card(6, 1)], 9))) == [("fired", "occurred", 6, 6)]
    assert judge(REPLACED, ([card(5, 1), card(6, 2), card(7, 2)], 9)) == []


def test_a_card_that_nobody_uses_is_forgotten() -> None:
    body = REPLACED.replace("366d", "10s")
    assert judge(body, ([card(1, 2), card(20, 5, number="b"), card(21, 1)], 25)) == []
    one_by_one = [([row], row.time / 1e6) for row in (card(1, 2), card(20, 5), card(21, 1))]
    assert told(judge(body, *one_by_one)) == [("fired", "occurred", 21, 21)]
    apart = [([card(1, 2)], 1.0), ([card(20, 5, number="b")], 20.0), ([card(21, 1)], 21.0)]
    assert judge(body, *apart) == []


def test_an_empty_batch_of_nobody() -> None:
    assert judge(AFTER, ([], 5), (list(batch().rows()), 9)) == []
