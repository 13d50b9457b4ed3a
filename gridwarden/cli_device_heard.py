"""`gridwarden devices heard`: the last messages of a device that waits to be adopted."""

import asyncio
from typing import Annotated

import orjson
import typer

from gridwarden.cli_devices import printable
from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.cli_site import failed
from gridwarden.clock import clock_of
from gridwarden.heard import heard as messages_of


def heard(
    community: Annotated[str, typer.Argument(help="The community's code.")],
    address: Annotated[str, typer.Argument(help="As `gridwarden devices pending` shows it.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 10,
) -> None:
    """Show the last messages of a device that waits to be adopted, and what each of them says.

    The newest comes first: when it came, its topic, its payload, and what it is understood as.
    """
    settings = read_settings()
    with explained():
        found = asyncio.run(
            messages_of(
                settings.database_url.get_secret_value(),
                community,
                address,
                clock_of(settings).now(),
                limit,
            )
        )
    if not found:
        raise failed(
            f"Nothing was heard of {address!r} in community {community!r} in the last 30 days,"
            " or it is registered: see `gridwarden devices pending` and `show`."
        )
    for message in found:
        typer.echo(f"{message.arrival.astimezone().isoformat(' ', 'seconds')}  ", nl=False)
        typer.echo(printable(message.topic))
        typer.echo(f"    {printable(message.payload.decode('utf-8', 'backslashreplace'))}")
        typer.echo(f"    = {printable(orjson.dumps(message.understood()).decode())}")
