"""What ingest takes: `python -m tests.bench_ingest [--quick] [--devices N ...]`; make bench-ingest.

Run by hand, on a real Mosquitto and a real TimescaleDB of its own; prints one JSON line per figure.
Rates are also given as a ratio to a bare paho-mqtt drain of the same round: the machine may be
busy, and is not the same everywhere. docs/performance.md says what each figure is.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from select import POLLIN, POLLOUT, poll
from statistics import median
from typing import Any

import numpy as np
import orjson
import paho.mqtt.client as mqtt
import psutil  # type: ignore[import-untyped]
import psycopg
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices import registry, topic
from devices.instant import MINUTE, to_micros
from devices.simulator.publish import Address, Publisher
from devices.site import AreaEntry, DeviceEntry, DutyEntry, HouseholdEntry, MemberEntry, Site
from devices.site.model import Origin
from gridwarden.site import check, rule_texts
from tests.services import choose
from tests.services.databases import Databases
from tests.services.server import Provider, Server

COMMUNITY = "bench"
CLIENT = "bench-ingest"
WINDOW = 20_000
VERSIONS = ("3.1.1", "5")
"""Of MQTT, that the bare drain speaks; paho is quicker in the first, which is the reference."""
VALUES = 3
EXAMPLE = Path(__file__).parents[1] / "examples/site"
LOOK_S = 0.002
"""Seconds between two looks at what is committed: how exact a latency is."""
OUTAGE_S = 300.0
"""Over how many seconds, up to now, a backlog is dated."""
SLICE_S = 0.002
SHARES = (0.1, 0.5, 0.9)
WARM_UP_S = 1.0
PATIENCE_S = 300.0
HERE = Origin("bench", 1)


@dataclass(slots=True)
class Feed:
    """Messages of three values from so many devices in turn; never the same twice.

    until: the time of the last one, s since the Unix epoch.
    """

    devices: int
    made: int = 0
    until: float = 0.0

    def take(
        self, count: int, seconds: float, *, ahead: bool = False
    ) -> tuple[list[int], list[bytes], list[bytes]]:
        """Rows, topics and payloads of the next `count` messages.

        Dated evenly over the `seconds` that end now, or, ahead, that begin now; always after those
        before.
        """
        now = time.time()
        begin = max(self.until, now if ahead else now - seconds)
        self.until = now + seconds if ahead else now
        numbers = range(self.made, self.made + count)
        self.made += count
        rows = [n % self.devices for n in numbers]
        topics = [topic.up(COMMUNITY, f"wearable-{row}").encode() for row in rows]
        step = (self.until - begin) / count
        times = (begin + step * (n + 1) for n in range(count))
        return rows, topics, [_payload(n, at) for n, at in zip(numbers, times, strict=True)]


def _payload(number: int, at: float) -> bytes:
    return (
        f'{{"ts":"{datetime.fromtimestamp(at, UTC).isoformat()}",'
        f'"values":{{"pulse":{60 + number % 30},'
        f'"spo2":{95 + number % 4},"battery":{50 + number % 50}}}}}'
    ).encode()


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, and memory in MiB, by process."""

    cpu: Mapping[str, float]
    memory: Mapping[str, float]

    def since(self, before: "Usage") -> dict[str, float]:
        """CPU seconds since then."""
        return {name: self.cpu[name] - before.cpu[name] for name in self.cpu}


def usage(processes: Mapping[str, int]) -> Usage:
    """Of these and their children: CPU, and memory: the most so far, PostgreSQL's as of now."""
    cpu, memory = {}, {}
    for name, pid in processes.items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        own = process.cpu_times()
        spent = own.children_user + own.children_system
        shares = 0.0
        for each in family:
            try:
                times = each.cpu_times()
                spent += times.user + times.system
                # Shared buffers count once: each process has its share of them.
                shares += each.memory_full_info().pss / 1_048_576
            except psutil.NoSuchProcess:
                continue
        cpu[name] = spent
        memory[name] = round(shares if len(family) > 1 else _peak(pid), 1)
    return Usage(cpu, memory)


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1_024


def listener(server: Server) -> dict[str, int]:
    """The process that listens on the server's port; none where it is out of sight."""
    name = server.url.partition(":")[0]
    for connection in psutil.net_connections(kind="tcp4"):
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.laddr.port == server.port and connection.pid:
            return {"mosquitto" if name == "mqtt" else name: connection.pid}
    return {}


