"""The plain loop that the bench of rules measures against says what `evaluate` says."""

import gc
import os
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given, settings

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.plan import make_plan, without
from rules.state import fresh
from tests.bench_rules.measure import Bench, whole_library
from tests.bench_rules.plain import Plain
from tests.bench_rules.tracks import judges
from tests.rules.community import RULES, behind_gateway
from tests.rules.oracle import by_subject
from tests.rules.test_evaluate_properties import scattered

EXAMPLES = int(os.environ.get("GRIDWARDEN_EXAMPLES", "60"))
_WHOLE = make_plan(RULES, behind_gateway())
PLAN = without(_WHOLE, {own.rule.code for own in _WHOLE.rules if not judges(own)})


@given(scattered())
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_plain_loop_says_the_same(batches: list[tuple[list[Reading], int]]) -> None:
    state, plain = fresh(PLAN, 0), Plain(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        state = done.state
        assert by_subject(plain.evaluate(rows, now)) == by_subject(done.transitions)


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
