"""The service's judge with a rule of every kind, and all of them fail inside at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices.instant import SECOND
from rules import evaluate, risk
from tests import small_site
from tests.gridwarden.test_judge import COMMUNITY, Bench, actions
from tests.rules.every_kind import TEXTS

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

FAILING = "every"
"""The category of the rules that fail."""

SENSORS = """\
- {code: motion-1, kind: motion_sensor, household: h-1}
- {code: motion-2, kind: motion_sensor, household: h-1}
- {code: meter-1, kind: water_meter, household: h-1}
- {code: entry-1, kind: door, area: grid-1}
"""
WITNESS = small_site.RULES.replace("  for: 10m\n", "")


def rule_of(name: str, text: str) -> str:
    head = f"- id: every.{name}\n  category: {FAILING}\n  title: {{zh: 名, en: t}}\n"
    colour = "" if "severity:" in text else "  severity: red\n"
    lines = text.replace("per: building", "per: grid").splitlines()
    return head + colour + "".join(f"  {line}\n" for line in lines)


EVERY = "".join(rule_of(kind.__name__.lower(), text) for kind, text in TEXTS.items())


@pytest.fixture
async def bench(database_url: str, pool: Pool, tmp_path: Path) -> Bench:
    small_site.write(tmp_path, COMMUNITY)
    bench = Bench(pool, tmp_path, database_url)
    await bench.apply(EVERY + WITNESS, more_devices=SENSORS)
    await bench.start()
    return bench


def failing(part: str, patch: pytest.MonkeyPatch) -> None:
    """Let every rule of the failing category raise where it folds, or where its timers fire."""

    def of(do: Any) -> Any:
        def judge(turn: Any, *rest: Any) -> None:
            if turn.own.rule.category == FAILING:
                raise ZeroDivisionError(f"broken on purpose in {turn.own.rule.code}")
            do(turn, *rest)

        return judge

    judges: Mapping[type[Any], evaluate.Judge] = {
        kind: judge._replace(**{part: of(getattr(judge, part))})
        for kind, judge in evaluate.JUDGES.items()
    }
    patch.setattr(evaluate, "JUDGES", judges)
    name = {"fold": "feed", "tick": "tick"}[part]
    patch.setattr(risk, name, of(getattr(risk, name)))


async def hear(bench: Bench, spo2: float) -> int:
    """Something for every kind; how many messages."""
    await bench.hear("motion-1", motion=1)
    await bench.hear("meter-1", water_volume=1.0)
    await bench.hear("entry-1", access_granted=1)
    await bench.hear(spo2=spo2, pulse=140, sos=1)
    return 4


@pytest.mark.parametrize("part", ["fold", "tick"])
async def test_rules_that_fail_inside_are_switched_off_and_all_else_goes_on(
    bench: Bench, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        failing(part, patch)
        await hear(bench, spo2=88)
    assert actions(caplog).count("rule.switched_off") == len(TEXTS)
    assert [own.rule.code for own in bench.judge.plan.rules] == ["care.spo2_low"]
    assert await bench.alerts() == [("care.spo2_low", "open", None)]
    await bench.wait(SECOND)
    await hear(bench, spo2=97)
    assert await bench.rows("SELECT state FROM alerts") == [("cleared",)]
    stored = "SELECT (SELECT count(*) FROM readings) + (SELECT count(*) FROM events)"
    assert await bench.rows(stored) == [(12,)]
    assert bench.judge.seq == await bench.judge.last_committed()


async def test_after_the_next_start_they_judge_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing("fold", patch)
        await hear(bench, spo2=88)
    await bench.start()
    assert len(bench.judge.plan.rules) == len(TEXTS) + 1
    await bench.hear("wearable-2", pulse=150)
    assert ("every.thresholdmemory", "open", None) in await bench.alerts()
    assert ("care.spo2_low", "open", None) in await bench.alerts()
