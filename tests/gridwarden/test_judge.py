"""The judge on a real database: sites that change while it runs, rules that break, restarts."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices import topic
from devices.instant import MINUTE, SECOND, Micros, to_datetime
from gridwarden.judge import Judge
from ingest.decode import Limits, decode
from ingest.message import RawMessage, Ticket
from ingest.store import CommittedBatch, store
from rules import evaluate, threshold
from rules.memory import ThresholdMemory
from tests import small_site
from tests.clock import ManualClock
from tests.waiting import until
from tests.whole import apply_site

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

COMMUNITY = "lvyuan"
LIMITS = Limits(earliest=0, max_ahead=MINUTE)

SPO2 = small_site.RULES
SPO2_AT_ONCE = SPO2.replace("  for: 10m\n", "")
PULSE = """\
- id: care.pulse_high
  category: care
  watch: {metric: pulse}
  when: pulse >= 130
  severity: orange
  title: {zh: 心率过快, en: High pulse}
"""


@dataclass(slots=True)
class Bench:
    """A site in force, a clock in the test's hand, and a judge that may be started again."""

    pool: Pool
    folder: Path
    url: str
    clock: ManualClock = field(default_factory=ManualClock)
    _judge: Judge | None = None

    @property
    def judge(self) -> Judge:
        """The judge, once it has been started."""
        assert self._judge is not None
        return self._judge

    async def start(self) -> None:
        """A judge that goes on from what the database holds; the one before is forgotten."""
        self._judge = await Judge.resume(self.pool, self.clock, shard=0, snapshot_every=60 * MINUTE)

    async def apply(self, rules: str, *, more_devices: str = "") -> None:
        """Apply the site with these rules, as of now."""
        (self.folder / "rules" / "care.yaml").write_text(rules)
        with (self.folder / "devices.yaml").open("a") as devices:
            devices.write(more_devices)
        await apply_site(self.url, self.folder, to_datetime(self.clock.advance(SECOND)))

    async def commit(self, device: str = "wearable-1", **values: float) -> CommittedBatch:
        """A batch of one message of this device, dated now, which is heard of with it."""
        now = self.clock.advance(SECOND)
        payload = orjson.dumps({"ts": to_datetime(now).isoformat(), "values": values})
        message = RawMessage(topic.up(COMMUNITY, device), payload, now, Ticket(1, 1, 1))
        decoded = decode([message], self.judge.site.inventory, LIMITS)
        async with self.pool.connection() as conn:
            return await store(conn, decoded, shard=0, now=now, heard_until=now)

    async def hear(self, device: str = "wearable-1", **values: float) -> None:
        """Commit such a batch and judge it."""
        await self.judge.judge(await self.commit(device, **values))

    async def wait(self, span: Micros) -> None:
        """Let the time go by, with nothing heard in it."""
        await self.judge.tick(self.clock.advance(span))

    async def alerts(self) -> list[tuple[Any, ...]]:
        """(rule, state, outcome) of all alerts, in the order of their opening."""
        return await self.rows("SELECT rule_code, state, outcome FROM alerts ORDER BY id")

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        async with self.pool.connection() as conn:
            return await (await conn.execute(query.encode())).fetchall()


@pytest.fixture
async def bench(database_url: str, pool: Pool, tmp_path: Path) -> Bench:
    """The bench with the rules SPO2 and PULSE in force and the judge started."""
    small_site.write(tmp_path, COMMUNITY)
    bench = Bench(pool, tmp_path, database_url)
    await bench.apply(SPO2 + PULSE)
    await bench.start()
    return bench


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record).get("action")) for record in caplog.records]


async def test_an_unchanged_rule_keeps_its_timer_when_the_site_changes(bench: Bench) -> None:
    await bench.hear(spo2=88)
    await bench.wait(7 * MINUTE)
    await bench.apply(PULSE.replace("130", "120") + SPO2)
    await bench.judge.adopt_site()
    await bench.wait(3 * MINUTE - 5 * SECOND)
    assert await bench.alerts() == []
    await bench.wait(5 * SECOND)
    assert await bench.alerts() == [("care.spo2_low", "open", None)]


