"""Conditions over numbers that are worked out at each reading, read from a rule file."""

from collections.abc import Mapping

import numpy as np

from devices.instant import HOUR, MINUTE
from devices.reading import F64
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Score, Watch
from rules.news2 import MOST, PARAMETERS
from rules.reading_judging import JUDGING_KEYS, read_judging
from rules.score import ASSUMABLE

VALID = 12 * HOUR
"""For how long a parameter counts unless the rule says otherwise; our choice."""

SCORES = {"news2": PARAMETERS}
"""By name the metrics that a score is made of."""

SCORE_KEYS = JUDGING_KEYS | {"score", "valid", "assume"}

_MOST_OF_ONE = 3


def score_metrics(_entry: Entry) -> tuple[str, ...]:
    """Those that the score is made of."""
    return PARAMETERS


def read_score(entry: Entry, _watch: Watch | None) -> Score | None:
    """`score: news2` with its judging."""
    name = entry.text("score")
    if name is not None and name not in SCORES:
        entry.complain("score", f"{name!r} is not known", did_you_mean(name, SCORES))
    assume = entry.words("assume")
    for word in sorted(assume - ASSUMABLE.keys()):
        entry.complain("assume", f"{word!r} cannot be assumed", did_you_mean(word, ASSUMABLE))
    valid = entry.duration("valid", least=MINUTE) or VALID
    judging = read_judging(entry, "total >= 5 or single >= 3", _possible_scores())
    return Score(judging, valid, assume) if judging else None


def _possible_scores() -> Mapping[str, F64]:
    """Seven scores of at most 3 each make any total from the largest to seven times it."""
    total, single = (
        grid.ravel().astype(np.float64)
        for grid in np.meshgrid(np.arange(MOST + 1), np.arange(_MOST_OF_ONE + 1))
    )
    fits = (single <= total) & (total <= single * len(PARAMETERS))
    total, single = total[fits], single[fits]
    return {"total": total, "single": single, "value": total}
