"""Registered devices that send oddly, as the database knows them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ingest.conduct import Conduct
from ingest.conducted import conduct_of

_ODD = (Path(__file__).parent / "sql" / "odd_devices.sql").read_bytes()

Odd = Mapping[tuple[str, str], Conduct]
"""By community and code."""


async def odd(
    conn: psycopg.AsyncConnection[Any], community: str | None = None, code: str | None = None
) -> Odd:
    """Devices in service of whose conduct anything is kept; only of the community or code named."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ODD, {"community": community, "code": code})
        return {(row["community"], row["code"]): conduct_of(row) for row in await cursor.fetchall()}


def odd_now(conn: psycopg.Connection[Any]) -> Odd:
    """The same, of all devices, for who does not wait for the database asynchronously."""
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_ODD, {"community": None, "code": None})
        return {(row["community"], row["code"]): conduct_of(row) for row in cursor.fetchall()}
