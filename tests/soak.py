"""The service under random faults: `python -m tests.soak [--minutes M] [--rate R]`; make soak.

A simulated community and twenty wearables speak at a moderate rate into the real service; a fault
of the matrix strikes every few seconds: the service or the database killed, the broker or the
database restarted, a connection cut, stalled or slowed. At the end everything that the broker
accepted must be there once. Prints one JSON line per check, and ends with 1 if one fails.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import psutil  # type: ignore[import-untyped]
import psycopg

from devices.instant import DAY, MINUTE, Micros, to_datetime, to_micros
from devices.simulator.city import City
from devices.simulator.faults import NO_FAULTS
from devices.simulator.parts import inventory_of
from devices.simulator.rhythm import Span
from devices.topic import up
from gridwarden.migrate import migrate
from gridwarden.site import check
from tests.growth import growth
from tests.ingest.proxy import Fault, Proxy
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services import choose
from tests.services.databases import url_of
from tests.services.server import Provider, Server
from tests.whole import apply_site, until_count

EXAMPLE = Path(__file__).parents[1] / "examples/site"
A_DAY = 20_000
"""Messages of the example site in a day, or a few more."""

CANARIES = 20
COMMUNITY = "lvyuan"
DEVICES = "- {{code: soak-{}, kind: wearable, household: {}, interval: 10m}}\n"
RULE = """\
- id: soak.low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 88
  clear: spo2 >= 94
  severity: red
  title: {zh: 血氧过低, en: Low blood oxygen}
