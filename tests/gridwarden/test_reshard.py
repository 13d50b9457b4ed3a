"""Changing the number of shards: nothing is lost and nothing comes twice, whatever is interrupted.

Readings without a time of their own are sent all the while: only those would come twice.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from devices.accounts.account import SERVICE
from gridwarden import reshard as changing
from gridwarden import sessions
from gridwarden.errors import ShardError
from gridwarden.lease import claim
from gridwarden.reshard import Change, reshard
from gridwarden.sessions import Sessions
from gridwarden.settings import Settings
from gridwarden.shard import WHOLE, Shard
from tests.accounts.guarded import Guarded
from tests.gridwarden.several import RULES, STREET, Several, several, write
from tests.services.server import Provider, Server
from tests.waiting import until
from tests.whole import apply_site


@pytest.fixture
async def site(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Several]:
    """Two communities of each of two shards."""
    async with several(database_url, own_broker, unique, tmp_path, 0, 0, 1, 1) as made:
        yield made


def settings(site: Several) -> Settings:
    return Settings(
        database_url=SecretStr(site.url),
        mqtt_url=SecretStr(site.broker.url),
        mqtt_client_id=site.client_id,
        mqtt_version="5",
    )


class Flow:
    """Undated readings, each with a value of its own, on and on from all communities."""

    def __init__(self, site: Several) -> None:
        self._site = site
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the broker has accepted all of it."""
        if self._thread.is_alive():
            self._enough.set()
            self._thread.join()
        self._site.publisher.wait_for(self._site.sent)

    def _run(self) -> None:
        while not self._enough.wait(0.004):
            community = self._site.communities[self.sent % len(self._site.communities)]
            self._site.say(community, spo2=95 + self.sent / 100_000)
            self.sent += 1


@contextmanager
def flowing(site: Several) -> Any:
    flow = Flow(site)
    flow.start()
    try:
        yield flow
    finally:
        flow.stop()


def assert_once(site: Several, flow: Flow, *, killed: bool = False) -> None:
    """All that was sent is stored, each once.

    killed: what was stored and not acknowledged yet came again, and is counted as duplicate.
    """
    stored = "SELECT count(*), count(DISTINCT value) FROM readings WHERE value BETWEEN 95 AND 99.5"
    assert site.rows(stored) == [(flow.sent, flow.sent)]
    received, *fates = site.ledger()
    repeated = received - site.sent
    assert fates == [site.sent, repeated, 0]
    assert killed or repeated == 0


