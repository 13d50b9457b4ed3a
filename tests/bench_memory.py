"""Memory of the running service: `python -m tests.bench_memory [--devices N ...]`, run by hand.

For each number of devices a database is filled with the made-up site of `tests.bench_ingest`, and a
fresh process does what the service does with it, step by step. One JSON line per step: the most
resident memory up to then (VmHWM), what is resident after it, and how long it took. The parts are
without broker and web pages, which `tests.bench_ingest` measures with the service as a whole.
docs/performance.md says what each step is.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.reading import Batch
from gridwarden.site_state import AppliedSite, load_site
from ingest.decoded import Decoded
from ingest.limit import Allowance, Limiter
from ingest.message import RawMessage, Ticket
from rules.evaluate import advance
from rules.plan import make_plan
from rules.state import carry_over, dump, fresh, restore

if TYPE_CHECKING:
    from tests.services.server import Provider

T = TypeVar("T")

BEGIN = 1_795_000_000_000_000
"""When the devices speak, µs since the Unix epoch, UTC."""
BATCH = 5_000
SAID = ("pulse", "spo2", "battery")
NORMAL = (70.0, 97.0, 80.0)

FILL = (
    """
    INSERT INTO households (code, area_id, name, care, away)
    SELECT 'h-' || n, areas.id, areas.name, true, false
    FROM generate_series(0, %(devices)s - 1) AS n
    JOIN areas ON areas.code = 'bench-' || n %% %(communities)s || '-grid' ORDER BY n
    """,
    """
    INSERT INTO devices (community_id, code, kind, name, interval_us, metrics, attributes)
    SELECT areas.id, 'wearable-' || n, 'wearable', areas.name, 600000000,
           '{pulse,spo2,fall,sos,battery}', '{}'
    FROM generate_series(0, %(devices)s - 1) AS n
    JOIN areas ON areas.code = 'bench-' || n %% %(communities)s ORDER BY n
    """,
    """
    INSERT INTO placements (device_id, area_id, household_id, valid_from)
    SELECT devices.id, households.area_id, households.id, now()
    FROM generate_series(0, %(devices)s - 1) AS n
    JOIN devices ON devices.code = 'wearable-' || n
    JOIN households ON households.code = 'h-' || n
    """,
)


def fill(url: str, devices: int) -> None:
    """The site of the bench with so many devices, as applying it would write it, but quicker."""
    from tests.bench_ingest.feed import apply  # noqa: PLC0415 — what it imports is not measured

    asyncio.run(apply(url, 0, rules=True))
    fill_rows(url, devices)


def fill_rows(url: str, devices: int) -> None:
    """The households and devices of that site, which has neither."""
    from tests.bench_ingest.feed import COMMUNITIES  # noqa: PLC0415 — as above

    with psycopg.connect(url) as conn:
        for statement in FILL:
            some = {"devices": devices, "communities": len(COMMUNITIES)}
            conn.execute(statement.encode(), some)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")


def resident(what: str) -> float:
    """MiB of this process; what: VmHWM, the most so far, or VmRSS, now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{what}:"))
    return round(int(line.split()[1]) / 1_024, 1)


class Steps:
    """Tells of each step as it is done."""

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self.tell("imports", time.perf_counter())

    def tell(self, figure: str, began: float) -> None:
        """One JSON line."""
        line = {
            "figure": figure,
            "value": resident("VmHWM"),
            "unit": "MiB",
            "devices": self._devices,
            "after": resident("VmRSS"),
            "took_s": round(time.perf_counter() - began, 2),
        }
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()

    def do(self, figure: str, step: Callable[[], T]) -> T:
        """Do it, and tell."""
        began = time.perf_counter()
        done = step()
        self.tell(figure, began)
        return done


def load(url: str) -> AppliedSite:
    """The applied site, as the service loads it."""

    async def read() -> AppliedSite:
        conn: AsyncConnection[TupleRow]
        async with await AsyncConnection.connect(url) as conn:
            return await load_site(conn)

    return asyncio.run(read())


