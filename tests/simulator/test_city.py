"""A simulated day is believable, repeatable, and holds the incidents it says it holds."""

from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import orjson
import pytest

from devices.instant import DAY, MINUTE, SECOND, to_micros
from devices.metric import BY_NAME
from devices.simulator.city import City
from devices.simulator.incidents import PLOTS
from devices.simulator.message import Message
from devices.simulator.rhythm import Span
from devices.topic import parse
from tests.simulator.town import small_town

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, 6, tzinfo=ZONE))
SPAN = Span(START, START + DAY, ZONE)


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
    return list(day().messages())


def test_the_same_seed_gives_the_same_day_and_another_seed_another(
    messages: list[Message],
) -> None:
    assert list(day().messages()) == messages
    assert list(day(seed=2).messages()) != messages


def test_a_device_says_the_same_whoever_else_is_there() -> None:
    town = small_town()
    alone = {n: d for n, d in town.devices.items() if d.kind == "barrier"}
    fewer = type(town).of(town.areas.values(), town.households.values(), alone.values())
    address = next(iter(alone.values())).code
    of_barrier = [m for m in day().messages() if m.topic.split("/")[3] == address]
    assert list(City(fewer, SPAN, seed=1).messages()) == of_barrier


def test_messages_come_in_time_order_within_the_span_on_valid_topics(
    messages: list[Message],
) -> None:
    assert len(messages) > 1_500
    assert all(a.due <= b.due for a, b in pairwise(messages))
    assert messages[0].due >= SPAN.start
    assert messages[-1].due < SPAN.end
    assert all(parse(message.topic).community == "hx" for message in messages)


def test_every_value_is_of_a_metric_its_device_reports_and_within_its_range(
    messages: list[Message],
) -> None:
    metrics = {d.code: set(d.metrics) for d in small_town().devices.values()}
    for device, _, values in said(messages):
        for name, value in values.items():
            known = BY_NAME[name]
            assert known.low <= value <= known.high, (device, name, value)
            assert device == "unregistered-1" or name in metrics[device], (device, name)


def test_no_healthy_device_seems_silent(messages: list[Message]) -> None:
    heard = defaultdict(list)
    for code, due, _ in said(messages):
        heard[code].append(due)
    for device in small_town().devices.values():
        times = [SPAN.start, *heard[device.code], SPAN.end]
        longest = max(b - a for a, b in pairwise(times))
        assert longest < device.silent_after, device.code


def test_water_only_grows_also_from_one_run_to_the_next() -> None:
    later = Span(SPAN.end, SPAN.end + DAY, ZONE)
    both = [*day().messages(), *City(small_town(), later, seed=1).messages()]
    for code in ("water_meter-3", "water_meter-8"):
        volumes = [v["water_volume"] for d, _, v in said(both) if d == code and "water_volume" in v]
        assert len(volumes) > 50
        assert all(a <= b for a, b in pairwise(volumes)), code


def test_every_plot_is_planted_and_the_first_incident_comes_early() -> None:
    incidents = day().incidents
    assert {i.what for i in incidents} == {plot.what for plot in PLOTS}
    assert min(i.start for i in incidents) - SPAN.start <= 10 * MINUTE
    hours = {int((i.start - SPAN.start) // (6 * 60 * MINUTE)) for i in incidents}
    assert hours == {0, 1, 2, 3}


def test_incidents_begin_at_whole_seconds_wherever_the_span_begins() -> None:
    odd = Span(START + 123_456, START + 123_456 + DAY, ZONE)
    starts = [i.start for i in City(small_town(), odd, seed=1).incidents]
    assert min(starts) > odd.start
    assert all(start % SECOND == 0 for start in starts)


def test_a_device_shows_its_incident_and_nothing_that_contradicts_it(
    messages: list[Message],
) -> None:
    for incident in day().incidents:
        values = [
            v[incident.metric]
            for d, due, v in said(messages)
            if d == incident.device
            and incident.metric in v
            and incident.start <= due < min(incident.until, SPAN.end)
        ]
        assert values, incident
        assert len(set(map(bool, values))) == 1, incident


def test_nobody_moves_in_the_whole_home_while_nobody_moves(messages: list[Message]) -> None:
    still = next(i for i in day().incidents if i.what == "no_movement")
    moved = [
        v["motion"]
        for d, due, v in said(messages)
        if d == still.device and "motion" in v and still.start <= due < still.until
    ]
    assert set(moved) == {0.0}


def test_faults_are_planted_each_in_turn(messages: list[Message]) -> None:
    copies = Counter((m.topic, m.payload) for m in messages)
    assert sum(n - 1 for n in copies.values()) >= 20
    assert sum("unregistered-1" in m.topic for m in messages) >= 20
    assert sum(not m.payload.endswith(b"}") for m in messages) >= 20
    times = [
        (orjson.loads(m.payload)["ts"] * 1_000, m.due) for m in messages if m.payload.endswith(b"}")
    ]
    assert sum(ts < DAY for ts, _ in times) >= 20
    assert sum(DAY < ts < due - 10 * MINUTE for ts, due in times) >= 20
