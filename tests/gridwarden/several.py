"""Several communities with one wearable each, for tests of several workers."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg

from devices import topic
from gridwarden.shard import owner
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services.server import Server
from tests.whole import apply_site, until_count

RULES = """\
- id: care.spo2_low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 91
  clear: spo2 >= 94
  severity: red
  title: {zh: 血氧过低, en: Low blood oxygen}
- id: care.pulse_high
  category: care
  watch: {metric: pulse}
  when: pulse >= 120
  for: 10m
  severity: red
  title: {zh: 脉搏过快, en: Pulse too high}
"""

STREET = """\
- id: safety.many_alarms
  category: safety
  watch: {metric: sos}
  when: count >= 3
  within: 10m
  per: street
  severity: red
  title: {zh: 多处求助, en: Many calls}
"""


def communities(unique: Callable[[str], str], *owners: int) -> list[str]:
    """Codes of communities; of two shards, the n-th is owned by the n-th of these."""
    found: list[str] = []
    for wanted in owners:
        codes = (unique(f"c{number}") for number in itertools.count())
        found.append(next(c for c in codes if owner(c, 2) == wanted and c not in found))
    return found


@dataclass(slots=True, kw_only=True)
class Several:
    """A database and a broker, and communities in a site folder; workers are started by tests."""

    url: str
    broker: Server
    folder: Path
    client_id: str
    publisher: Publisher
    communities: list[str]
    workers: list[ServiceProcess] = field(default_factory=list)
    sent: int = 0

    async def apply(self) -> None:
        """Write the site with the present communities, and apply it."""
        write(self.folder, self.communities)
        await apply_site(self.url, self.folder, datetime.now(UTC))

    def worker(self, shard: str, *arguments: str, name: str = "worker") -> ServiceProcess:
        """A worker of this shard, not started."""
        made = ServiceProcess(
            database_url=self.url,
            mqtt_url=self.broker.url,
            log_file=self.folder.parent / f"{name}-{shard.replace('/', '-of-')}.log",
            arguments=("--shard", shard, "--no-inbox", *arguments),
            mqtt_client_id=self.client_id,
        )
        self.workers.append(made)
        return made

    async def started(self, shard: str) -> ServiceProcess:
        """A worker of this shard, which runs, and which the broker serves."""
        worker = self.worker(shard)
        await worker.start()
        await worker.until_connected()
        return worker

    def say(self, community: str, at: datetime | None = None, **values: float) -> None:
        """The community's wearable publishes these values; without `at` undated."""
        message: dict[str, Any] = {"values": values}
        if at is not None:
            message["ts"] = at.isoformat()
        self.publisher.publish(topic.up(community, "wearable-1"), orjson.dumps(message))
        self.sent += 1

    async def until(self, count: str, at_least: int = 1) -> None:
        """Return once `SELECT count(*) FROM …` counts so many."""
        await until_count(self.url, f"SELECT count(*) FROM {count}", at_least)  # noqa: S608

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(query.encode()).fetchall()

    def ledger(self) -> tuple[int, int, int, int]:
        """Messages received, stored, duplicate, rejected, as devices and batches count them."""
        query = "SELECT sum(received), sum(stored), sum(duplicate), sum(rejected) FROM ledger"
        batches = "SELECT sum(messages), sum(stored), sum(duplicate), sum(rejected) FROM batches"
        assert self.rows(query) == self.rows(batches)
        ((received, stored, duplicate, rejected),) = self.rows(query)
        assert received == stored + duplicate + rejected
        return int(received), int(stored), int(duplicate), int(rejected)


@asynccontextmanager
async def several(
    database_url: str, broker: Server, unique: Callable[[str], str], tmp_path: Path, *owners: int
) -> AsyncIterator[Several]:
    """Communities of these owners among two shards, in force; all workers are ended after it."""
    folder = tmp_path / "site"
    folder.mkdir()
    publisher = await asyncio.to_thread(Publisher, broker.url, unique("devices"))
    made = Several(
        url=database_url,
        broker=broker,
        folder=folder,
        client_id=unique("gridwarden"),
        publisher=publisher,
        communities=communities(unique, *owners),
    )
    try:
        await made.apply()
        yield made
    finally:
        await asyncio.to_thread(publisher.close)
        for worker in made.workers:
            await worker.close()


def write(folder: Path, codes: list[str], rules: str = RULES) -> Path:
    """Write a site folder with these communities, each with one home and one wearable."""
    areas = "".join(
        f"""\
- code: {code}
  kind: community
  name: Community {code}
  areas:
    - {{code: grid-{code}, kind: grid, name: Grid}}
"""
        for code in codes
    )
    texts = {
        "site.yaml": "name: Test\ntime_zone: Asia/Shanghai\n",
        "areas.yaml": "- code: street-1\n  kind: street\n  name: Street\n  areas:\n"
        + "".join(f"    {line}\n" for line in areas.splitlines()),
        "households.yaml": "".join(
            f"- {{code: home-{code}, area: grid-{code}, care: true}}\n" for code in codes
        ),
        "devices.yaml": "".join(
            f"- {{code: wearable-1, kind: wearable, household: home-{code}, interval: 10m}}\n"
            for code in codes
        ),
        "members.yaml": "- {code: wang-fang, name: Wang Fang}\n",
        "duties.yaml": "- {member: wang-fang, area: street-1, role: grid_member,"
        " from: 2000-01-01}\n",
        "rules/care.yaml": rules,
    }
    (folder / "rules").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder
