"""The one evaluator: (plan, batch, state, now) to (state, transitions).

A timer tick is an empty batch. Readings are folded first, each subject's in the order of their
time; then timers fire up to `now`, the instant up to which everything that the broker accepted has
been heard. A rule in which an error shows is left alone and reported: it never stops the others.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID
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
from rules.in_a_row import InARowMemory
from rules.inhibition import inhibit
from rules.listening import listen, remember
from rules.measured import BaselineMemory, GrowthMemory, PaneMemory, SetMemory
from rules.memory import AbsenceMemory, Memory, ThresholdMemory, WindowMemory
from rules.model import Rule, Threshold
from rules.newest import Astir, Newest
from rules.occupancy import OccupancyMemory
from rules.plan import Plan, RulePlan
from rules.replaced import ReplacedMemory
from rules.risk import RiskMemory
from rules.rota import ALWAYS, Looks, Turns, watching
from rules.score import ScoreMemory
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from rules.silence import Rows, Silence
from rules.state import State
from rules.transition import Transition
from rules.turn import Turn

_NO_ROWS: Rows = np.empty(0, np.intp)
_HEED_GAPS = (SequenceMemory, MissingMemory, WithoutMemory)
"""Of kinds that take note of a silence that ended by another metric."""


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
    turns, failures = Turns(plan), dict[str, Failure]()
    state.looks.extend([ALWAYS] * (len(plan.rules) - len(state.looks)))
    for late in plan.groups:
        failures = _judge(turns, _stream(batch, state, late, now), state, late, failures)
    failures |= _quieted(turns, state, now, failures, indexes=False)
    failures = _each_index(turns, state, now, failures)
    failures |= _quieted(turns, state, now, failures, indexes=True)
    rules = ((turn, turn.own.rule) for turn in turns.telling())
    telling = [turn for turn, rule in rules if rule.told and rule.code not in failures]
    said = [transition for turn in telling for transition in turn.said]
    said.sort(key=lambda transition: transition.at)
    return Evaluation(state, said, tuple(failures.values()))


def _quieted(
    turns: Turns,
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
    turns: Turns, stream: _Stream, state: State, late: Micros, failures: dict[str, Failure]
) -> dict[str, Failure]:
    """Let the rules of this lateness hear what is new, and their timers fire."""
    batch, silence, newest, now = stream
    plan, looks = turns.plan, state.looks
    if newest.stirred is None:
        newest.stirred = _stirred(plan, late, state.memories)
    hearing = listen(plan, batch, silence, now)
    screened = turns.hear(late, hearing, silence, newest)
    concerned = _concerned(turns, late, state.memories)
    taken = _taken(turns, concerned, state.memories)
    failures = _each(taken, _fold, failures)
    remember(hearing, silence)
    screened.note(newest)
    for number, (turn, memory) in zip(concerned, taken, strict=True):
        if turn.stirred or not JUDGES[type(memory)].settled:
            looks[number] = ALWAYS
    due = _due(turns, late, looks, now)
    taken = _taken(turns, due, state.memories)
    failures = _each(taken, partial(_tick, now=now), failures)
    for number, (turn, memory) in zip(due, taken, strict=True):
        looks[number] = JUDGES[type(memory)].due(turn.own, memory)
    return failures


def _stirred(plan: Plan, late: Micros, memories: Sequence[Memory]) -> Astir:
    astir = Astir.nothing(plan.cells)
    for number in plan.judging[late]:
        own, memory = plan.rules[number], memories[number]
        if isinstance(memory, ThresholdMemory) and own.metric not in plan.cells.momentary:
            going = own.devices[memory.firing | memory.pending.unusual()]
            astir.cell[plan.cells.of(going, own.metric)] = True
            astir.silent[own.devices[memory.silent]] = True
    return astir


def _concerned(turns: Turns, late: Micros, memories: Sequence[Memory]) -> list[int]:
    """The rules that have rows to look at, or may have to take note of a silence that ended."""
    plan, screened = turns.plan, turns.screened(late)
    numbers = watching(plan.watching[late], turns.hearing(late).metrics)
    numbers |= watching(plan.screening[late], screened.groups)
    numbers |= watching(plan.screening[late], screened.unsettled)
    for number in plan.watchers.of(turns.back(late)):
        if isinstance(memories[number], _HEED_GAPS) and number in plan.judging[late]:
            numbers.add(number)
    return sorted(numbers)


def _due(turns: Turns, late: Micros, looks: Looks, now: Micros) -> list[int]:
    """The rules whose timers are to be looked at, but for those about other rules."""
    plan = turns.plan
    hearing = turns.hearing(late)
    stirred = plan.watchers.of(hearing.moved)
    for step, numbers in plan.stepping[late].items():
        if hearing.reaches_back(step, now) and len(hearing.slower):
            stirred.update(numbers)
    return [n for n in plan.judging[late] if looks[n] <= now or n in stirred]


def _taken(
    turns: Turns, numbers: Sequence[int], memories: Sequence[Memory]
) -> list[tuple[Turn, Memory]]:
    return [(turns[number], memories[number]) for number in numbers]


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


def _each_index(
    turns: Turns, state: State, now: Micros, failures: dict[str, Failure]
) -> dict[str, Failure]:
    """Let the rules about other rules have their turn, when all others have had theirs."""
    plan, memories = turns.plan, state.memories
    if not plan.indices:
        return failures
    new = any(risk.is_new(memories[number]) for number in plan.indices)
    numbers = sorted(number for judging in plan.judging.values() for number in judging)
    codes = {number: plan.rules[number].rule.code for number in numbers}
    others = [
        risk.Other(turns[number], memories[number], state.held.get(codes[number], ()))
        for number in numbers
        if (new or turns.told(number)) and codes[number] not in failures
    ]

    def do(turn: Turn, memory: Memory) -> None:
        if isinstance(memory, RiskMemory):
            risk.feed(turn, memory, others)
            risk.tick(turn, memory, now - turn.own.rule.lateness)

    return _each(_taken(turns, plan.indices, memories), do, failures)


def _fold(turn: Turn, memory: Memory) -> None:
    judge = JUDGES[type(memory)]
    judge.fold(turn, memory, _rows_of(turn) if judge.by_row else _NO_ROWS)


def _rows_of(turn: Turn) -> Rows:
    """The rows of the rule's metrics, in the order of the hearing."""
    parts = [turn.hearing.rows_of(metric) for metric in turn.own.metrics]
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate(parts) if parts else _NO_ROWS.copy()
    rows.sort(kind="stable")  # as each part is in order: these are put together, not sorted anew
    return rows


