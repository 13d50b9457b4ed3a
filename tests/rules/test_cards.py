"""Cards by their number: what is put in is found, whatever else is there."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.instant import NEVER
from devices.reading import Batch
from rules import replaced
from rules.cards import Cards, keys
from rules.evaluate import advance
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import reading, rule, seconds
from tests.rules.derived_town import DOORS, town

_WHOLE = 2**64
_PLAN = make_plan([rule("x", "watch: {metric: access_granted}\n replaced: 20s")], town())
_READS = st.tuples(
    st.integers(0, 60), st.sampled_from(DOORS), st.integers(-1, 3), st.integers(0, 3)
)
"""Time in s, door, token, issue."""


def put(cards: Cards, slot: list[int], token: list[int], issue: list[int]) -> None:
    numbers = [np.array(column, np.int64) for column in (slot, token, issue)]
    none = np.full(len(slot), NEVER)
    further = {"since": none, "newest": none, "told": none}
    cards.found.put(numbers[0], token=numbers[1], issue=numbers[2], **further)


def issues(cards: Cards, slot: list[int], token: list[int]) -> list[int | None]:
    rows = cards.found.find(np.array(slot, np.int64), np.array(token, np.int64)).tolist()
    assert rows == [cards.found.row_of(*one) for one in zip(slot, token, strict=True)]
    return [cards.found.columns["issue"].item(row) if row >= 0 else None for row in rows]


def test_cards_of_several_communities_are_found_among_thousands() -> None:
    rng, cards = np.random.default_rng(3), Cards()
    tokens = [*range(-2, 1_000), *rng.integers(-(2**63), 2**63, 2_000).tolist(), -(2**63)]
    slots = [slot for slot in (2, 0, 1) for _ in tokens]
    want, step = list(range(1, len(slots) + 1)), 700
    every = tokens * 3
    for start in range(0, len(slots), step):
        some = slice(start, start + step)
        put(cards, slots[some], every[some], want[some])
    assert issues(cards, slots, every) == want
    assert issues(cards, [3, 0], [5, 5_000]) == [None, None]
    assert cards.slot.tolist() == sorted(slots)
    assert issues(cards, slots, every) == want


def test_cards_that_hash_alike_stand_beside_each_other() -> None:
    apart = int(keys(np.array([1]), np.array([0]))[0])
    cards, twins = Cards(), [(0, apart), (1, 0), (2, -apart)]
    assert len({(slot * apart + token) % _WHOLE for slot, token in twins}) == 1
    for number, (slot, token) in enumerate(twins):
        assert cards.found.row_of(slot, token) == -1
        cards.found.put_one(slot, token, (number, 0, 0, NEVER))
    assert issues(cards, [2, 0, 1, 0], [-apart, apart, 0, 0]) == [2, 0, 1, None]
    again = Cards()
    put(again, [0, 1, 2], [apart, 0, -apart], [7, 8, 9])
    assert issues(again, [2, 0, 1, 0], [-apart, apart, 0, 0]) == [9, 7, 8, None]


def test_one_by_one_or_together_is_the_same() -> None:
    rng = np.random.default_rng(5)
    token, slot = rng.choice(10_000, 900, replace=False).tolist(), rng.integers(0, 4, 900).tolist()
    one, together = Cards(), Cards()
    put(together, slot, token, list(range(900)))
    for number, (where, what) in enumerate(zip(slot, token, strict=True)):
        one.found.put_one(where, what, (number, NEVER, NEVER, NEVER))
    assert issues(one, slot, token) == issues(together, slot, token) == list(range(900))
    assert one.slot.tolist() == together.slot.tolist() == sorted(slot)
    for name in one:
        assert one[name].tolist() == together[name].tolist()


def said(reads: list[tuple[int, int, int, int]], size: int) -> list[Transition]:
    """What is said of these reads in batches of this size, saved and read back in between."""
    state, told = fresh(_PLAN, 0), list[Transition]()
    for start in range(0, len(reads), size):
        rows = [
            reading(time, door, "access_granted", 1)._replace(token=token, issue=issue)
            for time, door, token, issue in reads[start : start + size]
        ]
        done = advance(_PLAN, Batch.of(rows), state, seconds(70))
        assert done.failures == ()
        state, told = done.state, told + done.transitions
        if start % 2:
            state, _ = restore(dump(state, _PLAN), _PLAN, seconds(70))
    return told


@pytest.mark.parametrize("few", [0, 16])
def test_cards_that_are_not_read_for_long_are_dropped_in_time(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept are those of the last 20 s, and of a sixteenth more at most."""
    monkeypatch.setattr(replaced, "_FEW", few)
    state = fresh(_PLAN, 0)
    for time in range(100):
        row = reading(time, DOORS[0], "access_granted", 1)._replace(token=time + 1, issue=2)
        state = advance(_PLAN, Batch.of([row]), state, seconds(time)).state
    (memory,) = state.memories
    assert isinstance(memory, replaced.ReplacedMemory)
    kept = sorted(memory.cards["token"].tolist())
    assert kept[0] in (79, 80)
    assert kept == list(range(kept[0], 101))


@settings(max_examples=150, deadline=None)
@example([(0, 30, 7, 2), (21, 30, 7, 2), (21, 30, 7, 1)], 3)  # of one instant, long after
@given(st.lists(_READS, max_size=60), st.integers(1, 30))
def test_few_and_many_reads_are_judged_alike(
    reads: list[tuple[int, int, int, int]], size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaced, "_FEW", 0)
        many = said(reads, size)
        patch.setattr(replaced, "_FEW", 1_000)
        assert said(reads, size) == many
