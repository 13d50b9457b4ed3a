"""`gridwarden rules replay`: from a file, from the database and from the simulator."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from typer.testing import CliRunner, Result

from devices.instant import MINUTE, SECOND, to_datetime
from devices.reading import Batch, Reading
from gridwarden.backtest import Recording, play
from gridwarden.backtest_ground import ground_of_folder
from gridwarden.cli import app
from gridwarden.incident_file import Words, read_incidents
from tests import small_site
from tests.gridwarden.test_judge import Bench

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

COMMUNITY = "lvyuan"
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HEADER = "time,device,metric,value"
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
PULSE = """\
- id: care.pulse_high
  category: care
  watch: {metric: pulse}
  when: pulse >= 130
  severity: orange
  title: {zh: 心率过快, en: High pulse}
"""


def line(minute: float, device: str, metric: str, value: float, *more: str) -> str:
    moment = (START + timedelta(minutes=minute)).isoformat()
    return ",".join([moment, device, metric, f"{value:g}", *more])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The small site's folder, its rules those of SpO2 and pulse."""
    folder = tmp_path / "site"
    folder.mkdir()
    return small_site.write(folder, COMMUNITY, rules=small_site.RULES + PULSE)


def run(*words: str | Path, code: int = 0, **environment: str) -> Result:
    result = CliRunner().invoke(app, ["rules", "replay", *map(str, words)], env=environment)
    assert result.exit_code == code, result.output
    return result


def recorded(folder: Path, *lines: str, header: str = HEADER) -> Path:
    file = folder / "recorded.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def objects(result: Result, key: str) -> list[Any]:
    """What stands under this key, line by line."""
    lines = [orjson.loads(line) for line in result.stdout.splitlines()]
    return [line[key] for line in lines if key in line]


LOW = [line(minute, "wearable-1", "spo2", 88) for minute in range(0, 16, 4)]
WELL = [line(20, "wearable-1", "spo2", 97)]
FAST = [line(3, "wearable-2", "pulse", 140), line(5, "wearable-2", "pulse", 90)]


def test_a_file_is_judged_and_told_of_by_rule_member_and_day(site: Path, tmp_path: Path) -> None:
    odd = [line(1, "stranger", "spo2", 97), line(2, "wearable-3", "spo2", 101)]
    file = recorded(tmp_path, *LOW, *FAST, *odd, *WELL)
    told = run("--site", site, "--readings", file, "--format", "jsonl")
    assert objects(told, "alert") == [
        {
            "rule": "care.pulse_high",
            "category": "care",
            "severity": "orange",
            "subject": "device",
            "place": "lvyuan/wearable-2",
            "since": "2026-03-01T08:03:00+00:00",
            "fired": "2026-03-01T08:03:00+00:00",
            "until": "2026-03-01T08:05:00+00:00",
            "cause": "condition_held",
            "value": 140.0,
            "told": ["wang-fang"],
        },
        {
            "rule": "care.spo2_low",
            "category": "care",
            "severity": "red",
            "subject": "device",
            "place": "lvyuan/wearable-1",
            "since": "2026-03-01T08:00:00+00:00",
            "fired": "2026-03-01T08:10:00+00:00",
            "until": "2026-03-01T08:20:00+00:00",
            "cause": "condition_held",
            "value": 88.0,
            "told": ["wang-fang"],
        },
    ]
    (whole,) = objects(told, "sum")
    assert (whole["readings"], whole["unknown_device"], whole["out_of_range"]) == (7, 1, 1)
    assert [(t["rule"], t["watches"], t["alerts"]) for t in objects(told, "total")] == [
        ("care.pulse_high", 20, 1),
        ("care.spo2_low", 20, 1),
    ]
    members = [orjson.loads(line) for line in told.stdout.splitlines() if '"member"' in line]
    assert members == [{"member": "wang-fang", "day": "2026-03-01", "alerts": 2}]
    table = run("--site", site, "--readings", file).stdout
    assert "alerts 2" in table
    assert "left out, of devices that the site does not have: 1 (lvyuan/stranger)" in table
    assert table.index("care.spo2_low") < table.index("longest:")


