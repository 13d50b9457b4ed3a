"""Planted incidents are found, still standing, missed or not over: never guessed."""

import pytest

from devices.instant import HOUR, MINUTE
from devices.metric import BY_NAME
from devices.simulator.incidents import Incident
from gridwarden.demo_judge import GRACE, Raised, Verdict, judge

START = 1_000 * HOUR
SOS = BY_NAME["sos"].id


def incident(household: int | None = 4) -> Incident:
    return Incident("sos_pressed", "sos-1", "hx", 7, household, 2, "sos", START, START + MINUTE)


def raised(at: int, ended: int | None = None, *, device: int = 7, metric: int = SOS) -> Raised:
    return Raised("care.sos", at, ended, frozenset({device}), None, frozenset({metric}))


@pytest.mark.parametrize(
    ("alert", "now", "verdict"),
    [
        (raised(START), START + HOUR, Verdict.FOUND),
        (raised(START + MINUTE + GRACE), START + HOUR, Verdict.FOUND),
        (raised(START + MINUTE + GRACE + 1), START + HOUR, Verdict.MISSED),
        (raised(START, device=8), START + HOUR, Verdict.MISSED),
        (raised(START, metric=SOS + 1), START + HOUR, Verdict.MISSED),
        (raised(START - HOUR), START + HOUR, Verdict.STANDING),
        (raised(START - HOUR, START - MINUTE), START + HOUR, Verdict.MISSED),
        (raised(START - HOUR, START - MINUTE), START + MINUTE, Verdict.RUNNING),
    ],
)
def test_an_incident_has_one_verdict(alert: Raised, now: int, verdict: Verdict) -> None:
    assert [v for _, v in judge([incident()], [alert], now)] == [verdict]


def test_an_alert_of_the_same_home_counts() -> None:
    at_home = Raised("r", START, None, frozenset(), 4, frozenset({SOS}))
    assert judge([incident()], [at_home], START + HOUR)[0][1] is Verdict.FOUND
    assert judge([incident(None)], [at_home], START + HOUR)[0][1] is Verdict.MISSED


def test_what_has_not_begun_is_not_judged() -> None:
    assert judge([incident()], [], START - 1) == []
