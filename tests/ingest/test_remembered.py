"""What was announced, through batches, crashes and redeliveries: the same rows, the same memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import formats
from devices.formats.memory import NOTHING, Memory
from devices.instant import MINUTE, SECOND
from devices.inventory import Area, Device, Inventory
from ingest.decode import decode
from ingest.decoded import Decoded
from ingest.receipts import Earlier, Published, Receipts, fingerprint
from tests.formats.test_sparkplug import bdseq, degrees, payload
from tests.ingest.site import LIMITS, NOW

HOME, PLANT = "gw/v1/c1/ext/homeassistant/", "gw/v1/c1/ext/sparkplug/spBv1.0/G/"
CLASSES = {"door": "door", "moisture": "leak", "smoke": "smoke"}


def site() -> Inventory:
    """Two devices of Home Assistant's, an edge node and a device behind it."""
    devices = [
        Device(n, code, "c1", "door", 1, None, MINUTE, (), {}, address=address)
        for n, (code, address) in enumerate(
            (("hall", "0xhall"), ("yard", "0xyard"), ("node", "G/E"), ("tank", "G/E/D")), 1
        )
    ]
    return Inventory.of([Area(1, "c1", "community", None, {})], [], devices)


def config(place: str, device_class: str, on: str) -> tuple[str, bytes]:
    said = {
        "stat_t": "home/state",
        "dev_cla": device_class,
        "val_tpl": f"{{{{ value_json.{place} }}}}",
        "pl_on": on,
        "pl_off": "closed" if on == "open" else "open",
        "dev": {"ids": f"0x{place}"},
    }
    return f"{HOME}ha/binary_sensor/{place}/config", orjson.dumps(said)


def plant(kind: str, *metrics: dict[str, object], seq: int | None) -> tuple[str, bytes]:
    device = "/D" if kind.startswith("D") else ""
    return f"{PLANT}{kind}/E{device}", payload(*metrics, seq=seq, time=None)


INVENTORY = site()
SEQ = st.integers(0, 3)
PLACES = st.sampled_from(["hall", "yard"])
WORDS = st.sampled_from(["open", "closed"])
CELSIUS, FAHRENHEIT = {"engUnit": "°C"}, {"engUnit": "°F"}
BIRTHS = st.builds(
    lambda alias, unit: degrees(alias=alias, properties=unit),
    st.integers(1, 2),
    st.sampled_from([CELSIUS, FAHRENHEIT]),
)
DATA = st.builds(
    lambda alias, value: {"alias": alias, "float": value},
    st.integers(1, 2),
    st.sampled_from([20.0, 30.0, 40.0]),
)
MESSAGES = st.one_of(
    st.builds(config, PLACES, st.sampled_from(sorted(CLASSES)), WORDS),
    st.builds(lambda place: (config(place, "door", "open")[0], b""), PLACES),
    st.builds(
        lambda hall, yard: (HOME + "home/state", orjson.dumps({"hall": hall, "yard": yard})),
        WORDS,
        WORDS,
    ),
    st.builds(lambda birth, n: plant("NBIRTH", bdseq(n), birth, seq=0), BIRTHS, st.integers(1, 2)),
    st.builds(lambda birth, seq: plant("DBIRTH", birth, seq=seq), BIRTHS, SEQ),
    st.builds(
        lambda kind, data, seq: plant(kind, data, seq=seq), st.sampled_from(["NDATA"]), DATA, SEQ
    ),
    st.builds(lambda data, seq: plant("DDATA", data, seq=seq), DATA, SEQ),
    st.builds(lambda seq: plant("DDEATH", seq=seq), SEQ),
    st.builds(lambda n: plant("NDEATH", bdseq(n), seq=None), st.integers(1, 2)),
    st.just(("gw/v1/c1/hall/up", b'{"values": {"battery": 80}}')),
)


class End(Enum):
    """How a batch ends."""

    ACKNOWLEDGED = 1
    CRASH_BEFORE_COMMIT = 2
    CRASH_BEFORE_ACKNOWLEDGEMENT = 3
    LOST_CONNECTION = 4


BATCHES = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(End)), max_size=12)


