"""Units against published equivalents."""

import pytest

from devices.metric import metric
from devices.units import UnitError, to_metric


@pytest.mark.parametrize(
    ("value", "unit", "name", "expected"),
    [
        (98.6, "F", "body_temperature", 37.0),
        (310.15, "K", "body_temperature", 37.0),
        (16, "kPa", "systolic", 120.00985),  # 1 mmHg = 133.322387415 Pa (BIPM)
        (90, "mg/dL", "blood_glucose", 4.99567),
        (0.97, "/", "spo2", 97.0),
        (60, "beats/min", "pulse", 60.0),
        (1, "[lb_av]", "body_weight", 0.45359237),
        (1250, "L", "water_volume", 1.25),
        (101325, "Pa", "air_pressure", 1013.25),
        (29.92126, "inHg", "air_pressure", 1013.25015),
        (3300, "mV", "battery_voltage", 3.3),
        (90, "min", "sleep_time", 1.5),
        (41, "%RH", "humidity", 41.0),
        (1, "/", "switched_on", 1.0),
    ],
)
def test_turned_into_the_metrics_unit(value: float, unit: str, name: str, expected: float) -> None:
    assert to_metric(value, unit, metric(name)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("unit", "name", "told"),
    [
        ("furlong", "temperature", "unit 'furlong' is not known; temperature is in Cel"),
        ("kg", "temperature", "unit 'kg' does not fit temperature, in Cel"),
        ("kg", "pulse", "unit 'kg' does not fit pulse, in /min"),
        ("bpm", "battery", "unit 'bpm' does not fit battery, in %"),
        ("dB", "spo2", "unit 'dB' does not fit spo2, in %"),
        ("lx", "rssi", "unit 'lx' does not fit rssi"),
        ("Cel", "occupied", "unit 'Cel' does not fit occupied, in 1"),
    ],
)
def test_another_quantity_is_an_error(unit: str, name: str, told: str) -> None:
    with pytest.raises(UnitError, match=told):
        to_metric(1, unit, metric(name))
