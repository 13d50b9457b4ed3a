"""The applied site as the service uses it: inventory, roster and rules, read from the database."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from alerts.model import Roster
from alerts.store import load_roster
from devices.inventory import Inventory
from devices.registry import load_inventory
from gridwarden.shard import WHOLE, Shard, spanning
from rules.loader import load
from rules.model import Rule

log = logging.getLogger(__name__)

_ZONE = "SELECT time_zone FROM site_versions ORDER BY version DESC LIMIT 1"
_RULES = "SELECT source, line, text FROM rules WHERE valid_to IS NULL ORDER BY code"


@dataclass(frozen=True, slots=True, eq=False)
class AppliedSite:
    """Everything that decisions read: places and devices, people and duties, rules in force.

    zone: that of the site; hours and dates in rules are in it.
    """

    inventory: Inventory
    roster: Roster
    rules: tuple[Rule, ...]
    zone: tzinfo

    @property
    def version(self) -> int:
        """The number of the applied site; 0 before the first."""
        return self.inventory.version


async def load_site(conn: AsyncConnection[TupleRow], shard: Shard = WHOLE) -> AppliedSite:
    """Read what this shard has of the applied site; its rules were checked when it was applied.

    Rules over areas that no single shard has are left out, and named in the log.
    """
    rules = await load_rules(conn)
    inventory = await load_inventory(conn)
    if not shard.whole:
        refused = spanning(rules, inventory)
        for rule in refused:
            _say_refused(rule, shard)
        rules = tuple(rule for rule in rules if rule not in refused)
    return AppliedSite(
        shard.part_of(inventory), await load_roster(conn), rules, await load_zone(conn)
    )


async def load_zone(conn: AsyncConnection[TupleRow]) -> tzinfo:
    """The time zone of the applied site; UTC before the first."""
    row = await (await conn.execute(_ZONE)).fetchone()
    return ZoneInfo(row[0]) if row else UTC


async def load_rules(conn: AsyncConnection[TupleRow]) -> tuple[Rule, ...]:
    """The rules in force."""
    rows = await (await conn.execute(_RULES)).fetchall()
    return tuple(
        replace(rule, source=source, line=line)
        for source, line, text in rows
        for rule in load({source: text})
    )


def _say_refused(rule: Rule, shard: Shard) -> None:
    log.error(
        "A rule over areas above the community is not judged by several workers.",
        extra={
            "action": "rule.spans_shards",
            "rule": rule.code,
            "shard": str(shard),
            "mend": "judge it by community or below, or run `gridwarden reshard 1`",
        },
    )
