"""`gridwarden ledger`: what became of every message, by device and in all."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gridwarden.books import Books, Line, Sum, Worker, books
from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.cli_site import failed
from gridwarden.clock import clock_of

_HEADINGS = (
    "community",
    "device",
    "received",
    "stored",
    "duplicate",
    "rejected",
    "in part",
    "last heard",
    "rejected because",
)

_WIDE = 240


def ledger(
    community: Annotated[
        str | None, typer.Option(help="Only of the community with this code.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="COMMUNITY/CODE", help="Only this device.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many devices.")] = 50,
    *,
    every: Annotated[bool, typer.Option("--all", help="All devices.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; the last one is the sum.")
    ] = False,
) -> None:
    """Show what became of every message: received = stored + duplicate + rejected + in flight.

    By device, the largest rejected share first, and in all. In flight is known to the running
    service only, which tells it every 2 s. "In part": stored, while a part of it was rejected.
    Ends with code 1 where the ledger does not balance.
    """
    if device is not None:
        community, slash, device = device.partition("/")
        if not slash or not device:
            raise failed("--device is COMMUNITY/CODE, as `gridwarden devices list` shows them")
    settings = read_settings()
    with explained():
        found = asyncio.run(
            books(
                settings.database_url.get_secret_value(),
                clock_of(settings).now(),
                community=community,
                device=device,
                limit=None if every else limit,
            )
        )
    (_tell_json if as_json else _tell)(found)
    errors = found.errors()
    if errors:
        raise failed("\n".join(f"The ledger does not balance: {error}" for error in errors))


def _tell(found: Books) -> None:
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for line in found.lines:
        table.add_row(line.community, line.device or "(none told)", *_figures(line))
    if found.lines:
        show(table)
    whole = found.sum
    left = whole.devices - len(found.lines)
    typer.echo(f"{whole.devices} devices{f', {left} of them not shown: --all' if left else ''}")
    in_flight = "" if found.in_batches is None else f" + in flight {found.in_flight}"
    received = whole.received + (0 if found.in_batches is None else found.in_flight)
    typer.echo(
        f"received {received} = stored {whole.stored} + duplicate {whole.duplicate}"
        f" + rejected {whole.rejected}{in_flight}"
    )
    if whole.reasons:
        typer.echo(f"rejected: {_reasons(whole.reasons)}")
    for worker in found.workers:
        typer.echo(_worker(worker, found.now, running=worker in found.running))
    if not found.running:
        typer.echo("no worker is running: what is in flight waits at the broker")
    if not found.errors():
        typer.echo("it balances")


def show(table: Table) -> None:
    """Print a table; into a pipe without cutting anything off."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=_WIDE)
    console.print(table, markup=False)


def _tell_json(found: Books) -> None:
    for line in found.lines:
        typer.echo(orjson.dumps(asdict(line)).decode())
    whole = asdict(found.sum) | {
        "in_flight": found.in_flight,
        "workers": [asdict(worker) for worker in found.workers],
        "errors": found.errors(),
    }
    typer.echo(orjson.dumps({"sum": whole}).decode())


def _figures(line: Line | Sum) -> Sequence[str]:
    heard = line.last_heard
    return (
        str(line.received),
        str(line.stored),
        str(line.duplicate),
        str(line.rejected),
        str(line.in_part),
        "never" if heard is None else heard.astimezone().isoformat(" ", "seconds"),
        _reasons(line.reasons),
    )


def _reasons(reasons: Mapping[str, int]) -> str:
    most = sorted(reasons.items(), key=lambda one: -one[1])
    return ", ".join(f"{reason} {number}" for reason, number in most)


def _worker(worker: Worker, now: datetime, *, running: bool) -> str:
    ago = max(0.0, (now - worker.reported_at).total_seconds())
    if not running:
        return (
            f"shard {worker.shard}: no report for {ago:.0f} s; it is not running, or is cut off"
            f" from the database; {worker.in_flight} were in flight"
        )
    broker = "connected" if worker.connected else "the broker is away"
    return (
        f"shard {worker.shard}: in flight {worker.in_flight}, of these {worker.waiting} in no batch"
        f" yet; {broker}; as of {ago:.1f} s ago"
    )
