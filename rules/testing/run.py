"""Plays a test through the one evaluator: batches as they arrive, and timers in between.

Live, timers are looked at all the time. Here a stretch in which nothing comes is taken in steps of
at most a minute (or a part of it, where it is long); a step in which the rules say anything is gone
through again in smaller ones, down to the test's tick, so that what is told is told in order and at
its time, and a quiet night costs little.
"""

from dataclasses import dataclass, field
from itertools import groupby

from devices.instant import MINUTE, Micros
from devices.reading import Batch
from rules.evaluate import Failure, advance
from rules.plan import Plan
from rules.state import State, carry_over, fresh
from rules.testing.case import Case
from rules.testing.history import Alert, Told, alerts_of
from rules.testing.scene import Scene

LONGEST_STEP: Micros = MINUTE
MOST_STEPS = 64
"""Into so many steps a quiet stretch is divided at most, before anything shows in it."""
FINER = 8
"""Into so many parts a step is divided in which something shows."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a test: its alerts, and the rules in which an internal error showed."""

    alerts: tuple[Alert, ...]
    failures: tuple[Failure, ...]


def play(case: Case, scene: Scene) -> Played:
    """The alerts of this test; it goes on one tick after its end, as what is due there is told."""
    start = case.scale.start
    plan = scene.moved(case.away_at(start)).plan
    player = _Player(plan, case.tick, start, fresh(plan, start))
    said = {at: list(rows) for at, rows in groupby(case.said, key=lambda one: one.arrival)}
    moves = {at for stay in case.away for at in stay[1:] if at is not None and at > start}
    for at in sorted(said.keys() | moves):
        if at > case.until or player.failures:
            break
        player.wait(at - 1)
        if at in moves:
            player.move(scene.moved(case.away_at(at)).plan, at)
        if at in said:
            player.take(Batch.of(one.reading() for one in said[at]), at)
    if not player.failures:
        player.wait(case.until + case.tick)
    return Played(alerts_of(player.told, case.until), player.failures)


@dataclass(slots=True)
class _Player:
    """The rules' state as of `now`, µs: everything up to then has been heard."""

    plan: Plan
    tick: Micros
    now: Micros
    state: State
    told: list[Told] = field(default_factory=list)
    failures: tuple[Failure, ...] = ()

    def take(self, batch: Batch, now: Micros) -> bool:
        """Judge what arrives now, the state in place; whether the rules said anything."""
        done = advance(self.plan, batch, self.state, now)
        self.told += [Told(transition, now) for transition in done.transitions]
        self.state, self.now, self.failures = done.state, now, done.failures
        return bool(done.transitions or done.failures)

    def move(self, plan: Plan, now: Micros) -> None:
        """Go on with the plan of a changed place, as the service does when it is applied."""
        self.state, withdrawn = carry_over(self.state, self.plan, plan, now)
        self.told += [Told(transition, now) for transition in withdrawn]
        self.plan = plan

    def wait(self, until: Micros) -> None:
        """Let timers run, while nothing comes."""
        stretch = until - self.now
        if stretch > 0:
            self._run(until, self._whole(max(LONGEST_STEP, stretch // MOST_STEPS)))

    def _run(self, until: Micros, step: Micros) -> None:
        """Tick in such steps; one that tells anything is undone and taken in finer ones."""
        again = self._mark() if step > self.tick else None
        for now in [*range(self.now + step, until, step), until]:
            before = len(self.told)
            told = self.take(Batch.empty(), now)
            if told and again is not None:
                del self.told[before:]
                self._go_back(again)
                self._run(now, self._whole(step // FINER))
                again = self._mark()
            elif again is not None:
                again.quiet.append(now)
            if self.failures:
                return

    def _mark(self) -> "_Mark":
        return _Mark(self.state.copy(), self.now)

    def _go_back(self, mark: "_Mark") -> None:
        """To the last step after the mark in which nothing was told; the mark is used up."""
        self.state, self.now, self.failures = mark.state, mark.now, ()
        for now in mark.quiet:
            self.take(Batch.empty(), now)

    def _whole(self, step: Micros) -> Micros:
        """The step as a whole number of ticks, at least one."""
        return max(step // self.tick, 1) * self.tick


@dataclass(slots=True)
class _Mark:
    """A copy of the state as it was, and the steps since, in none of which anything was told."""

    state: State
    now: Micros
    quiet: list[Micros] = field(default_factory=list)
