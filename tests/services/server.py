"""What a test sees of a server, wherever it runs."""

import random
import socket
from dataclasses import dataclass
from typing import Protocol


class ServiceMissingError(Exception):
    """No way to get a server, or it does not start; the text says what to provide."""


class Server(Protocol):
    """A server on a loopback port that stays the same when it is killed and started again."""

    @property
    def url(self) -> str:
        """Where clients reach it: postgresql://… or mqtt://…"""
        ...

    @property
    def port(self) -> int:
        """Its TCP port on 127.0.0.1."""
        ...

    def start(self) -> None:
        """Start it and wait until it serves; ServiceMissingError if it does not come up."""
        ...

    def kill(self) -> None:
        """End it and all its children with SIGKILL and wait until they are gone."""
        ...

    def stop(self) -> None:
        """End it in order, as an administrator does, and wait; it can be started again."""
        ...

    def remove(self) -> None:
        """End it if it runs and delete what it kept. May be called again."""
        ...


class GuardedServer(Server, Protocol):
    """A broker that wants an account; `url` is its listener in the clear, without an account."""

    @property
    def tls_port(self) -> int:
        """The TCP port of its TLS listener on 127.0.0.1."""
        ...


class Disk(Protocol):
    """A small file system."""

    @property
    def path(self) -> str:
        """Where the server sees it."""
        ...

    def fill(self) -> None:
        """Leave no byte free on it."""
        ...

    def free(self) -> None:
        """Take away again what `fill` put there."""
        ...


class SmallDiskServer(Server, Protocol):
    """A database server with two small file systems."""

    @property
    def wal(self) -> Disk:
        """Where its WAL is."""
        ...

    @property
    def tablespace(self) -> Disk:
        """An empty folder for a tablespace."""
        ...


@dataclass(frozen=True, slots=True)
class Guard:
    """What a broker that wants accounts starts with: the plugin's file, and TLS as PEM."""

    accounts: bytes
    certificate: bytes
    key: bytes


class Provider(Protocol):
    """Makes servers, started, each with data of its own."""

    def postgres(self, *, durable: bool) -> Server:
        """A TimescaleDB server; `durable` keeps fsync on. Its superuser needs no password."""
        ...

    def standby(self, of: Server) -> Server:
        """A hot standby that streams all of one of this provider's TimescaleDB servers.

        That one waits at each commit until the standby has it.
        """
        ...

    def postgres_on_small_disk(self) -> "SmallDiskServer":
        """A durable TimescaleDB server whose WAL and one tablespace are on file systems to fill."""
        ...

    def mosquitto(self, **changed: str) -> Server:
        """A broker open to everybody, else as the configuration that ships, but for these."""
        ...

    def guarded_mosquitto(self, guard: Guard) -> GuardedServer:
        """A broker with the configuration that ships, with accounts and TLS."""
        ...

    def close(self) -> None:
        """Remove every server made."""
        ...


def free_port() -> int:
    """A loopback port that nobody has now.

    Below the range from which the system numbers outgoing connections: a client that keeps
    knocking at a killed server's port could else be given that port and connect to itself.
    """
    for port in random.sample(range(15_000, 30_000), k=100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and _can_bind(port):
                return port
    raise ServiceMissingError("no free port among 100 tried from 15000 to 29999 on 127.0.0.1")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
