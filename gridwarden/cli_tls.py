"""`gridwarden tls`: a certificate authority of one's own, and the broker's certificate."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from devices.instant import to_datetime
from gridwarden.cli_errors import explained
from gridwarden.clock import WallClock

tls_app = typer.Typer(no_args_is_help=True, help="TLS.")

Folder = Annotated[Path, typer.Argument(help="Where the keys and certificates are.")]
Host = Annotated[
    list[str] | None,
    typer.Option("--host", help="A name or IP address by which the broker is reached; repeatable."),
]


@tls_app.callback()
def tls() -> None:
    """TLS."""


@tls_app.command("init")
def init_command(folder: Folder, host: Host = None) -> None:
    """Make an authority (ca.key, ca.crt) and the broker's key and certificate (server.*).

    ca.crt goes to the devices and into GRIDWARDEN_MQTT_CA_FILE, server.* to the broker. ca.key
    signs: keep it off the broker. An authority that is there is never overwritten.
    """
    from gridwarden.local_authority import CA_CERT, init

    with explained():
        made = init(folder, host or [], _now())
    typer.echo(f"{folder / CA_CERT}: what devices and the service trust")
    typer.echo(f"{made.path}: for {', '.join(made.hosts)}, until {made.until:%Y-%m-%d}")


@tls_app.command("renew")
def renew_command(folder: Folder, host: Host = None) -> None:
    """Make a new key and certificate for the broker, from the same authority.

    For the same names, if no other are given. Nothing changes for devices.
    """
    from gridwarden.local_authority import renew

    with explained():
        made = renew(folder, host or [], _now())
    typer.echo(f"{made.path}: for {', '.join(made.hosts)}, until {made.until:%Y-%m-%d}")
    typer.echo("Bring server.key and server.crt to the broker and send it SIGHUP.")


def _now() -> datetime:
    return to_datetime(WallClock().now())
