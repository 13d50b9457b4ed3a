"""From one plan to the next: what is remembered of an unchanged rule's subjects goes along."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_NAME
from devices.reading import I32, I64, Bool
from rules import correlation, measure, sequence_memory
from rules.correlation import CorrelationMemory
from rules.grading import NO_RANK
from rules.held import Held, HeldBack
from rules.measured import MeasureMemory, measuring, restart
from rules.memory import (
    AbsenceMemory,
    Memory,
    ThresholdMemory,
    by_device,
    columns_of,
    copy_of,
    forget_bounds,
    fresh_memory,
    since_of,
    tables_of,
)
from rules.model import GRAVEST_FIRST, Rule, Severity, SubjectKind
from rules.newest import Newest
from rules.plan import Plan, RulePlan, per_of
from rules.sequence_memory import MissingMemory, WithoutMemory
from rules.spans import SpanMemory
from rules.sparse import Column, Sparse
from rules.transition import Cause, Change, Subject, Transition

_PORTION = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """One rule's memory with whom it is about.

    subject_ids: ascending, int32 (n,) · away: bool (n,) · devices: ids by slot, int32 (m,): what
    the memory's columns by device are about · held: by subject's id, what is not told because
    another rule is firing · newest: what the rule's devices said last.
    """

    rule: Rule
    subject_ids: I32
    away: Bool
    devices: I32
    memory: Memory
    held: Mapping[int, Held] = field(default_factory=dict)
    newest: Newest = field(default_factory=Newest.none)


def remembered(
    plan: Plan,
    memories: Sequence[Memory],
    newest: Mapping[Micros, Newest],
    held: Mapping[str, Mapping[int, Held]],
) -> list[Remembered]:
    """The memories of a plan's rules, each with whom it is about; nothing is left to be counted.

    newest: by lateness.
    """
    for own, memory in zip(plan.rules, memories, strict=True):
        if isinstance(memory, MeasureMemory):
            measure.settle(plan, own, memory)
        elif isinstance(memory, CorrelationMemory):
            correlation.settle(own, memory)
    return [
        Remembered(
            own.rule,
            own.subject_ids,
            own.away,
            own.devices,
            memory,
            held.get(own.rule.code, {}),
            newest[own.rule.lateness],
        )
        for own, memory in zip(plan.rules, memories, strict=True)
    ]


def carry_held(old: Iterable[Remembered], plan: Plan) -> HeldBack:
    """What unchanged rules hold back of the subjects that they keep."""
    carried: HeldBack = {}
    for past in old:
        own = plan.number.get(past.rule.code)
        rule = None if own is None else plan.rules[own]
        if rule is not None and rule.rule.fingerprint == past.rule.fingerprint and past.held:
            here = set(rule.subject_ids.tolist())
            carried[past.rule.code] = {i: h for i, h in past.held.items() if i in here}
    return carried


def carry(
    old: Iterable[Remembered], plan: Plan, now: Micros
) -> tuple[tuple[Memory, ...], list[Transition]]:
    """The memories for a new plan, and WITHDRAWN at `now` for what was firing and is left behind.

    A rule is unchanged if its code and its fingerprint are. The old memories are not changed; what
    an unchanged rule remembers of the same subjects is shared with them.
    """
    new = {own.rule.code: own for own in plan.rules}
    memories: dict[str, Memory] = {}
    withdrawn: list[Transition] = []
    for past in old:
        own = new.get(past.rule.code)
        if own is None:
            withdrawn += _withdraw(past, Cause.RULE_REMOVED, now)
        elif own.rule.fingerprint != past.rule.fingerprint:
            withdrawn += _withdraw(past, Cause.RULE_CHANGED, now)
        else:
            memories[past.rule.code] = _moved(past, own, now)
            left = ~np.isin(past.subject_ids, own.subject_ids)
            withdrawn += _withdraw(past, Cause.SUBJECT_REMOVED, now, left)
    return _in_order(plan, memories, now), withdrawn


def _in_order(plan: Plan, memories: Mapping[str, Memory], now: Micros) -> tuple[Memory, ...]:
    return tuple(memories.get(own.rule.code) or _fresh(own, now) for own in plan.rules)


def _fresh(own: RulePlan, now: Micros) -> Memory:
    return fresh_memory(own.rule, len(own.subject_ids), len(own.devices), now)


def _moved(past: Remembered, own: RulePlan, now: Micros) -> Memory:
    same = not by_device(past.memory) or np.array_equal(past.devices, own.devices)
    if same and np.array_equal(past.subject_ids, own.subject_ids):
        turned = np.flatnonzero(past.away != own.away)
        memory = copy_of(past.memory) if len(turned) else copy.copy(past.memory)
    else:
        memory = _fresh(own, now)
        if isinstance(memory, MeasureMemory) and isinstance(past.memory, MeasureMemory):
            memory.backlog.put_back(past.memory.backlog)
        _, source, target = np.intersect1d(past.subject_ids, own.subject_ids, return_indices=True)
        old = columns_of(past.memory)
        for name, column in columns_of(memory).items():
            _move(old[name], source, column, target)
        _move_devices(past, own, memory)
        _move_tables(past, source, target, memory)
        turned = target[past.away[source] != own.away[target]]
    _restart_timers(memory, turned, own, now)
    forget_bounds(memory)
    return memory


def _move(old: Column, source: I64, new: Column, target: I64) -> None:
    """Take over some rows, a portion at a time: they may be a million."""
    for start in range(0, len(source), _PORTION):
        some = slice(start, start + _PORTION)
        if isinstance(new, Sparse):
            new.put(target[some], old[source[some]])
        else:
            new[target[some]] = old[source[some]]


def _move_devices(past: Remembered, own: RulePlan, memory: Memory) -> None:
    """What is remembered of a device goes with it, also to another subject."""
    old, new = by_device(past.memory), by_device(memory)
    if new:
        _, source, target = np.intersect1d(past.devices, own.devices, return_indices=True)
        for name, column in new.items():
            column.values[target] = old[name].values[source]


def _move_tables(past: Remembered, source: I64, target: I64, memory: Memory) -> None:
    slots = np.full(len(past.subject_ids), -1, np.int32)
    slots[source] = target
    for name, table in tables_of(past.memory).items():
        setattr(memory, name, table.moved(slots))


def _restart_timers(memory: Memory, turned: object, own: RulePlan, now: Micros) -> None:
    """Nobody's timer runs while they are away: it begins anew when they are back."""
    slots = np.asarray(turned, np.intp)
    if isinstance(memory, ThresholdMemory):
        memory.pending[slots] = memory.ending[slots] = FOREVER
    elif isinstance(memory, SpanMemory):
        memory.pending[slots] = memory.calm[slots] = FOREVER
        if isinstance(memory, MeasureMemory):
            restart(memory, measuring(own.rule), slots, now)
    elif isinstance(memory, AbsenceMemory):
        back = slots[~own.away[slots] & ~memory.firing[slots]]
        memory.last[back] = np.maximum(memory.last[back], now)
    elif isinstance(memory, MissingMemory | WithoutMemory):
        begun = np.zeros(len(own.away), np.bool_)
        begun[slots] = True
        sequence_memory.restart(memory, begun, now)


