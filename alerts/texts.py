"""The texts of an alert: its rule's, with what was seen, where and since when filled in. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from alerts.measure import is_switch, rounded, unit
from alerts.place import LANGUAGES, SEPARATOR, Place, spoken
from devices.instant import to_datetime
from devices.metric import BY_NAME, Metric
from rules.model import Rule, Threshold
from rules.placeholder import fill, plain
from rules.transition import Transition

_UNKNOWN = {"zh": "未知", "en": "unknown"}
_YES = {"zh": "是", "en": "yes"}
_NO = {"zh": "否", "en": "no"}
_COMMA = {"zh": "、", "en": ", "}
_NAMED = 3
"""Devices that are named; of more only how many there are."""


@dataclass(frozen=True, slots=True)
class Texts:
    """By language. plain: the title as it is told where neither value nor place may be."""

    title: Mapping[str, str]
    plain: Mapping[str, str]
    advice: Mapping[str, str]


def texts_of(
    transition: Transition, place: Place, devices: Sequence[Mapping[str, str]], zone: tzinfo
) -> Texts:
    """The texts of the alert that this transition opens.

    devices: names of those that caused it · zone: in which `{since}` is told.
    """
    rule = transition.rule
    words = {language: _words(transition, place, devices, zone, language) for language in LANGUAGES}
    return Texts(
        title={language: fill(text, words[language]) for language, text in rule.title.items()},
        plain={language: plain(text) for language, text in rule.title.items()},
        advice={language: fill(text, words[language]) for language, text in rule.advice.items()},
    )


def _words(
    transition: Transition,
    place: Place,
    devices: Sequence[Mapping[str, str]],
    zone: tzinfo,
    language: str,
) -> Mapping[str, str]:
    metric = _metric(transition.rule)
    since = to_datetime(transition.since).astimezone(zone)
    named = [place.subject] if place.device is not None else devices
    return {
        "value": _value(transition.value, metric, language),
        "unit": unit(metric, language) if metric and transition.value is not None else "",
        "place": SEPARATOR.join(filter(None, (place.areas[language], place.home[language]))),
        "device": _listed(named, language),
        "household": place.home[language],
        "since": f"{since:%Y-%m-%d %H:%M}",
        "rule": transition.rule.code,
    }


def _metric(rule: Rule) -> Metric | None:
    """Whose number the value is; None where it is a count or the like."""
    return BY_NAME[rule.watch.metric] if isinstance(rule.condition, Threshold) else None


def _value(value: float | None, metric: Metric | None, language: str) -> str:
    if value is None:
        return _UNKNOWN[language]
    if metric is not None and is_switch(metric):
        return (_YES if value else _NO)[language]
    return rounded(value)


def _listed(names: Iterable[Mapping[str, str]], language: str) -> str:
    words = [spoken(name, language) for name in names]
    if len(words) > _NAMED:
        more = {"zh": f"等{len(words)}台", "en": f" and {len(words) - _NAMED} more"}[language]
        return _COMMA[language].join(words[:_NAMED]) + more
    return _COMMA[language].join(words)
