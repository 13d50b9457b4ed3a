"""Grafana's role reads views made for it, and nothing about a person at home."""

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.dashboards.seed import ALERTS, COMMUNITY, PIPELINE, SECRETS, seed

Connection = psycopg.AsyncConnection[Any]

VIEWS = [
    "batches",
    "devices",
    "ledger",
    "parking",
    "places",
    "rejected",
    "standing_alerts",
    "waiting_batches",
]
LIST_VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = 'dashboard' ORDER BY viewname"
LIST_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
MAY = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm') AND has_any_column_privilege(
        'gridwarden_grafana', oid, 'SELECT, INSERT, UPDATE, REFERENCES')
"""
WRITES = """
SELECT relname FROM pg_class WHERE relnamespace = 'dashboard'::regnamespace
    AND has_table_privilege('gridwarden_grafana', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
"""
ROLE = """
SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls
FROM pg_roles WHERE rolname = 'gridwarden_grafana'
"""


async def test_no_view_shows_a_household_a_vital_value_or_a_payload(connection: Connection) -> None:
    await seed(connection, COMMUNITY, ALERTS, PIPELINE)
    names = [row[0] for row in await _all(connection, LIST_VIEWS)]
    assert names == VIEWS
    await connection.execute("SET ROLE gridwarden_grafana")
    shown = [await _text(connection, name) for name in names]
    assert all(shown), "every view has rows here, so that the next line can fail"
    assert [secret for secret in SECRETS if secret in "".join(shown)] == []


async def test_care_is_not_named_wherever_its_sensor_is(connection: Connection) -> None:
    await seed(connection, COMMUNITY, ALERTS)
    await connection.execute("UPDATE alerts SET household_id = NULL WHERE state = 'open'")
    titles = "SELECT category, title, place FROM dashboard.standing_alerts WHERE category = 'care'"
    assert await _all(connection, titles) == [("care", None, {"zh": "一格", "en": "Grid 1"})]


async def test_who_has_left_answers_for_nothing(connection: Connection) -> None:
    await seed(connection, COMMUNITY, ALERTS)
    await connection.execute("UPDATE members SET retired_at = now()")
    responsible = "SELECT DISTINCT responsible FROM dashboard.standing_alerts"
    assert await _all(connection, responsible) == [([],)]


def test_the_secrets_are_in_the_tables() -> None:
    assert all(secret in COMMUNITY + ALERTS + PIPELINE for secret in SECRETS)


@pytest.mark.parametrize(
    "table", ["members", "households", "readings", "events", "latest_readings", "alerts", "devices"]
)
async def test_tables_are_refused(connection: Connection, table: str) -> None:
    await connection.execute("SET ROLE gridwarden_grafana")
    with pytest.raises(InsufficientPrivilege):
        await connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))


async def test_no_right_on_any_table_and_none_to_write(connection: Connection) -> None:
    assert len(await _all(connection, LIST_TABLES)) > 20
    assert await _all(connection, MAY) == []
    assert await _all(connection, WRITES) == []


async def test_the_role_is_a_group_without_powers(connection: Connection) -> None:
    assert await _all(connection, ROLE) == [(False, False, False, False, False)]


async def _all(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode())).fetchall()


async def _text(connection: Connection, view: str) -> str:
    query = sql.SQL("SELECT v::text FROM {} v").format(sql.Identifier("dashboard", view))
    return "\n".join([row[0] for row in await (await connection.execute(query)).fetchall()])
