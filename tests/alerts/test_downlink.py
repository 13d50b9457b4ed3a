"""What a device is told, when, and until when it is worth it: the decisions alone."""

from dataclasses import replace
from uuid import UUID

import pytest

from alerts.downlink import Caller, body, downlinks, to_tell, worth_until
from alerts.fold import Condition, Folded, Key, Picture, fold, key_of
from alerts.model import AlertState
from alerts.relevance import Dropped, reason_not_to_answer
from devices.instant import DAY, HOUR, SECOND, to_datetime
from rules.model import Severity
from rules.transition import Cause, Change, Transition
from tests.alerts.estate import BUTTON, NOW, SOS_RULE, press, transition

WEARER = Caller(
    alert=17,
    device=BUTTON,
    reports=["sos", "battery"],
    about=["sos"],
    cause="occurred",
    last_at=None,
)
ENDS = {Change.CLEARED: AlertState.CLEARED, Change.WITHDRAWN: AlertState.CLOSED}


def folded(state: AlertState, *transitions: Transition) -> Folded:
    """These transitions onto alert 17, which the button's first press opened."""
    key: Key = key_of(press())
    told = fold([press()], Picture({}, {}, {})).numbered({-1: 17}).told
    return fold(transitions, Picture({key: 17}, {17: Condition(state, Severity.RED)}, told))


@pytest.mark.parametrize("state", [AlertState.OPEN, AlertState.ACKNOWLEDGED])
@pytest.mark.parametrize("change", ENDS)
def test_the_end_of_a_call_is_told_whoever_had_it(state: AlertState, change: Change) -> None:
    end = transition(change, of=SOS_RULE, device=BUTTON, at=NOW + SECOND)
    assert to_tell(folded(state, end)) == {17: ENDS[change]}


def test_pressed_again_it_is_told_only_where_help_is_coming() -> None:
    again = press(NOW + SECOND)
    assert to_tell(folded(AlertState.ACKNOWLEDGED, again)) == {17: AlertState.ACKNOWLEDGED}
    assert to_tell(folded(AlertState.OPEN, again)) == {}
    assert to_tell(folded(AlertState.ACKNOWLEDGED, press())) == {}, "a repetition is no press"


def test_a_new_alert_and_a_silent_sensor_are_no_news_for_the_device() -> None:
    silent = transition(Change.WENT_SILENT, of=SOS_RULE, device=BUTTON, at=NOW + SECOND)
    assert to_tell(folded(AlertState.ACKNOWLEDGED, silent)) == {}
    assert to_tell(fold([press(), press(NOW + 1)], Picture({}, {}, {}))) == {}


def test_only_the_newest_state_is_told() -> None:
    end = transition(Change.CLEARED, of=SOS_RULE, device=BUTTON, at=NOW + 2 * SECOND)
    both = folded(AlertState.ACKNOWLEDGED, press(NOW + SECOND), end)
    assert to_tell(both) == {17: AlertState.CLEARED}


def test_whoever_called_is_told_and_no_other() -> None:
    others = (
        replace(WEARER, device=2, reports=["battery"], about=["battery"]),
        replace(WEARER, device=3, about=["battery"]),
        replace(WEARER, device=4, cause=Cause.NOTHING_HEARD.value),
    )
    states = {17: AlertState.ACKNOWLEDGED}
    rows = downlinks((WEARER, *others, replace(WEARER, device=5)), states, NOW)
    assert [row["device_id"] for row in rows] == [BUTTON, 5]
    assert {(row["told"], row["at"]) for row in rows} == {("acknowledged", to_datetime(NOW))}


@pytest.mark.parametrize(
    ("last", "at"), [(NOW - 1, NOW), (NOW, NOW + 1), (NOW + DAY, NOW + DAY + 1)]
)
def test_what_is_told_later_has_the_later_time_also_when_the_clock_was_set_back(
    last: int, at: int
) -> None:
    [row] = downlinks([replace(WEARER, last_at=last)], {17: AlertState.CLOSED}, NOW)
    assert (row["at"], row["now"]) == (to_datetime(at), to_datetime(NOW))


def test_the_payload_says_the_state_and_nothing_personal() -> None:
    assert body(UUID(int=5), 17, AlertState.CLEARED, NOW + 250_000) == {
        "message_id": "00000000-0000-0000-0000-000000000005",
        "alert": 17,
        "state": "cleared",
        "at": "2025-11-21T02:40:00.250000Z",
    }


def test_it_is_worth_sending_for_a_day_or_while_the_device_may_sleep() -> None:
    assert worth_until(NOW, HOUR) == NOW + DAY
    assert worth_until(NOW, 12 * HOUR) == NOW + 36 * HOUR


@pytest.mark.parametrize(
    ("in_service", "overtaken", "now", "dropped"),
    [
        (True, False, NOW - 1, None),
        (True, False, NOW, Dropped.EXPIRED),
        (True, True, NOW - 1, Dropped.OVERTAKEN),
        (True, True, NOW, Dropped.OVERTAKEN),
        (False, False, NOW - 1, Dropped.DEVICE_GONE),
        (False, True, NOW, Dropped.DEVICE_GONE),
    ],
)
def test_what_is_not_sent_any_more(
    in_service: bool, overtaken: bool, now: int, dropped: Dropped | None
) -> None:
    found = reason_not_to_answer(
        in_service=in_service, overtaken=overtaken, worth_until=NOW, now=now
    )
    assert found is dropped
