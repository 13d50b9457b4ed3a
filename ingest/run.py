"""The collecting loop: receive, decode, commit, acknowledge, hand over.

A database that is away stops the loop, not the service: the batch in hand is tried again, nothing
is acknowledged, and the broker's queue holds the rest; so with a disk that is full, or a database
that is read-only: each is told once, with what to do. A commit of which the answer was lost is
looked for before the batch is written again. A message on which decoding breaks, or that the
database refuses, is found by halving its batch and kept as rejected.

What devices announced is remembered as of the last commit: each try of a batch, and each part of
it, is decoded from there. What a batch asks of devices goes out after its commit, once, and is lost
with a crash: the need for it is told again by the next message.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from random import SystemRandom
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from devices import topic
from devices.cancelling import give_way
from devices.errors import RejectReason
from devices.formats.memory import NOTHING, Memory
from devices.instant import Clock, Micros
from devices.inventory import Inventory
from ingest.backoff import Backoff
from ingest.decode import Limits, decode
from ingest.decoded import Decoded, refused
from ingest.errors import TooManyDaysError, UndecodableError
from ingest.fate import Counts
from ingest.ledger import balance, total
from ingest.limit import NO_LIMIT, Allowance, Charge, Limiter
from ingest.message import RawMessage
from ingest.source import Source
from ingest.store import CommittedBatch, is_committed, store
from ingest.tally import Tally
from ingest.trouble import trouble

log = logging.getLogger(__name__)

HandOver = Callable[[CommittedBatch], Awaitable[None]]
Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

_POISON = (psycopg.DataError, ValueError, ArithmeticError, UndecodableError, TooManyDaysError)
"""What a message can cause by what it says; every other error is the database's trouble."""

_MANY_DAYS = 100
"""A transaction over more days than this may take more locks than the database has: each day is a
table of its own."""

_CONNECTION_TIMEOUT = 5.0


