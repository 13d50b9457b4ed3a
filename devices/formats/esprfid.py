"""esp-rfid: door controllers with a card reader, on an ESP8266.

https://github.com/esprfid/esp-rfid/blob/dev/README-MQTT.md. The messages go to `{TOPIC}/send`; in
the Home Assistant mode a card read goes to `{TOPIC}/tag`, a door, lock, bell or tamper contact to
`{TOPIC}/io/…` as a bare word, and the presence to `{TOPIC}/avty`.

The device is `hostname` (`door` in older firmware). The Home Assistant topics have no host name:
there TOPIC is the device, since nothing else tells two controllers apart. `time` is in Unix
seconds; a controller whose clock was never set counts from 1970, so a time before 2001-09-09 is no
instant.

- `access` decides: Admin and Always open the door; Disabled, Expired, Denied and Wrong pin code do
  not; any other word is refused. `isKnown` is the text "true" or "false" and must not contradict.
- An unknown card is told twice: as an access and as a warning of the log. The access counts, the
  warning tells nothing more.
- `uid` is kept as the credential; the holder's name never is. A blank `uid` is the exit button or a
  command, which the controller names in the place of the holder: that is kept as `by`.
- The published card read of `{TOPIC}/tag` ends in a comma before its brace. That is not JSON and is
  refused; the firmware itself writes no such comma.
- `{TOPIC}/io/tamper` is ON both where the door was forced and where it was held open: a state
  `tamper`, which the closing of the door ends. The log tells the two apart.
"""

from collections.abc import Mapping

from devices.formats.fields import (
    Object,
    bad,
    json_object,
    limited,
    nothing,
    short,
    text_of,
    unix_seconds,
)
from devices.instant import Micros
from devices.reading import Json, Observation
from devices.topic import UpTopic

_CLOCK_SET: Micros = 1_000_000_000_000_000
"""2001-09-09, a thousand million seconds: no esp-rfid is as old."""

_OPENS = frozenset({"admin", "always"})
_STAYS_SHUT = frozenset({"disabled", "expired", "denied", "wrong pin code"})

_TRUTH = {"true": True, "false": False}
_BY = {"button": "exit button", "mqtt": "remote command"}
"""What stands in the place of the holder where no card was read."""

_LOG = {
    ("door", "door open"): ("door_open", 1.0),
    ("door", "door closed"): ("door_open", 0.0),
    ("doorbell", "doorbell ringing"): ("doorbell", 1.0),
    ("tamper", "door was tampered!"): ("door_forced", 1.0),
    ("tamper", "door wasn't closed within max open time!"): ("door_held_open", 1.0),
}
_UNTOLD = {
    ("rfid", "unknown rfid tag is scanned"): "the access message of the same card tells it",
    ("mqtt", "disconnected from mqtt server"): "a past loss of connection; it is connected again",
}
_OF_ITSELF = frozenset({"mqtt", "sys", "wifi", "updt"})
"""Sources in the log of messages about the controller: it is alive, and says what it did."""

_ANSWERS = frozenset({"adduser", "deletuid", "deletusers"})
_IO = {
    ("door", "on"): ("door_open", 1.0),
    ("door", "off"): ("door_open", 0.0),
    ("doorbell", "on"): ("doorbell", 1.0),
    ("tamper", "on"): ("tamper", 1.0),
    ("tamper", "off"): ("tamper", 0.0),
    ("lock", "unlocked"): ("door_unlocked", 1.0),
}
_IO_ENDS = {("doorbell", "off"): "the bell rings no more", ("lock", "locked"): "the lock is shut"}
_AVAILABLE = {"online": 1.0, "offline": 0.0}


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observation of a message; FormatError where it holds none."""
    levels = topic.original.strip("/").split("/")
    if levels[-1] in ("cmd", "accesslist"):
        raise nothing("a command to a controller, or a list of its users")
    if levels[0] == "homeassistant":
        raise nothing("an announcement to Home Assistant")
    if levels[-1] == "avty":
        return _word("/".join(levels[:-1]), "avty", payload)
    if levels[-2:-1] == ["io"]:
        return _word("/".join(levels[:-2]), levels[-1], payload)
    given = json_object(payload)
    if levels[-1] == "tag":
        return _access("/".join(levels[:-1]), given)
    return _sent(given)


def _sent(given: Object) -> list[Observation]:
    device = _text(given, "hostname") or _text(given, "door")
    kind = text_of(given, "type")
    if kind == "access":
        return _access(device, given)
    if kind in ("boot", "heartbeat"):
        return _one(device, given, "heartbeat", 1.0)
    if kind in ("INFO", "WARN", "ERRO"):
        return _logged(device, given)
    if kind in _ANSWERS or "command" in given:
        raise nothing("an answer to a command")
    raise bad(f"'type' is {short(given.get('type'))}, no message of esp-rfid")


def _access(device: str, given: Object) -> list[Observation]:
    word = _text(given, "access")
    opens = word.lower() in _OPENS
    if not opens and word.lower() not in _STAYS_SHUT:
        raise bad(f"'access' is {short(given.get('access'))}, no access state of esp-rfid")
    known = _known(given)
    if opens and known is False:
        raise bad(f"'access' is {word!r}, but 'isKnown' is {short(given['isKnown'])}")
    attributes: dict[str, Json] = {"reason": word}
    if credential := _text(given, "uid"):
        attributes["credential"] = credential
    elif by := _BY.get(_text(given, "username").lower()):
        attributes["by"] = by
    return _one(device, given, "access_granted" if opens else "access_denied", 1.0, attributes)


def _known(given: Object) -> bool | None:
    value = given.get("isKnown")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUTH:
        return _TRUTH[value]
    raise bad(f"'isKnown' is {short(value)}, not 'true' or 'false'")


def _logged(device: str, given: Object) -> list[Observation]:
    source, text = _text(given, "src"), _text(given, "desc")
    entry = (source, text.lower())
    if entry in _LOG:
        return _one(device, given, *_LOG[entry])
    if entry in _UNTOLD:
        raise nothing(f"{text!r}: {_UNTOLD[entry]}")
    if source in _OF_ITSELF and text:
        return _one(device, given, "heartbeat", 1.0, {"message": text})
    raise bad(
        f"'desc' is {short(given.get('desc'))} from {short(given.get('src'))}, no event of esp-rfid"
    )


def _word(device: str, contact: str, payload: bytes) -> list[Observation]:
    """A bare word on a Home Assistant topic; a controller of several locks numbers them."""
    word = payload.strip().decode(errors="replace").lower()
    if contact == "avty" and word in _AVAILABLE:
        return [Observation(device, None, {"heartbeat": _AVAILABLE[word]})]
    attributes: dict[str, Json] = {}
    if contact.startswith("lock") and contact[4:].isascii() and contact[4:].isdecimal():
        attributes = {"lock": contact[4:]}
        contact = "lock"
    if (contact, word) in _IO_ENDS:
        raise nothing(_IO_ENDS[contact, word])
    if (contact, word) not in _IO:
        raise bad(f"{short(contact)} is {short(word)}, no state of esp-rfid")
    return _one(device, {}, *_IO[contact, word], attributes)


def _one(
    device: str,
    given: Object,
    metric: str,
    value: float,
    attributes: Mapping[str, Json] | None = None,
) -> list[Observation]:
    return [Observation(device, _time(given), {metric: value}, limited(attributes or {}))]


def _time(given: Object) -> Micros | None:
    time = unix_seconds(given.get("time"))
    return None if time is None or time < _CLOCK_SET else time


def _text(given: Object, name: str) -> str:
    return (text_of(given, name) or "").strip()
