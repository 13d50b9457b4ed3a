"""A rule back as data, as a rule file would have it; and the fingerprint of its meaning."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from devices.instant import format_duration
from rules.expecting import write_baseline
from rules.indexing import write_index
from rules.measuring import write_measure
from rules.model import (
    Absence,
    Baseline,
    CountInWindow,
    MeasureInWindow,
    RiskIndex,
    Rule,
    Threshold,
    Watch,
)
from rules.writing import Fields, Render, per_text, texts

FINGERPRINT_BYTES = 16


def write(rule: Rule) -> str:
    """A rule file (JSON, which is YAML) with this rule alone; `rules.loader` reads it back."""
    fields = _meaning(rule, lambda expression: expression.text)
    fields["title"] = dict(rule.title)
    if rule.advice:
        fields["advice"] = dict(rule.advice)
    return orjson.dumps([fields]).decode()


def fingerprint(rule: Rule) -> str:
    """Hex digits that stay the same while the rule means the same.

    Titles, advice, comments, order and spaces do not count; category and severity do.
    """
    meaning = _meaning(rule, lambda expression: repr(expression.root))
    text = orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=FINGERPRINT_BYTES).hexdigest()


def _meaning(rule: Rule, render: Render) -> Fields:
    fields: Fields = {
        "id": rule.code,
        "category": rule.category,
        "watch": _watch(rule.watch, stated=rule.condition.states_metrics),
        "severity": str(rule.severity),
        "no_data": str(rule.no_data),
    }
    if rule.unless_away:
        fields["unless"] = "household.away"
    return fields | WRITERS[type(rule.condition)](rule.condition, render)


def _watch(watch: Watch, *, stated: bool) -> Mapping[str, object]:
    fields: Fields = {} if stated else {"metric": watch.metric}
    if watch.care is not None:
        fields["household"] = {"care": watch.care}
    lists = {"kind": watch.kinds, "area": watch.areas, "device": watch.devices}
    return fields | {key: sorted(words) for key, words in lists.items() if words}


def _threshold(condition: Threshold, render: Render) -> Fields:
    lasting = condition.lasting
    fields: Fields = {"for": format_duration(lasting)} if lasting else {}
    return fields | texts(render, when=condition.when, clear=condition.clear)


def _absence(condition: Absence, render: Render) -> Fields:
    fields: Fields = {"absent": format_duration(condition.lasting), "per": per_text(condition.per)}
    return fields | texts(render, when=condition.when)


def _count(condition: CountInWindow, render: Render) -> Fields:
    fields: Fields = {"within": format_duration(condition.within), "per": per_text(condition.per)}
    fields["when"] = f"count >= {condition.count}"
    return fields | texts(render, where=condition.when)


WRITERS: Mapping[type[Any], Callable[[Any, Render], Fields]] = MappingProxyType(
    {
        Threshold: _threshold,
        Absence: _absence,
        CountInWindow: _count,
        MeasureInWindow: write_measure,
        Baseline: write_baseline,
        RiskIndex: write_index,
    }
)
"""By the class of the condition: its fields in a rule file."""
