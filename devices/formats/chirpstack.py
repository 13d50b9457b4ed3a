"""ChirpStack v4: a LoRaWAN network server's events over MQTT, JSON.

https://www.chirpstack.io/docs/chirpstack/integrations/events.html. The topic ends in
`event/{event}`: application/{id}/device/{DevEUI}/event/{event}; what the event is stands nowhere
else. The device is `deviceInfo.devEui`, in lower case; the time is the message's `time`.

- up: the codec's `object`, by the names of `devices.formats.decoded`. Without one, the bytes of
  `data` are a frame of the model in the device's or its profile's tag `model` ('netvox/r311a').
  With neither it is a heartbeat.
- join is a heartbeat: the event comes with the first uplink after joining.
- status: battery in %. A device on external power, or one that does not know its charge, is a
  heartbeat with that fact. A charge of exactly 0 cannot be measured by LoRaWAN; it is left out
  by some versions, and then the status is a heartbeat, too.
- ack is a heartbeat where `acknowledged` is true. False, or left out, also means that the time for
  an answer ran out: no sign of life, so it tells nothing.
- txack and log are the gateway's and the server's; no metric holds a location; an integration's
  object is another service's. They tell nothing of the device.

Commands to devices (…/command/down) are refused. Fields may be absent where they are 0, false or
"": `fPort`, `externalPowerSource`, `acknowledged`. ChirpStack can be set to publish protobuf; only
JSON is read here.
"""

from devices.formats.fields import (
    Field,
    Object,
    Values,
    bad,
    instant_of,
    nothing,
    object_of,
    short,
    text_of,
)
from devices.formats.frames import frame_of
from devices.formats.uplink import Heard, decoded_or_frame, eui, message_of, observed, same_device
from devices.reading import Observation
from devices.topic import UpTopic

_SILENT = {
    "txack": "a gateway's acknowledgement of a downlink",
    "log": "a log entry of the network server",
    "location": "a location, which no metric holds",
    "integration": "an event of another service",
}


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observation of an event; FormatError where it holds none."""
    levels = topic.original.split("/")
    event = _event(topic.original, levels)
    if event in _SILENT:
        raise nothing(f"{event}: {_SILENT[event]}")
    if event not in ("up", "join", "status", "ack"):
        raise bad(f"event {short(event)} is not known")
    given = message_of(payload)
    heard = Heard(
        eui(object_of(given, "deviceInfo").get("devEui"), "deviceInfo.devEui"),
        instant_of(given.get("time")),
    )
    same_device(levels[-3] if len(levels) > 2 else "", heard.device)
    if event == "up":
        return _up(heard, given)
    if event == "status":
        return _status(heard, given)
    return heard.alive(event="join") if event == "join" else _ack(heard, given)


def _event(topic: str, levels: list[str]) -> str:
    if levels[-2:-1] == ["command"]:
        raise nothing("a command to a device")
    if levels[-2:-1] != ["event"]:
        raise bad(
            f"topic {topic!r} names no event;"
            " application/{id}/device/{DevEUI}/event/{event} does"
        )
    return levels[-1]


def _up(heard: Heard, given: Object) -> list[Observation]:
    model = text_of(object_of(object_of(given, "deviceInfo"), "tags"), "model") or ""
    frame = frame_of(model, given.get("fPort"), given.get("data"))
    decoded = decoded_or_frame(object_of(given, "object"), frame)
    return observed(heard, decoded, given.get("rxInfo"))


def _status(heard: Heard, given: Object) -> list[Observation]:
    for name in ("externalPowerSource", "batteryLevelUnavailable"):
        if given.get(name) is True:
            return heard.alive(event="status", **{name: True})
    level = given.get("batteryLevel")
    if level is None:
        return heard.alive(event="status")
    read = Values()
    read.add("batteryLevel", level, Field("battery"))
    return read.observed(heard.device, heard.time)


def _ack(heard: Heard, given: Object) -> list[Observation]:
    if given.get("acknowledged") is not True:
        raise nothing("ack: the device did not acknowledge, or the time for it ran out")
    return heard.alive(event="ack", acknowledged=True)
