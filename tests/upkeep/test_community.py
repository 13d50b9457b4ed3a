"""The SQL for the Community edition: run where the server is one, else refused for its licence."""

from datetime import timedelta
from importlib import resources

import psycopg
import pytest
from psycopg import sql

from devices.instant import to_datetime
from gridwarden.edition import Edition, edition_of
from gridwarden.rollup import sum_up, waiting
from tests.ingest.site import NOW
from tests.upkeep.books import ROLLUPS, Connection, exact, keep, pulse, set_zone, wearables

ZONE = "Europe/Berlin"


def statements(name: str) -> list[str]:
    """The file's statements, in order, without comments."""
    text = resources.files("gridwarden").joinpath(f"sql/{name}.sql").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    text = "\n".join(lines).replace(":'zone'", sql.Literal(ZONE).as_string())
    return [part.strip() for part in text.split(";") if part.strip()]


@pytest.mark.parametrize("name", ["community_aggregates", "community_columnstore"])
async def test_the_statements_run_or_only_the_licence_refuses(
    connection: Connection, name: str
) -> None:
    await connection.set_autocommit(True)
    community = await edition_of(connection) is Edition.COMMUNITY
    for statement in statements(name):
        if community:
            await connection.execute(statement.encode())
        elif not statement.startswith("DROP"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="license"):
                await connection.execute(statement.encode())


async def test_sums_are_exact_with_the_communitys_own_or_with_ours(
    connection: Connection,
) -> None:
    await connection.set_autocommit(True)
    site = wearables(1)
    await set_zone(connection, ZONE)
    if await edition_of(connection) is Edition.COMMUNITY:
        for statement in statements("community_columnstore") + statements("community_aggregates"):
            await connection.execute(statement.encode())
    for start in (0, 3):
        at = to_datetime(NOW) - timedelta(hours=start)
        await keep(
            connection, site, [pulse(at - timedelta(hours=7 * n), 60 + n) for n in range(99)]
        )
        async with connection.transaction():
            assert await sum_up(connection) is not None
    assert await waiting(connection) == (0, 0)
    await exact(connection, [1], ZONE)
    if await edition_of(connection) is Edition.COMMUNITY:
        for rollup in ROLLUPS:
            await connection.execute(
                f"CALL refresh_continuous_aggregate('{rollup}', NULL, NULL)".encode()
            )
        await exact(connection, [1], ZONE)
