"""Members' passwords: argon2id, hashed off the event loop."""

import asyncio
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from psycopg import AsyncConnection

from alerts.errors import NoSuchMemberError, WeakPasswordError

SHORTEST = 8
LONGEST = 256

_SET = "UPDATE members SET password_hash = %s WHERE code = %s AND retired_at IS NULL RETURNING id"


class Passwords:
    """Checks and makes hashes, at most two at a time: each takes 64 MiB while it runs."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(2)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """True if this password made that hash; takes as long where there is no hash."""
        async with self._slots:
            same = await asyncio.to_thread(self._verify, stored, password)
        return same and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """True if this hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str | None, password: str) -> bool:
        # Made at the first try, whoever's: the time tells nothing, and a start needs no 64 MiB.
        nobodys = self._nobodys
        try:
            return self._hasher.verify(stored or nobodys, password)
        except (VerifyMismatchError, InvalidHashError):
            return False


async def set_password(conn: AsyncConnection, member_code: str, password: str) -> None:
    """Gives a member this password, which ends their sessions; the caller owns the transaction.

    Raises NoSuchMemberError, or WeakPasswordError for one shorter than 8 or longer than 256.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(
            f"a password has {SHORTEST} to {LONGEST} characters, this one has {len(password)}"
        )
    hashed = await Passwords().hash(password)
    found = await (await conn.execute(_SET, (hashed, member_code))).fetchone()
    if found is None:
        raise NoSuchMemberError(f"there is no member {member_code!r} in service")
