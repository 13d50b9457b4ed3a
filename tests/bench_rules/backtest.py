"""Stretches of the simulated city, judged: beside the reference, and replayed as backtests do."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros, to_micros
from devices.inventory import Inventory
from devices.reading import Batch, concatenate
from devices.simulator.city import City
from devices.simulator.daqing import COMMUNITIES, ELDERS, CityPlan
from devices.simulator.message import Message
from devices.simulator.parts import inventory_of
from devices.simulator.rhythm import Span
from gridwarden.backtest import LARGE_BATCH
from gridwarden.backtest_ground import ground_of_site, site_of_parts
from gridwarden.demo_site import example_site
from gridwarden.site import check
from ingest.decode import Limits, decode
from ingest.message import RawMessage, Ticket
from rules.evaluate import advance
from rules.plan import Plan, make_plan
from rules.replay import Replay, cut_across, steps
from rules.state import fresh
from tests.bench_ingest.tell import tell
from tests.bench_rules.measure import Took, known_to_both, same, whole_library
from tests.bench_rules.plain import Plain

ZONE = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 2, tzinfo=ZONE)
START: Micros = to_micros(MIDNIGHT + timedelta(hours=8))
PORTION = 5_000
SIZES = (1_000, 100_000)
DELAY: Micros = 200_000
"""From a message's own time to its arrival."""


class Stretch(NamedTuple):
    """So many communities, of some 8 300 devices each, for so long; judged every so many µs."""

    communities: int
    days: float
    every: Micros


LARGE = Stretch(12, 1.0, LARGE_BATCH)
MONTH = Stretch(1, 30.0, 5 * MINUTE)


def community() -> Inventory:
    """The first community of the simulated Daqing."""
    plan = CityPlan(1, ELDERS // COMMUNITIES)
    return inventory_of(next(iter(plan.parts())))


def city_of(communities: int) -> Inventory:
    """So many communities like those of Daqing."""
    parts = CityPlan(communities, communities * (ELDERS // COMMUNITIES)).parts()
    described, _ = check(example_site())
    return ground_of_site(site_of_parts(parts, described)).inventory


def readings(city: City, known: Inventory) -> Batch:
    """What a city says, as the collector hands it on: in the order of receipt."""
    messages, parts = city.messages(), []
    limits = Limits(earliest=START - HOUR, max_ahead=10 * MINUTE)
    while some := list(islice(messages, PORTION)):
        decoded = decode([_raw(message) for message in some], known, limits)
        rows = concatenate((decoded.readings, decoded.events))
        owner = np.concatenate((decoded.reading_message, decoded.event_message))
        parts.append(rows.take(np.argsort(owner, kind="stable")))
    return concatenate(parts)


def _raw(message: Message) -> RawMessage:
    return RawMessage(message.topic, message.payload, message.due + DELAY, Ticket(0, 0, 1))


def backtest(hours: float) -> None:
    """So many hours of one community, in batches of SIZES, by us and by the reference."""
    known = community()
    span = Span(START, START + round(hours * HOUR), ZONE)
    heard = readings(City(known, span), known)
    plan = known_to_both(make_plan(whole_library(), known, ZONE))
    for size in SIZES:
        _judge(plan, heard, size, hours=hours, devices=len(known.devices))


def _judge(plan: Plan, heard: Batch, size: int, **about: object) -> None:
    state, plain, ours, theirs, told = fresh(plan, START), Plain(plan, START), Took(), Took(), 0
    for start in range(0, len(heard), size):
        batch = heard.take(np.arange(start, min(start + size, len(heard))))
        rows, now = batch.rows(), int(batch.arrival[-1])
        done = ours.over(partial(advance, plan, batch, state, now))
        expected = theirs.over(partial(plain.evaluate, rows, now))
        assert same(done.transitions, expected)
        told += len(expected)
    tell(
        "backtest",
        round(len(heard) / ours.wall),
        "readings/s",
        batch=size,
        of_cpu=round(len(heard) / ours.cpu),
        took_s=round(ours.wall, 3),
        plain=round(len(heard) / theirs.wall),
        ratio=round(theirs.wall / ours.wall, 2),
        ratio_of_cpu=round(theirs.cpu / ours.cpu, 2),
        readings=len(heard),
        transitions=told,
        **about,
    )


def replayed(stretch: Stretch) -> None:
    """This stretch through `rules.replay`, batch by batch; simulating it is timed apart."""
    known = city_of(stretch.communities)
    plan = make_plan(whole_library(), known, ZONE)
    start = to_micros(MIDNIGHT)
    span = Span(start, start + round(stretch.days * DAY), ZONE)
    simulating, judging = Took(), Took()
    run, count, batches, told = Replay.begin(plan, start), 0, 0, 0
    source = _timed(City(known, span).readings(), simulating)
    for step in steps(cut_across(source, stretch.every), start, span.end):
        count, batches = count + len(step.batch), batches + 1
        told += len(judging.over(partial(run.take, step)))
    assert not run.failures, run.failures
    tell(
        "replay",
        round(judging.cpu, 1),
        "s of CPU",
        wall_s=round(judging.wall, 1),
        simulating_s=round(simulating.cpu, 1),
        rate=round(count / judging.cpu),
        devices=len(known.devices),
        days=stretch.days,
        readings=count,
        batches=batches,
        batch_s=stretch.every / SECOND,
        transitions=told,
    )


def _timed(source: Iterable[Batch], took: Took) -> Iterator[Batch]:
    """The same; what getting each takes is added."""
    rows = iter(source)
    while (batch := took.over(partial(next, rows, None))) is not None:
        yield batch