def test_timers_run_on_to_the_end_that_is_asked_for(site: Path, tmp_path: Path) -> None:
    file = recorded(tmp_path, LOW[0], LOW[1])
    assert objects(run("--site", site, "--readings", file, "--format", "jsonl"), "alert") == []
    longer = run(
        "--site", site, "--readings", file, "--format", "jsonl", "--to", "2026-03-01T17:00"
    )
    assert [a["fired"] for a in objects(longer, "alert")] == ["2026-03-01T08:10:00+00:00"]


def test_other_rules_show_what_they_would_change(site: Path, tmp_path: Path) -> None:
    tried = tmp_path / "tried"
    tried.mkdir()
    sooner = small_site.RULES.replace("10m", "5m")
    (tried / "rules.yaml").write_text(sooner + PULSE.replace("130", "150"))
    words = ("--site", site, "--readings", recorded(tmp_path, *LOW, *FAST, *WELL))
    told = run(*words, "--rules", tried, "--against", site / "rules", "--format", "jsonl")
    assert objects(told, "change") == [
        {"rule": "care.pulse_high", "same": 0, "moved": 0, "only_new": 0, "only_old": 1},
        {"rule": "care.spo2_low", "same": 1, "moved": 1, "only_new": 0, "only_old": 0},
    ]
    assert [a["rule"] for a in objects(told, "alert")] == ["care.spo2_low"]
    assert [a["place"] for a in objects(told, "only_old")] == ["lvyuan/wearable-2"]
    table = run(*words, "--rules", tried, "--against", site / "rules").stdout
    assert "against the old rules:" in table
    assert "only old: 1" in table


INCIDENTS = """\
from,until,place,rules,kinds,name
2026-03-01T15:59:00,2026-03-01T16:30:00,h-1,care.spo2_low,,low at home
2026-03-01T08:04:00Z,2026-03-01T08:04:30Z,lvyuan/wearable-2,,pulse,fast
2026-03-01T08:04:00Z,2026-03-01T08:04:30Z,lvyuan/wearable-9,,care,another
2026-02-01T08:00:00Z,2026-02-01T09:00:00Z,,,,long ago
"""


def test_incidents_that_people_noted_are_found_or_missed(site: Path, tmp_path: Path) -> None:
    noted = tmp_path / "noted.csv"
    noted.write_text(INCIDENTS)
    words = ("--site", site, "--readings", recorded(tmp_path, *LOW, *FAST, *WELL))
    told = run(*words, "--incidents", noted, "--format", "jsonl")
    *rules, whole = objects(told, "detection")
    assert (whole["alerts"], whole["right"], whole["incidents"], whole["found"]) == (2, 2, 3, 2)
    assert (whole["precision"], whole["missed"]) == (1.0, ["another"])
    # 15:59 in Shanghai is 07:59 UTC: told 11 minutes later; the pulse was told before.
    assert [(r["rule"], r["found"], r["median_delay_s"]) for r in rules] == [
        ("care.pulse_high", 1, 0.0),
        ("care.spo2_low", 1, 660.0),
    ]
    assert objects(told, "sum")[0]["outside"] == 1
    assert "missed: another" in run(*words, "--incidents", noted).stdout


def test_the_incidents_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "backtests.md").read_text("utf-8")
    file = tmp_path / "incidents.csv"
    file.write_text(page.partition("```csv\n")[2].partition("```")[0])
    ground = ground_of_folder(EXAMPLE)
    first, second = read_incidents(file, Words(ground.inventory, ground.rules, ground.zone))
    assert (set(first.rules), first.name) == ({"care.spo2_low"}, "Ms Li unwell")
    assert second.rules == {r.code for r in ground.rules if r.category == "safety"}
    assert "safety.smoke" in second.rules
    assert first.place is not None
    assert second.place is not None
    assert ground.inventory.devices[second.place.id].code == "smoke-1-f1"
    assert ground.inventory.households[first.place.id].code == "b1-102"


