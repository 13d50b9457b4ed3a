"""An alert that is not told because another rule is firing, as values and as they are saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from devices.instant import Micros
from rules.model import Severity
from rules.transition import Cause, Transition


@dataclass(frozen=True, slots=True)
class Held:
    """What would have been told. since, at: of its firing, µs · silent: when its sensor fell so."""

    cause: Cause
    since: Micros
    at: Micros
    devices: tuple[int, ...]
    value: float | None
    severity: Severity
    silent: Micros | None = None

    @classmethod
    def of(cls, fired: Transition) -> "Held":
        """What this is about, held back."""
        return cls(fired.cause, fired.since, fired.at, fired.devices, fired.value, fired.severity)


HeldBack: TypeAlias = dict[str, dict[int, Held]]
"""By the rule's code and the subject's id."""


def saved(held: Mapping[int, Held]) -> list[list[object]]:
    """As JSON has it."""
    return [
        [i, str(h.cause), h.since, h.at, list(h.devices), h.value, str(h.severity), h.silent]
        for i, h in held.items()
    ]


def read(rows: Sequence[Sequence[Any]]) -> dict[int, Held]:
    """What was saved; ValueError or TypeError where it is damaged."""
    return {
        int(i): Held(
            Cause(cause),
            int(since),
            int(at),
            tuple(map(int, devices)),
            None if value is None else float(value),
            Severity(severity),
            None if silent is None else int(silent),
        )
        for i, cause, since, at, devices, value, severity, silent in rows
    }
