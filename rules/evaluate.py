"""The one evaluator: (plan, batch, state, now) to (state, transitions).

A timer tick is an empty batch. Readings are folded first, each subject's in the order of their
time; then timers fire up to `now`, the instant up to which everything that the broker accepted has
been heard. A rule in which an error shows is left alone and reported: it never stops the others.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from devices.instant import Micros
from devices.reading import Batch
from rules import (
    absence,
    correlation,
    in_a_row,
    measure,
    missing,
    occupancy,
    replaced,
    risk,
    score,
    sequence,
    threshold,
    window,
    without,
)
from rules.correlation import CorrelationMemory
from rules.hearing import HEARTBEAT, Hearing
from rules.in_a_row import InARowMemory
from rules.inhibition import inhibit
from rules.listening import listen, of_heartbeats, remember
from rules.measured import BaselineMemory, GrowthMemory, PaneMemory, SetMemory
from rules.memory import AbsenceMemory, Memory, ThresholdMemory, WindowMemory
from rules.model import Rule
from rules.occupancy import OccupancyMemory
from rules.plan import Plan
from rules.replaced import ReplacedMemory
from rules.risk import RiskMemory
from rules.score import ScoreMemory
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
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
    turns: dict[int, Turn] = {}
    failures: dict[str, Failure] = {}
    for late, numbers in plan.groups.items():
        stream = _stream(batch, state, late, now)
        of_group, failures = _judge(plan, stream, numbers, state.memories, failures)
        turns |= dict(zip(numbers, of_group, strict=True))
    in_order = [turns[number] for number in range(len(turns))]
    inhibit(in_order, state, now, frozenset(failures))
    failures = _each_index(list(zip(in_order, state.memories, strict=True)), now, failures)
    telling = (t for t in in_order if t.own.rule.told and t.own.rule.code not in failures)
    said = [transition for turn in telling for transition in turn.said]
    said.sort(key=lambda transition: transition.at)
    return Evaluation(state, said, tuple(failures.values()))


class _Stream(NamedTuple):
    """What rules of one lateness hear: rows, what was heard before, up to when all is heard."""

    batch: Batch
    silence: Silence
    now: Micros


def _stream(batch: Batch, state: State, late: Micros, now: Micros) -> _Stream:
    if not late:
        return _Stream(batch, state.silence, now)
    waiting = state.waiting[late]
    waiting.put(batch)
    return _Stream(waiting.release(now - late, late), waiting.silence, now - late)


def _judge(
    plan: Plan,
    stream: _Stream,
    numbers: Sequence[int],
    memories: Sequence[Memory],
    failures: dict[str, Failure],
) -> tuple[list[Turn], dict[str, Failure]]:
    """Let the rules of these numbers hear what is new, and their timers fire."""
    batch, silence, now = stream
    hearing = listen(plan, batch, silence, now)
    turns = _turns(plan, numbers, hearing, silence)
    pairs = zip(turns, (memories[number] for number in numbers), strict=True)
    taken = [(turn, memory) for turn, memory in pairs if len(turn.own.subject_ids)]
    failures = _each(taken, _fold, failures)
    remember(hearing, silence)
    return turns, _each(_ordinary(taken), partial(_tick, now=now), failures)


def _turns(plan: Plan, numbers: Sequence[int], hearing: Hearing, silence: Silence) -> list[Turn]:
    beats = silence.of_heartbeats()
    ours = of_heartbeats(hearing, beats)
    return [
        Turn(plan, own, ours, beats)
        if own.metric == HEARTBEAT
        else Turn(plan, own, hearing, silence)
        for own in (plan.rules[number] for number in numbers)
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


def _ordinary(taken: list[tuple[Turn, Memory]]) -> list[tuple[Turn, Memory]]:
    return [(turn, memory) for turn, memory in taken if not isinstance(memory, RiskMemory)]


def _each_index(
    taken: list[tuple[Turn, Memory]], now: Micros, failures: dict[str, Failure]
) -> dict[str, Failure]:
    """Let the rules about other rules have their turn, when all others have had theirs."""
    others = [(t, m) for t, m in _ordinary(taken) if t.own.rule.code not in failures]

    def do(turn: Turn, memory: Memory) -> None:
        if isinstance(memory, RiskMemory):
            risk.feed(turn, memory, others)
            risk.tick(turn, memory, now)

    mine: list[tuple[Turn, Memory]] = [
        (t, m) for t, m in taken if isinstance(m, RiskMemory) and len(t.own.subject_ids)
    ]
    return _each(mine, do, failures)


def _fold(turn: Turn, memory: Memory) -> None:
    rows = _rows_of(turn)
    if len(rows) or _ends_silence(turn, memory):
        JUDGES[type(memory)].fold(turn, memory, rows)


def _rows_of(turn: Turn) -> Rows:
    """The rows of the rule's metrics, in the order of the hearing."""
    parts = [turn.hearing.rows_of(metric) for metric in turn.own.metrics]
    if len(parts) == 1:
        return parts[0]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.intp)


def _ends_silence(turn: Turn, memory: Memory) -> bool:
    """Whether it may have to take note of a silence that ended by another metric."""
    hearing = turn.hearing
    if isinstance(memory, SequenceMemory | MissingMemory | WithoutMemory):
        return len(hearing.gaps) > 0
    if not isinstance(memory, ThresholdMemory):
        return False
    return len(hearing.gaps) > 0 or (len(hearing.newers) > 0 and memory.any_silent())


def _tick(turn: Turn, memory: Memory, now: Micros) -> None:
    JUDGES[type(memory)].tick(turn, memory, now)


class Judge(NamedTuple):
    """How rules of one kind judge.

    fold: rows of the rule's metrics, in the order of the hearing · tick: timers, up to an instant;
    both change the memory in place and tell transitions to the turn.
    """

    fold: Callable[[Turn, Any, Rows], None]
    tick: Callable[[Turn, Any, Micros], None]


JUDGES: Mapping[type[Any], Judge] = MappingProxyType(
    {
        ThresholdMemory: Judge(threshold.fold, threshold.tick),
        AbsenceMemory: Judge(absence.fold, absence.tick),
        WindowMemory: Judge(window.fold, window.tick),
        SequenceMemory: Judge(sequence.fold, sequence.tick),
        MissingMemory: Judge(missing.fold, missing.tick),
        WithoutMemory: Judge(without.fold, without.tick),
        ReplacedMemory: Judge(replaced.fold, replaced.tick),
        ScoreMemory: Judge(score.fold, score.tick),
        OccupancyMemory: Judge(occupancy.fold, occupancy.tick),
        InARowMemory: Judge(in_a_row.fold, in_a_row.tick),
        CorrelationMemory: Judge(correlation.fold, correlation.tick),
        PaneMemory: Judge(measure.fold, measure.tick),
        GrowthMemory: Judge(measure.fold, measure.tick),
        SetMemory: Judge(measure.fold, measure.tick),
        BaselineMemory: Judge(measure.fold, measure.tick),
        RiskMemory: Judge(risk.fold, risk.tick),
    }
)
"""By the class of what a kind remembers."""
