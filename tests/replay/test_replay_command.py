"""`gridwarden replay` through the real command, broker and service: what it reports is so."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridwarden.cli import app
from tests import small_site
from tests.service_process import ServiceProcess
from tests.whole import apply_site

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HEADER = "time,device,metric,value"
REPORT = ("--report", "--timeout", "30")


def line(minute: float, device: str, value: float) -> str:
    return f"{(START + timedelta(minutes=minute)).isoformat()},{device},spo2,{value}"


class Replay:
    """The command against one running service."""

    def __init__(self, folder: Path, community: str, environment: dict[str, str]) -> None:
        self._file = folder / "recorded.csv"
        self._community = community
        self._environment = environment

    async def __call__(self, *lines: str, options: tuple[str, ...] = REPORT) -> Result:
        """The command with these lines as its file."""
        self._file.write_text("\n".join([HEADER, *lines]) + "\n")
        arguments = ["replay", str(self._file), "--community", self._community, *options]
        runner = CliRunner()
        return await asyncio.to_thread(runner.invoke, app, arguments, env=self._environment)


@pytest.fixture
async def replay(
    database_url: str, broker_url: str, unique: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Replay]:
    """A running service for the small site."""
    community = unique("lvyuan")
    (tmp_path / "site").mkdir()
    await apply_site(
        database_url, small_site.write(tmp_path / "site", community), START - timedelta(days=1)
    )
    service = ServiceProcess(
        database_url=database_url,
        mqtt_url=broker_url,
        log_file=tmp_path / "service.log",
        mqtt_client_id=unique("gridwarden"),
    )
    urls = {"GRIDWARDEN_DATABASE_URL": database_url, "GRIDWARDEN_MQTT_URL": broker_url}
    await service.start()
    await service.until_connected()
    yield Replay(tmp_path, community, {**urls, "COLUMNS": "200"})
    await service.close()


def table_of(result: Result) -> dict[str, int]:
    """The report's rows."""
    assert result.exit_code == 0, result.output
    rows = re.findall(r"^│ +(\S.*?) +│ +(\d+) +│$", result.output, re.MULTILINE)
    return {name: int(number) for name, number in rows}


async def test_the_report_is_right(replay: Replay) -> None:
    low = [line(minute, "wearable-1", 88) for minute in range(0, 13, 4)]
    held_at_the_end = [line(12 + minute, "wearable-2", 88) for minute in (0, 6)]
    odd = [line(13, "stranger", 97), line(14, "wearable-3", 101), line(15, "wearable-3", 101)]
    twice = [line(20, "wearable-4", 97), line(20, "wearable-4", 97)]
    result = await replay(*low, *held_at_the_end, *odd, *twice)
    assert "11 readings" in result.output
    assert table_of(result) == {
        "sent": 11,
        "accepted by the broker": 11,
        "stored": 7,
        "duplicate": 1,
        "rejected": 3,
        "out_of_range (whole or in part)": 2,
        "unknown_device (whole or in part)": 1,
        "alerts of care.spo2_low": 2,
    }


async def test_a_recorded_pace_is_kept_times_the_speed(replay: Replay) -> None:
    lines = [line(minute, "wearable-1", 97) for minute in (0, 1, 2)]
    began = asyncio.get_running_loop().time()
    result = await replay(*lines, options=("--speed", "240"))
    assert asyncio.get_running_loop().time() - began >= 0.5
    assert result.output.splitlines()[-1] == "sent 3, accepted by the broker 3"


async def test_every_bad_line_is_told_and_nothing_is_sent(replay: Replay) -> None:
    bad = ["yesterday,wearable-1,spo2,97", line(1, "wearable-1", 97).replace("spo2", "spo3")]
    result = await replay(bad[0], line(0, "wearable-1", 97), bad[1])
    assert result.exit_code == 1
    assert "recorded.csv:2: time 'yesterday' is not RFC 3339" in result.output
    assert "recorded.csv:4: unknown metric 'spo3'" in result.output
    assert "bad lines: 2; nothing was sent; --skip-bad sends the 1 good" in result.output
    skipped = await replay(*bad, line(0, "wearable-1", 97), options=("--skip-bad", *REPORT))
    assert table_of(skipped)["stored"] == 1


async def test_more_bad_lines_than_are_listed_are_counted(replay: Replay) -> None:
    result = await replay(*["x,wearable-1,spo2,97"] * 60)
    assert "recorded.csv:51: " in result.output
    assert "… and 10 more bad lines" in result.output
