"""Who is responsible here, now: examples, and what holds for any duties."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import DUTY_OFFICER, Duty, RouteReason
from alerts.routing import by_area, route
from alerts.visibility import may_see
from devices.instant import DAY

NOW = 100 * DAY
PATH = (3, 2, 1)


def duty(member: int, area: int, *, role: str = "grid_member", of: str = "",
         start: int = 0, end: int | None = None) -> Duty:  # fmt: skip
    return Duty(member, area, role, frozenset({of}) if of else None, start, end)


@pytest.mark.parametrize(
    ("duties", "members", "reason"),
    [
        ([duty(1, 3), duty(2, 2)], [1], RouteReason.DUTY_AT_PLACE),
        ([duty(1, 3), duty(2, 3)], [1, 2], RouteReason.DUTY_AT_PLACE),
        ([duty(1, 3, of="care"), duty(2, 1)], [2], RouteReason.DUTY_ABOVE),
        ([duty(1, 3, end=NOW - DAY), duty(2, 2)], [2], RouteReason.DUTY_ABOVE),
        ([duty(1, 3, end=NOW), duty(2, 2)], [2], RouteReason.DUTY_ABOVE),
        ([duty(1, 3, start=NOW + 1)], [], RouteReason.NOBODY),
        ([duty(1, 3, start=NOW)], [1], RouteReason.DUTY_AT_PLACE),
        ([duty(1, 9)], [], RouteReason.NOBODY),
        ([duty(1, 3, role="b"), duty(1, 3, role="a")], [1], RouteReason.DUTY_AT_PLACE),
        ([], [], RouteReason.NOBODY),
    ],
)
def test_the_nearest_area_with_somebody_on_duty(
    duties: list[Duty], members: list[int], reason: RouteReason
) -> None:
    found = route(PATH, "fire", duties, NOW)
    assert ([r.member for r in found.recipients], found.reason) == (members, reason)


def test_a_member_with_two_roles_is_told_once_in_the_first_by_name() -> None:
    found = route(PATH, "fire", [duty(1, 3, role="police"), duty(1, 3, role="fire")], NOW)
    assert [r.role for r in found.recipients] == ["fire"]


instants = st.integers(NOW - 3, NOW + 3)
duties_of = st.lists(
    st.builds(
        Duty,
        member=st.integers(1, 4),
        area=st.integers(1, 6),
        role=st.sampled_from(["a", "b"]),
        categories=st.none() | st.frozensets(st.sampled_from(["fire", "care"])),
        valid_from=instants,
        valid_to=st.none() | instants,
    ),
    max_size=8,
)
paths = st.permutations([1, 2, 3, 4]).flatmap(
    lambda areas: st.integers(1, 4).map(lambda depth: tuple(areas[:depth]))
)


@given(paths, duties_of)
def test_whoever_is_told_covers_the_place_and_nobody_nearer_does(
    path: tuple[int, ...], duties: list[Duty]
) -> None:
    found = route(path, "fire", duties, NOW)
    covering = [d for d in duties if d.covers("fire", NOW) and d.area in path]
    nearest = min((path.index(d.area) for d in covering), default=None)
    expected = sorted({d.member for d in covering if path.index(d.area) == nearest})
    assert [r.member for r in found.recipients] == expected
    assert (found.reason is RouteReason.NOBODY) == (not covering)
    assert all(r.reason is found.reason for r in found.recipients)


@given(paths, duties_of, st.randoms())
def test_neither_the_order_nor_duties_elsewhere_matter(
    path: tuple[int, ...], duties: list[Duty], random: Random
) -> None:
    shuffled = list(duties)
    random.shuffle(shuffled)
    grouped = by_area(duties)
    here = [d for area in path for d in grouped.get(area, ())]
    expected = route(path, "fire", duties, NOW)
    assert route(path, "fire", shuffled, NOW) == expected
    assert route(path, "fire", here, NOW) == expected


@given(paths, duties_of)
def test_whoever_is_told_may_see_it(path: tuple[int, ...], duties: list[Duty]) -> None:
    told = route(path, "fire", duties, NOW).recipients
    assert all(
        may_see(
            r.member,
            involved=(),
            nobodys=False,
            path=path,
            category="fire",
            duties=duties,
            now=NOW,
        )
        for r in told
    )


@pytest.mark.parametrize(
    ("duties", "involved", "somebodys", "nobodys"),
    [
        ([], [1], True, True),
        ([duty(1, 1)], [], True, True),
        ([duty(1, 1, of="care")], [], False, True),
        ([duty(1, 9)], [], False, False),
        ([replace(duty(1, 9), role=DUTY_OFFICER)], [], False, True),
        ([replace(duty(1, 9, end=NOW), role=DUTY_OFFICER)], [], False, False),
        ([duty(2, 1)], [2], False, False),
        ([duty(1, 3, end=NOW)], [], False, False),
    ],
)
def test_who_may_see_an_alert(
    duties: list[Duty], involved: list[int], somebodys: bool, nobodys: bool
) -> None:
    see = partial(may_see, 1, involved=involved, path=PATH, category="fire", duties=duties, now=NOW)
    assert (see(nobodys=False), see(nobodys=True)) == (somebodys, nobodys)