async def recorded(site: Several, shards: int) -> None:
    """The layout is of so many shards, and their sessions are at the broker."""
    with psycopg.connect(site.url) as conn:
        conn.execute("INSERT INTO shard_layout (shards) VALUES (3)")
    await reshard(settings(site), shards)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_old_and_new_sessions_have_is_stored_once(
    site: Several, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Between the new subscriptions and the mark 400 come, and 400 before the old ones end."""
    spoken = settings(site).model_copy(update={"mqtt_version": version})
    await recorded(site, 1)
    original = Sessions.mark

    def say_some() -> None:
        for number in range(400):
            site.say(site.communities[number % 4], spo2=95 + site.sent / 100_000)
        site.publisher.wait_for(site.sent)

    async def mark(own: Sessions, text: str) -> None:
        await asyncio.to_thread(say_some)
        await original(own, text)
        await asyncio.to_thread(say_some)

    monkeypatch.setattr(Sessions, "mark", mark)
    for shards in (2, 3, 1):
        await reshard(spoken, shards)
    await reshard(spoken, 2)
    monkeypatch.undo()
    await reshard(spoken, 1)
    stored = "SELECT count(*), count(DISTINCT value) FROM readings"
    assert site.rows(stored) == [(site.sent, site.sent)]
    assert site.sent == 3_200
    assert site.ledger() == (3_200, 3_200, 0, 0)
    assert set(site.rows("SELECT shard FROM batches")) >= {(0,), (1,)}


async def when_free(site: Several, shards: int) -> None:
    """Reshard as soon as the database has noticed that the killed workers are gone."""

    async def done() -> bool:
        try:
            await reshard(settings(site), shards)
        except ShardError as error:
            assert "a worker runs" in str(error)  # noqa: PT017 - any other is none to wait out
            return False
        return True

    await until(done, what="the leases of killed workers")


async def test_one_to_two_to_one_with_an_alert_and_a_timer(site: Several) -> None:
    """Half of the workers end by kill -9: their saved state is behind what they judged."""
    low, high = site.communities[1], site.communities[2]
    begun = datetime.now(UTC) - timedelta(minutes=9, seconds=50)
    worker = await site.started("0/1")
    with flowing(site):
        site.say(low, begun, spo2=85)
        site.say(high, begun, pulse=130)
        await site.until("alerts WHERE rule_code = 'care.spo2_low'")
        await site.until("readings WHERE value = 130")
        await worker.kill()
        await when_free(site, 2)
        workers = [await site.started("0/2"), await site.started("1/2")]
        site.say(high, datetime.now(UTC), pulse=131)
        await site.until("(SELECT DISTINCT shard FROM batches) AS used", 2)
        await workers[0].stop()
        await workers[1].kill()
        await when_free(site, 1)
        worker = await site.started("0/1")
        await site.until("alerts WHERE rule_code = 'care.pulse_high'")
        site.say(low, datetime.now(UTC), spo2=97.5)
        await site.until("alerts WHERE cleared_at IS NOT NULL")
    await site.until("readings", site.sent)
    await worker.stop()
    stored = "SELECT count(*), count(DISTINCT value) FROM readings"
    assert site.rows(stored) == [(site.sent, site.sent)]
    received, fresh, duplicate, rejected = site.ledger()
    assert (fresh, rejected) == (site.sent, 0)
    assert received == site.sent + duplicate
    alerts = site.rows("SELECT rule_code, since, state FROM alerts ORDER BY rule_code")
    assert alerts == [("care.pulse_high", begun, "open"), ("care.spo2_low", begun, "cleared")]
    told = "SELECT count(*) FROM notifications WHERE channel = 'web'"
    assert site.rows(told) == [(2,)]
    assert site.rows("SELECT * FROM shard_layout") == [(1, 1, None, None, None)]


class CrashedError(Exception):
    """The power is gone."""


def crash(
    monkeypatch: pytest.MonkeyPatch, owner: type[Any], name: str, call: int, *, after: bool
) -> None:
    """The `call`-th call of this method ends with a crash: before it does anything, or after."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)
    calls = 0

    async def crashing(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise CrashedError
        result = await original(*arguments, **more)
        if calls == call:
            raise CrashedError
        return result

    monkeypatch.setattr(owner, name, crashing)


@pytest.mark.parametrize(
    ("owner", "name", "call", "after"),
    [
        (Sessions, "subscribe", 2, False),
        (Sessions, "mark", 1, True),
        (Sessions, "look_for", 2, False),
        (Change, "_cut", 1, False),
        (Change, "_cut", 1, True),
        (Sessions, "trim", 1, True),
        (Sessions, "trim", 2, True),
    ],
)
async def test_interrupted_anywhere_it_is_resumed(  # noqa: PLR0917 - where it is interrupted
    site: Several,
    monkeypatch: pytest.MonkeyPatch,
    owner: type[Any],
    name: str,
    call: int,
    after: bool,
) -> None:
    """Going to one shard again stores what the two have: no worker is needed to see it."""
    await recorded(site, 1)
    with flowing(site) as flow:
        with monkeypatch.context() as patch:
            crash(patch, owner, name, call, after=after)
            with pytest.RaisesGroup(CrashedError, allow_unwrapped=True, flatten_subgroups=True):
                await reshard(settings(site), 2)
        await reshard(settings(site), 2)
        assert site.rows("SELECT shards, mark FROM shard_layout") == [(2, None)]
    await reshard(settings(site), 1)
    assert_once(site, flow, killed=True)
    assert site.rows("SELECT * FROM rejected_messages") == []


async def killed_at(site: Several, shards: int, sentence: str) -> None:
    """`gridwarden reshard`, killed with -9 as soon as it says this."""
    variables = {
        "GRIDWARDEN_DATABASE_URL": site.url,
        "GRIDWARDEN_MQTT_URL": site.broker.url,
        "GRIDWARDEN_MQTT_CLIENT_ID": site.client_id,
        "PYTHONUNBUFFERED": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gridwarden", "reshard", str(shards)),
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if line.decode().startswith(sentence):
            break
    else:
        raise AssertionError(f"it never said {sentence!r}")
    process.kill()
    await process.wait()


@pytest.mark.parametrize("sentence", ["Collecting", "Ending"])
async def test_killed_it_is_resumed(site: Several, sentence: str) -> None:
    await recorded(site, 1)
    with flowing(site) as flow:
        await killed_at(site, 2, sentence)
        with pytest.raises(ShardError, match="run `gridwarden reshard 2`, then the workers"):
            await claim(site.url, WHOLE)
        await reshard(settings(site), 2)
    await reshard(settings(site), 1)
    assert_once(site, flow, killed=True)


async def test_a_change_can_be_given_up_until_the_layout_has_changed(
    site: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(site, 1)
    with flowing(site) as flow, monkeypatch.context() as patch:
        crash(patch, Sessions, "look_for", 1, after=False)
        with pytest.raises(CrashedError):
            await reshard(settings(site), 2)
        with pytest.raises(ShardError, match="`gridwarden reshard 1` to give it up"):
            await reshard(settings(site), 3)
    said: list[str] = []
    await reshard(settings(site), 1, said.append)
    assert said == ["The change to 2 shards is given up.", "The layout has 1 shards."]
    await reshard(settings(site), 2)
    await reshard(settings(site), 1)
    assert_once(site, flow)


async def test_a_site_applied_meanwhile_begins_it_anew(
    site: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(site, 1)
    original = Sessions.mark

    async def mark(own: Sessions, text: str) -> None:
        await original(own, text)
        await apply_site(site.url, write(site.folder, site.communities[1:]), datetime.now(UTC))

    with monkeypatch.context() as patch:
        patch.setattr(Sessions, "mark", mark)
        with pytest.raises(ShardError, match="a site was applied meanwhile"):
            await reshard(settings(site), 2)
    await reshard(settings(site), 2)
    subscribed = site.rows("SELECT community FROM shard_subscriptions WHERE shards = 2")
    assert {community for (community,) in subscribed} == {*site.communities[1:]}


async def test_a_mark_that_the_broker_lost_costs_no_message(
    site: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(site, 1)
    monkeypatch.setattr(sessions, "MARK_S", 0.5)
    with flowing(site) as flow:
        with monkeypatch.context() as patch:
            crash(patch, Change, "_cut", 1, after=True)
            with pytest.raises(CrashedError):
                await reshard(settings(site), 2)
        with psycopg.connect(site.url) as conn:
            conn.execute("UPDATE shard_layout SET mark = 'another'")
    said: list[str] = []
    await reshard(settings(site), 2, said.append)
    assert len([one for one in said if "has lost the mark" in one]) == 2
    await reshard(settings(site), 1)
    stored = site.rows("SELECT count(DISTINCT value) FROM readings")
    assert stored == [(flow.sent,)]


async def test_a_mark_that_never_comes_changes_nothing(
    site: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(site, 1)
    site.say(site.communities[0], spo2=95)

    async def lost(*_: object) -> None:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(changing, "TELL_EVERY_S", 2.0)
        patch.setattr(Sessions, "mark", lost)
        with pytest.RaisesGroup(pytest.RaisesExc(ShardError, match="did not give the mark")):
            await reshard(settings(site), 2)
    await reshard(settings(site), 2)
    await reshard(settings(site), 1)
    assert site.ledger() == (1, 1, 0, 0)


async def test_no_worker_may_run(site: Several) -> None:
    await recorded(site, 2)
    async with await claim(site.url, Shard(1, 2)) or nobody():
        with pytest.raises(ShardError, match="a worker runs for shard 1: stop all workers first"):
            await reshard(settings(site), 1)
    await reshard(settings(site), 1)


def nobody() -> psycopg.AsyncConnection[Any]:
    raise AssertionError("the lease could not be had")


async def test_a_rule_that_several_workers_cannot_judge_is_named(site: Several) -> None:
    await recorded(site, 1)
    folder = write(site.folder, site.communities, RULES + STREET)
    await apply_site(site.url, folder, datetime.now(UTC))
    with pytest.raises(ShardError, match=r"cannot judge safety\.many_alarms"):
        await reshard(settings(site), 2)
    assert site.rows("SELECT shards, going_to FROM shard_layout") == [(1, None)]


async def test_without_a_worker_before_there_is_nothing_to_move(site: Several) -> None:
    said: list[str] = []
    await reshard(settings(site), 3, said.append)
    assert said == ["No worker has run yet: nothing had to be moved."]
    assert site.rows("SELECT shards FROM shard_layout") == [(3,)]
    with pytest.raises(ShardError, match="0/257"):
        await reshard(settings(site), 257)


async def test_the_services_account_may_do_it(
    database_url: str, guarded: Guarded, unique: Callable[[str], str], tmp_path: Path
) -> None:
    await apply_site(database_url, write(tmp_path, [unique("c")]), datetime.now(UTC))
    own = Settings(database_url=SecretStr(database_url), mqtt_url=SecretStr(guarded.url(SERVICE)))
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO shard_layout (shards) VALUES (1)")
    said: list[str] = []
    await reshard(own, 2, said.append)
    assert said[-1] == "Done; start the workers."
    assert not [one for one in said if "lost the mark" in one]


async def test_more_before_the_mark_than_the_broker_sends_ahead_changes_nothing(
    database_url: str,
    services: Callable[[], Provider],
    unique: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MQTT 3.1.1, where Mosquitto's own window counts: here its default, 20 messages."""
    narrow = services().mosquitto(max_inflight_messages="20")
    monkeypatch.setattr(sessions, "MARK_S", 1.0)
    try:
        async with several(database_url, narrow, unique, tmp_path, 0, 1) as site:
            spoken = settings(site).model_copy(update={"mqtt_version": "3.1.1"})
            with psycopg.connect(site.url) as conn:
                conn.execute("INSERT INTO shard_layout (shards) VALUES (1)")
            original = Sessions.mark

            async def mark(own: Sessions, text: str) -> None:
                for number in range(100):
                    site.say(site.communities[0], spo2=95 + number / 100_000)
                await asyncio.to_thread(site.publisher.wait_for, site.sent)
                await original(own, text)

            with monkeypatch.context() as patch:
                patch.setattr(Sessions, "mark", mark)
                with pytest.raises(ShardError, match="did not give the mark"):
                    await reshard(spoken, 2)
            assert site.rows("SELECT shards, going_to FROM shard_layout") == [(1, 2)]
            await reshard(spoken, 2)
            await reshard(spoken, 1)
            assert site.ledger() == (100, 100, 0, 0)
    finally:
        narrow.remove()
