"""Reads what the pages show. SQL lies in sql/, rows are values of `rows`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files

from psycopg import AsyncConnection
from psycopg.rows import class_row

from alerts.errors import NoSuchAlertError
from alerts.model import DUTY_OFFICER
from alerts.web.rows import AlertRow, DeviceRow, HistoryRow, MemberRow, ReadingRow, ToldRow

VIEWED, LISTED = "alert.viewed", "alert.listed"
"""What the audit log says of looks at care: at the alert's page, and at its line in the inbox."""
ONE_LOOK = timedelta(hours=1)
"""A page that redraws itself so long is one look."""

RECENT = timedelta(hours=24)
LONGEST_OPEN = timedelta(days=7)
MOST_READINGS = 1_000


@cache
def sql(name: str) -> bytes:
    """The text of sql/NAME.sql."""
    return files("alerts.web").joinpath("sql", f"{name}.sql").read_bytes()


async def find_member(
    conn: AsyncConnection, *, member: int | None = None, code: str | None = None
) -> MemberRow | None:
    """The member with this id, or this code, if in service."""
    async with conn.cursor(row_factory=class_row(MemberRow)) as cursor:
        await cursor.execute(sql("member"), {"member": member, "code": code})
        return await cursor.fetchone()


async def visible_alerts(conn: AsyncConnection, member: int, now: datetime) -> list[AlertRow]:
    """Standing and lately ended alerts that this member may see; of more, the 500 that matter most.

    What stands comes before what ended, theirs and nobody's before others', unanswered and grave
    ones first.
    """
    return await _alerts(conn, member, now, None)


async def visible_alert(conn: AsyncConnection, alert: int, member: int, now: datetime) -> AlertRow:
    """One alert; NoSuchAlertError where there is none or the member has no right to it."""
    rows = await _alerts(conn, member, now, alert)
    if not rows:
        raise NoSuchAlertError(f"member {member} has no alert {alert} to see")
    return rows[0]


async def _alerts(
    conn: AsyncConnection, member: int, now: datetime, alert: int | None
) -> list[AlertRow]:
    bound = {
        "member": member,
        "now": now,
        "alert": alert,
        "officer": DUTY_OFFICER,
        "ended_after": now - RECENT,
        "opened_after": now - LONGEST_OPEN,
    }
    async with conn.cursor(row_factory=class_row(AlertRow)) as cursor:
        await cursor.execute(sql("inbox"), bound)
        return await cursor.fetchall()


async def note_once(
    conn: AsyncConnection, member: int, alerts: Sequence[int], action: str, now: datetime
) -> None:
    """Writes into the audit log that a member looked at these, where it is not a look going on."""
    bound = {"member": member, "alerts": list(alerts), "action": action, "now": now}
    await conn.execute(sql("note_once"), {**bound, "since": now - ONE_LOOK})


async def told(conn: AsyncConnection, alert: int) -> list[ToldRow]:
    """Who must act on an alert or was told of it, by member."""
    async with conn.cursor(row_factory=class_row(ToldRow)) as cursor:
        await cursor.execute(sql("told"), {"alert": alert})
        return await cursor.fetchall()


async def history(conn: AsyncConnection, alert: int) -> list[HistoryRow]:
    """Everything that happened to an alert, in order."""
    async with conn.cursor(row_factory=class_row(HistoryRow)) as cursor:
        await cursor.execute(sql("history"), {"alert": alert})
        return await cursor.fetchall()


async def rule_text(conn: AsyncConnection, alert: AlertRow) -> str:
    """The rule that raised an alert as it was written, empty if it is not kept."""
    found = await conn.execute(
        sql("rule"), {"code": alert.rule_code, "mark": alert.rule_fingerprint}
    )
    row = await found.fetchone()
    return str(row[0]) if row else ""


async def readings(
    conn: AsyncConnection, alert: AlertRow, start: datetime, end: datetime
) -> list[ReadingRow]:
    """The newest 1 000 readings of the alert's devices and metrics in this time, oldest first."""
    bound = {
        "devices": list(alert.devices),
        "metrics": list(alert.metrics),
        "start": start,
        "end": end,
        "limit": MOST_READINGS,
    }
    async with conn.cursor(row_factory=class_row(ReadingRow)) as cursor:
        await cursor.execute(sql("readings"), bound)
        return await cursor.fetchall()


async def devices_of(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, DeviceRow]:
    """Devices by id."""
    async with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        await cursor.execute(
            "SELECT id, code, name, interval_us FROM devices WHERE id = ANY (%s)", (list(ids),)
        )
        return {row.id: row for row in await cursor.fetchall()}
