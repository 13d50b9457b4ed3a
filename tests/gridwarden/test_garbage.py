"""What was made at the start is kept out of garbage collection."""

import gc
from collections.abc import Iterator

import pytest

from gridwarden.service import MADE_BETWEEN_LOOKS, leave_to_stay


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_only_what_is_made_later_is_looked_through() -> None:
    before = gc.get_freeze_count()
    leave_to_stay()
    assert gc.get_freeze_count() > before + 10_000
    assert gc.get_threshold()[0] == MADE_BETWEEN_LOOKS
    later: list[object] = []
    later.append(later)
    assert any(one is later for one in gc.get_objects())
    del later
    assert gc.collect() >= 1
