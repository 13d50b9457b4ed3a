"""What ingest takes: `python -m tests.bench_ingest [--quick] [--devices N ...]`; make bench-ingest.

Run by hand, on a real Mosquitto and a real TimescaleDB of its own; prints one JSON line per figure.
Rates are also given as a ratio to a bare paho-mqtt drain of the same round: the machine may be
busy, and is not the same everywhere. docs/performance.md says what each figure is.
"""

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median

from tests.bench_ingest.bare import VERSIONS
from tests.bench_ingest.drain import Bench, Drain, Rates
from tests.bench_ingest.feed import VALUES, Feed
from tests.bench_ingest.tell import tell
from tests.services import choose
from tests.services.databases import Databases

SHARES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Setup:
    """What is drained by what."""

    devices: int
    rules: bool = True
    workers: int = 1


def middle(drains: list[Drain], references: list[Rates], **about: object) -> None:
    """Tell the medians of these drains."""
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
    tell("drain_of_cpu", round(of_cpu), "messages/CPU s", ratio=ratio, process="workers", **about)
    judged = median(d.judged for d in drains)
    ratio = round(median(d.judged / r.wall for d, r in pairs), 3)
    tell("drain_judged", round(judged), "messages/s", ratio=ratio, **about)
    for name in drains[0].cpu:
        cpu = round(median(d.cpu[name] for d in drains), 1)
        tell("cpu", cpu, "µs/message", process=name, **about)
        memory = round(median(d.memory[name] for d in drains), 1)
        tell("memory", memory, "MiB", process=name, **about)


def measure(bench: Bench, options: argparse.Namespace) -> None:
    """All of it."""
    seconds = 5 if options.quick else 15
    if options.rates:
        devices = options.devices[0]
        url = bench.database(devices, rules=True)
        bench.latency(url, Feed(devices), options.rates, seconds)
        return
    count = options.messages or (40_000 if options.quick else 200_000)
    first = options.devices[0]
    setups = [Setup(first, rules=False), *(Setup(devices) for devices in options.devices)]
    setups += [Setup(first, workers=options.workers)] if options.workers > 1 else []
    feeds = {devices: Feed(devices) for devices in options.devices}
    urls = {setup: prepare(bench, setup) for setup in setups}
    references: dict[str, list[Rates]] = {version: [] for version in VERSIONS}
    drains: dict[Setup, list[Drain]] = {setup: [] for setup in setups}
    for _ in range(options.rounds or (1 if options.quick else 3)):
        for version, each in references.items():
            each.append(bench.reference(feeds[first], count, version))
        for setup, url in urls.items():
            feed = feeds[setup.devices]
            drains[setup].append(bench.drain(url, feed, count, setup.workers))
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
    for setup, measured in drains.items():
        middle(measured, references[VERSIONS[0]], **asdict(setup))
    sustained = median(drain.stored.wall for drain in drains[Setup(first)])
    paces = [10.0, *(share * sustained for share in SHARES)]
    bench.latency(urls[Setup(first)], feeds[first], paces, seconds)


def prepare(bench: Bench, setup: Setup) -> str:
    """A database for it."""
    began = time.perf_counter()
    url = bench.database(setup.devices, rules=setup.rules)
    tell("apply_site", round(time.perf_counter() - began, 1), "s", **asdict(setup))
    return url


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: one round, few")
    parser.add_argument("--devices", type=int, nargs="+", help="how many devices there are")
    parser.add_argument("--messages", type=int, help="how many are drained each time")
    parser.add_argument("--rounds", type=int, help="how many times each drain is measured")
    parser.add_argument("--workers", type=int, default=2, help="measured besides one (2)")
    parser.add_argument(
        "--rates", type=float, nargs="+", help="only from publish to commit, at these messages/s"
    )
    options = parser.parse_args()
    # Ended by SIGTERM it ends its servers too, as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.devices = options.devices or ([1_000] if options.quick else [1_000, 100_000, 1_000_000])
    with ExitStack() as stack:
        provider = choose.provider()
        stack.callback(provider.close)
        postgres = provider.postgres(durable=True)
        databases = stack.enter_context(Databases(postgres.url))
        measure(Bench(provider, databases, postgres), options)


if __name__ == "__main__":
    main()