class Worker:
    """`gridwarden run` as a process of its own, from its start to `stop`.

    GRIDWARDEN_… of the environment holds for it: so other settings are measured.
    """

    def __init__(self, database_url: str, broker_url: str, log_file: Path) -> None:
        own = {
            "DATABASE_URL": database_url,
            "MQTT_URL": broker_url,
            "MQTT_CLIENT_ID": CLIENT,
            "WEB_PORT": "0",
        }
        environment = os.environ | {f"GRIDWARDEN_{name}": value for name, value in own.items()}
        self._log_file = log_file
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gridwarden", "run"], env=environment, stderr=log
            )
        self.pid = self._process.pid

    def until(self, action: str) -> None:
        """Wait for this action in its log."""
        began = time.perf_counter()
        while f" {action} ".encode() not in self._log_file.read_bytes():
            assert self._process.poll() is None, self._log_file.read_text()
            assert time.perf_counter() - began < PATIENCE_S, self._log_file.read_text()
            time.sleep(0.005)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not end it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Commits:
    """Watches how many messages are committed; a thread with a connection of its own."""

    def __init__(self, url: str, every: float) -> None:
        self._conn = psycopg.connect(url, autocommit=True)
        self._every = every
        self._seq = self._row("SELECT coalesce(max(seq), 0) FROM batches")[0]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: list[tuple[float, int]] = [(time.perf_counter(), 0)]
        self.batches = 0

    def __enter__(self) -> "Commits":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._conn.close()

    def until(self, count: int) -> float:
        """Wait for so many; when the last of them was seen."""
        began = time.perf_counter()
        while self.seen[-1][1] < count:
            assert time.perf_counter() - began < PATIENCE_S, f"{self.seen[-1][1]} of {count}"
            time.sleep(self._every)
        return self.seen[-1][0]

    def latencies(self, published: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Seconds from each publish (the first is the first committed) to its commit."""
        at, counts = zip(*self.seen, strict=True)
        commit = np.searchsorted(np.array(counts), np.arange(1, len(published) + 1))
        return np.asarray(np.array(at)[commit] - published)

    def _watch(self) -> None:
        query = "SELECT sum(messages), max(seq), count(*) FROM batches WHERE seq > %s"
        while not self._ended.is_set():
            messages, seq, batches = self._row(query, self._seq)
            if batches:
                self._seq = seq
                self.batches += batches
                self.seen.append((time.perf_counter(), self.seen[-1][1] + messages))
            time.sleep(self._every)

    def _row(self, query: str, *values: int) -> Any:
        row = self._conn.execute(query.encode(), values).fetchone()
        assert row is not None
        return row


def site(devices: int) -> Site:
    """One community with this many wearables, one in each home, and one member on duty."""
    name = {"zh": "基准", "en": "Bench"}
    areas = [
        AreaEntry(COMMUNITY, "community", None, name, HERE),
        AreaEntry("grid-1", "grid", COMMUNITY, name, HERE),
    ]
    homes = [HouseholdEntry(f"h-{n}", "grid-1", name, True, False, HERE) for n in range(devices)]
    metrics = ("pulse", "spo2", "fall", "sos", "battery")
    wearables = (
        DeviceEntry(
            f"wearable-{n}", COMMUNITY, "wearable", "grid-1", home.code, 10 * MINUTE, metrics,
            name, {}, None, None, HERE,
        )
        for n, home in enumerate(homes)
    )  # fmt: skip
    return Site(
        name=name,
        time_zone="Asia/Shanghai",
        areas={area.code: area for area in areas},
        households={home.code: home for home in homes},
        devices={(COMMUNITY, device.code): device for device in wearables},
        members={"member": MemberEntry("member", name, None, "zh", HERE)},
        duties=(DutyEntry("member", "grid-1", "grid_member", None, None, None, HERE),),
        rule_files={},
    )


async def apply(url: str, devices: int, *, rules: bool) -> None:
    """The site into the database, with the rules of the example site or none."""
    _, examples = check(EXAMPLE)
    async with await psycopg.AsyncConnection.connect(url) as conn:
        now = to_micros(datetime.now(UTC))
        texts = rule_texts(examples) if rules else []
        await registry.apply_site(conn, site(devices), now, rules=texts)


def connected(broker_url: str, prepare: Callable[[mqtt.Client], None], version: str) -> mqtt.Client:
    """A paho-mqtt client of the session, that writes when it is told."""
    version5 = version == "5"
    own = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        CLIENT,
        clean_session=None if version5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    own.on_socket_register_write = lambda *_: None
    prepare(own)
    address = Address.parse(broker_url)
    if version5:
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = 3_600
        wanted.ReceiveMaximum = WINDOW
        own.connect(address.host, address.port, clean_start=False, properties=wanted)
    else:
        own.connect(address.host, address.port)
    return own


def serve(own: mqtt.Client, seen: Callable[[], int], count: int) -> None:
    """Read all there is, write what is queued, until `count` are seen; a poll in between."""
    sock = own.socket()
    assert sock is not None
    poller = poll()
    poller.register(sock)
    while seen() < count:
        poller.modify(sock, POLLIN | (POLLOUT if own.want_write() else 0))
        for _, event in poller.poll(1_000):
            before = -1
            while event & POLLIN and before < seen() < count:
                before = seen()
                own.loop_read()
        own.loop_write()


def hold(broker_url: str) -> None:
    """Make the persistent session, so that the broker queues for it."""
    granted: list[object] = []

    def subscribe(own: mqtt.Client, *_: object) -> None:
        own.subscribe("gw/v1/+/+/up", 1)

    def prepare(own: mqtt.Client) -> None:
        own.on_connect = subscribe
        own.on_subscribe = lambda *_: granted.append(_)

    own = connected(broker_url, prepare, "5")
    serve(own, lambda: len(granted), 1)
    own.disconnect()
    own.loop_write()


def reference(broker_url: str, count: int, version: str) -> tuple[float, float]:
    """A bare drain: paho-mqtt acknowledges each message as it comes. Seconds, and CPU seconds."""
    seen = 0

    def take(own: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        seen += 1
        own.ack(message.mid, message.qos)

    def prepare(own: mqtt.Client) -> None:
        own.on_message = take

    began, cpu = time.perf_counter(), time.process_time()
    own = connected(broker_url, prepare, version)
    serve(own, lambda: seen, count)
    own.loop_write()
    took = time.perf_counter() - began, time.process_time() - cpu
    own.disconnect()
    own.loop_write()
    return took


def queue(broker_url: str, feed: Feed, count: int) -> None:
    """Publish so many messages for the session that is away."""
    hold(broker_url)
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
    def worker(self, database_url: str, broker: Server) -> Iterator[Worker]:
        """The service, stopped at the end."""
        self._runs += 1
        worker = Worker(database_url, broker.url, self._folder / f"{self._runs}.log")
        try:
            yield worker
        finally:
            worker.stop()

    def reference(self, feed: Feed, count: int, version: str) -> Rates:
        """The bare drain."""
        with self.broker() as broker:
            queue(broker.url, feed, count)
            wall, cpu = reference(broker.url, count, version)
        return Rates(count / wall, count / cpu)

    def drain(self, database_url: str, feed: Feed, count: int) -> Drain:
        """The service takes a queued backlog: from its connection to the last commit."""
        with self.broker() as broker, Commits(database_url, 0.02) as commits:
            queue(broker.url, feed, count)
            servers = {**listener(self._postgres), **listener(broker)}
            with self.worker(database_url, broker) as worker:
                worker.until("source.connected")
                processes = {**servers, "worker": worker.pid}
                began, before = time.perf_counter(), usage(processes)
                stored = commits.until(count) - began
                judged = until_judged(database_url) - began
                after = usage(processes)
        cpu = after.since(before)
        return Drain(
            Rates(count / stored, count / cpu["worker"]),
            count / judged,
            count / commits.batches,
            {name: spent / count * 1e6 for name, spent in cpu.items()},
            after.memory,
        )

    def latency(self, database_url: str, feed: Feed, rates: list[float], seconds: float) -> None:
        """From publish to commit while messages come at these rates."""
        with self.broker() as broker, self.worker(database_url, broker) as worker:
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


def until_judged(url: str) -> float:
    """Wait for the rules' cursor at the last batch; when that was. The cursor lags up to 1 s."""
    query = "SELECT (SELECT max(seq) FROM batches) <= (SELECT max(seq) FROM cursors)"
    with psycopg.connect(url, autocommit=True) as conn:
        began = time.perf_counter()
        while conn.execute(query).fetchone() != (True,):
            assert time.perf_counter() - began < PATIENCE_S, "the rules do not catch up"
            time.sleep(0.02)
    return time.perf_counter()


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


def tell(figure: str, value: float, unit: str, **more: object) -> None:
    """One JSON line; load: processes that wanted to run in the last minute, ours included."""
    load = round(os.getloadavg()[0], 1)
    line = {"figure": figure, "value": value, "unit": unit, **more, "load": load}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


def middle(drains: list[Drain], references: list[Rates], **about: object) -> float:
    """Tell the medians of these drains; messages/s."""
    pairs = list(zip(drains, references, strict=True))
    stored = median(d.stored.wall for d in drains)
    tell(
        "drain",
        round(stored),
        "messages/s",
        ratio=round(median(d.stored.wall / r.wall for d, r in pairs), 3),
        rounds=[round(d.stored.wall) for d in drains],
        readings_per_s=round(stored * VALUES),
        batch=round(median(d.batch for d in drains)),
        **about,
    )
    of_cpu = median(d.stored.of_cpu for d in drains)
    ratio = round(median(d.stored.of_cpu / r.of_cpu for d, r in pairs), 3)
    tell("drain_of_cpu", round(of_cpu), "messages/CPU s", ratio=ratio, process="worker", **about)
    judged = median(d.judged for d in drains)
    ratio = round(median(d.judged / r.wall for d, r in pairs), 3)
    tell("drain_judged", round(judged), "messages/s", ratio=ratio, **about)
    for name in drains[0].cpu:
        cpu = round(median(d.cpu[name] for d in drains), 1)
        tell("cpu", cpu, "µs/message", process=name, **about)
        memory = round(median(d.memory[name] for d in drains), 1)
        tell("memory", memory, "MiB", process=name, **about)
    return stored


def measure(bench: Bench, options: argparse.Namespace) -> None:
    """All of it."""
    seconds = 5 if options.quick else 15
    if options.rates:
        devices = options.devices[0]
        url = bench.database(devices, rules=True)
        bench.latency(url, Feed(devices), options.rates, seconds)
        return
    count = options.messages or (40_000 if options.quick else 200_000)
    rounds = options.rounds or (1 if options.quick else 3)
    feeds = {n: Feed(n) for n in options.devices}
    first = options.devices[0]
    references: dict[str, list[Rates]] = {version: [] for version in VERSIONS}
    drains: dict[tuple[int, bool], list[Drain]] = {}
    urls: dict[tuple[int, bool], str] = {}
    for devices in options.devices:
        for rules in (False, True) if devices == first else (True,):
            began = time.perf_counter()
            urls[devices, rules] = bench.database(devices, rules=rules)
            took = round(time.perf_counter() - began, 1)
            tell("apply_site", took, "s", devices=devices, rules=rules)
    for _ in range(rounds):
        for version, each in references.items():
            each.append(bench.reference(feeds[first], count, version))
        for which, url in urls.items():
            drains.setdefault(which, []).append(bench.drain(url, feeds[which[0]], count))
    for version, rates in references.items():
        tell(
            "reference",
            round(median(each.wall for each in rates)),
            "messages/s",
            rounds=[round(each.wall) for each in rates],
            of_cpu=round(median(each.of_cpu for each in rates)),
            messages=count,
            mqtt=version,
        )
    sustained = 0.0
    for (devices, rules), measured in drains.items():
        rate = middle(measured, references[VERSIONS[0]], rules=rules, devices=devices)
        sustained = rate if (devices, rules) == (first, True) else sustained
    paces = [10.0, *(share * sustained for share in SHARES)]
    bench.latency(urls[first, True], feeds[first], paces, seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: one round, few")
    parser.add_argument("--devices", type=int, nargs="+", help="how many devices there are")
    parser.add_argument("--messages", type=int, help="how many are drained each time")
    parser.add_argument("--rounds", type=int, help="how many times each drain is measured")
    parser.add_argument(
        "--rates", type=float, nargs="+", help="only from publish to commit, at these messages/s"
    )
    options = parser.parse_args()
    # Ended by SIGTERM it ends its servers too, as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.devices = options.devices or ([1_000] if options.quick else [1_000, 100_000])
    with ExitStack() as stack:
        provider = choose.provider()
        stack.callback(provider.close)
        postgres = provider.postgres(durable=True)
        databases = stack.enter_context(Databases(postgres.url))
        measure(Bench(provider, databases, postgres), options)


if __name__ == "__main__":
    main()
