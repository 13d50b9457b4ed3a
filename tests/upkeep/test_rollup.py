"""Roll-ups equal a plain sum over the readings, in whatever order they come and what breaks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from gridwarden.rollup import sum_up, waiting
from tests.upkeep.books import (
    Connection,
    exact,
    keep,
    pulse,
    rows,
    set_zone,
    wearables,
)
from tests.upkeep.conftest import plain_database

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


async def sum_all(conn: Connection, *, readings: int = 200_000) -> None:
    done = await sum_up(conn, readings=readings)
    while done is not None and done.batches:
        await conn.commit()
        done = await sum_up(conn, readings=readings)
    assert done is not None
    await conn.commit()


async def test_readings_are_summed_up_by_bucket(connection: Connection) -> None:
    at = [NOON, NOON + timedelta(minutes=4, seconds=59), NOON + timedelta(minutes=5)]
    values = (80, 60, 70)
    await keep(connection, wearables(1), [pulse(t, v) for t, v in zip(at, values, strict=True)])
    await sum_all(connection)
    fine = (
        "SELECT bucket, count, min, max, sum, first, last, first_time, last_time FROM readings_5m"
    )
    assert await rows(connection, f"{fine} ORDER BY 1") == [
        (at[0], 2, 60.0, 80.0, 140.0, 80.0, 60.0, at[0], at[1]),
        (at[2], 1, 70.0, 70.0, 70.0, 70.0, 70.0, at[2], at[2]),
    ]
    hour = "SELECT bucket, count, sum, first, last FROM readings_1h"
    assert await rows(connection, hour) == [(NOON, 3, 210.0, 80.0, 70.0)]
    day = "SELECT bucket, count FROM readings_1d"
    assert await rows(connection, day) == [(NOON.replace(hour=0), 3)]


async def test_a_late_reading_reaches_its_bucket_also_without_the_raw_ones(
    connection: Connection,
) -> None:
    site = wearables(1)
    await keep(connection, site, [pulse(NOON, 80), pulse(NOON + timedelta(minutes=2), 70)])
    await sum_all(connection)
    await connection.execute("DELETE FROM readings")
    await keep(connection, site, [pulse(NOON + timedelta(minutes=3), 60)])
    await sum_all(connection)
    fine = "SELECT count, sum, first, last FROM readings_5m"
    assert await rows(connection, fine) == [(3, 210.0, 80.0, 60.0)]


async def test_one_session_at_a_time(connection: Connection, database_url: str) -> None:
    await keep(connection, wearables(1), [pulse(NOON, 80)])
    assert await sum_up(connection) is not None
    async with await AsyncConnection.connect(database_url) as other:
        assert await sum_up(other) is None
        await connection.rollback()
        await sum_all(other)
        assert await waiting(other) == (0, 0)
        await exact(other, [1], "UTC")


async def test_old_days_stay_where_no_minutes_are_kept_at_all(connection: Connection) -> None:
    await set_zone(connection, "Europe/Berlin")
    await keep(connection, wearables(1), [pulse(NOON, 60)])
    await sum_all(connection)
    await connection.execute("DELETE FROM readings_5m")
    await set_zone(connection, "Asia/Shanghai")
    await sum_all(connection)
    assert await rows(connection, "SELECT count FROM readings_1d") == [(1,)]


async def test_a_piece_has_whole_batches_and_at_least_one(connection: Connection) -> None:
    site = wearables(1)
    for minute in range(3):
        at = NOON + timedelta(minutes=minute)
        await keep(connection, site, [pulse(at, 80), pulse(at + timedelta(seconds=1), 81)])
    assert await waiting(connection) == (3, 6)
    done = [await sum_up(connection, readings=3), await sum_up(connection, readings=1)]
    assert [each.batches for each in done if each] == [2, 1]
    assert await waiting(connection) == (0, 0)


async def test_days_are_made_anew_where_the_zone_changes(connection: Connection) -> None:
    site = wearables(1)
    await set_zone(connection, "Europe/Berlin")
    await keep(connection, site, [pulse(NOON + timedelta(hours=h), 60 + h) for h in range(40)])
    await sum_all(connection)
    await exact(connection, [1], "Europe/Berlin")
    await set_zone(connection, "Asia/Shanghai")
    await keep(connection, site, [pulse(NOON + timedelta(hours=5, minutes=1), 50)])
    await sum_all(connection)
    await exact(connection, [1], "Asia/Shanghai")


async def test_days_whose_minutes_are_gone_keep_their_old_zone(connection: Connection) -> None:
    site = wearables(1)
    await set_zone(connection, "Europe/Berlin")
    await keep(connection, site, [pulse(NOON + timedelta(hours=h), 60) for h in range(72)])
    await sum_all(connection)
    await connection.execute("DELETE FROM readings_5m WHERE bucket < %s", (NOON + timedelta(1),))
    await set_zone(connection, "Asia/Shanghai")
    await sum_all(connection)
    days = await rows(connection, "SELECT bucket, count FROM readings_1d ORDER BY 1")
    assert sum(n for _, n in days) == 72
    berlin = datetime(2026, 11, 9, 23, tzinfo=UTC)
    assert [day for day, _ in days] == [
        berlin,
        berlin + timedelta(days=1),
        datetime(2026, 11, 11, 16, tzinfo=UTC),
        datetime(2026, 11, 12, 16, tzinfo=UTC),
    ]


# Any order, any zone ------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrive:
    """A batch of (instant, value, device) comes in."""

    readings: tuple[tuple[datetime, float, str], ...]


@dataclass(frozen=True)
class Again:
    """An earlier batch comes once more, as it was."""

    which: int


@dataclass(frozen=True)
class Sum:
    """One piece is summed up; `crash`: and lost with its transaction."""

    readings: int
    crash: bool


# Days on which clocks in Berlin were put forward and back, and a year's end.
BORDERS = [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
BORDERS += [datetime(2025, 12, 31, 16, tzinfo=UTC)]
INSTANTS = st.builds(
    lambda border, minutes: border + timedelta(minutes=minutes),
    st.sampled_from(BORDERS),
    st.integers(-26 * 30, 26 * 60) | st.sampled_from([-61, -60, -1, 0, 1, 59, 60, 61, 1380]),
)
VALUES = st.integers(100, 800).map(lambda n: n / 4)  # their sums are exact in binary
READINGS = st.tuples(INSTANTS, VALUES, st.sampled_from(["w1", "w2"]))
STEPS = st.lists(
    st.one_of(
        st.builds(Arrive, st.lists(READINGS, min_size=1, max_size=8).map(tuple)),
        st.builds(Again, st.integers(0, 7)),
        st.builds(Sum, st.sampled_from([1, 5, 1000]), st.booleans()),
    ),
    max_size=12,
)
_numbers = count(1)


async def play(url: str, steps: Sequence[Arrive | Again | Sum], zone: str) -> None:
    """The steps, with devices and a shard of their own, then the rest; exact at the end."""
    number = next(_numbers)
    devices = (2 * number, 2 * number + 1)
    site, came = wearables(*devices), list[Arrive]()
    async with await AsyncConnection.connect(url) as conn:
        for step in steps:
            if isinstance(step, Sum):
                assert await sum_up(conn, readings=step.readings) is not None
                await (conn.rollback() if step.crash else conn.commit())
                continue
            if isinstance(step, Arrive):
                came.append(step)
            if came:
                batch = step if isinstance(step, Arrive) else came[step.which % len(came)]
                await keep(conn, site, [pulse(*each) for each in batch.readings], shard=number)
        await sum_all(conn)
        await exact(conn, devices, zone)
        await sum_all(conn)
        await exact(conn, devices, zone)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns"]
)
def test_any_batches_duplicates_and_crashes_give_the_sums(database_url: str, zone: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(STEPS)
    def always(steps: list[Arrive | Again | Sum]) -> None:
        asyncio.run(play(database_url, steps, zone))

    async def begin() -> None:
        async with await AsyncConnection.connect(database_url) as conn:
            await set_zone(conn, zone)

    asyncio.run(begin())
    always()


def test_plain_postgresql_gives_the_same_sums(plain_server: str) -> None:
    test_any_batches_duplicates_and_crashes_give_the_sums(
        plain_database(plain_server), "Europe/Berlin"
    )
