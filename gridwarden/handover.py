"""Committed batches on their way from the collector to the judge.

They are handed over in memory. The line is bounded: when judging is slower than storing, what does
not fit is dropped here, and the judge, who sees the gap in the sequence, reads it back from the
database. So a slow or broken rule never holds up a reading, and a restart takes the same path.
"""

import asyncio
from collections import deque

from ingest.store import CommittedBatch


class Handover:
    """A bounded line of committed batches, each naming the one before it."""

    def __init__(self, *, newest: int, limit: int = 64) -> None:
        """newest: the last batch known to be committed · limit: batches held in memory at most."""
        self._limit = limit
        self._line: deque[CommittedBatch] = deque()
        self._newest = newest
        self._offered = asyncio.Event()

    async def offer(self, batch: CommittedBatch) -> None:
        """Hand a committed batch over; never waits."""
        if len(self._line) < self._limit:
            self._line.append(batch)
        self._newest = batch.seq
        self._offered.set()

    def behind(self, cursor: int) -> bool:
        """True if a batch after `cursor` is known to be committed."""
        return self._newest > cursor

    def take(self, cursor: int) -> CommittedBatch | None:
        """The batch that follows `cursor`, or None where the line does not hold it."""
        while self._line and self._line[0].seq <= cursor:
            self._line.popleft()
        if self._line and self._line[0].prev_seq == cursor:
            return self._line.popleft()
        return None

    async def wait(self, at_most_s: float) -> None:
        """Return when something was offered since the last wait, or after so many real seconds."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._offered.wait()
        except TimeoutError:
            return
        finally:
            self._offered.clear()
