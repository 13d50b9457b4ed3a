"""The plain loop that the bench of rules measures against says what `evaluate` says."""

import gc
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.inventory import Inventory
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Rule
from rules.plan import Plan, make_plan
from rules.state import fresh
from rules.transition import Transition
from tests.bench_rules.backtest import LARGE, replayed
from tests.bench_rules.measure import Bench, known_to_both, same, whole_library
from tests.bench_rules.plain import Plain
from tests.rules.community import KEY_RULES, RULES, behind_gateway, seconds
from tests.rules.test_derived_properties import THEMES
from tests.rules.test_derived_properties import scattered as derived_readings
from tests.rules.test_evaluate_properties import scattered
from tests.rules.test_measure_properties import RULES as MEASURES
from tests.rules.test_measure_properties import streams, with_meters
from tests.rules.test_sequence_properties import RULES as SEQUENCES
from tests.rules.test_sequence_properties import place
from tests.rules.test_sequence_properties import scattered as sequence_readings

EXAMPLES = int(os.environ.get("GRIDWARDEN_EXAMPLES", "25"))
Batches = list[tuple[list[Reading], int]]


def known(rules: Iterable[Rule], site: Inventory) -> Plan:
    return known_to_both(make_plan(tuple(rules), site))


@st.composite
def cut(draw: st.DrawFn) -> Batches:
    """A stream for measures, in batches; a tick at its end."""
    rows = draw(streams())
    edges = sorted({0, len(rows), *draw(st.sets(st.integers(0, len(rows)), max_size=8))})
    parts = [rows[start:stop] for start, stop in pairwise(edges)]
    rest = seconds(draw(st.integers(0, 60)))
    return [(part, part[-1].time) for part in parts] + [([], (rows[-1].time if rows else 0) + rest)]


CASES: dict[str, tuple[Plan, st.SearchStrategy[Batches]]] = {
    "older kinds": (known(RULES, behind_gateway()), scattered()),
    "keys": (known(KEY_RULES, behind_gateway()), scattered()),
    "sequences": (known(SEQUENCES, place(gateway=True)), sequence_readings()),
    "measures": (known(MEASURES, with_meters()), cut()),
    **{
        name: (known_to_both(theme.plan), derived_readings(theme.groups))
        for name, theme in THEMES.items()
        if name != "occupancy"
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_plain_loop_says_the_same(
    case: tuple[Plan, st.SearchStrategy[Batches]], data: st.DataObject
) -> None:
    plan, batches = case
    assert plan.rules
    state, plain = fresh(plan, 0), Plain(plan, 0)
    for rows, now in data.draw(batches):
        done = evaluate(plan, Batch.of(rows), state, now)
        state = done.state
        assert same(rounded(plain.evaluate(rows, now)), rounded(done.transitions))


def test_a_stretch_of_the_simulated_city_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    replayed(LARGE._replace(communities=1, days=0.01))
    (line,) = (orjson.loads(line) for line in capsys.readouterr().out.splitlines())
    assert line["figure"] == "replay"
    assert line["devices"] > 8_000
    assert line["readings"] > 1_000
    assert line["batches"] < line["readings"]
    assert line["rate"] > 0


def rounded(said: Iterable[Transition]) -> list[Transition]:
    """Sums may be taken in another order."""
    return [replace(t, value=None if t.value is None else round(t.value, 6)) for t in said]


@pytest.fixture
def looked_through_again() -> Iterator[None]:
    """The bench keeps what it made at its start out of garbage collection."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("looked_through_again")
def test_the_bench_runs_and_its_stream_makes_rules_fire(capsys: pytest.CaptureFixture[str]) -> None:
    """It compares what both say itself."""
    bench = Bench(1_000, whole_library())
    bench.warm_up(passes=1)
    bench.save()
    bench.compare([100, 10_000], rounds=1, readings=1_000, passes=1)
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    rates = [line for line in lines if line["figure"] == "advance"]
    assert [line["batch"] for line in rates] == [100, 10_000]
    assert all(line["value"] > 0 and line["ratio"] > 0 for line in rates)
    assert rates[1]["per_mille"] > 0
    assert {line["figure"] for line in lines} >= {"state", "memory", "dump", "restore"}
    assert rates[0]["rules"] == len(whole_library())
