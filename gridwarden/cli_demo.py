"""`gridwarden demo`: a simulated community on this machine, from sensor to grid member."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from devices.errors import DeviceError
from gridwarden.cli_settings import read_settings
from gridwarden.demo import run
from gridwarden.demo_stage import Options
from gridwarden.demo_text import word
from gridwarden.demo_view import View
from gridwarden.errors import GridwardenError


def demo(
    *,
    fresh: Annotated[bool, typer.Option(help="Forget what earlier runs stored.")] = False,
    speed: Annotated[float, typer.Option(min=1, max=3600, help="Simulated per real time.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another day.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the inbox; 0: any.")] = 0,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Of what is shown.")] = "en",
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so many.")] = None,
    plain: Annotated[bool, typer.Option(help="Lines instead of the live view.")] = False,
    site: Annotated[Path | None, typer.Option(help="Another site folder.")] = None,
) -> None:
    """Run a whole simulated community: devices, broker, database, rules, alerts, inbox."""
    options = Options(fresh, speed, seed, port, language, minutes, site)
    console = Console()
    try:
        summary = run(options, read_settings(), View(console, plain=plain))
    except (GridwardenError, DeviceError, OSError) as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    for text in summary.lines(language) if summary else [word("stop.early", language)]:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
