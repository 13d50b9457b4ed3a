"""Devices told what became of their call, in the caller's transaction; see `downlink` for what."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from alerts.downlink import Caller, downlinks
from alerts.model import AlertState
from alerts.query import query
from devices import metric
from devices.calling import CALLS
from devices.instant import Micros, to_micros

Connection: TypeAlias = AsyncConnection[Any]

_NAMES = {known.id: name for name, known in metric.BY_NAME.items()}
_CALLS = [metric.BY_NAME[name].id for name in CALLS]


async def answer(conn: Connection, states: Mapping[int, AlertState], now: Micros) -> None:
    """Queue what the devices of these alerts, locked by the caller, are told of their new states.

    states: by the alert's id · now: the service's time, µs since epoch, UTC.
    """
    if not states:
        return
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("callers"), {"alerts": list(states), "calls": _CALLS})
        callers = [_caller(row) for row in await cursor.fetchall()]
        rows = downlinks(callers, states, now)
        if rows:
            await cursor.executemany(query("queue_downlink"), rows)
            await cursor.execute(query("wake_outbox"))


def _caller(row: Mapping[str, Any]) -> Caller:
    last = row["last_at"]
    return Caller(
        alert=row["alert_id"],
        device=row["device_id"],
        reports=row["reports"],
        about=[_NAMES[number] for number in row["about"] if number in _NAMES],
        cause=row["cause"] or "",
        last_at=None if last is None else to_micros(last),
    )
