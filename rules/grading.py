"""The colour of an alert by its value: the gravest whose condition holds."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rules.model import GRAVEST_FIRST, Rule
from rules.tree import Attributes, Values

Ranks: TypeAlias = npt.NDArray[np.int8]

NO_RANK = np.int32(-1)
"""In what is remembered of an alert: it has the rule's own colour."""


def rank_of(rule: Rule) -> int:
    """The rank of the rule's own colour."""
    return GRAVEST_FIRST.index(rule.severity)


def ranks_of(rule: Rule, values: Values, attributes: Attributes) -> Ranks:
    """The rank of the rule's colour at each of these numbers, int8 (n,), one for all names or each.

    While no grade holds, or the value is not known, it is the rule's own.
    """
    some = next(iter(values.values())) if isinstance(values, Mapping) else values
    ranks = np.full(len(some), rank_of(rule), np.int8)
    for grade in reversed(rule.grades):
        holds = grade.when.evaluate(values, attributes)
        ranks[holds] = GRAVEST_FIRST.index(grade.severity)
    return ranks
