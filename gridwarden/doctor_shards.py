"""What the doctor looks at where several workers share the communities: docs/scaling.md."""

import asyncio
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from devices.instant import to_datetime
from devices.inventory import COMMUNITY, Area, Inventory
from devices.registry.statements import statement
from gridwarden.books import STALE
from gridwarden.broker_probe import communities_heard
from gridwarden.clock import clock_of
from gridwarden.errors import GridwardenError
from gridwarden.finding import Finding
from gridwarden.layout import Layout, read_layout
from gridwarden.settings import Settings
from gridwarden.shard import layout as shards_of
from gridwarden.shard import spanning
from gridwarden.site_state import load_rules
from ingest.errors import SourceError

Connection: TypeAlias = AsyncConnection[Any]

LISTEN_S = 3.0
"""Real seconds to listen for communities that the site does not have."""

_SHOWN = 8


async def examine_shards(settings: Settings) -> list[Finding]:
    """Look at the layout in force; nothing where no worker has run, or the database is away."""
    try:
        async with await AsyncConnection[Any].connect(
            settings.database_url.get_secret_value(), autocommit=True, connect_timeout=5
        ) as conn:
            layout = await read_layout(conn)
            if layout is None:
                return []
            reported = await _rows(conn, "SELECT shard, reported_at FROM collectors")
            areas = [Area(*row) for row in await _rows(conn, statement("inventory_areas"))]
            rules = await load_rules(conn)
    except psycopg.Error:
        return []  # told of elsewhere
    now = to_datetime(clock_of(settings).now())
    findings = list(judge_layout(layout, dict(reported), now))
    if layout.shards > 1:
        refused = spanning(rules, Inventory.of(areas, (), ()))
        findings.append(judge_rules([rule.code for rule in refused]))
        known = {area.code for area in areas if area.kind == COMMUNITY}
        findings += await _listen(settings, known)
    return findings


def judge_layout(layout: Layout, reported: dict[int, datetime], now: datetime) -> Iterator[Finding]:
    """Whether every shard has a worker. reported: when each shard's last said something."""
    if layout.unfinished is not None:
        yield Finding(
            "layout",
            False,
            f"the change to {layout.unfinished} shards is not finished, and no worker starts",
            f"run `gridwarden reshard {layout.unfinished}`",
        )
        return
    dead = [
        shard
        for shard in shards_of(layout.shards)
        if shard.number not in reported or now - reported[shard.number] > STALE
    ]
    named = ", ".join(str(shard) for shard in dead[:_SHOWN])
    detail = f"{layout.shards - len(dead)} of {layout.shards} running"
    yield Finding(
        "workers",
        not dead,
        f"{detail}; none for shard {named}" if dead else detail,
        f"run `gridwarden run{f' --shard {dead[0]}' if dead and layout.shards > 1 else ''}`",
    )


def judge_rules(refused: Collection[str]) -> Finding:
    """Whether several workers can judge all rules. refused: codes of those that they cannot."""
    return Finding(
        "rules",
        not refused,
        f"not judged by several workers: {', '.join(sorted(refused))}"
        if refused
        else "all lie within a community",
        "judge them by community or below, or run `gridwarden reshard 1` (docs/scaling.md)",
    )


def judge_heard(heard: Collection[str], known: Collection[str]) -> Finding:
    """Whether anything comes from communities that no worker listens to."""
    strange = sorted(set(heard) - set(known))
    more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
    told = ", ".join(repr(community) for community in strange[:_SHOWN])
    return Finding(
        "communities",
        not strange,
        f"not in the site, so no worker hears them: {told}{more}"
        if strange
        else f"nothing from outside the site in {LISTEN_S:g} s",
        "add them to the site folder, or see to what publishes there (docs/scaling.md)",
    )


async def _listen(settings: Settings, known: Collection[str]) -> list[Finding]:
    try:
        heard = await asyncio.to_thread(
            communities_heard,
            settings.mqtt_url,
            settings.mqtt_version,
            settings.broker().ca_file,
            seconds=LISTEN_S,
        )
    except (OSError, SourceError, GridwardenError):
        return []  # told of elsewhere
    return [judge_heard(heard, known)]


async def _rows(conn: Connection, query: str | bytes) -> list[tuple[Any, ...]]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query if isinstance(query, bytes) else query.encode())
        return await cursor.fetchall()
