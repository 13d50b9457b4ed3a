"""The database fails over to a synchronous standby; the URL names both hosts."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices import topic
from devices.connection import PunctualConnection
from gridwarden.migrate import migrate
from ingest.fate import Counts
from tests import small_site
from tests.gridwarden.conftest import LOW_AT_ONCE
from tests.ingest.test_run import Pool, number, publish, readings, running
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services.databases import url_of
from tests.services.server import Provider, Server
from tests.waiting import until
from tests.whole import apply_site, until_count

STORED = "SELECT count(*) FROM readings"
IN_SYNC = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
WRITING = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL"
STUCK = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
OURS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = 'gridwarden' AND pid <> pg_backend_pid()
    AND wait_event IS DISTINCT FROM 'SyncRep'"""
"""Not those that wait at their end, without us, for a standby that has left."""

REPORTED = "SELECT count(*) FROM collectors WHERE reported_at > now() - interval '2 s'"
LEASES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
LOW = b'{"values": {"spo2": 85}}'


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its synchronous standby; `url` leads to whichever may be written."""

    primary: Server
    standby: Server

    @property
    def url(self) -> str:
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://gridwarden@{hosts}/gridwarden?target_session_attrs=read-write"

    def promote(self) -> None:
        """The standby is the primary from now on."""
        with psycopg.connect(self.standby.url, autocommit=True) as conn:
            conn.execute("SELECT pg_promote()")


@pytest.fixture
def pair(services: Callable[[], Provider]) -> Iterator[Pair]:
    """Two servers, the database migrated on both."""
    primary = services().postgres(durable=True)
    with psycopg.connect(primary.url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE gridwarden")
    migrate(url_of(primary.url, "gridwarden"))
    standby = services().standby(primary)
    yield Pair(primary, standby)
    standby.remove()
    primary.remove()


async def reaches(url: str, query: str, count: int) -> None:
    """Return once `query` counts so many."""

    async def reached() -> bool:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await (await conn.execute(query.encode())).fetchone() == (count,)

    await until(reached, what=f"{count} of {query}")


@dataclass(slots=True, kw_only=True)
class Failing:
    """The service on a pair of databases, and twenty wearables."""

    pair: Pair
    service: ServiceProcess
    publisher: Publisher
    community: str
    folder: Path

    def say_low(self, numbers: range) -> None:
        """Each of these wearables reports a low SpO2 once: each is an alert."""
        for n in numbers:
            self.publisher.publish(topic.up(self.community, f"wearable-{n}"), LOW)

    async def all_is_well_on_the_standby(self, alerts: int) -> None:
        """Every part of the service works on the server that was the standby."""
        new = url_of(self.pair.standby.url, "gridwarden")
        await reaches(new, LEASES, 1)
        rules = (self.folder / "rules" / "care.yaml").read_text()
        (self.folder / "rules" / "care.yaml").write_text(
            rules.replace("severity: red", "severity: orange")
        )
        adopted = self.service.log_text().count("site.adopted")
        await apply_site(self.pair.url, self.folder, datetime.now(UTC))
        await self.service.logged("site.adopted", adopted + 1)
        await until_count(
            new, "SELECT count(*) FROM notifications WHERE state = 'delivered'", alerts
        )
        inbox = re.findall(r"inbox='(http://[^']+)'", self.service.log_text())[-1]

        async def listening() -> bool:
            async with httpx.AsyncClient(base_url=inbox) as client:
                return bool((await client.get("/healthz")).json()["listening"])

        await until(listening, what="the inbox listens")
        await until_count(new, REPORTED, 1)


@pytest.fixture
async def failing(
    pair: Pair, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Failing]:
    """The service, running on the primary."""
    community = unique("lvyuan")
    folder = tmp_path / "site"
    folder.mkdir()
    small_site.write(folder, community, rules=LOW_AT_ONCE)
    await apply_site(pair.url, folder, datetime.now(UTC))
    service = ServiceProcess(
        database_url=pair.url, mqtt_url=own_broker.url, log_file=tmp_path / "service.log"
    )
    await service.start()
    await service.until_connected()
    publisher = await asyncio.to_thread(Publisher, own_broker.url, unique("devices"))
    yield Failing(
        pair=pair, service=service, publisher=publisher, community=community, folder=folder
    )
    await asyncio.to_thread(publisher.close)
    await service.close()


def outcome(url: str) -> tuple[Any, ...]:
    """Readings, messages stored, rejected and not accounted for, alerts, alerts told apart."""
    with psycopg.connect(url) as conn:
        row = conn.execute(
            """SELECT (SELECT count(*) FROM readings), sum(stored), sum(rejected),
                   sum(received - stored - duplicate - rejected),
                   (SELECT count(*) FROM alerts),
                   (SELECT count(DISTINCT (rule_code, subject_id, since)) FROM alerts)
               FROM ledger"""
        ).fetchone()
    assert row is not None
    return row


async def test_a_primary_that_dies_in_the_middle_of_a_batch_is_followed(failing: Failing) -> None:
    pair = failing.pair
    old, new = (url_of(server.url, "gridwarden") for server in (pair.primary, pair.standby))
    failing.say_low(range(1, 11))
    await until_count(old, "SELECT count(*) FROM alerts", 10)
    admin = await psycopg.AsyncConnection.connect(old)
    await admin.execute("LOCK TABLE readings IN SHARE MODE")
    failing.say_low(range(11, 21))
    await reaches(old, STUCK, 1)
    await asyncio.to_thread(pair.primary.kill)
    await admin.close()
    await asyncio.to_thread(pair.promote)
    await until_count(new, "SELECT count(*) FROM alerts", 20)
    await failing.all_is_well_on_the_standby(alerts=20)
    await failing.service.stop()
    assert outcome(new) == (20, 20, 0, 0, 20, 20)


async def test_a_primary_that_only_lets_read_is_left_by_every_connection(failing: Failing) -> None:
    """It was fenced, and answers as before: nothing tells the service but that it cannot write."""
    pair = failing.pair
    old, new = (url_of(server.url, "gridwarden") for server in (pair.primary, pair.standby))
    failing.say_low(range(1, 11))
    await until_count(old, "SELECT count(*) FROM alerts", 10)
    async with await psycopg.AsyncConnection.connect(old, autocommit=True) as admin:
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
    await reaches(old, WRITING, 0)
    failing.say_low(range(11, 21))
    await asyncio.to_thread(pair.promote)
    await until_count(new, "SELECT count(*) FROM alerts", 20)
    await failing.all_is_well_on_the_standby(alerts=20)
    await reaches(old, OURS, 0)
    await failing.service.stop()
    assert outcome(new) == (20, 20, 0, 0, 20, 20)


class Impatient(PunctualConnection):
    """Waits for an answer as long as a test can."""

    patience_s = 0.3


async def test_what_the_standby_does_not_have_is_not_acknowledged(
    pair: Pair, own_broker: Server
) -> None:
    """The primary has it, and says nothing: a failover now would lose it."""
    pool = AsyncConnectionPool(
        pair.url,
        connection_class=Impatient,
        configure=Impatient.limit,
        check=Impatient.check,
        min_size=1,
        max_size=3,
        open=False,
    )
    async with pool, running(own_broker, cast("Pool", pool)) as run:
        await publish(own_broker, readings(20))
        await run.until_stored(20)
        await reaches(pair.primary.url, IN_SYNC, 1)
        await asyncio.to_thread(pair.standby.kill)
        await publish(own_broker, readings(20, first=20))
        await run.until_failed(4)
        assert run.source.acknowledged == 20
        await asyncio.to_thread(pair.standby.start)
        await run.until_stored(40)
        assert run.counts == Counts(messages=40, stored=40, duplicate=0, rejected=0)
        assert await number(cast("Pool", pool), STORED) == 80
