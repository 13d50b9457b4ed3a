"""One mask over finite values says what both of `judge` say."""

import numpy as np
import pytest

from rules.expression import parse
from rules.finite import mask_of

VALUES = np.array([-1e9, -1.0, 0.0, 39.9, 40.0, 40.1, 91.0, 130.0, 131.0, 1e300])


@pytest.mark.parametrize(
    "text",
    [
        "spo2 <= 91",
        "spo2 < 91",
        "91 > spo2",
        "spo2 == 40",
        "not spo2 != 40",
        "pulse <= 40 or pulse >= 131",
        "spo2 > 39.9 and not (spo2 > 91 or 0 == spo2)",
    ],
)
def test_says_the_same(text: str) -> None:
    expression = parse(text)
    mask = mask_of(expression)
    assert mask is not None
    true, false = expression.judge(VALUES, {})
    np.testing.assert_array_equal(mask(VALUES), true)
    np.testing.assert_array_equal(~mask(VALUES), false)


@pytest.mark.parametrize(
    "text",
    [
        "spo2 / 0 > 1",
        "value <= 0.15 * device.capacity",
        "spo2 < 1e999",
        "spo2 <= 91 and device.floor > 3",
        "true",
    ],
)
def test_leaves_to_judge_what_may_be_unknown(text: str) -> None:
    assert mask_of(parse(text)) is None
