"""The `watch` of a rule: which metric, of which devices."""

from devices.kind import BY_NAME as KINDS
from devices.metric import BY_NAME as METRICS
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Watch

_KEYS = frozenset({"metric", "household", "kind", "area", "device"})


def read_watch(entry: Entry, stated: tuple[str, ...] | None = None) -> Watch | None:
    """What the rule looks at; None, with every problem noted, where that cannot be told.

    stated: the metrics of a rule whose condition states them, so that `watch` names none and may
    be left out.
    """
    part = entry.part("watch")
    if part is None and stated is not None and entry.data.get("watch") is None:
        return Watch(stated)
    if part is None:
        if entry.data.get("watch") is None:
            entry.complain("watch", "is missing", "write watch: {metric: …}")
        return None
    part.refuse_others(_KEYS if stated is None else _KEYS - {"metric"})
    metrics = _metrics(part) if stated is None else stated
    care, kinds = _care(part), _kinds(part)
    areas, devices = part.words("area"), part.words("device")
    return None if metrics is None else Watch(metrics, care, kinds, areas, devices)


def _metrics(part: Entry) -> tuple[str, ...] | None:
    name = part.text("metric")
    if name is None:
        return None
    if name in METRICS:
        return (name,)
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
