"""Rules about what is missing: true when no `then` came within `within` after a `first`.

The wait begins with the first `first` that is not answered yet; while it lasts, more of them add
nothing. It ends with a `then`, or fires when its time is over, but only if all of the subject's
devices were heard to its end: a silence that reaches into it leaves unknown what came, and the wait
is dropped. What was raised ends with the `then` that comes after all; where the two are joined by
whom they name, each is an occurrence of its own, which a person ends.
"""

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from rules.joining import (
    SILENCE,
    Moment,
    behind,
    heard_to,
    heard_until,
    moments,
    raise_floor,
    times_of,
    touched,
)
from rules.model import Missing, SubjectKind
from rules.sequence_memory import LATE, MissingMemory
from rules.silence import Rows
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

_Key: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class _Wait:
    """Of one key: since when it is waited for, FOREVER where it is not, by which device."""

    since: Micros = FOREVER
    device: int = -1
    asked: Micros = NEVER
    answered: Micros = NEVER

    @property
    def open(self) -> bool:
        return self.since != FOREVER

    def end(self) -> None:
        """Nothing is waited for any more."""
        self.since = FOREVER


def fold(turn: Turn, memory: MissingMemory, _rows: Rows) -> None:
    """Take note of the rows of the rule's metrics; `memory` is changed in place."""
    found = moments(turn, memory, silences=True)
    if found:
        _Fold(turn, memory, found).run()


def tick(turn: Turn, memory: MissingMemory, now: Micros) -> None:
    """Fire what is missing by `now`; `memory` is changed in place."""
    if memory.earliest >= now:
        return
    keys, within = memory.keys, _condition(turn).within
    waiting = np.flatnonzero((keys["since"] != FOREVER) & ~turn.own.away[keys.slot])
    slot, due = keys.slot[waiting], keys["since"][waiting] + within
    if not len(waiting):
        memory.earliest = FOREVER
        return
    theirs = now - behind(turn, slot)
    over = due < theirs
    memory.earliest = int(due[~over].min(initial=FOREVER))
    if not over.any():
        return
    heard = due <= heard_until(turn, slot)
    given_up = over & ~heard & (due + LATE < theirs)
    for row in waiting[over & heard].tolist():
        since, device = int(keys["since"][row]), int(keys["device"][row])
        _fire(turn, memory, int(keys.slot[row]), since, device)
    ended = waiting[(over & heard) | given_up]
    keys["since"][ended] = FOREVER
    if (over & ~heard & ~given_up).any():
        memory.earliest = NEVER


def _condition(turn: Turn) -> Missing:
    return cast("Missing", turn.own.rule.condition)


def _fire(turn: Turn, memory: MissingMemory, slot: int, since: Micros, device: int) -> None:
    condition, subject, cause = _condition(turn), turn.own.subject(slot), Cause.NOT_FOLLOWED
    if condition.same.named:
        subject, cause = Subject(SubjectKind.DEVICE, device), Cause.UNANSWERED
    else:
        memory.firing[slot] = True
        memory.since[[slot]] = since
    at = since + condition.within
    _tell(turn, subject, Change.FIRED, cause, (since, at, device))


def _tell(
    turn: Turn, subject: Subject, change: Change, cause: Cause, what: tuple[Micros, Micros, int]
) -> None:
    since, at, device = what
    rule = turn.own.rule
    turn.said.append(
        Transition(rule, subject, change, cause, since, at, (device,), None, rule.severity)
    )


class _Fold:
    """One fold of one rule: what is remembered of the slots that these moments touch."""

    def __init__(self, turn: Turn, memory: MissingMemory, found: list[Moment]) -> None:
        self.turn, self.memory, self.found = turn, memory, found
        self.within = _condition(turn).within
        self.touched = touched(turn, memory.keys, found)
        self.waits = self._remembered()

    def run(self) -> None:
        for moment in self.found:
            if moment.role == SILENCE:
                self._silence(moment)
                continue
            if moment.is_then:
                self._answer(moment)
            if moment.is_first:
                self._begin(moment)
        self._write()

    def _remembered(self) -> dict[_Key, _Wait]:
        keys, rows = self.memory.keys, self.touched
        names = ("token", "since", "device", "asked", "answered")
        columns = (keys.slot, *(keys[name] for name in names))
        found = zip(*(c[rows].tolist() for c in columns), strict=True)
        return {(slot, token): _Wait(*what) for slot, token, *what in found}

    def _begin(self, moment: Moment) -> None:
        memory, slot = self.memory, moment.slot
        if moment.time < max(memory.floor[slot], memory.unsure[slot]):
            return
        wait = self.waits.setdefault(moment.key, _Wait())
        if moment.time <= max(wait.asked, wait.answered):
            return
        self._advance(moment, wait)
        wait.asked = moment.time
        if not (memory.firing[slot] or wait.open):
            wait.since, wait.device = moment.time, moment.device

    def _answer(self, moment: Moment) -> None:
        wait = self.waits.setdefault(moment.key, _Wait())
        if moment.time <= wait.answered:
            return
        self._advance(moment, wait)
        wait.answered = moment.time
        if wait.since <= moment.time:
            wait.end()
        self._clear(moment)

    def _clear(self, moment: Moment) -> None:
        memory, slot = self.memory, moment.slot
        since = int(memory.since[slot])
        if not memory.firing[slot] or moment.time < since:
            return
        memory.firing[slot] = False
        at = max(moment.time, since + self.within)
        subject = self.turn.own.subject(slot)
        _tell(self.turn, subject, Change.CLEARED, Cause.HEARD, (since, at, moment.device))

    def _silence(self, moment: Moment) -> None:
        for key, wait in self.waits.items():
            if key[0] == moment.slot:
                self._advance(moment, wait)
                if wait.since < moment.time and moment.since < wait.since + self.within:
                    wait.end()
        slots = [moment.slot]
        self.memory.unsure[slots] = np.maximum(self.memory.unsure[slots], moment.time)

    def _advance(self, moment: Moment, wait: _Wait) -> None:
        """Before the moment, fire what was due by then, or give it up."""
        due = wait.since + self.within if wait.open else FOREVER
        if due >= moment.time:
            return
        if heard_to(self.turn, moment.slot, due, moment.time):
            _fire(self.turn, self.memory, moment.slot, wait.since, wait.device)
            wait.end()
        elif due + LATE < moment.time:
            wait.end()

    def _write(self) -> None:
        """Put back what the slots remember now, without what is too old."""
        memory, keys = self.memory, self.memory.keys
        raise_floor(memory, *times_of(self.found), self.within + LATE)
        waits = {key: wait for key, wait in self.waits.items() if wait != _Wait()}
        if waits != self._remembered():
            keys.keep(~self.touched)
            keys.add(
                [slot for slot, _ in waits],
                token=[token for _, token in waits],
                since=[wait.since for wait in waits.values()],
                device=[wait.device for wait in waits.values()],
                asked=[wait.asked for wait in waits.values()],
                answered=[wait.answered for wait in waits.values()],
            )
        newest = np.maximum(keys["asked"], keys["answered"])
        keys.keep((keys["since"] != FOREVER) | (newest >= memory.floor[keys.slot]))
        since = int(keys["since"].min(initial=FOREVER - self.within))
        memory.earliest = min(memory.earliest, since + self.within)
