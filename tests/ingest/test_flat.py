"""Messages read in bulk are understood exactly as each is for itself."""

import json
from dataclasses import fields
from datetime import UTC, timedelta, timezone
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.instant import to_datetime
from devices.reading import Batch
from ingest import flat
from ingest.columns import distinct
from ingest.decode import decode, decode_singly
from ingest.decoded import Decoded
from ingest.message import RawMessage
from tests.ingest.site import LIMITS, NOW, inventory, message, ms, on_topic
from tests.ingest.test_decode_fuzz import LEVELS, ODD_NUMBERS, PAYLOADS

INVENTORY = inventory()
EDGE = (LIMITS.earliest, NOW + LIMITS.max_ahead)
TEXTS = ["x", "", "2025-11-21", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"] + [
    to_datetime(edge + n).astimezone(zone).isoformat()
    for edge in (NOW, *EDGE)
    for n in (-1, 0, 1)
    for zone in (UTC, timezone(timedelta(hours=8)))
]
TIMES = st.sampled_from(
    [ms(NOW), ms(NOW) - 1, *(ms(edge) + n for edge in EDGE for n in (-1, 0, 1)), True, None, *TEXTS]
    + [text.split("+")[0] for text in TEXTS]
)
NAMES = st.sampled_from(["spo2", "pulse", "sos", "parking_free", "battery", "attributes", "nope"])
NUMBERS = st.sampled_from([0, 1, 55, 97.5, True, False]) | ODD_NUMBERS | st.none() | st.just("55")
PLAIN = st.fixed_dictionaries(
    {"values": st.dictionaries(NAMES, NUMBERS, max_size=3)},
    optional={
        "ts": TIMES,
        "attributes": st.dictionaries(st.sampled_from("ab"), st.integers(0, 1), max_size=1),
        "device": st.sampled_from(["w1", "w2"]),
        "unit": st.none(),
    },
).map(lambda said: json.dumps(said).encode())
TOPICS = st.sampled_from(["w1/up", "w2/up", "door/up", "park/up", "ghost/up", "w1/status"]) | LEVELS
MESSAGES = st.tuples(TOPICS, PLAIN | PLAIN | PAYLOADS, st.integers(0, 2)).map(
    lambda told: on_topic(f"gw/v1/c1/{told[0]}", told[1], arrival=NOW + told[2])
)


def same(one: Decoded, other: Decoded) -> None:
    """Every field alike, columns in type too."""
    for name in (field.name for field in fields(Decoded)):
        alike(getattr(one, name), getattr(other, name), name)


def alike(one: Any, other: Any, name: str) -> None:
    if isinstance(one, Batch):
        for column in (field.name for field in fields(Batch)):
            alike(getattr(one, column), getattr(other, column), f"{name}.{column}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, name
        assert one.tolist() == other.tolist(), name
    else:
        assert one == other, name


@given(st.lists(MESSAGES, max_size=12))
@example([message("w1", b'{"values":{"spo2":97}},{"values":{"spo2":96}}')])
@example([message("w1", b'{"ts":1e3,"values":{"spo2":97}}'), message("w1", b"[]")])
@example([message("w1", b'{"values":"spo2"}'), message("w1", b'{"values":[1]}')])
@example([message("w1", b'{"values":{"spo2":1e400}}'), message("w2", b'{"values":{"spo2":-0.0}}')])
@settings(max_examples=400, deadline=None)
def test_in_bulk_and_singly_are_the_same(messages: list[RawMessage]) -> None:
    same(decode(messages, INVENTORY, LIMITS), decode_singly(messages, INVENTORY, LIMITS))


def test_what_is_plain_is_read_in_bulk_and_the_rest_is_left() -> None:
    good = {"ts": ms(NOW), "values": {"spo2": 97, "pulse": 70.5, "sos": True}}
    messages = [
        message("w1", good),
        message("w1", good | {"attributes": {"a": 1}}),
        message("w2", {"values": {"spo2": 97}}),
        message("w2", {"values": {"spo2": "97"}}),
        message("w2", {"values": {"spo2": 97, "nope": 1}}),
        on_topic("gw/v1/c1/w1/status", b"online"),
        message("w1", good | {"ts": to_datetime(NOW).isoformat()}),
    ]
    read = flat.read(messages, INVENTORY, LIMITS.earliest, LIMITS.max_ahead)
    assert list(read.left) == [1, 3, 4, 5]
    assert read.message.tolist() == [0, 0, 0, 2, 6, 6, 6]
    assert read.device.tolist() == [1, 0, 2, 0, 0, 0, 1]
    assert set(read.rows.time.tolist()) == {NOW}


KEYS = st.tuples(
    st.sampled_from([0, 1, NOW, -(2**62), 2**62]),
    st.sampled_from([1, 2, 2**31 - 1]),
    st.sampled_from([1, 2, 74]),
)


@given(st.lists(KEYS, max_size=8))
def test_the_first_row_of_each_key_is_found(keys: list[tuple[int, int, int]]) -> None:
    time, device, metric = (np.array([key[i] for key in keys], np.int64) for i in range(3))
    batch = Batch(time, time, device.astype(np.int32), metric.astype(np.int16), np.zeros(len(keys)))
    assert distinct(batch).tolist() == [key not in keys[:n] for n, key in enumerate(keys)]
