"""Parts that the conditions of several kinds of rule have in common, as a rule file has them."""

from collections.abc import Callable
from typing import TypeAlias

from rules.expression import Expression
from rules.model import Per, SubjectKind

Render: TypeAlias = Callable[[Expression], str]
"""An expression as text: as it was written, or as it was understood."""

Fields: TypeAlias = dict[str, object]


def per_text(per: Per) -> str:
    """The `per` of a rule."""
    return per.area_kind if per.subject is SubjectKind.AREA else str(per.subject)


def texts(render: Render, **conditions: Expression | None) -> Fields:
    """The conditions that are there, by their keys."""
    return {key: render(e) for key, e in conditions.items() if e is not None}
