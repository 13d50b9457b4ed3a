"""Effects of transitions in a real database: written once, whatever crashes and repeats."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from alerts import store
from alerts.model import Duty, Outcome, Roster
from devices.instant import DAY, SECOND
from devices.inventory import Inventory
from rules.model import Severity
from rules.transition import Cause, Change, Transition
from tests.alerts.conftest import Estate
from tests.alerts.estate import (
    AREAS,
    BUTTON,
    COMMUNITY,
    EAST,
    HOUSE_1,
    INVENTORY,
    LI,
    MEMBERS,
    NOW,
    ROSTER,
    SMOKE,
    SMOKE_RULE,
    SOS_RULE,
    WANG,
    ZHAO,
    blocked,
    press,
    settle,
    transition,
)

CLEARED = transition(Change.CLEARED, at=NOW + SECOND, cause=Cause.CONDITION_ENDED, value=0.0)

LI_FOR_ALL = Duty(LI, COMMUNITY, "leader", None, NOW - DAY, None)

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def test_an_alert_has_its_person_its_history_and_its_messages(estate: Estate) -> None:
    opened = await estate.apply(transition(), seq=7, now=NOW + SECOND)
    [alert] = await estate.rows("SELECT * FROM alerts")
    assert opened == [alert["id"]]
    assert alert["state"] == "open"
    assert (alert["area_id"], alert["household_id"], alert["device_id"]) == (HOUSE_1, None, 2)
    assert (alert["category"], alert["severity"], alert["value"]) == ("fire", "red", 1.0)
    assert (alert["opened_at"] - alert["fired_at"]).total_seconds() == 1
    assert await estate.rows("SELECT member_id, role, area_id, reason FROM alert_recipients") == [
        {"member_id": WANG, "role": "grid_member", "area_id": EAST, "reason": "duty_above"}
    ]
    events = await estate.rows("SELECT kind, reason FROM alert_events ORDER BY id")
    assert [tuple(e.values()) for e in events] == [
        ("opened", "condition_held"),
        ("routed", "duty_above"),
    ]
    told = await estate.rows("SELECT * FROM notifications ORDER BY id")
    assert [(n["member_id"], n["channel"], n["occasion"], n["state"]) for n in told] == [
        (WANG, "web", "opened", "queued"),
        (WANG, "mqtt", "opened", "queued"),
    ]
    assert all(n["body"]["message_id"] == str(n["message_id"]) for n in told)
    assert await estate.column("SELECT seq FROM cursors") == [7]


async def test_a_health_value_stays_out_of_mqtt(estate: Estate) -> None:
    await estate.apply(press())
    bodies = await estate.rows("SELECT channel, body FROM notifications ORDER BY channel")
    assert [(b["channel"], "value" in b["body"]) for b in bodies] == [
        ("mqtt", False),
        ("web", True),
    ]


async def test_applying_the_same_again_changes_nothing(estate: Estate) -> None:
    batch = (transition(), press(), press(NOW + 1), CLEARED, blocked())
    await estate.apply(*batch)
    before = await estate.everything()
    assert await estate.apply(*batch, now=NOW + DAY) == []
    assert await estate.apply(*reversed(batch), now=NOW + DAY) == []
    assert await estate.everything() == before


async def test_a_replay_after_a_person_closed_opens_nothing(estate: Estate) -> None:
    batch = (press(), press(NOW + 1))
    [alert] = await estate.apply(*batch)
    await store.close(estate.conn, alert, WANG, Outcome.HANDLED, None, NOW + SECOND)
    before = await estate.everything()
    assert await estate.apply(*batch) == []
    assert await estate.everything() == before


async def test_a_merged_press_is_recognised_after_a_newer_alert_opened(estate: Estate) -> None:
    [first] = await estate.apply(press(), press(NOW + 1))
    await store.close(estate.conn, first, WANG, Outcome.HANDLED, None, NOW + SECOND)
    [second] = await estate.apply(press(NOW + 2 * SECOND))
    before = await estate.everything()
    await estate.apply(press(NOW + 1))
    assert await estate.everything() == before
    assert second != first


async def test_pressed_again_is_told_again(estate: Estate) -> None:
    await estate.apply(press())
    assert await estate.apply(press(NOW + 5)) == []
    kinds = await estate.column("SELECT kind FROM alert_events ORDER BY id")
    assert kinds == ["opened", "routed", "fired_again", "routed"]
    occasions = await estate.column(
        "SELECT occasion FROM notifications WHERE channel = 'web' ORDER BY id"
    )
    assert occasions == ["opened", f"again:{NOW + 5}"]


async def test_placeholders_are_filled_in_but_not_for_those_who_may_not_know(
    estate: Estate,
) -> None:
    title = {"zh": "{household}求助", "en": "Help needed at {household}: {value} {unit}"}
    called = replace(SOS_RULE, title=title, advice={"zh": "去{place}", "en": "Go to {place}"})
    await estate.apply(replace(press(), rule=called))
    [alert] = await estate.rows("SELECT title, plain_title, advice, state FROM alerts")
    assert alert["title"] == {"zh": "301室求助", "en": "Help needed at Flat 301: 1"}
    assert alert["plain_title"] == {"zh": "求助", "en": "Help needed at"}
    assert alert["advice"]["en"] == "Go to Sunshine · East grid · Building 1 · Flat 301"
    said = "SELECT body->'title'->>'en' FROM notifications WHERE channel = %s"
    assert await estate.column(said, ["web"]) == ["Help needed at Flat 301: 1"]
    assert await estate.column(said, ["mqtt"]) == ["Help needed at"]
    await estate.conn.execute("UPDATE members SET retired_at = now() WHERE id = %s", [WANG])
    later = Roster({m.id: m for m in MEMBERS if m.id != WANG}, (LI_FOR_ALL,))
    await store.hand_on(estate.conn, INVENTORY, later, now=NOW + SECOND)
    assert await estate.column(f"{said} AND member_id = {LI}", ["mqtt"]) == ["Help needed at"]
    assert await estate.column("SELECT title FROM dashboard.standing_alerts") == [None]


@pytest.mark.parametrize(
    ("device", "shown"), [(BUTTON, "Smoke"), (SMOKE, "Smoke: Smoke detector")], ids=["home", "hall"]
)
async def test_the_wall_names_no_sensor_in_a_home(estate: Estate, device: int, shown: str) -> None:
    title = {"zh": "烟雾：{device}", "en": "Smoke: {device}"}
    await estate.apply(transition(of=replace(SMOKE_RULE, title=title), device=device))
    [told] = await estate.column("SELECT title FROM dashboard.standing_alerts")
    assert told["en"] == shown


async def test_a_graver_colour_is_told_once_and_a_lesser_one_to_nobody(estate: Estate) -> None:
    yellow = transition(severity=Severity.YELLOW)
    red, orange = (
        transition(Change.GRADED, at=NOW + i, cause=Cause.VALUE_CHANGED, severity=severity)
        for i, severity in ((1, Severity.RED), (2, Severity.ORANGE))
    )
    await estate.apply(yellow)
    await estate.apply(red)
    await estate.apply(orange)
    before = await estate.everything()
    await estate.apply(yellow, red, orange)
    assert await estate.everything() == before
    [alert] = await estate.rows("SELECT severity, state FROM alerts")
    assert tuple(alert.values()) == ("orange", "open")
    told = await estate.rows(
        "SELECT occasion, body->>'severity' AS severity FROM notifications"
        " WHERE channel = 'web' ORDER BY id"
    )
    assert [tuple(t.values()) for t in told] == [("opened", "yellow"), (f"graver:{NOW + 1}", "red")]
    events = await estate.rows(
        "SELECT detail->>'from' AS before, detail->>'to' AS severity FROM alert_events"
        " WHERE kind = 'severity_changed' ORDER BY id"
    )
    assert [tuple(e.values()) for e in events] == [("yellow", "red"), ("red", "orange")]
    [shown] = await estate.rows("SELECT severity FROM dashboard.standing_alerts")
    assert shown["severity"] == "orange"


async def test_a_batch_may_end_one_alert_and_open_the_next(estate: Estate) -> None:
    await estate.apply(transition())
    again = transition(since=NOW + 2 * SECOND)
    end = transition(Change.CLEARED, since=again.since, at=NOW + 3 * SECOND)
    third = transition(since=NOW + 4 * SECOND)
    assert len(await estate.apply(CLEARED, again, end, third)) == 2
    states = await estate.column("SELECT state FROM alerts ORDER BY since")
    assert states == ["cleared", "cleared", "open"]


async def test_silence_is_noted_and_clears_nothing(estate: Estate) -> None:
    silent = transition(Change.WENT_SILENT, at=NOW + 1, cause=Cause.SENSOR_SILENT, value=None)
    await estate.apply(transition(), silent)
    [alert] = await estate.rows("SELECT state, silent_since FROM alerts")
    assert alert["state"] == "open"
    assert alert["silent_since"] is not None
    heard = transition(Change.HEARD_AGAIN, at=NOW + 2, cause=Cause.HEARD)
    await estate.apply(heard, silent)
    assert await estate.column("SELECT silent_since FROM alerts") == [None]


async def test_a_withdrawn_rule_closes_with_its_cause(estate: Estate) -> None:
    await estate.apply(transition())
    await estate.apply(transition(Change.WITHDRAWN, at=NOW + 1, cause=Cause.RULE_REMOVED))
    assert await estate.rows("SELECT state, outcome, closed_by FROM alerts") == [
        {"state": "closed", "outcome": "rule_removed", "closed_by": None}
    ]


async def test_nobody_responsible_is_said_loudly(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    [alert] = await estate.apply(blocked())
    [said] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert said.__dict__["action"] == "alert.nobody_responsible"
    assert said.__dict__["alert"] == alert
    assert await estate.column("SELECT route_reason FROM alerts") == ["nobody"]
    assert await estate.column("SELECT reason FROM alert_events WHERE kind = 'routed'") == [
        "nobody"
    ]
    assert await estate.rows("SELECT * FROM notifications") == []


async def test_pressed_again_when_nobody_is_on_duty_any_more_tells_those_who_know(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    [alert] = await estate.apply(press())
    nobody_on_duty = replace(ROSTER, duties=())
    again = [press(NOW + 5)]
    await store.apply(estate.conn, again, INVENTORY, nobody_on_duty, shard=0, seq=2, now=NOW)
    told = await estate.column(
        "SELECT member_id FROM notifications WHERE occasion <> 'opened' AND channel = 'web'"
    )
    assert told == [WANG]
    [said] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert (said.__dict__["action"], said.__dict__["alert"]) == ("alert.nobody_responsible", alert)


async def test_a_duty_that_ended_yesterday_is_not_used(connection: AsyncConnection[Any]) -> None:
    duties = (
        Duty(WANG, HOUSE_1, "grid_member", None, NOW - 30 * DAY, NOW - DAY),
        Duty(LI, EAST, "stand_in", None, NOW - DAY, None),
    )
    await connection.set_autocommit(True)
    await settle(connection, duties)
    roster = await store.load_roster(connection)
    assert roster == Roster({m.id: m for m in MEMBERS}, duties)
    estate = Estate(connection)
    async with connection.transaction():
        await store.apply(connection, [transition()], INVENTORY, roster, shard=0, seq=1, now=NOW)
    assert await estate.column("SELECT member_id FROM alert_recipients") == [LI]


async def test_a_retired_member_is_not_on_the_roster(estate: Estate) -> None:
    await estate.conn.execute("UPDATE members SET retired_at = now() WHERE id = %s", [WANG])
    roster = await store.load_roster(estate.conn)
    assert set(roster.members) == {LI, ZHAO}
    assert [d.member for d in roster.duties] == [LI]


async def test_what_has_left_the_inventory_still_has_a_place(estate: Estate) -> None:
    bare = Inventory.of([a for a in AREAS if a.id not in {EAST, HOUSE_1}], [], [])
    await store.apply(estate.conn, [press()], bare, ROSTER, shard=0, seq=1, now=NOW)
    [alert] = await estate.rows("SELECT area_id, household_id FROM alerts")
    assert alert == {"area_id": HOUSE_1, "household_id": 1}
    [told] = await estate.column("SELECT body FROM notifications WHERE channel = 'web'")
    assert told["place"]["en"] == "Sunshine · East grid · Building 1 · Flat 301"
    assert told["subject"]["en"] == "SOS button"


async def test_a_subject_that_never_was_does_not_stop_the_others(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    ghost = transition(device=999)
    assert len(await estate.apply(ghost, transition())) == 1
    assert "alert.place_unknown" in [r.__dict__.get("action") for r in caplog.records]


async def test_the_cursor_never_moves_back(estate: Estate) -> None:
    await estate.apply(seq=9)
    await estate.apply(seq=3)
    assert await estate.column("SELECT seq FROM cursors") == [9]


async def test_two_processes_at_once_make_one_alert(estate: Estate, pool: Pool) -> None:
    batch = [transition(), press(), press(NOW + 1)]

    async def process() -> list[int]:
        async with pool.connection() as conn:
            return await store.apply(conn, batch, INVENTORY, ROSTER, shard=0, seq=1, now=NOW)

    opened = await asyncio.gather(*(process() for _ in range(4)))
    assert sorted(map(len, opened)) == [0, 0, 0, 2]
    assert await estate.column("SELECT count(*) FROM alerts") == [2]
    assert await estate.column("SELECT count(*) FROM notifications") == [6]


async def test_a_crash_before_the_commit_leaves_nothing(estate: Estate, database_url: str) -> None:
    conn = await psycopg.AsyncConnection.connect(database_url)
    await store.apply(conn, [transition()], INVENTORY, ROSTER, shard=0, seq=1, now=NOW)
    await conn.close()
    assert all(not rows for rows in (await estate.everything()).values())
    assert await estate.column("SELECT seq FROM cursors") == []
    assert len(await estate.apply(transition())) == 1


async def test_the_outbox_and_the_inboxes_are_woken_at_the_commit(
    estate: Estate, database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as ear:
        await ear.execute("LISTEN gridwarden_outbox; LISTEN gridwarden_inbox")
        await estate.apply(transition())
        heard = {(n.channel, n.payload) async for n in ear.notifies(timeout=60, stop_after=2)}
    assert heard == {("gridwarden_outbox", ""), ("gridwarden_inbox", str(WANG))}


@pytest.mark.parametrize("table", ["alert_events", "audit_log"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = now()", "DELETE FROM {}"])
async def test_history_is_append_only(estate: Estate, table: str, change: str) -> None:
    [alert] = await estate.apply(transition())
    await store.acknowledge(estate.conn, alert, WANG, NOW)
    with pytest.raises(psycopg.errors.RaiseException, match=f"{table} is append-only"):
        await estate.conn.execute(change.format(table).encode())


async def test_a_thousand_at_once(estate: Estate) -> None:
    """Many spans of one button and one detector in one batch: as many marks, few statements."""
    presses = [press(NOW + i) for i in range(1_000)]
    spans = [
        t
        for i in range(0, 1_000, 2)
        for t in (
            transition(since=NOW + i),
            transition(Change.CLEARED, since=NOW + i, at=NOW + i + 1),
        )
    ]
    assert len(await estate.apply(*presses, *spans)) == 501
    assert await estate.column("SELECT count(*) FROM alert_transitions") == [2_000]


@st.composite
def histories(draw: st.DrawFn) -> list[Transition]:
    """Spans of one detector, one after the other, with silences, and presses between."""
    history: list[Transition] = []
    at = NOW
    for _ in range(draw(st.integers(1, 5))):
        at += 10
        if draw(st.booleans()):
            history.append(press(at))
            continue
        span = transition(since=at)
        others = draw(st.lists(st.sampled_from([Change.WENT_SILENT, Change.HEARD_AGAIN])))
        history.append(span)
        history += [
            replace(span, change=change, at=at + 1 + i) for i, change in enumerate(others[:4])
        ]
        history.append(replace(span, change=Change.CLEARED, at=at + 9))
    return history


@given(histories(), st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_identity_exactly_once_whatever_is_repeated(
    database_url: str, history: list[Transition], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(history)), max_size=3)) | {len(history)})
    starts = [data.draw(st.integers(0, start)) for start in (0, *cuts[:-1])]
    batches = [history[a:b] for a, b in zip(starts, cuts, strict=True)]
    whole = asyncio.run(_outcome(database_url, [history]))
    assert asyncio.run(_outcome(database_url, [*batches, history])) == whole


async def _outcome(database_url: str, batches: list[list[Transition]]) -> object:
    """What is in the database after these batches, ids apart; nothing of it is kept."""
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        try:
            await settle(conn)
            for seq, batch in enumerate(batches):
                await store.apply(conn, batch, INVENTORY, ROSTER, shard=0, seq=seq, now=NOW)
            cursor = await conn.execute(
                "SELECT a.rule_code, a.since, a.state, a.silent_since, a.cleared_at,"
                " (SELECT array_agg(kind || reason ORDER BY id) FROM alert_events"
                "  WHERE alert_id = a.id),"
                " (SELECT array_agg(channel || occasion ORDER BY id) FROM notifications"
                "  WHERE alert_id = a.id)"
                " FROM alerts a ORDER BY a.rule_code, a.since"
            )
            return await cursor.fetchall()
        finally:
            await conn.rollback()
