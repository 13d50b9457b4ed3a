"""What became of a run of messages: the ledger before and after, the rejects, the alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

_TOTALS: LiteralString = """
SELECT COALESCE(sum(received), 0)::bigint AS received, COALESCE(sum(stored), 0)::bigint AS stored,
       COALESCE(sum(duplicate), 0)::bigint AS duplicate,
       COALESCE(sum(rejected), 0)::bigint AS rejected
FROM ledger
"""
_MARKS: LiteralString = """
SELECT (SELECT COALESCE(max(id), 0) FROM alerts) AS last_alert,
       (SELECT COALESCE(max(id), 0) FROM rejected_messages) AS last_reject
"""
_REJECTS: LiteralString = """
SELECT reason, count(*) AS n FROM rejected_messages WHERE id > %s GROUP BY reason ORDER BY n DESC
"""
_ALERTS: LiteralString = """
SELECT rule_code, count(*) AS n FROM alerts WHERE id > %s GROUP BY rule_code ORDER BY rule_code
"""
_UNJUDGED: LiteralString = """
SELECT count(*) AS n FROM shards LEFT JOIN cursors USING (shard)
WHERE shards.last_seq > COALESCE(cursors.seq, 0)
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Messages by their fate; `received` is the sum of the other three."""

    received: int
    stored: int
    duplicate: int
    rejected: int

    def __sub__(self, before: "Ledger") -> "Ledger":
        return Ledger(
            self.received - before.received,
            self.stored - before.stored,
            self.duplicate - before.duplicate,
            self.rejected - before.rejected,
        )

    def __str__(self) -> str:
        return (
            f"received {self.received} = stored {self.stored} + duplicate {self.duplicate} "
            f"+ rejected {self.rejected}"
        )

    @property
    def balances(self) -> bool:
        """True if every received message has exactly one fate."""
        return self.received == self.stored + self.duplicate + self.rejected


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the service's books stood at one moment."""

    ledger: Ledger
    last_alert: int
    last_reject: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a run added to the books."""

    ledger: Ledger
    reject_reasons: Mapping[str, int]
    alerts_by_rule: Mapping[str, int]


def totals(conn: Connection) -> Ledger:
    """The whole ledger as it stands."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_TOTALS).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has its row
    return Ledger(**row)


def mark(conn: Connection) -> Mark:
    """Remember where the books stand now, to tell later what came after."""
    row = conn.execute(_MARKS).fetchone()
    assert row is not None  # noqa: S101 - scalar subqueries always make a row
    return Mark(totals(conn), row[0], row[1])


def settled(conn: Connection, since: Mark, accepted: int) -> bool:
    """True when all that the broker accepted since is in the ledger and has been judged."""
    if totals(conn).received - since.ledger.received < accepted:
        return False
    row = conn.execute(_UNJUDGED).fetchone()
    return row is not None and row[0] == 0


def settlement(conn: Connection, since: Mark) -> Settlement:
    """What came into the books since that mark."""
    return Settlement(
        totals(conn) - since.ledger,
        _counts(conn.execute(_REJECTS, (since.last_reject,)).fetchall()),
        _counts(conn.execute(_ALERTS, (since.last_alert,)).fetchall()),
    )


def _counts(rows: Sequence[tuple[object, ...]]) -> Mapping[str, int]:
    return {str(name): int(str(n)) for name, n in rows}