"""
SPELL = 6
"""Rounds of the canaries: in every second half of them SpO2 is low, which is one alert each."""

ROUND_EVERY = 100
"""Messages of the community to one round of the canaries."""

GAP_S = 4.0
"""Seconds between two faults, at most."""
LAST_S = 5.0
"""No fault begins so late, s, …"""
LEAST = 3
"""… but so many strike in any case."""

HALF_OPEN_S = 40.0
"""Seconds in which a connection that is half open is left by both."""

PATIENT_S = 120.0
"""A run this long, s, has time for faults that take half a minute to be noticed."""

LOW = """SELECT count(*), count(DISTINCT (a.subject_id, a.since)) FROM alerts a
    JOIN devices d ON d.id = a.device_id
    WHERE a.rule_code = 'soak.low' AND d.code LIKE 'soak-%'"""
TOLD = """SELECT count(*), count(DISTINCT (alert_id, member_id, channel, occasion))
    FROM notifications"""
LEDGER = """SELECT sum(received), sum(stored), sum(duplicate), sum(rejected),
    (SELECT sum(messages) FROM batches) FROM ledger"""
CANARY_ROWS = """SELECT count(*), count(DISTINCT (device_id, time)) FROM readings
    JOIN devices d ON d.id = device_id WHERE d.code LIKE 'soak-%'"""
STORED = "SELECT coalesce(sum(stored), 0) FROM ledger"


@dataclass(slots=True)
class Feed:
    """What is published, all of it dated, no two alike."""

    city: Iterator[tuple[str, bytes]]
    start: Micros
    step: Micros
    sent: int = 0
    rounds: int = 0

    def take(self) -> tuple[str, bytes]:
        """The next message: of the community or, one after the other, of the canaries."""
        turn = self.sent % (ROUND_EVERY + CANARIES)
        self.sent += 1
        if turn < ROUND_EVERY:
            topic, payload = next(self.city)
        else:
            topic, payload = self._canary(turn - ROUND_EVERY + 1)
            self.rounds += turn == ROUND_EVERY + CANARIES - 1
        return topic, payload

    @property
    def spells(self) -> int:
        """Spells that have begun for every canary."""
        return (self.rounds + SPELL // 2 - 1) // SPELL

    def _canary(self, number: int) -> tuple[str, bytes]:
        low = self.rounds % SPELL >= SPELL - SPELL // 2
        at = to_datetime(self.start + self.rounds * self.step)
        values = {"spo2": 85 if low else 97}
        body = orjson.dumps({"ts": at.isoformat(), "values": values})
        return up(COMMUNITY, f"soak-{number}"), body


@dataclass(slots=True)
class Soak:
    """The parts. struck: how often each fault."""

    service: ServiceProcess
    publisher: Publisher
    broker: Server
    database: Server
    links: dict[str, Proxy]
    feed: Feed
    rate: float
    chance: random.Random
    spared: bool = False
    """The service is not killed."""
    struck: Counter[str] = field(default_factory=Counter)
    lives: list[list[tuple[float, float]]] = field(default_factory=lambda: [[]])
    """Of each life of the service: seconds, and MB of memory."""

    async def run(self, seconds: float) -> None:
        """Publish and let faults strike for so long; return when all of it is stored."""
        end = asyncio.get_running_loop().time() + seconds
        watching = asyncio.create_task(self._watch_memory())
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._publish(end))
                both.create_task(self._strike(end))
            await asyncio.to_thread(self.publisher.wait_for, self.feed.sent, 120)
            await until_count(self.database_url, STORED, self.feed.sent, at_most_s=120)
            await until_alerts(self.database_url, self.feed.spells * CANARIES)
        finally:
            watching.cancel()

    @property
    def database_url(self) -> str:
        """Beside the proxy."""
        return url_of(self.database.url, "gridwarden")

    async def _publish(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        begun, pause = loop.time() - self.feed.sent / self.rate, 0.1
        while loop.time() < end:
            due = round((loop.time() - begun + pause) * self.rate) - self.feed.sent
            messages = [self.feed.take() for _ in range(due)]
            await asyncio.to_thread(self._send, messages)
            await asyncio.sleep(pause)

    def _send(self, messages: list[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            self.publisher.publish(topic, payload)

    async def _strike(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        faults: dict[str, Callable[[], Awaitable[None]]] = {
            "service killed": self._kill_service,
            "broker restarted": lambda: self._off(self.broker.stop, self.broker),
            "database killed": lambda: self._off(self.database.kill, self.database),
            "database restarted": lambda: self._off(self.database.stop, self.database),
        }
        for name, link in self.links.items():
            for fault in ("reset", "close", "stall", "slow"):
                faults[f"{name} {fault}"] = self._harm(link, fault)
        if end - loop.time() > PATIENT_S:
            faults["database half open"] = self._lose_database
        if self.spared:
            del faults["service killed"]
        order: list[str] = []
        while loop.time() < end - LAST_S or self.struck.total() < LEAST:
            if not order:
                order = self.chance.sample(sorted(faults), k=len(faults))
            await asyncio.sleep(self.chance.uniform(0.2, GAP_S))
            name = order.pop()
            await faults[name]()
            self.struck[name] += 1

    async def _lose_database(self) -> None:
        """Nobody is told: service and server find out when they have waited 30 s for each other."""
        self.links["database"].lose()
        await asyncio.sleep(HALF_OPEN_S)

    async def _kill_service(self) -> None:
        await self.service.kill()
        self.lives.append([])
        await self.service.start()

    async def _off(self, end: Callable[[], None], server: Server) -> None:
        await asyncio.to_thread(end)
        await asyncio.sleep(self.chance.uniform(0, 1))
        await asyncio.to_thread(server.start)

    def _harm(self, link: Proxy, fault: Fault) -> Callable[[], Awaitable[None]]:
        async def harm() -> None:
            link.strike(fault)
            await asyncio.sleep(self.chance.uniform(0.2, 2))
            link.heal()

        return harm

    async def _watch_memory(self) -> None:
        while True:
            pid = self.service.pid
            if pid is not None:
                used = psutil.Process(pid).memory_info().rss / 1e6
                self.lives[-1].append((monotonic(), used))
            await asyncio.sleep(1)


async def until_alerts(url: str, count: int) -> None:
    """Return once the canaries have so many alerts."""
    await until_count(url, LOW, count, at_most_s=120)


def checks(soak: Soak) -> Iterator[dict[str, Any]]:
    """What must hold at the end, one after the other, each with its figures."""
    sent, rounds = soak.feed.sent, soak.feed.rounds
    with psycopg.connect(soak.database_url) as conn:
        received, stored, duplicate, rejected, batches = one(conn, LEDGER)
        rows, distinct = one(conn, CANARY_ROWS)
        low, low_distinct = one(conn, LOW)
        told, told_distinct = one(conn, TOLD)
    yield {
        "check": "stored once",
        "ok": (stored, rejected) == (sent, 0) and 0 <= rows - rounds * CANARIES < CANARIES,
        "accepted": sent,
        "stored": stored,
        "rejected": rejected,
        "canary_readings": rows,
        "distinct": distinct,
    }
    yield {
        "check": "ledger",
        "ok": received == stored + duplicate + rejected == batches,
        "received": received,
        "stored": stored,
        "duplicate": duplicate,
        "in_batches": batches,
    }
    yield {
        "check": "alerts once",
        "ok": low == low_distinct and 0 <= low - soak.feed.spells * CANARIES < CANARIES,
        "spells": soak.feed.spells * CANARIES,
        "alerts": low,
        "notifications": told,
        "told_apart": told_distinct,
    }
    told_of = (growth(life, soak.rate) for life in soak.lives)
    grown = [each for each in told_of if each is not None]
    peak = max((used for life in soak.lives for _, used in life), default=0.0)
    yield {
        "check": "memory",
        "ok": bool(peak) and all(each.slope < each.allowed for each in grown),
        "mb_a_minute": [each.slope for each in grown],
        "allowed": [each.allowed for each in grown],
        "peak_mb": round(peak, 1),
        "lives": len(soak.lives),
    }
    yield {"check": "faults", "ok": bool(soak.struck), **dict(sorted(soak.struck.items()))}


def one(conn: psycopg.Connection[Any], query: str) -> tuple[int, ...]:
    """The only row, of numbers."""
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(int(number or 0) for number in row)


def write_site(folder: Path) -> Path:
    """The example site, with twenty wearables more and a rule that watches them."""
    shutil.copytree(EXAMPLE, folder)
    devices = "".join(DEVICES.format(n, "b1-102") for n in range(1, CANARIES + 1))
    (folder / "devices" / "soak.yaml").write_text(devices)
    (folder / "rules" / "soak.yaml").write_text(RULE)
    return folder


def feed(messages: int) -> Feed:
    """At least so many messages, of a time that is over."""
    now = to_micros(datetime.now(UTC))
    span = Span(now - (1 + messages // A_DAY) * DAY, now, ZoneInfo("Asia/Shanghai"))
    city = City(inventory_of(check(EXAMPLE)[0]), span, rates=NO_FAULTS)
    return Feed(((m.topic, m.payload) for m in city.messages()), span.start, MINUTE)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, at how many messages a second, which faults; spare: the service is not killed."""

    minutes: float = 10.0
    rate: float = 200.0
    seed: int = 1
    spare: bool = False


