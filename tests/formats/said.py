"""What a format says of a message, shortly, for tests."""

from typing import Any

import orjson

from devices.formats import Format
from devices.formats.explain import Understood, explain


def understood(read: Format, payload: Any, topic: str | None = None) -> Understood:
    """`explain` of a payload: a text or bytes as they are, anything else as JSON."""
    if isinstance(payload, str):
        payload = payload.encode()
    return explain(read, topic, payload if isinstance(payload, bytes) else orjson.dumps(payload))


def values(said: Understood) -> dict[str, float]:
    """Metric or kind of event to value; AssertionError if it was refused."""
    assert "rejected" not in said, said
    return {r["metric"]: r["value"] for r in said["readings"]} | {
        e["kind"]: e["value"] for e in said["events"]
    }
