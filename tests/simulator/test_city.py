"""A simulated day is believable, repeatable, and holds the incidents it says it holds."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import DAY, HOUR, MINUTE, SECOND, to_micros
from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.reading import Reading
from devices.simulator.city import City, Share
from devices.simulator.faults import NO_FAULTS, RATES
from devices.simulator.incidents import Incidence
from devices.simulator.message import Message
from devices.simulator.parts import inventory_of
from devices.simulator.plots import PLOTS
from devices.simulator.rhythm import Span
from devices.token import issue_of, token_of
from devices.topic import parse
from gridwarden.site import check
from tests.simulator.town import small_town

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, 6, tzinfo=ZONE))
SPAN = Span(START, START + DAY, ZONE)
NOTHING = Incidence(0, (), opening=False)
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"


@cache
def example() -> Inventory:
    return inventory_of(check(EXAMPLE)[0])


@cache
def example_day() -> City:
    return City(example(), SPAN)


def day(seed: int = 1) -> City:
    return City(small_town(), SPAN, seed=seed)


def said(messages: list[Message]) -> list[tuple[str, int, dict[str, float]]]:
    """(device, due, values) of every message that is JSON."""
    rows = []
    for message in messages:
        try:
            body = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            continue
        rows.append((message.topic.split("/")[3], message.due, body["values"]))
    return rows


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return list(example_day().messages())


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    assert list(day().messages()) == list(day().messages())
    assert list(day(seed=2).messages()) != list(day().messages())


def test_readings_are_what_the_messages_say(messages: list[Message]) -> None:
    """Of every message that is one, but for the stranger's; late and doubled ones too."""
    devices = {device.code: device.id for device in example().devices.values()}
    words = {b"online": 1.0, b"offline": 0.0}
    wanted: list[Reading] = []
    for message in messages:
        device = devices.get(message.topic.split("/")[3])
        if device is None or b"\xff" in message.payload:
            continue
        body: dict[str, Any]
        if message.payload in words:
            body = {"ts": message.due // 1_000, "values": {"heartbeat": words[message.payload]}}
        else:
            body = orjson.loads(message.payload)
        for name, value in body["values"].items():
            metric, facts = BY_NAME[name], body.get("attributes", {})
            named = (token_of(facts), issue_of(facts)) if metric.momentary else (0, 0)
            at = body["ts"] * 1_000
            wanted.append(Reading(at, message.due, device, metric.id, float(value), *named))
    batches = list(example_day().readings(20 * 60_000))
    said = [row for batch in batches for row in batch.rows()]
    assert [row.arrival for row in said] == sorted(row.arrival for row in said)
    assert sorted(said) == sorted(wanted)
    assert len({row.token for row in said}) > 100
    assert {row.issue for row in said} == {0, 1, 2}


@pytest.mark.parametrize("minutes", [1, 7, 90])
def test_the_length_of_slices_changes_nothing(minutes: int, messages: list[Message]) -> None:
    shown = [
        (due, topic, payload)
        for burst in example_day().bursts(minutes * 60_000)
        for due, topic, payload in zip(burst.due.tolist(), burst.topic, burst.payload, strict=True)
    ]
    assert shown == [(m.due // 1_000, m.topic.encode(), m.payload) for m in messages]


@pytest.mark.parametrize("of", [2, 3])
def test_shares_together_say_what_the_whole_says(of: int, messages: list[Message]) -> None:
    parts = [City(example(), SPAN, share=Share(part, of)) for part in range(of)]
    together = [m for part in parts for m in part.messages()]
    assert sorted(together) == sorted(messages)
    assert all(any(True for _ in part.messages()) for part in parts)


def test_a_home_says_the_same_whoever_else_is_there() -> None:
    """The same without incidents and faults, of which the first are planted among all."""
    town = example()
    home = next(h.id for h in town.households.values() if h.code == "b3-203")
    own = {n: d for n, d in town.devices.items() if d.household == home}
    fewer = Inventory.of(town.areas.values(), town.households.values(), own.values())
    codes = {d.code for d in own.values()}
    of_home = [
        m
        for m in City(town, SPAN, incidence=NOTHING, rates=NO_FAULTS).messages()
        if m.topic.split("/")[3] in codes
    ]
    assert len(of_home) > 300
    assert list(City(fewer, SPAN, incidence=NOTHING, rates=NO_FAULTS).messages()) == of_home


def test_a_run_goes_on_where_the_one_before_ended() -> None:
    noon = START + 6 * HOUR
    parts = (Span(START, noon, ZONE), Span(noon, SPAN.end, ZONE))
    whole, *halves = (
        [
            m
            for m in City(example(), span, incidence=NOTHING, rates=NO_FAULTS).messages()
            if b"heartbeat" not in m.payload  # a device says hello when it is switched on
        ]
        for span in (SPAN, *parts)
    )
    assert [m for half in halves for m in half] == whole


def test_messages_come_in_time_order_within_the_span_on_valid_topics(
    messages: list[Message],
) -> None:
    assert len(messages) > 10_000
    assert all(a.due <= b.due for a, b in pairwise(messages))
    assert messages[0].due >= SPAN.start
    assert messages[-1].due < SPAN.end
    assert all(parse(message.topic).community == "lvyuan" for message in messages)


@pytest.mark.parametrize("town", [small_town, example])
def test_every_value_is_of_a_metric_its_device_reports_and_within_its_range(
    town: Callable[[], Inventory],
) -> None:
    metrics = {d.code: set(d.metrics) for d in town().devices.values()}
    for device, _, values in said(list(City(town(), SPAN).messages())):
        for name, value in values.items():
            known = BY_NAME[name]
            assert known.low <= value <= known.high, (device, name, value)
            assert device == "unregistered-1" or name in metrics[device], (device, name)


@pytest.mark.parametrize("town", [small_town, example])
def test_no_healthy_device_seems_silent(town: Callable[[], Inventory]) -> None:
    heard = defaultdict(list)
    span = Span(START, START + 4 * DAY, ZONE)
    for code, due, _ in said(list(City(town(), span, rates=NO_FAULTS).messages())):
        heard[code].append(due)
    for device in town().devices.values():
        times = [span.start, *heard[device.code], span.end]
        longest = max(b - a for a, b in pairwise(times))
        assert longest < device.silent_after, device.code


def test_every_plot_is_planted_and_the_first_incident_comes_early() -> None:
    incidents = example_day().incidents
    assert {i.what for i in incidents} == {plot.what for plot in PLOTS}
    assert min(i.start for i in incidents) - SPAN.start <= 10 * MINUTE
    hours = {int((i.start - SPAN.start) // (6 * 60 * MINUTE)) for i in incidents}
    assert hours == {0, 1, 2, 3}


def test_an_example_community_shows_some_sixteen_incidents_a_day() -> None:
    week = City(example(), Span(START, START + 28 * DAY, ZONE))
    assert 12 < len(week.incidents) / 28 < 20


def test_incidents_begin_at_whole_seconds_wherever_the_span_begins() -> None:
    odd = Span(START + 123_456, START + 123_456 + DAY, ZONE)
    starts = [i.start for i in City(small_town(), odd, seed=1).incidents]
    assert min(starts) > odd.start
    assert all(start % SECOND == 0 for start in starts)


def test_a_device_shows_its_incident_and_nothing_that_contradicts_it(
    messages: list[Message],
) -> None:
    for incident in example_day().incidents:
        values = [
            v[incident.metric]
            for d, due, v in said(messages)
            if d in incident.devices
            and incident.metric in v
            and incident.start <= due < min(incident.until, SPAN.end)
        ]
        assert values, incident
        assert len(set(map(bool, values))) == 1, incident


def test_ground_truth_says_what_where_when() -> None:
    for incident in example_day().incidents:
        record = incident.record()
        assert record["community"] == "lvyuan"
        assert record["area"] in {a.code for a in example().areas.values()}
        assert incident.device in incident.devices
        assert str(record["from"]) < str(record["until"])
        at_home = incident.what in {"sos_pressed", "fall", "low_spo2", "no_movement"}
        assert (record["household"] is not None) >= at_home


@given(
    seed=st.integers(0, 2**32),
    begin=st.integers(0, 3 * DAY),
    hours=st.floats(0.1, 5),
    length=st.integers(1_000, 4_000_000),
    of=st.integers(1, 4),
)
@settings(max_examples=15, deadline=None)
def test_neither_slices_nor_shares_change_anything(
    seed: int, begin: int, hours: float, length: int, of: int
) -> None:
    """Any seed, beginning and length, with incidents and more faults than usual."""
    span = Span(START + begin, START + begin + round(hours * HOUR), ZONE)
    often = {name: 4 * rate for name, rate in RATES.items()}
    whole = City(small_town(), span, seed=seed, rates=often)
    parts = [
        whole.share_of(part, of).bursts(max(length, round(hours * 180_000))) for part in range(of)
    ]
    together = [
        (due, topic, payload)
        for part in parts
        for burst in part
        for due, topic, payload in zip(burst.due.tolist(), burst.topic, burst.payload, strict=True)
    ]
    once = [(m.due // 1_000, m.topic.encode(), m.payload) for m in whole.messages()]
    assert sorted(together) == sorted(once)
    if of == 1:
        assert together == once
