"""The demo's community: the example site, applied, with passwords for its members."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from psycopg import AsyncConnection

from alerts.web.password import set_password
from devices.instant import Micros
from devices.inventory import Inventory
from devices.registry import apply_site, load_inventory
from devices.site import Site
from gridwarden.errors import GridwardenError
from gridwarden.site import rule_texts
from rules.model import Rule

PASSWORD = "gridwarden-demo"  # noqa: S105 - printed on the screen, of a service on loopback
_EXAMPLES = ("examples/site", "../examples/site")


class NoSiteError(GridwardenError):
    """There is no site folder where one was looked for."""


@dataclass(frozen=True, slots=True)
class Town:
    """What the demo needs to know of the site it applied; members by code."""

    inventory: Inventory
    zone: ZoneInfo
    members: tuple[str, ...]


def example_site() -> Path:
    """The example site: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    for folder in (here / path for path in _EXAMPLES):
        if folder.is_dir():
            return folder.resolve()
    raise NoSiteError(f"the example site is neither in {here} nor beside it; give --site")


def settle(url: str, site: Site, rules: Sequence[Rule], now: Micros) -> Town:
    """Apply the site at this instant and let its members sign in with the demo's password."""
    return asyncio.run(_settle(url, site, rules, now))


async def _settle(url: str, site: Site, rules: Sequence[Rule], now: Micros) -> Town:
    async with await AsyncConnection.connect(url) as conn:
        await apply_site(conn, site, now, rules=rule_texts(rules))
        inventory = await load_inventory(conn)
        for member in await _without_password(conn):
            await set_password(conn, member, PASSWORD)
    return Town(inventory, ZoneInfo(site.time_zone), tuple(sorted(site.members)))


async def _without_password(conn: psycopg.AsyncConnection) -> list[str]:
    cursor = await conn.execute(
        "SELECT code FROM members WHERE password_hash IS NULL AND retired_at IS NULL ORDER BY code"
    )
    return [str(row[0]) for row in await cursor.fetchall()]
