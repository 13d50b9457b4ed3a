"""`gridwarden rejected`: messages that were refused: listed, looked at, decoded again."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from devices.errors import RejectReason
from devices.instant import SECOND, to_micros
from gridwarden.cli_devices import printable
from gridwarden.cli_errors import explained
from gridwarden.cli_ledger import show
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of
from gridwarden.rejected import Refused, Retrying, listed, look, operator, retry_all
from gridwarden.settings import Settings
from ingest.decode import Limits
from ingest.retry import Outcome, Wanted

rejected_app = typer.Typer(no_args_is_help=True, help="Rejected messages.")

_HEADINGS = ("id", "arrival", "community", "device", "reason", "bytes", "topic")

Community = Annotated[str | None, typer.Option(help="Only of the community with this code.")]
Reason = Annotated[RejectReason | None, typer.Option(help="Only refused for this reason.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@rejected_app.command("list")
def list_command(
    reason: Reason = None,
    community: Community = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only what came since then; local time if no zone.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    *,
    retried: Annotated[bool, typer.Option("--retried", help="Also those stored since.")] = False,
    as_json: AsJson = False,
) -> None:
    """List rejected messages, the newest first, without what they say: see `show`."""
    settings = read_settings()
    wanted = Wanted(reason=reason, community=community)
    began = since.astimezone() if since else None
    with explained():
        found = asyncio.run(
            listed(
                settings.database_url.get_secret_value(),
                wanted,
                since=began,
                limit=limit,
                retried=retried,
            )
        )
    if as_json:
        for one in found:
            typer.echo(orjson.dumps(asdict(one)).decode())
        return
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for one in found:
        table.add_row(*_row(one))
    if found:
        show(table)
    more = "; more may be kept: see --limit" if len(found) == limit else ""
    typer.echo(f"{len(found)} rejected messages{more}")


@rejected_app.command("show")
def show_command(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `rejected list` shows it.")],
    values: Annotated[
        bool,
        typer.Option("--values", help="What a registered device said, too; the look is recorded."),
    ] = False,
) -> None:
    """Show a rejected message: topic, payload, what was wrong, and what it would be today.

    What a registered device said may be somebody's vital signs. It is shown with --values only, and
    the audit log then says who looked at it and when.
    """
    settings = read_settings()
    with explained():
        seen = asyncio.run(
            look(
                settings.database_url.get_secret_value(),
                number,
                _limits(settings),
                clock_of(settings).now(),
                by=operator(),
                values=values,
            )
        )
    message = seen.message
    _line("arrival", message.arrival.astimezone().isoformat(" ", "milliseconds"))
    _line("topic", message.topic)
    _line("device", message.device or "none that is registered")
    _line("refused", f"{message.reason}{' (in part)' if message.partial else ''}")
    _line("today", seen.verdict)
    if message.retried_at is not None:
        when = message.retried_at.astimezone().isoformat(" ", "seconds")
        _line("stored", f"{when} by {message.retried_by}")
    if seen.open:
        _line("because", message.detail)
        _line("payload", message.payload.decode("utf-8", "backslashreplace"))
        _line("means", orjson.dumps(message.understood()).decode())
    else:
        _line("payload", f"{message.bytes} bytes, maybe of a registered device; see --values")


@rejected_app.command("retry")
def retry_command(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Only these; else all.")
    ] = None,
    *,
    reason: Reason = None,
    community: Community = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of them.")
    ] = False,
) -> None:
    """Decode rejected messages again, and store what is understood by now.

    After a device is registered, a site corrected, or Gridwarden updated. Each keeps the time at
    which it came. No rule judges what is stored so: it is history. The audit log says who did it.
    """
    settings = read_settings()
    wanted = Wanted(ids=tuple(ids) if ids else None, reason=reason, community=community)
    with explained():
        outcome = asyncio.run(_retry(settings, wanted, dry_run=dry_run))
    typer.echo(_told(outcome, "would be " if dry_run else ""))


async def _retry(settings: Settings, wanted: Wanted, *, dry_run: bool) -> Outcome:
    url, now = settings.database_url.get_secret_value(), clock_of(settings).now()
    last: Retrying | None = None
    with _progress() as bar:
        task = bar.add_task("messages", total=None)
        async for last in retry_all(
            url, wanted, _limits(settings), now, by=operator(), dry_run=dry_run
        ):
            bar.update(task, total=last.expected, completed=last.outcome.messages)
    return last.outcome if last else Outcome()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _told(outcome: Outcome, would: str) -> str:
    parts = [
        f"{outcome.messages} messages decoded again: {outcome.stored} {would}stored",
        f"{outcome.duplicate} {would}known as duplicate",
        f"{outcome.completed} {would}completed",
    ]
    lines = [", ".join(parts)]
    if outcome.in_part:
        lines.append(f"{outcome.in_part} of them still refused in part")
    lines += [
        f"{number} still refused: {reason}" for reason, number in outcome.refused.most_common()
    ]
    if outcome.with_memory:
        lines.append(f"{outcome.with_memory} left: they are read by what was announced before them")
    return "\n".join(lines)


def _row(one: Refused) -> Sequence[str]:
    return (
        str(one.id),
        one.arrival.astimezone().isoformat(" ", "seconds"),
        printable(one.community),
        printable(one.device or ""),
        one.reason + (" (in part)" if one.partial else ""),
        str(one.bytes),
        printable(one.topic),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        earliest=to_micros(settings.earliest_time), max_ahead=round(settings.max_ahead_s * SECOND)
    )


def _line(name: str, text: str) -> None:
    typer.echo(f"{name:<8} {printable(text)}")
