"""The figures of a collector: once per batch, and what they add up to."""

from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.instant import HOUR, SECOND
from ingest.decode import decode
from ingest.fate import Counts
from ingest.store import store
from ingest.tally import Histogram, Tally
from tests.ingest.site import LIMITS, NOW, inventory, message, ms


def test_a_histogram_counts_each_value_at_its_bound_and_above() -> None:
    histogram = Histogram((1.0, 10.0))
    histogram.add(np.array([0.0, 1.0, 1.5, 10.0, 11.0]))
    histogram.add(np.array([], np.float64))
    histogram.add(np.array([0.5]))
    assert histogram.cumulative() == [3, 5, 6]
    assert histogram.sum == 24.0


async def test_a_batch_is_counted_with_its_reasons_and_how_long_it_took(
    connection: AsyncConnection[Any],
) -> None:
    old = {"ts": ms(NOW - HOUR), "values": {"spo2": 97}}
    ahead = {"ts": ms(NOW + 5 * SECOND), "values": {"spo2": 97, "nonsense": 1}}
    messages = [message("w1", old), message("w1", ahead), message("w1", b"?"), message("x", {})]
    decoded = decode(messages, inventory(), LIMITS)
    batch = await store(connection, decoded, shard=0, now=NOW, heard_until=NOW)
    tally = Tally()
    tally.committed(decoded, batch, now=NOW + SECOND, took_s=0.02)
    assert tally.counts == Counts(messages=4, stored=2, duplicate=0, rejected=2)
    assert tally.rejected == {"bad_payload": 1, "unknown_device": 1}
    assert tally.in_part == {"unknown_metric": 1}
    assert (tally.batch.sum, tally.commit.sum) == (4.0, 0.02)
    assert tally.age.sum == 3_601.0
    assert (tally.arrival.sum, tally.arrival.cumulative()[-1]) == (2.0, 2)