def test_every_mistake_in_incidents_is_told_with_its_line(site: Path, tmp_path: Path) -> None:
    noted = tmp_path / "noted.jsonl"
    good = {"from": "2026-03-01T08:00:00Z", "until": "2026-03-01T09:00:00Z"}
    bad: Iterable[dict[str, Any]] = [
        good | {"rules": ["care.spo2_lo"]},
        good | {"place": "nowhere"},
        good | {"until": "soon"},
        good | {"from": "2026-03-02T08:00:00Z"},
        good | {"metric": "spo3"},
    ]
    noted.write_bytes(b"\n".join(map(orjson.dumps, bad)) + b"\n[1]\nno\n")
    words = ("--site", site, "--readings", recorded(tmp_path, *LOW))
    told = run(*words, "--incidents", noted, code=1).stderr
    wanted = [
        "unknown rule 'care.spo2_lo'; did you mean 'care.spo2_low'?",
        "the site has no household or area or device 'nowhere'",
        "until 'soon' is not RFC 3339",
        "until 2026-03-01T09:00:00Z is before from 2026-03-02T08:00:00Z",
        "unknown kind 'spo3'; did you mean 'spo2'?",
        "not a JSON object",
        "not JSON",
    ]
    for number, what in enumerate(wanted, 1):
        assert f"noted.jsonl:{number}: {what}" in told


def test_a_column_says_when_readings_arrived(site: Path, tmp_path: Path) -> None:
    """What came first is the begin, and what was heard late is judged by its own time."""
    arrivals = [(START + timedelta(minutes=m)).isoformat() for m in (1, 0, 11)]
    lines = [
        line(0, "wearable-1", "spo2", 88, arrivals[0]),
        line(0, "wearable-2", "pulse", 140, arrivals[1]),
        line(11, "wearable-1", "spo2", 88, arrivals[2]),
    ]
    file = recorded(tmp_path, *lines, header=HEADER + ",arrival")
    told = run("--site", site, "--readings", file, "--format", "jsonl")
    assert [(a["rule"], a["fired"]) for a in objects(told, "alert")] == [
        ("care.pulse_high", "2026-03-01T08:00:00+00:00"),
        ("care.spo2_low", "2026-03-01T08:10:00+00:00"),
    ]
    (whole,) = objects(told, "sum")
    assert (whole["from"], whole["to"]) == (arrivals[1], arrivals[2])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--readings", "x.csv"), "--readings needs --site"),
        (("--site", EXAMPLE, "--from", "2026-03-01"), "--site needs --readings FILE or --hours"),
        (("--city", "10,100", "--site", EXAMPLE), "either --site FOLDER or --city daqing"),
        (("--city", "10,100", "--scale", "2"), "--scale is for --site with --hours"),
        (("--site", EXAMPLE, "--hours", "1", "--to", "2026"), "neither --readings nor --to"),
        (("--site", EXAMPLE, "--hours", "1", "--batch", "x"), "'x' is not a duration"),
        (("--site", EXAMPLE, "--hours", "1", "--from", "x"), "--from 'x' is not RFC 3339"),
        (("--site", EXAMPLE, "--hours", "1", "--rules", "/no/such"), "cannot be read"),
        (("--site", "/no/such", "--hours", "1"), "there is no such folder"),
        (("--site", EXAMPLE, "--readings", "/no/such"), "/no/such cannot be read"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    words: tuple[str | Path, ...], sentence: str
) -> None:
    assert sentence in " ".join(run(*words, code=1).stderr.split())


