"""A site applied while alerts stand: no alert is lost with its rule or with its person."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts.store import acknowledge
from devices.instant import DAY, HOUR, SECOND, to_datetime
from gridwarden.judge import Judge
from gridwarden.orphans import find_orphans
from gridwarden.shard import Shard, owner
from tests import small_site
from tests.clock import ManualClock
from tests.whole import apply_site

ORIGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
SILENT_TOO = small_site.RULES.replace("severity: red", "severity: red\n  no_data: alert")
STATES = "SELECT state, count(*) FROM alerts GROUP BY state ORDER BY state"
HANDED_ON = """SELECT DISTINCT m.code, n.occasion LIKE 'handed_on:%' FROM notifications n
               JOIN alerts a ON a.id = n.alert_id JOIN members m ON m.id = n.member_id
               WHERE a.state = 'open' ORDER BY m.code"""

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Community:
    """Twenty silent wearables, an alert for each, and a judge that is told of a new site."""

    def __init__(self, url: str, folder: Path, pool: Pool) -> None:
        self.url, self.folder, self.pool = url, folder, pool
        self.clock = ManualClock(int(ORIGIN.timestamp()) * SECOND)

    async def apply(self) -> None:
        await apply_site(self.url, self.folder, to_datetime(self.clock.advance(SECOND)))

    async def judge(self) -> Judge:
        return await Judge.resume(self.pool, self.clock, shard=0, snapshot_every=HOUR)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.url) as conn:
            return await (await conn.execute(query.encode())).fetchall()


@pytest.fixture
async def community(
    database_url: str, pool: Pool, unique: Callable[[str], str], tmp_path: Path
) -> Community:
    small_site.write(tmp_path, unique("lvyuan"), rules=SILENT_TOO)
    community = Community(database_url, tmp_path, pool)
    await community.apply()
    return community


@pytest.mark.parametrize("crash", [False, True])
async def test_a_changed_rule_tells_again_what_is_still_so(
    community: Community, *, crash: bool
) -> None:
    judge = await community.judge()
    assert await judge.tick(community.clock.advance(DAY)) == small_site.WEARABLES
    rules = community.folder / "rules" / "care.yaml"
    rules.write_text(SILENT_TOO.replace("for: 10m", "for: 12m"))
    await community.apply()
    await judge.adopt_site()
    for _ in range(2):
        if crash:
            judge = await community.judge()
        await judge.tick(community.clock.advance(SECOND))
    assert await community.rows(STATES) == [("closed", 20), ("open", 20)]


async def test_who_leaves_with_an_alert_in_hand_hands_it_on(community: Community) -> None:
    judge = await community.judge()
    await judge.tick(community.clock.advance(DAY))
    async with community.pool.connection() as conn:
        await acknowledge(conn, 1, 1, community.clock.now())
    for name in ("members.yaml", "duties.yaml"):
        file = community.folder / name
        file.write_text(file.read_text().replace("wang-fang", "li-hua"))
    await community.apply()
    await judge.adopt_site()
    assert await community.rows(STATES) == [("open", 20)]
    assert await community.rows(HANDED_ON) == [("li-hua", True), ("wang-fang", False)]
    before = await community.rows("SELECT count(*) FROM notifications")
    await judge.save()
    assert await community.rows("SELECT count(*) FROM notifications") == before


async def test_a_shard_closes_only_what_is_its_own(community: Community) -> None:
    """Each of two shards is told that a rule is gone of which no state knew."""
    judge = await community.judge()
    community.clock.advance(DAY)
    await judge.tick(community.clock.now())
    (place,) = {device.community for device in judge.site.inventory.devices.values()}
    mine = owner(place, 2)
    async with community.pool.connection() as conn:
        await conn.execute("UPDATE rules SET valid_to = now()")
        now = community.clock.now()
        assert await find_orphans(conn, now, Shard(1 - mine, 2)) == []
        orphans = await find_orphans(conn, now, Shard(mine, 2))
    assert len(orphans) == small_site.WEARABLES
