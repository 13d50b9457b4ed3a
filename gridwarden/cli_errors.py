"""What a command says when it cannot go on: a sentence on standard error, and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import typer
from rich.console import Console

from alerts.errors import AlertError
from devices.accounts.errors import AccountError
from gridwarden.errors import GridwardenError
from ingest.errors import SourceError

_TOLD_AS_THEY_ARE = (GridwardenError, AlertError, SourceError, AccountError)


@contextmanager
def explained() -> Iterator[None]:
    """Ends the command with a clear sentence for what can be expected to go wrong.

    An error of another kind, alone or in a group, goes on with its traceback.
    """
    try:
        yield
    except Exception as error:
        sentences = [explain(one) for one in _leaves(error)]
        if None in sentences:
            raise
        for sentence in dict.fromkeys(sentences):
            _say(f"error: {sentence}")
        raise typer.Exit(1) from None


def explain(error: BaseException) -> str | None:
    """The sentence for this error, with what to do; None if it is not to be expected."""
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "the database has no Gridwarden tables; run `gridwarden migrate`"
    if isinstance(error, psycopg.OperationalError):
        first = str(error).strip().partition("\n")[0]
        return (
            f"the database cannot be used: {first}; "
            "is GRIDWARDEN_DATABASE_URL right, and the server up?"
        )
    return str(error) if isinstance(error, _TOLD_AS_THEY_ARE) else None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