async def soak(provider: Provider, plan: Plan, folder: Path) -> Soak:
    """Run it; AssertionError if what was accepted is not stored in the end."""
    broker, database = provider.mosquitto(), provider.postgres(durable=True)
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE gridwarden")
    url = url_of(database.url, "gridwarden")
    migrate(url)
    await apply_site(url, write_site(folder / "site"), datetime.now(UTC))
    async with AsyncExitStack() as stack:
        links = {
            "broker": await stack.enter_async_context(Proxy(broker.port)),
            "database": await stack.enter_async_context(Proxy(database.port)),
        }
        service = ServiceProcess(
            database_url=url.replace(f":{database.port}/", f":{links['database'].port}/"),
            mqtt_url=f"mqtt://127.0.0.1:{links['broker'].port}",
            log_file=folder / "service.log",
            device_burst="0",
        )
        stack.push_async_callback(service.close)
        await service.start()
        await service.until_connected()
        publisher = await asyncio.to_thread(Publisher, broker.url, "soak")
        stack.callback(publisher.close)
        told = feed(round(plan.minutes * 60 * plan.rate * 1.2))
        chance = random.Random(plan.seed)  # noqa: S311 - the same faults again are wanted
        run = Soak(service, publisher, broker, database, links, told, plan.rate, chance, plan.spare)
        await run.run(plan.minutes * 60)
        await service.stop()
    return run


def report(lines: list[dict[str, Any]]) -> bool:
    """Print these, one JSON line each; whether all are well."""
    for line in lines:
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
    return all(line["ok"] for line in lines)


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual = Plan()
    parser.add_argument("--minutes", type=float, default=usual.minutes, help="how long")
    parser.add_argument("--rate", type=float, default=usual.rate, help="messages a second")
    parser.add_argument("--seed", type=int, default=usual.seed, help="another one, other faults")
    parser.add_argument(
        "--spare", action="store_true", help="do not kill the service: to look at its memory"
    )
    plan = Plan(**vars(parser.parse_args()))
    provider = choose.provider()
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = asyncio.run(soak(provider, plan, Path(folder)))
            well = report(list(checks(run)))
    finally:
        provider.close()
    sys.exit(not well)


if __name__ == "__main__":
    main()
