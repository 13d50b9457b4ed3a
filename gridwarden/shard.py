"""Which worker owns which community: by a hash of its code, the same on every machine. Pure.

The owner of a community among n shards is the first 8 bytes, as a big-endian number, of the
BLAKE2b-64 digest (RFC 7693) of its code in UTF-8, modulo n.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from devices.inventory import Inventory
from gridwarden.errors import ShardError
from rules.model import Rule, SubjectKind
from rules.plan import per_of

MOST = 256
"""Shards that a layout may have."""

_WRITTEN = re.compile(r"(\d{1,4})/(\d{1,4})")


def owner(community: str, shards: int) -> int:
    """The number, 0 … shards-1, of the shard that owns the community with this code."""
    digest = hashlib.blake2b(community.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` (from 0) of `of`; ShardError where there is no such shard."""

    number: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.of <= MOST and 0 <= self.number < self.of):
            raise ShardError(
                f"there is no shard {self}: write i/n with n from 1 to {MOST} and i from 0 to n-1"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard written as `i/n`; ShardError for anything else."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ShardError(f"{text!r} is no shard: write i/n, such as 0/2 and 1/2")
        return cls(int(found[1]), int(found[2]))

    @property
    def whole(self) -> bool:
        """True where one worker owns everything."""
        return self.of == 1

    def owns(self, community: str) -> bool:
        """Whether the community with this code is this shard's."""
        return owner(community, self.of) == self.number

    def client_id(self, base: str) -> str:
        """The MQTT client id of this shard's session: its own in each layout."""
        return base if self.whole else f"{base}-{self.number}-of-{self.of}"

    def part_of(self, inventory: Inventory) -> Inventory:
        """What of a site this shard owns."""
        if self.whole:
            return inventory
        return inventory.of_communities({c for c in inventory.communities if self.owns(c)})


WHOLE = Shard()


def layout(shards: int) -> tuple[Shard, ...]:
    """All shards of a layout with so many."""
    return tuple(Shard(number, shards) for number in range(shards))


def spanning(rules: Iterable[Rule], inventory: Inventory) -> tuple[Rule, ...]:
    """The rules that judge areas which are no part of one community: several shards cannot."""
    above = {a.kind for a in inventory.areas.values() if inventory.community_of(a.id) is None}
    return tuple(
        rule
        for rule in rules
        if per_of(rule).subject is SubjectKind.AREA and per_of(rule).area_kind in above
    )
