"""What other rules than those in force would change: texts line by line, and alerts that end."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from devices.registry import RuleText

_IN_FORCE = (Path(__file__).parent / "sql" / "rules_in_force.sql").read_bytes()


class InForce(NamedTuple):
    """A rule in force; standing: how many of its alerts need a person now."""

    code: str
    fingerprint: str
    text: str
    standing: int


async def rules_in_force(conn: AsyncConnection[TupleRow]) -> list[InForce]:
    """All of them, by code."""
    async with conn.cursor(row_factory=class_row(InForce)) as cursor:
        await cursor.execute(_IN_FORCE)
        return await cursor.fetchall()


def told(in_force: Sequence[InForce], wanted: Sequence[RuleText]) -> Iterator[str]:
    """What a person should know before these rules take the place of those, line by line.

    A rule of which only the words or the place in the files are new goes on as it is.
    """
    new = {rule.code: rule for rule in wanted}
    for old in in_force:
        rule = new.get(old.code)
        if rule is None:
            yield f"rule {old.code} is removed{_ending(old, 'rule_removed')}"
        elif rule.fingerprint != old.fingerprint:
            yield f"rule {old.code} begins anew{_ending(old, 'rule_changed')}"
            yield from _difference(old.text, rule.text)


def _ending(old: InForce, reason: str) -> str:
    if not old.standing:
        return ""
    alerts = "alert is" if old.standing == 1 else "alerts are"
    return f": {old.standing} standing {alerts} closed with the reason {reason!r}"


def _difference(old: str, new: str) -> Iterator[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    for line in lines:
        if not line.startswith(("---", "+++", "@@")):
            yield f"    {line}"
