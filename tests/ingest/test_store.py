"""Batches into a real database: once, with every message accounted for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable

from devices.errors import RejectReason
from devices.instant import SECOND, to_datetime
from devices.metric import BY_NAME
from devices.reading import Reading
from devices.token import NOBODY
from ingest import ledger
from ingest import store as store_module
from ingest.decode import decode
from ingest.decoded import refused
from ingest.fate import Counts
from ingest.message import RawMessage
from ingest.receipts import fingerprint
from ingest.store import (
    CommittedBatch,
    claim_shard,
    is_committed,
    last_heard,
    read_back,
    store,
    undated,
)
from tests.ingest.site import LIMITS, NOW, inventory, message, ms, on_topic

Connection = AsyncConnection[Any]
INVENTORY = inventory()
SPO2, PULSE, SOS = (BY_NAME[name].id for name in ("spo2", "pulse", "sos"))
DOOR_OPEN = BY_NAME["door_open"].id


async def keep(
    conn: Connection, *messages: RawMessage, shard: int = 0, heard_until: int = NOW
) -> CommittedBatch:
    batch = await store(
        conn, decode(messages, INVENTORY, LIMITS), shard=shard, now=NOW, heard_until=heard_until
    )
    await conn.commit()
    return batch


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


def spo2(value: float, *, at: int = NOW, device: str = "w1") -> RawMessage:
    return message(device, {"ts": ms(at), "values": {"spo2": value}})


def card(name: str) -> RawMessage:
    attributes = {"card": name}
    return message(
        "door", {"ts": ms(NOW), "values": {"access_granted": 1}, "attributes": attributes}
    )


async def test_a_batch_is_stored_with_its_readings_events_and_latest_values(
    connection: Connection,
) -> None:
    then = NOW - SECOND
    batch = await keep(
        connection,
        spo2(97),
        spo2(95, at=then),
        card("红-1"),
        message("w2", {"values": {"pulse": 70}}),
    )
    assert batch.readings.rows() == [
        Reading(NOW, NOW, 1, SPO2, 97.0),
        Reading(then, NOW, 1, SPO2, 95.0),
        Reading(NOW, NOW, 3, BY_NAME["access_granted"].id, 1.0),
        Reading(NOW, NOW, 2, PULSE, 70.0),
    ]
    assert batch.counts == Counts(messages=4, stored=4, duplicate=0, rejected=0)
    at = to_datetime(NOW)
    assert await rows(
        connection, "SELECT time, device_id, value, arrival, seq FROM readings ORDER BY 2, 1"
    ) == [
        (to_datetime(then), 1, 95.0, at, batch.seq),
        (at, 1, 97.0, at, batch.seq),
        (at, 2, 70.0, at, batch.seq),
    ]
    assert await rows(connection, "SELECT time, device_id, attributes, seq FROM events") == [
        (at, 3, {"card": "红-1"}, batch.seq)
    ]
    assert await rows(
        connection, "SELECT device_id, time, value FROM latest_readings ORDER BY 1"
    ) == [
        (1, at, 97.0),
        (2, at, 70.0),
        (3, at, 1.0),
    ]
    (row,) = await rows(connection, "SELECT messages, stored, readings, events FROM batches")
    assert row == (4, 4, 3, 1)


async def test_what_was_there_already_is_duplicate_and_not_handed_on(
    connection: Connection,
) -> None:
    first = await keep(connection, spo2(97), card("A"), spo2(96, at=NOW - SECOND))
    again = await keep(
        connection,
        spo2(97),
        card("A"),
        message("w1", {"ts": ms(NOW), "values": {"spo2": 50, "pulse": 70}}),
        card("B"),
        spo2(95, at=NOW - 2 * SECOND),
    )
    assert again.prev_seq == first.seq
    assert again.counts == Counts(messages=5, stored=3, duplicate=2, rejected=0)
    assert [(r.metric, r.value) for r in again.readings.rows()] == [
        (PULSE, 70.0),
        (BY_NAME["access_granted"].id, 1.0),
        (SPO2, 95.0),
    ]
    assert await rows(
        connection,
        "SELECT count(*), max(value) FROM readings WHERE device_id = 1 AND metric_id = 34",
    ) == [(3, 97.0)]
    assert await rows(
        connection, "SELECT value FROM latest_readings WHERE device_id = 1 AND metric_id = 34"
    ) == [(97.0,)]


async def test_a_reading_from_the_future_is_not_the_latest_for_long(
    connection: Connection,
) -> None:
    latest = "SELECT time, value FROM latest_readings"
    await keep(connection, spo2(97, at=NOW + 60 * SECOND), spo2(96, at=NOW + 30 * SECOND))
    assert await rows(connection, latest) == [(to_datetime(NOW), 97.0)]
    true = message("w1", {"ts": ms(NOW) + 5_000, "values": {"spo2": 88}}, arrival=NOW + 6 * SECOND)
    await keep(connection, true)
    assert await rows(connection, latest) == [(to_datetime(NOW + 5 * SECOND), 88.0)]


async def test_duplicates_within_a_batch_are_stored_once(connection: Connection) -> None:
    batch = await keep(connection, spo2(97), spo2(97), card("A"), card("A"))
    assert batch.counts == Counts(messages=4, stored=2, duplicate=2, rejected=0)
    assert len(batch.readings) == 2


async def test_rejected_messages_are_kept_as_they_came(connection: Connection) -> None:
    payload = b'\x00\xff{"values"'
    batch = await keep(
        connection,
        message("w1", payload),
        on_topic("gw/v1/c1/\x00/up", b""),
        message("w1", {"values": {"spo2": 97, "spo3\0": 1}}),
    )
    assert batch.counts == Counts(messages=3, stored=1, duplicate=0, rejected=2)
    kept = await rows(
        connection,
        "SELECT topic, payload, reason, device_id, partial FROM rejected_messages ORDER BY id",
    )
    assert kept[:2] == [
        ("gw/v1/c1/w1/up", payload, "bad_payload", 1, False),
        ("gw/v1/c1/\ufffd/up", b"", "bad_topic", None, False),
    ]
    assert kept[2][2:] == ("unknown_metric", 1, True)
    assert await ledger.rejected_by_reason(connection) == {
        "bad_payload": 1,
        "bad_topic": 1,
        "unknown_metric": 1,
    }


async def test_a_batch_of_nothing_but_rejections_is_a_batch(connection: Connection) -> None:
    decoded = refused(message("w1", b"{}"), 1, RejectReason.BAD_PAYLOAD, "x" * 5_000)
    batch = await store(connection, decoded, shard=0, now=NOW, heard_until=NOW)
    assert batch.counts == Counts(1, 0, 0, 1)
    assert len(batch.readings) == 0
    assert await rows(connection, "SELECT length(detail) FROM rejected_messages") == [(1_000,)]


async def test_the_ledger_counts_every_message_by_device_and_fate(connection: Connection) -> None:
    await keep(connection, spo2(97), spo2(1), spo2(97), spo2(97, device="w2"), message("ghost", {}))
    await keep(connection, spo2(97), spo2(90, at=NOW - SECOND), message("ghost", {}))
    expected = {0: Counts(2, 0, 0, 2), 1: Counts(5, 2, 2, 1), 2: Counts(1, 1, 0, 0)}
    counted = await ledger.by_device(connection)
    assert counted == expected
    assert await ledger.totals(connection) == ledger.total(expected.values())
    assert ledger.balance(await ledger.totals(connection), received=8) == 0
    heard = await rows(connection, "SELECT max(last_heard) FROM ledger")
    assert heard == [(to_datetime(NOW),)]


async def test_two_batches_may_share_a_transaction(connection: Connection) -> None:
    decoded = decode([spo2(97)], INVENTORY, LIMITS)
    first = await store(connection, decoded, shard=0, now=NOW, heard_until=NOW)
    second = await store(connection, decoded, shard=0, now=NOW, heard_until=NOW)
    assert (first.counts.stored, second.counts.duplicate) == (1, 1)
    assert second.prev_seq == first.seq


async def test_a_restart_sees_whom_events_name_as_the_running_process_saw_it(
    connection: Connection,
) -> None:
    """Also where the database writes a number otherwise than the message did."""
    cards = [b'"4f2a"', b'"\xe7\xba\xa2"', b"12", b"1e16", b"12345678901234567890123", b"-0.0"]
    payloads = [b'{"values": {"access_granted": 1}, "attributes": {"credential": %b}}'] * len(cards)
    handed = await keep(
        connection,
        spo2(97),
        *(message("door", payload % card) for payload, card in zip(payloads, cards, strict=True)),
        message(
            "door", {"values": {"vehicle_entry": 1}, "attributes": {"plate": "E1", "issue": 3}}
        ),
        message("door", {"values": {"access_granted": 1}, "attributes": {"reason": "button"}}),
        message("door", {"values": {"door_open": 1}, "attributes": {"credential": "4f2a"}}),
    )
    (back,) = await read_back(connection, 0, after=0)
    named = [row.token for row in handed.readings.rows() if row.metric != DOOR_OPEN]
    assert [token == NOBODY for token in named] == [True, *[False] * 7, True, False]
    assert len(set(named)) == 8  # nobody, six cards and a plate; 4f2a was said twice
    assert sorted(back.readings.rows()) == sorted(handed.readings.rows())
    assert [row.issue for row in handed.readings.rows() if row.issue] == [3]
    states = [row for row in back.readings.rows() if row.metric == DOOR_OPEN]
    assert [row.token for row in states] == [NOBODY]


async def test_committed_batches_are_read_back_as_they_were_handed_over(
    connection: Connection,
) -> None:
    first = await keep(connection, spo2(97), card("A"), heard_until=NOW - SECOND)
    other_shard = await keep(connection, spo2(97, device="w2"), shard=1)
    second = await keep(connection, message("w1", b"broken"))
    third = await keep(connection, spo2(96, at=NOW - SECOND), message("w2", {"values": {"sos": 1}}))
    back = await read_back(connection, 0, after=0)
    assert [b.seq for b in back] == [first.seq, second.seq, third.seq]
    for got, sent in zip(back, (first, second, third), strict=True):
        assert (got.prev_seq, got.heard_until, got.counts) == (
            sent.prev_seq,
            sent.heard_until,
            sent.counts,
        )
        assert sorted(got.readings.rows()) == sorted(sent.readings.rows())
        assert got.readings.device.dtype == np.int32
        assert got.readings.token.dtype == np.int64
        assert got.readings.metric.dtype == np.int16
    assert [b.seq for b in await read_back(connection, 0, first.seq, limit=1)] == [second.seq]
    assert [b.seq for b in await read_back(connection, 1, after=0)] == [other_shard.seq]
    assert await read_back(connection, 0, after=third.seq) == []
    assert await last_heard(connection, 0) == NOW
    assert await last_heard(connection, 7) == 0


async def test_a_shard_is_claimed_by_one_session(connection: Connection, database_url: str) -> None:
    async with await AsyncConnection.connect(database_url) as other:
        assert await claim_shard(connection, 3)
        assert not await claim_shard(other, 3)
        assert await claim_shard(other, 4)
        await connection.close()
        await other.execute("SELECT pg_advisory_lock(%s, 3)", (0x67726964,))


async def test_a_batch_in_doubt_is_known_by_more_than_its_number(connection: Connection) -> None:
    """A server that took over may give the number of a batch out again that it never heard of."""
    batch = await keep(connection, spo2(97))
    assert await is_committed(connection, batch, 0)
    assert not await is_committed(connection, batch, 1), "another shard got the number"
    assert not await is_committed(connection, replace(batch, prev_seq=batch.prev_seq + 1), 0)


async def test_a_second_writer_of_a_shard_waits_for_the_first(
    connection: Connection, database_url: str
) -> None:
    first = decode([spo2(97)], INVENTORY, LIMITS)
    second = decode([spo2(97, device="w2")], INVENTORY, LIMITS)
    # The very first row of a day makes the chunk, for which all shards wait.
    await keep(connection, spo2(97, at=NOW - SECOND), shard=2)
    await store(connection, first, shard=0, now=NOW, heard_until=NOW)
    async with await AsyncConnection.connect(database_url) as other:
        await other.execute("SET lock_timeout = '20ms'")
        await other.commit()
        assert (await store(other, second, shard=1, now=NOW, heard_until=NOW)).prev_seq == 0
        with pytest.raises(LockNotAvailable):
            await store(other, second, shard=0, now=NOW, heard_until=NOW)


@pytest.mark.parametrize("size", [1, 3_000])
async def test_a_redelivered_batch_is_duplicate_as_a_whole(
    connection: Connection, size: int
) -> None:
    batch = [spo2(60 + n % 40, at=NOW - n * SECOND) for n in range(size)]
    assert (await keep(connection, *batch)).counts.stored == size
    again = await keep(connection, *batch)
    assert again.counts == Counts(messages=size, stored=0, duplicate=size, rejected=0)
    assert len(again.readings) == 0


async def test_the_arrival_of_a_message_without_a_time_is_remembered_for_a_while(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (message("w1", {"values": {"pulse": 70}}, arrival=NOW + n) for n in (8, 9))
    first, second = one.ticket.packet_id, two.ticket.packet_id
    await keep(connection, spo2(97, at=NOW - SECOND), one)
    await keep(connection, two)
    told = await undated(connection, 0)
    assert {n: e.arrival for n, e in told.items()} == {first: NOW + 8, second: NOW + 9}
    assert told[first].digest == fingerprint(one.topic, one.payload)
    monkeypatch.setattr(store_module, "REMEMBERED", 2)
    assert set(await undated(connection, 0)) == {second}, "the older batch is too long ago"
