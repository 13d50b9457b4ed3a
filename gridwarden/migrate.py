"""Brings a database's schema up to this version: numbered SQL files, each applied once.

The files lie in `gridwarden/migrations`. Each runs in a transaction of its own together with the
row that records it, under a session advisory lock: two processes may migrate at once, and the
second finds nothing left to do.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import psycopg

from devices.connection import CONNECT_TIMEOUT_S
from gridwarden.errors import MigrationError

# Any fixed number that no other program takes in this database: "gwmigrat" as eight bytes.
_LOCK = int.from_bytes(b"gwmigrat", "big")

_FILE = re.compile(r"(\d{4})_\w+\.sql")

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    name        text PRIMARY KEY,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file: its name without the folder, and its text."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text in UTF-8, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(database_url: str) -> list[str]:
    """Apply what `database_url` (libpq URL) lacks; the names applied, in order, often none.

    Raises MigrationError if an applied file was edited or is unknown to this version, and
    psycopg.Error if the server refuses; files before the refused one stay applied.
    """
    return apply(database_url, packaged())


def missing(database_url: str) -> list[str]:
    """The names of migrations that this database still needs; nothing is changed.

    Raises MigrationError as `migrate` does, and psycopg.Error if the server refuses.
    """
    with psycopg.connect(database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as conn:
        table = conn.execute("SELECT to_regclass('migrations')").fetchone()
        known = table is not None and table[0] is not None
        return [m.name for m in pending(packaged(), _applied(conn) if known else {})]


def packaged() -> list[Migration]:
    """The migrations that ship with this version, in order.

    Raises MigrationError if a file's name is not NNNN_words.sql or two have one number.
    """
    folder = resources.files("gridwarden").joinpath("migrations")
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    migrations = [Migration(file.name, file.read_text(encoding="utf-8")) for file in files]
    return ordered(migrations)


def ordered(migrations: Sequence[Migration]) -> list[Migration]:
    """`migrations` by number.

    Raises MigrationError if a name is not NNNN_words.sql or two have one number.
    """
    by_number: dict[str, Migration] = {}
    for migration in migrations:
        match = _FILE.fullmatch(migration.name)
        if match is None:
            raise MigrationError(f"migration {migration.name!r} is not named NNNN_words.sql")
        other = by_number.setdefault(match[1], migration)
        if other is not migration:
            raise MigrationError(
                f"migrations {other.name} and {migration.name} have the same number {match[1]}"
            )
    return [by_number[number] for number in sorted(by_number)]


def pending(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """Those of `migrations` (in order) that are not in `applied` (name to checksum).

    Raises MigrationError if an applied one was edited, is unknown, or follows a pending one.
    """
    unknown = sorted(applied.keys() - {migration.name for migration in migrations})
    if unknown:
        raise MigrationError(
            f"the database has migration {unknown[0]}, which this version of gridwarden lacks; "
            "run the version that applied it, or a later one"
        )
    waiting: list[Migration] = []
    for migration in migrations:
        if migration.name not in applied:
            waiting.append(migration)
        else:
            _check_applied(migration, applied[migration.name], waiting)
    return waiting


def _check_applied(migration: Migration, checksum: str, waiting: Sequence[Migration]) -> None:
    if checksum != migration.checksum:
        raise MigrationError(
            f"migration {migration.name} was edited after it was applied: its checksum is "
            f"{migration.checksum}, the database has {checksum}; restore the file and put the "
            "change into a new one"
        )
    if waiting:
        raise MigrationError(
            f"migration {waiting[0].name} is not applied but the later {migration.name} is; "
            "give the new file the next number"
        )


def apply(database_url: str, migrations: Sequence[Migration]) -> list[str]:
    """As `migrate`, with `migrations` (in order) in place of the packaged ones."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        # Held until the connection closes, and so also when this process dies.
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        conn.execute(_TABLE)
        waiting = pending(migrations, _applied(conn))
        for migration in waiting:
            _apply_one(conn, migration)
        return [migration.name for migration in waiting]


def _applied(conn: psycopg.Connection) -> dict[str, str]:
    return dict(conn.execute("SELECT name, checksum FROM migrations").fetchall())


def _apply_one(conn: psycopg.Connection, migration: Migration) -> None:
    with conn.transaction():
        conn.execute(migration.sql)
        conn.execute(
            "INSERT INTO migrations (name, checksum) VALUES (%s, %s)",
            [migration.name, migration.checksum],
        )
