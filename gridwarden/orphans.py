"""Standing alerts whose rule is gone from the site while nothing in memory knew of them.

That is so where a rule was switched off before it was removed, or where the rules' saved state
could not be read. No reading will ever clear such an alert.
"""

from dataclasses import replace
from importlib import resources

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from devices.instant import Micros, to_micros
from gridwarden.shard import WHOLE, Shard
from rules.loader import load
from rules.model import SubjectKind
from rules.transition import Cause, Change, Subject, Transition

_ORPHANS = resources.files("gridwarden").joinpath("sql/orphans.sql").read_bytes()


async def find_orphans(
    conn: AsyncConnection[TupleRow], now: Micros, shard: Shard = WHOLE
) -> list[Transition]:
    """WITHDRAWN at `now` (µs since epoch, UTC) for each standing alert of a removed rule.

    Of the shard's communities only.
    """
    rows = await (await conn.execute(_ORPHANS)).fetchall()
    return [
        Transition(
            rule=replace(rule, source=source, line=line),
            subject=Subject(SubjectKind(kind), subject),
            change=Change.WITHDRAWN,
            cause=Cause.RULE_REMOVED,
            since=to_micros(since),
            at=now,
            devices=(subject,) if kind == SubjectKind.DEVICE else (),
            value=None,
            severity=rule.severity,
        )
        for community, kind, subject, since, source, line, text in rows
        if shard.owns(community)
        for rule in load({source: text})
    ]
