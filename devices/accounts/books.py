"""Our books of accounts: who may have one, what was handed out, rotated and revoked, and when.

Every function takes an async connection whose transaction is the caller's. No secret comes here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import class_row

from devices.accounts import account
from devices.accounts.account import Account
from devices.accounts.difference import Given, Standing, Step
from devices.instant import Micros, to_datetime

Connection: TypeAlias = psycopg.AsyncConnection[Any]

GATEWAY = "gateway"
"""The kind of device whose account speaks for its whole community."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A device (with its community) or a member, and the account it was given, if any.

    kind: of the device · spoken_for: a gateway publishes what it says.
    """

    device_id: int | None
    member_id: int | None
    community: str | None
    code: str
    kind: str | None
    spoken_for: bool
    retired: bool
    client_id: str | None
    created_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None

    @property
    def username(self) -> str:
        """The account's name, whether it was given or not."""
        if self.community is None:
            return account.member_name(self.code)
        return account.device_name(self.community, self.code)

    @property
    def has_account(self) -> bool:
        """Given, and not revoked."""
        return self.created_at is not None and self.revoked_at is None

    @property
    def standing(self) -> Standing:
        """What is to become of the account."""
        if self.revoked_at is not None:
            return Standing.REVOKED
        return Standing.RETIRED if self.retired else Standing.IN_FORCE

    def account(self, client_id: str | None = None) -> Account:
        """The account as it should be; AccountNameError for a client id that cannot be."""
        bound = client_id or self.client_id
        if self.community is None:
            return account.member(self.code, bound)
        if self.kind == GATEWAY:
            return account.gateway(self.community, self.code, bound)
        return account.device(self.community, self.code, bound)

    def given(self) -> Given:
        """The account that was handed out, for `difference`."""
        return Given(self.account(), self.standing)


async def holders(conn: Connection) -> list[Holder]:
    """Everybody who is or was registered, devices by community and code, then members."""
    async with conn.cursor(row_factory=class_row(Holder)) as cursor:
        await cursor.execute(_sql("books"))
        return await cursor.fetchall()


async def record_created(
    conn: Connection, given: Iterable[tuple[Holder, Account]], now: Micros
) -> None:
    """These were handed out at `now` (µs, UTC)."""
    rows = [
        _row(made, now)
        | {
            "kind": made.kind.value,
            "client_id": made.client_id,
            "device_id": holder.device_id,
            "member_id": holder.member_id,
        }
        for holder, made in given
    ]
    await _record(conn, "created", rows)


async def record_rotated(conn: Connection, accounts: Iterable[Account], now: Micros) -> None:
    """These were given another password; the service's own is only in the audit log."""
    await _record(conn, "rotated", [_row(made, now) for made in accounts])


async def record_revoked(conn: Connection, accounts: Iterable[Account], now: Micros) -> None:
    """These were taken back."""
    await _record(conn, "revoked", [_row(made, now) for made in accounts])


async def record_mended(conn: Connection, steps: Iterable[Step], now: Micros) -> None:
    """What was done to bring the broker into line, and why; in the audit log."""
    rows = [
        {
            "username": step.username,
            "now": to_datetime(now),
            "action": "account.mended",
            "reason": step.reason.name.lower(),
        }
        for step in steps
        if step.commands
    ]
    async with conn.cursor() as cursor:
        await cursor.executemany(_sql("audit"), rows)


def _row(made: Account, now: Micros) -> dict[str, Any]:
    return {"username": made.username, "now": to_datetime(now)}


async def _record(conn: Connection, act: str, rows: Sequence[dict[str, Any]]) -> None:
    async with conn.cursor() as cursor:
        await cursor.executemany(_sql(act), rows)
        entries = [row | {"action": f"account.{act}", "reason": None} for row in rows]
        await cursor.executemany(_sql("audit"), entries)


@cache
def _sql(name: str) -> bytes:
    return files(__package__).joinpath("sql", f"{name}.sql").read_bytes()
