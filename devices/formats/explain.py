"""A message and what it was understood as, for a person with a new device. Pure.

    {"readings": [{"device": "kitchen", "metric": "temperature", "value": 21.5, "unit": "Cel",
                   "time": "2026-11-21T08:00:00+00:00"}],
     "events": [{"device": "button-3", "kind": "sos", "value": 1.0, "time": null,
                 "attributes": {"action": "emergency"}}]}

`time` is null where the time of arrival would count. What was refused beside something good stands
in `problems`; where nothing is good there is only {"rejected": "reason: what is wrong"}.
"""

from collections.abc import Mapping
from typing import TypedDict

from devices.errors import FormatError, RejectReason
from devices.formats import Format
from devices.instant import Micros, to_datetime
from devices.metric import BY_NAME, Metric, UnknownMetricError, metric
from devices.reading import Json, Observation
from devices.topic import Direction, UpTopic, parse


class PlainReading(TypedDict):
    """A reading by name, in the metric's unit."""

    device: str | None
    metric: str
    value: float
    unit: str
    time: str | None


class PlainEvent(TypedDict):
    """An occurrence by name."""

    device: str | None
    kind: str
    value: float
    time: str | None
    attributes: Mapping[str, Json]


class Understood(TypedDict, total=False):
    """What a message says, or why it is refused."""

    readings: list[PlainReading]
    events: list[PlainEvent]
    problems: list[str]
    rejected: str


def explain(read: Format, topic: str | None, payload: bytes) -> Understood:
    """What this format makes of a message.

    topic: the vendor's own, or ours with it inside; None where it is not known.
    """
    try:
        seen = read(_place(topic or ""), payload)
    except FormatError as error:
        return {"rejected": _text(error)}
    said: Understood = {"readings": [], "events": []}
    problems: list[FormatError] = []
    for one in seen:
        problems += one.problems
        _sort(one, said, problems)
    texts = [_text(error) for error in problems]
    if not said["readings"] and not said["events"]:
        return {"rejected": "; ".join(texts) or f"{RejectReason.NO_READING}: it says nothing"}
    if texts:
        said["problems"] = texts
    return said


def _place(topic: str) -> UpTopic:
    try:
        return parse(topic)
    except FormatError:
        return UpTopic("", None, Direction.UP, "", topic)


def _sort(one: Observation, said: Understood, problems: list[FormatError]) -> None:
    try:
        time = _time(one.time)
    except FormatError as error:
        problems.append(error)
        return
    moment = False
    for name, value in one.values.items():
        try:
            known = _possible(name, value)
        except FormatError as error:
            problems.append(error)
            continue
        device = one.device or None
        if known.momentary:
            moment = True
            said["events"].append(_event(device, name, value, time, one.attributes))
        else:
            said["readings"].append(
                {
                    "device": device,
                    "metric": name,
                    "value": value,
                    "unit": known.unit,
                    "time": time,
                }
            )
    if one.attributes and not moment:
        said["events"].append(_event(one.device or None, "attributes", 1.0, time, one.attributes))


def _event(
    device: str | None, kind: str, value: float, time: str | None, attributes: Mapping[str, Json]
) -> PlainEvent:
    return {
        "device": device,
        "kind": kind,
        "value": value,
        "time": time,
        "attributes": attributes,
    }


def _possible(name: str, value: float) -> Metric:
    if name not in BY_NAME:
        try:
            metric(name[:64])
        except UnknownMetricError as error:
            raise FormatError(RejectReason.UNKNOWN_METRIC, str(error)) from None
    known = BY_NAME[name]
    if not known.low <= value <= known.high:
        what = f"{name} {value:g} is outside {known.low:g} to {known.high:g} {known.unit}"
        raise FormatError(RejectReason.OUT_OF_RANGE, what)
    return known


def _time(time: Micros | None) -> str | None:
    if time is None:
        return None
    try:
        return to_datetime(time).isoformat()
    except OverflowError:
        raise FormatError(RejectReason.IMPOSSIBLE_TIME, f"time {time} µs is no date") from None


def _text(error: FormatError) -> str:
    return f"{error.reason}: {error.detail}"
