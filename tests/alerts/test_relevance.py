"""What has waited in the outbox: sent with its state, or dropped for a reason that is kept."""

import asyncio
from typing import Any, TypeAlias

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts import store
from alerts.backoff import LONGEST
from alerts.channels.base import Delivered, Retry
from alerts.model import AlertState, Outcome
from alerts.outbox import LONGEST_DETAIL, Limits
from alerts.relevance import Dropped, reason_to_drop
from devices.instant import DAY, SECOND
from rules.model import Severity
from rules.transition import Cause, Change
from tests.alerts.conftest import Estate
from tests.alerts.estate import (
    INVENTORY,
    NOW,
    SMOKE_RULE,
    WANG,
    rule,
    transition,
)
from tests.alerts.test_outbox import FakeChannel, lane
from tests.clock import ManualClock

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[Any]]

CLEARED = transition(Change.CLEARED, at=NOW + SECOND, cause=Cause.CONDITION_ENDED)
WITHDRAWN = transition(Change.WITHDRAWN, at=NOW + SECOND, cause=Cause.RULE_REMOVED)
YELLOW = rule("fire.door", severity=Severity.YELLOW)


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("state", AlertState)
def test_what_stands_is_always_told_to_whoever_serves(
    state: AlertState, severity: Severity
) -> None:
    dropped = reason_to_drop(state, severity, by_person=False, in_service=True)
    told_though_over = state is AlertState.CLEARED and severity in {Severity.RED, Severity.ORANGE}
    assert (dropped is None) is (state.standing or told_though_over)
    gone = reason_to_drop(state, severity, by_person=True, in_service=False)
    assert gone is Dropped.MEMBER_LEFT


async def fate(estate: Estate, pool: Pool) -> tuple[list[str], str, str]:
    """The states that the web channel was sent, and what is written of its message."""
    channel = FakeChannel()
    await lane(pool, channel, ManualClock(NOW + DAY)).drain()
    [row] = await estate.rows(
        "SELECT n.state, t.detail FROM notifications n"
        " JOIN notification_attempts t ON t.notification_id = n.id"
    )
    return [str(n.body["state"]) for n in channel.got], row["state"], row["detail"]


async def test_a_red_alert_that_cleared_meanwhile_is_told_as_cleared(
    estate: Estate, pool: Pool
) -> None:
    await estate.apply(transition(), CLEARED)
    assert await fate(estate, pool) == (["cleared"], "delivered", "")


async def test_a_lesser_one_is_not_told(estate: Estate, pool: Pool) -> None:
    fired = transition(of=YELLOW)
    await estate.apply(fired, transition(Change.CLEARED, of=YELLOW, at=NOW + SECOND))
    assert await fate(estate, pool) == ([], "dropped", "cleared_before")


async def test_what_a_person_closed_is_not_told(estate: Estate, pool: Pool) -> None:
    [alert] = await estate.apply(transition())
    await store.close(estate.conn, alert, WANG, Outcome.HANDLED, None, NOW)
    assert await fate(estate, pool) == ([], "dropped", "closed_before")


async def test_what_was_withdrawn_is_not_told(estate: Estate, pool: Pool) -> None:
    await estate.apply(transition(), WITHDRAWN)
    assert await fate(estate, pool) == ([], "dropped", "withdrawn_before")


async def test_who_has_left_is_not_told(estate: Estate, pool: Pool) -> None:
    await estate.apply(transition())
    await estate.conn.execute("UPDATE members SET retired_at = now()")
    assert await fate(estate, pool) == ([], "dropped", "member_left")


async def test_a_clock_that_is_set_back_delays_nothing(estate: Estate, pool: Pool) -> None:
    await estate.apply(transition(), now=NOW + DAY)
    channel, clock = FakeChannel(Retry("busy"), Delivered()), ManualClock(NOW)
    sending = lane(pool, channel, clock)
    assert await sending.drain() == 1
    assert await sending.drain() == 0, "put off by a second, not sent again at once"
    clock.advance(SECOND)
    assert await sending.drain() == 1


async def test_no_wait_of_the_outbox_seems_a_clock_set_back(estate: Estate, pool: Pool) -> None:
    await estate.apply(transition())
    wait = LONGEST + Limits().lease
    await estate.conn.execute(
        "UPDATE notifications SET next_attempt_at = next_attempt_at + %s * interval '1 us'", [wait]
    )
    assert await lane(pool, FakeChannel(), ManualClock(NOW)).drain() == 0


@pytest.mark.parametrize("words", ["\0", "\ud800", "x" * 100_000])
async def test_whatever_a_far_side_says_can_be_kept(estate: Estate, pool: Pool, words: str) -> None:
    await estate.apply(transition())
    assert await lane(pool, FakeChannel(Retry(words)), ManualClock(NOW)).drain() == 1
    [detail] = await estate.column("SELECT detail FROM notification_attempts")
    assert 0 < len(detail) <= LONGEST_DETAIL


async def test_the_gravest_first_out_of_ten_thousand(estate: Estate, pool: Pool) -> None:
    await estate.conn.execute("UPDATE duties SET area_id = 1")
    roster = await store.load_roster(estate.conn)
    batch = [transition(of=YELLOW), transition(of=SMOKE_RULE)]
    await store.apply(estate.conn, batch, INVENTORY, roster, shard=0, seq=1, now=NOW)
    await estate.conn.execute(
        "INSERT INTO notifications"
        " (alert_id, member_id, channel, occasion, body, created_at, next_attempt_at)"
        " SELECT alert_id, member_id, channel, 'again:' || i, body, created_at, created_at"
        " FROM notifications, generate_series(1, 10000) i"
        " WHERE channel = 'web' AND member_id = 1 AND body->>'severity' = 'yellow'"
    )
    channel = FakeChannel()
    async with asyncio.TaskGroup() as tasks:
        await lane(pool, channel, ManualClock(NOW)).start_due(tasks)
    severities = [str(n.body["severity"]) for n in channel.got]
    assert severities == sorted(severities)
    assert (severities[0], severities[-1]) == ("red", "yellow")
