"""Conditions over numbers that are worked out at each reading, as a rule file has them."""

from devices.instant import format_duration
from rules.model import Judging, Score
from rules.writing import Fields, Render, texts


def write_score(condition: Score, render: Render) -> Fields:
    """`score: news2` with its judging."""
    fields: Fields = {"score": "news2", "valid": format_duration(condition.valid)}
    if condition.assume:
        fields["assume"] = sorted(condition.assume)
    return fields | _judging(condition.judging, render)


def _judging(how: Judging, render: Render) -> Fields:
    spans = {"for": how.lasting, "keep_for": how.keep}
    fields: Fields = {key: format_duration(span) for key, span in spans.items() if span}
    return fields | texts(render, when=how.when, clear=how.clear)
