"""Backtests: recorded batches through the evaluator of the service, and nothing written anywhere.

Timers run as in the service: before what arrives next is judged, they have fired up to its arrival.
Where nothing arrives they fire in steps that grow; how long those are changes no time that is told,
for every transition dates itself by the readings and the rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from devices.instant import MINUTE, SECOND, Micros
from devices.reading import Batch, concatenate
from rules.evaluate import Failure, advance
from rules.plan import Plan, without
from rules.state import State, carry_over, fresh
from rules.transition import Transition

FIRST_STEP: Micros = 10 * SECOND
LONGEST_STEP: Micros = 5 * MINUTE
"""Where nothing arrives, timers fire after the first of these spans, then after twice that, and so
on up to the second; our choice. The service does it five times a second."""


class Step(NamedTuple):
    """A batch to judge and up to when timers then fire, µs since epoch, UTC; no rows: a tick."""

    batch: Batch
    now: Micros


def cut(rows: Batch, every: Micros) -> Iterator[Batch]:
    """These rows, which are by arrival, as batches of what arrived within `every` µs."""
    borders = np.flatnonzero(np.diff(rows.arrival // every)) + 1
    edges = [0, *borders.tolist(), len(rows)]
    for start, end in pairwise(edges):
        if end > start:
            yield rows.take(np.arange(start, end))


def cut_across(portions: Iterable[Batch], every: Micros) -> Iterator[Batch]:
    """As `cut`, of rows that come in portions: what arrived together stays together."""
    held = Batch.empty()
    for rows in portions:
        *whole, held = cut(concatenate([held, rows]), every) if len(rows) else (held,)
        yield from whole
    if len(held):
        yield held


def steps(batches: Iterable[Batch], start: Micros, end: Micros) -> Iterator[Step]:
    """The batches, which follow one another by arrival, with every tick between them.

    Timers fire up to just before the next arrival: all that came before has been heard by then.
    They end at `end`, or with the last arrival where that is later.
    """
    now, empty = start, Batch.empty()
    held = empty
    for batch in batches:
        if not len(batch):
            continue
        arrival = int(batch.arrival[0])
        yield from _until(held, now, max(now, arrival - 1))
        held, now = batch, max(now, arrival - 1, int(batch.arrival.max()))
    yield from _until(held, now, max(now, end))


def _until(held: Batch, now: Micros, end: Micros) -> Iterator[Step]:
    """The batch at hand, then ticks, up to `end`; no batch and no time: nothing."""
    span = FIRST_STEP
    if len(held):
        yield Step(held, min(now + span, end))
        now += span
    while now < end:
        now = min(now + span, end)
        yield Step(Batch.empty(), now)
        span = min(2 * span, LONGEST_STEP)


@dataclass(slots=True, eq=False)
class Replay:
    """Rules on their way through recorded readings.

    plan, state: as they are now · failures: rules that failed inside, and are out since.
    """

    plan: Plan
    state: State
    failures: list[Failure] = field(default_factory=list)

    @classmethod
    def begin(cls, plan: Plan, start: Micros) -> "Replay":
        """Nothing was heard before `start`: absence and silence count from there."""
        return cls(plan, fresh(plan, start))

    def take(self, step: Step) -> list[Transition]:
        """What the rules say of this step; a rule that fails inside is left out from there on."""
        evaluation = advance(self.plan, step.batch, self.state, step.now)
        self.state = evaluation.state
        if evaluation.failures:
            self._leave_out(evaluation.failures, step.now)
        return evaluation.transitions

    def _leave_out(self, failures: Iterable[Failure], now: Micros) -> None:
        self.failures += failures
        broken = {failure.rule.code for failure in self.failures}
        plan = without(self.plan, broken)
        self.state, _ = carry_over(self.state, self.plan, plan, now)
        self.plan = plan


def replay(
    plan: Plan, batches: Iterable[Batch], start: Micros, end: Micros
) -> Iterator[Transition]:
    """All that the rules say of these batches; failures of rules raise what failed in them."""
    own = Replay.begin(plan, start)
    for step in steps(batches, start, end):
        yield from own.take(step)
        for failure in own.failures:
            raise failure.error
