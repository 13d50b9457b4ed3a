"""What docs/evaluation.md says of the rules holds: the bounds that are met, on recorded data."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from tests.real import adl, judge, limits, parking, tihm
from tests.real.source import Row, needs_data

DAY = date(2019, 6, 3)
NOON = datetime(2019, 6, 3, 12, tzinfo=UTC)


@cache
def figures(name: str) -> list[Mapping[str, Any]]:
    """All that is told of these data; judged once."""
    told: Callable[[], Any] = judge.ALL[name]
    return list(told())


def one(name: str, **having: object) -> Mapping[str, Any]:
    (found,) = [f for f in figures(name) if having.items() <= f.items()]
    return found


@needs_data
@pytest.mark.parametrize("half", ["first half", "second half"])
def test_limits_of_blood_pressure_found_on_half_of_the_patients_hold_for_the_others(
    half: str,
) -> None:
    score = one("tihm", label="Blood pressure", limits_from=half)
    assert score["precision"] >= 0.75
    assert score["recall"] >= 0.9
    assert score["found"] + score["missed"] > 50


@needs_data
@pytest.mark.parametrize("half", ["first half", "second half"])
def test_limits_of_pulse_found_on_half_of_the_patients_miss_no_more_than_a_tenth(half: str) -> None:
    """The bound on precision is met in one direction only: docs/evaluation.md."""
    score = one("tihm", label="Pulse", limits_from=half)
    assert score["recall"] >= 0.9
    if half == "first half":
        assert score["precision"] >= 0.75


@needs_data
def test_no_limits_of_the_pulse_reach_both_bounds_on_the_first_half() -> None:
    """So the bound on precision that is missed is not missed by the way of setting limits."""
    ways = [f for f in figures("ceiling") if f["half"] == "first"]
    assert len(ways) == len(limits.WAYS)
    for best in ways:
        assert best["precision"] < 0.75 or best["recall"] < 0.9
    best = one("ceiling", judged_by="any reading", half="second")
    assert (best["limits"], best["wrong"], best["missed"]) == ([50, 100], 0, 0)


@needs_data
def test_the_gas_alert_is_the_one_that_the_readings_show() -> None:
    gas = one("vast", what="gas above 5")
    assert gas["alerts"] == gas["by_hand"] == 1
    assert gas["readings_above"] == 25


@needs_data
def test_every_use_of_a_replaced_card_is_told_and_nothing_else() -> None:
    """pyoung001 after pyoung002, as the data's README says; morlunv001 it does not mention."""
    cards = one("replaced", what="a replaced card")
    assert cards["by_hand"] == {"pyoung": 9, "morlunv": 41}
    assert cards["alerts"] == cards["of_them_by_hand"] == 50


@needs_data
@pytest.mark.parametrize(
    ("closed", "reads", "cards"), [("22:00-06:00", 472, 19), ("00:00-06:00", 49, 4)]
)
def test_every_card_at_an_odd_hour_is_told_and_nothing_else(
    closed: str, reads: int, cards: int
) -> None:
    """Once by reader and minute; the building has a late shift, which ends at midnight."""
    odd = one("odd", closed=closed)
    assert odd["by_hand"] == odd["of_them_by_hand"] == sum(odd["alerts"].values()) == reads
    assert odd["cards"] == cards


@needs_data
def test_nobody_is_missed_at_home_and_every_shorter_silence_is_of_somebody_out() -> None:
    assert one("adl", what="nobody moves for 12h", away_by_the_door=False)["alerts"] == 0
    for least, count in (("4h", 3), ("2h", 7)):
        still = one("adl", what=f"nobody moves for {least}", away_by_the_door=False)
        assert still["doing"] == {"Leaving": count}
    quiet = one("adl", what="silences of two hours or more, by hand")
    assert {doing for _, _, doing in quiet["silences"]} == {"Leaving"}
    assert quiet["rows_that_end_before_they_start"] == 3


@needs_data
@pytest.mark.parametrize("least", ["2h", "4h", "12h"])
def test_with_away_by_the_door_nobody_who_is_out_is_missed_at_home(least: str) -> None:
    still = one("adl", what=f"nobody moves for {least}", away_by_the_door=True)
    assert still["alerts"] == 0
    assert one("adl", what="nobody back within a day")["alerts"] == 0
    out = one("adl", what="out, by the door")
    assert out["share_labelled_leaving"] >= 0.95
    assert out["share_of_leaving"] >= 0.9


@needs_data
def test_who_falls_at_home_is_told_of_as_soon_with_away_by_the_door_as_without() -> None:
    plain, door = (
        one("falls", what=f"a fall at home, told by: 12 h{more}")
        for more in ("", ", away by the door")
    )
    assert plain["told"] == door["told"] == plain["falls"] > 30
    assert door["longest_hours"] == plain["longest_hours"] <= 12
    assert one("falls", what="a fall at home, told by: 2 h, away by the door")["told"] == 38


