"""The recorded data through the whole path: every message accounted for, every alert explained."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.real import parking, tihm, vast
from tests.real.source import DATA, Converted, needs_data, read
from tests.real.whole_path import Passage, pass_through
from tests.services.server import Server

pytestmark = needs_data

Through = Callable[[Converted, str], Passage]


@pytest.fixture
def through(
    database_url: str, own_broker: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Through:
    """Sends a converted data set through a service of the test's own; prints what came of it."""

    def send(converted: Converted, community: str) -> Passage:
        passage = pass_through(
            converted,
            community,
            database_url=database_url,
            mqtt_url=own_broker.url,
            folder=tmp_path,
        )
        with capsys.disabled():
            print(f"\n{passage.table(community)}")
        return passage

    return send


def test_vital_signs_find_the_days_that_clinicians_labelled(
    through: Through, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    converted = tihm.convert(DATA / "tihm_dementia", "tihm")
    passage = through(converted, "tihm")
    ledger = passage.books.ledger
    assert ledger.received == passage.accepted == passage.sent
    assert (ledger.duplicate, passage.books.reject_reasons) == (0, {"out_of_range": 2})
    labels = read(DATA / "tihm_dementia" / "Labels.csv")
    spans = _spans(database_url)
    for label, rules in tihm.LABELS.items():
        alerted = tihm.alerted_days(spans, converted.rows, rules)
        assert alerted == tihm.outside_days(converted.rows, rules)
        result = tihm.score(alerted, tihm.labelled_days(labels, label))
        with capsys.disabled():
            print(
                f"  {label}: {result}, precision {result.precision:.2f} recall {result.recall:.2f}"
            )
        assert result.precision > 0.65
        assert result.recall > 0.95


def test_card_reads_are_stored_once_and_gas_raises_its_alerts(through: Through) -> None:
    converted = vast.convert(DATA / "vast2016_access", "vast")
    passage = through(converted, "vast")
    ledger = passage.books.ledger
    assert ledger.received == passage.accepted == passage.sent == len(converted.rows)
    assert (ledger.duplicate, ledger.rejected) == (30, 0)
    assert passage.books.alerts_by_rule[vast.GAS_RULE] == vast.gas_spans(converted.rows)
    assert passage.books.alerts_by_rule[vast.SERVER_ROOM_RULE] > 0


def test_car_parks_fill_as_counted_by_hand_and_the_impossible_is_rejected(
    through: Through,
) -> None:
    converted = parking.convert(DATA / "german_parking_free", "parken")
    capacities = parking.capacity(read(DATA / "german_parking_free" / "meta-data.csv"))
    passage = through(converted, "parken")
    wrong = len(parking.impossible(converted.rows, capacities))
    ledger = passage.books.ledger
    assert ledger.received == passage.accepted == passage.sent == len(converted.rows)
    assert passage.books.reject_reasons == {"out_of_range": wrong}
    expected = sum(parking.full_spans(converted.rows, capacities).values())
    assert passage.books.alerts_by_rule == {parking.FULL_RULE: expected}


def _spans(database_url: str) -> list[tihm.Span]:
    with psycopg.connect(database_url) as conn:
        rows = conn.execute(
            "SELECT rule_code, devices.code, since, cleared_at "
            "FROM alerts JOIN devices ON devices.id = alerts.device_id"
        ).fetchall()
    return [tihm.Span(r[0], r[1].removeprefix("vitals-"), r[2], r[3]) for r in rows]
