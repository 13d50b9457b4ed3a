"""Saved states as versions 2 and 3 wrote them."""

import io
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from devices.metric import BY_NAME
from rules.carry import Remembered, remembered
from rules.memory import ThresholdMemory, columns_of
from rules.plan import Plan
from rules.sparse import Column
from rules.state import State
from rules.written import write


def archive(mark: bytes, plan: Plan, state: State, heard: Mapping[str, Column]) -> bytes:
    """The bytes of a state of the version with this mark; `heard` are the silence's columns."""
    arrays: dict[str, Any] = {name: column[:] for name, column in heard.items()}
    rules = []
    for i, past in enumerate(remembered(plan, state.memories, {0: state.newest}, {})):
        arrays |= {f"{i}.{name}": column[:] for name, column in columns_of(past.memory).items()}
        if isinstance(past.memory, ThresholdMemory):
            arrays |= _judged_last(i, past)
        arrays |= {f"{i}.subject_ids": past.subject_ids, f"{i}.away": past.away}
        told = {
            name: getattr(past.rule, name) for name in ("fingerprint", "source", "line", "text")
        }
        rules.append({"as_data": write(past.rule), **told})
    written = np.frombuffer(orjson.dumps(rules), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, rules=written, **arrays)
    return mark + zlib.compress(packed.getbuffer(), 1)


def _judged_last(i: int, past: Remembered) -> dict[str, Any]:
    """What each rule remembered by itself then."""
    metric = BY_NAME[past.rule.watch.metrics[0]].id
    return {
        f"{i}.judged": past.newest.times_of(past.subject_ids, metric),
        f"{i}.value": past.newest.values_of(past.subject_ids, metric),
    }