def _tick(turn: Turn, memory: Memory, now: Micros) -> None:
    JUDGES[type(memory)].tick(turn, memory, now)


class _Bounded(Protocol):
    earliest: Micros


class Judge(NamedTuple):
    """How rules of one kind judge.

    fold: rows of the rule's metrics, in the order of the hearing · tick: timers, up to an instant;
    both change the memory in place and tell transitions to the turn · due: the instant before which
    nothing is to be done by `tick`, as long as nothing is folded, no silence comes sooner than was
    known and, of rules that go by steps, nobody falls behind the end of one · settled: a fold
    changes nothing in that, unless it stirs something (`Turn.stirred`)
    by_row: `fold` looks at these rows; the others choose their own.
    """

    fold: Callable[[Turn, Any, Rows], None]
    tick: Callable[[Turn, Any, Micros], None]
    due: Callable[[RulePlan, Any], Micros]
    settled: bool = False
    by_row: bool = False


def _always(_own: RulePlan, _memory: Memory) -> Micros:
    return ALWAYS


def _never(_own: RulePlan, _memory: Memory) -> Micros:
    return FOREVER


def _earliest(_own: RulePlan, memory: _Bounded) -> Micros:
    return memory.earliest


def _due_of_threshold(own: RulePlan, memory: ThresholdMemory) -> Micros:
    condition = cast("Threshold", own.rule.condition)
    if BY_ID[own.metric].occurs:
        return FOREVER
    due = min(memory.earliest + condition.lasting, memory.quiet)
    return min(due, memory.soonest + condition.keep) if condition.keep else due


def _due_of_score(_own: RulePlan, memory: ScoreMemory) -> Micros:
    return min(memory.earliest, memory.aging.soonest + 1)


JUDGES: Mapping[type[Any], Judge] = MappingProxyType(
    {
        ThresholdMemory: Judge(threshold.fold, threshold.tick, _due_of_threshold, settled=True),
        AbsenceMemory: Judge(absence.fold, absence.tick, absence.due, settled=True),
        WindowMemory: Judge(window.fold, window.tick, _earliest, settled=True, by_row=True),
        SequenceMemory: Judge(sequence.fold, sequence.tick, _never),
        MissingMemory: Judge(missing.fold, missing.tick, _earliest),
        WithoutMemory: Judge(without.fold, without.tick, _earliest),
        ReplacedMemory: Judge(replaced.fold, replaced.tick, _never, by_row=True),
        ScoreMemory: Judge(score.fold, score.tick, _due_of_score, by_row=True),
        OccupancyMemory: Judge(occupancy.fold, occupancy.tick, _always),
        InARowMemory: Judge(in_a_row.fold, in_a_row.tick, _earliest, by_row=True),
        CorrelationMemory: Judge(correlation.fold, correlation.tick, _earliest),
        PaneMemory: Judge(measure.fold, measure.tick, measure.due, settled=True),
        GrowthMemory: Judge(measure.fold, measure.tick, measure.due, settled=True),
        SetMemory: Judge(measure.fold, measure.tick, measure.due, settled=True),
        BaselineMemory: Judge(measure.fold, measure.tick, measure.due, settled=True),
        RiskMemory: Judge(risk.fold, risk.tick, _always),
    }
)
"""By the class of what a kind remembers."""
