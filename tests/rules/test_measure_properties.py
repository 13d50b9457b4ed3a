"""Measures over windows against a plain loop, whatever the order, the cuts and the restarts."""

import random
from dataclasses import replace
from itertools import groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import HOUR
from devices.inventory import Inventory
from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import (
    AWAY_HOME,
    CARE_HOME,
    DOOR,
    GATEWAY,
    OTHER_DOOR,
    WEARABLE,
    behind_gateway,
    device,
    rule,
    seconds,
)
from tests.rules.oracle import Oracle, by_subject

METER, METER_TOO, AWAY_METER = 11, 12, 13
METERS = (METER, METER_TOO, AWAY_METER)


def with_meters() -> Inventory:
    """The community with water meters: two in one home, one of them behind the gateway."""
    plain = behind_gateway()
    metrics = ("water_volume", "heartbeat")
    meters = [
        device(METER, "water_meter", metrics, household=CARE_HOME),
        replace(device(METER_TOO, "water_meter", metrics, household=CARE_HOME), gateway=GATEWAY),
        device(AWAY_METER, "water_meter", metrics, household=AWAY_HOME),
    ]
    return Inventory.of(
        plain.areas.values(), plain.households.values(), (*plain.devices.values(), *meters)
    )


RULES = (
    rule("m.sum", "watch: {metric: access_denied}\n within: 10s\n when: sum >= 2\n per: building"),
    rule(
        "m.mean",
        "watch: {metric: pulse}\n within: 12s\n step: 3s\n when: mean >= 100\n"
        " clear: mean <= 90\n for: 4s\n keep_for: 5s",
    ),
    rule("m.min", "watch: {metric: pulse}\n within: 20s\n when: min > 90\n no_data: alert"),
    rule("m.max", "watch: {metric: pulse}\n within: 7s\n when: max < 100\n keep_for: 3s"),
    rule("m.where", "watch: {metric: pulse}\n within: 9s\n when: mean > 100\n where: pulse > 80"),
    rule("m.slope", "watch: {metric: pulse}\n within: 15s\n when: rate >= 8999\n clear: rate < 1"),
    rule(
        "m.low",
        "watch: {metric: water_volume}\n within: 20s\n when: rise < 1\n per: household\n"
        " unless: household.away",
    ),
    rule("m.much", "watch: {metric: water_volume}\n within: 8s\n when: rise >= 4\n for: 2s"),
    rule("m.rate", "watch: {metric: water_volume}\n within: 6s\n when: rate > 1200"),
    rule(
        "m.leak",
        "watch: {metric: water_volume}\n within: 20s\n step: 10s\n when: active_share >= 1",
    ),
    rule("m.busy", "watch: {metric: pulse}\n within: 8s\n step: 2s\n when: active_share >= 0.5"),
    rule(
        "m.cards",
        "watch: {metric: access_denied}\n within: 10s\n when: distinct >= 2\n per: building",
    ),
    rule("m.values", "watch: {metric: pulse}\n within: 10s\n when: distinct >= 3"),
)
PLAN = make_plan(RULES, with_meters())

SOURCES = [
    (device_id, name, value)
    for devices, name, values in (
        ((WEARABLE, WEARABLE), "pulse", (80.0, 95.0, 120.0, 130.0)),
        ((DOOR, OTHER_DOOR), "access_denied", (1.0, 1.0, 0.5)),
        (METERS, "water_volume", (0.0, 0.5, 2.0, -3.0)),
        ((METER, METER_TOO, GATEWAY, DOOR), "heartbeat", (1.0, 1.0, 0.0)),
    )
    for device_id in devices
    for value in values
]
STEPS = [0, 0, 0.25, 0.5, 1, 1, 1, 1, 2, 2, 3, 5, 8, 17, 40]


@st.composite
def streams(draw: st.DrawFn, *, falling: bool = True) -> list[Reading]:
    """Readings in time order, of a device at most one of a metric at one time; counters grow."""
    rows: dict[tuple[int, int, int], Reading] = {}
    total = dict.fromkeys(METERS, 5.0)
    now = 0
    chance = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(0, 60))):
        device_id, name, value = chance.choice(SOURCES)
        now += seconds(chance.choice(STEPS))
        number = value
        if name == "water_volume":
            total[device_id] = max(0.0, total[device_id] + max(value, -3.0 if falling else 0.0))
            number = total[device_id]
        kind = metric(name).id
        token = chance.choice([0, 5, 2**62 + 1, 2**62 + 2]) if name == "access_denied" else 0
        row = Reading(now, now, device_id, kind, number, token)
        rows.setdefault((device_id, kind, now), row)
    return list(rows.values())


