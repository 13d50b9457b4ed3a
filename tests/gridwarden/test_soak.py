"""Half a minute of random faults: what `make soak` does for longer."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.server import Provider
from tests.soak import LEAST, Plan, checks, report, soak


@pytest.mark.timeout(240)
def test_random_faults_lose_nothing_and_repeat_nothing(
    services: Callable[[], Provider], tmp_path: Path
) -> None:
    run = asyncio.run(soak(services(), Plan(minutes=0.25, seed=4), tmp_path))
    lines = list(checks(run))
    assert report(lines), lines
    assert run.struck.total() >= LEAST
