"""The one evaluator: (plan, batch, state, now) to (state, transitions).

A timer tick is an empty batch. Readings are folded first, each subject's in the order of their
time; then timers fire up to `now`, the instant up to which everything that the broker accepted has
been heard. A rule in which an error shows is left alone and reported: it never stops the others.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from devices.instant import Micros
from devices.reading import Batch
from rules import absence, threshold, window
from rules.hearing import HEARTBEAT, Hearing
from rules.listening import listen, of_heartbeats, remember
from rules.memory import AbsenceMemory, Memory, ThresholdMemory
from rules.model import Rule
from rules.plan import Plan
from rules.silence import Rows, Silence
from rules.state import State
from rules.transition import Transition
from rules.turn import Turn


class Failure(NamedTuple):
    """A rule in which an internal error showed; what it said in this batch is left out.

    Its memory may be half changed: go on with a plan without it (`carry_over`).
    """

    rule: Rule
    error: Exception


class Evaluation(NamedTuple):
    """The new state; the transitions by `at`, then by rule, each subject's in order; failures."""

    state: State
    transitions: list[Transition]
    failures: tuple[Failure, ...]


def evaluate(plan: Plan, batch: Batch, state: State, now: Micros) -> Evaluation:
    """Judge a batch and let timers fire up to `now`, µs. The state given is not changed."""
    return advance(plan, batch, state.copy(), now)


def advance(plan: Plan, batch: Batch, state: State, now: Micros) -> Evaluation:
    """As `evaluate`, but takes the state over: it is changed in place and returned.

    For callers that have no use for the state given: nothing is copied, which with many devices and
    small batches is most of the work.
    """
    hearing = listen(plan, batch, state.silence, now)
    rows = _by_metric(plan, hearing)
    turns = _turns(plan, hearing, state.silence)
    taken = [(t, m) for t, m in zip(turns, state.memories, strict=True) if len(t.own.subject_ids)]
    failures = _each(taken, partial(_fold, rows=rows), {})
    remember(hearing, state.silence)
    failures = _each(taken, partial(_tick, now=now), failures)
    said = [t for turn in turns if turn.own.rule.code not in failures for t in turn.said]
    said.sort(key=lambda transition: transition.at)
    return Evaluation(state, said, tuple(failures.values()))


def _turns(plan: Plan, hearing: Hearing, silence: Silence) -> list[Turn]:
    beats = silence.of_heartbeats()
    ours = of_heartbeats(hearing, beats)
    return [
        Turn(plan, own, ours, beats)
        if own.metric == HEARTBEAT
        else Turn(plan, own, hearing, silence)
        for own in plan.rules
    ]


def _each(
    taken: list[tuple[Turn, Memory]],
    do: Callable[[Turn, Memory], None],
    failures: dict[str, Failure],
) -> dict[str, Failure]:
    """Let each rule that has not failed have its turn; the failures, those of this pass added."""
    failures = dict(failures)
    for turn, memory in taken:
        rule = turn.own.rule
        if rule.code not in failures:
            try:
                do(turn, memory)
            except Exception as error:  # noqa: BLE001 — one broken rule must not stop the others
                failures[rule.code] = Failure(rule, error)
    return failures


def _by_metric(plan: Plan, hearing: Hearing) -> dict[int, Rows]:
    return {own.metric: hearing.rows_of(own.metric) for own in plan.rules}


def _fold(turn: Turn, memory: Memory, rows: dict[int, Rows]) -> None:
    mine, hearing = rows[turn.own.metric], turn.hearing
    if isinstance(memory, ThresholdMemory):
        if len(mine) or len(hearing.gaps) or memory.any_silent():
            threshold.fold(turn, memory, mine)
    elif not len(mine):
        return
    elif isinstance(memory, AbsenceMemory):
        absence.fold(turn, memory, mine)
    else:
        window.fold(turn, memory, mine)


def _tick(turn: Turn, memory: Memory, now: Micros) -> None:
    if isinstance(memory, ThresholdMemory):
        threshold.tick(turn, memory, now)
    elif isinstance(memory, AbsenceMemory):
        absence.tick(turn, memory, now)
    else:
        window.tick(turn, memory, now)
