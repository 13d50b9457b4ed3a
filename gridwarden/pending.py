"""Devices as the database knows them: those registered, and those that wait to be adopted.

A device that nobody registered is refused with all it says, and kept as rejected: it waits here,
with its last message and what it announced of itself, until the site folder has an entry with its
address (or its code).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from devices.formats.announcing import Announced, announcing
from devices.instant import DAY, Micros, to_datetime, to_micros
from devices.inventory import same_address
from devices.kind import SILENT_AFTER_INTERVALS
from devices.liveness import LastSaid, Liveness, gone_since, liveness
from devices.metric import BY_NAME
from gridwarden.odd import odd
from ingest.announced import announced
from ingest.conduct import Conduct, marks

SQL = Path(__file__).parent / "sql"
REMEMBERED: Micros = 30 * DAY
"""A device that was not heard from for longer does not wait any more."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A device that was heard from and is not registered.

    topic, payload: its last message; the payload is empty where a registered device spoke in it
    too · announced: what it said of itself, None if nothing.
    """

    community: str
    address: str
    messages: int
    first_heard: datetime
    last_heard: datetime
    topic: str
    payload: bytes
    announced: Announced | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A registered device; `retired_at` where it is kept for its history only.

    conduct: what is kept of it where it sends oddly.
    """

    community: str
    code: str
    kind: str
    name: dict[str, str]
    address: str | None
    area: str | None
    household: str | None
    gateway: str | None
    interval_us: Micros
    retired_at: datetime | None
    heard: datetime | None
    left_at: datetime | None
    battery: float | None
    battery_low: float | None
    conduct: Conduct | None = None

    @property
    def said(self) -> LastSaid:
        """What it said last."""
        return LastSaid(_micros(self.heard), _micros(self.left_at), self.battery, self.battery_low)

    @property
    def silent_after(self) -> Micros:
        """Its silence limit, µs."""
        return SILENT_AFTER_INTERVALS * self.interval_us


def states(devices: Iterable[Known], now: Micros) -> list["State"]:
    """Of each device whether it lives at `now` (µs, UTC), those in service by their gateways."""
    found = list(devices)
    by_code = {(d.community, d.code): d for d in found if d.retired_at is None}
    return [_state(device, by_code, now) for device in found]


@dataclass(frozen=True, slots=True)
class State:
    """Whether a device lives; `gateway` is the state of the gateway that it is behind.

    marks: what else is to be told of it, e.g. that its clock is wrong.
    """

    device: Known
    liveness: Liveness
    gateway: Liveness | None
    marks: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The state's name, by which lists are filtered and counted."""
        return "retired" if self.device.retired_at else self.liveness.value

    @property
    def text(self) -> str:
        """The state for people: with the gateway's where it is unknown, and with the marks."""
        if self.liveness is Liveness.UNKNOWN and not self.device.retired_at:
            told = f"{self.word} (gateway {self.device.gateway} {self.gateway})"
            return ", ".join((told, *self.marks))
        return ", ".join((self.word, *self.marks))


def _state(device: Known, by_code: Mapping[tuple[str, str], Known], now: Micros) -> State:
    told = () if device.conduct is None else marks(device.conduct, now)
    gateway = by_code.get((device.community, device.gateway or ""))
    if gateway is None:
        return State(device, liveness(device.said, device.silent_after, now), None, told)
    gone = gone_since(gateway.said, gateway.silent_after, now)
    own = liveness(device.said, device.silent_after, now, gateway_gone=gone)
    return State(device, own, liveness(gateway.said, gateway.silent_after, now), told)


async def pending(
    url: str, now: Micros, community: str | None = None, *, limit: int = 1_000
) -> list[Pending]:
    """Devices that wait to be adopted, the last heard first; at most `limit`."""
    values = {"since": to_datetime(now - REMEMBERED), "community": community, "limit": limit}
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Pending)) as cursor,
    ):
        await cursor.execute((SQL / "pending_devices.sql").read_bytes(), values)
        found = await cursor.fetchall()
        told = announcing((await announced(conn)).entries.items())
    return [
        replace(one, announced=told.get((one.community, same_address(one.address))))
        for one in found
    ]


async def announced_as(url: str, address: str) -> list[Announced]:
    """What the devices with this address announced, at most one a community."""
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        told = announcing((await announced(conn)).entries.items())
    return [one for (_, own), one in sorted(told.items()) if own == same_address(address)]


async def known(
    url: str, community: str | None = None, code: str | None = None, *, retired: bool = False
) -> list[Known]:
    """The registered devices, by community and code; only those of the community or code named.

    With a device that is asked for by its code comes its gateway.
    """
    metrics = {name: BY_NAME[name].id for name in ("heartbeat", "battery", "battery_low")}
    values = {"community": community, "code": code, "retired": retired, **metrics}
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Known)) as cursor,
    ):
        await cursor.execute((SQL / "registered_devices.sql").read_bytes(), values)
        found = await cursor.fetchall()
        conduct = await odd(conn, community)
    return [
        replace(one, conduct=conduct.get((one.community, one.code)))
        if one.retired_at is None
        else one
        for one in found
    ]


def _micros(moment: datetime | None) -> Micros | None:
    return None if moment is None else to_micros(moment)
