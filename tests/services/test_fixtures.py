"""The fixtures themselves: what every other test stands on."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from paho.mqtt.publish import single
from psycopg_pool import AsyncConnectionPool

from tests.conftest import OwnPostgres
from tests.services.server import Server


async def test_a_database_is_migrated(connection: psycopg.AsyncConnection[Any]) -> None:
    cursor = await connection.execute("SELECT name FROM migrations ORDER BY name LIMIT 1")
    assert await cursor.fetchone() == ("0001_core.sql",)


async def test_the_pool_reaches_the_same_database(
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], database_url: str
) -> None:
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT current_database()")
        assert await cursor.fetchone() == (database_url.rsplit("/", 1)[1],)


def test_a_killed_server_keeps_what_was_committed(own_postgres: OwnPostgres) -> None:
    with psycopg.connect(own_postgres.url) as conn:
        conn.execute("INSERT INTO shards (shard, last_seq) VALUES (0, 7)")
    own_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_postgres.url)
    own_postgres.start()
    with psycopg.connect(own_postgres.url) as conn:
        assert conn.execute("SELECT shard, last_seq FROM shards").fetchall() == [(0, 7)]


def test_the_shared_broker_takes_a_message(broker_url: str, unique: Callable[[str], str]) -> None:
    port = int(broker_url.rsplit(":", 1)[1])
    single(f"gw/v1/{unique('north')}/d1/up", b"{}", qos=1, hostname="127.0.0.1", port=port)


def test_a_killed_broker_comes_back_on_its_port(own_broker: Server) -> None:
    single("t", b"1", qos=1, hostname="127.0.0.1", port=own_broker.port)
    own_broker.kill()
    with pytest.raises(ConnectionRefusedError):
        single("t", b"1", qos=1, hostname="127.0.0.1", port=own_broker.port)
    own_broker.start()
    single("t", b"1", qos=1, hostname="127.0.0.1", port=own_broker.port)
