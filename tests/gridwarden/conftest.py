"""The whole for tests of the composition: a broker, a database, a site in force, the service."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from devices import topic
from tests import small_site
from tests.publisher import Publisher
from tests.service_process import ServiceProcess
from tests.services.server import Server
from tests.whole import apply_site, until_count

LOW_AT_ONCE = small_site.RULES.replace("  for: 10m\n", "")
SOS = """\
- id: care.sos
  category: care
  watch: {metric: sos}
  when: sos >= 1
  severity: red
  title: {zh: 紧急呼叫, en: SOS button pressed}
"""


@dataclass(slots=True, kw_only=True)
class Whole:
    """A small site in force on a database and a broker, and the service, not yet started."""

    community: str
    url: str
    broker: Server
    folder: Path
    service: ServiceProcess
    publisher: Publisher

    async def apply(self, *, rules: str | None = None, **files: str) -> None:
        """Write these rules, add these texts to files of the site by name, and apply it."""
        if rules is not None:
            (self.folder / "rules" / "care.yaml").write_text(rules)
        for name, text in files.items():
            with (self.folder / f"{name}.yaml").open("a") as file:
                file.write(text)
        await apply_site(self.url, self.folder, datetime.now(UTC))

    async def start(self) -> None:
        """Start the service; return once it runs and the broker serves it."""
        await self.service.start()
        await self.service.until_connected()

    def say(self, device: str, at: datetime | None = None, **values: float) -> None:
        """A device publishes these values, dated now if not else."""
        ts = (at or datetime.now(UTC)).isoformat()
        message = orjson.dumps({"ts": ts, "values": values})
        self.publisher.publish(topic.up(self.community, device), message)

    async def until(self, count: str, at_least: int = 1) -> None:
        """Return once `SELECT count(*) FROM …` counts so many."""
        await until_count(self.url, f"SELECT count(*) FROM {count}", at_least)  # noqa: S608

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(query.encode()).fetchall()

    def inbox(self) -> str:
        """Where the service, as it runs now, serves the inbox."""
        return str(re.findall(r"inbox='(http://[^']+)'", self.service.log_text())[-1])

    def ledger(self) -> tuple[int, int, int, int]:
        """Messages received, stored, duplicate and rejected; AssertionError if not balanced."""
        query = "SELECT sum(received), sum(stored), sum(duplicate), sum(rejected) FROM ledger"
        ((received, stored, duplicate, rejected),) = self.rows(query)
        assert received == stored + duplicate + rejected
        return int(received), int(stored), int(duplicate), int(rejected)


@pytest.fixture
async def whole(
    database_url: str, own_broker: Server, unique: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Whole]:
    """The small site with rules that fire at once: SpO2 low, and SOS."""
    community, folder = unique("lvyuan"), tmp_path / "site"
    folder.mkdir()
    small_site.write(folder, community, rules=LOW_AT_ONCE + SOS)
    service = ServiceProcess(
        database_url=database_url, mqtt_url=own_broker.url, log_file=tmp_path / "service.log"
    )
    publisher = await asyncio.to_thread(Publisher, own_broker.url, unique("devices"))
    whole = Whole(
        community=community,
        url=database_url,
        broker=own_broker,
        folder=folder,
        service=service,
        publisher=publisher,
    )
    await whole.apply()
    yield whole
    await asyncio.to_thread(publisher.close)
    await service.close()
