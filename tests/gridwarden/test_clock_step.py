"""The host's clock is set back or ahead by an hour while messages without a time flow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import psycopg
import pytest

from devices import topic
from devices.instant import HOUR, MINUTE, to_datetime
from gridwarden.clock import ForwardClock
from tests import small_site
from tests.clock import ManualClock, Steppable
from tests.gridwarden.conftest import LOW_AT_ONCE
from tests.gridwarden.test_storm import Pool, Town, working
from tests.publisher import Publisher
from tests.services.server import Server
from tests.small_site import WEARABLES
from tests.whole import apply_site, until_count

SILENT = """\
- {{id: silent.{0}, category: care, watch: {{metric: spo2}}, absent: {0}m, severity: yellow,
   title: {{zh: 失联, en: Silent}}}}
"""
RULES = LOW_AT_ONCE + SILENT.format(20) + SILENT.format(30)


@dataclass(slots=True, kw_only=True)
class Stepped:
    """A town whose host's clock can be set; the service's is `town.clock`."""

    town: Town
    host: Steppable
    said: int = 0

    async def say(self, spo2: int) -> None:
        """Each wearable says so, without a time; return when it is stored."""
        for n in range(1, WEARABLES + 1):
            body = orjson.dumps({"values": {"spo2": spo2}})
            self.town.publisher.publish(topic.up(self.town.community, f"wearable-{n}"), body)
        self.said += WEARABLES
        await until_count(self.town.url, "SELECT count(*) FROM readings", self.said)

    async def all_of(self, rule: str, state: str = "open") -> None:
        """Return when this rule has an alert in this state for each wearable."""
        await self.town.until(rule, WEARABLES, state=state)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        async with await psycopg.AsyncConnection.connect(self.town.url) as conn:
            return await (await conn.execute(query.encode())).fetchall()

    async def alerts(self) -> dict[str, int]:
        """How many alerts there are of each rule."""
        return dict(await self.rows("SELECT rule_code, count(*) FROM alerts GROUP BY 1"))

    async def books_are_right(self) -> None:
        """All is stored once, and `heard_until` never went back."""
        assert await self.rows("SELECT sum(received), sum(stored), sum(duplicate) FROM ledger") == [
            (self.said, self.said, 0)
        ]
        heard = [h for (h,) in await self.rows("SELECT heard_until FROM batches ORDER BY seq")]
        assert heard == sorted(heard)
        spans = await self.rows(
            "SELECT min(arrival), max(arrival) FROM readings GROUP BY seq ORDER BY seq"
        )
        arrivals = [arrival for span in spans for arrival in span]
        assert arrivals == sorted(arrivals)


@pytest.fixture
async def stepped(
    own_broker: Server, database_url: str, pool: Pool, tmp_path: Path
) -> AsyncIterator[Stepped]:
    """Twenty wearables, which have just said that all is well."""
    host, community = Steppable(), "lvyuan"
    folder = small_site.write(tmp_path, community, rules=RULES)
    await apply_site(database_url, folder, to_datetime(host.now()))
    publisher = await asyncio.to_thread(Publisher, own_broker.url, "devices")
    clock = cast("ManualClock", ForwardClock(host))  # which the host's alone moves
    town = Town(community, database_url, own_broker, clock, publisher)
    stepped = Stepped(town=town, host=host)
    async with working(town, pool):
        await stepped.say(97)
        yield stepped
    await asyncio.to_thread(publisher.close)
    await stepped.books_are_right()


async def test_an_hour_back_alerts_still_come_and_timers_fire_once_and_not_early(
    stepped: Stepped,
) -> None:
    stepped.host.advance(MINUTE)
    stepped.host.step(-HOUR)
    await stepped.say(85)
    await stepped.all_of("care.spo2_low")
    # At half the pace: 25 minutes.
    stepped.host.advance(50 * MINUTE)
    await stepped.all_of("silent.20")
    assert await stepped.alerts() == {"care.spo2_low": WEARABLES, "silent.20": WEARABLES}
    stepped.host.advance(20 * MINUTE)
    await stepped.all_of("silent.30")
    await stepped.say(97)
    for rule in ("care.spo2_low", "silent.20", "silent.30"):
        await stepped.all_of(rule, "cleared")
    assert set((await stepped.alerts()).values()) == {WEARABLES}


async def test_an_hour_ahead_counts_as_passed_and_each_timer_fires_once(stepped: Stepped) -> None:
    stepped.host.step(HOUR)
    await stepped.all_of("silent.20")
    await stepped.all_of("silent.30")
    await stepped.say(97)
    await stepped.all_of("silent.30", "cleared")
    stepped.host.step(-HOUR)
    await stepped.say(85)
    await stepped.all_of("care.spo2_low")
    assert await stepped.alerts() == dict.fromkeys(
        ("care.spo2_low", "silent.20", "silent.30"), WEARABLES
    )
