"""How a derived number is judged, read from a rule file: `when`, `clear`, `for`, `keep_for`."""

from collections.abc import Mapping

from devices.reading import F64
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Judging
from rules.parts import required

JUDGING_KEYS = frozenset({"when", "clear", "for", "keep_for"})


def read_judging(entry: Entry, example: str, possible: Mapping[str, F64]) -> Judging | None:
    """The judging of a rule; None with every problem noted.

    possible: numbers of each name, (k,) each, that go together; tried to see whether the conditions
    can mean what they say.
    """
    required(entry, "when", example)
    lasting, keep = entry.duration("for", least=0), entry.duration("keep_for", least=0)
    when, clear = (_over(entry, key, possible) for key in ("when", "clear"))
    if when and clear:
        _refuse_contradiction(entry, when, clear, possible)
    return Judging(when, clear, lasting, keep) if when else None


def _over(entry: Entry, key: str, possible: Mapping[str, F64]) -> Expression | None:
    expression = entry.expression(key, possible)
    if expression is None:
        return None
    if expression.attributes:
        names = ", ".join(f"device.{name}" for name in sorted(expression.attributes))
        what = f"{names} cannot be used: the number is of several devices"
        entry.complain(key, what, f"it has {', '.join(sorted(possible))}")
        return None
    if not expression.evaluate(possible, {}).any():
        entry.complain(key, f"{expression.text!r} can never be true")
    return expression


def _refuse_contradiction(
    entry: Entry, when: Expression, clear: Expression, possible: Mapping[str, F64]
) -> None:
    both = when.evaluate(possible, {}) & clear.evaluate(possible, {})
    if both.any():
        row = int(both.argmax())
        names = sorted(when.metrics | clear.metrics)
        example = ", ".join(f"{name} {possible[name][row]:g}" for name in names)
        what = f"contradicts 'when': {example} would both raise and clear the alert"
        entry.complain("clear", what, "leave a distance between the two")
