"""One rule of the plain loop: what all kinds of rule share."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_NAME
from rules.expression import Expression
from rules.model import Severity, SubjectKind
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject, Transition
from tests.bench_rules.closures import Truths, compiled
from tests.bench_rules.ears import Ears

Key: TypeAlias = int
"""A subject's id."""

HEARTBEAT = BY_NAME["heartbeat"].id


class Row(NamedTuple):
    """A reading. time: its own, moved back if it was in the future · heard: by the server."""

    time: Micros
    offline: bool
    said: Micros
    device: int
    metric: int
    value: float
    heard: Micros
    arrival: Micros
    token: int
    issue: int


class Track:
    """One rule. restless: by device, the rules that a silence of it matters to.

    whole: it reads rows (`read`), not only values (`judge`) · by_hearing: it goes by when a reading
    was heard (`hear`).
    """

    by_hearing = whole = False

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        self.ears, self.own, self.rule, self.number = ears, own, own.rule, number
        self.known = now
        self.beats = own.metric == HEARTBEAT
        self.restless: dict[int, set[Track]] = {}
        self._said: list[Transition] = []
        ids, away = own.subject_ids.tolist(), own.away.tolist()
        self.away = {key for key, gone in zip(ids, away, strict=True) if gone}
        slots = own.slot[own.devices]
        pairs = zip(own.devices.tolist(), slots.tolist(), strict=True)
        self.subject = {device: ids[slot] for device, slot in pairs if slot >= 0}
        self.slot = {key: slot for slot, key in enumerate(ids)}
        self._devices: dict[Key, list[int]] = {}

    def judge(self, device: int, time: Micros, value: float) -> None:
        """A reading of the rule's metric."""

    def read(self, row: Row) -> None:
        """A reading of one of the rule's metrics."""

    def hear(self, device: int, heard: Micros, value: float, *, offline: bool) -> None:
        """A reading of the rule's metric, in the order of hearing."""

    def returned(self, device: int, time: Micros) -> None:
        """A device is heard at a time later than before."""

    def from_the_start(self) -> Iterable[Key]:
        """Whose timers run though nothing happened."""
        return ()

    def clock(self, now: Micros) -> None:
        """All is heard up to now; before any `tick`."""

    def tick(self, key: Key, now: Micros) -> Micros:  # noqa: ARG002
        """All is heard up to now; returns when to look again, at the latest."""
        return FOREVER

    def take_said(self) -> list[Transition]:
        """What it told since the last time."""
        if not self._said:
            return self._said
        said, self._said = self._said, []
        return said

    def take_changed(self) -> Iterable[Key]:
        """Who is to be looked at whatever the heap says."""
        return ()

    def watch(self, devices: Iterable[int]) -> None:
        """A silence of these matters from now on."""
        for device in devices:
            if device in self.subject:
                self.restless[device].add(self)

    def unwatch(self, devices: Iterable[int]) -> None:
        """It does not any more."""
        for device in devices:
            tracks = self.restless[device]
            tracks.discard(self)
            if not tracks:
                del self.restless[device]

    def devices_of(self, key: Key) -> list[int]:
        """The devices of this subject."""
        devices = self._devices.get(key)
        if devices is None:
            devices = self._devices[key] = self.own.devices_of(self.slot[key]).tolist()
        return devices

    def lag(self, devices: Iterable[int]) -> Micros:
        """How far behind the last of these is."""
        ears = self.ears.by_device
        return max(ears[device].lag for device in devices)

    def silent_at(self, device: int) -> Micros:
        """From when it is silent."""
        return self.ears.silent_at(device, beats=self.beats)

    def due(self, pending: Micros, lasting: Micros) -> Micros:
        """When what began then has lasted for so long while the rule is active."""
        if self.rule.active is None:
            return pending + lasting
        return int(self.own.calendar.due(np.array([pending]), lasting)[0])

    def is_active(self, time: Micros) -> bool:
        """Whether the rule may raise alerts then."""
        return self.rule.active is None or bool(self.own.calendar.is_active(np.array([time]))[0])

    def closure(self, expression: Expression | None) -> Truths:
        """The expression over the devices of the rule; what there is none of always holds."""
        if expression is None:
            return lambda _value, _device: True
        columns = self.ears.plan.attributes
        return compiled(
            expression,
            {
                name: {device: float(columns[name][device]) for device in self.subject}
                for name in expression.attributes
            },
        )

    def say(
        self,
        change: Change,
        cause: Cause,
        key: Key,
        span: tuple[Micros, Micros],
        *,
        value: float | None,
        devices: Iterable[int],
        colour: Severity | None = None,
        about: int | None = None,
    ) -> None:
        """Note this change; span: since when, and at which moment.

        about: the device that it is about, where that is not the subject.
        """
        subject = self.own.subject(self.slot[key])
        if about is not None:
            subject = Subject(SubjectKind.DEVICE, about)
        ids = tuple(sorted(devices))
        shown = colour or self.rule.severity
        self._said.append(Transition(self.rule, subject, change, cause, *span, ids, value, shown))


def again(moment: Micros, now: Micros) -> Micros:
    """When to look for what is due then: at the next tick, where someone behind is waited for."""
    return max(moment, now)
