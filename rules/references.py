"""Rules that name other rules: whether these exist, can fire, and form no circle."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from devices.errors import Problem
from devices.metric import BY_NAME
from devices.suggest import did_you_mean
from rules.inhibitors import circle
from rules.model import RiskIndex, Rule, Threshold

_ITSELF = 2
"""Names in a circle of one rule: it stands at both ends."""


def problems_of_references(
    rules: Sequence[Rule], lines: Mapping[str, int], codes: Collection[str]
) -> list[Problem]:
    """What is wrong with the `unless` of these, which stands in these lines, by code.

    codes: of all rules, of unsound ones too.
    """
    known = {rule.code: rule for rule in rules}
    return [
        Problem(rule.source, lines[rule.code], f"'unless' of rule {rule.code}: {what}", hint)
        for rule, what, hint in (*_each(known, codes), *_circle(known))
    ]


def _each(known: Mapping[str, Rule], codes: Collection[str]) -> Iterator[tuple[Rule, str, str]]:
    for rule in known.values():
        for code in rule.unless:
            if code not in codes:
                others = [other for other in codes if other != rule.code]
                yield rule, f"there is no rule {code!r}", did_you_mean(code, others)
            elif code in known and _momentary(known[code]):
                what = f"each alert of {code!r} is of a moment: it never stands"
                yield rule, what, "name a rule that lasts, e.g. a count of the same"
            elif code in known and isinstance(known[code].condition, RiskIndex):
                what = f"{code!r} is a risk index, made of what is told: it keeps none quiet"
                yield rule, what, "name the rules themselves"


def _momentary(rule: Rule) -> bool:
    return isinstance(rule.condition, Threshold) and BY_NAME[rule.watch.metric].occurs


def _circle(known: Mapping[str, Rule]) -> Iterator[tuple[Rule, str, str]]:
    """Every circle that has no rule in common with one before it."""
    unless = {code: rule.unless for code, rule in known.items()}
    while around := circle(unless):
        what = f"rules keep each other quiet: {' unless '.join(around)}"
        if len(around) == _ITSELF:
            what = f"the rule keeps itself quiet: {' unless '.join(around)}"
        yield known[around[0]], what, "take one of them out"
        unless = {code: named for code, named in unless.items() if code not in around}
