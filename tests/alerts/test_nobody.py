"""Alerts that nobody answers for: the duty officers hear of them, may act, and hand them on."""

import logging
from dataclasses import replace

import pytest

from alerts import store
from alerts.errors import NoSuchAlertError
from alerts.lifecycle import Reason
from alerts.model import DUTY_OFFICER, Duty, Outcome, Roster
from devices.instant import DAY, SECOND, to_datetime
from rules.transition import Change
from tests.alerts.conftest import Estate
from tests.alerts.estate import (
    BAY,
    CITY,
    COMMUNITY,
    EAST,
    INVENTORY,
    LI,
    MEMBERS,
    NOW,
    PARKING_RULE,
    ROSTER,
    WANG,
    WEST,
    ZHAO,
    blocked,
    press,
    transition,
)

OFFICER = Duty(ZHAO, EAST, DUTY_OFFICER, frozenset({"care"}), NOW - DAY, None)
WITH_OFFICER = replace(ROSTER, duties=(*ROSTER.duties, OFFICER))
LATER = NOW + 60 * SECOND


async def appoint(estate: Estate, duty: Duty) -> None:
    await estate.conn.execute(
        "INSERT INTO duties (member_id, area_id, role, categories, valid_from)"
        " VALUES (%s, %s, %s, %s, %s)",
        [
            duty.member,
            duty.area,
            duty.role,
            None if duty.categories is None else list(duty.categories),
            to_datetime(duty.valid_from),
        ],
    )


async def raised(estate: Estate, *, roster: Roster = WITH_OFFICER) -> int:
    """The fire lane is blocked, where nobody answers for parking."""
    async with estate.conn.transaction():
        [alert] = await store.apply(
            estate.conn, [blocked()], INVENTORY, roster, shard=0, seq=1, now=NOW
        )
    return alert


async def handed_on(estate: Estate, now: int = LATER) -> list[int]:
    roster = await store.load_roster(estate.conn)
    async with estate.conn.transaction():
        return await store.hand_on(estate.conn, INVENTORY, roster, now=now)


async def retire(estate: Estate, *members: int) -> None:
    await estate.conn.execute(
        "UPDATE members SET retired_at = now() WHERE id = ANY(%s)", [list(members)]
    )


async def told(estate: Estate) -> list[tuple[int, str]]:
    rows = await estate.rows(
        "SELECT member_id, occasion FROM notifications WHERE channel = 'web' ORDER BY id"
    )
    return [(r["member_id"], r["occasion"].split(":")[0]) for r in rows]


async def test_every_duty_officer_is_told_and_nobody_is_made_responsible(estate: Estate) -> None:
    await raised(estate)
    assert await told(estate) == [(ZHAO, "opened")]
    assert await estate.rows("SELECT * FROM alert_recipients") == []
    assert await estate.column("SELECT route_reason FROM alerts") == ["nobody"]


async def test_an_officer_may_take_and_close_it_and_then_it_is_theirs(estate: Estate) -> None:
    await appoint(estate, OFFICER)
    alert = await raised(estate)
    assert (await store.acknowledge(estate.conn, alert, ZHAO, LATER)).changed
    await estate.conn.execute("DELETE FROM duties WHERE member_id = %s", [ZHAO])
    assert await store.sees(estate.conn, alert, ZHAO, LATER), "who has it goes on having it"
    assert (await store.close(estate.conn, alert, ZHAO, Outcome.HANDLED, None, LATER)).changed
    assert await store.sees(estate.conn, alert, ZHAO, LATER)


async def test_an_officer_has_no_say_in_what_is_somebodys(estate: Estate) -> None:
    await appoint(estate, OFFICER)
    [alert] = await estate.apply(transition())
    with pytest.raises(NoSuchAlertError):
        await store.acknowledge(estate.conn, alert, ZHAO, LATER)


