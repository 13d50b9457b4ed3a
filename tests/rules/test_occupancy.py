"""Occupancy rules case by case. Devices count as silent after 30 s."""

import pytest

from devices.inventory import Inventory
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Occupancy, Rule
from rules.plan import make_plan
from rules.state import carry_over, dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import batch, reading, rule, seconds, told
from tests.rules.derived_town import BAYS, BUILDING, FULL, GATEWAY, OTHER_BAYS, SMOKES, town
from tests.rules.test_loader import problems_of, rule_text

LOT = "watch: {metric: occupied}\n share: occupied == 1\n per: building"
FILLED = LOT + "\n when: share >= 0.75\n clear: share < 0.5"


def judge(body: str, *steps: tuple[Batch | None, float]) -> list[Transition]:
    plan = make_plan([rule("x", body)], town(behind=()))
    state, said = fresh(plan, 0), list[Transition]()
    for part, now in steps:
        done = evaluate(plan, part or Batch.empty(), state, seconds(now))
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    return said


def bays(time: float, *words: float | None, of: tuple[int, ...] = BAYS) -> list[Reading]:
    pairs = zip(of, words, strict=False)
    return [reading(time, bay, "occupied", word) for bay, word in pairs if word is not None]


def test_the_silence_of_a_bay_of_which_nothing_was_known_changes_nothing() -> None:
    """Wherever batches are cut: its gateway went before the first word of another bay."""
    body = f"{LOT}\n when: number >= 2\n no_data: alert"
    plan = make_plan([rule("x", body)], town(behind=BAYS[:1]))
    rows = [reading(1, GATEWAY, "heartbeat", 0), *bays(2, None, 0), *bays(3, 0)]
    for parts in ([rows], [[row] for row in rows]):
        state, said = fresh(plan, 0), list[Transition]()
        for part in parts:
            done = evaluate(plan, batch(*part), state, part[-1].time)
            state, said = done.state, said + done.transitions
        assert told(said) == [("fired", "sensor_silent", 2, 2), ("cleared", "heard", 2, 3)]


def test_what_is_withdrawn_has_the_colour_that_it_had() -> None:
    body = f"{FILLED}\n severity: {{red: share >= 1, yellow: share >= 0.75}}"
    plan = make_plan([rule("x", body)], town(behind=()))
    done = evaluate(plan, batch(*bays(1, 1, 1, 1, 1)), fresh(plan, 0), seconds(2))
    _, (gone,) = carry_over(done.state, plan, make_plan([], town(behind=())), seconds(3))
    assert (str(gone.change), str(gone.severity)) == ("withdrawn", "red")


def test_three_of_four_fire_with_the_share_and_those_three() -> None:
    filling = batch(*bays(1, 1, 0, 0, 0), *bays(2, None, 1), *bays(3, None, None, 1))
    emptier = batch(*bays(10, 0), *bays(12, None, 0))
    said = judge(FILLED, (filling, 3), (emptier, 12))
    assert told(said) == [("fired", "condition_held", 3, 3), ("cleared", "condition_ended", 3, 12)]
    assert [t.value for t in said] == [0.75, 0.25]
    assert [t.devices for t in said] == [BAYS[:3], BAYS[2:3]]
    assert said[0].subject.id == BUILDING


def test_the_share_is_of_those_that_are_known() -> None:
    two_of_three = batch(*bays(1, 1, 1, 0))
    assert judge(FILLED, (two_of_three, 1)) == []
    assert [t.value for t in judge(FILLED, (batch(*bays(1, 1, 1, None)), 1))] == [1.0]


def test_of_fewer_than_half_nothing_is_said_unless_the_rule_wants_less() -> None:
    one = batch(*bays(1, 1))
    assert judge(FILLED, (one, 1)) == []
    assert len(judge(FILLED + "\n known: 0.25", (one, 1))) == 1


def test_a_number_is_told_where_the_rule_speaks_of_numbers() -> None:
    said = judge(LOT + "\n when: number >= 2", (batch(*bays(1, 1, 0, 1, 0)), 1))
    assert [t.value for t in said] == [2.0]


def test_a_silent_device_counts_in_neither_and_an_alert_is_unknown_when_most_are() -> None:
    full = batch(*bays(1, 1, 1, 1, 0))
    three = [r for t in (20, 40) for r in bays(t, 1, 1, 0)]
    two = batch(*bays(60, 1, 1))
    said = judge(FILLED, (full, 1), (batch(*three), 40), (two, 69), (None, 70), (None, 95))
    assert told(said) == [
        ("fired", "condition_held", 1, 1),
        ("went_silent", "sensor_silent", 1, 90),
    ]
    assert [t.value for t in said] == [0.75, 1.0]


def test_a_share_that_rises_only_because_others_fell_silent_is_the_share_of_the_known() -> None:
    some = batch(*bays(1, 0, 0, 1, 1))
    later = batch(*bays(25, None, None, 1, 1))
    assert told(judge(FILLED, (some, 1), (later, 25), (None, 32))) == [
        ("fired", "condition_held", 31, 31)
    ]


