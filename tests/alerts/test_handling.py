"""What a person does with an alert: taken, closed, refused, and always written down."""

from typing import Any

import pytest

from alerts import store
from alerts.errors import NoSuchAlertError
from alerts.lifecycle import Decision, Reason
from alerts.model import AlertState, Outcome
from devices.instant import SECOND
from rules.transition import Change
from tests.alerts.conftest import Estate
from tests.alerts.estate import LI, NOW, WANG, ZHAO, blocked, press, transition

LATER = NOW + 60 * SECOND


async def alert_of(estate: Estate) -> dict[str, Any]:
    [alert] = await estate.rows("SELECT * FROM alerts")
    return alert


async def audited(estate: Estate) -> list[tuple[int, str, str]]:
    rows = await estate.rows(
        "SELECT member_id, action, detail->>'reason' AS reason FROM audit_log ORDER BY id"
    )
    return [(r["member_id"], r["action"], r["reason"]) for r in rows]


async def test_taken_once_and_by_one(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    first = await store.acknowledge(estate.conn, alert, WANG, LATER)
    assert first == Decision(AlertState.ACKNOWLEDGED, Reason.ACKNOWLEDGED, changed=True)
    again = await store.acknowledge(estate.conn, alert, WANG, LATER + SECOND)
    other = await store.acknowledge(estate.conn, alert, LI, LATER + SECOND)
    assert (again.reason, other.reason) == (Reason.ALREADY_YOURS, Reason.TAKEN_BY_ANOTHER)
    stored = await alert_of(estate)
    assert (stored["state"], stored["acknowledged_by"]) == ("acknowledged", WANG)
    assert (stored["acknowledged_at"] - stored["opened_at"]).total_seconds() == 60
    kinds = await estate.column("SELECT kind FROM alert_events WHERE member_id = %s", [WANG])
    assert kinds == ["acknowledged"]
    assert await audited(estate) == [
        (WANG, "alert.acknowledge", "acknowledged"),
        (WANG, "alert.acknowledge", "already_yours"),
        (LI, "alert.acknowledge", "taken_by_another"),
    ]


async def test_taking_what_has_cleared_does_not_reopen_it(estate: Estate) -> None:
    [alert] = await estate.apply(
        transition(), transition(Change.CLEARED, since=NOW, at=NOW + SECOND)
    )
    decision = await store.acknowledge(estate.conn, alert, WANG, LATER)
    assert decision == Decision(AlertState.CLEARED, Reason.STAYS_CLEARED, changed=False)
    assert (await alert_of(estate))["state"] == "cleared"
    assert await audited(estate) == [(WANG, "alert.acknowledge", "stays_cleared")]


async def test_closed_with_what_was_found(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    refused = await store.close(estate.conn, alert, WANG, Outcome.FALSE_ALARM, " ", LATER)
    assert refused.reason is Reason.NOTE_NEEDED
    assert (await alert_of(estate))["state"] == "open"
    closed = await store.close(estate.conn, alert, WANG, Outcome.FALSE_ALARM, " toast ", LATER)
    assert closed == Decision(AlertState.CLOSED, Reason.CLOSED, changed=True)
    stored = await alert_of(estate)
    assert (stored["state"], stored["outcome"], stored["note"], stored["closed_by"]) == (
        "closed",
        "false_alarm",
        "toast",
        WANG,
    )
    again = await store.close(estate.conn, alert, LI, Outcome.HANDLED, None, LATER)
    assert again.reason is Reason.ALREADY_CLOSED
    [line] = await estate.rows("SELECT reason, detail FROM alert_events WHERE kind = 'closed'")
    assert line == {
        "reason": "false_alarm",
        "detail": {"outcome": "false_alarm", "note": "toast"},
    }


async def test_a_cleared_alert_can_be_closed(estate: Estate) -> None:
    [alert] = await estate.apply(
        transition(), transition(Change.CLEARED, since=NOW, at=NOW + SECOND)
    )
    decision = await store.close(estate.conn, alert, WANG, Outcome.HANDLED, None, LATER)
    assert decision.changed
    assert (await alert_of(estate))["cleared_at"] is not None


async def test_the_sensor_clears_what_a_person_has_taken(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    await store.acknowledge(estate.conn, alert, WANG, LATER)
    await estate.apply(transition(Change.CLEARED, since=NOW, at=NOW + SECOND))
    stored = await alert_of(estate)
    assert (stored["state"], stored["acknowledged_by"]) == ("cleared", WANG)


async def test_whoever_has_nothing_to_do_with_it_is_told_that_there_is_none(
    estate: Estate,
) -> None:
    [care, fire_lane] = await estate.apply(press(), blocked())
    for alert, member in ((care, ZHAO), (care, LI), (fire_lane, WANG), (9_999, WANG)):
        with pytest.raises(NoSuchAlertError, match=f"no alert {alert} that member {member}"):
            await store.acknowledge(estate.conn, alert, member, LATER)
        assert not await store.sees(estate.conn, alert, member, LATER)
    assert await store.sees(estate.conn, care, WANG, LATER)
    assert await audited(estate) == []


async def test_a_duty_above_is_enough_to_act(estate: Estate) -> None:
    [alert] = await estate.apply(transition())
    assert await estate.column("SELECT member_id FROM alert_recipients") == [WANG]
    assert await store.sees(estate.conn, alert, LI, LATER)
    assert (await store.acknowledge(estate.conn, alert, LI, LATER)).changed
