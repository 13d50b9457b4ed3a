"""Figures as lines of JSON."""

import os
import sys

import orjson


def tell(figure: str, value: float, unit: str, **more: object) -> None:
    """One JSON line; load: processes that wanted to run in the last minute, ours included."""
    load = round(os.getloadavg()[0], 1)
    line = {"figure": figure, "value": value, "unit": unit, **more, "load": load}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()
