"""Broken messages by the million: python -m tests.formats.fuzz [COUNT [SEED [FORMAT…]]].

Each is a published message with something of it changed, or noise. A format may understand it or
refuse it with a reason; anything else, a value outside its metric's range, or a message that takes
longer than a second ends the run and is printed, so that it can become a test. Prints per format
how many were understood and refused. Formats with a memory are told stories: what one message
announces is known to the next, and must be the same after it was kept.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import orjson
from rich.progress import track

from devices import formats
from devices.formats.explain import explain
from devices.formats.memory import MAX_BYTES, NOTHING, Memory, Notes
from devices.metric import BY_NAME
from tests.formats.published import FOLDER
from tests.formats.test_sparkplug import bdseq, degrees
from tests.formats.test_sparkplug import payload as sparkplug

DOOR = {"name": "Door", "alias": 5, "datatype": 11, "boolean": True}
SEEDS = {
    "chirpstack": "chirpstack_v4_events",
    "esprfid": "esp_rfid_mqtt",
    "fiware": "fiware_parking",
    "hikvision": "hikvision_access",
    "lorawan": "ttn_lorawan_codec_examples",
    "openmhealth": "openmhealth_vitals",
    "senml": "senml_rfc8428",
    "tasmota": "tasmota_mqtt",
    "tts": "tts_v3_messages",
    "zigbee2mqtt": "zigbee2mqtt",
}
OWN = {
    "shelly": (
        "shellyplus1pm-a8032ab6/events/rpc",
        (
            b'{"src": "shellyplus1pm-a8032ab6", "dst": "x", "method": "NotifyStatus", "params":'
            b' {"ts": 1763692800.12, "switch:0": {"apower": 12.5, "voltage": 229, "output": true},'
            b' "temperature:0": {"tC": 21.5}, "humidity:0": {"rh": 44.2}}}'
        ),
    ),
    "native": ("a/b/c", b'{"ts": 1763692800123, "values": {"spo2": 97, "pulse": 71.5}}'),
}
"""Messages of ours where none are published."""

TOLD: dict[str, tuple[tuple[str, bytes], ...]] = {
    "homeassistant": (
        (
            "homeassistant/binary_sensor/hall/door/config",
            (
                b'{"name": "Door", "stat_t": "hall/door", "dev_cla": "door", "uniq_id": "d1",'
                b' "dev": {"ids": ["0x90fd"], "name": "Hall", "mf": "Maker", "mdl": "M1"},'
                b' "avty": [{"t": "hall/lwt", "val_tpl": "{{ value_json.state }}"}]}'
            ),
        ),
        ("homeassistant/binary_sensor/hall/door/config", b""),
        (
            "homeassistant/device/hall/config",
            (
                b'{"dev": {"ids": "0x90fe"}, "stat_t": "hall/state", "avty_t": "hall/lwt2",'
                b' "cmps": {"t": {"p": "sensor", "dev_cla": "temperature", "unit_of_meas": "C",'
                b' "val_tpl": "{{ value_json.t | float | round(1) }}"}, "m": {"p": "binary_sensor",'
                b' "dev_cla": "moisture", "val_tpl": "{{ value_json[\'m\'] }}", "pl_on": true,'
                b' "pl_off": false}, "e": {"p": "event", "dev_cla": "button", "stat_t": "hall/e"}}}'
            ),
        ),
        ("hall/door", b"ON"),
        ("hall/lwt", b'{"state": "offline"}'),
        ("hall/lwt2", b"online"),
        ("hall/state", b'{"t": 21.46, "m": true}'),
        ("hall/e", b'{"event_type": "press"}'),
    ),
    "sparkplug": (
        ("spBv1.0/lvyuan/DDATA/edge/d1", sparkplug(degrees())),
        ("spBv1.0/lvyuan/NBIRTH/edge", sparkplug(bdseq(1), degrees(alias=3), seq=0)),
        ("spBv1.0/lvyuan/DBIRTH/edge/d1", sparkplug(degrees(alias=4), DOOR, seq=1)),
        ("spBv1.0/lvyuan/NDATA/edge", sparkplug({"alias": 3, "float": 20.5}, seq=2)),
        ("spBv1.0/lvyuan/DDATA/edge/d1", sparkplug({"alias": 4, "float": 20.5}, DOOR, seq=3)),
        ("spBv1.0/lvyuan/DDEATH/edge/d1", sparkplug(seq=4)),
        ("spBv1.0/lvyuan/NDEATH/edge", sparkplug(bdseq(1), seq=None)),
    ),
}
"""Messages of ours for the formats with a memory, as they would be told one after the other."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 255, 256, 65_535, 2**31, 2**63, 2**64 - 1, -(2**63), 2**70),
    *(0.1, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf")),
    *("", " ", "0", "-1", "1e999", "NaN", "Infinity", "true", "ON", "null", "\x00", "\ud7ff", "💥"),
    *("9" * 400, "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"),
    *("2026-01-01", [], {}, [[]], [{}], {"": None}, [1] * 50, {"a": {"b": {"c": []}}}),
)
SLOW_S = 1.0
STORY = 25
"""Messages that are told one after the other to a format with a memory."""