async def test_a_retired_member_sees_and_does_nothing(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    await retire(estate, WANG)
    assert not await store.sees(estate.conn, alert, WANG, LATER)
    with pytest.raises(NoSuchAlertError):
        await store.acknowledge(estate.conn, alert, WANG, LATER)


async def test_who_leaves_hands_on_to_the_duty_above(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    await store.acknowledge(estate.conn, alert, WANG, NOW)
    await retire(estate, WANG)
    assert await handed_on(estate) == [alert]
    [row] = await estate.rows("SELECT state, acknowledged_by, route_reason FROM alerts")
    assert tuple(row.values()) == ("open", None, "duty_above")
    assert await told(estate) == [(WANG, "opened"), (LI, "handed_on")]
    assert (await store.acknowledge(estate.conn, alert, LI, LATER)).reason is Reason.ACKNOWLEDGED
    assert await handed_on(estate) == [], "once is enough"
    kinds = await estate.column("SELECT kind FROM alert_events ORDER BY id")
    assert kinds == ["opened", "routed", "acknowledged", "handed_on", "acknowledged"]


async def test_when_all_have_left_the_officers_hear_of_it_once(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    await appoint(estate, replace(OFFICER, area=WEST))
    [alert] = await estate.apply(transition())
    await store.acknowledge(estate.conn, alert, WANG, NOW)
    await retire(estate, WANG, LI)
    assert await handed_on(estate) == [alert]
    assert await handed_on(estate) == []
    assert await told(estate) == [(WANG, "opened"), (ZHAO, "handed_on")]
    said = [r.__dict__["action"] for r in caplog.records if r.levelno == logging.ERROR]
    assert said == ["alert.nobody_responsible"]
    assert (await store.acknowledge(estate.conn, alert, ZHAO, LATER)).changed


async def test_a_duty_that_begins_later_is_told_what_stands(estate: Estate) -> None:
    alert = await raised(estate, roster=Roster({m.id: m for m in MEMBERS}, ()))
    assert await handed_on(estate) == []
    await appoint(estate, Duty(ZHAO, COMMUNITY, "guard", None, LATER, None))
    assert await handed_on(estate, LATER - 1) == []
    assert await handed_on(estate, LATER) == [alert]
    assert await told(estate) == [(ZHAO, "handed_on")]
    assert await handed_on(estate, LATER + DAY) == []


async def test_what_somebody_in_service_has_is_left_alone(estate: Estate) -> None:
    await appoint(estate, Duty(ZHAO, CITY, "guard", None, NOW - DAY, None))
    [alert] = await estate.apply(transition())
    await store.acknowledge(estate.conn, alert, LI, NOW)
    await retire(estate, WANG)
    assert await handed_on(estate) == [], "Li has it"


async def test_what_has_ended_is_not_handed_on(estate: Estate) -> None:
    end = transition(Change.CLEARED, of=PARKING_RULE, device=BAY, at=NOW + 1)
    await estate.apply(blocked(), end)
    await appoint(estate, Duty(ZHAO, CITY, "guard", None, NOW - DAY, None))
    assert await handed_on(estate) == []


async def test_pressed_again_after_all_who_knew_have_left(estate: Estate) -> None:
    await estate.apply(press())
    left = Roster({ZHAO: WITH_OFFICER.members[ZHAO]}, (OFFICER,))
    await store.apply(estate.conn, [press(NOW + 5)], INVENTORY, left, shard=0, seq=2, now=NOW)
    assert await told(estate) == [(WANG, "opened"), (ZHAO, "again")]


async def test_each_process_hands_on_what_is_its_own(estate: Estate) -> None:
    alert = await raised(estate)
    await appoint(estate, Duty(WANG, COMMUNITY, "grid_member", None, NOW - DAY, None))
    roster = await store.load_roster(estate.conn)
    asked: list[str] = []

    def others(community: str) -> bool:
        asked.append(community)
        return False

    assert await store.hand_on(estate.conn, INVENTORY, roster, now=LATER, ours=others) == []
    assert asked == ["sunshine"]
    assert await handed_on(estate) == [alert]
