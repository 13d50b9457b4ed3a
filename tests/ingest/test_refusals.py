"""Brokers that refuse or talk nonsense: tried again for ever, told once, never a silent stall."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from gridwarden.clock import WallClock
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.source import Source

WELCOME = b"\x20\x03\x00\x00\x00"
NOT_AUTHORIZED = b"\x20\x03\x00\x87\x00"
NO_SUBSCRIPTION = b"\x90\x06\x00\x01\x00\x01\x87\x01"
ONLY_QOS_0 = b"\x90\x06\x00\x01\x00\x00\x00\x00"
BAD_PUBLISH = b"\x32\x02\xff\xff"


class Refusing:
    """Answers every packet with the next of its answers, then hangs up; counts connections."""

    def __init__(self, answers: tuple[bytes, ...]) -> None:
        self._answers = answers
        self._connections = 0
        self._changed = threading.Condition()

    def refuse(self, sock: socket.socket) -> None:
        # The other side may well hang up first.
        with suppress(OSError):
            for answer in self._answers:
                sock.recv(4_096)
                sock.sendall(answer)
        with self._changed:
            self._connections += 1
            self._changed.notify_all()

    def until(self, connections: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._connections >= connections)


@dataclass(frozen=True, slots=True)
class Counting(Backoff):
    """Hardly waits, and signals the third failure in a row."""

    third: threading.Event = field(default_factory=threading.Event)

    def delay(self, failures: int, chance: float) -> float:
        if failures == 3:
            self.third.set()
        return chance / 1_000


@contextmanager
def served(broker: Refusing) -> Iterator[str]:
    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            broker.refuse(self.request)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"mqtt://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((NOT_AUTHORIZED,), "refuses the connection: Not authorized"),
        ((WELCOME, NO_SUBSCRIPTION), "refuses to subscribe us to gw/v1/+/+/status"),
        ((WELCOME, ONLY_QOS_0), "refuses to subscribe us to gw/v1/+/+/up (Granted QoS 0)"),
        ((WELCOME + BAD_PUBLISH,), "the connection was lost: Protocol error"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "the connection was lost"),
        ((b"",), "the connection was lost"),
    ],
)
async def test_a_refusal_is_told_once_and_tried_again(
    answers: tuple[bytes, ...], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Refusing(answers)
    with served(broker) as url:
        source = Source(
            url=url,
            client_id="session",
            policy=BatchPolicy(messages=10, age=0.01),
            clock=WallClock(),
            backoff=Backoff(first=0.001, longest=0.002),
        )
        async with source:
            await asyncio.to_thread(broker.until, connections=4)
            assert not source.connected
    (record,) = [r for r in caplog.records if r.name == "ingest.network"]
    assert vars(record)["action"] == "source.disconnected"
    assert told in vars(record)["reason"]


async def test_a_broker_that_is_not_there_at_first_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backoff = Counting()
    async with Source(
        url="mqtt://127.0.0.1:1",
        client_id="session",
        policy=BatchPolicy(messages=10, age=0.01),
        clock=WallClock(),
        backoff=backoff,
    ) as source:
        await asyncio.to_thread(backoff.third.wait)
        assert source.connections >= 3
    (record,) = [r for r in caplog.records if r.name == "ingest.network"]
    assert "cannot connect" in vars(record)["reason"]
