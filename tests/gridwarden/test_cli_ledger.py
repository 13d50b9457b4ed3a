"""`gridwarden ledger`: every message by its fate, what is in flight, and whether it balances."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from typer.testing import CliRunner, Result

from gridwarden.books import STALE, Books, Sum, Worker
from gridwarden.cli import app
from tests.gridwarden.conftest import Whole

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SUM = Sum(1, 5, 3, 1, 1, NOW, {}, 0, 0, 0)
WORKER = Worker(0, NOW, NOW, True, 7, 3, 1, 1, 2, 1)


async def run(whole: Whole, monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 0) -> Result:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", whole.url)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["ledger", *words])
    assert result.exit_code == code, result.output
    return result


def execute(whole: Whole, statement: str) -> None:
    with psycopg.connect(whole.url) as conn:
        conn.execute(statement.encode())


def last(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(result.stdout.splitlines()[-1])["sum"]
    return told


async def test_each_device_and_all_of_them_with_the_worker_that_runs(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    for value in (71, 7_100, 7_200):
        whole.say("wearable-3", pulse=value)
    whole.say("wearable-4", pulse=70)
    whole.say("ghost", pulse=70)
    await whole.until("ledger", 3)
    # A report of the worker's that is younger than the last batch.
    await whole.until("collectors WHERE received = 5 AND in_flight = 0")
    told = (await run(whole, monkeypatch)).stdout
    assert "received 5 = stored 2 + duplicate 0 + rejected 3 + in flight 0" in told
    assert "rejected: out_of_range 2, unknown_device 1" in told
    assert "shard 0: in flight 0, of these 0 in no batch yet; connected; as of" in told
    assert told.endswith("it balances\n")
    lines = (await run(whole, monkeypatch, "--json", "--limit", "2")).stdout.splitlines()
    worst = [orjson.loads(line) for line in lines[:-1]]
    assert [(w["device"], w["rejected"]) for w in worst] == [("", 1), ("wearable-3", 2)]
    assert "1 of them not shown" in (await run(whole, monkeypatch, "--limit", "2")).stdout
    assert "wearable-4" in (await run(whole, monkeypatch, "--limit", "2", "--all")).stdout
    own = await run(whole, monkeypatch, "--json", "--device", f"{whole.community}/wearable-4")
    assert (last(own)["received"], last(own)["devices"]) == (1, 1)
    ours = await run(whole, monkeypatch, "--json", "--community", whole.community)
    assert last(ours)["received"] == 4
    await whole.service.stop()
    assert "no worker is running" in (await run(whole, monkeypatch)).stdout


async def test_what_does_not_balance_is_said_and_ends_with_an_error(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    whole.say("wearable-3", pulse=7_100)
    await whole.until("ledger")
    await whole.service.stop()
    assert "it balances" in (await run(whole, monkeypatch)).stdout
    execute(whole, "UPDATE ledger SET received = received + 1, stored = stored + 1")
    broken = await run(whole, monkeypatch, code=1)
    assert "devices count 2 messages received, batches 1" in broken.stderr
    assert "it balances" not in broken.stdout
    execute(whole, "UPDATE ledger SET received = 1, stored = 1, rejected = 0")
    broken = await run(whole, monkeypatch, "--json", code=1)
    assert "more is kept as rejected than was counted" in broken.stderr
    assert last(broken)["errors"]


async def test_a_worker_that_died_is_told_from_one_that_runs(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.start()
    await whole.until("collectors")
    await whole.service.kill()
    old = f"reported_at = reported_at - interval '{STALE.total_seconds() + 60} s'"
    execute(whole, f"UPDATE collectors SET {old}, in_flight = 7, received = 7")  # noqa: S608
    told = (await run(whole, monkeypatch)).stdout
    assert "it is not running, or is cut off from the database; 7 were in flight" in told
    assert "+ in flight 0" in told


def test_only_a_running_worker_that_lost_something_is_an_error() -> None:
    lost = replace(WORKER, stored=2)
    assert (WORKER.lost, lost.lost) == (0, 1)
    assert Books(NOW, [], SUM, [WORKER], 5).errors() == []
    (error,) = Books(NOW, [], SUM, [lost], 5).errors()
    assert error == "worker of shard 0: 1 messages received have no fate"
    gone = Books(NOW + STALE + timedelta(seconds=1), [], SUM, [lost], None)
    assert (gone.errors(), gone.in_flight, gone.running) == ([], 0, [])


def test_a_device_is_named_with_its_community() -> None:
    result = CliRunner().invoke(app, ["ledger", "--device", "wearable-3"])
    assert result.exit_code == 1
    assert "--device is COMMUNITY/CODE" in result.stderr
