"""Late, contradicting, ahead, impossible: counted; a wrong clock is found and forgiven."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection

from devices.instant import DAY, FOREVER, HOUR, MINUTE, SECOND, Micros
from devices.reading import Batch
from ingest.conduct import Conduct, Known, after, clock_offset, concerned, lags, offset_text
from ingest.conducted import known
from ingest.decode import Limits, decode
from ingest.message import RawMessage
from ingest.store import store
from tests.ingest.site import NOW, inventory, message, ms

Connection = AsyncConnection[Any]
INVENTORY = inventory()
LIMITS = Limits(earliest=NOW - 9_500 * DAY, max_ahead=10 * MINUTE)


async def keep(conn: Connection, messages: Sequence[RawMessage]) -> None:
    await store(conn, decode(messages, INVENTORY, LIMITS), shard=0, now=NOW, heard_until=NOW)
    await conn.commit()


async def conduct(conn: Connection, device: int = 1) -> Conduct:
    return (await known(conn, [device]))[device].conduct


def said(time: Micros, arrival: Micros, *, value: float = 97, device: str = "w1") -> RawMessage:
    return message(device, {"ts": ms(time), "values": {"spo2": value}}, arrival=arrival)


def lagging(
    lag: Micros, *, count: int, every: Micros = 3 * MINUTE, start: Micros = NOW
) -> list[RawMessage]:
    """Messages that arrive every so often, each `lag` after its time."""
    return [said(start + n * every - lag, start + n * every) for n in range(count)]


async def test_of_a_device_that_is_well_nothing_is_kept(connection: Connection) -> None:
    await keep(connection, [*lagging(20 * SECOND, count=5), *lagging(0, count=3, start=NOW + DAY)])
    cursor = await connection.execute("SELECT count(*) FROM device_conduct")
    assert await cursor.fetchone() == (0,)


def test_what_came_to_the_broker_during_an_outage_of_ours_may_have_come_at_its_time() -> None:
    time = np.array([NOW - 7 * MINUTE, NOW + MINUTE, NOW + HOUR, NOW + 3 * HOUR])
    arrival = np.full(4, NOW + 2 * HOUR)
    told = [7 * MINUTE, 0, 0, -HOUR]
    assert lags(time, arrival, NOW).tolist() == told
    for heard in (FOREVER, NOW + 2 * HOUR - MINUTE):
        assert lags(time, arrival, heard).tolist() == (arrival - time).tolist()


def test_after_an_outage_only_what_was_late_before_it_is_late() -> None:
    old = [said(NOW + n * SECOND, NOW + HOUR + n) for n in range(50)]
    late = said(NOW - 7 * MINUTE, NOW + HOUR + 60)
    decoded = replace(decode([*old, late], INVENTORY, LIMITS), heard=NOW)
    assert concerned(decoded, []) == [1]
    known = {1: Known(Conduct(1), newest=NOW, interval=MINUTE)}
    (found,) = after(decoded, np.ones(51, np.bool_), Batch.empty(), known)
    assert found.late.count == 1
    assert found.run is not None
    assert found.run.messages == 1
    assert concerned(replace(decoded, heard=NOW - 8 * MINUTE), []) == []


async def test_late_is_older_than_the_newest_by_more_than_the_interval(
    connection: Connection,
) -> None:
    await keep(connection, [said(NOW, NOW)])
    await keep(
        connection,
        [
            said(NOW - 50 * SECOND, NOW + 2 * MINUTE),  # within its interval, of a minute at least
            said(NOW - 2 * MINUTE, NOW + 3 * MINUTE),
            said(NOW - 2 * MINUTE, NOW + 3 * MINUTE),  # the same again: a duplicate, not late
            said(NOW - 5 * MINUTE, NOW + 4 * MINUTE, device="w2"),  # nothing newer is known of it
        ],
    )
    late = (await conduct(connection)).late
    assert (late.count, late.last) == (1, NOW + 3 * MINUTE)
    assert (await conduct(connection, 2)).late.count == 0


async def test_a_gateway_that_replays_an_hour_behind_live_readings_is_late_not_wrong(
    connection: Connection,
) -> None:
    live = [said(NOW + n * 10 * SECOND, NOW + n * 10 * SECOND) for n in range(60)]
    await keep(connection, live[:1])
    for n in range(1, 60):
        old = said(NOW - 60 * MINUTE + n * MINUTE - SECOND, NOW + n * 10 * SECOND)
        await keep(connection, [old, live[n]])
    after = await conduct(connection)
    assert after.late.count == 59
    assert clock_offset(after, NOW + HOUR) is None


async def test_a_replay_in_order_is_neither_late_nor_wrong(connection: Connection) -> None:
    """Thirty seconds apart at arrival, three minutes by their times: ten hours in over an hour."""
    for n in range(0, 200, 20):
        await keep(
            connection,
            [
                said(NOW - 600 * MINUTE + m * 3 * MINUTE, NOW + m * 30 * SECOND)
                for m in range(n, n + 20)
            ],
        )
        assert clock_offset(await conduct(connection), NOW + n * 30 * SECOND) is None
    assert (await conduct(connection)).late.count == 0


@pytest.mark.parametrize("together", [True, False])
async def test_one_timestamp_with_another_value_contradicts(
    connection: Connection, together: bool
) -> None:
    messages = [said(NOW, NOW), said(NOW, NOW, value=97), said(NOW, NOW + SECOND, value=88)]
    for part in [messages] if together else [[m] for m in messages]:
        await keep(connection, part)
    contradicting = (await conduct(connection)).contradicting
    assert (contradicting.count, contradicting.last) == (1, NOW + SECOND)
    cursor = await connection.execute("SELECT value FROM readings")
    assert await cursor.fetchall() == [(97.0,)]
    cursor = await connection.execute("SELECT stored, duplicate FROM ledger")
    assert await cursor.fetchall() == [(1, 2)]


async def test_ahead_within_the_limit_is_stored_and_counted(connection: Connection) -> None:
    await keep(
        connection,
        [
            said(NOW + 50 * SECOND, NOW),
            said(NOW + 9 * MINUTE, NOW + SECOND),
            said(NOW + HOUR, NOW + 2 * SECOND),
        ],
    )
    after = await conduct(connection)
    assert (after.ahead.count, after.ahead.last) == (1, NOW + SECOND)
    assert (after.impossible.count, after.impossible.last) == (1, NOW + 2 * SECOND)
    cursor = await connection.execute("SELECT stored, rejected FROM ledger")
    assert await cursor.fetchall() == [(2, 1)]


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (HOUR, "about -1 h"),
        (-HOUR, "about +1 h"),
        (-7 * MINUTE, "about +7 min"),
        (90 * MINUTE, "about -1.5 h"),
        (3 * DAY, "about -3 d"),
        (NOW, "about -56.9 years"),
        (NOW - 4_294_967_295 * SECOND, "about +79.2 years"),
    ],
)
async def test_a_clock_that_stays_wrong_is_found_and_forgiven_when_right(
    connection: Connection, lag: Micros, text: str
) -> None:
    """An hour off, set in 1970, or at the end of 32 bits in 2106."""
    wrong = lagging(lag, count=6)
    for one in wrong[:4]:
        await keep(connection, [one])
    assert clock_offset(await conduct(connection), wrong[3].arrival) is None
    await keep(connection, wrong[4:])
    offset = clock_offset(await conduct(connection), wrong[-1].arrival)
    assert offset == -lag
    assert offset_text(offset) == text
    assert clock_offset(await conduct(connection), wrong[-1].arrival + 8 * DAY) is None
    right = wrong[-1].arrival + MINUTE
    await keep(connection, [said(right - SECOND, right)])
    last = await conduct(connection)
    assert not last.suspected
    impossible = lag < -10 * MINUTE or lag == NOW
    # Its impossible times of today are still told of; by tomorrow they are past.
    assert (clock_offset(last, right) is None) != impossible
    assert clock_offset(last, right + 2 * DAY) is None


async def test_impossible_times_now_and_then_among_right_ones_tell_of_the_clock(
    connection: Connection,
) -> None:
    for n in range(5):
        at = NOW + n * HOUR
        await keep(connection, [said(0, at), said(at + SECOND, at + SECOND)])
    found = await conduct(connection)
    assert found.impossible.count == 5
    assert clock_offset(found, NOW + 5 * HOUR) == -(NOW + 4 * HOUR)


async def test_messages_of_one_moment_do_not_tell_of_a_clock(connection: Connection) -> None:
    """What waited at the broker comes all at once."""
    await keep(connection, lagging(HOUR, count=50, every=SECOND))
    assert clock_offset(await conduct(connection), NOW + MINUTE) is None


async def test_what_has_no_time_of_its_own_says_nothing_of_the_clock(
    connection: Connection,
) -> None:
    await keep(connection, lagging(HOUR, count=6))
    await keep(connection, [message("w1", {"values": {"pulse": 70}}, arrival=NOW + HOUR)])
    assert clock_offset(await conduct(connection), NOW + HOUR) == -HOUR


@given(
    st.lists(st.tuples(st.integers(0, 3_600), st.integers(-590, 7_200)), min_size=1, max_size=60),
    st.data(),
)
def test_any_partition_into_batches_gives_the_same(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """steps: seconds since the message before, and seconds of lag."""
    at, messages = NOW, []
    for gap, lag in steps:
        at += gap * SECOND
        messages.append(said(at - lag * SECOND, at))
    cut = data.draw(st.integers(0, len(messages)))
    assert _together([messages]) == _together([messages[:cut], messages[cut:]])


@given(st.lists(st.integers(-300, 300), min_size=1, max_size=40))
def test_a_clock_within_the_limit_is_never_called_wrong(lags: list[int]) -> None:
    messages = [
        said(NOW + n * MINUTE - lag * SECOND, NOW + n * MINUTE) for n, lag in enumerate(lags)
    ]
    found = _together([messages])
    assert not found.conduct.suspected
    assert clock_offset(found.conduct, NOW + HOUR) is None


@given(st.lists(st.integers(0, 120), min_size=5, max_size=40), st.sampled_from([HOUR, -HOUR, DAY]))
def test_a_steady_wrong_clock_is_found_whatever_the_network_adds(
    delays: list[int], behind: Micros
) -> None:
    messages = [
        said(NOW + n * 3 * MINUTE - behind - delay * SECOND, NOW + n * 3 * MINUTE)
        for n, delay in enumerate(delays)
    ]
    offset = clock_offset(_together([messages]).conduct, messages[-1].arrival)
    assert offset is not None
    assert abs(offset + behind) <= 120 * SECOND


def _together(batches: Sequence[Sequence[RawMessage]]) -> Known:
    """The device after these batches; a time that came before is a duplicate."""
    seen: set[int] = set()
    one = Known(Conduct(1), interval=MINUTE)
    for batch in batches:
        decoded = decode(batch, INVENTORY, LIMITS)
        new = ~np.isin(decoded.readings.time, list(seen))
        stored = np.zeros(len(batch), np.bool_)
        stored[decoded.reading_message[new]] = True
        seen |= set(decoded.readings.time.tolist())
        suspected = [1] if one.conduct.suspected else []
        conducts = {
            c.device: c
            for c in after(
                decoded,
                stored,
                Batch.empty(),
                dict.fromkeys(concerned(decoded, suspected), one),
            )
        }
        capped = np.minimum(decoded.readings.time, decoded.readings.arrival).tolist()
        one = Known(conducts.get(1, one.conduct), max([one.newest, *capped]), MINUTE)
    return one
