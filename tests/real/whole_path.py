"""Recorded readings through the service: real broker, real database, a process of its own."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from devices.simulator.publish import Address, Publisher
from gridwarden.cli_replay import await_books, publish
from gridwarden.clock import WallClock
from gridwarden.demo_site import settle
from gridwarden.demo_stage import environment
from gridwarden.embedded import started, tethered
from gridwarden.replay import Reader, Recorded, messages
from gridwarden.settings import Settings
from gridwarden.settlement import Settlement, mark, settlement
from gridwarden.site import check_files
from tests.real.source import Converted

SETTLE_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What went in and what came of it."""

    sent: int
    accepted: int
    books: Settlement

    def table(self, title: str) -> str:
        """The passage as text, for people."""
        lines = [f"{title}: sent {self.sent}, accepted {self.accepted}, {self.books.ledger}"]
        lines += [f"  rejected {n} × {why}" for why, n in self.books.reject_reasons.items()]
        lines += [f"  {n} alerts of {rule}" for rule, n in self.books.alerts_by_rule.items()]
        return "\n".join(lines)


def pass_through(
    converted: Converted, community: str, *, database_url: str, mqtt_url: str, folder: Path
) -> Passage:
    """Apply the site, run the service, publish all rows, wait until they are judged."""
    site, rules = check_files(converted.site)
    settle(database_url, site, rules, WallClock().now())
    with (
        _service(database_url, mqtt_url, folder),
        psycopg.connect(database_url, autocommit=True) as conn,
        Publisher(Address.parse(mqtt_url), window=5_000) as publisher,
    ):
        before = mark(conn)
        read = Reader("recorded.csv", community).read(converted.csv().splitlines(keepends=True))
        publish(messages(r for r in read if isinstance(r, Recorded)), publisher, 0, lambda: None)
        publisher.drain()
        await_books(conn, before, publisher.accepted, SETTLE_WITHIN_S)
        return Passage(publisher.sent, publisher.accepted, settlement(conn, before))


@contextmanager
def _service(database_url: str, mqtt_url: str, folder: Path) -> Iterator[None]:
    settings = Settings(database_url=database_url, mqtt_url=mqtt_url, web_port=_free_port())
    ready, log = folder / "ready", folder / "service.log"
    command = [sys.executable, "-m", "gridwarden.demo_service", str(ready)]
    with tethered("the service", command, log=log, environment=environment(settings)) as child:
        started(child, ready.exists)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
