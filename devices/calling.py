"""Which devices a person calls with: only these are answered. Pure."""

from collections.abc import Collection

CALLS = ("sos", "button", "fall")
"""The metrics that are a person's call. A fall is one though nobody pressed anything: whoever fell
waits for help as well. What the others measure waits for no answer: no bay sensor is told."""


def calls(reports: Collection[str], about: Collection[str]) -> bool:
    """True if an alert about the metrics `about` is a call by the device that reports `reports`.

    The alert counts, not the device alone: 'help is coming' must not light up on an SOS button
    because somebody looks after its low battery.
    """
    return any(metric in reports and metric in about for metric in CALLS)
