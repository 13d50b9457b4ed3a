"""`gridwarden rules`: check rule files; what they would have told, and why they did."""

from pathlib import Path
from typing import Annotated

import typer

from gridwarden.cli_rules_explain import explain
from gridwarden.cli_rules_library import library
from gridwarden.cli_rules_replay import replay
from gridwarden.rule_files import read_files
from gridwarden.rule_library import library_texts
from rules.errors import RulesError
from rules.loader import load

rules_app = typer.Typer(no_args_is_help=True, help="Rule files.")
rules_app.command("replay")(replay)
rules_app.command("library")(library)
rules_app.command("explain")(explain)

Paths = Annotated[
    list[Path],
    typer.Argument(help="Rule files, and folders with rule files (*.yaml) at any depth."),
]


@rules_app.callback()
def rules() -> None:
    """Rule files."""


@rules_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of rule files, for editors; see docs/rules.md, "In an editor"."""
    from rules.schema import as_text

    typer.echo(as_text(), nl=False)


@rules_app.command("check")
def check(paths: Paths) -> None:
    """Tell every mistake in rule files, with file, line and hint; exit code 1 if there is one."""
    files, problems = read_files(paths)
    count = 0
    try:
        count = len(load(files, library_texts(), whole=True))
    except RulesError as error:
        problems += error.problems
    for problem in sorted(problems):
        typer.echo(str(problem))
    if problems:
        typer.echo(f"{_counted(len(problems), 'problem')}; nothing of this may be used.")
        raise typer.Exit(1)
    typer.echo(f"{_counted(count, 'rule')} in {_counted(len(files), 'file')}, all fine.")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
