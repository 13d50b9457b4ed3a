"""Batches into the database, and back out of it after a restart.

Everything here runs in the caller's transaction, so that a batch is there as a whole or not at all.
Readings that are newer than the latest of their device and metric go by binary COPY to where they
belong; all others, and everything else, by staging tables of the connection. What is there already
is left alone, and counted as duplicate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson
from psycopg import AsyncConnection, AsyncCursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow, tuple_row

from devices.instant import Micros, to_datetime, to_micros
from devices.reading import I64, Batch, Bool, concatenate
from devices.token import NAMING, NO_ISSUE, NOBODY, issue_of, token_of
from ingest.announced import keep_announced
from ingest.binary_copy import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TIMESTAMP,
    Column,
    decode,
    encode,
    encode_with_json,
    from_timestamp,
    to_timestamp,
)
from ingest.columns import in_order
from ingest.conducted import keep_conduct, known_before
from ingest.decoded import Decoded
from ingest.fate import Counts, Written, fates, ledger_columns
from ingest.latest import latest
from ingest.receipts import REMEMBERED, Earlier, fingerprint

SQL = {file.stem: file.read_bytes() for file in (Path(__file__).parent / "sql").glob("*.sql")}
_CLAIMS = 0x67726964
"""First half of the advisory lock of a shard; the shard is the second."""

Connection = AsyncConnection[Any]
Cursor = AsyncCursor[TupleRow]
_EventKey: TypeAlias = tuple[int, int, Micros, int]
"""What tells events apart: device, metric, time in µs since the Unix epoch, digest."""


@dataclass(frozen=True, slots=True, eq=False)
class CommittedBatch:
    """A batch as committed by a shard. It follows the shard's batch `prev_seq` (0: none).

    heard_until: up to then all that the broker accepted had been heard, µs since the Unix epoch,
    UTC · readings: the rows that were new, readings and events alike, in the order of receipt, with
    the tokens of whom they name.
    """

    seq: int
    prev_seq: int
    heard_until: Micros
    readings: Batch
    counts: Counts


async def claim_shard(conn: Connection, shard: int) -> bool:
    """True if no other session works on this shard; the claim ends with this connection."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (_CLAIMS, shard))
        row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def last_heard(conn: Connection, shard: int) -> Micros:
    """heard_until of the shard's last batch, µs since the Unix epoch, UTC; 0 if there is none."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL["last_heard"], {"shard": shard})
        row = await cursor.fetchone()
    return 0 if row is None else to_micros(row[0])


async def undated(conn: Connection, shard: int) -> dict[int, Earlier]:
    """By packet id, lately stored messages that are known by their arrival if they come again."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL["undated"], {"shard": shard, "messages": REMEMBERED})
        rows = await cursor.fetchall()
    return {packet_id: Earlier(digest, to_micros(arrival)) for packet_id, digest, arrival in rows}


async def is_committed(conn: Connection, batch: CommittedBatch, shard: int) -> bool:
    """Whether a batch of which the COMMIT had no answer is there; waits until that is decided.

    After a failover or a crash the server may give out a number again of which it never heard.
    """
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL["open_shard"], {"shard": shard})
        await cursor.execute(
            "SELECT FROM batches WHERE (seq, shard, prev_seq) = (%s, %s, %s)",
            [batch.seq, shard, batch.prev_seq],
        )
        return cursor.rowcount > 0


async def store(
    conn: Connection, decoded: Decoded, *, shard: int, now: Micros, heard_until: Micros
) -> CommittedBatch:
    """Write a batch, its rejected messages and its share of the ledger.

    now, heard_until: µs since the Unix epoch, UTC. A second writer of the same shard waits until
    this transaction ends. psycopg.Error if the database refuses; nothing is then written.
    """
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await stage(cursor)
        prev_seq, seq = await _open(cursor, shard)
        known = await known_before(cursor, decoded)
        written = await store_rows(cursor, decoded, seq)
        await _store_rejected(cursor, decoded, seq)
        await _remember_undated(cursor, decoded, shard, seq)
        await keep_announced(cursor, decoded.changes, seq)
        fate = fates(decoded, written)
        await keep_conduct(cursor, decoded, fate.stored, written.differs, known)
        await add_to_ledger(cursor, ledger_columns(decoded, fate))
        batch = CommittedBatch(
            seq, prev_seq, heard_until, _new_rows(decoded, written), fate.counts()
        )
        await _close(cursor, batch, shard, now, int(written.events.sum()))
    return batch


async def stage(cursor: Cursor) -> None:
    """Make the connection's staging tables, empty; needed once before rows are stored."""
    await cursor.execute(SQL["stage"])


async def store_rows(cursor: Cursor, decoded: Decoded, seq: int) -> Written:
    """Write readings, events and the newest of each under `seq`."""
    known = await _store_latest(cursor, decoded)
    new, differs = await _store_readings(cursor, decoded, known, seq)
    return Written(new, await _store_events(cursor, decoded, seq), differs)


