"""The judge: folds committed batches into the rules' state and writes what follows from them.

It owns the state and the cursor and is the only one to move either. Deciding is done by the pure
`rules.evaluate`; what follows from a decision is written before anything else is decided, saved or
adopted, so that a failure of the database never loses it.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from alerts.store import apply, hand_on
from devices.instant import SECOND, Clock, Micros, to_datetime, to_micros
from devices.reading import Batch
from gridwarden.orphans import find_orphans
from gridwarden.shard import Shard
from gridwarden.site_state import AppliedSite, load_site
from ingest.store import CommittedBatch, read_back
from rules.errors import RuleError
from rules.evaluate import Failure, advance
from rules.model import Rule
from rules.newest import Newest
from rules.plan import Plan, make_plan
from rules.silence import nothing_heard
from rules.state import State, carry_over, dump, fresh, restore, saved_rules
from rules.transition import Change, Transition

log = logging.getLogger(__name__)

CURSOR_EVERY: Micros = 1 * SECOND
"""A cursor that moves without effects is written at most this often (service time), by a tick where
no further batch comes."""

_SNAPSHOT = "SELECT seq, taken_at, state FROM rule_snapshots WHERE shard = %s"
_SAVE_SNAPSHOT = """
INSERT INTO rule_snapshots (shard, seq, taken_at, state) VALUES (%s, %s, %s, %s)
ON CONFLICT (shard) DO UPDATE
SET seq = excluded.seq, taken_at = excluded.taken_at, state = excluded.state
"""
_CURSOR = "SELECT seq FROM cursors WHERE shard = %s"
_LAST_COMMITTED = "SELECT last_seq FROM shards WHERE shard = %s"
_FIRST_CURSOR = """
INSERT INTO cursors (shard, seq)
SELECT %(shard)s, coalesce((SELECT last_seq FROM shards WHERE shard = %(shard)s), 0)
ON CONFLICT (shard) DO NOTHING
"""
READ_BACK = 50
"""Batches read back from the database at a time."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rules' state after batch `seq`, as saved at `taken_at` (µs since epoch, UTC)."""

    seq: int
    taken_at: Micros
    data: bytes


@dataclass(frozen=True, slots=True)
class Owed:
    """What follows from the step that the state has just taken, and is not written yet."""

    transitions: Sequence[Transition]
    seq: int


