"""`gridwarden upkeep`: roll-ups and retention by hand, with progress."""

import asyncio
from typing import Annotated

import typer
from psycopg import AsyncConnection

from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of
from gridwarden.retention import too_old
from gridwarden.rollup import waiting
from gridwarden.settings import Settings
from gridwarden.upkeep import keep_up, turn_of


def upkeep(
    *,
    once: Annotated[bool, typer.Option("--once", help="One turn, then the end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be done.")
    ] = False,
) -> None:
    """Sum readings up and drop what is too old, as the service does; until Ctrl-C, or once."""
    settings = read_settings()
    with explained():
        if dry_run:
            asyncio.run(_count(settings))
        elif once:
            asyncio.run(_once(settings))
        else:
            asyncio.run(_always(settings))


async def _count(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.set_read_only(True)
        batches, readings = await waiting(conn)
        typer.echo(f"to sum up: {batches} batches, {readings} readings")
        old = await too_old(conn, settings.retention(), clock_of(settings).now())
    for table, count in old.items():
        typer.echo(f"too old in {table}: {count}")


async def _once(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    done = await turn_of(
        url,
        settings.retention(),
        clock_of(settings),
        tell=lambda what, count: typer.echo(f"{what}: {count}"),
    )
    if done.taken:
        typer.echo("another session is at it; nothing done here")
    else:
        chunks = sum(piece.chunks for piece in done.dropped)
        rows = sum(piece.rows for piece in done.dropped)
        typer.echo(
            f"done: {done.batches} batches summed up, {chunks} chunks and {rows} rows dropped"
        )


async def _always(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    await keep_up(url, settings.retention(), clock_of(settings))
