"""The outbox over a real database: sent at least once, the gravest first, whatever is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts import store
from alerts.channels.base import Delivered, Notification, Rejected, Result, Retry
from alerts.outbox import Lane, Limits, dispatch
from alerts.queues import NOTIFICATIONS, Message
from devices.instant import SECOND
from tests.alerts.conftest import Estate
from tests.alerts.estate import INVENTORY, NOW, ROSTER, blocked, press, settle, transition
from tests.clock import ManualClock
from tests.conftest import OwnPostgres

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]


class ScriptedChannel(Generic[Message]):
    """Answers as told, one result after the other, the last one for ever; keeps what it got.

    gate: where there is one, it answers only once the gate is open.
    """

    gate: asyncio.Event | None = None

    def __init__(self, *answers: Result | Exception) -> None:
        self.answers = list(answers) or [Delivered()]
        self.got: list[Message] = []
        self.arrived: asyncio.Queue[Message] = asyncio.Queue()
        self.closed = False

    async def send(self, message: Message) -> Result:
        self.got.append(message)
        self.arrived.put_nowait(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class FakeChannel(ScriptedChannel[Notification]):
    """To members."""


class GatedChannel(FakeChannel):
    """To members, once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event = asyncio.Event()


def lane(
    pool: Pool, channel: FakeChannel, clock: ManualClock, limits: Limits | None = None
) -> Lane[Notification]:
    return Lane(
        name="web",
        queue=NOTIFICATIONS,
        channel=channel,
        pool=pool,
        clock=clock,
        limits=limits or Limits(),
        jitter=lambda: 0.0,
    )


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.__dict__["action"] for r in caplog.records if "action" in r.__dict__]


async def state(estate: Estate) -> tuple[str, int]:
    [row] = await estate.rows("SELECT state, attempts FROM notifications WHERE channel = 'web'")
    return row["state"], row["attempts"]