def seeds(name: str) -> list[tuple[str, bytes]]:
    """Topic and payload of the published messages of a format; ours where there are none."""
    if name in TOLD:
        return list(TOLD[name])
    file = FOLDER / f"{SEEDS.get(name, '')}.jsonl"
    if not file.is_file():
        return [OWN.get(name, OWN["native"])]
    found = (orjson.loads(line) for line in file.read_bytes().splitlines())
    return [(m["topic"] or "", _bytes(m)) for m in found if m["payload"] is not None]


def _bytes(message: dict[str, Any]) -> bytes:
    payload = message["payload"]
    if isinstance(payload, str):
        return payload.encode()
    return orjson.dumps({"device": message.get("device")} | payload)


def broken(chance: random.Random, seed: tuple[str, bytes]) -> tuple[str, bytes]:
    """A topic and a payload with something changed."""
    topic, payload = seed
    if chance.random() < 0.1:
        topic = chance.choice(("", "/", "a", topic[:-1], topic + "/x", "💥/" + topic, "\x00"))
    change: Callable[[random.Random, bytes], bytes] = chance.choice(
        (_values, _values, _values, _values, _flip, _cut, _noise)
    )
    return topic, change(chance, payload)


def _values(chance: random.Random, payload: bytes) -> bytes:
    try:
        parsed = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _flip(chance, payload)
    for _ in range(chance.choice((1, 1, 2, 5))):
        places = list(_places(parsed))
        if places:
            holder, key = chance.choice(places)
            _change(chance, holder, key)
    return json.dumps(parsed).encode()


def _places(parsed: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(parsed, dict | list):
        return
    for key, value in list(parsed.items() if isinstance(parsed, dict) else enumerate(parsed)):
        yield parsed, key
        yield from _places(value)


def _change(chance: random.Random, holder: Any, key: Any) -> None:
    old = holder[key]
    if isinstance(old, int | float) and chance.random() < 0.5:
        holder[key] = old * chance.choice((-1, 2, 10, 1000, 1e9, 0.001)) + chance.choice((0, 1))
    elif isinstance(holder, dict) and chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = deepcopy(chance.choice(ODD))


def _flip(chance: random.Random, payload: bytes) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.choice((1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(chance: random.Random, payload: bytes) -> bytes:
    start = chance.randrange(len(payload) + 1) if chance.random() < 0.3 else 0
    return payload[start : chance.randrange(len(payload) + 1)]


def _noise(chance: random.Random, _payload: bytes) -> bytes:
    return chance.randbytes(chance.randrange(64))


def examine(name: str, topic: str, payload: bytes, notes: Notes | None = None) -> bool:
    """True if it was understood; AssertionError where the format broke its word.

    notes: what the messages before it announced.
    """
    began = time.perf_counter()
    try:
        read = formats.BY_NAME[name] if notes is None else formats.reader(name, notes)
        said = explain(read, topic, payload)
        orjson.dumps(said)
    except Exception as error:
        raise AssertionError(f"{name} {topic!r} {payload!r}: {error!r}") from error
    took = time.perf_counter() - began
    assert took < SLOW_S, f"{name} {topic!r} {payload!r} took {took:.1f} s"
    if "rejected" in said:
        assert said["rejected"]
        return False
    for reading in said["readings"]:
        known = BY_NAME[reading["metric"]]
        assert known.low <= reading["value"] <= known.high, (name, topic, payload, reading)
    return True


def tell(name: str, chance: random.Random) -> int:
    """Tell one of the formats with a memory `STORY` messages; how many were understood.

    Most are whole and in their order, so that something is announced to be misunderstood.
    """
    notes, told, understood = Notes(), TOLD[name], 0
    for number in range(STORY):
        one = told[number % len(told)] if chance.random() < 0.6 else chance.choice(told)
        said = one if chance.random() < 0.5 else broken(chance, one)
        understood += examine(name, *said, notes)
    keep(notes)
    return understood


def keep(notes: Notes) -> None:
    """AssertionError where what was announced is not the same after it was kept."""
    memory = Memory.of(
        (key, formats.load(key[1], key[2], entry.dump()))
        for key, entry in notes.changes.items()
        if entry is not None
    )
    assert memory == NOTHING.after(notes.changes), notes.changes
    assert sum(memory.spent.values()) <= len(memory.spent) * MAX_BYTES


def main(count: int, seed: int, *only: str) -> None:
    """Run `count` messages, spread over these formats or all, and print what became of them."""
    understood: Counter[str] = Counter()
    names = sorted(only or formats.BY_NAME)
    for name in names:
        chance, own = random.Random(f"{seed} {name}"), seeds(name)  # noqa: S311 - nothing secret
        if name in TOLD:
            for _ in track(range(count // len(names) // STORY), name):
                understood[name] += tell(name, chance)
            continue
        for _ in track(range(count // len(names)), name):
            understood[name] += examine(name, *broken(chance, chance.choice(own)))
    for name in names:
        each = count // len(names)
        print(f"{name:14} {understood[name]:9} understood {each - understood[name]:9} refused")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 100_000, int(given[1]) if given[1:] else 1, *given[2:])
