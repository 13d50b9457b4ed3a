"""Metrics and their values as people write them. Pure."""

from devices.metric import BY_ID, Metric, MetricKind

_SIGNS = {"1": "", "Cel": "°C", "mm[Hg]": "mmHg", "m3": "m³", "[ppm]": "ppm"}
_WORDED = {"/min": {"zh": "次/分", "en": "per min"}, "{space}": {"zh": "个", "en": "spaces"}}


def unit(metric: Metric, language: str) -> str:
    """The unit as people write it: UCUM 'Cel' is '°C'; nothing for a pure number."""
    if metric.unit in _WORDED:
        return _WORDED[metric.unit][language]
    return _SIGNS.get(metric.unit, metric.unit)


def label(metric: Metric, language: str) -> str:
    """The metric's name."""
    return metric.zh if language == "zh" else metric.en


def number(value: float) -> str:
    """A value with at most three decimals and no trailing zeros."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def rounded(value: float) -> str:
    """A value with about four digits, and at most three decimals; whole numbers as they are."""
    whole = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    return number(round(value, max(0, min(3, 4 - whole))))


def is_switch(metric: Metric) -> bool:
    """True for a metric that says yes or no."""
    return metric.unit == "1" and metric.kind in {MetricKind.STATE, MetricKind.EVENT}


def find(metric_id: int) -> Metric | None:
    """The metric with this stored id, None for one of a newer service."""
    return BY_ID.get(metric_id)
