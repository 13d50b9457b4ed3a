"""What a device may send: who keeps to it is never limited, who does not, always."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros
from ingest.decode import decode
from ingest.decoded import Decoded
from ingest.limit import Allowance, Limiter
from ingest.message import RawMessage
from tests.ingest.site import LIMITS, NOW, inventory, message, ms, on_topic

INVENTORY = inventory()
"""Their interval is a minute: a day's worth is 1440 messages; one a second may be kept up."""

DAYS_WORTH = 1_440


def limiter(allowance: Allowance | None = None) -> Limiter:
    made = Limiter(allowance or Allowance(burst=600))
    made.adopt(INVENTORY)
    return made


def sent(count: int, at: Micros = NOW, *, device: str = "w1", first: int = 0) -> list[RawMessage]:
    return [
        message(device, {"ts": ms(at) - n, "values": {"pulse": 70}}, arrival=at)
        for n in range(first, first + count)
    ]


def feed(
    limiter: Limiter, messages: Sequence[RawMessage], behind: Micros = 0
) -> tuple[Decoded, int]:
    """A committed batch, and how many of its messages were decoded."""
    read: list[int] = []

    def read_all(wanted: Sequence[RawMessage]) -> Decoded:
        read.append(len(wanted))
        return decode(wanted, INVENTORY, LIMITS)

    decoded, charge = limiter.decode(messages, behind, read_all)
    limiter.settle(charge)
    return decoded, read[0]


def taken(limiter: Limiter, messages: Sequence[RawMessage], behind: Micros = 0) -> int:
    return int(feed(limiter, messages, behind)[0].usable.sum())


def test_a_days_worth_passes_at_once_and_more_is_refused_with_the_reason() -> None:
    bucket = limiter()
    decoded, _ = feed(bucket, sent(DAYS_WORTH + 5))
    assert decoded.usable.tolist() == [True] * DAYS_WORTH + [False] * 5
    assert len(decoded.readings) == DAYS_WORTH
    assert {str(r.reason) for r in decoded.rejections} == {"too_many"}
    assert [r.message for r in decoded.rejections] == list(range(DAYS_WORTH, DAYS_WORTH + 5))
    assert bucket.short == {1}


def test_what_is_too_many_is_not_decoded_and_the_others_are() -> None:
    bucket = limiter()
    feed(bucket, sent(DAYS_WORTH + 1))
    messages = [m for pair in zip(sent(20), sent(20, device="w2"), strict=True) for m in pair]
    decoded, read = feed(bucket, messages)
    assert read == 20
    assert decoded.messages == messages
    assert decoded.device.tolist() == [1, 2] * 20
    assert decoded.usable.tolist() == [False, True] * 20
    assert decoded.reading_message.tolist() == list(range(1, 40, 2))
    assert decoded.readings.device.tolist() == [2] * 20
    assert len(decoded.rejections) == len(decoded.too_many) == 20


def test_it_may_send_again_at_its_rate_and_is_forgotten_when_the_bucket_is_full() -> None:
    bucket = limiter()
    feed(bucket, sent(DAYS_WORTH + 1))
    assert taken(bucket, sent(20, NOW + 10 * SECOND)) == 10
    assert taken(bucket, sent(20, NOW + 11 * SECOND)) == 1
    assert bucket.short == {1}
    assert taken(bucket, sent(20, NOW + HOUR)) == 20
    assert bucket.short == set()


def test_of_a_vendors_format_the_payload_names_the_device() -> None:
    bucket = limiter(Allowance(burst=1_440))
    topic = "gw/v1/c1/ext/zigbee2mqtt/zigbee2mqtt/Hall/Ceiling"
    feed(bucket, [on_topic(topic, b'{"battery": 80}')] * DAYS_WORTH)
    decoded, read = feed(bucket, [*sent(2), *[on_topic(topic, b'{"battery": 80}')] * 3])
    assert read == 5
    assert decoded.device.tolist() == [1, 1, 5, 5, 5]
    assert decoded.usable.tolist() == [True, True, False, False, False]