async def test_a_changed_rule_begins_anew_and_closes_its_alert(bench: Bench) -> None:
    await bench.hear(pulse=140)
    await bench.apply(SPO2 + PULSE.replace("130", "150"))
    await bench.judge.adopt_site()
    assert await bench.alerts() == [("care.pulse_high", "closed", "rule_changed")]
    await bench.hear(pulse=149)
    assert len(await bench.alerts()) == 1
    await bench.hear(pulse=151)
    assert (await bench.alerts())[1:] == [("care.pulse_high", "open", None)]


async def test_a_removed_rule_closes_its_alert_and_an_added_one_judges(bench: Bench) -> None:
    await bench.hear(pulse=140)
    await bench.apply(SPO2_AT_ONCE.replace("care.spo2_low", "care.spo2"))
    await bench.judge.adopt_site()
    assert await bench.alerts() == [("care.pulse_high", "closed", "rule_removed")]
    await bench.hear(pulse=150, spo2=80)
    assert (await bench.alerts())[1:] == [("care.spo2", "open", None)]


async def test_a_rule_removed_while_the_service_was_down_closes_its_alert(bench: Bench) -> None:
    await bench.hear(pulse=140)
    await bench.judge.save()
    await bench.apply(SPO2)
    await bench.start()
    assert await bench.alerts() == [("care.pulse_high", "closed", "rule_removed")]


async def test_an_added_device_is_judged(bench: Bench) -> None:
    await bench.apply(
        SPO2 + PULSE,
        more_devices="- {code: wearable-99, kind: wearable, household: h-1, interval: 10m}\n",
    )
    early = await bench.commit("wearable-99", pulse=140)
    assert early.counts.rejected == 1
    await bench.judge.adopt_site()
    await bench.judge.judge(early)
    await bench.hear("wearable-99", pulse=141)
    assert await bench.rows(
        "SELECT d.code, a.state FROM alerts a JOIN devices d ON d.id = a.device_id"
    ) == [("wearable-99", "open")]


def broken(*_: object) -> None:
    raise ZeroDivisionError("broken on purpose")


def fold_thresholds_by(fold: Callable[..., None], patch: pytest.MonkeyPatch) -> None:
    judge = evaluate.JUDGES[ThresholdMemory]
    judges = {**evaluate.JUDGES, ThresholdMemory: judge._replace(fold=fold)}
    patch.setattr(evaluate, "JUDGES", judges)


async def test_a_rule_that_breaks_is_switched_off_and_its_alert_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.apply(SPO2_AT_ONCE + PULSE)
    await bench.judge.adopt_site()
    await bench.hear(spo2=88)
    fold = threshold.fold

    def breaks_for_spo2(turn: Any, *rest: Any) -> None:
        return broken() if turn.own.rule.code == "care.spo2_low" else fold(turn, *rest)

    fold_thresholds_by(breaks_for_spo2, monkeypatch)
    await bench.hear(spo2=97, pulse=140)
    assert await bench.alerts() == [
        ("care.spo2_low", "open", None),
        ("care.pulse_high", "open", None),
    ]
    (told,) = [r for r in caplog.records if vars(r).get("action") == "rule.switched_off"]
    assert told.levelno == logging.ERROR
    assert vars(told)["rule"] == "care.spo2_low"
    assert "broken on purpose" in vars(told)["error"]
    await bench.hear("wearable-2", spo2=80, pulse=140)
    assert actions(caplog).count("rule.switched_off") == 1
    assert await bench.rows("SELECT count(*) FROM readings") == [(5,)]


async def test_a_switched_off_rule_stays_off_until_its_text_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fold_thresholds_by(broken, patch)
        await bench.hear(pulse=140, spo2=88)
    await bench.apply(SPO2 + PULSE.replace("130", "131"))
    await bench.judge.adopt_site()
    assert [own.rule.code for own in bench.judge.plan.rules] == ["care.pulse_high"]
    await bench.hear(pulse=140)
    assert await bench.alerts() == [("care.pulse_high", "open", None)]


async def test_an_alert_of_a_switched_off_rule_is_closed_when_the_rule_is_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.hear(pulse=140)
    with monkeypatch.context() as patch:
        fold_thresholds_by(broken, patch)
        await bench.hear(pulse=150)
    assert await bench.alerts() == [("care.pulse_high", "open", None)]
    await bench.apply(SPO2)
    await bench.judge.adopt_site()
    assert await bench.alerts() == [("care.pulse_high", "closed", "rule_removed")]


