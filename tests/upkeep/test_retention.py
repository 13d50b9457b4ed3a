"""What is too old goes, on either database; what is still needed stays."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from devices.instant import DAY, to_datetime
from devices.metric import BY_NAME
from gridwarden import retention
from gridwarden.edition import Edition, edition_of
from gridwarden.retention import Retention, drop_old, too_old
from gridwarden.rollup import sum_up
from ingest.decode import decode
from ingest.store import store
from tests.ingest.site import LIMITS, NOW, message, ms
from tests.upkeep.books import Connection, keep, pulse, rows, wearables
from tests.waiting import until

KEPT = Retention(readings=10, events=10, rejected=3, batches=20, minutes=30, hours=60, days=90)
PULSE = BY_NAME["pulse"].id
TODAY = to_datetime(NOW)
SITE = wearables(1, 2)
TABLES = (
    *("readings", "events", "rejected_messages", "readings_5m", "readings_1h", "readings_1d"),
    *("batches", "undated_messages", "announcements"),
)


def ago(days: float) -> datetime:
    return TODAY - timedelta(days=days)


async def settle(conn: Connection) -> None:
    """All that is committed was judged, saved and summed up."""
    async with conn.transaction():
        await sum_up(conn)
    for table, more, values in (
        ("cursors", "", ""),
        ("rule_snapshots", ", taken_at, state", ", now(), ''"),
    ):
        await conn.execute(
            f"INSERT INTO {table} (shard, seq{more}) SELECT shard, last_seq{values} FROM shards"  # noqa: S608
            " ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq".encode()
        )


async def alert(conn: Connection, since: datetime, *, state: str = "open") -> None:
    """An alert of device 1's pulse, at an area of its own."""
    await conn.execute(
        "INSERT INTO areas (code, kind, name) VALUES ('a', 'community', '{}')"
        " ON CONFLICT DO NOTHING"
    )
    await conn.execute(
        """INSERT INTO alerts (rule_code, rule_fingerprint, subject_kind, subject_id, since,
            fired_at, opened_at, category, severity, title, area_id, devices, metrics, state,
            route_reason)
        SELECT 'r', '', 'device', 1, %(since)s, %(since)s, %(since)s, 'care', 'red', '{}', id,
            '{1}', ARRAY[%(metric)s]::smallint[], %(state)s, '' FROM areas WHERE code = 'a'""",
        {"since": since, "metric": PULSE, "state": state},
    )


async def dropped(conn: Connection, kept: Retention = KEPT) -> Counter[str]:
    """Drop; by table, how many rows are gone."""
    before = {table: await count(conn, table) for table in TABLES}
    async for _piece in drop_old(conn, kept, NOW):
        pass
    return +Counter({table: before[table] - await count(conn, table) for table in TABLES})


