"""The transactional outbox: what the store queued is sent, at least once, the gravest first.

Why not procrastinate: it fetches jobs by the database's own clock, while demos and tests run on a
scaled or a manual one, and the notification row with its attempts exists anyway for the inbox and
the reports, so its job row would be a second truth about the same delivery.

NOTIFY only wakes; the query is the truth. A claim is a lease (`next_attempt_at` pushed forward), so
that no lock is held while a channel is slow, and what a dead process held is due again. Each
channel has its own lane: one that is slow or gone delays no other. What is for devices takes the
same lane as what is for members; which rows it carries is its `alerts.queues.Queue`.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypedDict

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from alerts.backoff import LONGEST, next_attempt
from alerts.channels.base import (
    Channel,
    Delivered,
    Downlink,
    Notification,
    Rejected,
    Result,
    Retry,
)
from alerts.query import query
from alerts.queues import DOWNLINKS, NOTIFICATIONS, Message, Queue
from alerts.relevance import Dropped
from alerts.trouble import Trouble
from devices.cancelling import give_way
from devices.connection import notifications
from devices.instant import SECOND, Clock, Micros, to_datetime

log = logging.getLogger(__name__)

DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
)
"""Not there, or a standby that is not yet the master."""

DOWN = "down"
"""The name of the lane to devices."""

LONGEST_DETAIL = 1_000
"""Characters of what a channel answered that are kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """at_once: sends in flight per channel · lease: µs of the service's clock · the rest: real s.

    poll: how often to look without being woken · patience: the longest a send may take. The lease
    is how late a message may be that a killed process held, so it is little more than patience.
    """

    at_once: int = 16
    lease: Micros = 20 * SECOND
    poll: float = 1.0
    patience: float = 15.0


