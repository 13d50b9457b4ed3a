"""Everything the rules remember between two batches, and how it outlives changes and restarts."""

from dataclasses import dataclass, replace

import numpy as np

from devices.instant import NEVER, Micros
from devices.reading import I64, Bool
from rules import snapshot
from rules.carry import carry, remembered
from rules.memory import Memory, copy_of, fresh_memory
from rules.model import Rule
from rules.plan import Plan
from rules.silence import Behind, Silence, nothing_heard
from rules.sparse import Column, Sparse
from rules.transition import Transition

_HEARD = ("heard", "alive")
"""Columns of `Silence` in which NEVER stands for those not heard."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the rules of one plan remember.

    silence: when each device was last heard · memories: one for each of the plan's rules, in order.
    """

    silence: Silence
    memories: tuple[Memory, ...]

    def copy(self) -> "State":
        """The same state in columns of its own."""
        return State(self.silence.copy(), tuple(copy_of(memory) for memory in self.memories))


def fresh(plan: Plan, now: Micros) -> State:
    """The state before any reading. Absence and silence of all devices count from `now` on."""
    silence = _widened(nothing_heard(0), plan, now)
    return State(silence, tuple(fresh_memory(r.rule, len(r.subject_ids), now) for r in plan.rules))


def carry_over(
    state: State, old_plan: Plan, new_plan: Plan, now: Micros
) -> tuple[State, list[Transition]]:
    """The state for a new plan, and WITHDRAWN, at `now`, for firing subjects without a place in it.

    Rules with the same code and fingerprint keep what they remember of the subjects they keep; all
    else begins fresh at `now`. The state given is not changed, but shares what stays the same with
    the new one: once one of them is given to `advance`, the other is void.
    """
    memories, withdrawn = carry(remembered(old_plan, state.memories), new_plan, now)
    return State(_widened(state.silence, new_plan, now), memories), withdrawn


def dump(state: State, plan: Plan) -> bytes:
    """The state as bytes, with the rules and subjects that it is about."""
    return snapshot.encode(snapshot.Snapshot(state.silence, remembered(plan, state.memories)))


def saved_rules(data: bytes) -> tuple[Rule, ...]:
    """The rules that a dumped state is about; RuleError as `restore`."""
    return snapshot.rules_of(data)


def restore(data: bytes, plan: Plan, now: Micros) -> tuple[State, list[Transition]]:
    """A dumped state, carried over to this plan as `carry_over` does.

    RuleError where the bytes are damaged, or from a version that is not understood.
    """
    saved = snapshot.decode(data)
    memories, withdrawn = carry(saved.memories, plan, now)
    return State(_widened(saved.silence, plan, now), memories), withdrawn


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
