"""Stored readings come by arrival, whatever their own times, and tell what they told then."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime, to_micros
from devices.metric import metric
from devices.reading import Batch, Json, Reading, concatenate
from devices.simulator.city import City
from devices.simulator.faults import RATES
from devices.simulator.rhythm import Span
from devices.token import NO_ISSUE, NOBODY, issue_of, token_of
from gridwarden import backtest_database
from gridwarden.backtest import LeftOut, Recording, Run, play
from gridwarden.backtest_database import Stretch, read_ground, stored
from gridwarden.backtest_file import possible
from ingest.binary_copy import FLOAT8, INT2, INT4, INT8, TIMESTAMP, Column, encode, to_timestamp
from ingest.decode import Limits
from tests.whole import apply_site

START = to_micros(datetime(2026, 3, 2, tzinfo=UTC))
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
AHEAD = 10 * MINUTE
SPO2 = metric("spo2").id
INTO = "COPY readings (time, device_id, metric_id, value, arrival, seq) FROM STDIN (FORMAT binary)"


def keep(url: str, rows: Batch) -> None:
    """Write these as they would stand in the database."""
    columns: list[tuple[str, Column]] = [
        (TIMESTAMP, to_timestamp(rows.time)),
        (INT4, rows.device),
        (INT2, rows.metric),
        (FLOAT8, rows.value),
        (TIMESTAMP, to_timestamp(rows.arrival)),
        (INT8, np.ones(len(rows), np.int64)),
    ]
    with psycopg.connect(url) as conn, conn.cursor() as cursor, cursor.copy(INTO) as copy:
        copy.write(encode(columns))


def said(time: Micros, arrival: Micros) -> Reading:
    """A reading whose value tells its arrival in seconds."""
    return Reading(START + time, START + arrival, 1, SPO2, arrival / SECOND)


def values(url: str, end: Micros) -> list[float]:
    with psycopg.connect(url) as conn:
        recording = stored(conn, Stretch(START, START + end, AHEAD))
        return [float(v) for rows in recording.readings for v in rows.value]


def test_late_and_early_ones_come_when_they_arrived(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        said(-3 * HOUR, 10 * SECOND),  # its time is before the span
        said(-4 * HOUR, -HOUR),  # arrived before it
        said(-2 * DAY, 20 * SECOND),  # later than is looked for
        said(50 * MINUTE, 30 * MINUTE + SECOND),  # late
        said(55 * MINUTE, 2 * HOUR),  # much later, in another portion
        said(61 * MINUTE, 59 * MINUTE),  # dated ahead, in the next portion
        said(70 * MINUTE, 61 * MINUTE),
        said(3 * HOUR + 5 * MINUTE, 3 * HOUR - SECOND),  # dated after the end
        said(3 * HOUR - SECOND, 3 * HOUR),  # arrived after it
    ]
    keep(database_url, Batch.of(rows))
    wanted = [10.0, 1801.0, 3540.0, 3660.0, 7200.0, 10799.0]
    assert values(database_url, 3 * HOUR) == wanted
    # Whatever the portions are: here of a minute.
    monkeypatch.setattr(backtest_database, "_MANY", 0)
    monkeypatch.setattr(backtest_database, "_FEW", 0)
    assert values(database_url, 3 * HOUR) == wanted


def test_events_come_with_readings_and_nothing_can_be_written(database_url: str) -> None:
    keep(database_url, Batch.of([said(MINUTE, MINUTE)]))
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "INSERT INTO events VALUES (to_timestamp(%s), 1, %s, 7, '{}', 1, to_timestamp(%s), 1)",
            ((START + SECOND) / SECOND, metric("sos").id, (START + SECOND) / SECOND),
        )
    assert values(database_url, HOUR) == [7.0, 60.0]
    with psycopg.connect(database_url) as conn:
        list(stored(conn, Stretch(START, START + HOUR, AHEAD)).readings)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("DELETE FROM readings")


def test_whom_events_name_is_read_with_them(database_url: str) -> None:
    """Two of one instant are told apart by what they say; a reading names nobody."""
    card = metric("access_granted").id
    said: list[dict[str, Json]] = [
        {"credential": "A7", "issue": 2},
        {"plate": "京A12345"},
        {"door": 3},
    ]
    keep(database_url, Batch.of([Reading(START, START, 1, SPO2, 97.0)]))
    with psycopg.connect(database_url) as conn:
        for digest, attributes in enumerate(said, 1):
            conn.execute(
                "INSERT INTO events (time, device_id, metric_id, value, attributes, digest,"
                " arrival, seq) VALUES (%s, 1, %s, 1, %s, %s, %s, 1)",
                (to_datetime(START), card, Jsonb(attributes), digest, to_datetime(START)),
            )
    with psycopg.connect(database_url) as conn:
        recording = stored(conn, Stretch(START, START + HOUR, AHEAD))
        rows = concatenate(list(recording.readings))
    named = sorted(zip(rows.metric.tolist(), rows.token.tolist(), rows.issue.tolist(), strict=True))
    tokens = [(card, token_of(one), issue_of(one)) for one in said]
    assert named == sorted([(SPO2, NOBODY, NO_ISSUE), *tokens])
    assert len({token for _, token, _ in tokens}) == 3


def once(rows: Batch) -> Batch:
    """Of readings of one device, metric and time the first that arrived, as the database has it."""
    order = np.lexsort((rows.arrival, rows.time, rows.metric, rows.device))
    key = np.column_stack([rows.device, rows.metric, rows.time])[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (key[1:] != key[:-1]).any(axis=1)
    kept = rows.take(np.sort(order[first]))
    return kept.take(np.argsort(kept.arrival, kind="stable"))


def alerts(run: Run) -> list[tuple[str, int, Micros, Micros, Micros | None]]:
    return sorted((s.rule.code, s.subject.id, s.since, s.fired, s.until or 0) for s in run.spells)


def test_a_simulated_morning_tells_the_same_when_it_is_stored(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many faults: late, doubled, out of order, kept back by gateways, wrong clocks."""
    monkeypatch.setattr(backtest_database, "_MANY", 200)
    asyncio.run(apply_site(database_url, EXAMPLE, datetime(2026, 3, 1, tzinfo=UTC)))
    ground = asyncio.run(read_ground(database_url))
    span = Span(START, START + 3 * HOUR, ZoneInfo("Asia/Shanghai"))
    rates = {name: rate * 10 for name, rate in RATES.items()}
    city, left_out = City(ground.inventory, span, rates=rates), LeftOut()
    limits = Limits(START - DAY, AHEAD)
    rows = once(possible(concatenate(list(city.readings())), ground.inventory, limits, left_out))
    rows = rows.take(rows.arrival < span.end)
    rows = replace(rows, token=np.zeros(len(rows), np.int64), issue=np.zeros(len(rows), np.int32))
    keep(database_url, rows)
    as_said = Recording((rows,), span.start, span.end)
    (live,) = play(ground, [ground.rules], as_said, 30 * SECOND).runs
    with psycopg.connect(database_url) as conn:
        recording = stored(conn, Stretch(span.start, span.end, AHEAD))
        played = play(ground, [ground.rules], recording, 30 * SECOND)
    assert played.readings == len(rows)
    assert left_out.impossible_time > 0
    assert (rows.arrival - rows.time > 5 * MINUTE).any()
    assert len(live.spells) > 5
    assert alerts(played.runs[0]) == alerts(live)
