"""Frames of LoRaWAN devices that the network server did not decode: bytes to values. Pure.

Each module of this package but `frame` reads the frames of one vendor and names its models in its
own `MODELS`. A new module is found by being here; docs/lorawan.md shows how to add one.

A frame carries no identity and, with few exceptions, no time: both come from the network server.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from devices.lorawan.frame import Decoder, Heard, refused


def read_frame(model: str, port: int, frame: bytes) -> Heard:
    """What a frame of this model says; FormatError if the model is unknown or it does not fit.

    model: "vendor/model", in any case · port: the fPort that the frame came on.
    """
    decoder = MODELS.get(model.lower())
    if decoder is None:
        near = difflib.get_close_matches(model.lower()[:100], MODELS, n=1, cutoff=0.0)
        shown = repr(model if len(model) <= 60 else model[:60] + "…")
        raise refused(
            f"unknown LoRaWAN device {shown}; {len(MODELS)} are known, the nearest is {near[0]!r}"
        )
    return decoder(port, frame)


def _found() -> dict[str, Decoder]:
    models: dict[str, Decoder] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if module == "frame":
            continue
        own: Mapping[str, Decoder] = importlib.import_module(f"{__name__}.{module}").MODELS
        if twice := models.keys() & own.keys():
            raise ValueError(f"two modules of {__name__} read {', '.join(sorted(twice))}")
        models |= own
    return models


MODELS: Mapping[str, Decoder] = MappingProxyType(_found())
"""Model ("vendor/model", lower case) to its decoder."""
