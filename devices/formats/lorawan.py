"""A LoRaWAN frame that the network server did not decode, with the model that sent it.

    {"device": "dragino/lds02", "fPort": 10, "bytes": [11, 136, 1, 0, 37, 0, 1],
     "devEui": "a84041000181c061", "time": "2026-11-21T08:00:00Z"}

The form is that of the examples in https://github.com/TheThingsNetwork/lorawan-devices. `bytes` are
numbers from 0 to 255, or a text in hexadecimal. `device` is the model, as "vendor/model"; the
device is `devEui` in lower case, "" where it is not told. `time`, or else `recvTime`, is when the
network server heard the frame; without an offset it is no instant and the time of arrival counts.
What the bytes mean is in `devices.lorawan`, one module per vendor.
"""

from devices.formats.fields import Object, Parsed, Values, bad, instant_of, json_value, short
from devices.formats.uplink import eui
from devices.lorawan import read_frame
from devices.reading import Observation
from devices.topic import UpTopic

_MAX_FRAME = 255
_MAX_PORT = 255


def decode(_: UpTopic, payload: bytes) -> list[Observation]:
    """The observation of a frame; FormatError where it holds none."""
    given = json_value(payload)
    if not isinstance(given, dict):
        raise bad(f"payload is {_shown(given)}, not a JSON object")
    model = given.get("device")
    if not isinstance(model, str):
        raise bad(f"'device' is {_shown(model)}, not a model as 'vendor/model'")
    heard = read_frame(model, _port(given.get("fPort")), _frame(given.get("bytes")))
    time = instant_of(given.get("time"))
    if time is None:
        time = instant_of(given.get("recvTime"))
    return Values(dict(heard.values)).observed(_eui(given), time, heard.attributes)


def _port(given: Parsed) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _MAX_PORT:
        raise bad(f"'fPort' is {_shown(given)}, not a number from 0 to {_MAX_PORT}")
    return given


def _frame(given: Parsed) -> bytes:
    frame = _of_text(given) if isinstance(given, str) else _of_numbers(given)
    if len(frame) > _MAX_FRAME:
        raise bad(f"'bytes' are {len(frame)}; a frame has at most {_MAX_FRAME}")
    return frame


def _of_text(given: str) -> bytes:
    try:
        return bytes.fromhex(given)
    except ValueError:
        raise bad(f"'bytes' is {_shown(given)}, which is not hexadecimal") from None


def _of_numbers(given: Parsed) -> bytes:
    if not isinstance(given, list):
        raise bad(f"'bytes' is {_shown(given)}, not a list of numbers or a text")
    numbers: list[int] = []
    for at, one in enumerate(given):
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one <= 255:
            raise bad(f"'bytes' has {_shown(one)} at {at}, not a number from 0 to 255")
        numbers.append(one)
    return bytes(numbers)


def _eui(given: Object) -> str:
    """The identity, "" where it is not told."""
    told = given.get("devEui")
    return "" if told is None or told == "" else eui(told, "'devEui'")


def _shown(given: Parsed) -> str:
    """A value for an explanation; of a list or an object its kind, however deep it is nested."""
    if isinstance(given, list):
        return "a list"
    return "an object" if isinstance(given, dict) else short(given)
