"""Devices answered over a real database: queued with the change, sent at least once, or dropped."""

import asyncio
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts import store
from alerts.channels.base import Channel, Delivered, Downlink, Rejected, Retry
from alerts.channels.mqtt import Broker, DeviceChannel
from alerts.model import Outcome, Roster
from alerts.outbox import DOWN, Lane, Limits, dispatch
from alerts.queues import DOWNLINKS
from devices.instant import DAY, HOUR, SECOND, to_datetime
from rules.transition import Cause, Change, Transition
from tests.alerts.conftest import Estate
from tests.alerts.estate import (
    BAY,
    BUTTON,
    INVENTORY,
    LI,
    NOW,
    ROSTER,
    SOS_RULE,
    WANG,
    blocked,
    press,
    rule,
    transition,
)
from tests.alerts.test_outbox import FAST, FakeChannel, ScriptedChannel
from tests.clock import ManualClock
from tests.services.server import Server

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]

LATER = NOW + 60 * SECOND


class FakeDevices(ScriptedChannel[Downlink]):
    """To devices."""


class GatedDevices(FakeDevices):
    """To devices, once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event = asyncio.Event()


def lane(pool: Pool, channel: Channel[Downlink], clock: ManualClock) -> Lane[Downlink]:
    return Lane(
        name=DOWN,
        queue=DOWNLINKS,
        channel=channel,
        pool=pool,
        clock=clock,
        limits=Limits(),
        jitter=lambda: 0.0,
    )


def ended(change: Change, since: int = NOW) -> Transition:
    return transition(change, of=SOS_RULE, device=BUTTON, since=since, at=LATER)


async def queued(estate: Estate) -> list[tuple[int, int, str]]:
    rows = await estate.rows("SELECT alert_id, device_id, told FROM downlinks ORDER BY id")
    return [(row["alert_id"], row["device_id"], row["told"]) for row in rows]


async def fates(estate: Estate) -> list[tuple[str, str, int]]:
    rows = await estate.rows("SELECT told, state, attempts FROM downlinks ORDER BY id")
    return [(row["told"], row["state"], row["attempts"]) for row in rows]


async def attempts(estate: Estate) -> list[tuple[str, str]]:
    rows = await estate.rows("SELECT outcome, detail FROM downlink_attempts ORDER BY id")
    return [(row["outcome"], row["detail"]) for row in rows]


async def taken(estate: Estate) -> int:
    """The button is pressed, and Wang takes the alert."""
    [alert] = await estate.apply(press())
    async with estate.conn.transaction():
        await store.acknowledge(estate.conn, alert, WANG, LATER)
    return alert


async def closed(estate: Estate, alert: int, at: int = LATER + SECOND) -> None:
    async with estate.conn.transaction():
        await store.close(estate.conn, alert, WANG, Outcome.HANDLED, None, at)


# What is queued


async def test_the_answer_commits_with_the_acknowledgement_or_not_at_all(estate: Estate) -> None:
    [alert] = await estate.apply(press())
    assert await queued(estate) == []
    async with estate.conn.transaction(force_rollback=True):
        await store.acknowledge(estate.conn, alert, WANG, LATER)
        assert len(await queued(estate)) == 1
    assert await queued(estate) == []
    for _ in range(2):
        await store.acknowledge(estate.conn, alert, WANG, LATER)
    assert await queued(estate) == [(alert, BUTTON, "acknowledged")]


async def test_the_end_is_told_by_a_person_by_the_sensor_and_by_the_rules(estate: Estate) -> None:
    [first] = await estate.apply(press())
    await estate.apply(ended(Change.CLEARED), now=LATER)
    [second] = await estate.apply(press(NOW + 1))
    await estate.apply(ended(Change.WITHDRAWN, since=NOW + 1), now=LATER)
    [third] = await estate.apply(press(NOW + 2))
    await closed(estate, third)
    assert await queued(estate) == [
        (first, BUTTON, "cleared"),
        (second, BUTTON, "closed"),
        (third, BUTTON, "closed"),
    ]


async def test_pressed_again_while_somebody_is_coming_it_is_told_so_at_once(
    estate: Estate,
) -> None:
    alert = await taken(estate)
    await estate.apply(press(LATER + 1), now=LATER)
    assert await queued(estate) == [(alert, BUTTON, "acknowledged")] * 2
    first, second = await estate.column("SELECT at FROM downlinks ORDER BY id")
    assert first < second, "though the service's clock stood still"
    await estate.apply(press(LATER + 1), now=LATER + SECOND)
    assert len(await queued(estate)) == 2, "a replay tells nothing"


async def test_a_replay_of_the_end_tells_nothing_more(estate: Estate) -> None:
    await estate.apply(press(), ended(Change.CLEARED))
    before = await estate.everything()
    await estate.apply(press(), ended(Change.CLEARED), now=NOW + DAY)
    assert await estate.everything() == before
    assert [state for *_, state in await queued(estate)] == ["cleared"]


async def test_neither_a_bay_nor_a_battery_nor_a_silence_is_a_call(estate: Estate) -> None:
    await estate.conn.execute("UPDATE duties SET area_id = 2, categories = NULL")
    low = transition(of=rule("device.battery", "device", "battery"), device=BUTTON)
    silent = transition(
        of=rule("care.sos_untested", "care", "sos"), device=BUTTON, cause=Cause.NOTHING_HEARD
    )
    roster = await store.load_roster(estate.conn)
    alerts = await store.apply(
        estate.conn, [blocked(), low, silent], INVENTORY, roster, shard=0, seq=1, now=NOW
    )
    for alert in alerts:
        assert (await store.acknowledge(estate.conn, alert, WANG, LATER)).changed
    assert await queued(estate) == []


async def test_every_device_that_called_is_told_and_a_retired_one_is_not(estate: Estate) -> None:
    await estate.conn.execute("UPDATE devices SET metrics = '{button, sos}' WHERE id = %s", [BAY])
    [alert] = await estate.apply(press())
    await estate.conn.execute("UPDATE alerts SET devices = %s", [[BUTTON, BAY]])
    await store.acknowledge(estate.conn, alert, WANG, LATER)
    await estate.conn.execute("UPDATE devices SET retired_at = now() WHERE id = %s", [BAY])
    await closed(estate, alert)
    assert await queued(estate) == [
        (alert, BUTTON, "acknowledged"),
        (alert, BAY, "acknowledged"),
        (alert, BUTTON, "closed"),
    ]


async def test_handing_on_says_nothing_until_the_next_one_takes_it(estate: Estate) -> None:
    alert = await taken(estate)
    await estate.conn.execute("UPDATE members SET retired_at = now() WHERE id = %s", [WANG])
    await estate.conn.execute("UPDATE duties SET categories = NULL WHERE member_id = %s", [LI])
    roster = Roster({LI: ROSTER.members[LI]}, (await store.load_roster(estate.conn)).duties)
    assert await store.hand_on(estate.conn, INVENTORY, roster, now=LATER + SECOND) == [alert]
    assert len(await queued(estate)) == 1
    assert (await store.acknowledge(estate.conn, alert, LI, LATER + 2 * SECOND)).changed
    assert await queued(estate) == [(alert, BUTTON, "acknowledged")] * 2


async def test_the_history_says_what_which_device_was_told(estate: Estate) -> None:
    alert = await taken(estate)
    [line] = await estate.rows("SELECT * FROM alert_events WHERE kind = 'answered'")
    assert (line["alert_id"], line["reason"], line["member_id"]) == (alert, "acknowledged", None)
    assert line["detail"] == {"device": BUTTON}
    assert await estate.column("SELECT event_id FROM downlinks") == [line["id"]]


async def test_members_are_told_as_before(estate: Estate) -> None:
    await taken(estate)
    assert await estate.column("SELECT channel FROM notifications ORDER BY id") == ["web", "mqtt"]
    assert await estate.column("SELECT DISTINCT member_id FROM notifications") == [WANG]


# What is sent


async def test_sent_once_with_what_the_device_needs(estate: Estate, pool: Pool) -> None:
    alert = await taken(estate)
    channel, clock = FakeDevices(Delivered("yes")), ManualClock(LATER)
    clock.advance(6 * HOUR)
    assert await lane(pool, channel, clock).drain() == 1
    assert await lane(pool, channel, clock).drain() == 0
    [sent] = channel.got
    assert (sent.community, sent.device_code) == ("sunshine", "sos-1")
    assert sent.body == {
        "message_id": str(sent.message),
        "alert": alert,
        "state": "acknowledged",
        "at": to_datetime(LATER).isoformat().replace("+00:00", "Z"),
    }
    assert sent.keep_s == 30 * 3600, "a button heard every 12 h: 36 h in all"
    assert await fates(estate) == [("acknowledged", "delivered", 1)]
    assert await attempts(estate) == [("delivered", "yes")]
    [delivered] = await estate.column("SELECT delivered_at FROM downlinks")
    assert delivered == to_datetime(clock.now())


async def test_retried_with_back_off_and_the_same_message(estate: Estate, pool: Pool) -> None:
    await taken(estate)
    clock = ManualClock(LATER)
    channel = FakeDevices(Retry("busy"), Retry("busy"), Delivered())
    sending, sent = lane(pool, channel, clock), []
    for wait in (0, SECOND - 1, 1, 2 * SECOND - 1, 1, HOUR):
        clock.advance(wait)
        sent.append(await sending.drain())
    assert sent == [1, 0, 1, 0, 1, 0]
    assert len({d.message for d in channel.got}) == 1
    assert await fates(estate) == [("acknowledged", "delivered", 3)]
    assert [outcome for outcome, _ in await attempts(estate)] == ["retry", "retry", "delivered"]


async def test_a_refusal_is_final(estate: Estate, pool: Pool) -> None:
    await taken(estate)
    clock = ManualClock(LATER)
    sending = lane(pool, FakeDevices(Rejected("not authorised")), clock)
    assert await sending.drain() == 1
    clock.advance(HOUR)
    assert await sending.drain() == 0
    assert await fates(estate) == [("acknowledged", "rejected", 1)]
    assert await attempts(estate) == [("rejected", "not authorised")]


async def test_only_the_newest_state_is_sent(estate: Estate, pool: Pool) -> None:
    alert = await taken(estate)
    await closed(estate, alert)
    channel = FakeDevices()
    assert await lane(pool, channel, ManualClock(LATER + SECOND)).drain() == 2
    assert [d.body["state"] for d in channel.got] == ["closed"]
    assert await fates(estate) == [("acknowledged", "dropped", 1), ("closed", "delivered", 1)]
    assert await attempts(estate) == [("dropped", "overtaken"), ("delivered", "")]


async def test_another_alert_of_the_same_device_overtakes_nothing(
    estate: Estate, pool: Pool
) -> None:
    fall = transition(of=rule("care.fall", "care", "fall"), device=BUTTON, cause=Cause.OCCURRED)
    await estate.conn.execute("UPDATE devices SET metrics = '{sos,fall}' WHERE id = %s", [BUTTON])
    alerts = await estate.apply(press(), fall)
    for alert in alerts:
        await store.acknowledge(estate.conn, alert, WANG, LATER)
    channel = FakeDevices()
    await lane(pool, channel, ManualClock(LATER)).drain()
    assert sorted(d.alert for d in channel.got) == sorted(alerts)


@pytest.mark.parametrize(("waited", "sent"), [(36 * HOUR - 1, 1), (36 * HOUR, 0)])
async def test_it_expires_when_it_is_no_news_any_more(
    estate: Estate, pool: Pool, waited: int, sent: int
) -> None:
    await taken(estate)
    channel = FakeDevices()
    assert await lane(pool, channel, ManualClock(LATER + waited)).drain() == 1
    assert [d.keep_s for d in channel.got] == [1] * sent
    expected = ("delivered", "") if sent else ("dropped", "expired")
    assert await attempts(estate) == [expected]


async def test_a_device_retired_meanwhile_is_sent_nothing(estate: Estate, pool: Pool) -> None:
    await taken(estate)
    await estate.conn.execute("UPDATE devices SET retired_at = now() WHERE id = %s", [BUTTON])
    channel = FakeDevices()
    await lane(pool, channel, ManualClock(LATER)).drain()
    assert channel.got == []
    assert await attempts(estate) == [("dropped", "device_gone")]


async def test_killed_between_send_and_settle_the_same_message_comes_again(
    estate: Estate, pool: Pool
) -> None:
    await taken(estate)
    clock, gated = ManualClock(LATER), GatedDevices()
    dying = asyncio.create_task(lane(pool, gated, clock).drain())
    await gated.arrived.get()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    heir = FakeDevices()
    assert await lane(pool, heir, clock).drain() == 0, "it is leased"
    clock.advance(Limits().lease)
    assert await lane(pool, heir, clock).drain() == 1
    assert [d.body for d in heir.got] == [d.body for d in gated.got]
    assert await fates(estate) == [("acknowledged", "delivered", 1)]


async def test_two_dispatchers_send_each_once(estate: Estate, pool: Pool) -> None:
    for number in range(20):
        [alert] = await estate.apply(press(NOW + number))
        await closed(estate, alert)
    channel, clock = FakeDevices(), ManualClock(LATER + SECOND)
    sent = await asyncio.gather(*(lane(pool, channel, clock).drain() for _ in range(2)))
    assert sum(sent) == 20
    assert len({d.message for d in channel.got}) == 20


async def test_a_commit_wakes_the_lane_and_devices_that_hang_delay_no_member(
    estate: Estate, pool: Pool
) -> None:
    web, devices = FakeChannel(), GatedDevices()
    task = asyncio.create_task(
        dispatch(pool, {"web": web}, ManualClock(LATER), devices=devices, limits=FAST)
    )
    try:
        alert = await taken(estate)
        assert (await devices.arrived.get()).alert == alert
        await web.arrived.get()
        await estate.apply(transition())
        assert (await web.arrived.get()).alert != alert
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (web.closed, devices.closed) == (True, True)
    assert await fates(estate) == [("acknowledged", "queued", 0)]


async def test_pages_that_show_the_alert_are_woken_when_the_broker_took_it(
    estate: Estate, pool: Pool, database_url: str
) -> None:
    await taken(estate)
    async with await AsyncConnection.connect(database_url, autocommit=True) as ear:
        await ear.execute("LISTEN gridwarden_inbox")
        await lane(pool, FakeDevices(), ManualClock(LATER)).drain()
        [heard] = [n async for n in ear.notifies(timeout=60, stop_after=1)]
    assert heard.payload == str(WANG)


async def test_through_a_broker_that_dies_and_comes_back(
    estate: Estate, pool: Pool, own_broker: Server
) -> None:
    where = urlsplit(own_broker.url)
    channel = DeviceChannel(Broker(where.hostname or "", where.port or 1883))
    await taken(estate)
    clock = ManualClock(LATER)
    sending = lane(pool, channel, clock)
    own_broker.kill()
    assert await sending.drain() == 1
    assert await fates(estate) == [("acknowledged", "queued", 1)]
    own_broker.start()
    clock.advance(SECOND)
    assert await sending.drain() == 1
    assert await fates(estate) == [("acknowledged", "delivered", 2)]
    assert [outcome for outcome, _ in await attempts(estate)] == ["retry", "delivered"]
    await channel.close()
