"""A made-up site, and messages of its devices."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from devices import registry, topic
from devices.instant import MINUTE, to_micros
from devices.site import AreaEntry, DeviceEntry, DutyEntry, HouseholdEntry, MemberEntry, Site
from devices.site.model import Origin
from gridwarden.site import check, rule_texts

COMMUNITIES = tuple(f"bench-{n}" for n in range(8))
VALUES = 3
"""Readings in a message."""
EXAMPLE = Path(__file__).parents[2] / "examples/site"
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
        topics = [topic.up(_community(row), f"wearable-{row}").encode() for row in rows]
        step = (self.until - begin) / count
        times = (begin + step * (n + 1) for n in range(count))
        return rows, topics, [_payload(n, at) for n, at in zip(numbers, times, strict=True)]


def _payload(number: int, at: float) -> bytes:
    return (
        f'{{"ts":"{datetime.fromtimestamp(at, UTC).isoformat()}",'
        f'"values":{{"pulse":{60 + number % 30},'
        f'"spo2":{95 + number % 4},"battery":{50 + number % 50}}}}}'
    ).encode()


def site(devices: int) -> Site:
    """So many wearables in turn in each of the communities, one in each home, a member on duty."""
    name = {"zh": "基准", "en": "Bench"}
    areas = [AreaEntry(code, "community", None, name, HERE) for code in COMMUNITIES]
    areas += [AreaEntry(_grid(code), "grid", code, name, HERE) for code in COMMUNITIES]
    homes = [
        HouseholdEntry(f"h-{n}", _grid(_community(n)), name, True, False, HERE)
        for n in range(devices)
    ]
    metrics = ("pulse", "spo2", "fall", "sos", "battery")
    wearables = (
        DeviceEntry(
            f"wearable-{n}", _community(n), "wearable", _grid(_community(n)), home.code,
            10 * MINUTE, metrics, name, {}, None, None, HERE,
        )
        for n, home in enumerate(homes)
    )  # fmt: skip
    return Site(
        name=name,
        time_zone="Asia/Shanghai",
        areas={area.code: area for area in areas},
        households={home.code: home for home in homes},
        devices={(device.community, device.code): device for device in wearables},
        members={"member": MemberEntry("member", name, None, "zh", HERE)},
        duties=tuple(
            DutyEntry("member", _grid(code), "grid_member", None, None, None, HERE)
            for code in COMMUNITIES
        ),
        rule_files={},
    )


def _community(number: int) -> str:
    return COMMUNITIES[number % len(COMMUNITIES)]


def _grid(community: str) -> str:
    return f"{community}-grid"


async def apply(url: str, devices: int, *, rules: bool) -> None:
    """The site into the database, with the rules of the example site or none."""
    _, examples = check(EXAMPLE)
    async with await psycopg.AsyncConnection.connect(url) as conn:
        now = to_micros(datetime.now(UTC))
        texts = rule_texts(examples) if rules else []
        await registry.apply_site(conn, site(devices), now, rules=texts)
