"""Conditions over numbers that are worked out at each reading, as a rule file has them."""

from devices.instant import format_duration
from rules.model import Correlation, InARow, Judging, Occupancy, Score
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


def write_in_a_row(condition: InARow, render: Render) -> Fields:
    """`in_a_row: N` with what counts and what resets."""
    fields: Fields = {"in_a_row": condition.count, "per": per_text(condition.per)}
    if condition.clear_after:
        fields["clear_after"] = format_duration(condition.clear_after)
    if condition.reset_metric:
        reset = {"metric": condition.reset_metric}
        fields["reset"] = reset | texts(render, where=condition.reset)
    else:
        fields |= texts(render, reset=condition.reset)
    return fields | texts(render, when=condition.when)


def write_correlation(condition: Correlation, render: Render) -> Fields:
    """`devices: N` within a time."""
    fields: Fields = {"devices": condition.devices, "within": format_duration(condition.within)}
    fields["per"] = per_text(condition.per)
    return fields | texts(render, when=condition.when)


def _judging(how: Judging, render: Render) -> Fields:
    spans = {"for": how.lasting, "keep_for": how.keep}
    fields: Fields = {key: format_duration(span) for key, span in spans.items() if span}
    return fields | texts(render, when=how.when, clear=how.clear)