@dataclass
class Life:
    """A broker that holds what is not acknowledged, and a service that crashes."""

    told: Sequence[tuple[str, bytes]]
    memory: Memory = NOTHING
    rows: dict[tuple[object, ...], tuple[float, int]] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    commands: list[int] = field(default_factory=list)
    stored: dict[int, Earlier] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    settled: int = 0

    def batch(self, receipts: Receipts, first: int, size: int) -> Decoded:
        """What the broker sends next, decoded. A packet's id is its place among all, from 1 on."""
        sent = []
        for packet in range(first, min(first + size, len(self.told) + 1)):
            topic, content = self.told[packet - 1]
            published = Published(topic, content, packet, 1, packet in self.seen)
            self.seen.add(packet)
            sent.append(receipts.receive(published, NOW + packet * SECOND))
        return decode(sent, INVENTORY, LIMITS, self.memory)

    def commit(self, decoded: Decoded) -> None:
        """What the transaction writes: rows that are there already are left alone."""
        for key, row in rows(decoded).items():
            self.rows.setdefault(key, row)
        for one in decoded.rejections:
            packet = decoded.messages[one.message].ticket.packet_id
            assert packet not in self.rejected, "refused a second time"
            self.rejected[packet] = one.detail
        for message in decoded.known_by_arrival():
            digest = fingerprint(message.topic, message.payload)
            self.stored[message.ticket.packet_id] = Earlier(digest, message.arrival)
        self.memory = self.memory.after(decoded.changes)

    def restart(self) -> Receipts:
        """A new process: it knows what the database holds."""
        self.memory = Memory.of(
            [
                (key, formats.load(key[1], key[2], entry.dump()))
                for key, entry in self.memory.entries.items()
            ]
        )
        return connected(Receipts(self.stored))

    def run(self, batches: Sequence[tuple[int, End]]) -> None:
        """Live through these batches, then to the end without harm."""
        receipts, following = self.restart(), 1
        for size, end in [*batches, *[(len(self.told), End.ACKNOWLEDGED)] * 2]:
            decoded = self.batch(receipts, following, size)
            if end is End.CRASH_BEFORE_COMMIT:
                receipts, following = self.restart(), self.settled + 1
                continue
            self.commit(decoded)
            if end is End.CRASH_BEFORE_ACKNOWLEDGEMENT:
                receipts, following = self.restart(), self.settled + 1
                continue
            receipts.settle(decoded.messages)
            if end is End.LOST_CONNECTION:  # … and the acknowledgements with it
                following = self.settled + 1
                connected(receipts)
                continue
            following += len(decoded.messages)
            self.settled = following - 1


def connected(receipts: Receipts) -> Receipts:
    receipts.reconnect()
    return receipts


def rows(decoded: Decoded) -> dict[tuple[object, ...], tuple[float, int]]:
    """Key to value and time of arrival."""
    found: dict[tuple[object, ...], tuple[float, int]] = {}
    for r in decoded.readings.rows():
        found[r.device, r.metric, r.time] = (r.value, r.arrival)
    for r, digest in zip(decoded.events.rows(), decoded.digest.tolist(), strict=True):
        found[r.device, r.metric, r.time, digest] = (r.value, r.arrival)
    return found


@given(st.lists(MESSAGES, max_size=25), BATCHES)
@settings(max_examples=400, deadline=None)
def test_any_batches_crashes_and_redeliveries_give_the_same_rows_and_the_same_memory(
    told: list[tuple[str, bytes]], batches: list[tuple[int, End]]
) -> None:
    life = Life(told)
    life.run(batches)
    once = Life(told)
    whole = once.batch(connected(Receipts()), 1, len(told))
    once.commit(whole)
    assert life.settled == len(told)
    assert life.rows == once.rows
    assert life.rejected == once.rejected
    assert life.memory == once.memory


def test_what_is_understood_otherwise_the_second_time_is_known_by_its_first() -> None:
    """The births change between a message and its redelivery: the alias means °F then."""
    told = [
        plant("NBIRTH", bdseq(1), degrees(alias=1, properties=CELSIUS), seq=0),
        plant("NDATA", {"alias": 1, "float": 20.0}, seq=1),
        plant("NBIRTH", bdseq(2), degrees(alias=1, properties=FAHRENHEIT), seq=0),
    ]
    life = Life(told)
    life.run([(3, End.CRASH_BEFORE_ACKNOWLEDGEMENT)])
    once = Life(told)
    once.run([])
    assert life.rows == once.rows
    assert life.rejected == once.rejected == {}
    again = life.batch(life.restart(), 2, 1)
    assert [m.repeated for m in again.messages] == [True]
    assert again.usable.tolist() == [True]
    assert len(again.readings) == 0


def test_a_batch_that_is_halved_is_decoded_from_the_last_commit() -> None:
    told = [
        plant("NBIRTH", bdseq(1), degrees(alias=1), seq=0),
        plant("NDATA", {"alias": 1, "float": 21.0}, seq=1),
        plant("NDATA", {"alias": 1, "float": 22.0}, seq=2),
        plant("NDATA", {"alias": 1, "float": 23.0}, seq=3),
    ]
    life = Life(told)
    receipts = connected(Receipts())
    messages = life.batch(receipts, 1, 4).messages
    for part in (messages[:2], messages[2:3], messages[3:]):
        life.commit(decode(part, INVENTORY, LIMITS, life.memory))
    once = Life(told)
    once.run([])
    assert (life.rows, life.memory) == (once.rows, once.memory)
    assert len(life.rows) == 4 + 1


def test_only_communities_of_the_site_are_remembered() -> None:
    told = [plant("NBIRTH", bdseq(1), degrees(alias=1), seq=0)]
    elsewhere = [(topic.replace("/c1/", "/c2/"), content) for topic, content in told]
    assert Life(told).batch(connected(Receipts()), 1, 1).changes
    decoded = Life(elsewhere).batch(connected(Receipts()), 1, 1)
    assert (dict(decoded.changes), decoded.with_memory) == ({}, ())


def test_messages_without_a_memory_do_not_touch_it() -> None:
    life = Life([("gw/v1/c1/hall/up", b'{"values": {"battery": 80}}')])
    decoded = life.batch(connected(Receipts()), 1, 1)
    assert decoded.with_memory == ()
    assert life.memory.after(decoded.changes) is life.memory
    assert [m._replace(repeated=True).repeated for m in decoded.messages] == [True]
