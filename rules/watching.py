"""The `watch` of a rule: which metric, of which devices."""

from devices.kind import BY_NAME as KINDS
from devices.metric import BY_NAME as METRICS
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Watch

_KEYS = frozenset({"metric", "household", "kind", "area", "device"})


def read_watch(entry: Entry) -> Watch | None:
    """What the rule looks at; None, with every problem noted, where that cannot be told."""
    part = entry.part("watch")
    if part is None:
        if entry.data.get("watch") is None:
            entry.complain("watch", "is missing", "write watch: {metric: …}")
        return None
    part.refuse_others(_KEYS)
    metric, care, kinds = _metric(part), _care(part), _kinds(part)
    areas, devices = part.words("area"), part.words("device")
    return Watch(metric, care, kinds, areas, devices) if metric else None


def _metric(part: Entry) -> str | None:
    name = part.text("metric")
    if name is None or name in METRICS:
        return name
    part.complain("metric", f"unknown metric {name!r}", did_you_mean(name, METRICS))
    return None


def _care(part: Entry) -> bool | None:
    household = part.part("household")
    if household is None:
        return None
    household.refuse_others({"care"})
    return household.flag("care")


def _kinds(part: Entry) -> frozenset[str]:
    kinds = part.words("kind")
    for kind in sorted(kinds - KINDS.keys()):
        part.complain("kind", f"unknown kind of device {kind!r}", did_you_mean(kind, KINDS))
    return kinds
