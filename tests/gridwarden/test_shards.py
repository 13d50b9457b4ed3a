"""Two workers on one broker and one database: each its own communities, nothing twice."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.gridwarden.several import communities, several
from tests.services.server import Server

FATES = "SELECT shard, sum(messages), sum(stored), sum(rejected) FROM batches GROUP BY 1 ORDER BY 1"
ALERTED = """SELECT p.code, count(*) FROM alerts a JOIN dashboard.places s USING (area_id)
    JOIN areas p ON p.code = s.community GROUP BY 1"""

NONE_OF = "(SELECT WHERE NOT EXISTS (SELECT FROM shard_subscriptions WHERE {})) AS none"


async def test_every_message_once_by_its_owner_every_alert_once_whoever_is_killed(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> None:
    async with several(database_url, own_broker, unique, tmp_path, 0, 0, 1, 1) as site:
        first = await site.started("0/2")
        second = await site.started("1/2")
        standby = site.worker("0/2", name="standby")
        taking_over = asyncio.create_task(standby.start())
        await standby.logged("lease.standing_by")
        for community in site.communities:
            site.say(community, datetime.now(UTC), spo2=85)
            site.say(community, spo2=84)
        await site.until("readings", 8)
        assert site.rows(FATES) == [(0, 4, 4, 0), (1, 4, 4, 0)]
        await site.until("alerts", 4)
        await first.kill()
        for community in site.communities:
            site.say(community, spo2=83)
        await taking_over
        await site.until("readings", 12)
        assert site.rows(FATES) == [(0, 6, 6, 0), (1, 6, 6, 0)]
        for community in site.communities:
            site.say(community, spo2=97)
        await site.until("alerts WHERE cleared_at IS NOT NULL", 4)
        await standby.stop()
        await second.stop()
        assert dict(site.rows(ALERTED)) == dict.fromkeys(site.communities, 1)
        assert site.ledger()[:2] == (16, 16)
        told = "SELECT count(*), count(DISTINCT (alert_id, channel)) FROM notifications"
        ((notifications, distinct),) = site.rows(told)
        assert notifications == distinct


async def test_communities_come_and_go_while_the_workers_run(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> None:
    subscribed = "SELECT shard, community FROM shard_subscriptions WHERE shards = 2 ORDER BY 1"
    async with several(database_url, own_broker, unique, tmp_path, 0, 1) as site:
        first, second = await site.started("0/2"), await site.started("1/2")
        mine, theirs = site.communities
        assert site.rows(subscribed) == [(0, mine), (1, theirs)]
        (new,) = communities(lambda word: unique(f"new-{word}"), 1)
        site.communities = [mine, new]
        await site.apply()
        await second.logged("site.adopted")
        await site.until(f"shard_subscriptions WHERE community = '{new}'")
        await site.until(NONE_OF.format(f"community = '{theirs}'"))
        for community in (mine, new, theirs):
            site.say(community, spo2=85)
        await asyncio.to_thread(site.publisher.wait_for, site.sent)
        await site.until("alerts", 2)
        assert sorted(site.rows(subscribed)) == [(0, mine), (1, new)]
        # Nobody owns what the site does not have, so nobody hears it.
        assert site.ledger() == (2, 2, 0, 0)
        await first.stop()
        await second.kill()
        # What the session is still subscribed to is known after a crash.
        site.communities = [mine]
        await site.apply()
        second = await site.started("1/2")
        await site.until(
            "(SELECT WHERE NOT EXISTS (SELECT FROM shard_subscriptions WHERE shard = 1)) x"
        )
        site.say(new, spo2=97)
        await asyncio.to_thread(site.publisher.wait_for, site.sent)
        await second.stop()
        assert site.ledger() == (2, 2, 0, 0)


async def test_a_layout_that_contradicts_the_recorded_one_is_refused(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> None:
    async with several(database_url, own_broker, unique, tmp_path, 0) as site:
        await (await site.started("1/2")).stop()
        for shard in ("0/1", "2/3"):
            wrong = site.worker(shard)
            start_it_as = f"started as shard {shard}; start it as `gridwarden run --shard i/2`"
            with pytest.raises(AssertionError, match=start_it_as):
                await wrong.start()
            assert await wrong.ended() == 1
        assert site.rows("SELECT shards FROM shard_layout") == [(2,)]
