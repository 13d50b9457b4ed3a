"""A broker for tests that takes what it is told to take, and then breaks the connection."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gridwarden.local_authority import init


@dataclass
class Scripted:
    """Serves one connection after another; `acks` says how many messages each acknowledges, None
    for all. A connection ends once it has acknowledged so many and heard one more.
    """

    acks: Sequence[int | None]
    tls: ssl.SSLContext | None = None
    users: list[str] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    heard: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(connection from 0, first byte, payload) of every PUBLISH."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        workers = []
        for number, count in enumerate(self.acks):
            try:
                sock, _ = self._listener.accept()
            except OSError:
                break
            if count is None:
                worker = threading.Thread(target=self._talk, args=(number, sock, count))
                worker.start()
                workers.append(worker)
            else:
                self._talk(number, sock, count)
        for worker in workers:
            worker.join(10)

    def _talk(self, number: int, raw: socket.socket, count: int | None) -> None:
        with suppress(OSError):
            self._converse(number, raw, count)

    def _converse(self, number: int, raw: socket.socket, count: int | None) -> None:
        sock = self.tls.wrap_socket(raw, server_side=True) if self.tls else raw
        with sock, sock.makefile("rb") as stream:
            done = 0
            while packet := _packet(stream.read):
                first, body = packet
                if first == 0x10:
                    self._connect(body)
                    sock.sendall(b"\x20\x02\x00\x00")
                elif first & 0xF0 == 0x30:
                    size = int.from_bytes(body[:2])
                    self.heard.append((number, first, body[4 + size :]))
                    if count is not None and done >= count:
                        return
                    sock.sendall(b"\x40\x02" + body[2 + size : 4 + size])
                    done += 1

    def _connect(self, body: bytes) -> None:
        flags, at, texts = body[7], 10, []
        while at < len(body):
            size = int.from_bytes(body[at : at + 2])
            texts.append(body[at + 2 : at + 2 + size].decode())
            at += 2 + size
        self.clients.append(texts[0])
        self.users.append("/".join(texts[1:]) if flags & 0x80 else "")


def _packet(read: object) -> tuple[int, bytes] | None:
    assert callable(read)
    first = read(1)
    if not first:
        return None
    size, shift = 0, 0
    while True:
        byte = read(1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return first[0], read(size)


@contextmanager
def certificate(folder: Path) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A server's TLS for 127.0.0.1, and the file by which a client trusts it."""
    init(folder, ["127.0.0.1"], datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    yield context, folder / "ca.crt"