def spoken(inventory: Inventory) -> Iterator[Batch]:
    """Each device says three ordinary values once, in batches."""
    ids = np.fromiter(inventory.devices, np.int32, len(inventory.devices))
    metrics = np.array([BY_NAME[name].id for name in SAID], np.int16)
    for start in range(0, len(ids), BATCH // len(SAID)):
        some = ids[start : start + BATCH // len(SAID)]
        time = BEGIN + 977 * np.arange(start, start + len(some), dtype=np.int64)
        yield Batch(
            np.repeat(time, len(SAID)),
            np.repeat(time + 41_000 + some % 1_000, len(SAID)),
            np.repeat(some, len(SAID)),
            np.tile(metrics, len(some)),
            np.tile(np.array(NORMAL), len(some)),
        )


def decoded(batch: Batch) -> Decoded:
    """As if each row had been a message of its own."""
    arrival = int(batch.arrival[-1])
    message = np.arange(len(batch), dtype=np.int32)
    return Decoded(
        messages=[RawMessage("", b"", arrival, Ticket(0, 0, 1))] * len(batch),
        device=batch.device,
        usable=np.ones(len(batch), np.bool_),
        readings=batch,
        reading_message=message,
        events=Batch.empty(),
        event_message=message[:0],
        attributes=(),
        digest=np.empty(0, np.int64),
        rejections=(),
    )


def limit(inventory: Inventory) -> Limiter:
    """A limiter after all devices spoke."""
    limiter = Limiter(Allowance())
    limiter.adopt(inventory)
    for batch in spoken(inventory):
        limiter.settle(limiter.charge(decoded(batch), (), 0).charge)
    return limiter


def walk(url: str, devices: int) -> None:
    """All steps, in this process."""
    steps = Steps(devices)
    site = steps.do("load_site", lambda: load(url))
    plan = steps.do("make_plan", lambda: make_plan(site.rules, site.inventory))
    state = steps.do("fresh_state", lambda: fresh(plan, BEGIN))
    batches = spoken(site.inventory)
    first = next(batches)
    state = steps.do("evaluate", lambda: advance(plan, first, state, BEGIN + 1)).state

    def all_speak() -> Any:
        said = state
        for batch in batches:
            said = advance(plan, batch, said, int(batch.arrival[-1])).state
        return said

    state = steps.do("all_spoke", all_speak)
    limiter = steps.do("limiter", lambda: limit(site.inventory))
    data = steps.do("dump", lambda: dump(state, plan))
    steps.do("restore", lambda: restore(data, plan, BEGIN + 60_000_000))

    def adopt() -> Any:
        grow(url, 1)
        other = load(url)
        new = make_plan(other.rules, other.inventory)
        limiter.adopt(other.inventory)
        return other, new, carry_over(state, plan, new, BEGIN + 60_000_000)

    steps.do("adopt", adopt)
    line = {"figure": "snapshot", "value": len(data), "unit": "bytes", "devices": devices}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")


GROW = (
    """
    INSERT INTO devices (community_id, code, kind, name, interval_us, metrics)
    SELECT community_id, 'one-more-' || %(number)s, kind, name, interval_us, metrics
    FROM devices LIMIT 1
    """,
    """
    INSERT INTO placements (device_id, area_id, valid_from)
    SELECT id, community_id, now() FROM devices WHERE code = 'one-more-' || %(number)s
    """,
    """
    INSERT INTO site_versions (applied_at, name, time_zone, changes)
    SELECT now(), name, time_zone, '[]' FROM site_versions LIMIT 1
    """,
    "NOTIFY gridwarden_site",
)
"""One device more, as a newly applied site."""


def grow(url: str, number: int) -> None:
    """One device more; number: which."""
    with psycopg.connect(url) as conn:
        for statement in GROW:
            conn.execute(statement.encode(), {"number": number} if "%" in statement else None)


def serve(url: str, provider: "Provider", devices: int, messages: int) -> None:
    """The service as a whole: it starts, takes messages, stops, starts again, adopts a site."""
    from tests.bench_ingest.commits import Commits, until_judged  # noqa: PLC0415
    from tests.bench_ingest.drain import queue  # noqa: PLC0415
    from tests.bench_ingest.feed import Feed  # noqa: PLC0415
    from tests.bench_ingest.processes import Worker  # noqa: PLC0415
    from tests.bench_ingest.tell import tell  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="bench-memory-"))
    broker = provider.mosquitto()
    feed = Feed(devices)
    for start in ("first", "again"):
        queue(broker.url, feed, messages)
        began = time.perf_counter()
        with Commits(url, 0.05) as commits:
            worker = Worker(url, broker.url, folder / f"{start}.log")
            try:
                worker.until("service.running")
                said: dict[str, Any] = {"unit": "MiB", "devices": devices, "start": start}
                took = round(time.perf_counter() - began, 1)
                tell("service_running", round(peak(worker.pid), 1), took_s=took, **said)
                commits.until(messages)
                until_judged(url)
                tell("service_judged", round(peak(worker.pid), 1), **said)
                if start == "again":
                    grow(url, 2)
                    worker.until("site.adopted")
                    tell("service_adopted", round(peak(worker.pid), 1), **said)
            finally:
                worker.stop()
    broker.remove()


def peak(pid: int) -> float:
    """VmHWM of a process, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1_024


def measure(sizes: list[int], messages: int) -> None:
    """A database for each size, and a process for it."""
    from tests.services import choose  # noqa: PLC0415
    from tests.services.databases import Databases  # noqa: PLC0415

    with ExitStack() as stack:
        provider = choose.provider()
        stack.callback(provider.close)
        postgres = provider.postgres(durable=False)
        databases = stack.enter_context(Databases(postgres.url))
        for devices in sizes:
            name, url = databases.create()
            fill(url, devices)
            command = [sys.executable, "-m", "tests.bench_memory", "--url", url]
            subprocess.run([*command, "--devices", str(devices)], check=True)
            if messages:
                serve(url, provider, devices, messages)
            databases.drop(name)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--url", help="only the steps, with this database, which is filled")
    parser.add_argument(
        "--service", type=int, default=0, metavar="N", help="the whole service too, N messages"
    )
    options = parser.parse_args()
    # Ended by SIGTERM it ends its server too, as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.url:
        walk(options.url, options.devices[0])
    else:
        measure(options.devices, options.service)


if __name__ == "__main__":
    main()
