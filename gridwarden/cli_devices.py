"""`gridwarden devices`: which devices are registered, and which wait to be adopted."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of
from gridwarden.pending import Known, Pending, known, pending

devices_app = typer.Typer(no_args_is_help=True, help="Devices.")

_PAYLOAD = 120

Community = Annotated[str | None, typer.Option(help="Only of the community with this code.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@devices_app.callback()
def devices() -> None:
    """Devices."""


@devices_app.command("list")
def list_command(
    community: Community = None,
    retired: Annotated[bool, typer.Option("--retired", help="Retired ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the registered devices: where they are and when they were last heard."""
    url = read_settings().database_url.get_secret_value()
    with explained():
        found = asyncio.run(known(url, community, retired=retired))
    if as_json:
        _json_lines(found)
    else:
        _show(
            ("community", "code", "kind", "address", "place", "last heard"),
            (_known_row(device) for device in found),
        )
        typer.echo(f"{len(found)} devices")


@devices_app.command("pending")
def pending_command(community: Community = None, as_json: AsJson = False) -> None:
    """List devices that were heard from and are not registered, with their last message.

    To adopt one, give it an entry in the site folder's devices.yaml with its `address` (or, for one
    that publishes on our own topics, with its code) and run `gridwarden site apply`.
    """
    settings = read_settings()
    now = clock_of(settings).now()
    with explained():
        found = asyncio.run(pending(settings.database_url.get_secret_value(), now))
    wanted = [p for p in found if community in (None, p.community)]
    if as_json:
        _json_lines(wanted)
    else:
        _show(
            ("community", "address", "messages", "first heard", "last heard", "last message"),
            (_pending_row(device) for device in wanted),
        )
        typer.echo(f"{len(wanted)} devices wait to be adopted")


def _known_row(device: Known) -> tuple[str, ...]:
    place = device.household or device.area or "retired"
    heard = _time(device.last_heard)
    return (device.community, device.code, device.kind, device.address or "", place, heard)


def _pending_row(device: Pending) -> tuple[str, ...]:
    return (
        device.community,
        _printable(device.address),
        str(device.messages),
        _time(device.first_heard),
        _time(device.last_heard),
        f"{_printable(device.topic)} {_text(device.payload)}",
    )


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else moment.astimezone().isoformat(" ", "seconds")


def _text(payload: bytes) -> str:
    text = _printable(payload[: 2 * _PAYLOAD].decode("utf-8", "backslashreplace"))
    return text if len(text) <= _PAYLOAD else text[: _PAYLOAD - 1] + "…"


def _printable(text: str) -> str:
    """What a stranger sent must not steer the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _json_lines(found: Sequence[Known] | Sequence[Pending]) -> None:
    for one in found:
        plain = orjson.dumps(one, default=lambda value: value.decode("utf-8", "backslashreplace"))
        typer.echo(plain.decode())


def _show(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table, markup=False)
