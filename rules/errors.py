"""Errors of rules. The text carries the value, the unit and the place."""

from collections.abc import Sequence
from dataclasses import dataclass

from devices.errors import Problem


class RuleError(Exception):
    """Something about a rule, or about a saved state of rules, is wrong."""


class RulesError(RuleError):
    """Rule files cannot be used; `problems` holds everything wrong in any of them, by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong in an expression: the column (counting from 1), what, and how to mend it."""

    column: int
    what: str
    hint: str = ""


class ExpressionError(RuleError):
    """An expression cannot be understood; `complaints` holds everything wrong in it."""

    def __init__(self, text: str, complaints: Sequence[Complaint]) -> None:
        self.text = text
        self.complaints = tuple(complaints)
        told = "; ".join(f"column {c.column}: {c.what}" for c in self.complaints)
        super().__init__(f"in {text!r}: {told}")
