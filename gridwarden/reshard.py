"""Changing the number of shards: `gridwarden reshard N`, while no worker runs.

Old and new sessions hear the same for a moment; a mark parts what each of them has. Published once,
it lies in all of them at the same place (`ingest.parting`): what is before it the old sessions'
collectors store and judge, what is after it the new workers will.

1. *moving*: the old sessions are collected from, as a worker would; the new ones are subscribed;
   then the mark is published, and the old ones are collected up to it.
2. The cut, one transaction: the rules' states go to their new shards, and the layout changes.
3. *settling*: the old sessions are ended, and what lies before the mark in the new ones is
   acknowledged unread.

Interrupted before the cut it begins anew: the new sessions are thrown away, the old ones have all.
Interrupted after it, the rest is done. Until then no worker starts.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from devices.cancelling import give_way
from devices.instant import SECOND, Clock, to_datetime
from devices.inventory import Inventory
from devices.registry import lock_site
from devices.topic import MARK
from gridwarden.clock import clock_of
from gridwarden.collecting import allowance_of, limits_of, open_source
from gridwarden.errors import NotMigratedError, ShardError
from gridwarden.judge import Judge
from gridwarden.layout import Layout, read_layout
from gridwarden.migrate import missing
from gridwarden.pending import SQL
from gridwarden.pipeline import Pool
from gridwarden.service import open_pool
from gridwarden.sessions import Sessions, connected
from gridwarden.settings import Settings
from gridwarden.shard import Shard, layout, owner, spanning
from gridwarden.site_state import AppliedSite, load_site
from gridwarden.subscriptions import Topics, record
from ingest.announced import announced
from ingest.run import collect
from ingest.source import Source
from ingest.store import CommittedBatch, claim_shard
from rules.model import SubjectKind
from rules.regroup import regroup
from rules.state import dump
from rules.transition import Subject

Connection: TypeAlias = AsyncConnection[Any]
Tell = Callable[[str], None]

TELL_EVERY_S = 10.0
"""Real seconds between two words on how far collecting is; a mark must come within that."""

LOOKS, LOOK_EVERY_S = 15, 0.2
"""How often, and after how many real seconds each, a lease that another has is looked at."""

_VERSION = b"SELECT coalesce(max(version), 0) FROM site_versions"
_GOING = "UPDATE shard_layout SET going_to = %s"
_CUT = "UPDATE shard_layout SET shards = %s, going_to = NULL, came_from = %s, mark = %s"
_SETTLED = "UPDATE shard_layout SET came_from = NULL, mark = NULL"
_FORGET_TOPICS = "DELETE FROM shard_subscriptions WHERE shards = %s"
_BEGIN = "INSERT INTO shards (shard) VALUES (%(shard)s) ON CONFLICT DO NOTHING"
_CURSOR = (SQL / "shard_cursor.sql").read_bytes()
_SNAPSHOT = (SQL / "shard_snapshot.sql").read_bytes()
_UNJUDGED = (SQL / "shards_unjudged.sql").read_bytes()


def say_nothing(_text: str) -> None:
    """Tells nobody how far it is."""


async def reshard(settings: Settings, shards: int, tell: Tell = say_nothing) -> None:
    """Bring the database and the broker's sessions to so many shards; see above.

    tell: called with a sentence at each step. ShardError where a worker runs, a rule stands against
    it, or it has to be begun again; NotMigratedError, SourceError, psycopg.Error.
    """
    wanted = layout(shards)
    url = settings.database_url.get_secret_value()
    lacking = await asyncio.to_thread(missing, url)
    if lacking:
        raise NotMigratedError(f"the database lacks {', '.join(lacking)}; run `gridwarden migrate`")
    async with alone(url, len(wanted)) as held, open_pool(settings) as pool:
        change = Change(settings, held, pool, clock_of(settings), tell)
        await change.to(len(wanted))


@contextlib.asynccontextmanager
async def alone(database_url: str, shards: int) -> AsyncIterator[Connection]:
    """A connection that holds the leases of the old and the new layout; ShardError if one runs."""
    async with await AsyncConnection[Any].connect(
        database_url, autocommit=True, connect_timeout=5
    ) as held:
        found = await read_layout(held)
        known = (found.shards, found.going_to, found.came_from) if found else ()
        most = max(shards, *(number or 0 for number in known)) if known else shards
        running = await _taken(held, most)
        if running:
            named = ", ".join(map(str, running))
            raise ShardError(f"a worker runs for shard {named}: stop all workers first")
        yield held


async def _taken(held: Connection, most: int) -> list[int]:
    """Of the first `most` shards those whose lease another has; `held` has the others then.

    The server takes a moment to see that whoever had one was killed.
    """
    others = list(range(most))
    for _ in range(LOOKS):
        others = [number for number in others if not await claim_shard(held, number)]
        if not others:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return others


@dataclass(slots=True)
class Change:
    """A change of the layout. held: holds the leases; what is decided is committed through it."""

    settings: Settings
    held: Connection
    pool: Pool
    clock: Clock
    tell: Tell
    _sessions: Sessions = field(init=False)
    _judges: list[Judge] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._sessions = Sessions(self.settings, self.pool, self.clock)

    async def to(self, shards: int) -> None:
        """Finish what was begun before, then go to so many shards."""
        now = await read_layout(self.held)
        if now is None:
            await self.held.execute("INSERT INTO shard_layout (shards) VALUES (%s)", (shards,))
            return self.tell("No worker has run yet: nothing had to be moved.")
        if now.came_from is not None:
            await self._settle(now)
        if now.going_to is not None and shards not in {now.going_to, now.shards}:
            raise ShardError(
                f"a change from {now.shards} to {now.going_to} shards is not finished; run "
                f"`gridwarden reshard {now.going_to}` to finish it, or "
                f"`gridwarden reshard {now.shards}` to give it up"
            )
        if shards == now.shards:
            if now.going_to is not None:
                await self._give_up(now.going_to)
            return self.tell(f"The layout has {shards} shards.")
        await self._move(now.shards, shards)
        return await self._settle(await self._layout())

    async def _move(self, before: int, after: int) -> None:
        """Steps 1 and 2."""
        site = await self._checked_site(after)
        await self.held.execute(_GOING, (after,))
        mark = secrets.token_hex(16)
        async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as open_sessions:
            begun = [await self._begin(shard, mark, open_sessions) for shard in layout(before)]
            sources = [source for source, _ in begun]
            collecting = [
                tasks.create_task(self._collect(source, judge), name=f"collect {judge.shard}")
                for source, judge in begun
            ]
            await self._subscribe(site, after)
            await self._sessions.mark(mark)
            telling = tasks.create_task(self._tell_progress(sources), name="progress")
            await asyncio.gather(*collecting)
            telling.cancel()
        for shard in layout(after):
            await self._sessions.look_for(mark, shard, site.inventory)
        await self._cut(before, after, mark, site.version)

    async def _checked_site(self, after: int) -> AppliedSite:
        async with self.pool.connection() as conn:
            site = await load_site(conn)
        refused = spanning(site.rules, site.inventory) if after > 1 else ()
        if refused:
            codes = ", ".join(sorted(rule.code for rule in refused))
            raise ShardError(
                f"several workers cannot judge {codes}: it is over areas above the community; "
                "judge it by community or below, or take it out of the site (docs/scaling.md)"
            )
        return site

    async def _begin(
        self, shard: Shard, mark: str, open_sessions: contextlib.AsyncExitStack
    ) -> tuple[Source, Judge]:
        """An old shard as its worker had it, up to date with what is stored, and its session."""
        every = round(self.settings.snapshot_every_s * SECOND)
        judge = await Judge.resume(
            self.pool, self.clock, shard=shard.number, shards=shard.of, snapshot_every=every
        )
        self._judges.append(judge)
        while missed := await judge.missed():
            give_way()
            for batch in missed:
                await judge.judge(batch)
        async with self.pool.connection() as conn:
            topics = await record(conn, shard, judge.site.inventory.communities)
        heard = Topics((*topics.wanted, MARK), topics.left)
        source = await open_source(self.pool, self.settings, self.clock, shard, heard, until=mark)
        await open_sessions.enter_async_context(source)
        await connected(source)
        return source, judge

    async def _collect(self, source: Source, judge: Judge) -> None:
        """Store and judge up to the mark, and save the rules' state."""

        async def judged(batch: CommittedBatch) -> None:
            await judge.judge(batch)

        async with self.pool.connection() as conn:
            memory = await announced(conn)
        await collect(
            source,
            self.pool,
            lambda: judge.site.inventory,
            self.clock,
            judged,
            limits=limits_of(self.settings),
            memory=memory,
            allowance=allowance_of(self.settings),
            shard=judge.shard,
        )
        await judge.save()

    async def _tell_progress(self, sources: Sequence[Source]) -> None:
        """Until cancelled; ShardError where all is collected and the mark has not come."""
        stored = -1
        while True:
            give_way()
            before, stored = stored, sum(source.acknowledged for source in sources)
            idle = (s.stopping or (s.settled and not s.in_flight) for s in sources)
            if stored == before and all(idle):
                raise ShardError(
                    "the broker did not give the mark to the old sessions; nothing was changed: "
                    "run the command again"
                )
            self.tell(f"Collecting what the old sessions have: {stored} messages …")
            await asyncio.sleep(TELL_EVERY_S)

    async def _subscribe(self, site: AppliedSite, after: int) -> None:
        """The new sessions, as if there had been none before, each with its communities."""
        self.tell(f"Subscribing {after} new sessions …")
        async with self.pool.connection() as conn:
            await conn.execute(_FORGET_TOPICS, (after,))
            for shard in layout(after):
                await record(conn, shard, shard.part_of(site.inventory).communities)
        for shard in layout(after):
            await self._sessions.subscribe(shard, site.inventory)

    async def _cut(self, before: int, after: int, mark: str, version: int) -> None:
        """Step 2: from here on the new layout is in force."""
        states = await asyncio.to_thread(self._states, before, after)
        now = to_datetime(self.clock.now())
        async with self.held.transaction():
            await lock_site(self.held)
            if await self._number(_VERSION) != version:
                raise ShardError("a site was applied meanwhile; run the command again")
            if await self._number(_UNJUDGED, (before,)):
                raise ShardError("batches were stored that nobody has judged; run it again")
            for number, state in enumerate(states):
                values = {"shard": number, "now": now, "state": state}
                for statement in (_BEGIN, _CURSOR, _SNAPSHOT):
                    await self.held.execute(statement, values)
            await self.held.execute("DELETE FROM undated_messages")
            await self.held.execute("DELETE FROM collectors")
            await self.held.execute(_FORGET_TOPICS, (before,))
            await self.held.execute(_CUT, (after, before, mark))
        self.tell(f"The layout has {after} shards.")

    def _states(self, before: int, after: int) -> Sequence[bytes]:
        """The rules' states of the new shards, and empty ones of old shards that are no more."""
        saved = [dump(judge.state, judge.plan) for judge in self._judges]
        places = [judge.site.inventory for judge in self._judges]
        community = _communities(places)

        def new_owner(subject: Subject) -> int:
            # What has no place any more is withdrawn by whichever worker has it.
            return owner(community.get(subject, ""), after)

        nothing = regroup([], new_owner, max(0, before - after))
        return [*regroup(saved, new_owner, after), *nothing]

    async def _settle(self, now: Layout) -> None:
        """Step 3."""
        self.tell("Ending the old sessions …")
        for shard in layout(now.came_from or 0):
            await self._sessions.end(shard)
        async with self.pool.connection() as conn:
            site = await load_site(conn)
            for shard in layout(now.shards):
                await record(conn, shard, shard.part_of(site.inventory).communities)
        for shard in layout(now.shards):
            if not await self._sessions.trim(now.mark or "", shard, site.inventory):
                self.tell(
                    f"The broker has lost the mark of shard {shard}: nothing is thrown away there, "
                    "and readings without a time of their own may be stored twice."
                )
        await self.held.execute(_SETTLED)
        self.tell("Done; start the workers.")

    async def _give_up(self, going_to: int) -> None:
        """Back to the layout in force: its sessions have everything."""
        for shard in layout(going_to):
            await self._sessions.end(shard)
        async with self.held.transaction():
            await self.held.execute(_FORGET_TOPICS, (going_to,))
            await self.held.execute(_GOING, (None,))
        self.tell(f"The change to {going_to} shards is given up.")

    async def _layout(self) -> Layout:
        found = await read_layout(self.held)
        assert found is not None, "it was written before"  # noqa: S101
        return found

    async def _number(self, query: bytes, values: Sequence[object] = ()) -> int:
        async with self.held.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(query, values)
            row = await cursor.fetchone()
        return int(row[0]) if row else 0


def _communities(inventories: Sequence[Inventory]) -> Mapping[Subject, str]:
    """The community of each subject that rules may have."""
    found: dict[Subject, str] = {}
    for inventory in inventories:
        of_area: dict[int, str] = {}
        for area in inventory.areas:
            own = inventory.community_of(area)
            if own is not None:
                of_area[area] = own.code
                found[Subject(SubjectKind.AREA, area)] = own.code
        for household in inventory.households.values():
            if household.area in of_area:
                found[Subject(SubjectKind.HOUSEHOLD, household.id)] = of_area[household.area]
        for device in inventory.devices.values():
            found[Subject(SubjectKind.DEVICE, device.id)] = device.community
    return found
