"""Passwords handed to a person, once: as text, or as a CSV file that only they may read."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devices.accounts.account import topics
from devices.accounts.initial import Credential
from gridwarden.errors import GridwardenError

COLUMNS = ("username", "password", "client_id", "publish", "subscribe")


class FileThereError(GridwardenError):
    """A file that would hold secrets exists already, or cannot be made."""


def card(given: Credential) -> str:
    """What an installer needs to enter into the device."""
    publishes, reads = topics(given.account)
    lines = {
        "user name": given.account.username,
        "password": given.secret,
        "client id": given.account.client_id or "(any)",
        "publish": ", ".join(publishes) or "nothing",
        "subscribe": ", ".join(reads) or "nothing",
    }
    return "\n".join(f"{name:<10} {value}" for name, value in lines.items()) + "\n"


@contextmanager
def kept_in(path: Path) -> Iterator[Callable[[Sequence[Credential]], None]]:
    """Appends passwords to a new file of mode 0600; each call returns when they are on disk.

    FileThereError if the file exists. One that was given nothing is removed again.
    """
    descriptor = create_private(path)
    written = 0
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)

        def keep(given: Sequence[Credential]) -> None:
            nonlocal written
            rows.writerows(_row(each) for each in given)
            file.flush()
            os.fsync(file.fileno())
            written += len(given)

        try:
            yield keep
        finally:
            if not written:
                path.unlink()


def create_private(path: Path) -> int:
    """A descriptor of a new file that only its owner may read; FileThereError if it exists."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileThereError(f"{path} exists; it is not overwritten: name another") from None
    except OSError as error:
        raise FileThereError(f"{path} cannot be made: {error.strerror}") from None


def _row(given: Credential) -> tuple[str, ...]:
    publishes, reads = topics(given.account)
    account = given.account
    ours = (account.username, given.secret, account.client_id or "")
    return (*ours, " ".join(publishes), " ".join(reads))
