"""A judge that goes on after a crash, when the site was changed meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from devices import topic
from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime
from gridwarden.judge import Judge
from ingest.decode import Limits, decode
from ingest.message import RawMessage, Ticket
from ingest.store import CommittedBatch, store
from tests import small_site
from tests.clock import ManualClock
from tests.whole import apply_site

ORIGIN: Micros = 1_795_233_600 * SECOND
STATES = "SELECT state, count(*) FROM alerts GROUP BY state ORDER BY state"
SAVED = "SELECT count(*) FROM rule_snapshots"
AT_ONCE = small_site.RULES.replace("  for: 10m\n", "")
UNLESS_AWAY = small_site.RULES + "  unless: household.away\n"
OTHER = AT_ONCE.replace("care.spo2_low", "care.spo2_other")

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Community:
    """One that is judged batch by batch; every `Judge.resume` follows a crash."""

    def __init__(self, url: str, folder: Path, pool: Pool, code: str) -> None:
        self.url, self.folder, self.pool, self.code = url, folder, pool, code
        self.clock = ManualClock(ORIGIN)

    async def apply(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text)
        await apply_site(self.url, self.folder, to_datetime(self.clock.advance(SECOND)))

    async def resume(self) -> Judge:
        return await Judge.resume(self.pool, self.clock, shard=0, snapshot_every=DAY)

    async def commit(self, judge: Judge, spo2: float) -> CommittedBatch:
        """A batch of one reading, stored and not yet judged."""
        now = self.clock.advance(2 * MINUTE)
        message = RawMessage(
            topic.up(self.code, "wearable-1"),
            orjson.dumps({"values": {"spo2": spo2}}),
            now,
            Ticket(1, 1, 1),
        )
        decoded = decode([message], judge.site.inventory, Limits(0, HOUR))
        async with self.pool.connection() as conn:
            return await store(conn, decoded, shard=0, now=now, heard_until=now)

    async def judge_low(self, judge: Judge, batches: int) -> None:
        for _ in range(batches):
            await judge.judge(await self.commit(judge, 88))

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            return await (await conn.execute(query.encode())).fetchall()


@pytest.fixture
async def community(
    database_url: str, pool: Pool, unique: Callable[[str], str], tmp_path: Path
) -> Community:
    code = unique("lvyuan")
    small_site.write(tmp_path, code)
    return Community(database_url, tmp_path, pool, code)


RULES = "rules/care.yaml"


async def test_a_state_is_there_from_the_beginning(community: Community) -> None:
    await community.apply(RULES, AT_ONCE)
    await community.resume()
    assert await community.rows(SAVED) == [(1,)]


async def test_what_fired_since_the_snapshot_is_withdrawn_with_its_rule(
    community: Community,
) -> None:
    await community.apply(RULES, AT_ONCE)
    await community.judge_low(await community.resume(), 1)
    assert await community.rows(STATES) == [("open", 1)]
    await community.apply(RULES, AT_ONCE.replace("<= 91", "<= 70"))
    await community.resume()
    assert await community.rows(STATES) == [("closed", 1)]


async def test_what_the_changed_site_judges_otherwise_is_told_once(community: Community) -> None:
    homes = (community.folder / "households.yaml").read_text()
    (community.folder / RULES).write_text(UNLESS_AWAY)
    await community.apply("households.yaml", homes.replace("care: true", "care: true, away: true"))
    judge = await community.resume()
    await community.judge_low(judge, 8)
    await judge._write((), judge.seq)
    assert await community.rows(STATES) == []
    await community.apply("households.yaml", homes)
    for _ in range(2):
        judge = await community.resume()
        await community.judge_low(judge, 1)
        await judge._write((), judge.seq)
    assert await community.rows(STATES) == [("open", 1)]


async def test_a_rule_applied_before_the_snapshot_and_adopted_after_loses_nothing(
    community: Community,
) -> None:
    await community.apply(RULES, small_site.RULES)
    judge = await community.resume()
    await community.apply(RULES, small_site.RULES + OTHER)
    await judge.save()
    await community.judge_low(judge, 1)
    await judge._write((), judge.seq)
    await community.judge_low(await community.resume(), 1)
    assert await community.rows(STATES) == [("open", 1)]
