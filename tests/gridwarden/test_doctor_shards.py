"""What the doctor says where several workers share the communities."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from devices import topic
from gridwarden import doctor_shards
from gridwarden.doctor_shards import examine_shards, judge_heard, judge_layout
from gridwarden.finding import Finding
from gridwarden.layout import Layout
from gridwarden.settings import Settings
from tests.gridwarden.several import RULES, STREET, communities, write
from tests.publisher import Publisher
from tests.whole import apply_site

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_each_shard_has_a_worker_that_reported_lately() -> None:
    ago = {0: NOW - timedelta(seconds=14), 1: NOW - timedelta(seconds=16), 2: NOW}
    assert only(judge_layout(Layout(1), ago, NOW)).line() == "ok     workers: 1 of 1 running"
    dead = only(judge_layout(Layout(4), ago, NOW))
    assert dead.line() == (
        "WRONG  workers: 2 of 4 running; none for shard 1/4, 3/4\n"
        "       → run `gridwarden run --shard 1/4`"
    )


@pytest.mark.parametrize(
    ("layout", "shards"), [(Layout(1, going_to=3), 3), (Layout(2, came_from=1, mark="m"), 2)]
)
def test_a_change_that_is_not_finished(layout: Layout, shards: int) -> None:
    found = only(judge_layout(layout, {0: NOW}, NOW))
    assert not found.well
    assert found.mend == f"run `gridwarden reshard {shards}`"


def test_many_strange_communities_are_counted() -> None:
    found = judge_heard({f"c{number}" for number in range(10)} | {"known"}, {"known", "silent"})
    assert found.detail.endswith("'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7' and 2 more")


@contextmanager
def chattering(url: str, client_id: str, *topics: str) -> Iterator[None]:
    """Something publishes on these topics all the time."""
    publisher, enough = Publisher(url, client_id), threading.Event()

    def chatter() -> None:
        while not enough.is_set():
            for each in topics:
                publisher.publish(each, b"{}")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        publisher.close()


async def test_what_it_looks_at_with_several_workers(
    database_url: str,
    broker_url: str,
    unique: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(database_url=SecretStr(database_url), mqtt_url=SecretStr(broker_url))
    codes = communities(unique, 0, 1)
    await apply_site(database_url, write(tmp_path, codes, RULES + STREET), datetime.now(UTC))
    assert await examine_shards(settings) == []  # no worker has run yet
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO shard_layout (shards) VALUES (2)")
    monkeypatch.setattr(doctor_shards, "LISTEN_S", 1.0)
    strange = unique("strange")
    said = (topic.up(codes[0], "w"), topic.status(strange, "w"))
    with chattering(broker_url, unique("chatter"), *said):
        found = {one.what: one for one in await examine_shards(settings)}
    assert list(found) == ["workers", "rules", "communities"]
    assert found["workers"].detail == "0 of 2 running; none for shard 0/2, 1/2"
    assert found["rules"].detail == "not judged by several workers: safety.many_alarms"
    assert repr(strange) in found["communities"].detail
    assert repr(codes[0]) not in found["communities"].detail
    away = settings.model_copy(update={"mqtt_url": SecretStr("mqtt://127.0.0.1:1")})
    assert [one.what for one in await examine_shards(away)] == ["workers", "rules"]
    gone = settings.model_copy(update={"database_url": SecretStr("postgresql://127.0.0.1:1/x")})
    assert await asyncio.wait_for(examine_shards(gone), 30) == []
