"""What is stored of a message, and why the rest is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import RejectReason as R
from devices.instant import MINUTE, SECOND
from devices.metric import BY_NAME
from devices.reading import Reading
from devices.token import NOBODY, token_of
from ingest.decode import decode
from ingest.decoded import Decoded, Rejection
from ingest.message import RawMessage
from tests.ingest.site import LIMITS, NOW, inventory, message, ms, on_topic

INVENTORY = inventory()
SPO2, PULSE, SOS = (BY_NAME[name].id for name in ("spo2", "pulse", "sos"))


def of(*messages: RawMessage) -> Decoded:
    return decode(messages, INVENTORY, LIMITS)


def only_rejection(decoded: Decoded) -> Rejection:
    (rejection,) = decoded.rejections
    return rejection


def test_readings_and_events_part_ways() -> None:
    then = NOW - 5 * SECOND
    decoded = of(
        message(
            "w1", {"ts": ms(then), "values": {"spo2": 97, "sos": 1}, "attributes": {"b": 1, "a": 2}}
        ),
        message("w2", {"values": {"pulse": 70}}),
    )
    assert decoded.readings.rows() == [
        Reading(then, NOW, 1, SPO2, 97.0),
        Reading(NOW, NOW, 2, PULSE, 70.0),
    ]
    assert decoded.events.rows() == [Reading(then, NOW, 1, SOS, 1.0)]
    assert decoded.attributes == (b'{"a":2,"b":1}',)
    assert decoded.reading_message.tolist() == [0, 1]
    assert decoded.event_message.tolist() == [0]
    assert decoded.device.tolist() == [1, 2]
    assert decoded.usable.all()
    assert decoded.rejections == ()


def test_attributes_beside_no_event_are_an_event_of_their_own() -> None:
    decoded = of(message("w1", {"values": {"spo2": 97}, "attributes": {"firmware": "2.1"}}))
    assert decoded.events.rows() == [Reading(NOW, NOW, 1, BY_NAME["attributes"].id, 1.0)]
    assert decoded.attributes == (b'{"firmware":"2.1"}',)


def test_a_vendors_message_is_of_the_device_with_its_address() -> None:
    zigbee = "gw/v1/c1/ext/zigbee2mqtt/zigbee2mqtt/"
    decoded = of(
        on_topic(zigbee + "hall/ceiling", b'{"occupancy": true, "battery": "low"}'),
        on_topic(zigbee + "w1", b'{"action": "emergency"}'),
    )
    assert decoded.readings.rows() == [Reading(NOW, NOW, 5, BY_NAME["motion"].id, 1.0)]
    assert decoded.events.rows() == [Reading(NOW, NOW, 1, SOS, 1.0)]
    assert decoded.attributes == (b'{"action":"emergency"}',)
    assert decoded.device.tolist() == [5, 1]
    told = "'battery' is 'low', not a number"
    assert decoded.rejections == (Rejection(0, R.BAD_PAYLOAD, told, partial=True),)


def test_status_words_are_heartbeats() -> None:
    decoded = of(on_topic("gw/v1/c1/door/status", b"offline"))
    assert decoded.events.rows() == [Reading(NOW, NOW, 3, BY_NAME["heartbeat"].id, 0.0)]


@pytest.mark.parametrize(
    ("bad", "reason", "device", "told"),
    [
        (on_topic("else/where", b"{}"), R.BAD_TOPIC, 0, "else/where"),
        (on_topic("gw/v1/c1/ext/morse/x", b"..."), R.UNKNOWN_FORMAT, 0, "morse"),
        (
            on_topic("gw/v1/c1/ext/zigbee2mqtt/zigbee2mqtt/attic", b'{"battery": 9}'),
            R.UNKNOWN_DEVICE,
            0,
            "no device in community 'c1' has the address 'attic'",
        ),
        (
            on_topic("gw/v1/c1/ext/zigbee2mqtt/zigbee2mqtt/bridge/logging", b"{}"),
            R.NO_READING,
            0,
            "the bridge about itself",
        ),
        (message("w1", b"\x00"), R.BAD_PAYLOAD, 1, "not JSON"),
        (message("ghost", b"\x00"), R.UNKNOWN_DEVICE, 0, "no device 'ghost' in community 'c1'"),
        (on_topic("gw/v1/c2/w1/up", b"{}"), R.UNKNOWN_DEVICE, 0, "community 'c2'"),
        (
            message("w1", {"device": "w2", "values": {"spo2": 97}}),
            R.TOPIC_MISMATCH,
            1,
            "payload names device 'w2', the topic 'w1'",
        ),
        (message("w1", {"values": {"spo3": 97}}), R.UNKNOWN_METRIC, 1, "did you mean 'spo2'?"),
        (
            message("w1", {"values": {"spo2": 101}}),
            R.OUT_OF_RANGE,
            1,
            "spo2 101 is outside 50 to 100 %",
        ),
        (
            message("park", {"values": {"parking_free": 61}}),
            R.OUT_OF_RANGE,
            4,
            "parking_free 61 is outside 0 to 60 {space}",
        ),
        (
            message("w1", {"ts": 1_795_233_600, "values": {"spo2": 97}}),
            R.IMPOSSIBLE_TIME,
            1,
            "'ts' counts milliseconds",
        ),
        (
            message("w1", {"ts": ms(NOW + 11 * MINUTE), "values": {"spo2": 97}}),
            R.IMPOSSIBLE_TIME,
            1,
            "more than 600 s after its arrival",
        ),
        (
            message("w1", {"ts": 2**64 - 1, "values": {"spo2": 97}}),
            R.IMPOSSIBLE_TIME,
            1,
            "time 18446744073709551615000 µs",
        ),
    ],
)
def test_every_reason_to_reject_a_message(
    bad: RawMessage, reason: R, device: int, told: str
) -> None:
    decoded = of(bad, message("w2", {"values": {"pulse": 70}}))
    rejection = only_rejection(decoded)
    assert (rejection.message, rejection.reason, rejection.partial) == (0, reason, False)
    assert told in rejection.detail
    assert decoded.device.tolist() == [device, 2]
    assert decoded.usable.tolist() == [False, True]
    assert decoded.readings.rows() == [Reading(NOW, NOW, 2, PULSE, 70.0)]


def test_the_good_part_of_a_message_is_kept_beside_all_that_is_wrong_with_it() -> None:
    decoded = of(message("w1", {"values": {"spo2": 97, "spo3": 97, "pulse": 5_000}}))
    assert decoded.readings.rows() == [Reading(NOW, NOW, 1, SPO2, 97.0)]
    rejection = only_rejection(decoded)
    assert rejection.partial
    assert rejection.reason is R.UNKNOWN_METRIC
    assert "'spo3'" in rejection.detail
    assert "pulse 5000 is outside 20 to 300 /min" in rejection.detail


def test_thousands_of_unknown_metrics_are_refused_quickly() -> None:
    decoded = of(message("w1", {"values": {f"metric{i}": i for i in range(50_000)}}))
    assert only_rejection(decoded).detail.count("unknown metric") == 8


def test_times_at_the_limits_are_possible() -> None:
    decoded = of(
        message("w1", {"ts": ms(LIMITS.earliest), "values": {"spo2": 97}}),
        message("w1", {"ts": ms(NOW + LIMITS.max_ahead), "values": {"spo2": 97}}),
    )
    assert len(decoded.readings) == 2


def test_the_first_of_two_readings_of_one_instant_counts() -> None:
    decoded = of(
        message("w1", {"ts": ms(NOW), "values": {"spo2": 97}}),
        message("w1", {"ts": ms(NOW), "values": {"spo2": 96, "pulse": 70}}),
        message("w1", {"ts": ms(NOW), "values": {"spo2": 97}}),
    )
    assert [(r.metric, r.value) for r in decoded.readings.rows()] == [(SPO2, 97), (PULSE, 70)]
    assert decoded.reading_message.tolist() == [0, 1]
    assert decoded.usable.tolist() == [True, True, True]


def test_two_events_of_one_instant_are_two_unless_they_are_the_same() -> None:
    def granted(card: str) -> RawMessage:
        return message(
            "door", {"ts": ms(NOW), "values": {"access_granted": 1}, "attributes": {"card": card}}
        )

    decoded = of(granted("A"), granted("B"), granted("A"))
    assert decoded.attributes == (b'{"card":"A"}', b'{"card":"B"}')
    assert len(set(decoded.digest.tolist())) == 2


def test_an_event_has_the_token_of_whom_it_names_and_a_state_has_none() -> None:
    named = {"credential": "4f2a"}
    decoded = of(
        message("w1", {"values": {"spo2": 97}}),
        message("door", {"values": {"access_granted": 1, "door_open": 1}, "attributes": named}),
        message("door", {"values": {"vehicle_exit": 1}, "attributes": {"plate": "E1"}}),
        message("door", {"values": {"button": 1}, "attributes": {"reason": "exit button"}}),
    )
    tokens = [token_of(named), token_of({"plate": "E1"}), NOBODY]
    assert decoded.events.token.tolist() == tokens
    assert decoded.readings.token.tolist() == [NOBODY, NOBODY]


def test_a_digest_does_not_depend_on_the_order_of_attributes() -> None:
    one = of(message("w1", b'{"values": {"sos": 1}, "attributes": {"a": 1, "b": 2}}'))
    other = of(message("w1", b'{"attributes": {"b": 2, "a": 1}, "values": {"sos": 1.0}}'))
    assert one.digest.tolist() == other.digest.tolist()


payloads = st.binary(max_size=40) | st.sampled_from(
    [b'{"values": {"spo2": 97}}', b'{"values": {"sos": 1}}', b'{"values": {"spo2": 9}}']
)
topics = st.text(max_size=20) | st.sampled_from(
    ["gw/v1/c1/w1/up", "gw/v1/c1/w1/status", "gw/v1/c1/ghost/up", "gw/v1/c1/ext/morse/a"]
)


@given(st.lists(st.tuples(topics, payloads)))
def test_every_message_is_usable_or_rejected_whatever_it_holds(
    given_messages: list[tuple[str, bytes]],
) -> None:
    decoded = of(*(on_topic(topic, payload) for topic, payload in given_messages))
    refused = {r.message for r in decoded.rejections if not r.partial}
    usable = {i for i, good in enumerate(decoded.usable) if good}
    assert usable | refused == set(range(len(given_messages)))
    assert not usable & refused
    assert set(decoded.reading_message.tolist() + decoded.event_message.tolist()) <= usable
