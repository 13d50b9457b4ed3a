"""`gridwarden rules explain` of an alert of every kind, from a real database, in both languages."""

from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices import topic
from devices.instant import DAY, HOUR, MINUTE, SECOND, to_datetime
from gridwarden.explain_view import tell
from gridwarden.explaining import explain_alert
from ingest.decode import decode
from ingest.message import RawMessage, Ticket
from ingest.store import store
from tests import small_site
from tests.gridwarden.test_judge import COMMUNITY, LIMITS, Bench
from tests.gridwarden.test_judge_breaking import SENSORS

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

RULES = {
    "threshold": "watch: {metric: pulse, device: wearable-1}\nwhen: pulse >= 130\nfor: 1m",
    "graver": "watch: {metric: pulse, device: wearable-1}\nwhen: pulse >= 150",
    "quiet": "watch: {metric: pulse, device: wearable-1}\nwhen: pulse >= 140\n"
    "unless: [every.graver, every.denied]",
    "absence": "watch: {metric: pulse, device: wearable-1}\nabsent: 3 intervals",
    "count": "watch: {metric: pulse, device: wearable-1}\nwhen: count >= 2\nwithin: 1m\n"
    "where: pulse >= 150",
    "sequence": "first: {metric: sos}\nthen: {metric: motion, where: motion == 1}\nwithin: 30s\n"
    "same: household",
    "missing": "first: {metric: sos}\nthen: {metric: water_volume, where: water_volume > 5}\n"
    "within: 5m\nsame: household\nmissing: true",
    "without": "watch: {metric: door_open}\nwhen: door_open == 1\n"
    "without: {metric: access_granted, within: 10s}\nsame: door",
    "replaced": "watch: {metric: access_granted}\nreplaced: 30d",
    "two_doors": "first: {metric: access_granted}\nthen: {metric: access_granted}\nwithin: 30m\n"
    "same: credential\ndifferent: device",
    "denied": "watch: {metric: access_denied}\nwhen: count >= 1\nwithin: 1m\nper: grid",
    "score": "score: news2\nwhen: total >= 3\nassume: [air, alert]",
    "occupancy": "watch: {metric: motion}\nshare: motion == 1\nper: household\nwhen: number > 1",
    "row": "watch: {metric: pulse, device: wearable-1}\nin_a_row: 3\nwhen: pulse >= 130",
    "together": "watch: {metric: motion}\ndevices: 2\nwithin: 1m\nwhen: motion == 1\n"
    "per: household",
    "mean": "watch: {metric: pulse, device: wearable-1}\nwithin: 10m\nwhen: mean > 130",
    "rise": "watch: {metric: water_volume}\nwithin: 10m\nwhen: rise > 0.5",
    "distinct": "watch: {metric: pulse, device: wearable-1}\nwithin: 10m\nwhen: distinct > 3",
    "baseline": "watch: {metric: spo2, device: wearable-2}\n"
    "baseline: {of: mean, every: 1h, season: day, history: 3d, spread: 1}\n"
    "when: deviation >= 4\nseverity: blue",
    "index": "index: {weights: {red: 1}}\nper: grid\nwhen: index >= 4",
}
"""By the last part of their ids."""

MORE = SENSORS + (
    "- {code: entry-2, kind: door, area: grid-1}\n"
    "- {code: cuff-1, kind: vital_signs, household: h-1, interval: 1h}\n"
)


def rule_of(name: str, text: str) -> str:
    head = f"- id: every.{name}\n  category: access\n  title: {{zh: 规则{name}, en: {name}}}\n"
    colour = "" if "severity:" in text else "  severity: red\n"
    return head + colour + "".join(f"  {line}\n" for line in text.splitlines())


async def card(bench: Bench, door: str, issue: int) -> None:
    """The card of one credential is read at this door."""
    now = bench.clock.advance(SECOND)
    said = {
        "ts": to_datetime(now).isoformat(),
        "values": {"access_granted": 1},
        "attributes": {"credential": "c-1", "issue": issue},
    }
    message = RawMessage(topic.up(COMMUNITY, door), orjson.dumps(said), now, Ticket(1, 1, 1))
    decoded = decode([message], bench.judge.site.inventory, LIMITS)
    async with bench.pool.connection() as conn:
        batch = await store(conn, decoded, shard=0, now=now, heard_until=now)
    await bench.judge.judge(batch)


async def usual(bench: Bench) -> None:
    """The blood oxygen of three days, at one hour, and another one on the fourth."""
    await bench.wait(HOUR - bench.clock.now() % HOUR)
    for spo2 in (96, 97, 98, 80):
        for _ in range(3):
            await bench.hear("wearable-2", spo2=spo2)
            await bench.wait(25 * MINUTE)
        await bench.wait(DAY - 75 * MINUTE - 3 * SECOND)


