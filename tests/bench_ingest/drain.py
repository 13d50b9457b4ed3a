"""What is measured, on servers of its own."""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from devices.simulator.publish import Address, Publisher
from gridwarden.shard import layout
from tests.bench_ingest.bare import WINDOW, hold, reference
from tests.bench_ingest.commits import Commits, until_judged
from tests.bench_ingest.feed import Feed, apply
from tests.bench_ingest.processes import Worker, listener, usage
from tests.bench_ingest.tell import tell
from tests.services.databases import Databases
from tests.services.server import Provider, Server

LOOK_S = 0.002
"""Seconds between two looks at what is committed: how exact a latency is."""
OUTAGE_S = 300.0
"""Over how many seconds, up to now, a backlog is dated."""
SLICE_S = 0.002
WARM_UP_S = 1.0


def queue(broker_url: str, feed: Feed, count: int, workers: int = 1) -> None:
    """Publish so many messages for the sessions that are away."""
    for shard in layout(workers):
        hold(broker_url, shard)
    rows, topics, payloads = feed.take(count, OUTAGE_S)
    with Publisher(Address.parse(broker_url)) as publisher:
        publisher.publish_all(rows, topics, payloads)
        publisher.drain()


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second of wall clock, and of the CPU time of the process that takes them."""

    wall: float
    of_cpu: float


@dataclass(frozen=True, slots=True)
class Drain:
    """One drain by the service: rates in messages/s, CPU in µs a message, memory in MiB."""

    stored: Rates
    judged: float
    batch: float
    cpu: Mapping[str, float]
    memory: Mapping[str, float]


class Bench:
    """The servers, and what is measured on them."""

    def __init__(self, provider: Provider, databases: Databases, postgres: Server) -> None:
        self._provider = provider
        self._databases = databases
        self._postgres = postgres
        self._folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
        self._runs = 0

    @contextmanager
    def broker(self) -> Iterator[Server]:
        """A broker of its own for each drain: nothing is left of the last."""
        server = self._provider.mosquitto()
        try:
            yield server
        finally:
            server.remove()

    def database(self, devices: int, *, rules: bool) -> str:
        """A database with the site applied."""
        _, url = self._databases.create()
        asyncio.run(apply(url, devices, rules=rules))
        return url

    @contextmanager
    def workers(self, database_url: str, broker: Server, count: int = 1) -> Iterator[list[Worker]]:
        """The service, in so many workers, stopped at the end."""
        self._runs += 1
        workers = [
            Worker(
                database_url, broker.url, self._folder / f"{self._runs}-{shard.number}.log", shard
            )
            for shard in layout(count)
        ]
        try:
            yield workers
        finally:
            for worker in workers:
                worker.stop()

    def reference(self, feed: Feed, count: int, version: str) -> Rates:
        """The bare drain."""
        with self.broker() as broker:
            queue(broker.url, feed, count)
            wall, cpu = reference(broker.url, count, version)
        return Rates(count / wall, count / cpu)

    def drain(self, database_url: str, feed: Feed, count: int, workers: int = 1) -> Drain:
        """The service takes a queued backlog: from its first connection to the last commit."""
        with self.broker() as broker, Commits(database_url, 0.02) as commits:
            queue(broker.url, feed, count, workers)
            processes = {**listener(self._postgres), **listener(broker)}
            with self.workers(database_url, broker, workers) as own:
                while not any(worker.did("source.connected") for worker in own):
                    time.sleep(0.005)
                processes |= {worker.name: worker.pid for worker in own}
                began, before = time.perf_counter(), usage(processes)
                stored = commits.until(count) - began
                judged = until_judged(database_url) - began
                after = usage(processes)
        cpu = after.since(before)
        return Drain(
            Rates(count / stored, count / sum(cpu[worker.name] for worker in own)),
            count / judged,
            count / commits.batches,
            {name: spent / count * 1e6 for name, spent in cpu.items()},
            after.memory,
        )

    def latency(self, database_url: str, feed: Feed, rates: list[float], seconds: float) -> None:
        """From publish to commit while messages come at these rates."""
        with self.broker() as broker, self.workers(database_url, broker) as (worker,):
            worker.until("source.connected")
            processes = {"worker": worker.pid, **listener(self._postgres)}
            for rate in rates:
                began, before = time.perf_counter(), usage(processes)
                with Commits(database_url, LOOK_S) as commits:
                    published = paced(broker.url, feed, rate, seconds + WARM_UP_S)
                    commits.until(len(published))
                took = time.perf_counter() - began
                cpu = usage(processes).since(before)
                spans = commits.latencies(published)[round(rate * WARM_UP_S) :] * 1_000
                p50, p99 = np.percentile(spans, [50, 99])
                tell(
                    "publish_to_commit",
                    round(float(p99), 1),
                    "ms",
                    at=round(rate),
                    p50=round(float(p50), 1),
                    p99=round(float(p99), 1),
                    most=round(float(spans.max()), 1),
                    messages=len(spans),
                    batch=round(len(published) / commits.batches, 1),
                    cores={name: round(spent / took, 2) for name, spent in cpu.items()},
                )


def paced(broker_url: str, feed: Feed, rate: float, seconds: float) -> "np.ndarray[Any, Any]":
    """Publish at this rate; when each message was handed to the socket's buffer."""
    total = round(rate * seconds)
    rows, topics, payloads = feed.take(total, seconds, ahead=True)
    published = np.zeros(total)
    with Publisher(Address.parse(broker_url), window=WINDOW) as publisher:
        began, done = time.perf_counter(), 0
        while done < total:
            now = time.perf_counter()
            due = min(total, int((now - began) * rate) + 1)
            if due > done:
                published[done:due] = now
                publisher.publish_all(rows[done:due], topics[done:due], payloads[done:due])
                done = due
            publisher.idle(SLICE_S)
        publisher.drain()
    return published
