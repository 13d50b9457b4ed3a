"""The broker configuration that ships, for a broker of the tests."""

import re
from pathlib import Path

from tests.services.server import ServiceMissingError

_CONFIGURATION = Path(__file__).parents[2] / "deploy/mosquitto/mosquitto.conf"


def configuration(listener: str, persistence_location: str, **changed: str) -> str:
    """The shipped mosquitto.conf with these settings; ServiceMissingError if it lacks them."""
    text = _CONFIGURATION.read_text(encoding="utf-8")
    ours = {"listener": listener, "persistence_location": persistence_location, **changed}
    for name, value in ours.items():
        text, times = re.subn(rf"^{name} .*$", f"{name} {value}", text, flags=re.MULTILINE)
        if times != 1:
            raise ServiceMissingError(f"{_CONFIGURATION} has {times} lines {name!r}, not one")
    return text