async def test_delivered_once_and_written_down(
    estate: Estate, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await estate.apply(transition())
    channel, clock = FakeChannel(Delivered("yes")), ManualClock(NOW)
    clock.advance(2 * SECOND)
    assert await lane(pool, channel, clock).drain() == 1
    assert await lane(pool, channel, clock).drain() == 0
    [row] = await estate.rows(
        "SELECT n.state, n.delivered_at - n.created_at AS took, t.outcome, t.detail, n.message_id"
        " FROM notifications n JOIN notification_attempts t ON t.notification_id = n.id"
    )
    assert (row["state"], row["outcome"], row["detail"]) == ("delivered", "delivered", "yes")
    assert row["took"].total_seconds() == 2
    assert [n.message for n in channel.got] == [row["message_id"]]
    [said] = [r for r in caplog.records if r.__dict__.get("action") == "notification.delivered"]
    assert said.__dict__["seconds_since_opened"] == 2.0


async def test_retries_back_off_with_the_same_message(estate: Estate, pool: Pool) -> None:
    await estate.apply(transition())
    clock = ManualClock(NOW)
    channel = FakeChannel(Retry("busy"), Retry("busy"), Delivered())
    sending = lane(pool, channel, clock)
    sent = []
    for wait in (0, SECOND - 1, 1, 2 * SECOND - 1, 1, 3600 * SECOND):
        clock.advance(wait)
        sent.append(await sending.drain())
    assert sent == [1, 0, 1, 0, 1, 0]
    assert len({n.message for n in channel.got}) == 1
    assert [n.attempts for n in channel.got] == [0, 1, 2]
    assert await state(estate) == ("delivered", 3)
    outcomes = await estate.column("SELECT outcome FROM notification_attempts ORDER BY id")
    assert outcomes == ["retry", "retry", "delivered"]


async def test_a_refusal_is_final_and_loud(
    estate: Estate, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await estate.apply(transition())
    clock = ManualClock(NOW)
    channel = FakeChannel(Rejected("not authorised"))
    assert await lane(pool, channel, clock).drain() == 1
    clock.advance(3600 * SECOND)
    assert await lane(pool, channel, clock).drain() == 0
    assert await state(estate) == ("rejected", 1)
    assert await estate.column("SELECT detail FROM notification_attempts") == ["not authorised"]
    assert "notification.rejected" in actions(caplog)


async def test_a_broken_channel_costs_no_alert(
    estate: Estate, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await estate.apply(transition())
    clock = ManualClock(NOW)
    sending = lane(pool, FakeChannel(ValueError("bug"), Delivered()), clock)
    assert await sending.drain() == 1
    assert await state(estate) == ("queued", 1)
    clock.advance(SECOND)
    assert await sending.drain() == 1
    assert await state(estate) == ("delivered", 2)
    assert "outbox.channel_broke" in actions(caplog)


async def test_a_channel_that_never_answers_is_given_up_and_tried_again(
    estate: Estate, pool: Pool
) -> None:
    await estate.apply(transition())
    sending = lane(pool, GatedChannel(), ManualClock(NOW), Limits(patience=0.01))
    assert await sending.drain() == 1
    assert await estate.column("SELECT detail FROM notification_attempts") == [
        "no answer within 0.01 s"
    ]
    assert await state(estate) == ("queued", 1)


async def test_an_outage_is_said_once_and_counted(
    estate: Estate, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await estate.apply(transition())
    clock = ManualClock(NOW)
    channel = FakeChannel(*[Retry("away")] * 5, Delivered())
    sending = lane(pool, channel, clock)
    for _ in range(6):
        await sending.drain()
        clock.advance(3600 * SECOND)
    said = [a for a in actions(caplog) if a.startswith("outbox.channel")]
    assert said == ["outbox.channel_failing", "outbox.channel_recovered"]
    [over] = [r for r in caplog.records if r.__dict__.get("action") == said[1]]
    assert over.__dict__["failures"] == 5


async def test_red_before_yellow(estate: Estate, pool: Pool) -> None:
    await estate.conn.execute("UPDATE duties SET area_id = 2 WHERE member_id = 1")
    roster = await store.load_roster(estate.conn)
    batch = [blocked(), transition(), press()]
    await store.apply(estate.conn, batch, INVENTORY, roster, shard=0, seq=1, now=NOW)
    channel = FakeChannel()
    one_at_a_time = lane(pool, channel, ManualClock(NOW), Limits(at_once=1))
    await one_at_a_time.drain()
    assert [n.body["severity"] for n in channel.got] == ["red"] * 3 + ["yellow"]


async def test_what_a_dead_process_held_is_sent_when_its_lease_ends(
    estate: Estate, pool: Pool
) -> None:
    await estate.apply(transition())
    clock, gated = ManualClock(NOW), GatedChannel()
    dying = asyncio.create_task(lane(pool, gated, clock).drain())
    await gated.arrived.get()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    heir = FakeChannel()
    assert await lane(pool, heir, clock).drain() == 0
    clock.advance(Limits().lease)
    assert await lane(pool, heir, clock).drain() == 1
    assert heir.got[0].message == gated.got[0].message
    assert await state(estate) == ("delivered", 1)


async def test_two_dispatchers_share_the_work(estate: Estate, pool: Pool) -> None:
    await estate.apply(*(press(NOW + i) for i in range(40)))
    channel, clock = FakeChannel(), ManualClock(NOW)
    sent = await asyncio.gather(*(lane(pool, channel, clock).drain() for _ in range(2)))
    assert sum(sent) == 40
    assert len({n.id for n in channel.got}) == 40


async def test_no_more_in_flight_than_allowed_and_none_twice(estate: Estate, pool: Pool) -> None:
    await estate.apply(*(press(NOW + i) for i in range(5)))
    clock, gated = ManualClock(NOW), GatedChannel()
    sending = lane(pool, gated, clock, Limits(at_once=3, lease=1))
    async with asyncio.TaskGroup() as tasks:
        assert await sending.start_due(tasks) == 3
        clock.advance(SECOND)
        assert await sending.start_due(tasks) == 0
        gated.gate.set()
    assert await sending.drain() == 2
    assert len(gated.got) == len({n.id for n in gated.got}) == 5


async def running(
    pool: Pool, channels: dict[str, FakeChannel], act: Callable[[], Awaitable[None]]
) -> None:
    """Act while the outbox is dispatched, then stop it."""
    task = asyncio.create_task(dispatch(pool, channels, ManualClock(NOW), limits=FAST))
    try:
        await act()
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


FAST = Limits(poll=0.05)


async def test_a_commit_wakes_the_outbox_and_a_stuck_channel_delays_no_other(
    estate: Estate, pool: Pool
) -> None:
    channels = {"web": FakeChannel(), "mqtt": GatedChannel()}

    async def act() -> None:
        for opened in (press(NOW), press(NOW + 1)):
            await estate.apply(opened)
            await channels["web"].arrived.get()

    await running(pool, channels, act)
    assert len(channels["web"].got) == 2
    assert all(channel.closed for channel in channels.values())


async def test_killed_between_commit_and_send_it_is_sent_after_the_restart(
    estate: Estate, pool: Pool
) -> None:
    await estate.apply(transition())
    channels: dict[str, FakeChannel] = {"web": FakeChannel()}

    async def act() -> None:
        await channels["web"].arrived.get()

    await running(pool, channels, act)
    assert await estate.column("SELECT count(*) FROM notifications WHERE channel = 'web'") == [1]
    assert len(channels["web"].got) == 1


async def test_the_database_may_be_killed_and_come_back(
    own_postgres: OwnPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    channel = FakeChannel()
    async with AsyncConnectionPool(
        own_postgres.url, min_size=1, max_size=4, timeout=1, reconnect_timeout=1, open=False
    ) as pool:

        async def act() -> None:
            await _open_by_itself(own_postgres.url, press(NOW), estate=True)
            await channel.arrived.get()
            own_postgres.kill()
            await said_by(caplog, "outbox.database_failing")
            own_postgres.start()
            await _open_by_itself(own_postgres.url, press(NOW + 1))
            await channel.arrived.get()

        await running(pool, {"web": channel}, act)
    assert [n.occasion for n in channel.got][:1] == ["opened"]
    assert f"again:{NOW + 1}" in [n.occasion for n in channel.got]


async def said_by(caplog: pytest.LogCaptureFixture, action: str) -> None:
    """Wait until a log record has this action."""
    said = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.__dict__.get("action") == action:
                loop.call_soon_threadsafe(said.set)

    ear = Ear()
    logging.getLogger("alerts.outbox").addHandler(ear)
    try:
        if action not in actions(caplog):
            await said.wait()
    finally:
        logging.getLogger("alerts.outbox").removeHandler(ear)


async def _open_by_itself(url: str, opened: Any, *, estate: bool = False) -> None:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        if estate:
            await settle(conn)
        batch: Sequence[Any] = [opened]
        await store.apply(conn, batch, INVENTORY, ROSTER, shard=0, seq=1, now=NOW)
