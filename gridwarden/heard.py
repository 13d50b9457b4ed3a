"""What a device that waits to be adopted has said, and what that would be understood as.

Only messages in which nobody registered speaks are read: they belong to nobody's home yet.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from devices import formats
from devices.errors import FormatError
from devices.formats.explain import Understood, explain
from devices.instant import Micros, to_datetime
from devices.topic import parse
from gridwarden.pending import REMEMBERED, SQL


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it came; `arrival` in UTC."""

    arrival: datetime
    topic: str
    payload: bytes

    def understood(self) -> Understood:
        """What it says, in the format that its topic names."""
        try:
            read = formats.BY_NAME.get(parse(self.topic).format)
        except FormatError as error:
            return {"rejected": f"{error.reason}: {error.detail}"}
        if read is None:
            return {"rejected": "unknown_format: no such format"}
        return explain(read, self.topic, self.payload)


async def heard(url: str, community: str, address: str, now: Micros, limit: int) -> list[Heard]:
    """The last messages of an unregistered device, the newest first; at most `limit`.

    address: what its format calls it, or its code on our own topics · now: µs, UTC.
    """
    values = {
        "community": community,
        "address": address,
        "since": to_datetime(now - REMEMBERED),
        "limit": limit,
    }
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Heard)) as cursor,
    ):
        await cursor.execute((SQL / "heard_messages.sql").read_bytes(), values)
        return await cursor.fetchall()
