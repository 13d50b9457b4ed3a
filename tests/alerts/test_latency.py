"""From a reading's arrival to the delivery of its alert, in real seconds."""

from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts.channels.base import Delivered, Notification, Result
from alerts.latency import Latency, measure
from alerts.outbox import Lane, Limits
from alerts.queues import NOTIFICATIONS
from devices.instant import SECOND, to_datetime
from devices.metric import BY_NAME
from tests.alerts.conftest import Estate
from tests.alerts.estate import BUTTON, NOW, SMOKE, blocked, press, transition
from tests.clock import ManualClock

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]


class Yes:
    """Takes everything."""

    async def send(self, notification: Notification) -> Result:
        return Delivered(str(notification.id))

    async def close(self) -> None:
        return None


async def test_only_what_a_reading_fired_is_measured(estate: Estate, pool: Pool) -> None:
    arrival = to_datetime(NOW + SECOND)
    await estate.conn.execute(
        "INSERT INTO readings (time, device_id, metric_id, value, arrival, seq)"
        " VALUES (%s, %s, %s, 1, %s, 1)",
        [to_datetime(NOW), SMOKE, BY_NAME["smoke"].id, arrival],
    )
    await estate.conn.execute(
        "INSERT INTO events (time, device_id, metric_id, value, attributes, digest, arrival, seq)"
        " VALUES (%s, %s, %s, 1, '{}', 0, %s, 1)",
        [to_datetime(NOW), BUTTON, BY_NAME["sos"].id, arrival],
    )
    await estate.apply(transition(), press(), blocked())
    clock = ManualClock(NOW + 3 * SECOND)
    sending = Lane(
        name="web",
        queue=NOTIFICATIONS,
        channel=Yes(),
        pool=pool,
        clock=clock,
        limits=Limits(),
        jitter=lambda: 0.0,
    )
    assert await measure(estate.conn, "web", after=NOW) == Latency(0, None, None)
    await sending.drain()
    assert await measure(estate.conn, "web", after=NOW) == Latency(2, 2.0, 2.0)
    assert await measure(estate.conn, "web", after=NOW, speed=4.0) == Latency(2, 0.5, 0.5)
    assert await measure(estate.conn, "web", after=clock.now() + 1) == Latency(0, None, None)
