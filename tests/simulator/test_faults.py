"""Faults are planted at their rates, written down, and do to messages what their names say."""

from collections import Counter
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import orjson
import pytest

from devices.instant import DAY, HOUR, MINUTE, to_micros
from devices.simulator.city import City
from devices.simulator.faults import NO_FAULTS, RATES
from devices.simulator.incidents import Incidence
from devices.simulator.message import Message
from devices.simulator.rhythm import Span
from tests.simulator.test_city import example

ZONE = ZoneInfo("Asia/Shanghai")
MIDNIGHT = to_micros(datetime(2026, 3, 2, tzinfo=ZONE))
SPAN = Span(MIDNIGHT, MIDNIGHT + DAY, ZONE)
QUIET = Incidence(0, (), opening=False)


def city(**rates: float) -> City:
    return City(example(), SPAN, incidence=QUIET, rates=rates)


def healthy() -> set[Message]:
    return set(City(example(), SPAN, incidence=QUIET, rates=NO_FAULTS).messages())


def ts(message: Message) -> int:
    """What the message says its time is, µs."""
    return int(orjson.loads(message.payload)["ts"]) * 1_000


def faulty(played: City) -> set[str]:
    return {played.cast.where(fault.row)[1] for fault in played.faults.listed()}


def device(message: Message) -> str:
    return message.topic.split("/")[3]


def test_no_rate_no_fault() -> None:
    assert len(city().faults) == 0
    assert len(city(**RATES).faults) > 20


@pytest.mark.parametrize("name", ["duplicate", "late", "out_of_order", "silent", "stuck"])
def test_only_the_devices_written_down_are_changed(name: str) -> None:
    played = city(**{name: 0.2})
    changed = {device(m) for m in set(played.messages()) ^ healthy()}
    assert changed
    assert changed <= faulty(played)


def test_duplicates_are_the_same_bytes_a_little_later() -> None:
    played = city(duplicate=0.2)
    messages = list(played.messages())
    copies = Counter((m.topic, m.payload) for m in messages)
    assert len(messages) - len(copies) > 50
    assert {m for m in messages if m.due == ts(m)} == healthy()


def test_late_messages_say_when_they_were_measured() -> None:
    messages = list(city(late=0.2).messages())
    assert {m.due - ts(m) for m in messages} == {0, 20 * MINUTE}
    on_time = {(m.topic, m.payload) for m in healthy() if m.due < SPAN.end - 20 * MINUTE}
    assert on_time <= {(m.topic, m.payload) for m in messages}


def test_out_of_order_is_one_device_overtaking_itself() -> None:
    by_device: dict[str, list[int]] = {}
    for message in city(out_of_order=0.3).messages():
        by_device.setdefault(message.topic, []).append(ts(message))
    assert sum(a > b for own in by_device.values() for a, b in pairwise(own)) > 20


def test_wrong_clocks_show_1970_or_are_an_hour_off() -> None:
    off = Counter[str | int]()
    for message in city(wrong_clock=0.5).messages():
        off["1970" if ts(message) < DAY else (ts(message) - message.due) // HOUR] += 1
    assert set(off) == {"1970", -1, 0, 1}


def test_a_stuck_sensor_repeats_itself_and_a_drifting_one_goes_astray() -> None:
    stuck, drifting = city(stuck=1.0), city(drifting=1.0)
    for fault in stuck.faults.listed():
        values = {
            orjson.dumps(body["values"])
            for m in stuck.messages()
            if device(m) == stuck.cast.where(fault.row)[1]
            and fault.start * 1_000 < m.due <= fault.until * 1_000
            and "battery" not in (body := orjson.loads(m.payload))["values"]
        }
        assert len(values) == 1
        break
    pulses = [orjson.loads(m.payload)["values"].get("pulse", 0) for m in drifting.messages()]
    assert max(pulses) > 106


def test_an_outage_is_silence_and_then_everything_at_once() -> None:
    played = city(gateway_outage=1.0)
    area = played.cast.area_codes.index("building-2")
    outage = next(f for f in played.faults.listed() if played.cast.relays.area[f.relay] == area)
    inside = {d.code for d in example().devices.values() if "-2-" in d.code}
    start, until = outage.start * 1_000, outage.until * 1_000
    own = [m for m in played.messages() if device(m) in inside]
    assert [m for m in own if start <= m.due <= until] == []
    kept = [m for m in own if start <= ts(m) <= until]
    assert len(kept) > 20
    assert all(until < m.due <= until + 4_000_000 for m in kept)
    assert {(m.topic, m.payload) for m in own} == {
        (m.topic, m.payload) for m in healthy() if device(m) in inside
    }


def test_an_outage_of_a_gateway_is_told_by_the_broker_and_takes_what_is_behind_it() -> None:
    played = city(gateway_outage=1.0)
    records = [r for r in played.faults.records() if r["device"] is not None]
    assert [r["device"] for r in records] == ["gw-1"]
    gone = [f for f in played.faults.listed() if played.cast.relays.row[f.relay] >= 0]
    start, until = gone[0].start * 1_000, gone[0].until * 1_000
    behind = {d.code for d in example().devices.values() if d.gateway}
    messages = list(played.messages())
    assert len(behind) >= 4
    heard = {device(m) for m in messages if start <= m.due <= until}
    assert not heard & behind
    assert {device(m) for m in messages if until < m.due <= until + 4_000_000} >= {"gw-1"}
    own = [m for m in messages if device(m) == "gw-1"]
    words = [(m.due, m.payload) for m in own if m.topic.endswith("/status")]
    assert words == [(start + 90_000_000, b"offline"), (until + 1_000_000, b"online")]
    assert all(m.topic.endswith("/status") for m in own if start <= m.due <= until)
    usual = {(m.topic, m.payload) for m in healthy() if device(m) in behind}
    assert {(m.topic, m.payload) for m in messages if device(m) in behind} == usual


def test_every_kind_of_fault_is_written_down_with_its_place_and_time() -> None:
    played = city(**dict.fromkeys(RATES, 0.1))
    records = list(played.faults.records())
    assert {record["what"] for record in records} == set(RATES)
    for record in records:
        assert str(record["from"]) <= str(record["until"])
        assert record["device"] is not None or record["what"] == "gateway_outage"
        assert record["area"] in {area.code for area in example().areas.values()}


def test_faults_keep_away_from_incidents() -> None:
    played = City(example(), SPAN, rates={"silent": 1.0, "gateway_outage": 1.0})
    for fault in played.faults.listed():
        for incident in played.incidents:
            if fault.row in incident.rows or fault.relay in played.cast.relay[[*incident.rows]]:
                start, until = fault.start * 1_000, fault.until * 1_000
                assert incident.until < start or incident.start > until
