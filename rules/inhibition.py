"""What is not told because another rule is firing there: applied to what the rules have said.

A rule with `unless` is judged like any other, and here what it says is held back while the other
fires: by their own times, whatever order they were judged in. It is told when the other has ended,
if it is still true then; what is momentary is dropped. What was told before is not taken back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from devices.instant import Micros
from rules.held import Held
from rules.inhibitors import Whereabouts
from rules.model import Rule
from rules.plan import about
from rules.rota import Turns
from rules.state import State
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

_ENDS = frozenset({Change.CLEARED, Change.WITHDRAWN})


def inhibit(
    turns: Turns,
    state: State,
    now: Micros,
    failed: frozenset[str],
    *,
    indexes: bool = False,
) -> list[tuple[Rule, Exception]]:
    """Take back from the turns, in place, what is not to be told; add what is to be told now.

    now: as of `evaluate` · failed: codes of rules that are left out · indexes: those about other
    rules, which speak after all others and keep none quiet; or all but those. `state` is changed in
    place. Returns the rules in which an error showed.
    """
    errors: list[tuple[Rule, Exception]] = []
    plan, held_back = turns.plan, state.held
    scene: _Scene | None = None
    for number in plan.indices if indexes else plan.inhibited:
        rule = plan.rules[number].rule
        if not (rule.unless and (turns.told(number) or held_back.get(rule.code))):
            continue
        if rule.code in failed or (number in plan.indices) is not indexes:
            continue
        scene = scene or _Scene(turns, state, plan.whereabouts, failed)
        held = held_back.setdefault(rule.code, {})
        try:
            turn = turns[number]
            turn.said[:] = _Inhibited(scene, turn, held).told(now)
        except Exception as error:  # noqa: BLE001 — one broken rule must not stop the others
            errors.append((rule, error))
            scene.failed |= {rule.code}
        scene.forget(number)
    return errors


def _moment(transition: Transition) -> Micros:
    """From when it counts: a sensor is silent after the moment up to which it might be heard."""
    return transition.at + (transition.cause is Cause.SENSOR_SILENT)


@dataclass(slots=True, eq=False)
class _Scene:
    """What is firing at some time, as told."""

    turns: Sequence[Turn]
    state: State
    whereabouts: Whereabouts
    failed: frozenset[str]
    _changes: dict[int, dict[int, list[Transition]]] = field(default_factory=dict)

    def forget(self, number: int) -> None:
        """What this rule says has changed."""
        self._changes.pop(number, None)

    def changes(self, number: int) -> dict[int, list[Transition]]:
        """What began or ended, by the subject's id, in order."""
        if number not in self._changes:
            found: dict[int, list[Transition]] = {}
            for t in self.turns[number].said:
                fired = t.change is Change.FIRED and not t.cause.momentary
                if fired or t.change in _ENDS:
                    found.setdefault(t.subject.id, []).append(t)
            for told in found.values():
                told.sort(key=_moment)
            self._changes[number] = found
        return self._changes[number]

    def firing(self, number: int, slot: int, time: Micros) -> bool:
        """Whether an alert of this rule stood at this subject then."""
        own = self.turns[number].own
        subject = int(own.subject_ids[slot])
        told = self.changes(number).get(subject)
        if not told:
            held = self.state.held.get(own.rule.code, {})
            return bool(self.state.memories[number].firing[slot]) and subject not in held
        before = [t for t in told if _moment(t) <= time]
        if before:
            return before[-1].change is Change.FIRED
        return told[0].change is not Change.FIRED

    def inhibitors(self, turn: Turn) -> Iterator[int]:
        """The numbers of the rules that keep this one quiet."""
        for code in turn.own.rule.unless:
            number = turn.plan.number.get(code)
            if number is not None and code not in self.failed:
                yield number


@dataclass(slots=True, eq=False)
class _Inhibited:
    """One rule that others may keep quiet."""

    scene: _Scene
    turn: Turn
    held: dict[int, Held]

    def told(self, now: Micros) -> list[Transition]:
        """What is to be told of what the rule has said; `held` is changed in place."""
        said: dict[int, list[Transition]] = {subject: [] for subject in self.held}
        for transition in self.turn.said:
            said.setdefault(transition.subject.id, []).append(transition)
        return [t for subject, raw in said.items() for t in self._of(subject, raw, now)]

    def _of(self, subject: int, said: Sequence[Transition], now: Micros) -> Iterator[Transition]:
        around = self._around(subject)
        for transition in said:
            yield from self._released(subject, around, transition.at)
            if not self._swallowed(subject, around, transition):
                yield transition
        yield from self._released(subject, around, now, last=True)

    def _around(self, subject: int) -> list[tuple[int, int]]:
        """The rules and their slots that count at this subject."""
        kind = about(self.turn.own.rule)
        return [
            (number, slot)
            for number in self.scene.inhibitors(self.turn)
            for slot in self.scene.whereabouts.slots(number, Subject(kind, subject))
        ]

    def _inhibited(self, around: Sequence[tuple[int, int]], time: Micros) -> bool:
        return any(self.scene.firing(number, slot, time) for number, slot in around)

    def _swallowed(self, subject: int, around: Sequence[tuple[int, int]], said: Transition) -> bool:
        """Whether this is not told; what is to be remembered of it is in `held`."""
        if said.change is Change.FIRED:
            quiet = self._inhibited(around, said.at)
            if quiet and not said.cause.momentary:
                self.held[subject] = Held.of(said)
            return quiet
        held = self.held.get(subject)
        if held is None:
            return False
        if said.change in _ENDS:
            del self.held[subject]
        elif said.change is Change.GRADED:
            self.held[subject] = replace(held, severity=said.severity, value=said.value)
        else:
            silent = said.at if said.change is Change.WENT_SILENT else None
            self.held[subject] = replace(held, silent=silent)
        return True

    def _released(
        self,
        subject: int,
        around: Sequence[tuple[int, int]],
        until: Micros,
        *,
        last: bool = False,
    ) -> Iterator[Transition]:
        """What was held back and is told before then. last: or then, or later: all is known.

        What ends at the moment at which it might be told is not told.
        """
        held = self.held.get(subject)
        if held is None:
            return
        ends = sorted(
            _moment(t)
            for number, slot in around
            for t in self.scene.changes(number).get(self._id(number, slot), ())
            if t.change in _ENDS
        )
        moments = [max(time, held.at) for time in ends if last or time < until]
        moments += [max(until, held.at)] if last else []
        for time in moments:
            if not self._inhibited(around, time):
                del self.held[subject]
                yield from self._late(subject, held, time)
                return

    def _id(self, number: int, slot: int) -> int:
        return int(self.scene.turns[number].own.subject_ids[slot])

    def _late(self, subject: int, held: Held, time: Micros) -> Iterator[Transition]:
        place = Subject(about(self.turn.own.rule), subject)
        fired = Transition(
            self.turn.own.rule,
            place,
            Change.FIRED,
            held.cause,
            held.since,
            time,
            held.devices,
            held.value,
            held.severity,
        )
        yield fired
        if held.silent is not None:
            at = max(time, held.silent)
            yield replace(fired, change=Change.WENT_SILENT, cause=Cause.SENSOR_SILENT, at=at)
