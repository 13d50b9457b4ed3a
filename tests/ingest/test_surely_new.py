"""What is surely new takes a shorter way into the same tables."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from devices.instant import SECOND, Micros
from devices.reading import Batch, Bool, Reading
from ingest import store as store_module
from ingest.decode import decode
from ingest.decoded import Decoded
from ingest.latest import latest
from ingest.message import RawMessage
from ingest.store import CommittedBatch, store
from tests.ingest.site import LIMITS, NOW, inventory, message, ms

INVENTORY = inventory()
TABLES = (
    "SELECT time, device_id, metric_id, value, arrival FROM readings ORDER BY 2, 3, 1",
    "SELECT time, device_id, metric_id, value, digest FROM events ORDER BY 2, 3, 1, 5",
    "SELECT * FROM latest_readings ORDER BY 1, 2",
    "SELECT * FROM ledger ORDER BY 1",
    "SELECT messages, stored, duplicate, rejected, readings, events FROM batches ORDER BY seq",
)


def told(device: str, at: int, value: float, late: int) -> RawMessage:
    """A message with a reading and an event; at, late: s, late below 0 is from the future."""
    values = {"spo2": value, "sos": 1} if device != "door" else {"access_granted": 1}
    time = NOW + at * SECOND
    return message(device, {"ts": ms(time), "values": values}, arrival=time + late * SECOND)


MESSAGES = st.builds(
    told,
    st.sampled_from(["w1", "w2", "door", "ghost"]),
    st.integers(0, 5),
    st.sampled_from([90, 91, 1]),
    st.sampled_from([0, 1, -1, -3]),
) | st.just(message("w1", {"values": {"spo2": 95}}))
BATCHES = st.lists(st.lists(MESSAGES, min_size=1, max_size=6), max_size=5)


async def outcome(
    conn: AsyncConnection[Any], batches: list[list[RawMessage]]
) -> tuple[list[Any], list[list[Reading]]]:
    """All tables after these batches, and what each handed on; then all is undone."""
    stored: list[CommittedBatch] = [
        await store(conn, decode(batch, INVENTORY, LIMITS), shard=0, now=NOW, heard_until=NOW)
        for batch in batches
    ]
    tables = [await (await conn.execute(query.encode())).fetchall() for query in TABLES]
    await conn.rollback()
    return tables, [batch.readings.rows() for batch in stored]


def nothing(decoded: Decoded, _known: Bool) -> Bool:
    return np.zeros(len(decoded.readings), np.bool_)


def everything(decoded: Decoded, _known: Bool) -> Bool:
    return np.ones(len(decoded.readings), np.bool_)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(BATCHES)
async def test_both_ways_lead_to_the_same_tables(
    connection: AsyncConnection[Any], batches: list[list[RawMessage]]
) -> None:
    short = await outcome(connection, batches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "_sure", nothing)
        assert await outcome(connection, batches) == short
        patch.setattr(store_module, "_sure", everything)
        assert await outcome(connection, batches) == short, "where the unique key objects"


async def test_only_what_is_newer_than_the_latest_goes_the_short_way(
    connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    short: list[list[Micros]] = []
    copied = store_module._copied

    async def noted(*args: Any) -> bool:
        short.append(args[1].time.tolist())
        return await copied(*args)

    monkeypatch.setattr(store_module, "_copied", noted)
    for times in ([1, 3], [2, 4], [4], [5, 6]):
        batch = decode([told("w1", at, 95, 0) for at in times], INVENTORY, LIMITS)
        await store(connection, batch, shard=0, now=NOW, heard_until=NOW)
    assert short == [[NOW + n * SECOND for n in sent] for sent in ([1, 3], [5, 6])]
    again = decode([told("w1", 7, 95, 0)._replace(repeated=True)], INVENTORY, LIMITS)
    await store(connection, again, shard=0, now=NOW, heard_until=NOW)
    assert len(short) == 2


async def test_the_latest_never_goes_back(connection: AsyncConnection[Any]) -> None:
    for sent in (told("w1", 5, 95, 0), told("w1", 60, 90, -60), told("w1", 61, 91, -57)):
        batch = decode([sent], INVENTORY, LIMITS)
        await store(connection, batch, shard=0, now=NOW, heard_until=NOW)
    query = "SELECT value FROM latest_readings WHERE metric_id = 34"
    assert await (await connection.execute(query)).fetchall() == [(95.0,)]


ROWS = st.builds(
    Reading,
    st.integers(0, 3) | st.sampled_from([-(2**62), 2**62]),
    st.integers(0, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    st.floats(0, 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**31 - 1),
)


@given(st.lists(ROWS, max_size=10))
def test_the_latest_of_each_series_is_found(rows: list[Reading]) -> None:
    found = latest(Batch.of(rows))
    series = sorted({(r.device, r.metric) for r in rows})
    assert list(zip(found.device.tolist(), found.metric.tolist(), strict=True)) == series
    for n, of in enumerate(series):
        own = [r for r in rows if (r.device, r.metric) == of]
        newest = max(own, key=lambda r: (min(r.time, r.arrival), r.time))
        assert (found.time[n], found.value[n]) == (min(newest.time, newest.arrival), newest.value)
        assert found.oldest[n] == min(min(r.time, r.arrival) for r in own)
    assert [series[n] for n in found.series.tolist()] == [(r.device, r.metric) for r in rows]
