"""A broker that says what a test wants of it, and that real ones say too seldom to wait for.

It speaks as much of MQTT 5 as a publisher needs: CONNECT, PUBLISH at QoS 1, DISCONNECT.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14


class Manner(Enum):
    """What it does with a PUBLISH: the PUBACK's reason code, or silence, or hanging up."""

    ACCEPTS = 0x00
    NOBODY_LISTENS = 0x10
    OVER_QUOTA = 0x97
    NOT_AUTHORISED = 0x87
    SILENT = -1
    HANGS_UP = -2


class ScriptedBroker:
    """Counts what it was told, whatever it answered."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.port = 0
        self.published = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        kind, packet = await _packet(reader)
        if kind == CONNECT:
            writer.write(bytes([0x20, 3, 0, 0, 0]))
        if kind == PUBLISH:
            self.published += 1
            return self._puback(packet, writer)
        return kind != DISCONNECT

    def _puback(self, packet: bytes, writer: asyncio.StreamWriter) -> bool:
        if self.manner is Manner.HANGS_UP:
            return False
        if self.manner is not Manner.SILENT:
            end = 2 + int.from_bytes(packet[:2], "big")
            writer.write(bytes([0x40, 3, *packet[end : end + 2], self.manner.value]))
        return True


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0] >> 4
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)


@asynccontextmanager
async def scripted_broker(manner: Manner) -> AsyncIterator[ScriptedBroker]:
    """One on a free loopback port."""
    broker = ScriptedBroker(manner)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
