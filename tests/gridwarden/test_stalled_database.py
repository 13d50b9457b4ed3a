"""The service's connections when the database stands still, though nothing is closed."""

import psycopg
import pytest

from devices.connection import PunctualConnection
from gridwarden import lease
from gridwarden.service import open_pool
from gridwarden.settings import Settings
from gridwarden.shard import WHOLE
from tests.ingest.proxy import Proxy


async def test_what_a_stalled_database_is_asked_ends_with_an_error(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PunctualConnection, "patience_s", 0.5)
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    async with Proxy(int(str(parts.get("port", 5432)))) as proxy:
        url = (
            f"postgresql://{parts['user']}:{parts.get('password', '')}@127.0.0.1:{proxy.port}"
            f"/{parts['dbname']}"
        )
        held = await lease.take(url, WHOLE)
        async with open_pool(Settings.model_validate({"database_url": url})) as pool:
            async with pool.connection() as conn:
                limit = await (await conn.execute("SHOW statement_timeout")).fetchone()
                assert limit == ("500ms",)
                proxy.strike("stall")
                with pytest.raises(psycopg.OperationalError, match="no answer within"):
                    await conn.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError, match="no answer within"):
                await held.execute("SELECT 1")
            assert proxy.abandoned >= 2  # the pool calls again meanwhile
            proxy.heal()
            async with pool.connection() as conn:
                assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
        await held.close()
