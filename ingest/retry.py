"""Rejected messages decoded again by the present site and version; stored where now understood.

Each keeps its first arrival. A message that was refused as a whole moves in the ledger from
rejected to stored or duplicate, and to its device where that was not known before; what came in
does not change, so received = stored + duplicate + rejected stays true. Everything runs in the
caller's transaction with the mark that it is done, and the rows are locked: a crash in the middle,
or two people at once, store nothing twice.

The rows belong to no batch of a shard, so that no judge reads them: what they tell is past, and no
alert is raised, told again or cleared by it. Formats with a memory are left as they are: their
messages are read by what was announced before them, which has changed since.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow, tuple_row

from devices import formats
from devices.errors import FormatError, RejectReason
from devices.instant import Micros, to_datetime, to_micros
from devices.inventory import Inventory
from devices.topic import parse
from ingest.binary_copy import INT4, INT8, TIMESTAMP, Column, to_timestamp
from ingest.decode import Limits, decode
from ingest.decoded import Decoded, Rejection
from ingest.errors import UndecodableError
from ingest.fate import Fates, fates
from ingest.message import RawMessage, Ticket
from ingest.store import SQL, add_to_ledger, stage, storable_text, store_rows

Cursor = AsyncCursor[TupleRow]

BATCH = 500
"""Messages of one transaction."""

_NO_TICKET = Ticket(0, 0, 0)
_POISON = (
    psycopg.DataError,
    psycopg.errors.OutOfMemory,
    ValueError,
    ArithmeticError,
    UndecodableError,
)
"""What one message can cause by what it says, by its many days too."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A rejected message as it was kept. device: id as the ledger counts it, 0: none was told.

    partial: another part of it was stored.
    """

    id: int
    message: RawMessage
    device: int
    partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rejected messages; None: all."""

    ids: tuple[int, ...] | None = None
    reason: RejectReason | None = None
    community: str | None = None

    def values(self) -> dict[str, Any]:
        """As the statements name them."""
        return {
            "ids": None if self.ids is None else list(self.ids),
            "reason": self.reason,
            "community": self.community,
        }


@dataclass(slots=True)
class Outcome:
    """What became of messages that were decoded again.

    stored, duplicate: moved there from rejected · completed: the missing part of a message that was
    stored in part · in_part: of all of these, those that are still refused in part · refused: still
    refused as they were, by present reason · with_memory: not decoded again · changed: ids of those
    of which something was stored or moved · done: of these, ids that are kept as rejected no more.
    """

    stored: int = 0
    duplicate: int = 0
    completed: int = 0
    in_part: int = 0
    with_memory: int = 0
    refused: Counter[RejectReason] = field(default_factory=Counter)
    done: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """How many were looked at."""
        moved = self.stored + self.duplicate + self.completed
        return moved + self.with_memory + self.refused.total()

    def add(self, other: "Outcome") -> None:
        """Count another part in."""
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.completed += other.completed
        self.in_part += other.in_part
        self.with_memory += other.with_memory
        self.refused.update(other.refused)
        self.done += other.done
        self.changed += other.changed


@dataclass(frozen=True, slots=True)
class Present:
    """What messages are decoded with. now: µs since the Unix epoch, UTC · by: who asks for it."""

    inventory: Inventory
    limits: Limits
    now: Micros
    by: str


