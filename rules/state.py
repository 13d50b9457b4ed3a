"""Everything the rules remember between two batches, and how it outlives changes and restarts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import I64, Bool
from rules import snapshot
from rules.carry import Remembered, carry, carry_held, remembered
from rules.held import HeldBack
from rules.memory import Memory, copy_of, fresh_memory
from rules.model import Rule
from rules.newest import Newest
from rules.plan import Plan
from rules.rota import Looks
from rules.silence import Behind, Silence, nothing_heard
from rules.sparse import Column, Sparse
from rules.transition import Transition
from rules.waiting import Waiting

_HEARD = ("heard", "alive")
"""Columns of `Silence` in which NEVER stands for those not heard."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the rules of one plan remember.

    silence: when each device was last heard · newest: what it said last, of what thresholds are
    about · memories: one for each of the plan's rules, in order
    held: what is not told because another rule is firing · waiting: of rules with a lateness, by
    that lateness · looks: of each rule, when its timers are to be looked at.
    """

    silence: Silence
    newest: Newest
    memories: tuple[Memory, ...]
    held: HeldBack = field(default_factory=dict)
    waiting: dict[Micros, Waiting] = field(default_factory=dict)
    looks: Looks = field(default_factory=list)

    def copy(self) -> "State":
        """The same state in columns of its own."""
        return State(
            self.silence.copy(),
            self.newest.copy(),
            tuple(copy_of(memory) for memory in self.memories),
            {code: dict(held) for code, held in self.held.items()},
            {late: waiting.copy() for late, waiting in self.waiting.items()},
            list(self.looks),
        )


def fresh(plan: Plan, now: Micros) -> State:
    """The state before any reading. Absence and silence of all devices count from `now` on."""
    silence = _widened(nothing_heard(0), plan, now)
    memories = tuple(
        fresh_memory(r.rule, len(r.subject_ids), len(r.devices), now) for r in plan.rules
    )
    newest = Newest.fresh(plan.cells)
    heard = _Heard(silence, newest)
    return State(silence, newest, memories, {}, _waiting({}, heard, plan, now))


class _Heard(NamedTuple):
    silence: Silence
    newest: Newest


def carry_over(
    state: State, old_plan: Plan, new_plan: Plan, now: Micros
) -> tuple[State, list[Transition]]:
    """The state for a new plan, and WITHDRAWN, at `now`, for firing subjects without a place in it.

    Rules with the same code and fingerprint keep what they remember of the subjects they keep; all
    else begins fresh at `now`. The state given is not changed, but shares what stays the same with
    the new one: once one of them is given to `advance`, the other is void.
    """
    old = _remembered(state, old_plan)
    heard = _Heard(state.silence, state.newest)
    return _carried(old, heard, state.waiting, new_plan, now)


def _carried(
    old: Sequence[Remembered],
    heard: _Heard,
    waiting: Mapping[Micros, Waiting],
    plan: Plan,
    now: Micros,
) -> tuple[State, list[Transition]]:
    memories, withdrawn = carry(old, plan, now)
    wide = _Heard(_widened(heard.silence, plan, now), heard.newest.laid(plan.cells))
    waits = _waiting(waiting, wide, plan, now)
    return State(*wide, memories, carry_held(old, plan), waits), withdrawn


def _waiting(
    old: Mapping[Micros, Waiting], heard: _Heard, plan: Plan, now: Micros
) -> dict[Micros, Waiting]:
    """What waits for the rules of a plan; what is new to a lateness was heard as by all others."""
    waits = {}
    for late, covered in plan.covered.items():
        past = old.get(late)
        if past is None:
            waits[late] = Waiting(heard.silence.copy(), heard.newest.copy(), covered)
            continue
        own = _Heard(_widened(past.silence, plan, now), past.newest.laid(plan.cells))
        new = np.setdiff1d(np.flatnonzero(covered), np.flatnonzero(past.covered))
        if len(new):
            own = _Heard(own.silence.copy(), own.newest.copy())
            _hear(own, heard, new)
        waits[late] = Waiting(*own, covered, list(past.parts))
    return waits


def _hear(own: _Heard, known: _Heard, devices: I64) -> None:
    """Of these devices what is known."""
    columns = known.silence.kept()
    for name, column in own.silence.kept().items():
        column[devices] = columns[name][devices]
    cells = np.isin(own.newest.device, devices)
    own.newest.time[cells] = known.newest.time[cells]
    own.newest.value[cells] = known.newest.value[cells]


def dump(state: State, plan: Plan) -> bytes:
    """The state as bytes, with the rules and subjects that it is about."""
    memories = _remembered(state, plan)
    return snapshot.encode(snapshot.Snapshot(state.silence, state.newest, memories, state.waiting))


def _remembered(state: State, plan: Plan) -> list[Remembered]:
    newest = {0: state.newest} | {late: own.newest for late, own in state.waiting.items()}
    state.looks.clear()  # where counting failed the next batch must find it
    return remembered(plan, state.memories, newest, state.held)


def saved_rules(data: bytes) -> tuple[Rule, ...]:
    """The rules that a dumped state is about; RuleError as `restore`."""
    return snapshot.rules_of(data)


def restore(data: bytes, plan: Plan, now: Micros) -> tuple[State, list[Transition]]:
    """A dumped state, carried over to this plan as `carry_over` does.

    RuleError where the bytes are damaged, or from a version that is not understood.
    """
    saved = snapshot.decode(data)
    heard = _Heard(saved.silence, saved.newest)
    return _carried(saved.memories, heard, saved.waiting, plan, now)


def _widened(silence: Silence, plan: Plan, now: Micros) -> Silence:
    """What was heard, by the ids of this plan's devices; the unknown become known now."""
    wide = replace(
        silence,
        **{name: _resized(name, column, plan.size) for name, column in silence.kept().items()},  # type: ignore[arg-type]
        silent_after=plan.silent_after,
        gateway=plan.gateway,
        gateways=plan.gateways,
        behind=Behind(plan.gateway, plan.gateways),
    )
    new = (plan.silent_after > 0) & (wide.heard == NEVER)
    if new.any():
        wide.heard, wide.alive = np.where(new, now, wide.heard), np.where(new, now, wide.alive)
    return wide


def _resized(name: str, column: Column, size: int) -> Column:
    """The column itself where it has this size, else a copy."""
    if len(column) == size:
        return column
    if isinstance(column, Sparse):
        return column.resized(size)
    wide: I64 | Bool = np.zeros(size, column.dtype)
    wide[: len(column)] = column[:size]
    wide[len(column) :] = NEVER if name in _HEARD else 0
    return wide
