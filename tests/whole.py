"""Pieces of tests of the whole service: a site applied, a count waited for."""

from datetime import datetime
from pathlib import Path

import psycopg

from devices import registry
from devices.instant import to_micros
from gridwarden.site import check, rule_texts
from tests.waiting import until


async def until_count(url: str, query: str, at_least: int, *, at_most_s: float = 60) -> None:
    """Return once `query` counts `at_least`; the database may be away in between."""
    last = 0

    async def reached() -> bool:
        nonlocal last
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as conn:
                row = await (await conn.execute(query.encode())).fetchone()
        except psycopg.OperationalError:
            return False
        last = row[0] if row else 0
        return last >= at_least

    try:
        await until(reached, what=query, at_most_s=at_most_s)
    except AssertionError as error:
        raise AssertionError(f"{error}; it counts {last} of {at_least}") from None


async def apply_site(url: str, folder: Path, now: datetime) -> None:
    """Check the site folder and apply it to the database as of `now`."""
    site, rules = check(folder)
    async with await psycopg.AsyncConnection.connect(url) as conn:
        await registry.apply_site(conn, site, to_micros(now), rules=rule_texts(rules))
