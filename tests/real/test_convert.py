"""The converters read every line of the recorded data, and know its traps."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from devices.metric import BY_NAME
from gridwarden.replay import Reader, check
from tests.real import parking, tihm, vast
from tests.real.source import DATA, Converted, Row, in_order, needs_data, read


def checked(converted: Converted) -> tuple[int, int, int]:
    """(messages, rows, bad lines) as `gridwarden replay` counts them."""
    result = check(converted.csv().splitlines(keepends=True), Reader("recorded.csv", "here"))
    return result.messages, result.rows, result.bad


@needs_data
def test_every_measurement_of_tihm_becomes_a_reading_an_hour_before_its_london_time() -> None:
    converted = tihm.convert(DATA / "tihm_dementia", "tihm")
    raw = read(DATA / "tihm_dementia" / "Physiology.csv")
    assert len(converted.rows) == len(raw) == 12_222
    first = min(datetime.fromisoformat(row["date"]) for row in raw)
    assert converted.rows[0].time == first.replace(tzinfo=UTC) - timedelta(hours=1)
    messages, rows, bad = checked(converted)
    assert (rows, bad) == (12_222, 0)
    assert messages < rows
    outside = [r for r in converted.rows if not _possible(r)]
    assert {r.metric for r in outside} == {"skin_temperature"}
    assert len(outside) == 2


@needs_data
def test_the_labels_follow_the_measurements_when_read_as_utc() -> None:
    rows = tihm.convert(DATA / "tihm_dementia", "tihm").rows
    high = [r for r in rows if r.metric == "pulse" and not 50 < float(r.value) < 100]
    waits = []
    for label in read(DATA / "tihm_dementia" / "Labels.csv"):
        shown = datetime.fromisoformat(label["date"]).replace(tzinfo=UTC)
        device = f"vitals-{label['patient_id']}"
        near = [shown - r.time for r in high if r.device == device]
        if label["type"] == "Pulse":
            waits.append(min(near, key=abs))
    waits.sort()
    assert timedelta(minutes=5) < waits[len(waits) // 2] < timedelta(minutes=30)


@needs_data
def test_every_card_read_of_vast_is_kept_and_thirty_are_duplicates() -> None:
    converted = vast.convert(DATA / "vast2016_access", "vast")
    reads = [r for r in converted.rows if r.metric == "access_granted"]
    assert len(reads) == 14_908
    assert sum(n - 1 for n in Counter(reads).values()) == 30
    assert len({r.device for r in reads}) == 20
    together = Counter((r.time, r.device) for r in set(reads))
    assert max(together.values()) > 1
    gas = [r for r in converted.rows if r.metric == "gas_concentration"]
    assert len(gas) == 4 * 2_016
    assert sum(float(r.value) > vast.GAS_LIMIT for r in gas) == 25
    assert checked(converted) == (14_908 + 4 * 2_016, 14_908 + 4 * 2_016, 0)


@needs_data
def test_empty_cells_of_the_car_parks_make_no_reading_and_impossible_ones_are_known() -> None:
    converted = parking.convert(DATA / "german_parking_free", "de")
    capacities = parking.capacity(read(DATA / "german_parking_free" / "meta-data.csv"))
    assert len(converted.rows) == 101_918
    assert len(parking.impossible(converted.rows, capacities)) == 2_810
    assert checked(converted) == (101_918, 101_918, 0)
    assert sum(parking.full_spans(converted.rows, capacities).values()) > 50


def test_a_patient_day_counts_where_a_measurement_confirms_a_standing_alert() -> None:
    monday = datetime(2019, 6, 3, 8, tzinfo=UTC)
    pulses = [_pulse(monday + timedelta(days=n)) for n in (0, 1, 3)]
    span = tihm.Span("tihm.pulse", "a", monday, monday + timedelta(days=3))
    days = tihm.alerted_days([span], pulses, ("tihm.pulse",))
    assert days == {("a", date(2019, 6, 3)), ("a", date(2019, 6, 4))}
    assert tihm.alerted_days([span], pulses, ("tihm.systolic",)) == set()


def test_a_late_evening_belongs_to_the_day_in_london() -> None:
    late = datetime(2019, 6, 3, 23, 30, tzinfo=UTC)
    span = tihm.Span("tihm.pulse", "a", late, None)
    assert tihm.alerted_days([span], [_pulse(late)], ("tihm.pulse",)) == {("a", date(2019, 6, 4))}
    label = [{"patient_id": "a", "date": "2019-06-03 23:45:00", "type": "Pulse"}]
    assert tihm.labelled_days(label, "Pulse") == {("a", date(2019, 6, 4))}


def test_the_score_counts_days() -> None:
    day = date(2019, 6, 3)
    result = tihm.score({("a", day), ("b", day), ("c", day)}, {("a", day), ("d", day)})
    assert (result.found, result.wrong, result.missed) == (1, 2, 1)
    assert result.precision == pytest.approx(1 / 3)
    assert result.recall == pytest.approx(1 / 2)


def test_a_full_car_park_counts_once_until_it_has_emptied() -> None:
    start = datetime(2020, 3, 25, tzinfo=UTC)
    said = ["50", "5", "3", "8", "4", "20", "120", "5"]
    rows = [Row(start + timedelta(minutes=n), "p", "parking_free", v) for n, v in enumerate(said)]
    assert parking.full_spans(in_order(rows), {"p": 100.0}) == {"p": 2}
    assert [r.value for r in parking.impossible(rows, {"p": 100.0})] == ["120"]


def _pulse(at: datetime) -> Row:
    return Row(at, "vitals-a", "pulse", "110")


def _possible(row: Row) -> bool:
    known = BY_NAME[row.metric]
    return known.low <= float(row.value) <= known.high
