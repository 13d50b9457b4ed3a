"""Whose turn it is: the rules that a batch concerns, and those whose timers are to be looked at.

A rule that watches none of the batch's metrics, and whose timers are not due, has no turn at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import I64
from rules.hearing import HEARTBEAT, Hearing
from rules.listening import of_heartbeats
from rules.newest import Newest
from rules.plan import Plan, RulePlan
from rules.screen import Screened, screen
from rules.silence import Silence
from rules.turn import Turn

Looks: TypeAlias = list[Micros]
"""By the number of a rule, from when on its timers are to be looked at; empty: all at once.

They only save looking and are never saved.
"""

ALWAYS: Micros = NEVER
"""For rules that are to be looked at with every batch."""


class Turns(Sequence[Turn]):
    """The turns of all rules at one batch, by number; each is made when it is asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._heard: dict[Micros, tuple[Hearing, Silence]] = {}
        self._beats: dict[Micros, tuple[Hearing, Silence]] = {}
        self._newest: dict[Micros, tuple[Newest, Screened]] = {}
        self._made: dict[int, Turn] = {}

    def hear(self, late: Micros, hearing: Hearing, silence: Silence, newest: Newest) -> Screened:
        """What rules of this lateness hear; `silence` and `newest` are as before the batch.

        Returns what rules on thresholds look at.
        """
        self._heard[late] = hearing, silence
        beats = silence.of_heartbeats()
        plan = self.plan
        watched = HEARTBEAT in plan.watching[late] or HEARTBEAT in plan.screening[late]
        ours = of_heartbeats(hearing, beats) if watched else hearing
        self._beats[late] = ours, beats
        screened = screen(plan.cells, hearing, ours, newest)
        self._newest[late] = newest, screened
        return screened

    def screened(self, late: Micros) -> Screened:
        """What rules on thresholds of this lateness look at."""
        return self._newest[late][1]

    def hearing(self, late: Micros) -> Hearing:
        """The batch as rules of this lateness hear it, but for those on `heartbeat`."""
        return self._heard[late][0]

    def back(self, late: Micros) -> I64:
        """The devices whose silence ended with it, with repeats."""
        hearing, beats = self._heard[late][0], self._beats[late][0]
        back = hearing.words.device.take(hearing.gaps)
        if beats is hearing or not len(beats.gaps):
            return back
        return np.concatenate([back, beats.words.device.take(beats.gaps)])

    def _of(self, own: RulePlan) -> tuple[Hearing, Silence]:
        return (self._beats if own.metric == HEARTBEAT else self._heard)[own.rule.lateness]

    def __len__(self) -> int:
        return len(self.plan.rules)

    def __getitem__(self, number: int) -> Turn:  # type: ignore[override]
        turn = self._made.get(number)
        if turn is None:
            own = self.plan.rules[number]
            newest = self._newest[own.rule.lateness]
            turn = self._made[number] = Turn(self.plan, own, *self._of(own), *newest)
        return turn

    def told(self, number: int) -> bool:
        """Whether this rule has said anything."""
        turn = self._made.get(number)
        return turn is not None and len(turn.said) > 0

    def telling(self) -> list[Turn]:
        """Those that said anything, in order."""
        return [self._made[n] for n in sorted(n for n, turn in self._made.items() if turn.said)]


def watching(by_metric: Mapping[int, Sequence[int]], metrics: Iterable[int]) -> set[int]:
    """The numbers of the rules that watch any of these metrics."""
    found = set[int]()
    for metric in metrics:
        found.update(by_metric.get(metric, ()))
    return found
