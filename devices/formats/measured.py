"""A value with the unit that its message gives; nothing but FormatError is raised. Pure.

A message can name any unit beside any quantity. pint has errors of its own for some of these pairs
('kg' for a pulse), and turns a level ('dB') into other numbers by a logarithm, which may be none.
"""

from math import isfinite

from devices.formats.fields import Field, Parsed, bad, short, value_of
from devices.metric import BY_NAME


def measured(name: str, given: Parsed, meaning: Field) -> float:
    """The value in its metric's unit, finite; FormatError(BAD_PAYLOAD) otherwise."""
    metric = BY_NAME[meaning.metric]
    unfit = f"{short(name)}: unit {short(meaning.unit)} does not fit {metric.name}"
    if meaning.unit and _level(meaning.unit) != _level(metric.unit):
        raise bad(f"{unfit}, in {metric.unit}")
    try:
        value = value_of(name, given, meaning)
    except ValueError:
        raise bad(f"{unfit}, in {metric.unit}") from None
    if not isfinite(value):
        raise bad(f"{short(name)} is {short(given)}, too large")
    return value


def _level(unit: str) -> str:
    """'dB' for a plain level, 'dBm' for one that is a power; '' for what is no level."""
    if not unit.strip().startswith("dB"):
        return ""
    return "dBm" if "m" in unit or "W" in unit else "dB"
