"""LoRaWAN frames that a network server passed on as bytes, without decoding them. Pure.

`read` is where the decoders of the makers' own frames are reached.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from devices.formats.fields import Parsed, Values, bad, nothing, short
from devices.lorawan import read_frame
from devices.reading import Json

MAX_FRAME = 255
"""Bytes; LoRaWAN's largest application payload is 242 (RP002-1.0.4, section 2)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a device sent: `model` is 'maker/model', '' if not told; `port` is the FPort."""

    model: str
    port: int
    data: bytes


def frame_of(model: str, port: Parsed, data: Parsed) -> Frame | None:
    """The frame in a network server's message; None where it sent no bytes.

    port: absent (None) is 0, as protobuf's JSON leaves zeros out · data: base64.
    """
    if data is None or data == "":
        return None
    return Frame(model, _port(port), _bytes(data))


def read(frame: Frame) -> tuple[Values, Mapping[str, Json]]:
    """What the frame says, and facts beside it; FormatError where its model is not known."""
    if not frame.model:
        raise nothing(
            f"a frame of {len(frame.data)} bytes on port {frame.port} that the network server did"
            " not decode, of a model that it does not tell"
        )
    heard = read_frame(frame.model, frame.port, frame.data)
    return Values(dict(heard.values)), heard.attributes


def _port(given: Parsed) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 255:
        raise bad(f"port is {short(given)}, not a whole number from 0 to 255")
    return given


def _bytes(given: Parsed) -> bytes:
    if not isinstance(given, str):
        raise bad(f"frame is {short(given)}, not a base64 text")
    if len(given) > 2 * MAX_FRAME:
        raise bad(f"frame is a text of {len(given)} characters; LoRaWAN has no such frame")
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise bad(f"frame is {short(given)}, not base64") from None