def test_only_so_many_an_hour_are_kept_and_all_are_counted() -> None:
    bucket = limiter(Allowance(burst=600, kept=7))
    decoded, _ = feed(bucket, sent(DAYS_WORTH + 5))
    assert (len(decoded.rejections), len(decoded.too_many)) == (5, 5)
    decoded, _ = feed(bucket, sent(10))
    assert (len(decoded.rejections), len(decoded.too_many)) == (2, 10)
    decoded, _ = feed(bucket, sent(10 + 3_600, NOW + HOUR))
    assert len(decoded.rejections) == 7


def test_what_was_not_committed_costs_nothing() -> None:
    bucket = limiter()
    for _ in range(3):
        decoded, _charge = bucket.decode(
            sent(DAYS_WORTH), 0, lambda wanted: decode(wanted, INVENTORY, LIMITS)
        )
        assert decoded.usable.all()


def test_a_device_that_leaves_the_site_is_forgotten() -> None:
    bucket = limiter()
    feed(bucket, sent(DAYS_WORTH + 1))
    bucket.adopt(inventory("c2"))
    assert bucket.beyond(sent(1), 0) == {}


def of_one_device(wanted: Sequence[RawMessage]) -> Decoded:
    """As if each message were a good one of device 1."""
    one = decode(sent(1), INVENTORY, LIMITS)
    count = len(wanted)
    return replace(
        one,
        messages=wanted,
        device=np.ones(count, np.int32),
        usable=np.ones(count, np.bool_),
        readings=one.readings.take(np.zeros(0, np.intp)),
        reading_message=np.zeros(0, np.int32),
    )


def taken_of(bucket: Limiter, count: int, at: Micros, behind: Micros = 0) -> int:
    """How many of so many messages pass that all arrive then."""
    messages = [on_topic("gw/v1/c1/w1/up", b"", arrival=at)] * count
    decoded, charge = bucket.decode(messages, behind, of_one_device)
    bucket.settle(charge)
    return int(decoded.usable.sum())


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
@settings(deadline=None)
def test_an_honest_device_is_never_limited_whatever_outage_of_ours(spans: list[int]) -> None:
    """One message a second; each span (s) comes at once at its end, as after such an outage."""
    bucket, at = limiter(Allowance(burst=1)), NOW
    for seconds in spans:
        at += seconds * SECOND
        assert taken_of(bucket, seconds, at, behind=seconds * SECOND) == seconds


@given(st.integers(1, DAYS_WORTH), st.integers(1, 50))
@settings(deadline=None)
def test_what_a_gateway_kept_for_a_day_passes_however_it_comes(held: int, batches: int) -> None:
    bucket = limiter()
    parts = [len(part) for part in np.array_split(np.arange(held), batches) if len(part)]
    assert [taken_of(bucket, count, NOW) for count in parts] == parts


@given(st.integers(2, 100), st.integers(1, 20))
@settings(deadline=None)
def test_a_runaway_gets_its_share_and_no_more(per_second: int, minutes: int) -> None:
    bucket, tokens = limiter(), DAYS_WORTH
    for minute in range(minutes):
        share = min(per_second * 60, tokens)
        assert taken_of(bucket, per_second * 60, NOW + minute * MINUTE) == share
        tokens = min(tokens - share + 60, DAYS_WORTH)


def test_an_absence_of_ours_adds_what_the_rate_gave_a_month_of_it_at_most() -> None:
    assert taken_of(limiter(), 6_000, NOW, behind=HOUR) == DAYS_WORTH + 3_600
    slow = Allowance(burst=1, rate=0.001)
    few = Limiter(slow)
    few.adopt(inventory(interval=10 * DAY))
    assert taken_of(few, 4_000, NOW, behind=400 * DAY) == 1 + 30 * DAY // (1_000 * SECOND)
