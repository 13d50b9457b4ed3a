"""Which devices are answered."""

import pytest

from devices.calling import CALLS, calls
from devices.kind import BY_NAME as KINDS
from devices.metric import BY_NAME as METRICS


@pytest.mark.parametrize(
    ("kind", "about", "answered"),
    [
        ("sos_button", "sos", True),
        ("wearable", "sos", True),
        ("wearable", "fall", True),
        ("sos_button", "battery", False),
        ("wearable", "spo2", False),
        ("parking_bay", "occupied", False),
        ("smoke_detector", "smoke", False),
        ("motion_sensor", "sos", False),
    ],
)
def test_a_call_is_an_alert_about_what_a_person_calls_with(
    kind: str, about: str, answered: bool
) -> None:
    assert calls(KINDS[kind].metrics, [about]) is answered


def test_one_call_among_several_metrics_is_enough() -> None:
    assert calls(["battery", "button"], ["occupied", "button"])
    assert not calls(["battery", "button"], ["battery", "sos"])


def test_every_call_is_a_metric() -> None:
    assert set(CALLS) <= METRICS.keys()
