"""The applied site as the service uses it: inventory, roster and rules, read from the database."""

from dataclasses import dataclass, replace

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from alerts.model import Roster
from alerts.store import load_roster
from devices.inventory import Inventory
from devices.registry import load_inventory
from rules.loader import load
from rules.model import Rule

_RULES = "SELECT source, line, text FROM rules WHERE valid_to IS NULL ORDER BY code"


@dataclass(frozen=True, slots=True, eq=False)
class AppliedSite:
    """Everything that decisions read: places and devices, people and duties, rules in force."""

    inventory: Inventory
    roster: Roster
    rules: tuple[Rule, ...]

    @property
    def version(self) -> int:
        """The number of the applied site; 0 before the first."""
        return self.inventory.version


async def load_site(conn: AsyncConnection[TupleRow]) -> AppliedSite:
    """Read the applied site; its rules were checked when it was applied."""
    rows = await (await conn.execute(_RULES)).fetchall()
    rules = tuple(
        replace(rule, source=source, line=line)
        for source, line, text in rows
        for rule in load({source: text})
    )
    return AppliedSite(await load_inventory(conn), await load_roster(conn), rules)
