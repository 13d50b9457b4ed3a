"""A stretch of the simulated city, judged: what its devices say, decoded and then replayed."""

from datetime import datetime
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

import numpy as np

from devices.instant import HOUR, MINUTE, Micros, to_micros
from devices.inventory import Inventory
from devices.reading import Batch, concatenate
from devices.simulator.city import City
from devices.simulator.daqing import COMMUNITIES, ELDERS, CityPlan
from devices.simulator.message import Message
from devices.simulator.parts import inventory_of
from devices.simulator.rhythm import Span
from ingest.decode import Limits, decode
from ingest.message import RawMessage, Ticket
from rules.evaluate import advance
from rules.plan import Plan, make_plan
from rules.state import fresh
from tests.bench_ingest.tell import tell
from tests.bench_rules.measure import Took, known_to_both, same, whole_library
from tests.bench_rules.plain import Plain

ZONE = ZoneInfo("Asia/Shanghai")
START: Micros = to_micros(datetime(2026, 3, 2, 8, tzinfo=ZONE))
PORTION = 5_000
SIZES = (1_000, 100_000)
DELAY: Micros = 200_000
"""From a message's own time to its arrival."""


def community() -> Inventory:
    """The first community of the simulated Daqing."""
    plan = CityPlan(1, ELDERS // COMMUNITIES)
    return inventory_of(next(iter(plan.parts())))


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
