"""Rules about two readings that belong together, from a rule file and back."""

from devices.instant import SECOND, format_duration
from devices.metric import BY_NAME, Metric
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Missing, Part, Replaced, Same, Succession, Watch, Without
from rules.parts import over_value, required
from rules.soundness import contradiction
from rules.writing import Fields, Render, texts

SEQUENCE_KEYS = frozenset({"first", "then", "within", "missing", "same", "different", "speed"})
REPLACED_KEYS = frozenset({"when", "replaced"})
WITHOUT_KEYS = frozenset({"when", "without", "same"})

_PART = frozenset({"metric", "where"})
_NO_PART = frozenset({"heartbeat", "attributes"})


def sequence_metrics(entry: Entry) -> tuple[str, ...]:
    """The metrics of a sequence's two parts, as far as they are known."""
    return _metrics(entry, "first", "then")


def without_metrics(entry: Entry) -> tuple[str, ...]:
    """The metric of what must have come before, if it is known."""
    return _metrics(entry, "without")


def _metrics(entry: Entry, *keys: str) -> tuple[str, ...]:
    parts = (entry.data.get(key) for key in keys)
    named = (part.get("metric") for part in parts if isinstance(part, dict))
    return tuple(dict.fromkeys(n for n in named if isinstance(n, str) and n in BY_NAME))


def read_sequence(entry: Entry, _watch: Watch | None) -> Succession | Missing | None:
    """The sequence that this rule is about; None, with every problem noted, where it cannot be."""
    missing = entry.flag("missing") or False
    same = entry.choice("same", Same, None)
    first = _part(entry, "first", same, begins=True)
    then = _part(entry, "then", same, begins=not missing)
    within = entry.duration("within", least=SECOND)
    if entry.data.get("within") is None:
        required(entry, "within", "10s")
    elsewhere, speed = _elsewhere(entry, same), _speed(entry, same)
    if not (first and then and within and same):
        return None
    if not missing:
        return Succession(first, then, within, same, elsewhere, speed)
    for key in {"different", "speed"} & entry.data.keys():
        entry.complain(key, "does not belong to what is missing ('missing: true')", "leave it out")
    _refuse_both(entry, first, then)
    return Missing(first, then, within, same)


def read_without(entry: Entry, watch: Watch | None) -> Without | None:
    """What had to come before; None, with every problem noted, where it cannot be told."""
    same = entry.choice("same", Same, None)
    metric = BY_NAME[watch.metric] if watch else None
    required(entry, "when", "door_open == 1")
    when = over_value(entry, "when", metric)
    if metric:
        _check_metric(entry, "watch", metric, same)
    before = _part(entry, "without", same, begins=False, further="within")
    part = entry.part("without")
    if not (part and before):
        return None
    required(part, "within", "10s")
    within = part.duration("within", least=SECOND)
    if not (metric and when and within and same):
        return None
    return Without(Part(metric.name, when), before, within, same)


def read_replaced(entry: Entry, watch: Watch | None) -> Replaced | None:
    """Which cards count as replaced; None, with every problem noted, where it cannot be told."""
    metric = BY_NAME[watch.metric] if watch else None
    when = over_value(entry, "when", metric)
    keep = entry.duration("replaced", least=SECOND)
    if metric:
        _check_metric(entry, "watch", metric, Same.CREDENTIAL)
    return Replaced(Part(metric.name, when), keep) if metric and keep else None


def _part(
    entry: Entry, key: str, same: Same | None, *, begins: bool, further: str = ""
) -> Part | None:
    """The readings with this part. begins: what lasts must say of which values."""
    part = entry.part(key)
    if part is None:
        required(entry, key, "{metric: access_granted}")
        return None
    part.refuse_others(_PART | {further} - {""})
    name = part.text("metric")
    if name is None:
        return None
    if name not in BY_NAME:
        part.complain("metric", f"unknown metric {name!r}", did_you_mean(name, BY_NAME))
        return None
    metric = BY_NAME[name]
    _check_metric(entry, key, metric, same)
    where = over_value(part, "where", metric)
    if begins and not metric.momentary and "where" not in part.data:
        what = f"is missing: {name!r} is not momentary, and counts when a condition begins to hold"
        part.complain("where", what, f"write e.g. where: {name} == 1")
    return Part(name, where)


def _check_metric(entry: Entry, key: str, metric: Metric, same: Same | None) -> None:
    if metric.name in _NO_PART:
        hint = "write a rule of its own: absent: …" if metric.name == "heartbeat" else ""
        entry.complain(key, f"{metric.name!r} cannot be part of a sequence", hint)
    elif same and same.named and not metric.momentary:
        what = f"{metric.name!r} names no {same}: only what is momentary does"
        entry.complain(key, what, "join by device, household or door")


def _elsewhere(entry: Entry, same: Same | None) -> bool:
    if "different" not in entry.data:
        return False
    word = entry.text("different")
    if word is not None and word != "device":
        entry.complain("different", f"{word!r} is not known here", "write different: device")
    _refuse_of_one_device(entry, "different", same)
    return True


def _speed(entry: Entry, same: Same | None) -> float:
    """The speed in m/s; 0 where there is none."""
    speed = entry.data.get("speed")
    if speed is None:
        return 0.0
    _refuse_of_one_device(entry, "speed", same)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed <= _FASTEST:
        what = f"{speed!r} is no speed in metres per second, above 0 and up to {_FASTEST:g}"
        entry.complain("speed", what, "write e.g. 1.5")
        return 0.0
    return float(speed)


_FASTEST = 100.0
"""Metres per second."""


def _refuse_of_one_device(entry: Entry, key: str, same: Same | None) -> None:
    if same is Same.DEVICE:
        entry.complain(key, "of one and the same device nothing is elsewhere", "leave it out")


def _refuse_both(entry: Entry, first: Part, then: Part) -> None:
    """A reading that is both would answer itself."""
    if first.metric != then.metric:
        return
    metric = BY_NAME[first.metric]
    if first.where is None or then.where is None:
        example = "any"
    else:
        example = contradiction(metric, first.where, then.where)
    if example:
        what = f"the same reading can be both 'first' and 'then': {example}"
        entry.complain("then", what, "let their conditions exclude each other")


def write_joined(condition: Succession | Missing, render: Render) -> Fields:
    """The fields of a sequence in a rule file."""
    fields: Fields = {
        "first": _written(condition.first, render),
        "then": _written(condition.then, render),
        "within": format_duration(condition.within),
        "same": str(condition.same),
    }
    if isinstance(condition, Missing):
        return fields | {"missing": True}
    if condition.elsewhere:
        fields["different"] = "device"
    return fields | ({"speed": condition.speed} if condition.speed else {})


def write_without(condition: Without, render: Render) -> Fields:
    """The fields in a rule file of a rule about what had to come before."""
    before = _written(condition.before, render) | {"within": format_duration(condition.within)}
    return {"without": before, "same": str(condition.same)} | texts(render, when=condition.of.where)


def write_replaced(condition: Replaced, render: Render) -> Fields:
    """The fields in a rule file of a rule about replaced cards."""
    fields: Fields = {"replaced": format_duration(condition.keep)}
    return fields | texts(render, when=condition.of.where)


def _written(part: Part, render: Render) -> Fields:
    fields: Fields = {"metric": part.metric}
    return fields | texts(render, where=part.where)
