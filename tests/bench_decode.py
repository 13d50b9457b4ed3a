"""What a batch costs by stage; by hand: `python -m tests.bench_decode [messages [devices]]`.

Each line is a stage, its µs per message, and its ratio to `orjson.loads` of the same payloads, so
that figures of two machines, or of two commits, can be compared. Best of several rounds. The
database is a real one, as in the tests.
"""

import asyncio
import logging
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import orjson
import psycopg

from devices.instant import MINUTE, SECOND
from devices.inventory import Area, Device, Inventory
from ingest.address import parse_address
from ingest.backoff import Backoff
from ingest.decode import decode
from ingest.fate import Written, fates, ledger_columns
from ingest.message import RawMessage, Ticket
from ingest.network import Network
from ingest.receipts import Published, Receipts
from ingest.session import SessionOptions
from ingest.store import store
from tests.ingest.site import LIMITS, NOW
from tests.services import choose
from tests.services.databases import Databases

ROUNDS = 5


def inventory(devices: int) -> Inventory:
    """As many wearables in one community."""
    area = Area(1, "c1", "community", None, {"zh": "甲", "en": "A"})
    return Inventory.of(
        [area],
        [],
        [
            Device(n, f"dev-{n:06}", "c1", "wearable", 1, None, MINUTE, (), {})
            for n in range(1, devices + 1)
        ],
    )


def messages(count: int, *, begin: int, devices: int) -> list[RawMessage]:
    """Messages of 3 values each, the devices in turn, a second apart; begin: the first's number."""
    made = []
    for n in range(begin, begin + count):
        at = NOW - 20_000 * SECOND + n // devices * SECOND
        values = {"spo2": 90 + n % 10, "pulse": 60.5 + n % 30, "body_temperature": 36.6}
        payload = orjson.dumps({"ts": at // 1_000, "values": values})
        topic = f"gw/v1/c1/dev-{n % devices + 1:06}/up"
        made.append(RawMessage(topic, payload, at + n % devices, Ticket(n % 65_535 + 1, 1, 1)))
    return made


def best(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The seconds of the fastest round."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


def receiving(sent: Sequence[RawMessage]) -> Callable[[], object]:
    """What the network thread keeps of each message: received, then settled."""
    published = [Published(m.topic, m.payload, m.ticket.packet_id, 1, False) for m in sent]

    def run() -> None:
        receipts = Receipts()
        receipts.reconnect()
        for begin in range(0, len(published), 500):
            receipts.settle(receipts.receive_all(published[begin : begin + 500], NOW))

    return run


def reading(sent: Sequence[RawMessage]) -> float:
    """CPU seconds of this process from the first byte to the last acknowledgement.

    The broker, a thread here, has all packets made beforehand; what it takes is in it too.
    """
    packets = b"".join(map(packet, sent))
    left, done = len(sent), threading.Event()

    def deliver(read: list[RawMessage], _drained: int | None) -> None:
        nonlocal left
        network.release(read)
        left -= len(read)
        if not left:
            done.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        broker = threading.Thread(target=serve, args=(listener, packets, 4 * len(sent)))
        broker.start()
        address = parse_address(f"mqtt://127.0.0.1:{listener.getsockname()[1]}")
        network = Network(
            SessionOptions(address, "bench", "5", 20_000),
            clock=Still(),
            backoff=Backoff(),
            deliver=deliver,
            on_change=lambda _: None,
            stored={},
        )
        began = time.process_time()
        network.start()
        assert done.wait(60)
        broker.join()
        taken = time.process_time() - began
        network.stop()
    return taken


class Still:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW


def packet(message: RawMessage) -> bytes:
    """A PUBLISH of MQTT 5, QoS 1."""
    topic = message.topic.encode()
    body = struct.pack(">H", len(topic)) + topic
    body += struct.pack(">HB", message.ticket.packet_id, 0) + message.payload
    short = len(body) < 128
    length = (len(body),) if short else (len(body) % 128 + 128, len(body) // 128)
    return bytes((0x32, *length)) + body


def serve(listener: socket.socket, packets: bytes, acknowledgements: int) -> None:
    """A broker that knows one client, and one thing to do."""
    conn, _ = listener.accept()
    with conn:
        conn.recv(4_096)
        conn.sendall(b"\x20\x03\x00\x00\x00")
        subscribe = conn.recv(4_096)
        conn.sendall(b"\x90\x06" + subscribe[2:4] + b"\x00\x01\x01\x01")
        writer = threading.Thread(target=conn.sendall, args=(packets,))
        writer.start()
        while acknowledgements > 0:
            acknowledgements -= len(conn.recv(65_536))
        writer.join()


async def storing(url: str, count: int, devices: int, rounds: int = ROUNDS) -> tuple[float, float]:
    """Seconds to store a batch of new messages, and the same batch again."""
    inventory_ = inventory(devices)
    new: list[float] = []
    again: list[float] = []
    async with await psycopg.AsyncConnection.connect(url) as conn:
        for n in range(rounds):
            decoded = decode(messages(count, begin=n * count, devices=devices), inventory_, LIMITS)
            for taken in (new, again):
                began = time.perf_counter()
                batch = await store(conn, decoded, shard=0, now=NOW, heard_until=NOW)
                await conn.commit()
                taken.append(time.perf_counter() - began)
                assert batch.counts.stored == (count if taken is new else 0)
    return min(new[1:]), min(again)


def main(count: int = 20_000, devices: int = 1_000) -> None:
    """Print the figures of batches of `count` messages of so many devices."""
    logging.disable()
    sent, known = messages(count, begin=0, devices=devices), inventory(devices)
    decoded = decode(sent, known, LIMITS)
    new = np.ones(len(decoded.readings), np.bool_)
    written = Written(new, new[:0], ~new)
    empty = [m._replace(payload=b"{}") for m in sent]
    figures = {
        "orjson.loads": best(lambda: [orjson.loads(m.payload) for m in sent]),
        "receive and settle": best(receiving(sent)),
        "network thread": min(reading(sent) for _ in range(ROUNDS)),
        "decode": best(lambda: decode(sent, known, LIMITS)),
        "decode, all refused": best(lambda: decode(empty, known, LIMITS)),
        "fates and ledger": best(lambda: ledger_columns(decoded, fates(decoded, written))),
    }
    with database() as url:
        stored, again = asyncio.run(storing(url, count, devices))
        figures |= {"store, new": stored, "store, all known": again}
    for stage, seconds in figures.items():
        ratio = seconds / figures["orjson.loads"]
        print(f"{stage:22} {seconds / count * 1e6:8.2f} µs/message {ratio:8.2f} × loads")


@contextmanager
def database() -> Iterator[str]:
    """The URL of a fresh migrated database, as the tests' fixtures make it."""
    own = choose.own_servers().database_url
    with ExitStack() as stack:
        if own is None:
            provider = choose.provider()
            stack.callback(provider.close)
            own = provider.postgres(durable=False).url
        databases = stack.enter_context(Databases(own))
        name, url = databases.create()
        yield url
        databases.drop(name)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
