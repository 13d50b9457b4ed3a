"""Two workers on one broker and one database: each its own communities, nothing twice."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gridwarden import service
from gridwarden.errors import ShardError
from gridwarden.layout import record_layout
from gridwarden.lease import Connection, claim
from gridwarden.shard import WHOLE, Shard
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
        with pytest.raises(AssertionError, match="laid out for 2 workers, this one was started as"):
            await site.worker("0/1").start()
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


async def test_a_layout_that_contradicts_the_recorded_one_is_refused(database_url: str) -> None:
    async with await claimed(database_url, Shard(1, 2)) as held:
        await record_layout(held, Shard(1, 2))
        with pytest.raises(ShardError, match="laid out for 2 workers"):
            await record_layout(held, WHOLE)
        assert await claim(database_url, Shard(1, 2)) is None, "another has it"
    with pytest.raises(ShardError, match="start it as `gridwarden run --shard i/2`, or stop all"):
        await claim(database_url, Shard(2, 3))
    async with await claimed(database_url, Shard(0, 2)) as held:
        await record_layout(held, Shard(0, 2))


async def claimed(url: str, shard: Shard) -> Connection:
    held = await claim(url, shard)
    assert held is not None
    return held


async def test_following_the_site_ends_though_a_cancellation_got_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the connection pool may lose it (`devices.cancelling`)."""
    begun = asyncio.Event()

    async def losing(*_: object) -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(service, "follow", losing)
    site = SimpleNamespace(inventory=SimpleNamespace(communities=frozenset[str]()))
    own: Any = SimpleNamespace(
        _adopted=asyncio.Event(), _pool=None, _shard=WHOLE, _judge=SimpleNamespace(site=site)
    )
    source: Any = None
    following = asyncio.create_task(service.Service._follow(own, source))
    await begun.wait()
    following.cancel()
    done, _ = await asyncio.wait([following], timeout=30)
    assert done
    assert following.cancelled()
