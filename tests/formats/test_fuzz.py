"""Broken messages through every format; a longer run: python -m tests.formats.fuzz 10000000."""

import random

import pytest

from devices import formats
from tests.formats.fuzz import broken, examine, seeds

MESSAGES = 2_000


@pytest.mark.parametrize("name", sorted(formats.BY_NAME))
def test_a_broken_message_is_understood_or_refused(name: str) -> None:
    chance, own = random.Random(name), seeds(name)  # noqa: S311 - examples, nothing secret
    outcome = {examine(name, *broken(chance, chance.choice(own))) for _ in range(MESSAGES)}
    assert False in outcome