@dataclass(kw_only=True)
class Collector:
    """One shard's loop.

    inventory: gives the present one for each batch · hand_over: awaited for each committed batch,
    in order · limits: which times are possible · memory: what devices announced, as of the last
    commit · limiter: None: no device is limited · backoff: between tries of a failing database ·
    tally: what it did, in figures.
    """

    source: Source
    pool: Pool
    inventory: Callable[[], Inventory]
    clock: Clock
    hand_over: HandOver
    limits: Limits
    memory: Memory = NOTHING
    limiter: Limiter | None = None
    shard: int = 0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.1, longest=5.0))
    tally: Tally = field(default_factory=Tally)
    failures: int = 0
    """Tries in a row that the database has failed."""
    committed: Counts = field(default_factory=lambda: total(()))
    """Messages committed since the start."""
    _trouble: str = ""
    _in_doubt: CommittedBatch | None = field(default=None, init=False)
    """The try before, written whole; whether it was committed was not heard."""

    async def run(self) -> None:
        """Collect until the source is stopped; ends after the batch in hand."""
        while messages := await self.source.receive():
            async for part, batch in self._commit(messages):
                self.committed = total((self.committed, batch.counts))
                self.source.acknowledge(part)
                await self.hand_over(batch)
        self._report_balance()

    async def _commit(
        self, messages: Sequence[RawMessage]
    ) -> AsyncIterator[tuple[Sequence[RawMessage], CommittedBatch]]:
        """Commit these in as many parts as it takes, in order; ends early if stopped."""
        parts = [messages]
        while parts:
            part = parts.pop()
            try:
                decoded, charge = self._decode(part)
                batch = await self._store(decoded, last=not parts)
            except _POISON as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += (part[middle:], part[:middle])
                    continue
                decoded, charge = self._refuse(part[0], error), None
                batch = await self._store(decoded, last=not parts)
            if batch is None:
                return
            self.memory = self.memory.after(decoded.changes)
            self._command(decoded)
            self._settle(charge)
            yield part, batch

    async def _store(self, decoded: Decoded, *, last: bool) -> CommittedBatch | None:
        """Try until the database has an answer; None if the source is stopped before that."""
        self._in_doubt = None
        while True:
            give_way()
            try:
                batch = await self._transaction(decoded, last=last)
            except _POISON:
                raise
            except psycopg.Error as error:
                if isinstance(error, psycopg.errors.OutOfMemory) and decoded.days() > _MANY_DAYS:
                    raise TooManyDaysError(f"it spans {decoded.days()} days: {error}") from error
                self._fail(error)
                if self.source.stopping:
                    return None
                await asyncio.sleep(self.backoff.delay(self.failures, SystemRandom().random()))
            else:
                self._recover()
                return batch

    async def _transaction(self, decoded: Decoded, *, last: bool) -> CommittedBatch:
        now = self.clock.now()
        loop = asyncio.get_running_loop()
        began = loop.time()
        heard = self.source.heard_with_batch if last else self.source.heard_until
        async with self.pool.connection(_CONNECTION_TIMEOUT) as conn:
            before = self._in_doubt
            if before is not None and await is_committed(conn, before, self.shard):
                batch = before
            else:
                known = replace(decoded, heard=self.source.heard_until(now))
                batch = await self._write(conn, known, now, heard(now))
                self._in_doubt = batch
        # Nothing waits from here to the acknowledgement: the tally and the source agree.
        self.tally.committed(decoded, batch, now=self.clock.now(), took_s=loop.time() - began)
        return batch

    async def _write(
        self, conn: psycopg.AsyncConnection[Any], decoded: Decoded, now: Micros, heard: Micros
    ) -> CommittedBatch:
        try:
            return await store(conn, decoded, shard=self.shard, now=now, heard_until=heard)
        except psycopg.errors.ReadOnlySqlTransaction:
            # A session stays as it began; a new one may find the primary, or be let write.
            await conn.close()
            raise

    def _decode(self, messages: Sequence[RawMessage]) -> tuple[Decoded, Charge | None]:
        inventory, now = self.inventory(), self.clock.now()

        def read(wanted: Sequence[RawMessage]) -> Decoded:
            return decode(wanted, inventory, self.limits, self.memory)

        try:
            if self.limiter is None:
                return read(messages), None
            self.limiter.adopt(inventory)
            return self.limiter.decode(messages, now - self.source.heard_until(now), read)
        except Exception as error:
            raise UndecodableError(f"decoding broke: {type(error).__name__}: {error}") from error

    def _settle(self, charge: Charge | None) -> None:
        """Take over what a committed batch cost its devices; tell of those that send too much."""
        begun = self.limiter.settle(charge) if self.limiter and charge else ()
        for device in begun:
            log.warning(
                "A device sends too much; what is beyond its share is kept as rejected.",
                extra={"action": "ingest.too_many", "device": device},
            )

    def _command(self, decoded: Decoded) -> None:
        """Publish what a committed batch asks of devices."""
        for (community, of, original), payload in decoded.commands.items():
            where = topic.command(community, of, original)
            log.info(
                "A device is asked to announce itself again.",
                extra={"action": "ingest.command", "topic": where},
            )
            self.source.publish(where, payload)

    def _refuse(self, message: RawMessage, error: Exception) -> Decoded:
        log.error(
            "A message cannot be stored; it is kept as rejected.",
            extra={"action": "ingest.unstorable", "topic": message.topic, "reason": str(error)},
        )
        return refused(message, self._device_of(message), RejectReason.UNSTORABLE, str(error))

    def _device_of(self, message: RawMessage) -> int:
        """The id of the device that sent it; 0 where that cannot be told."""
        try:
            return int(self._decode([message])[0].device[0])
        except UndecodableError:
            return 0

    def _fail(self, error: psycopg.Error) -> None:
        self.failures += 1
        self.tally.database_failures += 1
        met = trouble(error)
        if met.state != self._trouble:
            log.error(
                "The database does not take the batch; trying again.",
                extra={
                    "action": "ingest.database_away",
                    "state": met.state,
                    "reason": str(error),
                    "mend": met.mend,
                },
            )
        self._trouble = met.state

    def _recover(self) -> None:
        if self.failures:
            log.info(
                "The database takes batches again.",
                extra={"action": "ingest.database_back", "failures": self.failures},
            )
        self.failures = 0
        self._trouble = ""

    def _report_balance(self) -> None:
        """Say what became of everything that was received, and whether it adds up."""
        received, in_flight, fates = self.source.received, self.source.in_flight, self.committed
        lost = balance(fates, received=received, in_flight=in_flight)
        log.log(
            logging.ERROR if lost else logging.INFO,
            "Collecting has stopped; received = stored + duplicate + rejected + in flight"
            " + unaccounted.",
            extra={
                "action": "ledger.balance",
                "received": received,
                "stored": fates.stored,
                "duplicate": fates.duplicate,
                "rejected": fates.rejected,
                "in_flight": in_flight,
                "unaccounted": lost,
            },
        )


async def collect(
    source: Source,
    pool: Pool,
    inventory: Callable[[], Inventory],
    clock: Clock,
    hand_over: HandOver,
    *,
    limits: Limits,
    memory: Memory = NOTHING,
    allowance: Allowance = NO_LIMIT,
    shard: int = 0,
    tally: Tally | None = None,
) -> None:
    """Bring messages into the database until the source is stopped; see `Collector`."""
    collector = Collector(
        source=source,
        pool=pool,
        inventory=inventory,
        clock=clock,
        hand_over=hand_over,
        limits=limits,
        memory=memory,
        limiter=Limiter(allowance) if allowance.burst else None,
        shard=shard,
        tally=tally or Tally(),
    )
    await collector.run()