def test_bad_lines_are_told_and_nothing_is_judged(site: Path, tmp_path: Path) -> None:
    file = recorded(tmp_path, LOW[0], line(1, "wearable-1", "spo3", 1), "soon,wearable-1,spo2,90")
    told = run("--site", site, "--readings", file, code=1).stderr
    assert "recorded.csv:3: unknown metric 'spo3'" in told
    assert "recorded.csv:4: time 'soon' is not RFC 3339" in told


def test_simulated_hours_are_played_with_their_incidents(tmp_path: Path) -> None:
    words = ("--site", EXAMPLE, "--hours", "1", "--from", "2026-03-02T08:00:00")
    told = run(*words, "--format", "jsonl", "--batch", "10s")
    (whole,) = objects(told, "sum")
    assert whole["readings"] > 500
    found = objects(told, "detection")[-1]
    assert found["found"] > 0
    assert found["found"] + len(found["missed"]) == found["incidents"]
    again = run(*words, "--format", "jsonl", "--batch", "10s")
    assert objects(again, "alert") == objects(told, "alert")


def test_what_goes_wrong_while_readings_are_got_ends_the_backtest() -> None:
    ground = ground_of_folder(EXAMPLE)

    def readings() -> Iterator[Batch]:
        yield Batch.of([Reading(SECOND, SECOND, 1, 1, 50.0)])
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        play(ground, [ground.rules], Recording(readings(), 0, MINUTE), SECOND)


def test_in_a_city_the_example_rules_are_tried() -> None:
    words = ("--city", "1,40", "--hours", "0.5", "--from", "2026-03-02T08:00:00", "--batch", "30s")
    (whole,) = objects(run(*words, "--format", "jsonl"), "sum")
    assert whole["devices"] > 100
    assert whole["readings"] > 100


async def test_stored_readings_tell_what_the_service_told(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    """The judge on a real database, then the backtest of it: rule, place and every time agree."""
    small_site.write(tmp_path, COMMUNITY, rules=small_site.RULES + PULSE)
    bench = Bench(pool, tmp_path, database_url)
    await bench.apply(small_site.RULES + PULSE)
    await bench.start()
    begin = bench.clock.now()
    for value in (88, 90, 85):
        await bench.hear(spo2=value)
        await bench.wait(4 * MINUTE)
    await bench.hear("wearable-2", pulse=140)
    await bench.hear(spo2=97)
    await bench.wait(90 * MINUTE)
    await bench.hear("wearable-2", pulse=150)
    await bench.hear("wearable-2", pulse=60)
    end = bench.clock.advance(SECOND)
    rows = await bench.rows(
        "SELECT rule_code, since, fired_at, cleared_at FROM alerts ORDER BY fired_at"
    )
    assert len(rows) == 2
    before = await bench.rows("SELECT count(*) FROM audit_log")
    told = await asyncio.to_thread(
        run,
        *("--from", to_datetime(begin).isoformat(), "--to", to_datetime(end).isoformat()),
        *("--format", "jsonl"),
        GRIDWARDEN_DATABASE_URL=database_url,
    )
    alerts = objects(told, "alert")
    assert [tuple(a[k] for k in ("rule", "since", "fired", "until")) for a in alerts] == [
        (rule, *(None if t is None else t.astimezone(UTC).isoformat() for t in times))
        for rule, *times in rows
    ]
    assert objects(told, "sum")[0]["readings"] == 7
    # Stored vital signs of somebody: the grid, and no value.
    assert {(a["place"], a["value"]) for a in alerts} == {("grid-1", None)}
    assert await bench.rows("SELECT count(*) FROM audit_log") == before
    assert await bench.rows("SELECT count(*) FROM alerts") == [(2,)]


def test_more_free_places_than_there_are_is_left_out(tmp_path: Path) -> None:
    lines = [line(n, "car-park-1", "parking_free", free) for n, free in enumerate((5, 20, 21, 500))]
    file = recorded(tmp_path, *lines)
    (whole,) = objects(run("--site", EXAMPLE, "--readings", file, "--format", "jsonl"), "sum")
    assert (whole["readings"], whole["out_of_range"]) == (2, 2)
