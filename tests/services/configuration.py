"""The broker configuration that ships, for a broker of the tests."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.services.server import ServiceMissingError

_CONFIGURATION = Path(__file__).parents[2] / "deploy/mosquitto/mosquitto.conf"
_ACCESS = re.compile(r"^# Who may come in -+$", flags=re.MULTILINE)


def configuration(listener: str, persistence_location: str, **changed: str) -> str:
    """The shipped mosquitto.conf with these settings, open to everybody at one listener.

    ServiceMissingError if it lacks them.
    """
    text, _ = _shipped()
    ours = {"persistence_location": persistence_location, **changed}
    for name, value in ours.items():
        text = _replaced(text, rf"^{name} .*$", f"{name} {value}")
    return f"{text}\nlistener {listener}\nallow_anonymous true\n"


def guarded(plain: str, tls: str, paths: Mapping[str, str]) -> str:
    """The shipped mosquitto.conf with its accounts and TLS, at these two listeners.

    paths: of `persistence_location`, `plugin`, `plugin_opt_config_file`, `certfile`, `keyfile`.
    """
    text = "".join(_shipped())
    text = _replaced(text, r"^listener 1883$", f"listener {plain}")
    text = _replaced(text, r"^listener 8883$", f"listener {tls}")
    for name, path in paths.items():
        text = _replaced(text, rf"^{name} .*$", f"{name} {path}")
    return text


def _shipped() -> tuple[str, str]:
    """What the broker does, and who may come in."""
    text = _CONFIGURATION.read_text(encoding="utf-8")
    mark = _ACCESS.search(text)
    if mark is None:
        raise ServiceMissingError(f"{_CONFIGURATION} has no part 'Who may come in'")
    return text[: mark.start()], text[mark.start() :]


def _replaced(text: str, pattern: str, line: str) -> str:
    text, times = re.subn(pattern, line, text, flags=re.MULTILINE)
    if times != 1:
        raise ServiceMissingError(f"{_CONFIGURATION} has {times} lines {pattern!r}, not one")
    return text