@needs_data
@pytest.mark.parametrize("rule", ["parking.car_park_filling", "parking.car_park_full"])
def test_car_parks_fill_and_empty_exactly_as_counted_by_hand(rule: str) -> None:
    found = one("parking", rule=rule)
    assert found["by_hand"] == found["alerts"] == found["same"] > 80


@needs_data
def test_while_the_source_is_silent_all_is_unknown_and_nothing_is_told() -> None:
    quiet = one("parking", what="the silent source")
    assert (quiet["from"], quiet["hours"]) == ("2020-03-27T16:42:06+00:00", 21.8)
    assert (quiet["fired"], quiet["cleared"]) == (0, 0)
    assert quiet["alerts_standing_through_it"] > 20
    assert quiet["known_at_its_end"] == 0


@needs_data
def test_impossible_numbers_of_places_are_rejected() -> None:
    wrong = one("parking", what="impossible values")
    assert wrong["rejected"] == wrong["by_hand"] == 2_810


def pulse(patient: str, value: float) -> Row:
    return Row(NOON, f"vitals-{patient}", "pulse", str(value))


def test_the_search_finds_limits_that_separate_the_days() -> None:
    rows = [pulse("a", 48), pulse("b", 72), pulse("c", 104), pulse("d", 92), pulse("x", 20)]
    labelled = {("a", DAY), ("c", DAY)}
    found = limits.search(rows, ["pulse"], labelled, {"a", "b", "c", "d"})
    assert found == {"pulse": (60.0, 95.0)}


def test_a_labelled_day_without_a_reading_is_missed_and_a_false_day_weighs_less() -> None:
    rows = [pulse("a", 102), pulse("b", 101), pulse("c", 70)]
    found = limits.search(rows, ["pulse"], {("a", DAY), ("c", DAY)}, {"a", "b", "c"})
    assert found["pulse"][1] <= 100


def test_the_most_precise_limits_are_those_that_hold_the_recall() -> None:
    days = limits.extremes(
        [pulse("a", 48), pulse("b", 49), pulse("c", 55), pulse("d", 101)], ["pulse"]
    )
    labelled = {("a", DAY), ("c", DAY)}
    both, score = limits.most_precise(days, "pulse", labelled, set("abcd"), 0.9)
    assert (both[0], score) == (55.0, tihm.Score(2, 1, 0))
    half, score = limits.most_precise(days, "pulse", labelled, set("abcd"), 0.5)
    assert (half[0], score) == (48.0, tihm.Score(1, 0, 1))


def test_what_of_a_day_is_held_against_limits() -> None:
    rows = [pulse("a", 50), pulse("a", 70), pulse("a", 60)]
    assert [limits.extremes(rows, ["pulse"], way)["a", DAY]["pulse"] for way in limits.WAYS] == [
        (50, 70),
        (60, 60),
        (60, 60),
    ]


def test_halves_by_lot_are_scored_on_the_others_alone() -> None:
    """Whoever is in which half: the limits tell the two patients with labels from the others."""
    rows = [pulse(name, 48 if name in "ab" else 72) for name in "abcdefgh"]
    days = limits.extremes(rows, ["pulse"])
    scores = list(limits.halvings(days, ["pulse"], {("a", DAY), ("b", DAY)}, 20))
    assert {(score.wrong, score.missed) for score in scores} == {(0, 0)}
    assert {score.found for score in scores} == {0, 1, 2}


def test_halves_are_every_other_patient_and_nobody_is_in_both() -> None:
    first, second = limits.halves([pulse(name, 70) for name in "edcba"])
    assert (sorted(first), sorted(second)) == (["a", "c", "e"], ["b", "d"])


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(8, 10, (0.49, 0.943)), (0, 10, (0.0, 0.278)), (0, 0, (0.0, 1.0))],
)
def test_the_interval_is_wilsons(part: int, whole: int, expected: tuple[float, float]) -> None:
    assert limits.interval(part, whole) == pytest.approx(expected, abs=0.001)


def test_a_pressed_mat_says_so_every_half_hour() -> None:
    words = ["Seat", "Pressure", "Living"]
    rows = list(adl._rows(NOON, NOON + timedelta(minutes=70), words))
    assert [(int((r.time - NOON).total_seconds()) // 60, r.value) for r in rows] == [
        (0, "1"),
        (30, "1"),
        (60, "1"),
        (70, "0"),
    ]
    assert [r.value for r in adl._rows(NOON, NOON - timedelta(minutes=5), words)] == ["1"]


def test_a_full_car_park_by_hand_waits_and_forgets_what_is_half_an_hour_old() -> None:
    said = {0: 4, 5: 3, 20: 8, 30: 50, 40: 2, 75: 2, 90: 0}
    rows = [
        Row(NOON + timedelta(minutes=minute), "p", "parking_free", str(free))
        for minute, free in said.items()
    ]
    found = parking.stretches(rows, {"p": 100.0}, 0.05, 0.10)
    minutes = [
        tuple(None if t is None else int((t - NOON).total_seconds()) // 60 for t in s[1:])
        for s in found
    ]
    assert minutes == [(0, 10, 30), (40, 50, None)]
