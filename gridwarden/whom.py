"""Whom stored events name, as numbers: from their attributes, found by what tells them apart."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import orjson

from devices.instant import to_micros
from devices.reading import I32, I64
from devices.token import issue_of, token_of
from ingest.binary_copy import Column

NO_EVENT = 0
"""The digest of what is no event, and names nobody."""


class Whom(NamedTuple):
    """token, issue: as in `devices.reading.Batch`, (n,)."""

    token: I64
    issue: I32


def whom(
    device: Column, metric: Column, time: I64, digest: Column, named: Iterable[tuple[Any, ...]]
) -> Whom:
    """Of rows (n,), times in µs since epoch, UTC. named: device, metric, time, digest and
    attributes (JSON) of the events that name anybody.
    """
    token, issue = np.zeros(len(time), np.int64), np.zeros(len(time), np.int32)
    known = {
        (device, metric, to_micros(time), digest): orjson.loads(attributes)
        for device, metric, time, digest, attributes in named
    }
    events = np.flatnonzero(digest != NO_EVENT) if known else np.empty(0, np.intp)
    columns = (column[events].tolist() for column in (device, metric, time, digest))
    for row, key in zip(events.tolist(), zip(*columns, strict=True), strict=True):
        said = known.get(key)
        if said is not None:
            token[row], issue[row] = token_of(said), issue_of(said)
    return Whom(token, issue)
