"""A small town for the inbox's tests, written straight into the database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from devices.instant import to_datetime
from tests.clock import ManualClock

PASSWORD = "蓝天白云-2025"
NOW: datetime = to_datetime(ManualClock().now())

Connection = AsyncConnection[Any]


@cache
def password_hash() -> str:
    """What the database holds of PASSWORD."""
    return PasswordHasher().hash(PASSWORD)


def both(zh: str, en: str) -> Jsonb:
    """A name in both languages."""
    return Jsonb({"zh": zh, "en": en})


@dataclass(slots=True)
class Town:
    """Ids by code; writes rows in the connection's transaction."""

    conn: Connection
    areas: dict[str, int] = field(default_factory=dict)
    homes: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    alerts: int = 0

    async def insert(self, relation: str, **row: Any) -> int:
        """One row; its id."""
        columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        statement = f"INSERT INTO {relation} ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608
        found = await (await self.conn.execute(statement.encode(), row)).fetchone()
        assert found is not None
        return int(found[0])

    async def value(self, statement: bytes, *values: object) -> Any:
        """The first column of the first row."""
        row = await (await self.conn.execute(statement, values)).fetchone()
        assert row is not None
        return row[0]

    async def area(self, code: str, kind: str, above: str | None, name: Jsonb) -> None:
        """An area within another."""
        parent = self.areas.get(above or "")
        self.areas[code] = await self.insert(
            "areas", code=code, kind=kind, parent_id=parent, name=name
        )

    async def device(self, code: str, kind: str, name: Jsonb, metrics: list[str]) -> None:
        """A device that is heard every ten minutes."""
        self.devices[code] = await self.insert(
            "devices",
            community_id=self.areas["sunny"],
            code=code,
            kind=kind,
            name=name,
            interval_us=600_000_000,
            metrics=metrics,
        )

    async def member(self, code: str, name: Jsonb, language: str = "zh") -> None:
        """A member who can sign in with PASSWORD."""
        self.members[code] = await self.insert(
            "members", code=code, name=name, language=language, password_hash=password_hash()
        )

    async def duty(
        self, member: str, area: str, role: str, categories: list[str] | None = None
    ) -> None:
        """A duty since a month ago, until further notice."""
        await self.insert(
            "duties",
            member_id=self.members[member],
            area_id=self.areas[area],
            role=role,
            categories=categories,
            valid_from=NOW - timedelta(days=30),
        )

    async def alert(self, *told: str, **given: Any) -> int:
        """An alert at building 1 (unless given), five minutes old, told to these."""
        self.alerts += 1
        usual: dict[str, Any] = {
            "rule_code": f"rule.{self.alerts}",
            "rule_fingerprint": "f",
            "subject_kind": "area",
            "subject_id": self.areas["building-1"],
            "since": NOW - timedelta(minutes=5),
            "fired_at": NOW - timedelta(minutes=4),
            "opened_at": NOW - timedelta(minutes=4),
            "category": "safety",
            "severity": "red",
            "title": both("烟雾报警", "Smoke"),
            "area_id": self.areas["building-1"],
            "devices": [],
            "metrics": [],
            "state": "open",
            "route_reason": "duty_above" if told else "nobody",
        }
        row = usual | given
        alert = await self.insert("alerts", **row)
        for member in told:
            await self._tell(alert, self.members[member], row["opened_at"])
        return alert

    async def _tell(self, alert: int, member: int, at: datetime) -> None:
        await self.conn.execute(
            """INSERT INTO alert_recipients (alert_id, member_id, role, area_id, reason)
               VALUES (%s, %s, 'grid_member', %s, 'duty_above')""",
            (alert, member, self.areas["grid-1"]),
        )
        usual = {"alert_id": alert, "member_id": member, "occasion": "opened", "body": "{}"}
        times = {"created_at": at, "next_attempt_at": at}
        await self.insert(
            "notifications", channel="web", state="delivered", delivered_at=at, **usual, **times
        )
        await self.insert("notifications", channel="mqtt", **usual, **times)

    async def answered(self, alert: int, device: str, told: str, **given: Any) -> int:
        """A device is told of an alert; a downlink's own columns as given."""
        line = await self.insert(
            "alert_events", alert_id=alert, at=NOW, kind="answered", reason=told
        )
        usual = {"event_id": line, "alert_id": alert, "device_id": self.devices[device]}
        times = {"at": NOW, "next_attempt_at": NOW}
        return await self.insert("downlinks", told=told, **usual, **times, **given)

    async def heard(self, device: str, metric: int, minutes_ago: float, value: float) -> None:
        """A reading."""
        at = NOW - timedelta(minutes=minutes_ago)
        await self.conn.execute(
            """INSERT INTO readings (time, device_id, metric_id, value, arrival, seq)
               VALUES (%s, %s, %s, %s, %s, 1)""",
            (at, self.devices[device], metric, value, at),
        )

    async def happened(
        self, device: str, metric: int, minutes_ago: float, attributes: dict[str, str]
    ) -> None:
        """An event."""
        at = NOW - timedelta(minutes=minutes_ago)
        await self.conn.execute(
            """INSERT INTO events (time, device_id, metric_id, value, attributes, digest, arrival,
                                   seq) VALUES (%s, %s, %s, 1, %s, 1, %s, 1)""",
            (at, self.devices[device], metric, Jsonb(attributes), at),
        )


async def build(conn: Connection) -> Town:
    """Li has grid 1, Wang grid 2; Zhao answers for parking in the whole community; Sun is duty
    officer of another one; Qian has no duty.
    """
    town = Town(conn)
    await town.area("daqing", "city", None, both("大庆市", "Daqing"))
    await town.area("sunny", "community", "daqing", both("阳光社区", "Sunny community"))
    await town.area("grid-1", "grid", "sunny", both("第一网格", "Grid 1"))
    await town.area("grid-2", "grid", "sunny", both("第二网格", "Grid 2"))
    await town.area("building-1", "building", "grid-1", both("1号楼", "Building 1"))
    await town.area("far", "community", "daqing", both("远方社区", "Far community"))
    town.homes["101"] = await town.insert(
        "households",
        code="home-101",
        area_id=town.areas["building-1"],
        name=both("101室", "Flat 101"),
        care=True,
    )
    await town.device("ring", "wearable", both("王奶奶的手环", "Mrs Wang's wristband"), ["spo2"])
    await town.device("reader", "card_reader", both("西门", "West gate"), ["access_denied"])
    await _people(town)
    await town.conn.execute(
        """INSERT INTO site_versions (applied_at, name, time_zone, changes)
           VALUES (%s, %s, 'Asia/Shanghai', '[]')""",
        (NOW, both("阳光社区", "Sunny community")),
    )
    await conn.commit()
    return town


async def _people(town: Town) -> None:
    await town.member("li", both("李伟", "Li Wei"))
    await town.member("wang", both("王芳", "Wang Fang"), "en")
    await town.member("zhao", both("赵强", "Zhao Qiang"))
    await town.member("sun", both("孙丽", "Sun Li"))
    await town.member("qian", both("钱明", "Qian Ming"))
    await town.duty("li", "grid-1", "grid_member")
    await town.duty("wang", "grid-2", "grid_member")
    await town.duty("zhao", "sunny", "grid_leader", ["parking"])
    await town.duty("sun", "far", "duty_officer")