def _withdraw(
    past: Remembered, cause: Cause, now: Micros, which: Bool | None = None
) -> list[Transition]:
    if not past.rule.told:
        return []
    kind = per_of(past.rule).subject
    firing = past.memory.firing if which is None else past.memory.firing & which
    told = []
    for slot in np.flatnonzero(firing).tolist():
        subject = Subject(kind, int(past.subject_ids[slot]))
        if subject.id in past.held:
            continue
        devices = (subject.id,) if kind is SubjectKind.DEVICE else ()
        begun, value = int(since_of(past.memory, slot)), _value(past, slot)
        told.append(
            Transition(
                past.rule,
                subject,
                Change.WITHDRAWN,
                cause,
                begun,
                now,
                devices,
                value,
                _severity(past, slot),
            )
        )
    return told


def _severity(past: Remembered, slot: int) -> Severity:
    """The colour that the alert has."""
    memory = past.memory
    if not (past.rule.grades and isinstance(memory, ThresholdMemory | SpanMemory)):
        return past.rule.severity
    rank = int(memory.rank[slot])
    return past.rule.severity if rank == NO_RANK else GRAVEST_FIRST[rank]


def _value(past: Remembered, slot: int) -> float | None:
    if isinstance(past.memory, ThresholdMemory):
        metric = BY_NAME[past.rule.watch.metrics[0]].id
        value = float(past.newest.values_of(past.subject_ids[slot : slot + 1], metric)[0])
    elif isinstance(past.memory, SpanMemory):
        value = float(past.memory.value[slot])
    else:
        return None
    return None if np.isnan(value) else value