async def count(conn: Connection, table: str) -> int:
    ((n,),) = await rows(conn, f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(n)


async def times(conn: Connection, table: str = "readings", column: str = "time") -> list[Any]:
    return [t for (t,) in await rows(conn, f"SELECT {column} FROM {table} ORDER BY 1")]  # noqa: S608


async def test_settled_readings_go_when_they_are_too_old(either: Connection) -> None:
    await keep(either, SITE, [pulse(ago(days), 70) for days in (1, 9, 12, 15)])
    await settle(either)
    assert (await too_old(either, KEPT, NOW))["readings"] == 2
    assert await dropped(either) == {"readings": 2}
    assert await times(either) == [ago(9), ago(1)]
    assert await dropped(either) == {}
    assert await count(either, "readings_1d") == 4


@pytest.mark.parametrize("left", ["cursors", "rule_snapshots", "rollup_cursors"])
async def test_what_is_not_judged_saved_or_summed_up_stays(either: Connection, left: str) -> None:
    await keep(either, SITE, [pulse(ago(20), 70)])
    await settle(either)
    late = await keep(either, SITE, [pulse(ago(20), 71, "w2"), pulse(ago(14), 71, "w2")])
    await settle(either)
    await either.execute(f"UPDATE {left} SET seq = seq - 1".encode())  # noqa: S608
    assert await dropped(either) == {"readings": 1}
    assert await rows(either, "SELECT DISTINCT device_id, seq FROM readings") == [(2, late.seq)]
    await either.execute(f"UPDATE {left} SET seq = seq + 1".encode())  # noqa: S608
    assert await dropped(either) == {"readings": 2}


async def test_what_a_standing_alert_shows_stays(either: Connection) -> None:
    await keep(
        either,
        SITE,
        [pulse(ago(60), 70), pulse(ago(31), 71), pulse(ago(31), 72, "w2"), pulse(ago(12), 73)],
    )
    await settle(either)
    await alert(either, ago(30))
    await alert(either, ago(12), state="closed")
    assert await dropped(either, KEPT) == {"readings": 3, "readings_5m": 3}
    assert await rows(either, "SELECT time, value FROM readings") == [(ago(31), 71.0)]
    await either.execute("UPDATE alerts SET state = 'cleared'")
    assert await dropped(either) == {"readings": 1}


async def test_events_and_rejected_messages_go(either: Connection) -> None:
    def call(days: float) -> object:
        return {"ts": ms(NOW - round(days * DAY)), "values": {"sos": 1}}

    await keep(either, SITE, [message("w1", call(days)) for days in (1, 30)])
    for days in (1, 5):
        old = message("w1", b"{", arrival=NOW - days * DAY)
        await keep(either, SITE, [old])
    await settle(either)
    assert await dropped(either) == {"events": 1, "rejected_messages": 1}
    assert await times(either, "events") == [ago(1)]
    assert await times(either, "rejected_messages", "arrival") == [ago(1)]


async def test_each_roll_up_has_its_own_time(either: Connection) -> None:
    await keep(either, SITE, [pulse(ago(days), 70) for days in (1, 50, 100, 600)])
    await settle(either)
    # with TimescaleDB a day goes with its chunk of 360 days
    gone = await dropped(either)
    plain = await edition_of(either) is Edition.PLAIN
    assert gone == {
        "readings": 3,
        "readings_5m": 3,
        "readings_1h": 2 if plain else gone["readings_1h"],
        "readings_1d": 2 if plain else 1,
    }
    assert gone["readings_1h"] in {1, 2}


async def test_batches_go_with_what_they_remembered_and_their_counts_stay(
    either: Connection,
) -> None:
    await keep(either, SITE, [message("w1", {"values": {"pulse": 70}})], now=NOW - 30 * DAY)
    await keep(either, SITE, [pulse(ago(1), 71), pulse(ago(1), 71)], now=NOW - 29 * DAY)
    last = await keep(either, SITE, [pulse(ago(2), 71)], now=NOW - 28 * DAY)
    await either.execute("INSERT INTO areas (code, kind, name) VALUES ('c1', 'community', '{}')")
    for community in ("c1", "gone"):
        await either.execute(
            "INSERT INTO announcements (community, format, subject, state, seq)"
            " VALUES (%s, 'sparkplug', 'G/E', '', 1)",
            (community,),
        )
    await settle(either)
    assert await dropped(either) == {"batches": 2, "undated_messages": 1, "announcements": 1}
    assert await rows(either, "SELECT seq FROM batches") == [(last.seq,)]
    assert await rows(either, "SELECT community FROM announcements") == [("c1",)]
    ledger = "SELECT received, in_batches FROM dashboard.ledger"
    assert await rows(either, ledger) == [(4, 4)]
    assert await rows(either, "SELECT messages, stored, duplicate FROM dropped_batches") == [
        (3, 2, 1)
    ]


async def test_a_chunk_is_not_dropped_while_a_batch_is_written(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOCK_S", 1)
    async with (
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn,
        await psycopg.AsyncConnection.connect(database_url) as writer,
    ):
        await keep(conn, SITE, [pulse(ago(20), 70)])
        await settle(conn)
        await writer.execute("UPDATE shards SET last_seq = last_seq")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await dropped(conn)
        assert await times(conn) == [ago(20)]
        await writer.commit()
        assert await dropped(conn) == {"readings": 1}


async def test_a_late_reading_that_comes_between_look_and_drop_stays(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOCK_S", 60)
    late = ago(20) + timedelta(minutes=1)
    waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'shards'::regclass"
    async with (
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as look,
        await psycopg.AsyncConnection.connect(database_url) as writer,
    ):
        await keep(conn, SITE, [pulse(ago(20), 70)])
        await settle(conn)
        decoded = decode([pulse(late, 71)], SITE, LIMITS)
        await store(writer, decoded, shard=0, now=NOW, heard_until=NOW)

        async def waiting() -> bool:
            return bool(await rows(look, waits))

        dropping = asyncio.create_task(dropped(conn))
        await until(waiting, what="the drop behind the writer")
        await writer.commit()
        await dropping
        assert await times(look) == [late]


def test_days_are_counted_back_from_now() -> None:
    (readings, *_) = KEPT.tables()
    assert readings.before(NOW) == datetime.fromtimestamp(NOW / 1e6, UTC) - timedelta(days=10)
