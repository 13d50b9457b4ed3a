"""Broken messages through every format; a longer run: python -m tests.formats.fuzz 10000000."""

import random

import pytest

from devices import formats
from tests.formats.fuzz import STORY, TOLD, broken, examine, seeds, tell

MESSAGES = 2_000


@pytest.mark.parametrize("name", sorted(formats.BY_NAME))
def test_a_broken_message_is_understood_or_refused(name: str) -> None:
    chance, own = random.Random(name), seeds(name)  # noqa: S311 - examples, nothing secret
    outcome = {examine(name, *broken(chance, chance.choice(own))) for _ in range(MESSAGES)}
    assert False in outcome


@pytest.mark.parametrize("name", sorted(TOLD))
def test_a_broken_story_is_understood_or_refused(name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - examples, nothing secret
    understood = sum(tell(name, chance) for _ in range(MESSAGES // STORY))
    assert MESSAGES // 4 < understood < MESSAGES
