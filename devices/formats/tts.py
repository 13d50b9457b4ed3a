"""The Things Stack v3: a LoRaWAN network server's messages over MQTT, JSON.

https://www.thethingsindustries.com/docs/integrations/data-formats/; topics are
v3/{application}@{tenant}/devices/{device}/{event}. A message names its event itself, by the one
field that holds it. The device is `end_device_ids.dev_eui` in lower case, or the `device_id` where
there is no DevEUI (devices activated by personalization).

- uplink_message: what the user's or maker's JavaScript made of it stands in `decoded_payload`, by
  the names of `devices.formats.decoded`; where the maker also normalizes it, `normalized_payload`
  holds measurements of a fixed schema and units, which win over the former. A measurement may have
  a time of its own. Without either, `frm_payload` is a frame of the model in `version_ids`
  ('netvox/r311a'). With none of them it is a heartbeat.
- uplink_normalized repeats one measurement of an uplink_message.
- join_accept is a heartbeat, downlink_ack too. downlink_nack says that no answer came: no sign of
  life. What else is said of downlinks is the server's, location_solved holds no metric, and
  service_data is another service's. They tell nothing.
- A simulated uplink was sent by a person at the console, not by the device: refused.

The time is the gateway's, `settings.time`; where it has none, that of the network server's
`received_at`, then the application server's.

Fields that are 0, false or "" are left out. An absent `f_port` is 0, an absent `simulated` false.
In `normalized_payload` every field is optional: an absent one may be 0 or not measured, and is not
read as a value. `decoded_payload` is the script's own object; nothing is left out of it.

Schema of measurements: https://github.com/TheThingsNetwork/lorawan-devices, lib/payload.json. Soil
and wind have no metric here; soil's temperature is not the air's.
"""

from devices.errors import FormatError, RejectReason
from devices.formats.decoded import Decoded, read_decoded
from devices.formats.fields import (
    Field,
    Object,
    Parsed,
    Values,
    bad,
    instant_of,
    nothing,
    object_of,
    short,
    text_of,
)
from devices.formats.frames import frame_of
from devices.formats.uplink import Heard, decoded_or_frame, eui, message_of, observed
from devices.instant import Micros
from devices.metric import BY_NAME, MetricKind
from devices.reading import Observation
from devices.topic import UpTopic

MEASUREMENTS = {
    "air.temperature": Field("temperature"),
    "air.relativeHumidity": Field("humidity"),
    "air.pressure": Field("air_pressure"),
    "air.co2": Field("co2_concentration"),
    "air.lightIntensity": Field("illuminance"),
    "action.motion.detected": Field("motion"),
    "action.contactState": Field("door_open", words={"open": 1.0, "closed": 0.0}),
    "water.leak": Field("water_leak"),
}
"""Left out: `battery` and metering, of which the version of the schema at hand tells no unit."""