async def count(conn: AsyncConnection[Any], wanted: Wanted) -> tuple[int, int]:
    """How many such messages are kept as rejected, and the newest id among them."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL["count_kept_rejected"], wanted.values())
        (row,) = await cursor.fetchall()
    return int(row[0]), int(row[1])


async def lock_kept(
    conn: AsyncConnection[Any], wanted: Wanted, *, after: int, last: int, limit: int = BATCH
) -> list[Kept]:
    """The next such messages after id `after` and up to `last`, locked until the transaction ends.

    What another transaction has locked is passed over.
    """
    span = {"after": after, "last": last, "limit": limit}
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL["kept_rejected"], wanted.values() | span)
        rows = await cursor.fetchall()
    return [
        Kept(number, RawMessage(topic, payload, to_micros(arrival), _NO_TICKET), device, partial)
        for number, arrival, topic, payload, device, partial in rows
    ]


async def retry(conn: AsyncConnection[Any], kept: Sequence[Kept], present: Present) -> Outcome:
    """Decode these again, store what is understood now, mark it; in the caller's transaction.

    What the database refuses is found by halving, and stays as it is.
    """
    plain = [one for one in kept if not needs_memory(one.message.topic)]
    outcome = Outcome(with_memory=len(kept) - len(plain))
    parts = [plain] if plain else []
    while parts:
        part = parts.pop()
        try:
            async with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
                outcome.add(await _retry(cursor, part, present))
        except _POISON:
            if len(part) > 1:
                middle = len(part) // 2
                parts += (part[middle:], part[:middle])
            else:
                outcome.refused[RejectReason.UNSTORABLE] += 1
    return outcome


def needs_memory(topic: str) -> bool:
    """True for a topic whose messages are read by what was announced before them."""
    try:
        return parse(topic).format in formats.WITH_MEMORY
    except FormatError:
        return False


async def _retry(cursor: Cursor, kept: Sequence[Kept], present: Present) -> Outcome:
    decoded = _decoded(kept, present)
    await stage(cursor)
    await cursor.execute("SELECT nextval('batch_seq')")
    ((seq,),) = await cursor.fetchall()
    fate = fates(decoded, await store_rows(cursor, decoded, seq))
    moved = [i for i in np.flatnonzero(decoded.usable).tolist() if not kept[i].partial]
    if moved:
        await add_to_ledger(cursor, _moves(kept, decoded, fate, moved))
    refusals = {refusal.message: refusal for refusal in decoded.rejections}
    await _mark(cursor, kept, decoded, refusals, present)
    return _outcome(kept, decoded, fate, refusals)


def _decoded(kept: Sequence[Kept], present: Present) -> Decoded:
    try:
        return decode([one.message for one in kept], present.inventory, present.limits)
    except Exception as error:
        raise UndecodableError(f"decoding broke: {type(error).__name__}: {error}") from error


def _moves(
    kept: Sequence[Kept], decoded: Decoded, fate: Fates, moved: Iterable[int]
) -> list[tuple[str, Column]]:
    """What the ledger of each device gains and loses; see `fate.ledger_columns`."""
    rows: dict[int, list[int]] = {}
    for index in moved:
        arrival = kept[index].message.arrival
        for device, gain in ((kept[index].device, -1), (int(decoded.device[index]), 1)):
            row = rows.setdefault(device, [0, 0, 0, 0, arrival])
            row[0] += gain
            row[1] += gain > 0 and bool(fate.stored[index])
            row[2] += gain > 0 and bool(fate.duplicate[index])
            row[3] -= gain < 0
            row[4] = max(row[4], arrival)
    table = np.array([rows[device] for device in sorted(rows)], np.int64)
    return [
        (INT4, np.array(sorted(rows), np.int32)),
        *((INT8, table[:, column]) for column in range(4)),
        (TIMESTAMP, to_timestamp(table[:, 4])),
    ]


async def _mark(
    cursor: Cursor,
    kept: Sequence[Kept],
    decoded: Decoded,
    refusals: dict[int, Rejection],
    present: Present,
) -> None:
    usable = np.flatnonzero(decoded.usable).tolist()
    done = [index for index in usable if index not in refusals]
    values = {
        "now": to_datetime(present.now),
        "by": present.by,
        "ids": [kept[index].id for index in done],
        "devices": [int(decoded.device[index]) for index in done],
    }
    await cursor.execute(SQL["mark_retried"], values)
    partial = [
        _rest(kept[i].id, int(decoded.device[i]), refusals[i]) for i in usable if i in refusals
    ]
    if partial:
        await cursor.executemany(SQL["mark_partial"], partial)


def _rest(number: int, device: int, refusal: Rejection) -> dict[str, object]:
    return {
        "id": number,
        "device": device,
        "reason": refusal.reason.value,
        "detail": storable_text(refusal.detail),
        "community": refusal.community,
        "unknown": [storable_text(address) for address in refusal.unknown] or None,
    }


def _outcome(
    kept: Sequence[Kept], decoded: Decoded, fate: Fates, refusals: dict[int, Rejection]
) -> Outcome:
    outcome = Outcome()
    for index, one in enumerate(kept):
        if not decoded.usable[index]:
            reason = refusals[index].reason if index in refusals else RejectReason.NO_READING
            outcome.refused[reason] += 1
            continue
        if one.partial and index in refusals and not fate.stored[index]:
            outcome.refused[refusals[index].reason] += 1  # nothing new was understood of it
            continue
        outcome.completed += one.partial
        outcome.stored += not one.partial and bool(fate.stored[index])
        outcome.duplicate += not one.partial and bool(fate.duplicate[index])
        outcome.in_part += index in refusals
        outcome.changed.append(one.id)
        if index not in refusals:
            outcome.done.append(one.id)
    return outcome
