"""A broker that dies has passed on what it acknowledged: none of it is left lying in the socket."""

import asyncio
import fcntl
import socket
import struct
import termios
import time

import pytest

from gridwarden.clock import WallClock
from ingest.address import parse_address
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.receipts import Published
from ingest.session import Connection, SessionOptions
from ingest.source import Source

WELCOME = b"\x20\x03\x00\x00\x00"
GRANTED = b"\x90\x06\x00\x01\x00\x01\x01\x01"
MESSAGES = 4_000


def publishes() -> bytes:
    """QoS 1 messages of MQTT 5 on the topic 't', packet ids from 1."""
    return b"".join(
        b"\x32\x07\x00\x01t" + struct.pack(">H", n) + b"\x00x" for n in range(1, MESSAGES + 1)
    )


class Dying:
    """Sends all at once, sees that it has arrived, dies as a killed process does."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port: int = self._listener.getsockname()[1]

    def live(self, *, acknowledgements: int) -> None:
        """One connection, killed after it got so many bytes of acknowledgements."""
        sock, _ = self._listener.accept()
        sock.settimeout(10)
        sock.recv(4_096)
        sock.sendall(WELCOME)
        sock.recv(4_096)
        sock.sendall(GRANTED + publishes())
        while unsent(sock):
            time.sleep(0.001)  # the kernel gives no signal of this
        while acknowledgements > 0:
            acknowledgements -= len(sock.recv(acknowledgements))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        self._listener.close()


def unsent(sock: socket.socket) -> int:
    """Bytes that the other side's kernel does not have yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))
    return int(count)


async def test_what_a_dead_broker_had_sent_is_read_while_it_is_acknowledged() -> None:
    broker = Dying()
    life = asyncio.create_task(asyncio.to_thread(broker.live, acknowledgements=4))
    received = 0
    async with (
        asyncio.timeout(20),
        Source(
            url=f"mqtt://127.0.0.1:{broker.port}",
            client_id="session",
            policy=BatchPolicy(messages=10, age=0.001),
            clock=WallClock(),
            backoff=Backoff(first=0.01, longest=0.02),
        ) as source,
    ):
        while received < MESSAGES:
            batch = await source.receive()
            source.acknowledge(batch)
            received += len(batch)
    await life
    assert received == MESSAGES


async def test_an_acknowledgement_that_meets_the_dead_socket_does_not_close_it() -> None:
    broker = Dying()
    life = asyncio.create_task(asyncio.to_thread(broker.live, acknowledgements=0))
    got: list[Published] = []
    connection = await asyncio.to_thread(connect, broker.port, got)
    await life
    connection.acknowledge([(1, 1)])
    connection.acknowledge([(2, 1)])
    while connection.socket is not None:
        connection.keep_alive()
        connection.read(1_000)
    assert len(got) == MESSAGES
    assert "connection was lost" in connection.ended_because


@pytest.mark.timeout(20)
async def test_leaving_a_dead_broker_ends() -> None:
    broker = Dying()
    life = asyncio.create_task(asyncio.to_thread(broker.live, acknowledgements=0))
    connection = await asyncio.to_thread(connect, broker.port, [])
    await life
    connection.acknowledge([(1, 1)])
    await asyncio.to_thread(connection.leave)
    assert connection.socket is None


def connect(port: int, got: list[Published]) -> Connection:
    """A connection that has asked for its messages, and has read none of them."""
    options = SessionOptions(
        parse_address(f"mqtt://127.0.0.1:{port}"), "session", "5", receive_window=10_000
    )
    connection = Connection(options, lambda _: None, got.extend)
    connection.keep_alive()
    while not connection.wants_to_write:
        connection.keep_alive()
        connection.read(1_000)
    connection.keep_alive()
    return connection
