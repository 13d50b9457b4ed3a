"""What is remembered in tables: rows of subjects."""

import numpy as np

from rules.table import ByDevice, Table, joined


def table(*rows: tuple[int, int]) -> Table:
    made = Table(time=np.int64)
    made.add([slot for slot, _ in rows], time=[time for _, time in rows])
    return made


def rows_of(some: Table) -> list[tuple[int, int]]:
    return list(zip(some.slot.tolist(), some["time"].tolist(), strict=True))


def test_rows_lie_by_slot_and_then_as_they_came() -> None:
    some = table((2, 10), (0, 11))
    some.add([2, 1], time=[12, 13])
    assert rows_of(some) == [(0, 11), (1, 13), (2, 10), (2, 12)]


def test_rows_are_dropped_without_the_copy_losing_them() -> None:
    some = table((0, 1), (1, 2), (1, 3))
    twin = some.copy()
    some.keep(some["time"] > 2)
    assert rows_of(some) == [(1, 3)]
    assert rows_of(twin) == [(0, 1), (1, 2), (1, 3)]


def test_rows_move_with_their_slots() -> None:
    moved = table((0, 1), (1, 2), (2, 3)).moved(np.array([1, -1, 0], np.int32))
    assert rows_of(moved) == [(0, 3), (1, 1)]


def test_tables_are_joined_with_slots_of_their_own() -> None:
    whole = joined([table((0, 1), (1, 2)), table((0, 3))], [0, 2])
    assert rows_of(whole) == [(0, 1), (1, 2), (2, 3)]


def test_a_column_by_device_is_copied() -> None:
    some = ByDevice(3, np.int64(7))
    twin = some.copy()
    some.values[1] = 8
    assert some.values.tolist() == [7, 8, 7]
    assert twin.values.tolist() == [7, 7, 7]
