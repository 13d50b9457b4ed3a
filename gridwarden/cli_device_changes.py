"""`gridwarden devices retire|move|replace`: a registered device leaves, moves, or is exchanged."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from devices.site import SiteError
from gridwarden.adding import write
from gridwarden.changing import changed, without
from gridwarden.cli_site import Folder, apply_command, failed

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before applying.")]
Device = Annotated[str, typer.Argument(help="COMMUNITY/CODE.", metavar="DEVICE")]


def retire(
    folder: Folder,
    devices: Annotated[list[str], typer.Argument(help="COMMUNITY/CODE.", metavar="DEVICE…")],
    yes: Yes = False,
) -> None:
    """Take devices out of a site folder, and apply the folder. Their history stays.

    Their messages are refused from then on. A device that comes back under its code goes on with
    its history.
    """
    _change(folder, lambda: without(folder, devices), yes=yes)


def move(
    folder: Folder,
    device: Device,
    area: Annotated[str, typer.Option(help="The area it is in from now on, or:")] = "",
    household: Annotated[str, typer.Option(help="The household it is in from now on.")] = "",
    yes: Yes = False,
) -> None:
    """Put a device elsewhere in its community, and apply the folder. Where it was stays, dated."""
    if bool(area) == bool(household):
        raise failed("Give either --area or --household.")
    to = {"area": area or None, "household": household or None}
    _change(folder, lambda: changed(folder, device, to), yes=yes)


def replace(
    folder: Folder,
    device: Device,
    address: Annotated[str, typer.Option(help="What its vendor's format calls the new one.")],
    yes: Yes = False,
) -> None:
    """Exchange a device for another of its kind, and apply the folder.

    It keeps its code, its place and its history; from when to when which address was in use stays,
    dated. A device on our own topics has no address: give the new one new credentials instead.
    """
    _change(folder, lambda: changed(folder, device, {"address": address}), yes=yes)


def _change(folder: Path, make: Callable[[], Mapping[str, str]], *, yes: bool) -> None:
    try:
        files = make()
    except SiteError as error:
        raise failed(f"{error}\nNothing was changed.") from None
    write(folder, files)
    typer.echo("Written: " + ", ".join(str(folder / name) for name in sorted(files)))
    apply_command(folder, yes=yes)
