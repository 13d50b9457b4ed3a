"""The inventory's columns give back what was put in, and find it as a dict would."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.instant import MINUTE
from devices.inventory import Area, Device, Household, Inventory, same_address
from devices.lookup import Lookup
from devices.texts import TextsBuilder, once

NAMES = st.fixed_dictionaries({"zh": st.text(max_size=4), "en": st.text(max_size=4)})
CODES = st.text(alphabet="ab1-ü店", min_size=1, max_size=3)
IDS = st.integers(0, 40)
DEVICES = st.builds(
    Device,
    id=IDS,
    code=CODES,
    community=st.sampled_from(("north", "south")),
    kind=st.sampled_from(("door", "wearable")),
    area=st.integers(1, 3),
    household=st.none() | st.integers(1, 5),
    interval=st.sampled_from((MINUTE, 5 * MINUTE)),
    metrics=st.sampled_from((("pulse", "spo2"), ("door_open",), ())),
    name=NAMES,
    attributes=st.dictionaries(st.sampled_from(("capacity", "copd")), st.floats(0, 9), max_size=2),
    address=st.none() | st.sampled_from(("A1", "a1 ", "b2", "ß", "SS")),
    gateway=st.none() | IDS,
)
HOMES = st.builds(
    Household,
    id=IDS,
    code=CODES,
    area=st.integers(1, 3),
    name=NAMES,
    care=st.booleans(),
    away=st.booleans(),
)
AREAS = [Area(n, f"a{n}", "grid", None, {"zh": "", "en": ""}) for n in (1, 2, 3)]


@given(st.lists(HOMES), st.lists(DEVICES))
def test_what_was_put_in_comes_out(homes: Sequence[Household], devices: Sequence[Device]) -> None:
    inventory = Inventory.of(AREAS, homes, devices)
    assert dict(inventory.devices) == {d.id: d for d in devices}
    assert list(inventory.devices) == list({d.id: d for d in devices})
    assert dict(inventory.households) == {h.id: h for h in homes}
    for number in (-1, 41, None, "1"):
        assert number not in inventory.devices
    ids = np.array([*range(-1, 42)], np.int32)
    rows = inventory.devices.rows(ids).tolist()
    found = [inventory.devices.at(row).id if row >= 0 else None for row in rows]
    assert found == [i if i in inventory.devices else None for i in ids.tolist()]


@given(st.lists(DEVICES), CODES, st.sampled_from(("a1", "B2 ", "ss", "north")))
def test_it_finds_as_a_dict_does(devices: Sequence[Device], code: str, address: str) -> None:
    inventory = Inventory.of(AREAS, [], devices)
    distinct = {d.id: d for d in devices}.values()
    codes = {(d.community, d.code): d for d in distinct}
    addresses = {(d.community, same_address(d.address)): d for d in distinct if d.address}
    for community in ("north", "south", "west"):
        for wanted in (code, *(d.code for d in devices)):
            known = codes.get((community, wanted))
            assert inventory.find(community, wanted) == known
            assert inventory.find_id(community, wanted) == (known.id if known else 0)
        found = addresses.get((community, same_address(address)))
        assert inventory.find_address(community, address) == (
            found or codes.get((community, address))
        )


@given(st.lists(DEVICES))
def test_columns_say_what_the_devices_say(devices: Sequence[Device]) -> None:
    columns = Inventory.of(AREAS, [], devices).devices
    assert columns.having("copd").tolist() == ["copd" in d.attributes for d in columns.values()]
    told = [d.attributes.get("capacity", -1) for d in columns.values()]
    assert np.nan_to_num(columns.attribute("capacity"), nan=-1).tolist() == told
    assert [columns.models[m].kind for m in columns.model] == [d.kind for d in columns.values()]


def test_many_keys_of_one_hash_are_all_found_the_latest_first() -> None:
    hashes = np.array([5, 6, 5, 5, -3, 5], np.int64)
    lookup = Lookup(hashes)
    assert [row for row in lookup.rows(5) if hashes[row] == 5] == [5, 3, 2, 0]
    assert 4 in lookup.rows(-3)
    many = np.arange(1 << 40, (1 << 40) + 140_000)
    many[[3, 70_000, 139_000]] = 7
    assert [row for row in Lookup(many).rows(7) if many[row] == 7] == [139_000, 70_000, 3]


def test_texts_of_any_script_come_out_as_they_went_in() -> None:
    for texts in (["plain", "", "text"], ["门", "é", "", "\ud800", "🙂x"], []):
        builder = TextsBuilder()
        builder.extend(texts)
        assert list(builder.texts()) == texts


def test_a_column_that_is_always_the_same_is_in_memory_once() -> None:
    same = once(np.full(1_000, 7, np.int32))
    assert (same.strides, same.sum()) == ((0,), 7_000)
    assert once(np.array([1, 2], np.int32)).tolist() == [1, 2]


def test_a_device_in_columns_can_be_changed_as_a_value() -> None:
    device = Device(1, "d", "c", "door", 1, None, MINUTE, ("door_open",), {"zh": "", "en": ""})
    columns = Inventory.of(AREAS, [], [device]).devices
    assert replace(columns[1], code="e") == replace(device, code="e")
