"""Open mHealth: vital signs of a person, one JSON body per measurement, alone or with a header.

https://www.openmhealth.org/documentation/#/schema-docs/schema-library. A data point is {"header":
{…}, "body": {…}}; a body may come alone. The device is the header's acquisition_provenance: its
`device_id` (no schema's field, but some senders') or its `source_name`; where neither is there, the
last level of the original topic. Never the person: `user_id` and `user_notes` are not kept.

Time is that of effective_time_frame: `date_time`, or the END of `time_interval`, given or counted
from its start and its duration. A date, a part of a day or a local time is no instant: such a
measurement is dated by its arrival, as one without a time frame. The header's times tell when the
data point was made, not when something was measured, and are not used.

Traps: a unit stands beside each value ('F' and 'C' are both temperatures) and is required; steps
are a plain number in version 1.0. `descriptive_statistic` says that a value is the minimum or the
maximum of its interval and no single measurement: the value is kept and that word is an attribute;
'average' is nothing special. An episode of sleep without `total_sleep_time` tells how long somebody
lay in bed, not how long they slept.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from devices.errors import FormatError
from devices.formats.fields import (
    Field,
    Object,
    Parsed,
    Values,
    bad,
    facts,
    instant_of,
    json_object,
    object_of,
    short,
    text_of,
    value_of,
)
from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros
from devices.reading import Observation
from devices.topic import UpTopic

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "systolic_blood_pressure": Field("systolic"),
        "diastolic_blood_pressure": Field("diastolic"),
        "heart_rate": Field("pulse"),
        "body_temperature": Field("body_temperature"),
        "ambient_temperature": Field("temperature"),
        "oxygen_saturation": Field("spo2"),
        "supplemental_oxygen_flow_rate": Field("oxygen_flow"),
        "respiratory_rate": Field("breathing_rate"),
        "blood_glucose": Field("blood_glucose"),
        "body_weight": Field("body_weight"),
        "body_height": Field("body_height"),
        "step_count": Field("steps"),
        "total_sleep_time": Field("sleep_time"),
        "sleep_duration": Field("sleep_time"),
    }
)
"""Field of a body to its metric; the unit is the message's."""

SPANS: Mapping[str, Micros] = MappingProxyType(
    {
        "us": 1,
        "ms": 1_000,
        "sec": SECOND,
        "min": MINUTE,
        "h": HOUR,
        "d": DAY,
        "wk": 7 * DAY,
    }
)
"""Units of a duration; a month and a year have no fixed length."""

_LONGEST = 36_525 * DAY


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observation of a data point or of a body alone; FormatError where it holds none."""
    given = json_object(payload)
    header, body = object_of(given, "header"), given
    if "body" in given or "header" in given:
        body = object_of(given, "body")
        if not body:
            raise bad(f"'body' is {short(given.get('body'))}, not an object with a measurement")
    read = _measured(body)
    attributes = {}
    if read.values and text_of(body, "descriptive_statistic") != "average":
        attributes = facts(body, "descriptive_statistic")
    return read.observed(_device(topic, header), _time(body), attributes)


def _measured(body: Object) -> Values:
    read = Values()
    for name, meaning in FIELDS.items():
        if name not in body:
            continue
        try:
            number, unit = _with_unit(name, body[name])
            read.values[meaning.metric] = value_of(name, number, replace(meaning, unit=unit))
        except FormatError as error:
            read.problems.append(error)
    return read


def _with_unit(name: str, given: Parsed) -> tuple[Parsed, str]:
    """The number and its unit; FormatError if one is not there."""
    number, unit = given, text_of(given, "unit") if isinstance(given, dict) else None
    if isinstance(given, dict):
        number = given.get("value")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise bad(f"{name!r} is {short(given)}, without a number")
    if name == "step_count" and unit in (None, "steps"):
        return number, ""
    if not unit:
        raise bad(f"{name!r} is {short(given)}, without a unit")
    return number, unit


def _device(topic: UpTopic, header: Object) -> str:
    source = object_of(header, "acquisition_provenance")
    named = text_of(source, "device_id") or text_of(source, "source_name")
    return named or topic.original.rpartition("/")[2]


def _time(body: Object) -> Micros | None:
    frame = object_of(body, "effective_time_frame")
    if "date_time" in frame:
        return instant_of(frame["date_time"])
    interval = object_of(frame, "time_interval")
    if "end_date_time" in interval:
        return instant_of(interval["end_date_time"])
    start = instant_of(interval.get("start_date_time"))
    span = _span(object_of(interval, "duration"))
    return None if start is None or span is None else start + span


def _span(duration: Object) -> Micros | None:
    unit = SPANS.get(text_of(duration, "unit") or "")
    if unit is None or "value" not in duration:
        return None
    number = duration["value"]
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    span = number * unit
    return round(span) if 0 <= span <= _LONGEST else None