async def add_to_ledger(cursor: Cursor, columns: Sequence[tuple[str, Column]]) -> None:
    """Add to the ledger, one row per device as of `fate.ledger_columns`; may be negative."""
    await _copy(cursor, "staged_ledger", encode(columns))
    await cursor.execute(SQL["upsert_ledger"])


async def read_back(
    conn: Connection, shard: int, after: int, limit: int = 100
) -> list[CommittedBatch]:
    """At most `limit` batches that this shard committed after batch `after`, in order."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        wanted = {"shard": shard, "after": after, "limit": limit}
        await cursor.execute(SQL["batches_after"], wanted)
        heads = await cursor.fetchall()
        if not heads:
            return []
        seqs = [head[0] for head in heads]
        span = {"first": seqs[0], "last": seqs[-1], "seqs": seqs}
        async with cursor.copy(SQL["copy_batches"], span) as copy:
            stream = b"".join([bytes(block) async for block in copy])
        await cursor.execute(SQL["naming_events"], {**span, "naming": list(NAMING)})
        named = _named(await cursor.fetchall())
    return _batches(heads, stream, named)


async def _open(cursor: Cursor, shard: int) -> tuple[int, int]:
    await cursor.execute(SQL["open_shard"], {"shard": shard})
    (prev,) = await _one(cursor)
    await cursor.execute("SELECT nextval('batch_seq')")
    (seq,) = await _one(cursor)
    return prev, seq


async def _store_latest(cursor: Cursor, decoded: Decoded) -> Bool:
    """Which readings are, by what was the latest until now, possibly known already (n,)."""
    rows = concatenate((decoded.readings, decoded.events))
    if not len(rows):
        return np.zeros(0, np.bool_)
    newest = latest(rows)
    await _copy(cursor, "staged_latest", encode(newest.columns()))
    known = np.zeros(len(newest.device), np.bool_)
    await cursor.execute(SQL["advance_latest"])
    rest = [series for (series,) in await cursor.fetchall()]
    if rest:
        await cursor.execute(SQL["upsert_latest"], {"rest": rest})
        known[[series for (series,) in await cursor.fetchall()]] = True
    return known[newest.series[: len(decoded.readings)]]


async def _store_readings(
    cursor: Cursor, decoded: Decoded, known: Bool, seq: int
) -> tuple[Bool, Bool]:
    """Which readings were new, and which were there with another value.

    Those that are surely new by `known` go where they belong at once. What is sure here is decided
    by the unique key: where it objects all go by the staging table.
    """
    rows = decoded.readings
    new, differs = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    sure = _sure(decoded, known)
    if sure.any() and await _copied(cursor, rows.take(sure), seq):
        new[sure] = True
    rest = np.flatnonzero(~new)
    if len(rest):
        staged = rows.take(rest)
        await _copy(cursor, "staged_readings", encode([*_row_columns(staged), _arrivals(staged)]))
        await cursor.execute(SQL["insert_readings"], {"seq": seq})
        new[rest] = cursor.rowcount == len(rest)
        if cursor.rowcount < len(rest):
            await cursor.execute(SQL["staged_fates"], {**_span(staged), "seq": seq})
            for found, numbers in zip((new, differs), await _one(cursor), strict=True):
                found[rest[numbers or []]] = True
    return new, differs


def _sure(decoded: Decoded, known: Bool) -> Bool:
    """The readings of which nothing says that they may have come before."""
    return ~known & ~decoded.repeated()[decoded.reading_message]


async def _copied(cursor: Cursor, rows: Batch, seq: int) -> bool:
    """True if these were all new and are stored; else nothing is."""
    ordered = rows.take(in_order(rows))
    columns = [*_row_columns(ordered)[1:], _arrivals(ordered), (INT8, np.full(len(rows), seq))]
    target = "readings (time, device_id, metric_id, value, arrival, seq)"
    try:
        async with cursor.connection.transaction():
            await _copy(cursor, target, encode(columns))
    except UniqueViolation:
        return False
    return True


async def _store_events(cursor: Cursor, decoded: Decoded, seq: int) -> Bool:
    rows = decoded.events
    if not len(rows):
        return np.zeros(0, np.bool_)
    columns = [*_row_columns(rows), (INT8, decoded.digest), _arrivals(rows)]
    await _copy(cursor, "staged_events", encode_with_json(columns, decoded.attributes))
    await cursor.execute(SQL["insert_events"], {"seq": seq})
    if cursor.rowcount == len(rows):
        return np.ones(len(rows), np.bool_)
    new = np.zeros(len(rows), np.bool_)
    await cursor.execute(SQL["new_events"], {**_span(rows), "seq": seq})
    new[[row for (row,) in await cursor.fetchall()]] = True
    return new


def _span(rows: Batch) -> dict[str, datetime]:
    return {"first": to_datetime(int(rows.time.min())), "last": to_datetime(int(rows.time.max()))}


async def _one(cursor: Cursor) -> TupleRow:
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - to be asked where a statement always returns one
    return row


async def _store_rejected(cursor: Cursor, decoded: Decoded, seq: int) -> None:
    if not decoded.rejections:
        return
    statement = (
        "COPY rejected_messages (seq, arrival, topic, payload, reason, detail, device_id, partial,"
        " community, unknown) FROM STDIN"
    )
    async with cursor.copy(statement) as copy:
        for rejection in decoded.rejections:
            message = decoded.messages[rejection.message]
            device = int(decoded.device[rejection.message]) or None
            await copy.write_row(
                (
                    seq,
                    to_datetime(message.arrival),
                    storable_text(message.topic),
                    message.payload,
                    rejection.reason.value,
                    storable_text(rejection.detail),
                    device,
                    rejection.partial,
                    rejection.community,
                    [storable_text(address) for address in rejection.unknown] or None,
                )
            )


async def _remember_undated(cursor: Cursor, decoded: Decoded, shard: int, seq: int) -> None:
    """Keep the arrival of messages that are known by it."""
    messages = {m.ticket.packet_id: m for m in decoded.known_by_arrival()}
    if not messages:
        return
    values = {
        "shard": shard,
        "seq": seq,
        "packet_ids": list(messages),
        "digests": [fingerprint(m.topic, m.payload) for m in messages.values()],
        "arrivals": [to_datetime(m.arrival) for m in messages.values()],
    }
    await cursor.execute(SQL["remember_undated"], values)


async def _close(
    cursor: Cursor, batch: CommittedBatch, shard: int, now: Micros, events: int
) -> None:
    values = {
        "seq": batch.seq,
        "shard": shard,
        "prev_seq": batch.prev_seq,
        "now": to_datetime(now),
        "heard_until": to_datetime(batch.heard_until),
        "messages": batch.counts.messages,
        "stored": batch.counts.stored,
        "duplicate": batch.counts.duplicate,
        "rejected": batch.counts.rejected,
        "readings": len(batch.readings) - events,
        "events": events,
    }
    await cursor.execute(SQL["close_batch"], values)


async def _copy(cursor: Cursor, table: str, stream: bytes) -> None:
    async with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
        await copy.write(stream)


def _row_columns(rows: Batch) -> list[tuple[str, Column]]:
    return [
        (INT4, np.arange(len(rows))),
        (TIMESTAMP, to_timestamp(rows.time)),
        (INT4, rows.device),
        (INT2, rows.metric),
        (FLOAT8, rows.value),
    ]


def _arrivals(rows: Batch) -> tuple[str, Column]:
    return TIMESTAMP, to_timestamp(rows.arrival)


def _new_rows(decoded: Decoded, written: Written) -> Batch:
    message = np.concatenate(
        (decoded.reading_message[written.readings], decoded.event_message[written.events])
    )
    rows = concatenate(
        (decoded.readings.take(written.readings), decoded.events.take(written.events))
    )
    return rows.take(np.argsort(message, kind="stable"))


def _named(events: list[TupleRow]) -> dict[_EventKey, tuple[int, int]]:
    """Token and issue of each of these events, from their attributes as they are stored."""
    said = {
        (device, metric, to_micros(time), digest): orjson.loads(attributes)
        for device, metric, time, digest, attributes in events
    }
    return {key: (token_of(attributes), issue_of(attributes)) for key, attributes in said.items()}


def _batches(
    heads: list[TupleRow], stream: bytes, named: Mapping[_EventKey, tuple[int, int]]
) -> list[CommittedBatch]:
    layouts = (INT8, TIMESTAMP, TIMESTAMP, INT4, INT2, FLOAT8, INT8)
    seq, time, arrival, device, metric, value, digest = decode(stream, layouts)
    time = from_timestamp(time)
    token, issue = np.zeros(len(seq), np.int64), np.zeros(len(seq), np.int32)
    if named:
        keys = zip(device.tolist(), metric.tolist(), time.tolist(), digest.tolist(), strict=True)
        found = [named.get(key, (NOBODY, NO_ISSUE)) for key in keys]
        token[:], issue[:] = zip(*found, strict=True) if found else ((), ())
    rows = Batch(time, from_timestamp(arrival), device, metric, value, token, issue)
    seqs: I64 = seq
    return [
        CommittedBatch(
            head[0],
            head[1],
            to_micros(head[2]),
            rows.take(
                np.arange(
                    np.searchsorted(seqs, head[0], "left"), np.searchsorted(seqs, head[0], "right")
                )
            ),
            Counts(*head[3:]),
        )
        for head in heads
    ]


def storable_text(value: str) -> str:
    """Text that PostgreSQL can hold: without the character U+0000 and lone surrogates."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
