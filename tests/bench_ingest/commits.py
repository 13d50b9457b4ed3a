"""What is committed, and judged, as another connection sees it."""

import threading
import time
from typing import Any

import numpy as np
import psycopg

from tests.bench_ingest.processes import PATIENCE_S


class Commits:
    """Watches how many messages are committed; a thread with a connection of its own."""

    def __init__(self, url: str, every: float) -> None:
        self._conn = psycopg.connect(url, autocommit=True)
        self._every = every
        self._before = self._look()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: list[tuple[float, int]] = [(time.perf_counter(), 0)]
        self.batches = 0

    def __enter__(self) -> "Commits":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._conn.close()

    def until(self, count: int) -> float:
        """Wait for so many; when the last of them was seen."""
        began = time.perf_counter()
        while self.seen[-1][1] < count:
            assert time.perf_counter() - began < PATIENCE_S, f"{self.seen[-1][1]} of {count}"
            time.sleep(self._every)
        return self.seen[-1][0]

    def latencies(self, published: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Seconds from each publish (the first is the first committed) to its commit."""
        at, counts = zip(*self.seen, strict=True)
        commit = np.searchsorted(np.array(counts), np.arange(1, len(published) + 1))
        return np.asarray(np.array(at)[commit] - published)

    def _watch(self) -> None:
        while not self._ended.is_set():
            messages, self.batches = (
                now - before for now, before in zip(self._look(), self._before, strict=True)
            )
            if messages > self.seen[-1][1]:
                self.seen.append((time.perf_counter(), messages))
            time.sleep(self._every)

    def _look(self) -> tuple[int, int]:
        # All of them: a batch of one worker may come to light after a younger one of another.
        row = self._conn.execute("SELECT coalesce(sum(messages), 0)::bigint, count(*) FROM batches")
        return row.fetchone() or (0, 0)


def until_judged(url: str) -> float:
    """Wait for each shard's cursor at its last batch; when that was. Cursors lag up to 1 s."""
    query = "SELECT bool_and(c.seq >= s.last_seq) FROM shards s JOIN cursors c USING (shard)"
    with psycopg.connect(url, autocommit=True) as conn:
        began = time.perf_counter()
        while conn.execute(query).fetchone() != (True,):
            assert time.perf_counter() - began < PATIENCE_S, "the rules do not catch up"
            time.sleep(0.02)
    return time.perf_counter()
