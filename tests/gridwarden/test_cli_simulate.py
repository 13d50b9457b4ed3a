"""`gridwarden simulate` and `gridwarden city` as a user runs them, against a real broker."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridwarden.cli import app
from gridwarden.demo_site import example_site
from tests.simulator.scripted import Scripted
from tests.waiting import until

SITE = str(example_site())
DAY = ("simulate", "--site", SITE, "--from", "2026-03-02T06:00", "--speed", "0")
SENT = re.compile(r"sent (\d+), accepted by the broker (\d+), reconnects 0")
MADE = re.compile(r"messages (\d+), ")


def run(*words: str, url: str = "mqtt://127.0.0.1:1", code: int = 0) -> str:
    env = {"GRIDWARDEN_MQTT_URL": url, "COLUMNS": "200"}
    result = CliRunner().invoke(app, words, env=env)
    assert result.exit_code == code, result.output
    return result.output


def figures(output: str) -> tuple[int, int]:
    found = SENT.search(output)
    assert found, output
    return int(found[1]), int(found[2])


def test_a_dry_run_needs_no_broker_and_tells_how_fast_it_was(tmp_path: Path) -> None:
    truth, faults = tmp_path / "incidents.jsonl", tmp_path / "faults.jsonl"
    written = ("--incidents", str(truth), "--faults", str(faults))
    output = run(*DAY, "--dry-run", *written)
    assert re.search(r"done: messages \d{5}, \d+/s, most memory \d+ MiB", output), output
    records = [json.loads(line) for line in truth.read_text().splitlines()]
    assert f"incidents planted {len(records)}, faults" in output
    assert {"what", "community", "area", "household", "devices", "from", "until"} <= set(records[0])
    assert len(faults.read_text().splitlines()) > 10


@pytest.mark.parametrize(
    "options", [(), ("--connections", "3"), ("--connections", "device"), ("--processes", "2")]
)
def test_everything_is_acknowledged_however_it_is_sent(
    broker_url: str, options: tuple[str, ...]
) -> None:
    output = run(*DAY, "--hours", "0.2", *options, url=broker_url)
    made = MADE.search(output)
    assert made
    assert figures(output) == (int(made[1]), int(made[1]))
    assert int(made[1]) > 100


def test_each_device_signs_in_as_itself(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(
        "username,password,client_id\nlvyuan/door-1-1,geheim-7,door-controller-1\n", "utf-8"
    )
    devices = 192
    with Scripted([None] * devices) as broker:
        url = f"mqtt://usual:word@127.0.0.1:{broker.port}"
        more = ("--hours", "0.01", "--connections", "device", "--credentials", str(accounts))
        output = run(*DAY, *more, url=url)
    assert sorted(set(broker.users)) == ["lvyuan/door-1-1/geheim-7", "usual/word"]
    assert broker.users.count("lvyuan/door-1-1/geheim-7") == 1
    assert broker.clients.count("door-controller-1") == 1
    assert "geheim" not in output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("simulate",), "give either --site"),
        (("simulate", "--city", "paris"), "'paris' is neither"),
        (("simulate", "--city", "1,10", "--scale", "2"), "--scale is for --site"),
        ((*DAY, "--fault", "lost=1"), "there are stuck, silent"),
        ((*DAY, "--fault", "late=2"), "not from 0 to 1"),
        ((*DAY, "--connections", "many"), "'many' is no number"),
        ((*DAY, "--credentials", "x.csv"), "needs --connections device"),
        (DAY, "no broker answers at 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_said(options: tuple[str, ...], told: str) -> None:
    assert told in run(*options, code=1)


def test_no_incidents_and_no_faults_are_none() -> None:
    output = run(*DAY, "--dry-run", "--incident-rate", "0", "--fault-rate", "0")
    assert "incidents planted 0, faults 0" in output


def test_a_city_is_written_checked_and_played(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    size = ("--communities", "2", "--elders", "90")
    assert "communities 2, homes 60" in run("city", str(folder), *size)
    assert "is sound" in run("site", "check", str(folder))
    assert "is not empty" in run("city", str(folder), *size, code=1)
    short = ("--hours", "0.5", "--speed", "0", "--dry-run", "--from", "2026-03-02T06:00")
    from_folder = MADE.search(
        run("simulate", "--site", str(folder), *short, "--incident-rate", "0")
    )
    in_memory = MADE.search(run("simulate", "--city", "2,90", *short, "--incident-rate", "0"))
    assert from_folder
    assert in_memory
    assert from_folder[1] == in_memory[1]


def test_a_scaled_site_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "three"
    run("simulate", "--site", SITE, "--scale", "3", "--write-site", str(folder))
    assert "is sound" in run("site", "check", str(folder))


def started(command: list[str], url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GRIDWARDEN_MQTT_URL": url}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("processes", [1, 2])
async def test_ctrl_c_ends_a_paced_run_and_says_what_was_acknowledged(processes: int) -> None:
    command = [sys.executable, "-m", "gridwarden", "simulate", "--site", SITE, "--speed", "60"]
    with Scripted([None] * processes) as broker:

        async def something_was_heard() -> bool:
            return len(broker.heard) > 10

        url = f"mqtt://127.0.0.1:{broker.port}"
        child = started([*command, "--processes", str(processes)], url)
        await until(something_was_heard, what="the simulator published")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    assert child.returncode == 0, output
    assert "stopped: messages" in output
    sent, accepted = figures(output)
    assert sent == accepted == len(broker.heard)
