"""Bytes of a LoRaWAN frame, read by position, and what a frame was understood as. Pure.

A read past the end raises FormatError, which names the position and the length: nothing is guessed
from bytes that did not arrive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devices.errors import FormatError, RejectReason
from devices.reading import Json


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame says: values by metric name in the metric's unit, and facts beside numbers."""

    values: Mapping[str, float]
    attributes: Mapping[str, Json] = field(default_factory=dict)


Decoder = Callable[[int, bytes], Heard]
"""Reads a frame that came on this fPort; FormatError where it does not fit the model."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one frame. Multi-byte numbers are big-endian unless `little` says otherwise."""

    data: bytes

    def exactly(self, length: int) -> "Frame":
        """This frame, if it has exactly so many bytes."""
        if len(self.data) != length:
            raise refused(f"frame has {len(self.data)} bytes, not {length}")
        return self

    def unsigned(self, at: int, size: int = 1, *, little: bool = False) -> int:
        """The unsigned number in `size` bytes from position `at`."""
        return int.from_bytes(self._part(at, size), "little" if little else "big")

    def signed(self, at: int, size: int = 1, *, little: bool = False) -> int:
        """The number in two's complement in `size` bytes from position `at`."""
        return int.from_bytes(self._part(at, size), "little" if little else "big", signed=True)

    def bits(self, at: int, low: int, count: int = 1) -> int:
        """`count` bits of the byte at `at`, from bit `low` up; bit 0 is the lowest."""
        return (self.unsigned(at) >> low) & ((1 << count) - 1)

    def flag(self, at: int, bit: int) -> float:
        """1.0 where this bit of the byte at `at` is set."""
        return float(self.bits(at, bit))

    def has(self, at: int) -> bool:
        """Whether there is a byte at this position."""
        return at < len(self.data)

    def _part(self, at: int, size: int) -> bytes:
        if at + size > len(self.data):
            raise refused(
                f"frame ends early: bytes {at} to {at + size - 1} are needed,"
                f" it has {len(self.data)} bytes"
            )
        return self.data[at : at + size]


def by_port(models: Mapping[str, Mapping[int, Callable[[Frame], Heard]]]) -> dict[str, Decoder]:
    """Decoders of these models from a table: model, then fPort, then what reads its frames."""
    return {model: _by_port(model, ports) for model, ports in models.items()}


def _by_port(model: str, ports: Mapping[int, Callable[[Frame], Heard]]) -> Decoder:
    def read(port: int, frame: bytes) -> Heard:
        if port not in ports:
            sends = ", ".join(map(str, sorted(ports)))
            raise refused(f"unknown fPort {port}; {model} sends on {sends}")
        return ports[port](Frame(frame))

    return read


def alive(length: int) -> Callable[[Frame], Heard]:
    """Reads a frame of this length that only shows that the device lives, as a version report."""

    def read(frame: Frame) -> Heard:
        frame.exactly(length)
        return ALIVE

    return read


ALIVE = Heard({"heartbeat": 1.0})
"""An answer, a version, a configuration: the device is alive."""


def refused(detail: str) -> FormatError:
    """The frame cannot be read."""
    return FormatError(RejectReason.BAD_PAYLOAD, detail)
