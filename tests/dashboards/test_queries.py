"""Every panel's and variable's SQL, run by the real database as Grafana's role."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from dashboards.build import load_queries
from devices.kind import SILENT_AFTER_INTERVALS
from tests.dashboards.macros import View, expand
from tests.dashboards.seed import ALERTS, COMMUNITY, PIPELINE, seed

Connection = psycopg.AsyncConnection[Any]
QUERIES = load_queries()
EVERYTHING = {"community": ["c", "-"], "grid": ["g1", "g2", "-"], "lang": ["en"]}
START, END = datetime(2026, 11, 20, 8, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC)

ON_EMPTY: Mapping[str, list[tuple[object, ...]]] = {
    "acknowledged": [(0,)],
    "heard": [(None,)],
    "lag": [],
    "ledger": [(0, 0, 0, 0, 0)],
    "nobody": [],
    "occupancy": [],
    "open": [(0,)],
    "rate": [],
    "rejected": [],
    "severity": [(0, 0, 0, 0)],
    "silence": [(0, 0)],
    "silent_kinds": [],
    "standing": [],
    "unowned": [(0,)],
    "variable_community": [("-", "-")],
    "variable_grid": [("-", "-")],
    "verdict": [("unknown",)],
}

SEEDED: Mapping[str, list[tuple[object, ...]]] = {
    "acknowledged": [(1,)],
    "heard": [(90,)],
    "ledger": [(30, 27, 1, 2, 0)],
    "lag": [(START, 2, None)],
    "nobody": [("yellow", "parking", "Riverside", "nobody", 100)],
    "occupancy": [("Riverside", 75, 100, 0), ("Riverside · O'Neill grid", 100, 1, 2)],
    "open": [(2,)],
    "rate": [(START, 60)],
    "rejected": [(START, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)],
    "severity": [(2, 0, 1, 0)],
    "silence": [(2, 7)],
    "silent_kinds": [("parking_bay", "O'Neill grid", 2, 1, 4, 181)],
    "standing": [
        ("red", None, "Grid 1", "open", "Wang Fang, Li Qiang", None, 300, "heard"),
        ("yellow", "Filling up", "Riverside", "open", None, None, 100, "unknown"),
        ("red", "Smoke", "Building 1", "acknowledged", "Li Qiang", "Li Qiang", 200, "heard"),
    ],
    "unowned": [(1,)],
    "variable_community": [("-", "-"), ("Riverside", "c")],
    "variable_grid": [("-", "-"), ("Grid 1", "g1"), ("O'Neill grid", "g2")],
    "verdict": [("nobody",)],
}


def test_every_query_has_expected_results() -> None:
    assert QUERIES.keys() == ON_EMPTY.keys() == SEEDED.keys()


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_query_on_an_empty_database(connection: Connection, name: str) -> None:
    nowhere = EVERYTHING | {"community": ["-"], "grid": ["-"]}
    assert await _rows(connection, name, nowhere) == ON_EMPTY[name]


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_query_on_a_small_community(connection: Connection, name: str) -> None:
    await seed(connection, COMMUNITY, ALERTS, PIPELINE)
    assert await _rows(connection, name, EVERYTHING) == SEEDED[name]


async def test_chinese_names(connection: Connection) -> None:
    await seed(connection, COMMUNITY, ALERTS)
    rows = await _rows(connection, "standing", EVERYTHING | {"lang": ["zh"]})
    assert rows[0][2:5] == ("一格", "open", "王芳, 李强")


async def test_choosing_a_grid_leaves_the_others_out(connection: Connection) -> None:
    await seed(connection, COMMUNITY, ALERTS)
    second = EVERYTHING | {"grid": ["g2"]}
    assert await _rows(connection, "open", second) == [(0,)]
    assert await _rows(connection, "silence", second) == [(2, 5)]


VERDICTS = [
    ("nobody", ""),
    ("needed", "UPDATE alerts SET state = 'closed' WHERE id = 3"),
    ("handled", "UPDATE alerts SET state = 'closed' WHERE id IN (1, 3)"),
    ("unknown", "UPDATE alerts SET state = 'closed'"),
]
HEARD = "INSERT INTO ledger VALUES (3, 0, 0, 0, 0, now()); UPDATE ledger SET last_heard = now();"
JUDGED = "UPDATE cursors SET seq = 3;"
LAST_HEARD = b"""
UPDATE ledger SET last_heard =
    now() - (%(n)s::bigint * interval_us + %(late)s::bigint) * interval '1 us'
FROM devices d WHERE d.id = ledger.device_id
"""
CALM = "UPDATE alerts SET state = 'closed';"
UNHEARD = [
    ("unknown", CALM + HEARD),
    ("unknown", CALM + JUDGED),
    ("calm", CALM + HEARD + JUDGED),
]


@pytest.mark.parametrize(("verdict", "change"), VERDICTS + UNHEARD)
async def test_verdict(connection: Connection, verdict: str, change: str) -> None:
    await seed(connection, COMMUNITY, ALERTS, PIPELINE, change)
    assert await _rows(connection, "verdict", EVERYTHING) == [(verdict,)]


async def test_silence_is_the_vocabularys_three_intervals(connection: Connection) -> None:
    await seed(connection, COMMUNITY, HEARD)
    for late, silent in ((0, 0), (1, 7)):
        await connection.execute(LAST_HEARD, {"n": SILENT_AFTER_INTERVALS, "late": late})
        assert await _rows(connection, "silence", EVERYTHING) == [(silent, 7)]


def _sql(name: str, variables: Mapping[str, Sequence[str]]) -> bytes:
    return expand(QUERIES[name], View(START, END, 60_000, variables)).encode()


async def _rows(
    connection: Connection, name: str, variables: Mapping[str, Sequence[str]]
) -> list[tuple[object, ...]]:
    await connection.execute("SET ROLE gridwarden_grafana")
    cursor = await connection.execute(_sql(name, variables))
    rows = [tuple(_plain(value) for value in row) for row in await cursor.fetchall()]
    await connection.execute("RESET ROLE")
    return rows


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
