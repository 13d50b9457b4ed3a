"""Conditions over numbers that are worked out at each reading, as a rule file has them."""

from devices.instant import format_duration
from rules.model import Judging, Occupancy, Score
from rules.writing import Fields, Render, per_text, texts


def write_score(condition: Score, render: Render) -> Fields:
    """`score: news2` with its judging."""
    fields: Fields = {"score": "news2", "valid": format_duration(condition.valid)}
    if condition.assume:
        fields["assume"] = sorted(condition.assume)
    return fields | _judging(condition.judging, render)


def write_occupancy(condition: Occupancy, render: Render) -> Fields:
    """`share: <a state>` with its judging."""
    fields: Fields = {"per": per_text(condition.per), "known": condition.known}
    return fields | texts(render, share=condition.where) | _judging(condition.judging, render)


def _judging(how: Judging, render: Render) -> Fields:
    spans = {"for": how.lasting, "keep_for": how.keep}
    fields: Fields = {key: format_duration(span) for key, span in spans.items() if span}
    return fields | texts(render, when=how.when, clear=how.clear)
