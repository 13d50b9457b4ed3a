"""The service as a process: two workers, a site applied while it runs, stopping under load."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest
from pydantic import SecretStr

from alerts.web.serve import InboxServer
from devices import topic
from gridwarden import service as running_service
from gridwarden.service import STOP_GRACE_S
from gridwarden.settings import Settings
from tests.conftest import OwnPostgres
from tests.gridwarden.conftest import LOW_AT_ONCE, SOS, Whole
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.small_site import WEARABLES

LEASE = """SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database()"""
MESSAGES = 10_000


def second_worker(whole: Whole, tmp_path: Path) -> ServiceProcess:
    """Another worker of the same shard."""
    return ServiceProcess(
        database_url=whole.url, mqtt_url=whole.broker.url, log_file=tmp_path / "second.log"
    )


async def test_a_second_worker_stands_by_and_takes_over(whole: Whole, tmp_path: Path) -> None:
    await whole.start()
    second = second_worker(whole, tmp_path)
    taking_over = asyncio.create_task(second.start())
    try:
        await second.logged("lease.standing_by")
        assert "reason='another worker has this shard'" in second.log_text()
        whole.say("wearable-1", spo2=85)
        await whole.until("alerts")
        await whole.service.kill()
        whole.say("wearable-2", spo2=85)
        await taking_over
        await whole.until("alerts", 2)
        await second.stop()
    finally:
        taking_over.cancel()
        await second.close()
    assert whole.ledger() == (2, 2, 0, 0)


async def test_a_worker_that_stands_by_can_be_stopped(whole: Whole, tmp_path: Path) -> None:
    await whole.start()
    second = second_worker(whole, tmp_path)
    waiting = asyncio.create_task(second.start())
    try:
        await second.logged("lease.standing_by")
        waiting.cancel()
        await second.stop()
    finally:
        await second.close()
    assert "service.stopped" in second.log_text()


async def test_a_worker_whose_shard_was_taken_stops_and_says_so(
    whole: Whole, tmp_path: Path
) -> None:
    await whole.start()
    async with await psycopg.AsyncConnection.connect(whole.url, autocommit=True) as thief:
        ((holder,),) = await (await thief.execute(LEASE)).fetchall()
        await thief.execute("SELECT pg_terminate_backend(%s)", (holder,))
        # what `claim_shard` takes; waits until the lock of the dead session is gone
        await thief.execute("SELECT pg_advisory_lock(%s, 0)", (0x67726964,))
        assert await whole.service.ended() == 1
    last = whole.service.log_text()
    assert "error: another worker took shard 0 while the database was away" in last
    assert "Traceback" not in last


async def test_the_lease_is_taken_again_after_a_cut(whole: Whole) -> None:
    await whole.start()
    ((holder,),) = whole.rows(LEASE)
    whole.rows(f"SELECT pg_terminate_backend({holder})")
    await whole.until(f"({LEASE}) AS lease WHERE pid <> {holder}")
    whole.say("wearable-1", spo2=85)
    await whole.until("alerts")
    await whole.service.stop()


async def test_a_device_added_while_it_runs_is_stored_and_judged(whole: Whole) -> None:
    await whole.start()
    whole.say("wearable-99", spo2=85)
    await whole.until("rejected_messages WHERE reason = 'unknown_device'")
    await whole.apply(
        devices="- {code: wearable-99, kind: wearable, household: h-1, interval: 10m}\n"
    )
    await whole.service.logged("site.adopted")
    whole.say("wearable-99", spo2=85)
    await whole.until("alerts JOIN devices d ON d.id = device_id WHERE d.code = 'wearable-99'")
    await whole.service.stop()
    assert whole.ledger() == (2, 1, 0, 1)


async def test_rules_removed_and_added_while_it_runs(whole: Whole) -> None:
    await whole.start()
    whole.say("wearable-1", spo2=85, sos=0)
    await whole.until("alerts WHERE state = 'open'")
    await whole.apply(rules=SOS)
    await whole.until("alerts WHERE state = 'closed' AND outcome = 'rule_removed'")
    whole.say("wearable-2", spo2=85, sos=1)
    await whole.until("alerts WHERE rule_code = 'care.sos'")
    await whole.apply(rules=SOS + LOW_AT_ONCE)
    await whole.service.logged("site.adopted", times=2)
    whole.say("wearable-3", spo2=85)
    await whole.until("alerts WHERE state = 'open'", 2)
    await whole.service.stop()


async def test_the_database_away_in_the_middle_loses_nothing(whole: Whole) -> None:
    await whole.start()
    others = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    for number in range(1, WEARABLES + 1):
        whole.say(f"wearable-{number}", spo2=85)
        if number % 5 == 0:
            whole.rows(others)
    await whole.until("alerts", WEARABLES)
    await whole.service.stop()
    assert whole.ledger()[1] == WEARABLES
    assert whole.rows("SELECT count(*), count(DISTINCT subject_id) FROM alerts") == [
        (WEARABLES, WEARABLES)
    ]


def flood(publisher: Publisher, community: str) -> None:
    """Publish MESSAGES readings, SpO2 low in the very last of each device."""
    start = datetime.now(UTC) - timedelta(days=1)
    for number in range(MESSAGES):
        ts = (start + timedelta(seconds=number)).isoformat()
        spo2 = 85 if number >= MESSAGES - WEARABLES else 97
        message = orjson.dumps({"ts": ts, "values": {"spo2": spo2}})
        publisher.publish(topic.up(community, f"wearable-{number % WEARABLES + 1}"), message)


async def test_a_stop_under_load_loses_nothing(whole: Whole) -> None:
    await whole.start()
    flooding = asyncio.create_task(asyncio.to_thread(flood, whole.publisher, whole.community))
    for share in (MESSAGES // 8, MESSAGES // 2):
        await whole.until("readings", share)
        seconds = await whole.service.stop()
        assert seconds < 10, f"it took {seconds:.1f} s to stop"
        whole.ledger()
        await whole.start()
    await flooding
    await asyncio.to_thread(whole.publisher.wait_for, MESSAGES)
    await whole.until("readings", MESSAGES)
    await whole.until("alerts", WEARABLES)
    await whole.service.stop()
    received, stored, duplicate, rejected = whole.ledger()
    assert (stored, rejected) == (MESSAGES, 0)
    assert received == MESSAGES + duplicate
    assert whole.rows("SELECT count(*) FROM alerts") == [(WEARABLES,)]


async def test_a_stop_without_the_database(
    own_postgres: OwnPostgres, broker_url: str, tmp_path: Path
) -> None:
    service = ServiceProcess(
        database_url=own_postgres.url, mqtt_url=broker_url, log_file=tmp_path / "service.log"
    )
    try:
        await service.start()
        await service.until_connected()
        await asyncio.to_thread(own_postgres.kill)
        assert await service.stop() < STOP_GRACE_S
    finally:
        await service.close()
    assert "judge.unsaved" in service.log_text()
    assert "Traceback" not in service.log_text()


async def test_a_database_that_dies_as_soon_as_the_stations_begin_ends_nothing(
    own_postgres: OwnPostgres, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = running_service._listening

    async def killed(inbox: InboxServer, serving: asyncio.Task[None]) -> None:
        own_postgres.kill()  # before the stations had their first turn
        await listening(inbox, serving)

    monkeypatch.setattr(running_service, "_listening", killed)
    monkeypatch.setattr(running_service, "CONNECTION_S", 0.5)
    settings = Settings(
        database_url=SecretStr(own_postgres.url),
        mqtt_url=SecretStr(broker_url),
        web_port=0,
    )
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(running_service.run(settings, ready=ready, stop=stop))
    await ready.wait()
    done, _ = await asyncio.wait([running], timeout=1.5)
    assert not done
    await asyncio.to_thread(own_postgres.start)
    stop.set()
    await running


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_before_there_is_a_database(
    signum: signal.Signals, broker_url: str, tmp_path: Path
) -> None:
    service = ServiceProcess(
        database_url="postgresql://127.0.0.1:1/x", mqtt_url=broker_url, log_file=tmp_path / "log"
    )
    waiting = asyncio.create_task(service.start())
    try:
        await service.logged("lease.standing_by")
        waiting.cancel()
        assert await service.stop(signum) < 5
    finally:
        await service.close()
    assert "reason='the database is away: " in service.log_text()
