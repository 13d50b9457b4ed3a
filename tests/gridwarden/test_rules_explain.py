"""`gridwarden rules explain`: the rule as it was, the readings, the timers, who was told; care."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from typer.testing import CliRunner, Result

from devices.instant import MINUTE, SECOND, Micros, to_datetime
from gridwarden.cli import app
from tests import small_site
from tests.gridwarden.test_judge import COMMUNITY, Bench

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

ABSENT = """\
- id: device.silent
  category: device
  watch: {metric: spo2, device: wearable-2}
  absent: 20m
  severity: yellow
  title: {zh: 无数据, en: Nothing heard}
"""
OFTEN = """\
- id: access.often
  category: access
  watch: {metric: pulse}
  when: count >= 3
  within: 1m
  where: pulse >= 130
  severity: yellow
  title: {zh: 频繁, en: Often}
"""


@pytest.fixture
async def bench(database_url: str, pool: Pool, tmp_path: Path) -> Bench:
    """The small site with three kinds of rule in force, and a second member without a duty."""
    small_site.write(tmp_path, COMMUNITY)
    with (tmp_path / "members.yaml").open("a") as members:
        members.write("- {code: li-qiang, name: {zh: 李强, en: Li Qiang}}\n")
    bench = Bench(pool, tmp_path, database_url)
    await bench.apply(small_site.RULES + ABSENT + OFTEN)
    await bench.start()
    return bench


async def explain(bench: Bench, *words: str, code: int = 0) -> Result:
    result = await asyncio.to_thread(
        CliRunner().invoke,
        app,
        ["rules", "explain", *words],
        env={"GRIDWARDEN_DATABASE_URL": bench.url, "COLUMNS": "240"},
    )
    assert result.exit_code == code, result.output
    return result


async def told(bench: Bench, rule: str, *words: str) -> dict[str, Any]:
    """The explanation of this rule's first alert."""
    number = await alert_of(bench, rule)
    found = await explain(bench, str(number), "--json", *words)
    body: dict[str, Any] = orjson.loads(found.stdout)
    assert body["alert"] == number
    return body


async def alert_of(bench: Bench, rule: str) -> int:
    query = f"SELECT id FROM alerts WHERE rule_code = '{rule}' ORDER BY id"  # noqa: S608 - ours
    return int((await bench.rows(query))[0][0])


def iso(at: Micros) -> str:
    return to_datetime(at).isoformat()


async def low(bench: Bench) -> Micros:
    """Low blood oxygen for ten minutes and a half; when it began."""
    await bench.hear(spo2=97)
    await bench.hear(spo2=90)
    begun = bench.clock.now()
    await bench.wait(5 * MINUTE)
    await bench.hear(spo2=89)
    await bench.wait(5 * MINUTE + 30 * SECOND)
    return begun


async def test_a_timer_is_shown_as_it_was_just_before(bench: Bench) -> None:
    begun = await low(bench)
    heard = begun + 5 * MINUTE + SECOND
    body = await told(bench, "care.spo2_low", "--as", small_site.MEMBER)
    assert (body["since"], body["fired"]) == (iso(begun), iso(begun + 10 * MINUTE))
    assert body["before"] == {
        "judged": iso(heard),
        "pending": iso(begun),
        "due": iso(begun + 10 * MINUTE),
        "value": 89.0,
        "numbers": {"value": 89.0},
        "counted": [],
        "facts": [],
        "kept_quiet_by": [],
        "held_back_at": None,
        "silent_at": {"lvyuan/wearable-1": iso(heard + 30 * MINUTE)},
    }
    assert body["replayed"] == {
        "since": iso(begun),
        "fired": iso(begun + 10 * MINUTE),
        "cause": "condition_held",
    }
    assert [(r["value"], r["holds"]) for r in body["readings"]] == [
        (97.0, False),
        (90.0, True),
        (89.0, True),
    ]
    assert {t["member"] for t in body["told"]} == {small_site.MEMBER}
    assert body["place"] == "lvyuan/wearable-1"