@dataclass(slots=True)
class Judge:
    """The rules' state of one shard, up to batch `seq`; `now` of the rules is 'heard until'."""

    pool: AsyncConnectionPool[AsyncConnection[TupleRow]]
    clock: Clock
    shard: int
    snapshot_every: Micros
    site: AppliedSite
    plan: Plan
    state: State
    seq: int
    shards: int = 1
    switched_off: set[str] = field(default_factory=set)
    _owed: "Owed | None" = None
    _cursor: int = 0
    _cursor_written: Micros = 0
    _snapshot_taken: Micros = 0

    @classmethod
    async def resume(
        cls,
        pool: AsyncConnectionPool[AsyncConnection[TupleRow]],
        clock: Clock,
        *,
        shard: int,
        snapshot_every: Micros,
        shards: int = 1,
    ) -> "Judge":
        """The judge as it was: the last snapshot, then every batch since, folded in again.

        It judges what shard `shard` of `shards` owns.
        """
        async with pool.connection() as conn:
            site = await load_site(conn, Shard(shard, shards))
            await conn.execute(_FIRST_CURSOR, {"shard": shard})
            cursor = await _number(conn, _CURSOR, shard)
            saved = await (await conn.execute(_SNAPSHOT, (shard,), binary=True)).fetchone()
        plan = make_plan(site.rules, site.inventory, site.zone)
        state = State(nothing_heard(0), Newest.none(), ())
        judge = cls(pool, clock, shard, snapshot_every, site, plan, state, cursor, shards)
        if saved is None:
            await judge._begin()
        else:
            await judge._restore(Snapshot(saved[0], to_micros(saved[1]), saved[2]), cursor)
        await judge._close_orphans()
        return judge

    async def _begin(self) -> None:
        """From a state before any reading."""
        self.state = fresh(self.plan, self.clock.now())
        await self.save()

    async def _restore(self, snapshot: "Snapshot", cursor: int) -> None:
        """Fold the batches from the snapshot to the cursor in again, by the snapshot's own rules.

        Those judged them before, and what followed is written. A site that was changed meanwhile
        may judge them otherwise, so what stands is told once more: that has no effect where it was
        told before. Newer rules begin after these batches. A snapshot that cannot be read is done
        without: standing alerts are in the database.
        """
        try:
            plan = self._planned(saved_rules(snapshot.data))
            state, withdrawn = restore(snapshot.data, plan, self.clock.now())
        except RuleError as error:
            _say_unreadable(snapshot, cursor, error)
            return await self._begin()
        self.plan, self.state, self.seq = plan, state, snapshot.seq
        said = await self._fold_again(cursor)
        self.seq = cursor
        full = self._planned(self._enabled(self.site))
        state, more = carry_over(self.state, self.plan, full, self.clock.now())
        return await self._adopt(self.site, full, state, [*withdrawn, *_standing(said), *more])

    def _planned(self, rules: Sequence[Rule]) -> Plan:
        """The plan of these rules over the site; the one in force where it is that."""
        if [own.rule for own in self.plan.rules] == list(rules):
            return self.plan
        return make_plan(rules, self.site.inventory, self.site.zone)

    async def _fold_again(self, cursor: int) -> list[Transition]:
        """Fold the next batches in, as far as they are kept, up to the cursor; what they say."""
        said: list[Transition] = []
        while batches := [batch for batch in await self.missed() if batch.seq <= cursor]:
            for batch in batches:
                evaluation = advance(self.plan, batch.readings, self.state, batch.heard_until)
                self.state, self.seq = evaluation.state, batch.seq
                said += evaluation.transitions
                self._switch_off(evaluation.failures)
        return said

    async def _close_orphans(self) -> None:
        """Close the standing alerts of removed rules that no state knew of."""
        async with self.pool.connection() as conn:
            orphans = await find_orphans(conn, self.clock.now(), self._own)
        if orphans:
            await self._write(orphans, self.seq)

    async def missed(self) -> list[CommittedBatch]:
        """The next committed batches after the last one judged, from the database."""
        async with self.pool.connection() as conn:
            return await read_back(conn, self.shard, self.seq, READ_BACK)

    async def last_committed(self) -> int:
        """The number of the last batch that this shard's collector committed."""
        async with self.pool.connection() as conn:
            return await _number(conn, _LAST_COMMITTED, self.shard)

    async def judge(self, batch: CommittedBatch) -> int:
        """Judge one committed batch; returns how many transitions were written."""
        written = await self._settle()
        if batch.seq <= self.seq:
            return written
        return await self._step(batch.readings, batch.heard_until, batch.seq)

    async def tick(self, heard_until: Micros) -> int:
        """Let the rules' timers fire up to `heard_until`; returns how many transitions followed."""
        await self._settle()
        return await self._step(Batch.empty(), heard_until, self.seq)

    async def _step(self, readings: Batch, heard_until: Micros, seq: int) -> int:
        """Take the state over into the next one, in place, and write what follows from that.

        A copy of it for each batch would be most of the memory and of the work.
        """
        evaluation = advance(self.plan, readings, self.state, heard_until)
        self.state, self._owed = evaluation.state, Owed(evaluation.transitions, seq)
        self._switch_off(evaluation.failures)
        if evaluation.transitions or self._cursor_due(seq):
            await self._settle()
        self.seq, self._owed = seq, None
        if evaluation.failures or self.clock.now() - self._snapshot_taken >= self.snapshot_every:
            await self.save()
        return len(evaluation.transitions)

    async def _settle(self) -> int:
        """Write what is owed: nothing else is decided before; returns how many transitions."""
        owed = self._owed
        if owed is None:
            return 0
        await self._write(owed.transitions, owed.seq)
        self.seq, self._owed = owed.seq, None
        return len(owed.transitions)

    def _cursor_due(self, seq: int) -> bool:
        return seq > self._cursor and self.clock.now() - self._cursor_written >= CURSOR_EVERY

    async def _write(self, transitions: Sequence[Transition], seq: int) -> None:
        """One transaction: alerts, history, outbox and the cursor."""
        now = self.clock.now()
        async with self.pool.connection() as conn:
            await apply(
                conn,
                transitions,
                self.site.inventory,
                self.site.roster,
                shard=self.shard,
                seq=seq,
                now=now,
                zone=self.site.zone,
            )
        self._cursor, self._cursor_written = seq, now

    async def save(self) -> None:
        """Save the rules' state with the cursor it belongs to, in one transaction."""
        await self._settle()
        await self._adopt(self.site, self.plan, self.state, ())

    async def _adopt(
        self, site: AppliedSite, plan: Plan, state: State, withdrawn: Sequence[Transition]
    ) -> None:
        """Save this state and go on from it; from before, if the database does not take it.

        Withdrawals go with it in one transaction: an older state would tell again what they ended.
        What has lost its person by now, or has found one, is handed on.
        """
        now = self.clock.now()
        # Nobody changes the state meanwhile; the collector goes on.
        data = await asyncio.to_thread(dump, state, plan)
        inventory, roster = site.inventory, site.roster
        async with self.pool.connection() as conn:
            await apply(conn, withdrawn, inventory, roster, shard=self.shard, seq=self.seq, now=now)
            await hand_on(conn, inventory, roster, now=now, ours=self._own.owns)
            await conn.execute(_SAVE_SNAPSHOT, (self.shard, self.seq, to_datetime(now), data))
        self._cursor = self.seq
        self.site, self.plan, self.state = site, plan, state
        self._snapshot_taken = self._cursor_written = now

    async def adopt_site(self) -> None:
        """Take over a newly applied site; state goes on where rule and subject are the same."""
        await self._settle()
        async with self.pool.connection() as conn:
            site = await load_site(conn, self._own)
        plan = make_plan(self._enabled(site), site.inventory, site.zone)
        state, withdrawn = carry_over(self.state, self.plan, plan, self.clock.now())
        await self._adopt(site, plan, state, withdrawn)
        await self._close_orphans()
        log.info(
            "The applied site is in force.",
            extra={"action": "site.adopted", "version": site.version, "rules": len(site.rules)},
        )

    @property
    def _own(self) -> Shard:
        return Shard(self.shard, self.shards)

    def _enabled(self, site: AppliedSite) -> list[Rule]:
        return [rule for rule in site.rules if rule.fingerprint not in self.switched_off]

    def _switch_off(self, failures: Sequence[Failure]) -> None:
        """Go on without rules that failed inside; their standing alerts stay with their people."""
        if not failures:
            return
        self.switched_off |= {failure.rule.fingerprint for failure in failures}
        rules = [own.rule for own in self.plan.rules]
        enabled = [rule for rule in rules if rule.fingerprint not in self.switched_off]
        plan = make_plan(enabled, self.site.inventory, self.site.zone)
        self.state, _kept = carry_over(self.state, self.plan, plan, self.clock.now())
        self.plan = plan
        for failure in failures:
            _say_switched_off(failure)


