"""A TCP proxy that does to a connection what networks do: cut, stall, slow, and heal again.

It lives in the test's event loop. A fault strikes when the test says so, or at a named step: where
a mark stands in the stream of one direction.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

Fault = Literal["reset", "close", "stall", "slow"]
Direction = Literal["up", "down"]
"""up: from the client to the server."""

SLOW_BYTES = 64
SLOW_S = 0.002
"""A slow link passes so many bytes in so many seconds: 32 kB/s."""


@dataclass(slots=True)
class Step:
    """Where in the stream something is to happen: before the mark, or inside what follows it.

    after: bytes from the mark's first on that still pass; None: nothing of the piece that holds
    the mark passes.
    """

    direction: Direction
    mark: bytes
    after: int | None = None


@dataclass(slots=True)
class _Armed:
    step: Step
    act: Callable[[], object]
    left: int | None = None
    """Bytes until it strikes; None while the mark has not come."""
    tail: bytes = b""


@dataclass(slots=True, eq=False)
class _Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    held: dict[Direction, bytes] = field(default_factory=lambda: {"up": b"", "down": b""})
    ended: bool = False
    lost: bool = False

    def flush(self) -> None:
        """Pass on what was held."""
        self.server.write(self.held["up"])
        self.client.write(self.held["down"])
        self.held = {"up": b"", "down": b""}

    def end(self, *, reset: bool) -> None:
        self.ended = True
        for writer in (self.client, self.server):
            if reset:
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):  # it may be gone already
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """Listens on `port` and passes on to `target` (both on 127.0.0.1) while it is entered.

    struck: the faults that happened, in order · refused: connections that a cut link turned away ·
    held: bytes that a stalled link took and kept · slowed: bytes that passed a slow link ·
    abandoned: stalled connections that the client gave up.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._links: set[_Link] = set()
        self._accepted: set[asyncio.Task[None]] = set()
        self._armed: list[_Armed] = []
        self._fault: Fault | None = None
        self._healthy = asyncio.Event()
        self._healthy.set()
        self._closing = asyncio.Event()
        self.struck: list[Fault] = []
        self.refused = 0
        self.held = 0
        self.slowed = 0
        self.abandoned = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._closing.set()
        self._fault = None
        self._healthy.set()
        for link in self._links:
            link.end(reset=True)
        await asyncio.gather(*self._accepted)

    def at(self, step: Step, act: Callable[[], object]) -> None:
        """Call `act` once, when the stream reaches `step`."""
        self._armed.append(_Armed(step, act))

    def strike(self, fault: Fault) -> None:
        """From now on, until `heal`: cut and refuse (reset, close), hold (stall), or slow."""
        self.struck.append(fault)
        self._fault = fault
        self._healthy.clear()
        if fault in {"reset", "close"}:
            for link in self._links:
                link.end(reset=fault == "reset")

    def lose(self) -> None:
        """What goes over the present connections is lost, and neither side is told; new ones work.

        So it is when a firewall between the two forgets them.
        """
        for link in self._links:
            link.lost = True

    def heal(self) -> None:
        """Pass everything on again; what a stalled link held arrives now."""
        self._fault = None
        for link in self._links:
            link.flush()
        self._healthy.set()

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, client))
        self._accepted.add(task)
        task.add_done_callback(self._accepted.discard)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._fault in {"reset", "close"}:
            self.refused += 1
            client.transport.abort()
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.transport.abort()
            return
        link = _Link(client, server)
        self._links.add(link)
        link.pumps = [
            asyncio.create_task(self._pump(link, "up", reader)),
            asyncio.create_task(self._pump(link, "down", answers)),
        ]
        await asyncio.wait(link.pumps, return_when=asyncio.FIRST_COMPLETED)
        # What one side has said before it left is passed on first.
        link.end(reset=False)
        await asyncio.gather(*link.pumps)
        self._links.discard(link)

    async def _pump(self, link: _Link, direction: Direction, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while not link.ended and (data := await reader.read(65_536)):
                await self._pass(link, direction, data)
        if link.lost or self._fault == "stall":
            self.abandoned += direction == "up"
            # The other side does not learn of it either.
            await (self._closing if link.lost else self._healthy).wait()

    async def _pass(self, link: _Link, direction: Direction, data: bytes) -> None:
        rest = data
        for armed in list(self._armed):
            cut = _place(armed, rest) if armed.step.direction == direction else None
            if cut is not None:
                await self._send(link, direction, rest[:cut])
                rest = rest[cut:]
                self._armed.remove(armed)
                armed.act()
        await self._send(link, direction, rest)

    async def _send(self, link: _Link, direction: Direction, data: bytes) -> None:
        to = link.server if direction == "up" else link.client
        while self._fault == "slow" and data:
            self.slowed += len(data[:SLOW_BYTES])
            to.write(data[:SLOW_BYTES])
            data = data[SLOW_BYTES:]
            await asyncio.sleep(SLOW_S)
        if link.lost:
            self.held += len(data)
        elif self._fault == "stall":
            self.held += len(data)
            link.held[direction] += data
        elif not link.ended:
            to.write(data)
            await to.drain()


def _place(armed: _Armed, data: bytes) -> int | None:
    """Where in `data` it is time to strike; None if not in there."""
    if armed.left is None:
        seen = armed.tail + data
        at = seen.find(armed.step.mark)
        armed.tail = seen[-len(armed.step.mark) + 1 :]
        if at < 0:
            return None
        if armed.step.after is None:
            return 0
        armed.left = max(0, at - (len(seen) - len(data)) + armed.step.after)
    if armed.left <= len(data):
        return armed.left
    armed.left -= len(data)
    return None
