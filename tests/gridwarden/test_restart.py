"""A `for: 10m` whose process is killed at minute 7 fires at minute 10."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest

from devices import topic
from devices.instant import MINUTE, Micros, to_datetime, to_micros
from gridwarden.clock import ScaledClock
from tests import small_site
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services.server import Server
from tests.waiting import until
from tests.whole import apply_site, until_count

SPEED = 60
ORIGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)


async def at(clock: ScaledClock, moment: Micros) -> None:
    """Return when the service's clock shows `moment`."""

    async def reached() -> bool:
        return clock.now() >= moment

    await until(reached, what=f"{to_datetime(moment)} on the service's clock")


@pytest.mark.parametrize("heard_after", [True, False], ids=["readings-go-on", "nothing-more"])
async def test_a_span_goes_on_through_a_kill(
    *,
    heard_after: bool,
    database_url: str,
    own_broker: Server,
    unique: Callable[[str], str],
    tmp_path: Path,
) -> None:
    community = unique("lvyuan")
    (tmp_path / "site").mkdir()
    await apply_site(database_url, small_site.write(tmp_path / "site", community), ORIGIN)
    real = datetime.now(UTC)
    clock = ScaledClock(to_micros(ORIGIN), to_micros(real), SPEED)
    service = ServiceProcess(
        database_url=database_url,
        mqtt_url=own_broker.url,
        log_file=tmp_path / "service.log",
        clock_origin=ORIGIN.isoformat(),
        clock_real_origin=real.isoformat(),
        clock_speed=str(SPEED),
        snapshot_every_s="60",
    )
    await service.start()
    await service.until_connected()
    publisher = await asyncio.to_thread(Publisher, own_broker.url, unique("wearable"))
    begin = clock.now() + MINUTE // 2
    try:
        for minute in range(20):
            if minute > 7 and not heard_after:
                break
            await at(clock, begin + minute * MINUTE)
            if minute == 7:
                await service.kill()
            ts = to_datetime(begin + minute * MINUTE).isoformat()
            message = orjson.dumps({"ts": ts, "values": {"spo2": 88}})
            publisher.publish(topic.up(community, "wearable-1"), message)
            if minute == 7:
                await service.start()
        await until_count(database_url, "SELECT count(*) FROM alerts", 1)
    finally:
        await asyncio.to_thread(publisher.close)
        await service.close()
    with psycopg.connect(database_url) as conn:
        alerts = conn.execute("SELECT since, fired_at, opened_at FROM alerts").fetchall()
    assert len(alerts) == 1
    since, fired_at, opened_at = alerts[0]
    assert since == to_datetime(begin)
    assert fired_at == to_datetime(begin + 10 * MINUTE)
    assert timedelta(0) <= opened_at - fired_at < timedelta(minutes=10)