def told(transitions: list[Transition]) -> object:
    """By subject, with numbers rounded: sums may be taken in another order."""
    return by_subject(replace(t, value=_rounded(t.value)) for t in transitions)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(f"{value:.9g}"), 6) + 0.0


@given(streams(), st.data(), st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_agrees_with_the_plain_loop_however_cut_shuffled_repeated_and_restored(
    rows: list[Reading], data: st.DataObject, rest: int
) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    oracle = Oracle(PLAN, 0)
    expected = oracle.evaluate(rows, end)
    cuts = data.draw(st.sets(st.integers(0, len(rows)), max_size=20))
    state, said = fresh(PLAN, 0), list[Transition]()
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = rows[start:stop]
        now = part[-1].time
        again = data.draw(st.lists(st.sampled_from(part), max_size=3))
        done = evaluate(PLAN, Batch.of(data.draw(st.permutations(part + again))), state, now)
        assert not done.failures
        state, said = done.state, said + done.transitions
        if data.draw(st.integers(0, 3)) == 3:
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []
    done = evaluate(PLAN, Batch.empty(), state, end)
    assert not done.failures
    assert told(said + done.transitions) == told(expected)


@given(streams(falling=False), st.data())
@settings(max_examples=20, deadline=None)
def test_late_readings_count_from_when_they_were_heard(
    rows: list[Reading], data: st.DataObject
) -> None:
    """Of a device whose newer readings were heard; so it is not taken to be behind."""
    oracle, state = Oracle(PLAN, 0), fresh(PLAN, 0)
    late = [r for r in rows if data.draw(st.booleans())]
    first = {(r.device, r.metric): r for r in reversed(rows)}
    late = [r for r in late if r is not first[r.device, r.metric] and _overtaken(r, rows)]
    coming = [r for r in rows if r not in late]
    now = 0
    before: list[Reading] = []
    for row in coming:
        part = [r._replace(arrival=row.time) for r in late if _overtaken(r, before)]
        late = [r for r in late if not _overtaken(r, before)]
        before, now = [*before, row], row.time
        done = evaluate(PLAN, Batch.of([*part, row]), state, now)
        assert told(done.transitions) == told(oracle.evaluate([row, *part], now))
        state = done.state
    done = evaluate(PLAN, Batch.empty(), state, now + seconds(30))
    assert told(done.transitions) == told(oracle.evaluate([], now + seconds(30)))


def steady() -> Inventory:
    """The same, of which no device is silent for an hour, nor goes with a gateway."""
    plain = with_meters()
    slowly = [replace(d, interval=HOUR, gateway=None) for d in plain.devices.values()]
    return Inventory.of(plain.areas.values(), plain.households.values(), slowly)


STEADY = make_plan(RULES, steady())
HEARTBEAT = metric("heartbeat").id


@given(streams(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_each_step_is_judged_once_however_late_the_newest_messages_are(
    rows: list[Reading], chance: random.Random
) -> None:
    """What is heard counts in the steps that are judged from then on, and in no other."""
    slow = {d: seconds(chance.choice([0, 0, 0, 1, 4, 9])) for d in range(20)}
    ways = {(r.device, r.time): seconds(chance.choice([0, 0, 0, 0.5, 1, 3, 6, 12])) for r in rows}
    coming = sorted(
        (
            r._replace(arrival=r.time + slow[r.device] + ways[r.device, r.time])
            for r in rows
            if r.metric != HEARTBEAT
        ),
        key=lambda r: r.arrival,
    )
    oracle, state, now = Oracle(STEADY, 0), fresh(STEADY, 0), 0
    said, expected = list[Transition](), list[Transition]()
    for part in (*_parts_of(coming, chance), []):
        now = part[-1].arrival if part else now + seconds(60)
        done = evaluate(STEADY, Batch.of(chance.sample(part, len(part))), state, now)
        assert not done.failures
        state, said = done.state, said + done.transitions
        expected += oracle.evaluate(part, now)
        if chance.random() < 0.25:
            state, _ = restore(dump(state, STEADY), STEADY, now)
    assert told(said) == told(expected)


def _parts_of(rows: list[Reading], chance: random.Random) -> list[list[Reading]]:
    """In batches, those of one arrival together."""
    parts = list[list[Reading]]()
    for _, same in groupby(rows, lambda r: r.arrival):
        if parts and chance.random() < 0.6:
            parts[-1] += same
        else:
            parts.append(list(same))
    return parts


def _overtaken(row: Reading, by: list[Reading]) -> bool:
    """Whether a later reading of its device is among these; the word 'offline' is none."""
    offline = (metric("heartbeat").id, 0.0)
    spoken = (r for r in by if (r.metric, r.value) != offline)
    return any(r.device == row.device and r.time > row.time for r in spoken)
