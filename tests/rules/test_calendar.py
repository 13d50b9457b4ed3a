"""Active time against a plain loop over the wall clock, also where clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import DAY, FOREVER, HOUR, MINUTE, NEVER, Micros, to_datetime, to_micros
from rules.calendar import MIDNIGHT, Active, Calendar, MonthDay, calendar_of

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
NIGHT = Active(hours=((22 * 60, 6 * 60),))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> Micros:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=zone))


def due(active: Active, pending: str, lasting: Micros, zone: ZoneInfo = SHANGHAI) -> str:
    (found,) = calendar_of(active, zone).due(np.array([at(pending, zone)]), lasting).tolist()
    return shown(found, zone)


def elapse(active: Active, last: str, lasting: Micros, zone: ZoneInfo = SHANGHAI) -> str:
    (found,) = calendar_of(active, zone).elapse(np.array([at(last, zone)]), lasting).tolist()
    return shown(found, zone)


def shown(time: Micros, zone: ZoneInfo) -> str:
    return to_datetime(time).astimezone(zone).strftime("%m-%dT%H:%M")


def on_the_wall(active: Active, shows: datetime) -> bool:
    """Whether a clock that shows this is in active time: written once more, minute by minute."""
    spans = active.hours or ((0, MIDNIGHT),)
    now = shows.hour * 60 + shows.minute
    today, before = shows.date(), shows.date() - timedelta(days=1)
    for begin, end in spans:
        over = end <= begin
        if (begin <= now < (MIDNIGHT if over else end)) and _counts(active, today):
            return True
        if over and now < end and _counts(active, before):
            return True
    return False


def _counts(active: Active, day: object) -> bool:
    assert hasattr(day, "weekday")
    if active.weekdays and day.weekday() not in active.weekdays:
        return False
    return not active.dates or any(_in(day, begin, end) for begin, end in active.dates)


def _in(day: object, begin: MonthDay, end: MonthDay) -> bool:
    year, month, number = (getattr(day, name) for name in ("year", "month", "day"))
    here = MonthDay(year if begin.year else 0, month, number)
    return begin <= here <= end if begin <= end else here >= begin or here <= end


ACTIVES = st.builds(
    Active,
    hours=st.lists(
        st.tuples(st.integers(0, 47), st.integers(1, 48))
        .filter(lambda span: span[0] != span[1])
        .map(lambda span: (span[0] * 30, span[1] * 30)),
        max_size=2,
    ).map(tuple),
    weekdays=st.frozensets(st.integers(0, 6), max_size=3),
    dates=st.lists(
        st.sampled_from(
            [
                (MonthDay(0, 3, 29), MonthDay(0, 3, 30)),
                (MonthDay(0, 10, 20), MonthDay(0, 3, 28)),
                (MonthDay(2026, 10, 24), MonthDay(2026, 10, 26)),
            ]
        ),
        max_size=2,
    ).map(tuple),
)
AROUND = st.sampled_from(["2026-03-28T12:00", "2026-10-24T12:00", "2026-12-31T00:00"])


@given(ACTIVES, AROUND, st.sampled_from([BERLIN, SHANGHAI]), st.data())
@settings(max_examples=150, deadline=None)
def test_agrees_with_a_plain_loop_over_the_wall_clock(
    active: Active, begin: str, zone: ZoneInfo, data: st.DataObject
) -> None:
    start, step = at(begin, zone), 10 * MINUTE
    times = np.arange(start, start + 2 * DAY, step)
    expected = [on_the_wall(active, to_datetime(t).astimezone(zone)) for t in times.tolist()]
    calendar = Calendar(active, zone)
    assert calendar.is_active(times).tolist() == expected

    pending = data.draw(st.integers(0, 143))
    lasting = data.draw(st.integers(0, 60))
    from_then = np.flatnonzero(expected[pending:])
    found = calendar.due(times[[pending]], lasting * step)[0]
    assert found == _first_due(times, expected, pending, lasting) or found > times[-1]
    elapsed = calendar.elapse(times[[pending]], lasting * step)[0]
    if 0 < lasting <= len(from_then):
        assert elapsed == times[pending + from_then[lasting - 1]] + step
    elif lasting:
        assert elapsed > times[-1]


def _first_due(times: object, active: list[bool], pending: int, lasting: int) -> Micros:
    assert isinstance(times, np.ndarray)
    for end in range(pending + lasting, len(active)):
        if all(active[end - lasting : end]) and (lasting or active[end]):
            return int(times[end])
    return FOREVER


def test_what_lasts_since_before_fires_so_long_after_the_stretch_began() -> None:
    assert due(NIGHT, "2026-05-01T18:00", 10 * MINUTE) == "05-01T22:10"
    assert due(NIGHT, "2026-05-01T23:00", 10 * MINUTE) == "05-01T23:10"
    assert due(NIGHT, "2026-05-01T05:55", 10 * MINUTE) == "05-01T22:10"
    assert due(NIGHT, "2026-05-01T05:50", 10 * MINUTE) == "05-01T06:00"
    assert due(NIGHT, "2026-05-01T06:00", 0) == "05-01T22:00"


def test_what_is_longer_than_any_stretch_is_never_due() -> None:
    calendar = calendar_of(NIGHT, SHANGHAI)
    assert calendar.due(np.array([at("2026-05-01T18:00")]), 8 * HOUR + 1)[0] == FOREVER


def test_active_time_adds_up_over_nights() -> None:
    day = Active(hours=((6 * 60, 22 * 60),))
    assert elapse(day, "2026-05-01T20:00", 12 * HOUR) == "05-02T16:00"
    assert elapse(day, "2026-05-01T23:00", 12 * HOUR) == "05-02T18:00"


def test_days_that_follow_each_other_are_one_stretch() -> None:
    weekend = Active(weekdays=frozenset({5, 6}))
    assert due(weekend, "2026-05-01T12:00", 40 * HOUR) == "05-03T16:00"


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday = Active(hours=NIGHT.hours, weekdays=frozenset({4}))
    assert due(friday, "2026-05-01T00:00", 0) == "05-01T22:00"
    assert due(friday, "2026-05-02T03:00", 0) == "05-02T03:00"


def test_a_night_in_which_clocks_are_changed_is_shorter_or_longer() -> None:
    assert elapse(NIGHT, "2026-03-28T12:00", 8 * HOUR, BERLIN) == "03-29T23:00"
    assert elapse(NIGHT, "2026-10-24T12:00", 9 * HOUR, BERLIN) == "10-25T06:00"


def test_an_hour_that_is_left_out_is_never_active() -> None:
    early = Active(hours=((2 * 60, 3 * 60),))
    assert due(early, "2026-03-28T12:00", 0, BERLIN) == "03-30T02:00"


def test_the_leap_day_comes_again() -> None:
    leap = Active(dates=((MonthDay(0, 2, 29), MonthDay(0, 2, 29)),))
    (found,) = calendar_of(leap, SHANGHAI).due(np.array([at("2026-05-01T12:00")]), 0).tolist()
    assert to_datetime(found).astimezone(SHANGHAI).date().isoformat() == "2028-02-29"


@pytest.mark.parametrize("active", [None, NIGHT])
def test_what_never_was_is_never_due(active: Active | None) -> None:
    calendar = calendar_of(active, UTC)
    never = np.array([FOREVER, FOREVER - 1, NEVER])
    assert calendar.due(never, MINUTE).tolist()[:2] == [FOREVER, FOREVER]
    assert calendar.elapse(never, MINUTE).tolist()[:2] == [FOREVER, FOREVER]
    assert calendar.due(np.empty(0, np.int64), MINUTE).tolist() == []
