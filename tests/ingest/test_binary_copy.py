"""Columns through PostgreSQL's own COPY and back."""

from typing import Any

import numpy as np
from psycopg import AsyncConnection

from ingest.binary_copy import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TIMESTAMP,
    decode,
    encode,
    encode_with_json,
    from_timestamp,
    to_timestamp,
)

LAYOUTS = (TIMESTAMP, INT8, INT4, INT2, FLOAT8)
COLUMNS = [
    (TIMESTAMP, to_timestamp(np.array([0, 1_795_233_600_000_001, 4_102_444_800_000_000]))),
    (INT8, np.array([-(2**63), 0, 2**63 - 1])),
    (INT4, np.array([-(2**31), 1, 2**31 - 1], np.int32)),
    (INT2, np.array([-(2**15), 1, 2**15 - 1], np.int16)),
    (FLOAT8, np.array([-0.1, 0.0, 1e308])),
]


async def test_numbers_survive_the_way_there_and_back(connection: AsyncConnection[Any]) -> None:
    cursor = connection.cursor()
    await cursor.execute(
        "CREATE TEMP TABLE t (time timestamptz, a bigint, b integer, c smallint, d float8)"
    )
    async with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
        await copy.write(encode(COLUMNS))
    await cursor.execute("SELECT extract(epoch FROM time)::text, a, b, c, d FROM t OFFSET 1")
    assert await cursor.fetchone() == ("1795233600.000001", 0, 1, 1, 0.0)
    async with cursor.copy("COPY t TO STDOUT (FORMAT binary)") as copy:
        stream = b"".join([bytes(block) async for block in copy])
    back = decode(stream, LAYOUTS)
    assert [c.tolist() for c in back] == [c.tolist() for _, c in COLUMNS]
    assert from_timestamp(back[0])[0] == 0


async def test_a_document_is_the_last_field(connection: AsyncConnection[Any]) -> None:
    cursor = connection.cursor()
    await cursor.execute("CREATE TEMP TABLE t (a integer, b jsonb)")
    documents = [b"{}", '{"卡":"红"}'.encode()]
    async with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
        await copy.write(encode_with_json([(INT4, np.array([1, 2]))], documents))
    await cursor.execute("SELECT a, b FROM t ORDER BY a")
    assert await cursor.fetchall() == [(1, {}), (2, {"卡": "红"})]


def test_no_rows_are_a_stream_too() -> None:
    empty = encode([(INT4, np.empty(0, np.int32))])
    (column,) = decode(empty, [INT4])
    assert column.tolist() == []
