"""`gridwarden site`: check a site folder, and apply it to the database."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import psycopg
import typer

from devices.errors import Problem
from devices.instant import Micros
from devices.registry import RuleText, SiteChange, apply_site, lock_site, plan_changes
from devices.site import Site, SiteError
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of
from gridwarden.layout import read_layout
from gridwarden.rule_changes import rules_in_force, told
from gridwarden.rule_library import library_texts
from gridwarden.settings import Settings
from gridwarden.shard import spanning
from gridwarden.site import check, rule_texts
from gridwarden.site_warnings import find_warnings, provisional_inventory

site_app = typer.Typer(no_args_is_help=True, help="A community described as data.")

_SHOWN = 20

Folder = Annotated[Path, typer.Argument(help="The site folder, which holds site.yaml.")]


class _Wanted(NamedTuple):
    """What is to be in force, dated `now`."""

    site: Site
    rules: Sequence[RuleText]
    now: Micros
    spanning: Sequence[str]
    """Codes of rules that only a single worker can judge."""


@site_app.command("check")
def check_command(folder: Folder) -> None:
    """Tell every mistake in a site folder, with file, line and hint."""
    _checked(folder, read_settings())


@site_app.command("apply")
def apply_command(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the changes.")] = False,
) -> None:
    """Show what a site folder would change in the database, ask, and change it.

    Nothing is ever deleted: what vanishes from the folder is retired and keeps its history.
    """
    settings = read_settings()
    wanted = _checked(folder, settings)
    url = settings.database_url.get_secret_value()
    try:
        changes = asyncio.run(_plan(url, wanted))
        _show(changes)
        asyncio.run(_tell_of_rules(url, wanted.rules))
        asyncio.run(_warn_of_spanning(url, wanted.spanning))
        if dry_run or not changes:
            return
        if not yes:
            typer.confirm("Apply these changes?", abort=True)
        version = asyncio.run(_apply(url, wanted, changes))
    except psycopg.errors.UndefinedTable:
        raise failed("The database has no Gridwarden tables: run `gridwarden migrate`.") from None
    except psycopg.OperationalError as error:
        hint = "Is GRIDWARDEN_DATABASE_URL right, and the server up?"
        raise failed(f"The database cannot be used: {error}\n{hint}") from None
    if version is None:
        raise failed("Somebody else applied a site meanwhile: run this again. Nothing changed.")
    typer.echo(f"Applied as version {version}: {_counted(changes)}.")


def _checked(folder: Path, settings: Settings) -> _Wanted:
    """The site and its rules; ends the command where they are wrong."""
    now = clock_of(settings).now()
    try:
        site, rules = check(folder)
    except SiteError as error:
        _tell(folder, error.problems)
        raise failed(f"{folder}: problems {len(error.problems)}") from None
    warnings = find_warnings(site, rules, now)
    _tell(folder, warnings, "warning: ")
    typer.echo(f"{site.name['en']} is sound: {_contents(site)}, rules {len(rules)}.")
    if warnings:
        typer.echo(f"Warnings: {len(warnings)}; see above.", err=True)
    spans = [rule.code for rule in spanning(rules, provisional_inventory(site))]
    return _Wanted(site, rule_texts(rules), now, spans)


def _contents(site: Site) -> str:
    sections = ("areas", "households", "devices", "members", "duties")
    return ", ".join(f"{section} {len(getattr(site, section))}" for section in sections)


def _tell(folder: Path, problems: Iterable[Problem], before: str = "") -> None:
    for problem in problems:
        hint = f"\n    {problem.hint}" if problem.hint else ""
        inside = problem.source != str(folder) and problem.source not in library_texts()
        place = folder / problem.source if inside else problem.source
        typer.echo(f"{place}:{problem.line}: {before}{problem.what}{hint}", err=True)


def failed(message: str) -> typer.Exit:
    """Says why on standard error; to be raised."""
    typer.echo(message, err=True)
    return typer.Exit(1)


async def _plan(url: str, wanted: _Wanted) -> list[SiteChange]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        return await plan_changes(conn, wanted.site, wanted.now, rules=wanted.rules)


async def _tell_of_rules(url: str, rules: Sequence[RuleText]) -> None:
    """Say what becomes of rules that are changed or removed, and of their alerts."""
    async with await psycopg.AsyncConnection.connect(url) as conn:
        in_force = await rules_in_force(conn)
    for line in told(in_force, rules):
        typer.echo(line)


async def _warn_of_spanning(url: str, rules: Sequence[str]) -> None:
    """Say which rules nobody will judge, where several workers share the communities."""
    async with await psycopg.AsyncConnection.connect(url) as conn:
        layout = await read_layout(conn)
    if rules and layout is not None and layout.shards > 1:
        typer.echo(
            f"warning: {', '.join(rules)}: over areas above the community, so none of the "
            f"{layout.shards} workers judges it (docs/scaling.md)",
            err=True,
        )


async def _apply(url: str, wanted: _Wanted, agreed: Sequence[SiteChange]) -> int | None:
    """The new version; None, and nothing done, where the changes are not those agreed to."""
    site, rules, now, _ = wanted
    async with await psycopg.AsyncConnection.connect(url) as conn:
        await lock_site(conn)
        if await plan_changes(conn, site, now, rules=rules) != list(agreed):
            return None
        return await apply_site(conn, site, now, rules=rules)


def _show(changes: Sequence[SiteChange]) -> None:
    if not changes:
        typer.echo("Nothing to change: the database says what the folder says.")
    groups: dict[str, list[SiteChange]] = defaultdict(list)
    for change in changes:
        groups[f"{change.section} {change.kind}"].append(change)
    for title, group in groups.items():
        typer.echo(f"{title}: {len(group)}")
        for change in group[:_SHOWN]:
            details = "".join(f"; {field}" for field in change.fields)
            typer.echo(f"    {change.code}{details}")
        if len(group) > _SHOWN:
            typer.echo(f"    … and {len(group) - _SHOWN} more")


def _counted(changes: Iterable[SiteChange]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for change in changes:
        counts[change.kind] += 1
    return ", ".join(f"{number} {kind}" for kind, number in counts.items())