async def test_a_judgement_that_the_database_did_not_take_is_repeated(bench: Bench) -> None:
    batch = await bench.commit(pulse=140)
    async with await psycopg.AsyncConnection.connect(bench.url) as other:
        await other.execute("LOCK TABLE cursors IN ACCESS EXCLUSIVE MODE")
        judging = asyncio.create_task(bench.judge.judge(batch))
        await _cut_off_once_it_waits(bench.url)
        with pytest.raises(psycopg.OperationalError):
            await judging
    assert bench.judge.seq == batch.prev_seq
    assert await bench.alerts() == []
    await bench.judge.judge(batch)
    await bench.judge.judge(batch)
    assert await bench.alerts() == [("care.pulse_high", "open", None)]
    assert await bench.rows("SELECT count(*) FROM notifications") == [(2,)]


async def _cut_off_once_it_waits(url: str) -> None:
    """End the backend that waits for a lock in this database."""
    query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:

        async def cut_off() -> bool:
            return bool(await (await conn.execute(query)).fetchall())

        await until(cut_off, what="a backend waits for a lock")


async def test_a_restart_folds_what_came_after_the_snapshot_in_again(bench: Bench) -> None:
    await bench.judge.save()
    await bench.hear(spo2=88)
    await bench.wait(6 * MINUTE)
    await bench.hear("wearable-2", pulse=140)
    ((cursor,),) = await bench.rows("SELECT seq FROM cursors")
    ((saved,),) = await bench.rows("SELECT seq FROM rule_snapshots")
    assert saved < cursor
    await bench.start()
    assert bench.judge.seq == cursor
    assert len(await bench.alerts()) == 1
    await bench.wait(4 * MINUTE)
    assert await bench.alerts() == [
        ("care.pulse_high", "open", None),
        ("care.spo2_low", "open", None),
    ]
    assert await bench.rows("SELECT count(*) FROM notifications") == [(4,)]


async def test_a_restart_without_a_snapshot_goes_on_after_the_cursor(bench: Bench) -> None:
    await bench.hear(pulse=140)
    await bench.rows("DELETE FROM rule_snapshots RETURNING seq")
    missed = await bench.commit("wearable-2", pulse=140)
    await bench.start()
    assert [batch.seq for batch in await bench.judge.missed()] == [missed.seq]
    await bench.judge.judge(missed)
    assert await bench.alerts() == [("care.pulse_high", "open", None)] * 2


async def test_a_restart_does_not_wait_for_batches_that_are_gone(bench: Bench) -> None:
    await bench.judge.save()
    await bench.hear(pulse=140)
    await bench.rows("DELETE FROM batches RETURNING seq")
    async with asyncio.timeout(30):
        await bench.start()
    await bench.hear("wearable-2", pulse=140)
    assert await bench.alerts() == [("care.pulse_high", "open", None)] * 2


@pytest.mark.parametrize(
    "damage",
    [
        "'\\x00'::bytea",
        "substring(state FROM 1 FOR length(state) / 2)",
        "set_byte(state, length(state) / 2, 255 - get_byte(state, length(state) / 2))",
        "''::bytea",
    ],
    ids=["other", "truncated", "flipped", "empty"],
)
async def test_a_damaged_snapshot_starts_the_rules_anew_and_loses_no_alert(
    bench: Bench, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.hear(pulse=140)
    await bench.judge.save()
    await bench.rows(f"UPDATE rule_snapshots SET state = {damage} RETURNING seq")  # noqa: S608
    await bench.start()
    (told,) = [r for r in caplog.records if vars(r).get("action") == "judge.snapshot_unreadable"]
    assert told.levelno == logging.ERROR
    assert await bench.alerts() == [("care.pulse_high", "open", None)]
    await bench.hear(pulse=150)
    assert await bench.alerts() == [("care.pulse_high", "open", None)]
    await bench.hear(pulse=80)
    assert await bench.alerts() == [("care.pulse_high", "cleared", None)]
    caplog.clear()
    await bench.judge.save()
    await bench.start()
    assert "judge.snapshot_unreadable" not in actions(caplog)


async def test_a_rule_removed_with_its_state_damaged_closes_its_alert(bench: Bench) -> None:
    await bench.hear(pulse=140)
    await bench.judge.save()
    await bench.rows("UPDATE rule_snapshots SET state = '' RETURNING seq")
    await bench.apply(SPO2)
    await bench.start()
    assert await bench.alerts() == [("care.pulse_high", "closed", "rule_removed")]
