"""Messages that were refused: listed, looked at, and decoded again after the cause is mended.

A payload may hold somebody's vital signs. It is shown as it is only where all
that it names was not registered; any other is shown on demand, and the look is on record before.
"""

import getpass
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from devices.cancelling import give_way
from devices.errors import RejectReason
from devices.formats.explain import Understood
from devices.instant import Micros, to_datetime, to_micros
from devices.inventory import Inventory
from gridwarden.errors import GridwardenError
from gridwarden.heard import Heard
from gridwarden.pending import SQL
from gridwarden.site_state import load_site
from ingest.decode import Limits, decode
from ingest.message import RawMessage, Ticket
from ingest.retry import Outcome, Present, Wanted, count, lock_kept, needs_memory, retry

Connection = psycopg.AsyncConnection[Any]


class NoSuchRejectedError(GridwardenError):
    """No message with this id is or was kept as rejected."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A rejected message without what it says. device: the code of who sent it, where known.

    partial: another part of it was stored · bytes: of its payload · retried_at, retried_by: when it
    was stored after all, and who asked for that.
    """

    id: int
    arrival: datetime
    community: str
    device: str | None
    topic: str
    reason: str
    partial: bool
    bytes: int
    retried_at: datetime | None
    retried_by: str | None


@dataclass(frozen=True, slots=True)
class RefusedInFull(Refused):
    """A rejected message with what it says, and what was wrong with it.

    private: it may hold values of a registered device.
    """

    payload: bytes
    detail: str
    private: bool

    def understood(self) -> Understood:
        """What this version understands of it."""
        return Heard(self.arrival, self.topic, self.payload).understood()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A message looked at. verdict: what would become of it today · open: whether it is shown."""

    message: RefusedInFull
    verdict: str
    open: bool


@dataclass(frozen=True, slots=True)
class Retrying:
    """How far a retry is. expected: messages that it will look at, at most."""

    outcome: Outcome
    expected: int


def operator() -> str:
    """Who runs this command, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


async def listed(
    url: str, wanted: Wanted, *, since: datetime | None, limit: int, retried: bool
) -> list[Refused]:
    """Rejected messages, the newest first, at most `limit`; with `retried`, mended ones too."""
    values = wanted.values() | {"since": since, "limit": limit, "retried": retried}
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Refused)) as cursor,
    ):
        await cursor.execute((SQL / "rejected_list.sql").read_bytes(), values)
        return await cursor.fetchall()


async def look(
    url: str, number: int, limits: Limits, now: Micros, *, by: str, values: bool
) -> Look:
    """One rejected message; with `values` also a private one is opened, which is then on record.

    NoSuchRejectedError if there is none with this id.
    """
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        async with conn.cursor(row_factory=class_row(RefusedInFull)) as cursor:
            await cursor.execute((SQL / "rejected_one.sql").read_bytes(), {"id": number})
            message = await cursor.fetchone()
        if message is None:
            what = f"no message {number} is kept as rejected"
            raise NoSuchRejectedError(f"{what}; see `gridwarden rejected list`")
        site = await load_site(conn)
        if values and message.private:
            await _audit(conn, now, "rejected.show", {"by": by, "id": number})
    verdict = _verdict(message, site.inventory, limits)
    return Look(message=message, verdict=verdict, open=values or not message.private)


async def retry_all(
    url: str, wanted: Wanted, limits: Limits, now: Micros, *, by: str, dry_run: bool
) -> AsyncIterator[Retrying]:
    """Decode such messages again, a transaction for each few hundred; how far it is after each.

    dry_run: every transaction is rolled back.
    """
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        present = Present((await load_site(conn)).inventory, limits, now, by)
        expected, last = await count(conn, wanted)
        await conn.rollback()
        progress = Retrying(Outcome(), expected)
        yield progress
        after: int | None = 0
        while after is not None:
            give_way()
            try:
                after, outcome = await _next(conn, wanted, present, (after, last), dry_run=dry_run)
            except psycopg.errors.DeadlockDetected:
                # with a worker or another retry: this one gave in, and nothing of it is stored
                await conn.rollback()
                continue
            progress.outcome.add(outcome)
            yield progress


async def _next(
    conn: Connection, wanted: Wanted, present: Present, span: tuple[int, int], *, dry_run: bool
) -> tuple[int | None, Outcome]:
    """One transaction over the next messages with ids after the first of `span`, up to the second.

    The newest id looked at, None if there was none left; and what became of them.
    """
    after, last = span
    kept = await lock_kept(conn, wanted, after=after, last=last)
    outcome = await retry(conn, kept, present)
    if dry_run:
        await conn.rollback()
    else:
        await _note(conn, present, outcome)
        await conn.commit()
    return kept[-1].id if kept else None, outcome


async def _note(conn: Connection, present: Present, outcome: Outcome) -> None:
    if outcome.changed:
        detail = {
            "by": present.by,
            "ids": outcome.changed,
            "stored": outcome.stored,
            "duplicate": outcome.duplicate,
            "completed": outcome.completed,
        }
        await _audit(conn, present.now, "rejected.retry", detail)


async def _audit(conn: Connection, now: Micros, action: str, detail: dict[str, Any]) -> None:
    values = {"now": to_datetime(now), "action": action, "detail": Jsonb(detail)}
    await conn.execute((SQL / "audit_rejected.sql").read_bytes(), values)


def _verdict(message: RefusedInFull, inventory: Inventory, limits: Limits) -> str:
    """What would become of it today; no values."""
    if message.retried_at is not None:
        return "stored by a retry"
    if needs_memory(message.topic):
        return "not decoded again: it is read by what was announced before it"
    raw = RawMessage(message.topic, message.payload, to_micros(message.arrival), Ticket(0, 0, 0))
    try:
        decoded = decode([raw], inventory, limits)
    except Exception as error:  # noqa: BLE001 - a message on which decoding breaks may be looked at
        return f"refused: {RejectReason.UNSTORABLE} ({type(error).__name__})"
    reasons = [refusal.reason.value for refusal in decoded.rejections]
    if not decoded.usable[0]:
        return f"refused: {', '.join(reasons) or RejectReason.NO_READING.value}"
    return f"stored in part; refused: {', '.join(reasons)}" if reasons else "stored"
