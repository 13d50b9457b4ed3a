"""What the example's rules make of simulated days: every incident, and nothing of quiet ones."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from devices.instant import DAY, HOUR, MINUTE, Micros, to_micros
from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.reading import Batch, Reading
from devices.simulator.city import City
from devices.simulator.daqing import CityPlan
from devices.simulator.faults import NO_FAULTS
from devices.simulator.incidents import Incidence, Incident
from devices.simulator.message import Message
from devices.simulator.parts import inventory_of
from devices.simulator.plots import PLOTS
from devices.simulator.rhythm import Span
from devices.token import issue_of, token_of
from gridwarden.demo_judge import Raised, Verdict, judge
from gridwarden.rule_library import library_texts
from gridwarden.site import check, read_folder
from gridwarden.site_writer import with_copd
from rules.evaluate import advance
from rules.loader import load
from rules.model import Rule
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Change, Transition

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, 6, tzinfo=ZONE))
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
STEP = 10 * MINUTE


@cache
def example() -> tuple[Inventory, tuple[Rule, ...]]:
    site, rules = check(EXAMPLE)
    return inventory_of(site), rules


def judged(city: City, inventory: Inventory, rules: Sequence[Rule]) -> list[Transition]:
    """All transitions, with batches of ten minutes; then timers run on for five."""
    plan = make_plan(rules, inventory, ZONE)
    state, said = fresh(plan, city.span.start), []
    upto, waiting = city.span.start + STEP, list[Reading]()
    for message in city.messages():
        while message.due >= upto:
            evaluation = advance(plan, Batch.of(waiting), state, upto)
            said += evaluation.transitions
            assert not evaluation.failures
            upto, waiting = upto + STEP, []
        waiting += readings(message, inventory)
    end = city.span.end + 5 * MINUTE
    return said + advance(plan, Batch.of(waiting), state, end).transitions


def readings(message: Message, inventory: Inventory) -> Iterable[Reading]:
    body = orjson.loads(message.payload)
    _, _, community, code, _ = message.topic.split("/")
    device = inventory.find(community, code)
    assert device is not None
    for name, value in body["values"].items():
        metric, facts = BY_NAME[name], body.get("attributes", {})
        named = (token_of(facts), issue_of(facts)) if metric.momentary else ()
        yield Reading(body["ts"] * 1_000, message.due, device.id, metric.id, value, *named)


def raised(transitions: Iterable[Transition]) -> list[Raised]:
    """Alerts as the demo's judge takes them."""
    ended = defaultdict(list)
    inventory, _ = example()
    for t in transitions:
        if t.change is Change.CLEARED:
            ended[t.rule.code, t.subject, t.since].append(t.at)
    return [
        Raised(
            t.rule.code,
            t.at,
            next(iter(ended[t.rule.code, t.subject, t.since]), None),
            frozenset(t.devices),
            next((inventory.devices[d].household for d in t.devices), None),
            frozenset(BY_NAME[name].id for name in t.rule.watch.metrics),
        )
        for t in transitions
        if t.change is Change.FIRED
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_week_in_which_nothing_happens_raises_no_alert(seed: int) -> None:
    inventory, rules = example()
    span = Span(START, START + 7 * DAY, ZONE)
    quiet = Incidence(0, (), opening=False)
    city = City(inventory, span, seed=seed, incidence=quiet, rates=NO_FAULTS)
    said = [t for t in judged(city, inventory, rules) if t.change is Change.FIRED]
    assert Counter(t.rule.code for t in said) == {}


def test_a_city_in_which_nothing_happens_raises_no_alert() -> None:
    """By its own rules: some of its people always have little oxygen in their blood."""
    files = read_folder(EXAMPLE)
    texts = with_copd({p: text for p, text in files.items() if p.startswith("rules/")})
    rules = load(texts, library_texts())
    inventory = inventory_of(next(CityPlan(3, 900).parts()))
    span = Span(START, START + 2 * DAY, ZONE)
    quiet = Incidence(0, (), opening=False)
    city = City(inventory, span, incidence=quiet, rates=NO_FAULTS)
    assert city.cast.copd.sum() > 5
    said = [t for t in judged(city, inventory, rules) if t.change is Change.FIRED]
    assert Counter(t.rule.code for t in said) == {}


def test_every_planted_incident_is_told_of() -> None:
    inventory, rules = example()
    span = Span(START, START + 3 * DAY, ZONE)
    city = City(inventory, span, incidence=Incidence(), rates=NO_FAULTS)
    alerts = raised(judged(city, inventory, rules))
    over = [i for i in city.incidents if i.until < span.end]
    verdicts = judge(over, alerts, span.end + HOUR)
    assert {i.what for i in over} == {plot.what for plot in PLOTS}
    assert len(over) > 30
    assert [(i, v) for i, v in verdicts if v is Verdict.MISSED] == []
    assert unexplained(alerts, city.incidents) == []


def unexplained(alerts: Iterable[Raised], incidents: Sequence[Incident]) -> list[Raised]:
    """Alerts at whose place no incident was planted at the time."""
    return [
        alert
        for alert in alerts
        if not any(
            i.start <= alert.fired_at <= i.until + 15 * MINUTE and _at(alert, i) for i in incidents
        )
    ]


def _at(alert: Raised, incident: Incident) -> bool:
    named = {d.code: d.id for d in example()[0].devices.values()}
    own = {named[code] for code in incident.devices}
    at_home = incident.household is not None and incident.household == alert.household
    return at_home or bool(own & alert.devices)


def test_a_silent_door_is_told_of_and_so_is_an_outage() -> None:
    inventory, rules = example()
    span = Span(START, START + DAY, ZONE)
    quiet = Incidence(0, (), opening=False)
    city = City(inventory, span, incidence=quiet, rates={"silent": 0.3})
    lasting: Micros = 30 * MINUTE // 1_000
    silent = {
        int(city.cast.id[f.row])
        for f in city.faults.listed()
        if f.until - f.start > lasting and f.start * 1_000 > span.start and _is_door(city, f.row)
    }
    told = {
        device
        for t in judged(city, inventory, rules)
        if t.change is Change.FIRED and t.rule.code == "access.door_controller_silent"
        for device in (t.subject.id,)
    }
    assert silent
    assert silent <= told


def _is_door(city: City, row: int) -> bool:
    return city.cast.where(row)[1].startswith("door")