async def test_the_rule_is_shown_as_it_was_when_it_fired(bench: Bench) -> None:
    await low(bench)
    changed = small_site.RULES.replace("spo2 <= 91", "spo2 <= 80")
    await bench.apply(changed)
    await bench.judge.adopt_site()
    body = await told(bench, "care.spo2_low", "--as", small_site.MEMBER)
    then = body["rule_then"]
    assert then["text"] == small_site.RULES.strip()
    assert then["valid_from"] < body["fired"] < then["valid_to"]
    assert body["replayed"] is not None
    number = str(await alert_of(bench, "care.spo2_low"))
    shown = (await explain(bench, number, "--as", small_site.MEMBER)).stdout
    assert "when: spo2 <= 91" in shown
    assert "true without a break since" in shown


async def test_a_look_at_care_needs_somebody_who_may_and_is_on_record(bench: Bench) -> None:
    await low(bench)
    number = str(await alert_of(bench, "care.spo2_low"))
    unnamed = await explain(bench, number, code=1)
    assert "is about care: name the member who looks" in unnamed.stderr
    refused = await explain(bench, number, "--as", "li-qiang", code=1)
    assert f"refused: li-qiang may not see alert {number}" in " ".join(refused.stderr.split())
    unknown = await explain(bench, number, "--as", "nobody", code=1)
    assert "no member in service has this code" in unknown.stderr
    for result in (unnamed, refused, unknown):
        assert not result.stdout
    assert await bench.rows("SELECT count(*) FROM audit_log") == [(0,)]
    await explain(bench, number, "--as", small_site.MEMBER)
    ((action, alert, member, command),) = await bench.rows(
        "SELECT a.action, a.alert_id, m.code, a.detail->>'command'"
        " FROM audit_log a JOIN members m ON m.id = a.member_id"
    )
    assert (action, str(alert)) == ("alert.viewed", number)
    assert (member, command) == (small_site.MEMBER, "rules explain")


async def test_an_absence_says_when_it_was_last_heard_and_due(bench: Bench) -> None:
    await bench.hear("wearable-2", spo2=97)
    heard = bench.clock.now()
    await bench.wait(21 * MINUTE)
    body = await told(bench, "device.silent")
    assert body["before"]["last"] == iso(heard)
    assert body["before"]["due"] == iso(heard + 20 * MINUTE) == body["replayed"]["fired"]
    assert [(r["value"], r["holds"]) for r in body["readings"]] == [(97.0, None)]
    assert body["route_reason"] == "nobody"
    assert body["told"] == []
    assert await bench.rows("SELECT count(*) FROM audit_log") == [(0,)]


async def test_an_absence_of_a_device_that_was_never_heard_is_replayed_too(bench: Bench) -> None:
    await bench.wait(21 * MINUTE)
    body = await told(bench, "device.silent")
    assert body["replayed"]["since"] == body["since"]
    assert body["readings"] == []


async def test_a_count_says_what_was_counted_before_the_last(bench: Bench) -> None:
    times = []
    for pulse in (140, 60, 150, 160):
        await bench.hear(pulse=pulse)
        times.append(iso(bench.clock.now()))
    body = await told(bench, "access.often")
    assert body["before"]["counted"] == [times[0], times[2]]
    assert (body["since"], body["fired"]) == (times[0], times[3])
    assert [r["holds"] for r in body["readings"]] == [True, False, True, True]
    shown = (await explain(bench, str(body["alert"]), "--limit", "2")).stdout
    assert "the first 2 not shown: --limit" in shown


async def test_what_cannot_be_replayed_is_said(bench: Bench) -> None:
    await bench.hear("wearable-2", spo2=97)
    await bench.wait(21 * MINUTE)
    devices = bench.folder / "devices.yaml"
    kept = [line for line in devices.read_text().splitlines() if "wearable-2," not in line]
    devices.write_text("\n".join(kept) + "\n")
    await bench.apply(small_site.RULES)
    body = await told(bench, "device.silent")
    assert body["before"] is None
    assert body["why_not"] == "on the applied site the rule does not judge this subject any more"
    assert body["place"] == "lvyuan/wearable-2"
    assert [r["value"] for r in body["readings"]] == [97.0]
    assert "cannot be told" in (await explain(bench, str(body["alert"]))).stdout
    missing = await explain(bench, "999", code=1)
    assert "there is no alert 999" in missing.stderr
