"""`gridwarden rules`: check rule files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from devices.errors import Problem
from rules.errors import RulesError
from rules.loader import load

rules_app = typer.Typer(no_args_is_help=True, help="Rule files.")

Paths = Annotated[
    list[Path],
    typer.Argument(help="Rule files, and folders with rule files (*.yaml) at any depth."),
]


@rules_app.callback()
def rules() -> None:
    """Rule files."""


@rules_app.command("check")
def check(paths: Paths) -> None:
    """Tell every mistake in rule files, with file, line and hint; exit code 1 if there is one."""
    files, problems = read_files(paths)
    count = 0
    try:
        count = len(load(files, whole=True))
    except RulesError as error:
        problems += error.problems
    for problem in sorted(problems):
        typer.echo(str(problem))
    if problems:
        typer.echo(f"{_counted(len(problems), 'problem')}; nothing of this may be used.")
        raise typer.Exit(1)
    typer.echo(f"{_counted(count, 'rule')} in {_counted(len(files), 'file')}, all fine.")


def read_files(paths: Iterable[Path]) -> tuple[dict[str, str], list[Problem]]:
    """The texts of these files, and of the rule files below these folders, by path.

    Beside them what could not be read, or holds no rule files.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for path in paths:
        found = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not found:
            problems.append(Problem(str(path), 0, "no rule files (*.yaml) in this folder"))
        for file in found:
            try:
                texts[str(file)] = file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(str(file), 0, f"cannot be read: {error}"))
    return texts, problems


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