async def story(bench: Bench) -> None:
    """What makes every rule true."""
    await bench.hear("entry-1", door_open=0)
    for pulse in (70, 80, 90, 135):
        await bench.hear(pulse=pulse)
        await bench.hear("motion-1", motion=0)
        await bench.hear("motion-2", motion=0)
        await bench.wait(3 * MINUTE)
    vital = {"breathing_rate": 16, "systolic": 120, "body_temperature": 37.0, "spo2": 97}
    await bench.hear("cuff-1", **vital)
    for pulse in (155, 152, 145, 146):
        await bench.hear(pulse=pulse)
    await bench.hear("meter-1", water_volume=1.0)
    await bench.hear("entry-1", access_denied=1)
    await bench.hear("entry-1", door_open=1)
    await bench.hear("meter-1", water_volume=1.9)
    await bench.hear(sos=1)
    await bench.hear("motion-1", motion=1)
    await bench.hear("motion-2", motion=1)
    await card(bench, "entry-1", 2)
    await card(bench, "entry-2", 1)
    for _ in range(5):
        await bench.wait(2 * MINUTE)
        await bench.hear(pulse=160)
        await bench.hear("meter-1", water_volume=1.9)
    await bench.wait(40 * MINUTE)


@pytest.fixture
async def bench(database_url: str, pool: Pool, tmp_path: Path) -> Bench:
    small_site.write(tmp_path, COMMUNITY)
    bench = Bench(pool, tmp_path, database_url)
    rules = "".join(rule_of(name, text) for name, text in RULES.items())
    await bench.apply(rules, more_devices=MORE)
    await bench.start()
    return bench


TOLD = {
    "threshold": ("true without a break since: 2025-11-25 11:09:11", "持续符合，自"),
    "graver": ("last value: 146", "最近数值：146"),
    "quiet": ("kept quiet by every.graver until that ended", "被规则 every.graver 抑制"),
    "absence": ("last heard of what counts: 2025-11-25 11:22:36", "最近一次有效信号"),
    "count": ("counted: lvyuan/wearable-1 at", "计入：lvyuan/wearable-1"),
    "sequence": ("the first of the two: lvyuan/wearable-1", "前一事件：lvyuan/wearable-1"),
    "missing": ("waits for the second: lvyuan/wearable-1", "等待后续事件：lvyuan/wearable-1"),
    "without": ("all has been heard since: 2025-11-25 11:00:01", "信号完整，自"),
    "replaced": ("the latest issue of this credential is 2", "该凭证最新卡序号 2"),
    "two_doors": ("either of the two: lvyuan/entry-1", "事件：lvyuan/entry-1"),
    "denied": ("silent then: 1 (lvyuan/entry-2)", "当时失联或无信号：1 台（lvyuan/entry-2）"),
    "score": ("oxygen_flow: not heard", "吸氧流量 oxygen_flow：无读数"),
    "occupancy": ("lvyuan/motion-2: not in it since", "lvyuan/motion-2：不在该状态"),
    "row": ("counted so far: 2", "已计：2"),
    "together": ("counted: lvyuan/motion-1 at", "计入：lvyuan/motion-1"),
    "mean": ("the window begins: 2025-11-25 11:03:10", "窗口开始：2025-11-25 11:03:10"),
    "rise": ("the window ends: 2025-11-25 11:12:30", "窗口结束"),
    "distinct": ("last value: 3", "最近数值：3"),
    "baseline": ("earlier values of this hour: 96, 97, 98", "此时段的历史值：96, 97, 98"),
    "index": ("open alerts, Red: 3", "未结预警，红色：3"),
}
"""Of each rule what its explanation says, among other things, in English and in Chinese."""


async def test_an_alert_of_every_kind_is_explained(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    await usual(bench)
    await story(bench)
    query = "SELECT DISTINCT ON (rule_code) id, rule_code FROM alerts ORDER BY rule_code, id DESC"
    alerts = {code.removeprefix("every."): i for i, code in await bench.rows(query)}
    assert TOLD.keys() == RULES.keys() == alerts.keys()
    for name, said in TOLD.items():
        found = await explain_alert(bench.url, alerts[name], None, bench.clock.now())
        assert found.account is not None, (name, found.why_not)
        assert found.account.fired is not None, name
        for language, fires, words in zip(("en", "zh"), FIRES, said, strict=True):
            tell(found, 20, language)
            shown = capsys.readouterr().out
            assert words in shown, shown
            assert fires in shown, shown


FIRES = ("it fires at", "重放触发于")