_SILENT = {
    "downlink_nack": "no answer of the device came",
    "downlink_queued": "a message of the server about a downlink",
    "downlink_sent": "a message of the server about a downlink",
    "downlink_failed": "a message of the server about a downlink",
    "downlink_queue_invalidated": "a message of the server about downlinks",
    "location_solved": "a location, which no metric holds",
    "service_data": "an event of another service",
}
_EVENTS = ("uplink_message", "uplink_normalized", "join_accept", "downlink_ack", *_SILENT)
_DEVICE_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of a message; FormatError where it holds none."""
    levels = topic.original.split("/")
    if levels[-2:-1] == ["down"] and levels[-1] in ("push", "replace"):
        raise nothing("a command to a device")
    given = message_of(payload)
    name = _event(given)
    message = given[name]
    if not isinstance(message, dict):
        raise bad(f"{name} is {short(message)}, not a JSON object")
    heard = Heard(_device(given, levels), _time(given, message))
    if name == "join_accept":
        return heard.alive(event="join")
    if name == "downlink_ack":
        return heard.alive(event="ack", acknowledged=True)
    return _uplink(heard, message)


def _event(given: Object) -> str:
    found = [name for name in _EVENTS if name in given]
    if not found and "downlinks" in given:
        raise nothing("a command to a device")
    if len(found) != 1:
        raise bad(f"it holds {len(found)} known events: {', '.join(found) or short(list(given))}")
    if found[0] in _SILENT:
        raise nothing(f"{found[0]}: {_SILENT[found[0]]}")
    if given.get("simulated") is True:
        raise nothing("a simulated message, not of the device")
    return found[0]


def _device(given: Object, levels: list[str]) -> str:
    ids = object_of(given, "end_device_ids")
    name = ids.get("device_id")
    if levels[0] == "v3" and levels[2:3] == ["devices"] and len(levels) > 4 and name != levels[3]:
        what = f"topic is of device {levels[3]!r}, payload of {short(name)}"
        raise FormatError(RejectReason.TOPIC_MISMATCH, what)
    if ids.get("dev_eui") is not None:
        return eui(ids["dev_eui"], "end_device_ids.dev_eui")
    if not isinstance(name, str) or not 0 < len(name) <= 36 or not _DEVICE_ID.issuperset(name):
        raise bad(f"end_device_ids has no dev_eui, and device_id is {short(name)}")
    return name


def _time(given: Object, message: Object) -> Micros | None:
    told = (object_of(message, "settings").get("time"), message.get("received_at"))
    times = [instant_of(text) for text in (*told, given.get("received_at"))]
    return next((time for time in times if time is not None), None)


def _uplink(heard: Heard, message: Object) -> list[Observation]:
    normal, timed = _normalized(message)
    given = object_of(message, "decoded_payload")
    if normal.values or timed:
        decoded = read_decoded(given)
    else:
        frame = frame_of(_model(message), message.get("f_port"), message.get("frm_payload"))
        decoded = decoded_or_frame(given, frame)
    told = set(normal.values).union(*(one.values for _, one in timed))
    kept = {name: v for name, v in decoded.read.values.items() if name not in told}
    read = Values(normal.values | kept, decoded.read.problems + normal.problems)
    later = [one for time, read in timed for one in read.observed(heard.device, time)]
    if later and not read.values:
        return _with_problems(later, read.problems)
    return observed(heard, Decoded(read, decoded.facts), message.get("rx_metadata")) + later


def _with_problems(seen: list[Observation], problems: list[FormatError]) -> list[Observation]:
    first = seen[0]
    both = (*first.problems, *problems)
    return [Observation(first.device, first.time, first.values, {}, both), *seen[1:]]


def _model(message: Object) -> str:
    ids = object_of(message, "version_ids")
    brand, model = text_of(ids, "brand_id"), text_of(ids, "model_id")
    return f"{brand}/{model}" if brand and model else ""


def _normalized(message: Object) -> tuple[Values, list[tuple[Micros, Values]]]:
    """What is measured at the uplink's time, and what at times of its own."""
    given = message.get("normalized_payload")
    now, timed = Values(), list[tuple[Micros, Values]]()
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, dict):
            continue
        time = instant_of(one.get("time"))
        if "time" not in one:
            _measured(one, now)
        elif time is None:
            now.problems.append(bad(f"normalized_payload: time is {short(one['time'])}"))
        else:
            read = Values()
            _measured(one, read)
            if read.values:
                timed.append((time, read))
            else:
                now.problems += read.problems
    return now, timed


def _measured(one: Object, read: Values) -> None:
    for path, meaning in MEASUREMENTS.items():
        value = _at(one, path)
        if meaning.metric in read.values and value is not None:
            read.problems.append(bad(f"normalized_payload: a second {path}"))
        elif isinstance(value, bool) and BY_NAME[meaning.metric].kind is MetricKind.GAUGE:
            read.problems.append(bad(f"normalized_payload: {path} is {value}, not a number"))
        else:
            read.add(path, value, meaning)


def _at(one: Object, path: str) -> Parsed:
    *groups, name = path.split(".")
    for group in groups:
        one = object_of(one, group)
    return one.get(name)