def _standing(said: Sequence[Transition]) -> list[Transition]:
    """Of the spans among these that did not end: how they began, and their colours since."""
    ended = {(t.rule.code, t.subject, t.since) for t in said if t.change is Change.CLEARED}
    begun = [t for t in said if t.change in {Change.FIRED, Change.GRADED}]
    return [t for t in begun if (t.rule.code, t.subject, t.since) not in ended]


def _say_switched_off(failure: Failure) -> None:
    log.error(
        "A rule failed inside and is switched off until its text is changed or the next start.",
        extra={
            "action": "rule.switched_off",
            "rule": failure.rule.code,
            "error": repr(failure.error),
        },
        exc_info=failure.error,
    )


def _say_unreadable(snapshot: Snapshot, cursor: int, error: RuleError) -> None:
    log.error(
        "The rules' saved state cannot be read: their timers and counts begin anew. Standing alerts"
        " stay; one is cleared by its sensor only if its rule fires again, else by a person.",
        extra={
            "action": "judge.snapshot_unreadable",
            "taken_at": to_datetime(snapshot.taken_at).isoformat(),
            "seq": snapshot.seq,
            "cursor": cursor,
            "error": str(error),
        },
    )


async def _number(conn: AsyncConnection[TupleRow], query: str, shard: int) -> int:
    row = await (await conn.execute(query, (shard,))).fetchone()
    return int(row[0]) if row else 0
