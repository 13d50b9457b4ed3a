"""What is told of the state before an alert, of every kind, and of the rules that kept it quiet."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from devices.instant import HOUR, SECOND, Micros
from devices.inventory import Inventory
from devices.reading import Batch, Reading
from devices.token import token_of
from rules.account import Account, Alert, account_for, subject_plan
from rules.model import Rule
from rules.plan import make_plan
from rules.replay import Replay, cut, steps
from rules.transition import Change, Transition
from tests.rules.community import (
    CARE_HOME,
    DOOR,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    WEARABLE,
    inventory,
    reading,
    rule,
    seconds,
)
from tests.rules.every_kind import ENTRY, KINDS, METER, place

END = seconds(7 * 3600)


def fired(rules: list[Rule], site: Inventory, rows: list[Reading], *, end: Micros) -> Transition:
    """The last alert of the first of these rules."""
    own, said = Replay.begin(make_plan(rules, site), 0), list[Transition]()
    for step in steps(cut(Batch.of(rows), SECOND), 0, end):
        said += own.take(step)
    assert own.failures == []
    mine = [t for t in said if t.rule is rules[0] and t.change is Change.FIRED]
    assert mine, said
    return mine[-1]


def account(rules: list[Rule], site: Inventory, rows: list[Reading], *, end: Micros) -> Account:
    """Of the last alert of the first of these rules."""
    told = fired(rules, site, rows, end=end)
    plan = subject_plan(rules[0], site, told.subject, others=rules[1:])
    assert plan is not None
    alert = Alert(told.subject, told.since, told.at)
    found = account_for(plan, Batch.of(rows), alert, 0, end)
    assert found.fired == told
    return found


class Story(NamedTuple):
    """Readings that make a rule true, and what is remembered just before; times in seconds."""

    rows: list[Reading]
    moments: Mapping[str, float | None]
    numbers: Mapping[str, float]
    facts: list[tuple[Any, ...]]
    end: Micros = seconds(120)


def said(metric: str, *pairs: tuple[float, float], device: int = WEARABLE) -> list[Reading]:
    return [reading(time, device, metric, value) for time, value in pairs]


def card(time: float, issue: int, credential: str = "c-1") -> Reading:
    token = token_of({"credential": credential})
    return reading(time, ENTRY, "access_granted", 1)._replace(token=token, issue=issue)


MOVES = said("motion", (0, 0), (8, 1), (20, 0), (25, 1), device=MOTION)
STILL = [
    r for d in (MOTION, MOTION_TOO) for r in said("motion", (0, 0), (20, 0), (31, 0), device=d)
]
SENSED = said("motion", (1, 1), device=MOTION), said("motion", (9, 1), device=MOTION_TOO)


STORIES: Mapping[str, Story] = {
    "ThresholdMemory": Story(
        said("pulse", (1, 80), (5, 140)),
        {"judged": 1, "pending": None, "due": None},
        {"value": 80},
        [],
    ),
    "AbsenceMemory": Story(said("pulse", (1, 80)), {"last": 1, "due": 61}, {}, []),
    "WindowMemory": Story(
        said("pulse", (1, 80), (5, 140)), {"spent": None}, {}, [("counted", WEARABLE, "", 1, None)]
    ),
    "SequenceMemory": Story(
        [*said("sos", (1, 1)), *said("pulse", (2, 0), (5, 80))],
        {},
        {},
        [("first", WEARABLE, "", 1, None)],
    ),
    "MissingMemory": Story(
        [*said("sos", (1, 1)), *STILL],
        {"unsure": None},
        {},
        [("waits", WEARABLE, "", 1, 31)],
    ),
    "WithoutMemory": Story(
        [*said("sos", (1, 1)), *MOVES, *said("pulse", (20, 80), (26, 80))],
        {"all_heard_since": 0},
        {},
        [("excuse", WEARABLE, "", 1, None), ("asked", MOTION, "", 25, None)],
    ),
    "ReplacedMemory": Story(
        [card(1, 2), card(2, 7, "c-2"), card(20, 1)], {}, {}, [("card", None, "", 1, 1)]
    ),
    "InARowMemory": Story(
        said("pulse", (1, 140), (5, 141), (9, 142)),
        {"first": 1, "latest": 5, "last": 5},
        {"count": 2, "wanted": 3},
        [],
    ),
    "CorrelationMemory": Story(
        [*SENSED[0], *SENSED[1]],
        {"spent": None},
        {"count": 1, "wanted": 2},
        [("counted", MOTION, "motion", 1, None)],
    ),
    "OccupancyMemory": Story(
        [*SENSED[0], *SENSED[1]],
        {"judged": 1, "pending": None, "due": None},
        {"number": 1, "total": 1, "share": 1, "known": 0.5},
        [("so", MOTION, "motion", 1, None), ("unknown", MOTION_TOO, "motion", None, None)],
    ),
    "PaneMemory": Story(
        said("pulse", (1, 80), (25, 80), (50, 80), (61, 200), (70, 200)),
        {"judged": 62, "pending": None, "due": None, "window_begin": 11, "window_end": 71},
        {"value": 120},
        [],
    ),
    "GrowthMemory": Story(
        said("water_volume", (1, 1), (25, 1), (50, 1), (70, 5), device=METER),
        {"judged": 60, "pending": None, "due": None, "window_begin": 11, "window_end": 71},
        {"value": 0},
        [],
    ),
    "SetMemory": Story(
        said("pulse", (1, 80), (25, 80), (50, 80), (70, 81)),
        {"judged": 62, "pending": None, "due": None, "window_begin": 11, "window_end": 71},
        {"value": 1},
        [],
    ),
}


def in_seconds(at: Micros | None) -> float | None:
    return None if at is None else at / SECOND


@pytest.mark.parametrize("kind", STORIES)
def test_the_state_before_is_told_of_every_kind(kind: str) -> None:
    own = next(one for its, one in KINDS.items() if its.__name__ == kind)
    story = STORIES[kind]
    before = account([own], place(), story.rows, end=story.end).before
    assert {name: in_seconds(at) for name, at in before.moments.items()} == story.moments
    assert before.numbers == story.numbers
    told = [
        (f.what, f.device, f.metric, in_seconds(f.at), in_seconds(f.until)) for f in before.facts
    ]
    assert told == story.facts


def test_a_score_tells_of_each_parameter_how_long_it_counts() -> None:
    raised = rule("s", "score: news2\nwhen: total >= 5\nvalid: 1h\nassume: [air, alert]")
    site = place()
    devices = [
        replace(d, metrics=("pulse", "spo2", "breathing_rate", "systolic", "body_temperature"))
        if d.id == WEARABLE
        else d
        for d in site.devices.values()
    ]
    site = Inventory.of(site.areas.values(), site.households.values(), devices)
    normal = {"pulse": 80, "spo2": 97, "breathing_rate": 16, "systolic": 120}
    rows = [reading(1, WEARABLE, name, value) for name, value in normal.items()]
    rows += said("body_temperature", (2, 37)) + said("pulse", (5, 140)) + said("spo2", (9, 92))
    before = account([raised], site, rows, end=END).before
    assert before.numbers == {"total": 3, "single": 3}
    assert [(f.metric, in_seconds(f.at), in_seconds(f.until), f.number) for f in before.facts] == [
        ("breathing_rate", 1, 3601, 16),
        ("spo2", 1, 3601, 97),
        ("oxygen_flow", None, None, None),
        ("systolic", 1, 3601, 120),
        ("pulse", 5, 3605, 140),
        ("consciousness", None, None, None),
        ("body_temperature", 2, 3602, 37),
    ]


def test_a_baseline_tells_the_earlier_values_of_the_hour() -> None:
    unusual = rule(
        "b",
        "watch: {metric: pulse}\n"
        "baseline: {of: mean, every: 1h, season: day, history: 3d, spread: 2}\n"
        "when: deviation >= 4\nseverity: blue",
    )
    day = 24 * 3600
    rows = [r for d, v in enumerate((60, 62, 64, 90)) for r in said("pulse", (d * day + 5400, v))]
    rows += [reading(t, WEARABLE, "spo2", 97) for t in range(0, 3 * day + 3 * 3600, 7200)]
    rows.sort(key=lambda r: r.time)
    site = inventory()
    devices = [replace(d, interval=HOUR) for d in site.devices.values()]
    site = Inventory.of(site.areas.values(), site.households.values(), devices)
    before = account([unusual], site, rows, end=seconds(3 * day + 3 * 3600)).before
    assert [f.number for f in before.facts] == [60, 62, 64]
    assert before.numbers["usual"] == 62
    assert in_seconds(before.moments["window_end"]) == 3 * day + 2 * 3600


def test_an_index_tells_what_is_open_and_is_replayed_with_what_it_counts() -> None:
    index = rule("i", "index: {weights: {red: 8, blue: 1}}\nper: building\nwhen: index >= 9")
    low = rule("low", "watch: {metric: spo2}\nwhen: spo2 <= 91")
    denied = rule(
        "d", "watch: {metric: access_denied}\nwhen: count >= 1\nwithin: 1h\nseverity: blue"
    )
    rows = said("spo2", (1, 90)) + said("access_denied", (5, 1), device=DOOR)
    before = account([index, low, denied], inventory(), rows, end=seconds(20)).before
    assert before.numbers == {"value": 8, "level": 8}
    assert [(f.what, f.number) for f in before.facts] == [("open_red", 1)]


def test_what_kept_an_alert_quiet_is_replayed_and_told() -> None:
    grave = rule("grave", "watch: {metric: spo2}\nwhen: spo2 <= 85")
    denied = rule(
        "area", "watch: {metric: access_denied}\nwhen: count >= 2\nwithin: 9s\nper: building"
    )
    low = rule("low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: [grave, area, away]")
    rows = said("spo2", (1, 80), (9, 88))
    before = account([low, grave, denied], inventory(), rows, end=seconds(20)).before
    assert (before.quiet, before.held and before.held.since) == (["grave"], seconds(1))
    rows = said("spo2", (2, 90)) + said("access_denied", (1, 1), device=DOOR)
    rows += said("access_denied", (2, 1), device=OTHER_DOOR)
    rows.sort(key=lambda r: r.time)
    found = account([low, grave, denied], inventory(), rows, end=seconds(25))
    assert found.before.quiet == ["area"]
    assert found.fired is not None
    assert found.fired.at == seconds(10)


def test_only_what_matters_to_the_subject_is_replayed() -> None:
    low = rule("low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: home")
    home = rule("home", "watch: {metric: motion}\nabsent: 1h\nper: household\nunless: other")
    other = rule(
        "other", "watch: {metric: access_denied}\nwhen: count >= 1\nwithin: 1h\nper: building"
    )
    alone = rule("alone", "watch: {metric: pulse}\nwhen: pulse > 1")
    subject = fired([low], inventory(), said("spo2", (1, 90)), end=seconds(2)).subject
    plan = subject_plan(low, inventory(), subject, others=[alone, other, home])
    assert plan is not None
    assert [own.rule.code for own in plan.rules] == ["low", "home", "other"]
    assert plan.rules[1].subject_ids.tolist() == [CARE_HOME]
    assert plan.rules[2].devices.tolist() == [DOOR, OTHER_DOOR]
    assert plan.rules[0].devices.tolist() == [WEARABLE]