class Lane(Generic[Message]):
    """Claims and sends what one queue has for one channel."""

    def __init__(
        self,
        *,
        name: str,
        queue: Queue[Message],
        channel: Channel[Message],
        pool: AsyncConnectionPool,
        clock: Clock,
        limits: Limits,
        jitter: Callable[[], float],
    ) -> None:
        self.name = name
        self._queue = queue
        self.wake = asyncio.Event()
        self._channel = channel
        self._pool = pool
        self._clock = clock
        self._limits = limits
        self._jitter = jitter
        self._sending: set[int] = set()
        self._channel_trouble = Trouble("outbox.channel", name)
        self._database_trouble = Trouble("outbox.database", name)

    async def run(self) -> None:
        """Send what is due, for ever; cancel to stop. What is in flight then is due again later."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                give_way()
                self.wake.clear()
                await self.start_due(tasks)
                await self._pause()

    async def drain(self) -> int:
        """Send all that is due at this instant; how many were sent, whatever came of them."""
        sent = 0
        while True:
            async with asyncio.TaskGroup() as tasks:
                started = await self.start_due(tasks)
            if not started:
                return sent
            sent += started

    async def close(self) -> None:
        """Close the channel; idempotent."""
        await self._channel.close()

    async def start_due(self, tasks: asyncio.TaskGroup) -> int:
        """Claim as many as there are free places and start sending them; how many."""
        free = self._limits.at_once - len(self._sending)
        if not free:
            return 0
        try:
            claimed = await self._claim(free)
        except DATABASE_AWAY as error:
            self._database_trouble.met(type(error).__name__)
            return 0
        self._database_trouble.over()
        for message, dropped in claimed:
            self._sending.add(message.id)
            task = self._deliver(message, dropped)
            tasks.create_task(task, name=f"outbox.{self.name}.send")
        return len(claimed)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll):
                await self.wake.wait()
        except TimeoutError:
            return

    async def _claim(self, limit: int) -> list[tuple[Message, Dropped | None]]:
        now = self._clock.now()
        parameters = {
            "channel": self.name,
            "now": to_datetime(now),
            "lease_until": to_datetime(now + self._limits.lease),
            "too_far": to_datetime(now + self._limits.lease + LONGEST),
            "sending": list(self._sending),
            "limit": limit,
        }
        async with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query(self._queue.claim), parameters)
            return [self._queue.read(row, now) for row in await cursor.fetchall()]

    async def _deliver(self, message: Message, dropped: Dropped | None) -> None:
        try:
            result = dropped or await self._send(message)
            await self._settle(message, result)
        except DATABASE_AWAY as error:
            self._database_trouble.met(type(error).__name__)
        finally:
            self._sending.discard(message.id)
            self.wake.set()

    async def _send(self, message: Message) -> Result:
        try:
            async with asyncio.timeout(self._limits.patience):
                result = await self._channel.send(message)
        except TimeoutError:
            result = Retry(f"no answer within {self._limits.patience:.2f} s")
        except Exception as error:
            log.exception("A channel broke.", extra={"action": "outbox.channel_broke"})
            result = Retry(f"the channel broke: {type(error).__name__}")
        if isinstance(result, Retry):
            self._channel_trouble.met(result.reason)
        else:
            self._channel_trouble.over()
        return result

    async def _settle(self, message: Message, result: Result | Dropped) -> None:
        now = self._clock.now()
        state, outcome, detail = _verdict(result)
        retry = next_attempt(message.attempts + 1, now, self._jitter())
        row = {
            "id": message.id,
            "at": to_datetime(now),
            "state": state,
            "outcome": outcome,
            "detail": detail,
            "delivered_at": to_datetime(now) if state == "delivered" else None,
            "next_attempt_at": to_datetime(retry) if state == "queued" else None,
        }
        async with self._pool.connection() as conn:
            await conn.execute(query(self._queue.settle), row)
            await conn.execute(query(self._queue.write_attempt), row)
        self._report(message, outcome, detail, now)

    def _report(self, message: Message, outcome: str, detail: str, now: Micros) -> None:
        extra = {
            "action": f"{self._queue.word}.{outcome}",
            self._queue.word: message.id,
            "alert": message.alert,
            "channel": self.name,
            "attempt": message.attempts + 1,
            "detail": detail,
            "seconds_since_opened": (now - message.opened_at) / 1e6,
        }
        level = {"delivered": logging.INFO, "rejected": logging.ERROR}.get(outcome, logging.DEBUG)
        log.log(level, "A %s was tried.", self._queue.word, extra=extra)


_AnyLane: TypeAlias = Lane[Notification] | Lane[Downlink]


class _Same(TypedDict):
    """What all lanes have in common."""

    pool: AsyncConnectionPool
    clock: Clock
    limits: Limits
    jitter: Callable[[], float]


async def dispatch(
    pool: AsyncConnectionPool,
    channels: Mapping[str, Channel[Notification]],
    clock: Clock,
    *,
    devices: Channel[Downlink] | None = None,
    limits: Limits = Limits(),
    jitter: Callable[[], float] = random.random,
) -> None:
    """Send what is queued for these channels, by name, until cancelled; then close them.

    devices: the way to devices; None leaves what is queued for them where it is. Survives outages
    of the database and of channels. Keeps one of the pool's connections to itself for LISTEN.
    jitter: numbers in [0, 1).
    """
    same: _Same = {"pool": pool, "clock": clock, "limits": limits, "jitter": jitter}
    lanes: list[_AnyLane] = [
        Lane(name=name, queue=NOTIFICATIONS, channel=channel, **same)
        for name, channel in channels.items()
    ]
    if devices is not None:
        lanes.append(Lane(name=DOWN, queue=DOWNLINKS, channel=devices, **same))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_listen(pool, lanes, limits), name="outbox.listen")
            for lane in lanes:
                tasks.create_task(lane.run(), name=f"outbox.{lane.name}")
    finally:
        for lane in lanes:
            await lane.close()


async def _listen(pool: AsyncConnectionPool, lanes: Sequence[_AnyLane], limits: Limits) -> None:
    trouble = Trouble("outbox.database", "listen")
    while True:
        give_way()
        try:
            await _hear(pool, lanes, trouble)
        except DATABASE_AWAY as error:
            trouble.met(type(error).__name__)
        await asyncio.sleep(limits.poll)


async def _hear(pool: AsyncConnectionPool, lanes: Sequence[_AnyLane], trouble: Trouble) -> None:
    async with pool.connection() as conn:
        try:
            await conn.set_autocommit(True)
            await conn.execute("LISTEN gridwarden_outbox")
            trouble.over()
            _wake(lanes)
            give_way()
            async with aclosing(notifications(conn)) as heard:
                async for _ in heard:
                    _wake(lanes)
        finally:
            await conn.close()


def _wake(lanes: Sequence[_AnyLane]) -> None:
    for lane in lanes:
        lane.wake.set()


def _verdict(result: Result | Dropped) -> tuple[str, str, str]:
    match result:
        case Dropped():
            return "dropped", "dropped", result.value
        case Delivered(detail):
            return "delivered", "delivered", _storable(detail)
        case Retry(reason):
            return "queued", "retry", _storable(reason)
        case Rejected(reason):
            return "rejected", "rejected", _storable(reason)


def _storable(text: str) -> str:
    """What PostgreSQL can keep of a far side's words: it has no text with NUL or half a pair."""
    known = text[:LONGEST_DETAIL].encode("utf-8", "replace").decode("utf-8")
    return known.replace("\0", "\N{REPLACEMENT CHARACTER}")
