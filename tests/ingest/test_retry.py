"""Rejected messages decoded again: moved in the ledger once, with their first arrival."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from devices.errors import RejectReason
from devices.instant import DAY, HOUR, SECOND, to_datetime
from devices.inventory import Inventory
from ingest import ledger
from ingest.decode import decode
from ingest.fate import Counts
from ingest.message import RawMessage
from ingest.retry import Outcome, Present, Wanted, count, lock_kept, retry
from ingest.store import read_back, store
from tests.ingest.site import LIMITS, NOW, inventory, message, ms, on_topic

Connection = AsyncConnection[Any]
LATER = NOW + DAY
SITE = inventory()
WITHOUT_W2 = Inventory.of(
    list(SITE.areas.values()), [], [d for d in SITE.devices.values() if d.code != "w2"]
)
PRESENT = Present(SITE, LIMITS, LATER, "wang")


async def keep(conn: Connection, *messages: RawMessage, site: Inventory = WITHOUT_W2) -> None:
    decoded = decode(messages, site, LIMITS)
    await store(conn, decoded, shard=0, now=NOW, heard_until=NOW)
    await conn.commit()


async def again(
    conn: Connection, wanted: Wanted | None = None, present: Present = PRESENT
) -> Outcome:
    asked = wanted or Wanted()
    _number, last = await count(conn, asked)
    outcome = await retry(conn, await lock_kept(conn, asked, after=0, last=last), present)
    await conn.commit()
    return outcome


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


async def balanced(conn: Connection) -> dict[int, Counts]:
    """The ledger by device, after a look at whether it adds up with what is kept."""
    by_device = await ledger.by_device(conn)
    whole = "SELECT count(*) FROM rejected_messages WHERE NOT partial AND retried_at IS NULL"
    ((kept,),) = await rows(conn, whole)
    ((in_batches,),) = await rows(conn, "SELECT sum(messages) FROM batches")
    total = ledger.total(by_device.values())
    assert (total.rejected, total.messages) == (kept, in_batches)
    return by_device


def pulse(device: str, value: float, *, at: int = NOW, arrival: int = NOW) -> RawMessage:
    return message(device, {"ts": ms(at), "values": {"pulse": value}}, arrival=arrival)


async def test_a_message_of_a_device_registered_since_moves_to_it_with_its_arrival(
    connection: Connection,
) -> None:
    undated = message("w2", {"values": {"pulse": 71}}, arrival=NOW - HOUR)
    await keep(connection, undated, pulse("w2", 72, at=NOW - SECOND), pulse("w1", 70))
    assert (await balanced(connection))[0] == Counts(2, 0, 0, 2)
    outcome = await again(connection)
    assert (outcome.stored, outcome.messages, len(outcome.done)) == (2, 2, 2)
    assert await balanced(connection) == {
        0: Counts(0, 0, 0, 0),
        1: Counts(1, 1, 0, 0),
        2: Counts(2, 2, 0, 0),
    }
    assert await rows(
        connection, "SELECT time, arrival, value FROM readings WHERE device_id = 2 ORDER BY 1"
    ) == [
        (to_datetime(NOW - HOUR), to_datetime(NOW - HOUR), 71.0),
        (to_datetime(NOW - SECOND), to_datetime(NOW), 72.0),
    ]
    assert await rows(connection, "SELECT last_heard FROM ledger WHERE device_id = 2") == [
        (to_datetime(NOW),)
    ]
    marks = await rows(
        connection, "SELECT retried_at, retried_by, device_id, unknown FROM rejected_messages"
    )
    assert marks == [(to_datetime(LATER), "wang", 2, None)] * 2


async def test_no_judge_hears_of_what_a_retry_stored(connection: Connection) -> None:
    await keep(connection, message("w2", {"values": {"sos": 1}}), pulse("w1", 70))
    before = await read_back(connection, 0, after=0)
    assert (await again(connection)).stored == 1
    assert await rows(connection, "SELECT count(*) FROM events WHERE device_id = 2") == [(1,)]
    after = await read_back(connection, 0, after=0)
    assert [b.seq for b in after] == [b.seq for b in before]
    assert [b.readings.rows() for b in after] == [b.readings.rows() for b in before]
    await keep(connection, pulse("w1", 71, at=NOW + SECOND))
    (newest,) = await read_back(connection, 0, after=before[-1].seq)
    assert newest.prev_seq == before[-1].seq
    assert {int(device) for device in newest.readings.device} == {1}


async def test_a_second_retry_finds_nothing_left(connection: Connection) -> None:
    await keep(connection, pulse("w2", 70))
    await again(connection)
    books = await balanced(connection)
    assert (await again(connection)).messages == 0
    assert await balanced(connection) == books


async def test_what_came_by_another_way_meanwhile_becomes_duplicate(
    connection: Connection,
) -> None:
    await keep(connection, pulse("w2", 70))
    await keep(connection, pulse("w2", 70), site=SITE)
    assert (await again(connection)).duplicate == 1
    assert (await balanced(connection))[2] == Counts(2, 1, 1, 0)
    assert await rows(connection, "SELECT count(*) FROM readings") == [(1,)]


async def test_what_is_refused_still_stays_as_it_was(connection: Connection) -> None:
    await keep(connection, message("w1", b"broken"), pulse("ghost", 70), pulse("w2", 7_000))
    kept = "SELECT * FROM rejected_messages ORDER BY id"
    before, books = await rows(connection, kept), await balanced(connection)
    outcome = await again(connection)
    assert outcome.refused == {
        RejectReason.BAD_PAYLOAD: 1,
        RejectReason.UNKNOWN_DEVICE: 1,
        RejectReason.OUT_OF_RANGE: 1,
    }
    assert (outcome.messages, outcome.changed) == (3, [])
    assert await rows(connection, kept) == before
    assert await balanced(connection) == books


async def test_a_whole_one_of_which_a_part_is_understood_stays_for_the_rest(
    connection: Connection,
) -> None:
    await keep(connection, message("w2", {"ts": ms(NOW), "values": {"pulse": 70, "spo3\0": 1}}))
    outcome = await again(connection)
    assert (outcome.stored, outcome.in_part, outcome.done) == (1, 1, [])
    assert (await balanced(connection))[2] == Counts(1, 1, 0, 0)
    state = "SELECT partial, reason, device_id, unknown, retried_at FROM rejected_messages"
    assert await rows(connection, state) == [(True, "unknown_metric", 2, None, None)]
    outcome = await again(connection)
    assert (outcome.refused.total(), outcome.changed) == (1, [])


async def test_the_missing_part_is_stored_and_counts_no_second_time(
    connection: Connection,
) -> None:
    both = message("park", {"ts": ms(NOW), "values": {"parking_free": 80, "battery": 50}})
    await keep(connection, both, site=SITE)
    books = await balanced(connection)
    assert books[4] == Counts(1, 1, 0, 0)
    park = SITE.devices[4]
    larger = Inventory.of(
        list(SITE.areas.values()), [], [replace(park, attributes={"capacity": 100})]
    )
    outcome = await again(connection, present=replace(PRESENT, inventory=larger))
    assert (outcome.completed, outcome.stored, len(outcome.done)) == (1, 0, 1)
    assert await balanced(connection) == books
    assert await rows(connection, "SELECT value FROM readings ORDER BY value") == [(50.0,), (80.0,)]
    assert await rows(connection, "SELECT partial, device_id FROM rejected_messages") == [(True, 4)]


async def test_formats_with_a_memory_are_left_alone(connection: Connection) -> None:
    topic = "gw/v1/c1/ext/sparkplug/spBv1.0/g/NDATA/n"
    await keep(connection, on_topic(topic, b"\x00broken"))
    outcome = await again(connection)
    assert (outcome.with_memory, outcome.messages, outcome.changed) == (1, 1, [])
    assert await rows(connection, "SELECT count(*) FROM announcements") == [(0,)]


async def test_only_what_is_asked_for_is_looked_at(connection: Connection) -> None:
    elsewhere = on_topic("gw/v1/c2/w2/up", b"{}")
    await keep(connection, pulse("w2", 70), message("w1", b"?"), elsewhere, pulse("w2", 71))
    assert (await count(connection, Wanted(community="c2")))[0] == 1
    assert (await count(connection, Wanted(reason=RejectReason.BAD_PAYLOAD)))[0] == 1
    number, last = await count(connection, Wanted())
    assert number == 4
    first = (await lock_kept(connection, Wanted(), after=0, last=last, limit=1))[0].id
    assert (await again(connection, Wanted(ids=(first,)))).done == [first]
    assert (await count(connection, Wanted()))[0] == 3


async def test_two_people_at_once_pass_over_what_the_other_has(
    connection: Connection, database_url: str
) -> None:
    await keep(connection, pulse("w2", 70), pulse("w2", 71, at=NOW - SECOND))
    _number, last = await count(connection, Wanted())
    mine = await lock_kept(connection, Wanted(), after=0, last=last, limit=1)
    async with await AsyncConnection.connect(database_url) as other:
        theirs = await lock_kept(other, Wanted(), after=0, last=last)
        assert {k.id for k in mine}.isdisjoint(k.id for k in theirs)
        assert (len(mine), len(theirs)) == (1, 1)
        assert (await retry(connection, mine, PRESENT)).stored == 1
        await connection.commit()
        assert (await retry(other, theirs, PRESENT)).stored == 1
        await other.commit()
    assert (await balanced(connection))[2] == Counts(2, 2, 0, 0)


async def test_a_crash_in_the_middle_leaves_everything_as_it_was(
    connection: Connection, database_url: str
) -> None:
    await keep(connection, pulse("w2", 70))
    books = await balanced(connection)
    other = await AsyncConnection.connect(database_url)
    outcome = await retry(other, await lock_kept(other, Wanted(), after=0, last=9), PRESENT)
    assert outcome.stored == 1
    await other.close()
    assert await balanced(connection) == books
    assert await rows(connection, "SELECT count(*) FROM readings") == [(0,)]
    assert (await again(connection)).stored == 1


async def test_one_that_the_database_refuses_does_not_stop_the_others(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(connection, *(pulse("w2", 60 + n, at=NOW - n * SECOND) for n in range(5)))
    guard = "ALTER TABLE readings ADD CONSTRAINT no_62 CHECK (value <> 62)"
    await connection.execute(guard)
    await connection.commit()
    monkeypatch.setattr("ingest.retry._POISON", (psycopg.errors.CheckViolation,))
    outcome = await again(connection)
    assert (outcome.stored, outcome.refused) == (4, {RejectReason.UNSTORABLE: 1})
    assert (await balanced(connection))[2] == Counts(4, 4, 0, 0)
