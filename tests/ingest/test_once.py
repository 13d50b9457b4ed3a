"""Whatever order, repetition and batching messages come in, the table is the same."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from ingest import ledger
from ingest.decode import decode
from ingest.fate import Counts
from ingest.message import RawMessage
from ingest.store import CommittedBatch, read_back, store
from tests.ingest.site import LIMITS, NOW, inventory, message, ms

INVENTORY = inventory()
GOOD = [
    message(
        device, {"ts": ms(NOW) - n, "values": {"spo2": 90 + n, "sos": 1}, "attributes": {"n": n}}
    )
    for device in ("w1", "w2")
    for n in range(4)
] + [
    message("door", {"ts": ms(NOW), "values": {"access_granted": 1}, "attributes": {"card": card}})
    for card in "AB"
]
BAD = [message("w1", b"\x00"), message("ghost", b"{}"), message("w2", {"values": {"spo3": 1}})]

deliveries = st.lists(st.lists(st.sampled_from([*GOOD, *BAD]), min_size=1), max_size=8)


async def contents(conn: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
    query = """
        SELECT time, device_id, metric_id, value, NULL FROM readings
        UNION ALL SELECT time, device_id, metric_id, value, attributes::text FROM events
        ORDER BY 1, 2, 3, 5
    """
    return await (await conn.execute(query)).fetchall()


async def deliver(
    conn: AsyncConnection[Any], batches: list[list[RawMessage]]
) -> list[CommittedBatch]:
    return [
        await store(conn, decode(batch, INVENTORY, LIMITS), shard=0, now=NOW, heard_until=NOW)
        for batch in batches
    ]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(deliveries, st.permutations(GOOD))
async def test_any_interleaving_and_repetition_gives_the_same_table_and_a_balanced_ledger(
    connection: AsyncConnection[Any], repeated: list[list[RawMessage]], rest: list[RawMessage]
) -> None:
    await deliver(connection, [GOOD])
    once = await contents(connection)
    await connection.rollback()

    delivered = [*repeated, rest]
    batches = await deliver(connection, delivered)
    assert await contents(connection) == once
    received = sum(map(len, delivered))
    bad = sum(m in BAD for batch in delivered for m in batch)
    expected = Counts(received, len(GOOD), received - len(GOOD) - bad, bad)
    assert await ledger.totals(connection) == expected
    assert ledger.total((await ledger.by_device(connection)).values()) == expected
    assert ledger.total(batch.counts for batch in batches) == expected
    assert sum(len(batch.readings) for batch in batches) == len(once)
    assert [b.prev_seq for b in batches] == [0, *(b.seq for b in batches[:-1])]
    back = await read_back(connection, 0, after=0)
    assert [sorted(b.readings.rows()) for b in back] == [sorted(b.readings.rows()) for b in batches]
    await connection.rollback()
