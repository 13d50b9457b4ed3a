"""Units that vendors send, turned into the unit of a metric. Pure.

Units are written in UCUM (https://ucum.org), as in SenML (RFC 8428, section 12.1), or as vendors
write them ('°F', 'mmHg', 'bpm'). The factors are pint's.
"""

from dataclasses import dataclass
from functools import lru_cache

import pint

from devices.metric import Metric

_GLUCOSE = 180.156
"""g/mol of glucose, C6H12O6: mg/dL of blood glucose are turned into mmol/L by it."""

_SAME = {
    "": {"", "1", "/"},
    "%": {"%", "%RH", "%EL", "percent", "percentage", "pct", "% rh", "rh"},
    "1 / minute": {"/min", "beats/min", "breaths/min", "bpm", "beat/min", "min-1", "1/min", "brpm"},
    "degC": {"Cel", "°C", "C", "degC", "celsius", "℃"},
    "degF": {"[degF]", "°F", "F", "degF", "fahrenheit", "℉"},
    "kelvin": {"K", "kelvin"},
    "mmHg": {"mm[Hg]", "mmHg", "mm Hg"},
    "meter ** 3": {"m3", "m^3", "m³", "cubic_meter"},
    "liter": {"l", "L", "liter", "litre", "dm3"},
    "foot ** 3": {"ft3", "ft³", "cft"},
    "US_liquid_gallon": {"gal", "gallon"},
    "ppm": {"[ppm]", "ppm"},
    "lux": {"lx", "lux"},
    "dB": {"dB", "dBA", "dB(A)"},
    "dBm": {"dB[mW]", "dBm", "dBW/1000"},
    "kilogram": {"kg"},
    "pound": {"[lb_av]", "lb", "lbs"},
    "meter": {"m"},
    "centimeter": {"cm"},
    "inch": {"[in_i]", "in", "inch"},
    "foot": {"[ft_i]", "ft"},
    "volt": {"V", "volt"},
    "millivolt": {"mV"},
    "watt": {"W", "watt"},
    "kilowatt": {"kW"},
    "kilowatt_hour": {"kW.h", "kWh"},
    "watt_hour": {"W.h", "Wh"},
    "joule": {"J"},
    "ampere": {"A"},
    "milliampere": {"mA"},
    "hectopascal": {"hPa", "mbar", "mb"},
    "kilopascal": {"kPa"},
    "pascal": {"Pa"},
    "inch_Hg": {"inHg", "[in_i'Hg]"},
    "microgram / meter ** 3": {"ug/m3", "µg/m3", "µg/m³", "μg/m³"},
    "hour": {"h", "hr", "hour"},
    "minute": {"min"},
    "second": {"s", "sec"},
    "liter / minute": {"L/min", "l/min"},
    "millimole / liter": {"mmol/L", "mmol/l"},
    "milligram / deciliter": {"mg/dL", "mg/dl"},
}
_LEVELS = frozenset({"dB", "dBm"})
_PINT = {spelling: name for name, spellings in _SAME.items() for spelling in spellings}


class UnitError(ValueError):
    """The unit is not known, or is none of this metric's kind of quantity."""


@dataclass(frozen=True, slots=True)
class _Line:
    factor: float
    offset: float


def to_metric(value: float, unit: str, metric: Metric) -> float:
    """The value in the metric's own unit; '' means that it is in it already. UnitError if not."""
    if unit in ("", metric.unit):
        return value
    line = _line(unit[:40], metric)
    return round(value * line.factor + line.offset, 9)


@lru_cache(maxsize=1_024)
def _line(unit: str, metric: Metric) -> _Line:
    target = "" if metric.unit.startswith("{") else metric.unit
    source, wanted = _name(unit.strip(), metric), _name(target, metric)
    if source == wanted:
        return _Line(1.0, 0.0)
    if (source, wanted) == ("", "%"):
        return _Line(100.0, 0.0)
    if metric.name == "blood_glucose" and source == "milligram / deciliter":
        return _Line(10.0 / _GLUCOSE, 0.0)
    return _by_pint(source, wanted, unit, metric)


def _name(unit: str, metric: Metric) -> str:
    try:
        return _PINT[unit]
    except KeyError:
        raise UnitError(f"unit {unit!r} is not known; {metric.name} is in {metric.unit}") from None


def _by_pint(source: str, wanted: str, unit: str, metric: Metric) -> _Line:
    unfit = UnitError(f"unit {unit!r} does not fit {metric.name}, in {metric.unit}")
    if _LEVELS & {source, wanted}:  # pint would make numbers of them by a logarithm
        raise unfit
    quantity = _registry().Quantity
    try:
        zero, thousand = (quantity(v, source).to(wanted).magnitude for v in (0.0, 1_000.0))
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        raise unfit from None
    return _Line((thousand - zero) / 1_000.0, zero)


@lru_cache(maxsize=1)
def _registry() -> "pint.UnitRegistry[float]":
    """Made when a unit first differs from the metric's: most messages need none."""
    return pint.UnitRegistry()
