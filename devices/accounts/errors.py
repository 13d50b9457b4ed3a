"""Errors of accounts. No text of theirs holds a password."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.errors import DeviceError


class AccountError(DeviceError):
    """Something about an account on the broker is wrong."""


class AccountNameError(AccountError, ValueError):
    """A code or client id that no account can have."""


class ControlError(AccountError):
    """The broker cannot be reached as its administrator, or does not answer as such."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that the broker refused: for whom, which, and its own words."""

    subject: str
    command: str
    words: str

    def __str__(self) -> str:
        return f"{self.subject}: the broker refuses {self.command}: {self.words}"


class RefusedError(ControlError):
    """The broker refused some commands; `refusals` has each, the others were carried out."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals: Sequence[Refusal] = tuple(refusals)
        super().__init__("\n".join(str(refusal) for refusal in self.refusals))
