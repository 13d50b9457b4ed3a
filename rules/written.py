"""A rule back as data, as a rule file would have it; and the fingerprint of its meaning."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from devices.instant import format_duration
from rules.calendar import Active, MonthDay
from rules.expecting import write_baseline
from rules.indexing import write_index
from rules.keys import AWAY, WEEKDAYS
from rules.measuring import write_measure
from rules.model import (
    Absence,
    Baseline,
    Correlation,
    CountInWindow,
    InARow,
    MeasureInWindow,
    Missing,
    Occupancy,
    Replaced,
    RiskIndex,
    Rule,
    Score,
    Succession,
    Threshold,
    Watch,
    Without,
)
from rules.sequence_reading import write_joined, write_replaced, write_without
from rules.writing import Fields, Render, per_text, texts
from rules.writing_derived import write_correlation, write_in_a_row, write_occupancy, write_score

FINGERPRINT_BYTES = 16


def write(rule: Rule) -> str:
    """A rule file (JSON, which is YAML) with this rule alone; `rules.loader` reads it back."""
    fields = _meaning(rule, lambda expression: expression.text)
    texts_of = {"title": rule.title, "advice": rule.advice}
    texts_of |= {"source": rule.basis, "tuning": rule.tuning}
    fields |= {key: dict(by_language) for key, by_language in texts_of.items() if by_language}
    return orjson.dumps([fields]).decode()


def fingerprint(rule: Rule) -> str:
    """Hex digits that stay the same while the rule means the same.

    Texts, sources, comments, order and spaces do not count; category and severity do.
    """
    meaning = _meaning(rule, lambda expression: repr(expression.root))
    text = orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=FINGERPRINT_BYTES).hexdigest()


def _meaning(rule: Rule, render: Render) -> Fields:
    fields: Fields = {
        "id": rule.code,
        "category": rule.category,
        "watch": _watch(rule.watch, stated=rule.condition.states_metrics),
        "severity": _severity(rule, render),
        "no_data": str(rule.no_data),
    }
    if rule.lateness:
        fields["lateness"] = format_duration(rule.lateness)
    if not rule.told:
        fields["told"] = False
    if rule.active is not None:
        fields["active"] = _active(rule.active)
    if rule.unless:
        fields["unless"] = [*([AWAY] if rule.unless_away else []), *sorted(rule.unless)]
    elif rule.unless_away:
        fields["unless"] = AWAY
    return fields | WRITERS[type(rule.condition)](rule.condition, render)


def _severity(rule: Rule, render: Render) -> object:
    if not rule.grades:
        return str(rule.severity)
    return {str(grade.severity): render(grade.when) for grade in rule.grades}


def _active(active: Active) -> Mapping[str, object]:
    fields = {
        "hours": [f"{_clock(begin)}-{_clock(end)}" for begin, end in active.hours],
        "weekdays": [WEEKDAYS[day] for day in sorted(active.weekdays)],
        "dates": [f"{_date(begin)}..{_date(end)}" for begin, end in active.dates],
    }
    return {key: texts for key, texts in fields.items() if texts}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _date(date: MonthDay) -> str:
    year = f"{date.year:04}-" if date.year else ""
    return f"{year}{date.month:02}-{date.day:02}"


def _watch(watch: Watch, *, stated: bool) -> Mapping[str, object]:
    fields: Fields = {} if stated else {"metric": watch.metric}
    if watch.care is not None:
        fields["household"] = {"care": watch.care}
    lists = {"kind": watch.kinds, "area": watch.areas, "device": watch.devices}
    return fields | {key: sorted(words) for key, words in lists.items() if words}


def _threshold(condition: Threshold, render: Render) -> Fields:
    spans = {"for": condition.lasting, "keep_for": condition.keep}
    fields: Fields = {key: format_duration(span) for key, span in spans.items() if span}
    return fields | texts(render, when=condition.when, clear=condition.clear)


def _absence(condition: Absence, render: Render) -> Fields:
    lasting = format_duration(condition.lasting)
    if condition.intervals:
        lasting = f"{condition.intervals} intervals"
    fields: Fields = {"absent": lasting, "per": per_text(condition.per)}
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
        Succession: write_joined,
        Missing: write_joined,
        Without: write_without,
        Replaced: write_replaced,
        Score: write_score,
        Occupancy: write_occupancy,
        InARow: write_in_a_row,
        Correlation: write_correlation,
        MeasureInWindow: write_measure,
        Baseline: write_baseline,
        RiskIndex: write_index,
    }
)
"""By the class of the condition: its fields in a rule file."""
