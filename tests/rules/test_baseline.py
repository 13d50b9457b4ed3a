"""Baselines against a plain loop, and by example."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import DAY, HOUR, MINUTE, to_micros
from devices.inventory import Inventory
from devices.metric import metric
from devices.reading import Batch, Reading
from rules import baseline
from rules.errors import RulesError
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Baseline, Measure, Rule, Season
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import CARE_HOME, DOOR, WEARABLE, device, inventory
from tests.rules.oracle import Oracle
from tests.rules.test_measure_properties import METER, told


def blue(code: str, body: str) -> Rule:
    """The one rule with this id and these YAML lines."""
    lines = "\n".join(f"  {line.strip()}" for line in body.strip().splitlines())
    head = f"- id: {code}\n  category: care\n  severity: blue\n  title: {{zh: 名, en: t}}\n"
    (loaded,) = load({"test.yaml": head + lines + "\n"})
    return loaded


def slow() -> Inventory:
    """A wearable, a door and a meter that speak every ten hours or more often."""
    plain = inventory()
    devices = (
        device(WEARABLE, "wearable", ("pulse",), household=CARE_HOME),
        device(DOOR, "door", ("access_denied",)),
        device(METER, "water_meter", ("water_volume",), household=CARE_HOME),
    )
    slowly = [replace(d, interval=10 * HOUR) for d in devices]
    return Inventory.of(plain.areas.values(), plain.households.values(), slowly)


HALF_DAYS = "every: 12h, season: day, history: 5d"
RULES = (
    blue(
        "b.mean",
        f"watch: {{metric: pulse}}\n baseline: {{of: mean, {HALF_DAYS}}}\n when: deviation >= 3",
    ),
    blue(
        "b.sum",
        "watch: {metric: access_denied}\n when: deviation >= 1.5\n clear: deviation < 1\n"
        f" baseline: {{of: sum, {HALF_DAYS}, least: 4, spread: 0.5}}\n per: building",
    ),
    blue(
        "b.rise",
        "watch: {metric: water_volume}\n when: deviation > 2\n for: 12h\n"
        f" baseline: {{of: rise, {HALF_DAYS}}}\n per: household",
    ),
)
INVENTORY = slow()
PLAN = make_plan(RULES, INVENTORY)
SOURCES = (
    *((WEARABLE, "pulse", value) for value in (60.0, 61.0, 61.0, 62.0, 90.0)),
    *((DOOR, "access_denied", 1.0) for _ in range(3)),
    *((METER, "water_volume", value) for value in (0.0, 0.1, 0.2, 3.0)),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Reading]:
    """Readings in time order over some weeks; the meter counts up."""
    rows, now, total = [], 0, 0.0
    chance = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(0, 150))):
        device_id, name, value = chance.choice(SOURCES)
        now += chance.choice([1, 1, 2, 3, 4, 6, 9]) * HOUR
        total += value if name == "water_volume" else 0.0
        number = total if name == "water_volume" else value
        rows.append(Reading(now, now, device_id, metric(name).id, number))
    return rows


@given(streams(), st.data())
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_plain_loop_however_cut_shuffled_and_restored(
    rows: list[Reading], data: st.DataObject
) -> None:
    end = (rows[-1].time if rows else 0) + DAY
    expected = Oracle(PLAN, 0).evaluate(rows, end)
    cuts = data.draw(st.sets(st.integers(0, len(rows)), max_size=10))
    state, said = fresh(PLAN, 0), list[Transition]()
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = rows[start:stop]
        now = part[-1].time
        done = evaluate(PLAN, Batch.of(data.draw(st.permutations(part))), state, now)
        assert not done.failures
        state, said = done.state, said + done.transitions
        if data.draw(st.integers(0, 3)) == 3:
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []
    said += evaluate(PLAN, Batch.empty(), state, end).transitions
    assert told(said) == told(expected)


def hourly(values: dict[int, float], days: int) -> list[Reading]:
    """The pulse of every hour: 60 + a little of the day by night, 80 by day; or as said."""
    rows = []
    for hour in range(days * 24):
        usual = (80.0 if 8 <= hour % 24 < 20 else 60.0) + (hour // 24) % 3
        time = hour * HOUR + 10 * MINUTE
        rows.append(Reading(time, time, WEARABLE, metric("pulse").id, values.get(hour, usual)))
    return rows


HOURLY = blue(
    "b",
    "watch: {metric: pulse}\n when: deviation >= 4\n"
    " baseline: {of: mean, every: 1h, season: day, history: 7d}",
)


def run(rows: list[Reading]) -> list[Transition]:
    plan = make_plan([HOURLY], INVENTORY)
    end = rows[-1].time + HOUR
    return evaluate(plan, Batch.of(rows), fresh(plan, 0), end).transitions


def test_what_is_usual_by_day_is_odd_by_night() -> None:
    night = 9 * 24 + 2
    said = run(hourly({night: 80.0}, 11))
    assert [(str(t.change), t.at) for t in said] == [
        ("fired", (night + 1) * HOUR),
        ("cleared", (night + 2) * HOUR),
    ]
    assert said[0].value == pytest.approx((80 - 61) / 1.4826)


def test_with_fewer_than_three_values_of_an_hour_nothing_is_said() -> None:
    assert run(hourly({2 * 24 + 2: 150.0}, 4)) == []
    assert len(run(hourly({3 * 24 + 2: 150.0}, 4))) == 2


def test_one_odd_value_does_not_change_what_is_usual() -> None:
    first, second = 8 * 24 + 2, 9 * 24 + 2
    said = run(hourly({first: 150.0, second: 80.0}, 11))
    assert [t.at for t in said if t.change == "fired"] == [(first + 1) * HOUR, (second + 1) * HOUR]


def test_where_all_were_equal_the_spread_that_was_given_counts() -> None:
    known = np.full((1, 4), 5.0)
    assert np.isnan(baseline._distance(known, np.array([6.0]), 0.0))[0]
    assert baseline._distance(known, np.array([5.0]), 0.0)[0] == 0
    assert baseline._distance(known, np.array([6.0]), 0.25)[0] == 4


def test_hours_and_weekdays_are_those_of_the_zone_also_when_clocks_change() -> None:
    """In Berlin summer time began on 2026-03-29 at 01:00Z."""
    condition = HOURLY.condition
    assert isinstance(condition, Baseline)
    weekly = replace(condition, season=Season.WEEK)
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 3, 28, 23, tzinfo=UTC)
    moments = np.array([to_micros(begin + timedelta(hours=h)) for h in range(4)])
    assert baseline.season_of(condition, moments, zone).tolist() == [0, 1, 3, 4]
    sunday = 6 * 24
    assert baseline.season_of(weekly, moments, zone).tolist() == [
        sunday,
        sunday + 1,
        sunday + 3,
        sunday + 4,
    ]


def test_a_baseline_is_read_and_written_back() -> None:
    condition = RULES[1].condition
    assert isinstance(condition, Baseline)
    assert (condition.measure, condition.step) == (Measure.SUM, 12 * HOUR)
    assert (condition.values, condition.least, condition.spread) == (5, 4, 0.5)
    for each in (*RULES, HOURLY):
        (again,) = load({"w": write(each)})
        assert again.condition == each.condition
        assert again.fingerprint == each.fingerprint


WELL = "of: mean, every: 1h, season: week, history: 4w"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            f"baseline: {{{WELL}}}\n when: deviation > 1\n no_data: alert",
            "'alert' is for thresholds",
        ),
        (f"baseline: {{{WELL}}}\n when: mean > 1", "unknown name 'mean'"),
        (f"baseline: {{{WELL}, spread: -1}}\n when: deviation > 1", "not a number of at least 0"),
        (f"baseline: {{{WELL}, least: 9}}\n when: deviation > 1", "not a whole number from 3 to 4"),
        ("baseline: {of: mean, every: 7h, history: 4w}\n when: deviation > 1", "divide a day"),
        (
            "baseline: {of: mean, every: 1h, history: 2w}\n when: deviation > 1",
            "3 to 60 times a week",
        ),
        (
            "baseline: {of: rise, every: 1h, history: 4w}\n when: deviation > 1",
            "counter has a rise",
        ),
        (
            "baseline: {of: rate, every: 1h, history: 4w}\n when: deviation > 1",
            "'rate' is not known",
        ),
        ("baseline: {every: 1h, history: 4w}\n when: deviation > 1", "'baseline.of' of rule b"),
        ("baseline: week\n when: deviation > 1", "is not a mapping"),
    ],
)
def test_what_makes_no_sense_is_said(body: str, what: str) -> None:
    with pytest.raises(RulesError) as caught:
        blue("b", f"watch: {{metric: pulse}}\n {body}")
    assert any(what in str(problem) for problem in caught.value.problems), caught.value.problems


def test_a_baseline_only_informs() -> None:
    text = write(HOURLY).replace('"blue"', '"red"')
    with pytest.raises(RulesError, match="a baseline informs"):
        load({"r.yaml": text})
