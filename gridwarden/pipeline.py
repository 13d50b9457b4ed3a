"""Where a reading goes: the page to read first.

    MQTT message -> decoded readings -> committed batch -> PUBACK -> rule evaluation -> transition
                 -> alert -> routing -> outbox -> channel -> grid member -> acknowledgement

Three stations, three loops. Between them stands nothing but the database and one bounded line in
memory that may be lost at any moment:

1. **collect** (`ingest.run`): receive a batch, decode it (pure), store it, commit, and only then
   acknowledge it to the broker. What could not be stored is kept with its reason.
2. **judge** (here, `gridwarden.judge`): evaluate the rules over each committed batch and, with an
   empty batch, at each tick of their timers (pure: `rules.evaluate`); write alerts, recipients,
   notifications and the cursor in one transaction.
3. **deliver** (`alerts.outbox`): send each notification by its channel until it has arrived, and
   tell a device that a person called with what became of the call.

A crash anywhere repeats work and never effects: a message that was not acknowledged comes again and
is known as a duplicate; a batch behind the cursor is judged again and its alerts are known by their
identity (rule, subject, since); a notification that was sent but not marked is sent again under the
same message id.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from alerts.channels.base import Channel, Downlink, Notification
from alerts.outbox import DATABASE_AWAY, dispatch
from devices.cancelling import give_way
from devices.formats.memory import NOTHING, Memory
from devices.instant import Clock
from gridwarden.handover import Handover
from gridwarden.judge import Judge
from ingest.decode import Limits
from ingest.limit import NO_LIMIT, Allowance
from ingest.run import collect
from ingest.source import Source
from ingest.tally import Tally

log = logging.getLogger(__name__)

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]

RETRY_S = 0.5
"""Real seconds between two tries of the judge while the database is away."""


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """The three stations.

    tick_s: how often timers are looked at when nothing comes (real s) · newest: the last batch that
    was committed before · memory: what devices announced, as of that batch · tally: what collecting
    did, in figures · allowance: what each device may send · adopted: set when a changed site has
    been taken over.
    """

    pool: Pool
    source: Source
    judge: Judge
    channels: Mapping[str, Channel[Notification]]
    devices: Channel[Downlink]
    clock: Clock
    limits: Limits
    tick_s: float
    site_changed: asyncio.Event
    newest: int
    memory: Memory = NOTHING
    tally: Tally = field(default_factory=Tally)
    allowance: Allowance = NO_LIMIT
    adopted: asyncio.Event = field(default_factory=asyncio.Event)
    _collected: bool = False
    _line: Handover = field(init=False)

    async def run(self) -> None:
        """Run until the source is stopped and everything it delivered has been judged and saved."""
        self._line = Handover(newest=self.newest)
        async with asyncio.TaskGroup() as stations:
            delivering = stations.create_task(self._deliver(), name="deliver")
            stations.create_task(self._collect(), name="collect")
            await stations.create_task(self._judge(), name="judge")
            delivering.cancel()

    async def _collect(self) -> None:
        """Station 1: received, decoded, stored, committed, handed over, acknowledged."""
        await collect(
            self.source,
            self.pool,
            lambda: self.judge.site.inventory,
            self.clock,
            self._line.offer,
            limits=self.limits,
            memory=self.memory,
            tally=self.tally,
            allowance=self.allowance,
            shard=self.judge.shard,
        )
        self._collected = True

    async def _judge(self) -> None:
        """Station 2: every committed batch in order, and the timers whenever none is waiting."""
        failures = 0
        while True:
            give_way()
            try:
                busy = await self._judge_once()
                if self._collected and not busy:
                    return await self.judge.save()
            except DATABASE_AWAY as error:
                if self._collected:
                    return self._leave_unsaved(error)
                failures += 1
                await self._wait_for_database(error, failures)
                continue
            failures = 0
            if not busy:
                await self._line.wait(self.tick_s)

    async def _judge_once(self) -> bool:
        """Take over a changed site, then judge what is committed or tick; True: more may wait."""
        heard_until = self.source.heard_until(self.clock.now())
        if self.site_changed.is_set():
            await self.judge.adopt_site()
            self.site_changed.clear()
            self.adopted.set()
        batch = self._line.take(self.judge.seq)
        if batch is not None:
            await self.judge.judge(batch)
        elif self._line.behind(self.judge.seq):
            for missed in await self.judge.missed():
                await self.judge.judge(missed)
        else:
            await self.judge.tick(heard_until)
            return False
        return True

    async def _deliver(self) -> None:
        """Station 3: each notification, and each downlink, by its channel, until it has arrived."""
        await dispatch(self.pool, self.channels, self.clock, devices=self.devices)

    def _leave_unsaved(self, error: Exception) -> None:
        log.warning(
            "The database is away at the end; the next start judges again from the cursor on.",
            extra={"action": "judge.unsaved", "seq": self.judge.seq, "error": str(error)},
        )

    async def _wait_for_database(self, error: Exception, failures: int) -> None:
        if failures == 1:
            log.warning(
                "The database is away; judging waits for it.",
                extra={"action": "judge.waiting", "error": str(error)},
            )
        await asyncio.sleep(RETRY_S)
