"""Service, database and broker are killed with -9 in turn while 20 000 readings flow in.

Whatever the broker acknowledged to the publisher must then be stored, once; the ledger must
balance; each alert must exist once.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest

from devices import topic
from tests import small_site
from tests.conftest import OwnPostgres
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services.server import Server
from tests.whole import apply_site, until_count

MESSAGES = 20_000
ROUNDS = MESSAGES // small_site.WEARABLES
STEP = timedelta(seconds=20)
SPELL = 200
"""Every so many rounds SpO2 is low for 50 rounds (16 min 40 s): one alert and its clearing."""

FOLLOWED = 20
"""Rounds that the broker is given at once while it may be killed: few enough for what it passes on
to fit the collector's socket. What a broker alone holds dies with it (docs/guarantees.md)."""

STORED = "SELECT count(*) FROM readings"
LEDGER = "SELECT sum(received), sum(stored), sum(duplicate), sum(rejected) FROM ledger"


def payload(start: datetime, step: int) -> bytes:
    low = step % SPELL >= SPELL - 50
    at = (start + step * STEP).isoformat()
    return orjson.dumps({"ts": at, "values": {"spo2": 88 if low else 97}})


def send(publisher: Publisher, community: str, start: datetime, rounds: range) -> None:
    for step in rounds:
        message = payload(start, step)
        for number in range(1, small_site.WEARABLES + 1):
            publisher.publish(topic.up(community, f"wearable-{number}"), message)


def restart(server: Server) -> None:
    server.kill()
    server.start()


@pytest.mark.timeout(180)
async def test_every_reading_once_every_alert_once_whatever_is_killed(
    own_postgres: OwnPostgres, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> None:
    community = unique("lvyuan")
    (tmp_path / "site").mkdir()
    await apply_site(
        own_postgres.url, small_site.write(tmp_path / "site", community), datetime.now(UTC)
    )
    service = ServiceProcess(
        database_url=own_postgres.url,
        mqtt_url=own_broker.url,
        log_file=tmp_path / "service.log",
        mqtt_client_id=unique("gridwarden"),
    )
    await service.start()
    await service.until_connected()
    publisher = await asyncio.to_thread(Publisher, own_broker.url, unique("devices"))
    start = datetime.now(UTC) - ROUNDS * STEP
    try:
        quarter = ROUNDS // 4
        await asyncio.to_thread(send, publisher, community, start, range(quarter))
        await service.kill()
        second = asyncio.to_thread(send, publisher, community, start, range(quarter, 2 * quarter))
        await asyncio.gather(second, service.start())
        third = asyncio.to_thread(
            send, publisher, community, start, range(2 * quarter, 3 * quarter)
        )
        own_postgres.kill()
        await asyncio.gather(third, asyncio.to_thread(own_postgres.start))
        await until_count(own_postgres.url, STORED, 3 * quarter * small_site.WEARABLES)
        for first in range(3 * quarter, ROUNDS, FOLLOWED):
            some = range(first, min(first + FOLLOWED, ROUNDS))
            flowing = asyncio.to_thread(send, publisher, community, start, some)
            if first == 3 * quarter + FOLLOWED:
                await asyncio.gather(flowing, asyncio.to_thread(restart, own_broker))
            else:
                await flowing
            await until_count(own_postgres.url, STORED, some.stop * small_site.WEARABLES)
        await asyncio.to_thread(publisher.wait_for, MESSAGES)
        await until_count(own_postgres.url, STORED, MESSAGES)
        spells = ROUNDS // SPELL
        await until_count(
            own_postgres.url,
            "SELECT count(*) FROM alerts WHERE state = 'cleared' OR cleared_at IS NOT NULL",
            # the last spell has no reading after it that could clear it
            (spells - 1) * small_site.WEARABLES,
        )
        await service.stop()
    finally:
        await asyncio.to_thread(publisher.close)
        await service.close()
    examine(own_postgres.url, alerts=spells * small_site.WEARABLES)


def examine(url: str, *, alerts: int) -> None:
    with psycopg.connect(url) as conn:
        (distinct,) = conn.execute(
            "SELECT count(DISTINCT (device_id, metric_id, time)) FROM readings"
        ).fetchone() or (0,)
        received, stored, duplicate, rejected = conn.execute(LEDGER).fetchone() or (0, 0, 0, 0)
        raised = conn.execute(
            "SELECT count(*), count(DISTINCT (rule_code, subject_id, since)) FROM alerts"
        ).fetchone()
        told = conn.execute(
            "SELECT count(*), count(DISTINCT (alert_id, member_id, channel)) FROM notifications"
            " WHERE occasion LIKE 'fired%' OR occasion LIKE 'open%'"
        ).fetchone()
    print(f"received {received} stored {stored} duplicate {duplicate} rejected {rejected}")
    assert (distinct, stored, rejected) == (MESSAGES, MESSAGES, 0)
    assert received == stored + duplicate
    assert raised == (alerts, alerts)
    assert told == (2 * alerts, 2 * alerts)


UNDATED = 4_000


@pytest.mark.timeout(180)
async def test_readings_without_a_time_are_stored_once_through_kills_of_the_service(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> None:
    community = unique("lvyuan")
    (tmp_path / "site").mkdir()
    await apply_site(
        database_url, small_site.write(tmp_path / "site", community), datetime.now(UTC)
    )
    service = ServiceProcess(
        database_url=database_url,
        mqtt_url=own_broker.url,
        log_file=tmp_path / "service.log",
        mqtt_client_id=unique("gridwarden"),
    )
    await service.start()
    await service.until_connected()
    publisher = await asyncio.to_thread(Publisher, own_broker.url, unique("devices"))

    def send_some() -> None:
        for number in range(UNDATED // 4):
            device = f"wearable-{number % small_site.WEARABLES + 1}"
            publisher.publish(topic.up(community, device), b'{"values": {"pulse": 70}}')

    try:
        for _round in range(3):
            await asyncio.to_thread(send_some)
            await service.kill()
            await service.start()
        await asyncio.to_thread(send_some)
        await asyncio.to_thread(publisher.wait_for, UNDATED)
        await until_count(database_url, STORED, UNDATED)
        await service.stop()
    finally:
        await asyncio.to_thread(publisher.close)
        await service.close()
    with psycopg.connect(database_url) as conn:
        stored = conn.execute(STORED).fetchone()
        ledger = conn.execute(LEDGER).fetchone() or (0, 0, 0, 0)
    print(f"received {ledger[0]} stored {ledger[1]} duplicate {ledger[2]} rejected {ledger[3]}")
    assert stored == (UNDATED,)
    assert (ledger[1], ledger[3]) == (UNDATED, 0)
