"""The one evaluator: (plan, batch, state, now) to (state, transitions).

A timer tick is an empty batch. Readings are folded first, each subject's in the order of their
time; then timers fire up to `now`, the instant up to which everything that the broker accepted has
been heard. A rule in which an error shows is left alone and reported: it never stops the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from rules.hearing import HEARTBEAT
from rules.in_a_row import InARowMemory
from rules.inhibition import inhibit
from rules.listening import listen, of_heartbeats, remember
from rules.measured import BaselineMemory, GrowthMemory, PaneMemory, SetMemory
from rules.memory import AbsenceMemory, Memory, ThresholdMemory, WindowMemory
from rules.model import Rule
from rules.newest import Astir, Newest
from rules.occupancy import OccupancyMemory
from rules.plan import Plan
from rules.replaced import ReplacedMemory
from rules.risk import RiskMemory
from rules.score import ScoreMemory
from rules.screen import screen
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from rules.silence import Rows, Silence
from rules.state import State
from rules.transition import Transition
from rules.turn import Turn

_NO_ROWS: Rows = np.empty(0, np.intp)


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
    failures |= _quieted(in_order, state, now, failures, indexes=False)
    failures = _each_index(in_order, state, now, failures)
    failures |= _quieted(in_order, state, now, failures, indexes=True)
    said = [t for turn in in_order if turn.own.rule.code not in failures for t in turn.said]
    said.sort(key=lambda transition: transition.at)
    return Evaluation(state, said, tuple(failures.values()))


def _quieted(
    turns: Sequence[Turn],
    state: State,
    now: Micros,
    failures: Mapping[str, Failure],
    *,
    indexes: bool,
) -> dict[str, Failure]:
    """Take back what other rules keep quiet, of indexes or of all others; what failed in it."""
    errors = inhibit(turns, state, now, frozenset(failures), indexes=indexes)
    return {rule.code: Failure(rule, error) for rule, error in errors}


class _Stream(NamedTuple):
    """What rules of one lateness hear: rows, what was heard before, up to when all is heard."""

    batch: Batch
    silence: Silence
    newest: Newest
    now: Micros


def _stream(batch: Batch, state: State, late: Micros, now: Micros) -> _Stream:
    if not late:
        return _Stream(batch, state.silence, state.newest, now)
    waiting = state.waiting[late]
    waiting.put(batch)
    released = waiting.release(now - late, late)
    return _Stream(released, waiting.silence, waiting.newest, now - late)


def _judge(
    plan: Plan,
    stream: _Stream,
    numbers: Sequence[int],
    memories: Sequence[Memory],
    failures: dict[str, Failure],
) -> tuple[list[Turn], dict[str, Failure]]:
    """Let the rules of these numbers hear what is new, and their timers fire."""
    batch, silence, newest, now = stream
    mine = [memories[number] for number in numbers]
    if newest.stirred is None:
        newest.stirred = _stirred(plan, zip(numbers, mine, strict=True))
    hearing = listen(plan, batch, silence, now)
    beats = silence.of_heartbeats()
    ours = of_heartbeats(hearing, beats)
    screened = screen(plan.cells, hearing, ours, newest)
    common = (newest, screened)
    turns = [
        Turn(plan, own, ours, beats, *common)
        if own.metric == HEARTBEAT
        else Turn(plan, own, hearing, silence, *common)
        for own in (plan.rules[number] for number in numbers)
    ]
    pairs = zip(turns, mine, strict=True)
    taken = [(turn, memory) for turn, memory in pairs if len(turn.own.subject_ids)]
    failures = _each(taken, _fold, failures)
    remember(hearing, silence)
    screened.note(newest)
    return turns, _each(_ordinary(taken), partial(_tick, now=now), failures)


def _stirred(plan: Plan, taken: Iterable[tuple[int, Memory]]) -> Astir:
    astir = Astir.nothing(plan.cells)
    for number, memory in taken:
        own = plan.rules[number]
        if isinstance(memory, ThresholdMemory) and own.metric not in plan.cells.momentary:
            going = own.devices[memory.firing | memory.pending.unusual()]
            astir.cell[plan.cells.of(going, own.metric)] = True
            astir.silent[own.devices[memory.silent]] = True
    return astir


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
    turns: list[Turn], state: State, now: Micros, failures: dict[str, Failure]
) -> dict[str, Failure]:
    """Let the rules about other rules have their turn, when all others have had theirs."""
    mine: list[tuple[Turn, Memory]] = [
        (turn, memory)
        for turn, memory in zip(turns, state.memories, strict=True)
        if isinstance(memory, RiskMemory) and len(turn.own.subject_ids)
    ]
    if not mine:
        return failures
    taken = _ordinary(list(zip(turns, state.memories, strict=True)))
    sound = [(t, t.own.rule.code, m) for t, m in taken if t.own.rule.code not in failures]
    others = [risk.Other(turn, memory, state.held.get(code, ())) for turn, code, memory in sound]

    def do(turn: Turn, memory: Memory) -> None:
        if isinstance(memory, RiskMemory):
            risk.feed(turn, memory, others)
            risk.tick(turn, memory, now - turn.own.rule.lateness)

    return _each(mine, do, failures)


def _fold(turn: Turn, memory: Memory) -> None:
    rows = _rows_of(turn, memory)
    if len(rows) or _ends_silence(turn, memory):
        JUDGES[type(memory)].fold(turn, memory, rows)


def _rows_of(turn: Turn, memory: Memory) -> Rows:
    """The rows that the rule looks at, in the order of the hearing."""
    if isinstance(memory, ThresholdMemory):
        group = turn.screened.groups.get(turn.own.metric)
        return _NO_ROWS if group is None else group.row
    parts = [turn.hearing.rows_of(metric) for metric in turn.own.metrics]
    if len(parts) == 1:
        return parts[0]
    return np.sort(np.concatenate(parts)) if parts else _NO_ROWS


def _ends_silence(turn: Turn, memory: Memory) -> bool:
    """Whether it may have to take note of a silence that ended by another metric."""
    hearing = turn.hearing
    if isinstance(memory, SequenceMemory | MissingMemory | WithoutMemory):
        return len(hearing.gaps) > 0
    if not isinstance(memory, ThresholdMemory):
        return False
    return turn.unsettled


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
