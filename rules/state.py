"""Everything the rules remember between two batches, and how it outlives changes and restarts."""

from dataclasses import dataclass, replace

from devices.instant import NEVER, Micros
from rules import snapshot
from rules.carry import carry, remembered
from rules.memory import Memory, copy_of, fresh_memory
from rules.model import Rule
from rules.plan import Plan
from rules.silence import Silence, nothing_heard
from rules.transition import Transition


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the rules of one plan remember.

    silence: when each device was last heard · memories: one for each of the plan's rules, in order.
    """

    silence: Silence
    memories: tuple[Memory, ...]

    def copy(self) -> "State":
        """The same state in arrays of its own."""
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
    else begins fresh at `now`. The state given is not changed.
    """
    memories, withdrawn = carry(remembered(old_plan, state.memories), new_plan, now)
    return State(_widened(state.silence, new_plan, now), memories), withdrawn


def dump(state: State, plan: Plan) -> bytes:
    """The state as bytes, with the rules and subjects that it is about."""
    return snapshot.encode(snapshot.Snapshot(state.silence, remembered(plan, state.memories)))


def saved_rules(data: bytes) -> tuple[Rule, ...]:
    """The rules that a dumped state is about; RuleError as `restore`."""
    return tuple(past.rule for past in snapshot.decode(data).memories)


def restore(data: bytes, plan: Plan, now: Micros) -> tuple[State, list[Transition]]:
    """A dumped state, carried over to this plan as `carry_over` does.

    RuleError where the bytes are damaged, or from a version that is not understood.
    """
    saved = snapshot.decode(data)
    memories, withdrawn = carry(saved.memories, plan, now)
    return State(_widened(saved.silence, plan, now), memories), withdrawn


def _widened(silence: Silence, plan: Plan, now: Micros) -> Silence:
    """What was heard, by the ids of this plan's devices; the unknown become known now."""
    n = min(len(silence.heard), plan.size)
    wide = nothing_heard(plan.size)
    known = silence.kept()
    for name, array in wide.kept().items():
        array[:n] = known[name][:n]
    new = (plan.silent_after > 0) & (wide.heard == NEVER)
    wide.heard[new], wide.alive[new] = now, now
    return replace(
        wide, silent_after=plan.silent_after, gateway=plan.gateway, gateways=plan.gateways
    )
