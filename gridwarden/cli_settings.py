"""Settings for a command: read from the environment, or every mistake in them and the end."""

import typer
from pydantic import ValidationError
from rich.console import Console

from gridwarden.settings import Settings

errors = Console(stderr=True)


def read_settings() -> Settings:
    """Settings from the environment; ends the command with every error where they are wrong."""
    try:
        return Settings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "GRIDWARDEN_" + "_".join(str(part) for part in one["loc"]).upper()
            # the message never repeats the value, which may be a secret
            errors.print(f"{name}: {one['msg']}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
