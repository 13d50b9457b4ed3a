"""The real demo as a user runs it: it tells somebody, its books balance, it goes on and stops."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridwarden.embedded import listens

LINE = re.compile(r"^(\d\d-\d\d \d\d:\d\d)  accepted by broker (\d+)  stored (\d+)  ", re.MULTILINE)
TOLD = re.compile(r"^\d\d-\d\d \d\d:\d\d:\d\d .+→ [A-Z]\w+ \w+", re.MULTILINE)
LEDGER = re.compile(
    r"^ledger     received (\d+) = stored (\d+) \+ duplicate (\d+) \+ rejected (\d+)  \(balanced",
    re.MULTILINE,
)
BY_MEMBER = re.compile(r"^ +\d+ × .+ \([a-z_.0-9]+\) → [A-Z]\w+ \w+$", re.MULTILINE)
LATENCY = re.compile(
    r"^latency    publish to inbox p50 \d+ ms  p99 \d+ ms  \(n=[1-9]\d*\)$", re.MULTILINE
)


def started(state: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRIDWARDEN_")}
    environment["GRIDWARDEN_STATE_DIR"] = str(state)
    usual = ("--plain", "--speed", "600", "--port", "0")
    return subprocess.Popen(
        [sys.executable, "-m", "gridwarden", "demo", *usual, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_somebody_is_told(demo: subprocess.Popen[str], stored: int) -> str:
    """What the demo has printed until somebody is told and it has stored more than before.

    At this speed the second between two runs is minutes: the first alert may be of a silent door.
    """
    assert demo.stdout is not None
    shown = ""
    for line in demo.stdout:
        shown += line
        more = any(int(now) > stored for *_, now in LINE.findall(shown))
        if more and TOLD.search(shown):
            break
    return shown


def stored_of(summary: str) -> int:
    """Messages stored in this run, whose ledger balances."""
    found = LEDGER.search(summary)
    assert found, summary
    received, *fates = map(int, found.groups())
    assert received == sum(fates)
    return fates[0]


def still_running(state: Path) -> Iterator[str]:
    """Command lines of processes that name the state folder."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(str(state) in word for word in words):
            yield " ".join(words)


def nothing_is_left(state: Path) -> bool:
    ports = json.loads((state / "ports.json").read_text())
    assert set(ports) == {"web", "mqtt"}
    return not any(map(listens, ports.values())) and not list(still_running(state))


@pytest.mark.timeout(180)
def test_a_run_tells_somebody_and_the_next_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    demo = started(state, "--fresh", "--minutes", "0.4")
    first, _ = demo.communicate()
    assert demo.returncode == 0, first
    assert TOLD.search(first), first
    assert BY_MEMBER.search(first), first
    assert LATENCY.search(first), first
    assert nothing_is_left(state)

    demo = started(state)
    second = until_somebody_is_told(demo, stored_of(first))
    assert list(still_running(state))
    demo.send_signal(signal.SIGINT)
    second += demo.communicate()[0]
    assert demo.returncode == 0, second
    assert LATENCY.search(second), second
    assert stored_of(second) > 0
    assert nothing_is_left(state)

    ended_at = [at for at, *_ in LINE.findall(first)][-1]
    went_on_at, accepted, stored = LINE.findall(second)[0]
    assert went_on_at > ended_at
    assert stored_of(first) <= int(stored) <= stored_of(first) + int(accepted)
