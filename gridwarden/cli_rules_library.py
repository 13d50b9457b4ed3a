"""`gridwarden rules library`: what the rule library has, and one rule of it whole."""

from typing import Annotated

import typer

from devices.suggest import did_you_mean
from gridwarden.rule_library import library_rules, library_texts
from rules.inclusion import names_in, path_of
from rules.model import Rule


def library(
    name: Annotated[
        str, typer.Argument(help="A file of the library (care), or the id of a rule.")
    ] = "",
    *,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
) -> None:
    """List the rules of the library, or show one whole; see docs/rules.md, "The library"."""
    rules = library_rules()
    chosen = [rule for rule in rules if name in {"", rule.code} or rule.source == path_of(name)]
    if language not in {"en", "zh"}:
        typer.echo(f"--language {language!r} is neither en nor zh", err=True)
        raise typer.Exit(2)
    if not chosen:
        known = [*names_in(library_texts()), *(rule.code for rule in rules)]
        typer.echo(f"The library has no {name!r}: {did_you_mean(name, known)}", err=True)
        raise typer.Exit(1)
    if name == chosen[0].code:
        typer.echo(f"# {chosen[0].source}:{chosen[0].line}\n{chosen[0].text}")
        return
    for rule in chosen:
        typer.echo(_line(rule, language, max(len(one.code) for one in chosen)))


def _line(rule: Rule, language: str, width: int) -> str:
    told = f"{rule.code:<{width}}  {rule.severity:<6}  {rule.title[language]}"
    return f"{told}  ({rule.basis[language]})"