def test_a_device_back_from_silence_is_unknown_until_it_says_the_metric_again() -> None:
    full = batch(*bays(1, 1, 1, 1, 1))
    back = batch(*(reading(50, bay, "battery", 80) for bay in BAYS))
    again = batch(*bays(55, 1, 1, 1, 1))
    said = judge(FILLED, (full, 1), (back, 50), (again, 55))
    assert told(said) == [
        ("fired", "condition_held", 1, 1),
        ("went_silent", "sensor_silent", 1, 31),
        ("heard_again", "heard", 1, 55),
    ]


def test_all_of_one_instant_counts_together() -> None:
    swap = batch(*bays(10, 0, 0, 0, 1))
    first = batch(*bays(1, 0, 0, 0, 1))
    both = batch(*bays(10, 1, 0, 1, 1)[:2], *bays(10, None, None, 1))
    assert judge(LOT + "\n when: number >= 2", (first, 1), (swap, 10)) == []
    assert len(judge(LOT + "\n when: number >= 2", (first, 1), (both, 10))) == 1


def test_a_device_that_moves_takes_its_word_along() -> None:
    before = town(behind=())
    made = rule("x", LOT + "\n when: number >= 3\n known: 0.1")
    plan = make_plan([made], before)
    state = evaluate(plan, batch(*bays(1, 1, 1)), fresh(plan, 0), seconds(1)).state
    moved = [
        d if d.id != BAYS[0] else type(d)(**{f: getattr(d, f) for f in d.__slots__} | {"area": 3})
        for d in before.devices.values()
    ]
    after = Inventory.of(before.areas.values(), before.households.values(), moved)
    new = make_plan([made], after)
    state, _ = carry_over(state, plan, new, seconds(2))
    saved, _ = restore(dump(state, new), new, seconds(2))
    for one in (state, saved):
        done = evaluate(new, batch(*bays(3, 1, 1, of=OTHER_BAYS)), one, seconds(3))
        assert [t.devices for t in done.transitions] == [(BAYS[0], *OTHER_BAYS)]


def test_devices_of_people_who_are_away_count_in_nothing() -> None:
    body = (
        "watch: {metric: temperature}\n share: temperature > 50\n per: community\n"
        " when: total >= 4\n unless: household.away"
    )
    hot = batch(*(reading(1, one, "temperature", 60) for one in SMOKES))
    assert judge(body, (hot, 1)) == []
    assert len(judge(body.replace("\n unless: household.away", ""), (hot, 1))) == 1


def test_how_many_doors_of_a_home_are_there() -> None:
    body = "watch: {metric: heartbeat}\n share: heartbeat == 1\n per: household\n when: number < 2"
    beats = batch(reading(1, 30, "heartbeat", 1), reading(1, 31, "heartbeat", 1))
    off = batch(reading(5, 31, "heartbeat", 0))
    assert told(judge(body, (beats, 1), (off, 5))) == [("fired", "condition_held", 5, 5)]


@pytest.mark.parametrize("made", FULL, ids=lambda r: r.code)
def test_an_occupancy_written_out_reads_back_as_the_same(made: Rule) -> None:
    (again,) = load({"w": write(made)})
    assert (again.condition, again.watch) == (made.condition, made.watch)
    assert again.fingerprint == made.fingerprint


def test_half_must_be_known_unless_said_otherwise_and_big_numbers_are_possible() -> None:
    condition = rule("x", LOT + "\n when: number >= 4321 and share > 0.987").condition
    assert isinstance(condition, Occupancy)
    assert condition.known == 0.5


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "watch: {metric: occupied}\nshare: occupied == 1\nwhen: share > 0.9",
            "r.yaml:1: 'per' of rule a.b: is missing (write e.g. per: building)",
        ),
        (
            "watch: {metric: occupied}\nshare: occupied == 1\nwhen: share > 0.9\nper: device",
            (
                "r.yaml:8: 'per' of rule a.b: 'device' has one device only"
                " (write household or a kind of area, e.g. building)"
            ),
        ),
        (
            LOT.replace("\n ", "\n") + "\nwhen: share > 1.5",
            "r.yaml:8: 'when' of rule a.b: 'share > 1.5' can never be true",
        ),
        (
            LOT.replace("\n ", "\n") + "\nwhen: share > 0.5\nclear: number < 10",
            "r.yaml:9: 'clear' of rule a.b: contradicts 'when': number 1, share 1 would both",
        ),
        (
            LOT.replace("\n ", "\n") + "\nwhen: share > 0.5\nknown: 50",
            "r.yaml:9: 'known' of rule a.b: 50 is not a share",
        ),
        (
            "watch: {metric: sos}\nshare: sos == 1\nper: building\nwhen: share > 0.5",
            "r.yaml:6: 'share' of rule a.b: 'sos' is momentary",
        ),
    ],
)
def test_says_the_mistake_and_what_was_meant(body: str, expected: str) -> None:
    (problem,) = problems_of(rule_text(body))
    assert problem.startswith(expected)
