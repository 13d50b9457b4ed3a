"""Whatever is published, decoding gives every message a fate and never breaks."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import decode
from tests.ingest.site import LIMITS, NOW, inventory, on_topic

INVENTORY = inventory()
ODD_NUMBERS = (
    st.sampled_from([97, 60, 1, 88.5])
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.booleans()
)
ODD_JSON = st.recursive(
    st.none() | ODD_NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(["spo2", "sos", "parking_free", "attributes", "nope"]) | st.text(max_size=5)
TIMES = (
    st.integers(-(2**64), 2**65)
    | st.sampled_from(
        [
            NOW // 1_000,
            "9999-12-31T23:59:59.999999-23:59",
            "0001-01-01T00:00:00+23:59",
            "2026-W47-6T00:00+14:00",
            "2026-11-21T08:00:00",
        ]
    )
    | ODD_JSON
)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "ts": TIMES,
        "values": st.dictionaries(NAMES, ODD_NUMBERS, max_size=4) | ODD_JSON,
        "attributes": st.dictionaries(st.text(max_size=6), ODD_JSON, max_size=4) | ODD_JSON,
        "device": st.sampled_from(["w1", "door"]) | ODD_JSON,
    },
)
PAYLOADS = (
    (OBJECTS | st.lists(OBJECTS, max_size=4) | ODD_JSON).map(lambda data: json.dumps(data).encode())
    | st.binary(max_size=40)
    | st.integers(1, 2_000).map(lambda depth: b'{"attributes":{"a":' + b"[" * depth)
    | st.integers(1, 1_500).map(
        lambda depth: b'{"attributes":{"a":' + b"[" * depth + b"]" * depth + b"}}"
    )
)
LEVELS = st.sampled_from(
    ["w1/up", "park/up", "w1/status", "ext/native/x", "ext/nobody/x", "ext", "\ufffd", ""]
) | st.text(max_size=12)


@given(st.lists(st.tuples(LEVELS, PAYLOADS), max_size=6))
@settings(max_examples=300, deadline=None)
def test_every_message_is_usable_or_rejected(sent: list[tuple[str, bytes]]) -> None:
    messages = [on_topic(f"gw/v1/c1/{level}", payload) for level, payload in sent]
    decoded = decode(messages, INVENTORY, LIMITS)
    refused = {r.message for r in decoded.rejections if not r.partial}
    assert [i not in refused for i in range(len(sent))] == decoded.usable.tolist()
