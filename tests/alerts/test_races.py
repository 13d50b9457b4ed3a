"""Two at once at one alert: one of them was first, both are answered, one history is written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts import store
from alerts.lifecycle import Decision, Reason
from alerts.model import Outcome
from devices.instant import SECOND
from rules.transition import Cause, Change, Transition
from tests.alerts.conftest import Estate
from tests.alerts.estate import INVENTORY, LI, NOW, ROSTER, WANG, press, transition

Connection: TypeAlias = AsyncConnection[Any]
Pool: TypeAlias = AsyncConnectionPool[Connection]
Act: TypeAlias = Callable[[Connection], Awaitable[Any]]

CLEARED = transition(Change.CLEARED, at=NOW + SECOND, cause=Cause.CONDITION_ENDED)
WITHDRAWN = transition(Change.WITHDRAWN, at=NOW + SECOND, cause=Cause.RULE_REMOVED)
HISTORY = """SELECT kind FROM alert_events
              WHERE alert_id = %s AND kind NOT IN ('routed', 'answered') ORDER BY id"""


async def at_once(pool: Pool, *acts: Act) -> list[Any]:
    """What each answers; each in a transaction of its own."""

    async def one(act: Act) -> Any:
        async with pool.connection() as conn:
            return await act(conn)

    return await asyncio.gather(*map(one, acts))


def acknowledge(alert: int, member: int) -> Act:
    return lambda conn: store.acknowledge(conn, alert, member, NOW)


def close(alert: int) -> Act:
    return lambda conn: store.close(conn, alert, WANG, Outcome.HANDLED, None, NOW)


def told(*transitions: Transition) -> Act:
    return lambda conn: store.apply(
        conn, transitions, INVENTORY, ROSTER, shard=0, seq=2, now=NOW + SECOND
    )


async def test_one_takes_it_and_the_other_is_told(estate: Estate, pool: Pool) -> None:
    [alert] = await estate.apply(transition())
    decisions: list[Decision] = await at_once(
        pool, *(acknowledge(alert, member) for member in (WANG, LI) * 3)
    )
    assert [d.changed for d in decisions].count(True) == 1
    assert {d.reason for d in decisions} == {
        Reason.ACKNOWLEDGED,
        Reason.ALREADY_YOURS,
        Reason.TAKEN_BY_ANOTHER,
    }
    assert await estate.column(HISTORY, [alert]) == ["opened", "acknowledged"]


@pytest.mark.parametrize("end", [CLEARED, WITHDRAWN], ids=["cleared", "withdrawn"])
@pytest.mark.parametrize("person_first", [True, False])
async def test_a_person_and_the_end(
    estate: Estate, pool: Pool, *, end: Transition, person_first: bool
) -> None:
    """Whoever comes second finds it as the first has left it."""
    [alert] = await estate.apply(transition())
    acts = [close(alert), told(end)]
    await at_once(pool, *(acts if person_first else reversed(acts)))
    history = await estate.column(HISTORY, [alert])
    possible = [["opened", "closed"], ["opened", "cleared", "closed"], ["opened", "withdrawn"]]
    assert history in possible
    [row] = await estate.rows("SELECT state, closed_by FROM alerts")
    assert row == {"state": "closed", "closed_by": WANG if "closed" in history else None}


async def test_many_alerts_and_many_people_do_not_block_each_other(
    estate: Estate, pool: Pool
) -> None:
    smoke, button = await estate.apply(transition(), press())
    acts = [
        *(acknowledge(alert, WANG) for alert in (button, smoke) * 3),
        *(told(press(NOW + i), CLEARED, transition(since=NOW + 9)) for i in range(1, 4)),
    ]
    await at_once(pool, *acts)
    assert await estate.column("SELECT count(*) FROM alerts") == [3]
    kinds = await estate.column(HISTORY, [button])
    assert sorted(kinds) == ["acknowledged", "fired_again", "fired_again", "fired_again", "opened"]
    answered = "SELECT count(*) FROM downlinks WHERE told = 'acknowledged' AND alert_id = %s"
    presses_after = kinds[kinds.index("acknowledged") :].count("fired_again")
    assert await estate.column(answered, [button]) == [1 + presses_after]
