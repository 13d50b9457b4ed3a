"""A fresh migrated database for every test, copied from a template."""

from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from gridwarden.migrate import migrate


class Databases:
    """Makes databases on the server of `admin_url`, whose user must be allowed to."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        # The run's own names: several runs may share one server.
        self._prefix = f"gridwarden_test_{token_hex(4)}"
        self._numbers = count(1)
        self._template = f"{self._prefix}_template"

    def __enter__(self) -> Self:
        self._execute("CREATE DATABASE {}", self._template)
        migrate(self._url(self._template))
        # Nobody may be connected to a template; TimescaleDB's workers would be.
        self._execute("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self._template)
        with psycopg.connect(self._admin_url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                [self._template],
            )
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(psycopg.OperationalError):
            self.drop(self._template)

    def create(self) -> tuple[str, str]:
        """A new migrated database: its name and its URL."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, self._template)
        return name, self._url(name)

    def create_empty(self) -> tuple[str, str]:
        """A new database without our schema: its name and its URL."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {}", name)
        return name, self._url(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, name: str) -> str:
        return url_of(self._admin_url, name)


def url_of(admin_url: str, database: str) -> str:
    """The URL (postgresql://…) of another database on the same server."""
    parts = conninfo_to_dict(admin_url)
    user, password = parts.get("user", "gridwarden"), parts.get("password")
    who = f"{user}:{password}" if password else user
    return f"postgresql://{who}@{parts.get('host')}:{parts.get('port', 5432)}/{database}"
