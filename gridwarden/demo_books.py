"""What the demo reads from the database to show it; nothing here changes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from devices.instant import Micros, to_micros
from gridwarden.demo_judge import Raised
from gridwarden.settlement import Ledger, totals


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert as a line: names in the language asked for; `fired_at` aware, UTC."""

    id: int
    severity: str
    title: str
    place: str
    who: str
    state: str
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class Books:
    """The service's books at one moment; counts since the database was made."""

    ledger: Ledger
    readings: int
    events: int
    rejects: Mapping[str, int]
    alerts: Sequence[AlertLine]
    alert_count: int
    standing: int
    notified: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """So many alerts of one rule brought to one member (empty: nobody), names in one language."""

    rule: str
    title: str
    member: str
    alerts: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """An alert that lies in an inbox: its id, the codes of its devices, when it fired (µs, UTC)."""

    alert: int
    devices: tuple[str, ...]
    fired_at: Micros


def read_books(conn: Connection, language: str, lines: int = 12) -> Books:
    """The books now, with the newest alerts; `language` is 'zh' or 'en'."""
    with conn.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(_sql("counts")).fetchone() or {}
        rejects = cursor.execute(_sql("rejects")).fetchall()
        notified = cursor.execute(_sql("notified")).fetchall()
        newest = cursor.execute(_sql("newest"), {"language": language, "n": lines}).fetchall()
    return Books(
        ledger=totals(conn),
        rejects={row["reason"]: row["n"] for row in rejects},
        notified={row["channel"]: row["n"] for row in notified},
        alerts=[AlertLine(**row) for row in newest],
        **counts,
    )


def raised_since(conn: Connection, alert: int) -> list[Raised]:
    """Alerts with a greater id, and those that still stood, for the judge."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_raised(row) for row in cursor.execute(_sql("raised"), (alert,)).fetchall()]


def by_rule_and_member(conn: Connection, alert: int, language: str) -> list[RuleLine]:
    """Alerts with a greater id, counted by rule and by whom they were brought to."""
    rows = conn.execute(_sql("by_rule"), {"alert": alert, "language": language}).fetchall()
    return [RuleLine(*row) for row in rows]


def arrivals(conn: Connection, after: int) -> list[Arrival]:
    """Alerts with a greater id that somebody's inbox holds, by id."""
    rows = conn.execute(_sql("arrivals"), (after,)).fetchall()
    return [Arrival(row[0], tuple(row[1]), to_micros(row[2])) for row in rows]


def last_instant(conn: Connection) -> Micros | None:
    """The service's latest stored time, µs since epoch, UTC; None in a new database."""
    row = conn.execute(_sql("last_instant")).fetchone()
    return to_micros(row[0]) if row and row[0] else None


def _raised(row: Mapping[str, Any]) -> Raised:
    return Raised(
        row["rule_code"],
        to_micros(row["fired_at"]),
        to_micros(row["ended_at"]) if row["ended_at"] else None,
        frozenset(row["devices"]),
        row["household_id"],
        frozenset(row["metrics"]),
    )


@cache
def _sql(name: str) -> bytes:
    return resources.files("gridwarden").joinpath("sql", f"demo_{name}.sql").read_bytes()
