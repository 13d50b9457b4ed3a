"""The real service as a process of its own, to be stopped and killed by tests."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import until

START_S = 30.0
STOP_S = 30.0


class ServiceProcess:
    """`gridwarden run` with settings of ours. Its log goes to `log_file`, run after run."""

    def __init__(
        self,
        *,
        database_url: str,
        mqtt_url: str,
        log_file: Path,
        arguments: Sequence[str] = (),
        **settings: str,
    ) -> None:
        """arguments: of `run` · settings: further ones by field name, e.g. clock_speed='60'."""
        self.log_file = log_file
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._already = 0
        own = {"database_url": database_url, "mqtt_url": mqtt_url, "web_port": "0", **settings}
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GRIDWARDEN_")},
            **{f"GRIDWARDEN_{name.upper()}": value for name, value in own.items()},
        }

    async def start(self) -> None:
        """Start it and return when it says that it is running; AssertionError if it does not."""
        self.log_file.touch()
        self._already = self.log_file.stat().st_size
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gridwarden", "run", *self._arguments),
                env=self._environment,
                stderr=log,
            )
        await self.until_logged("service.running")

    async def logged(self, action: str, times: int = 1) -> None:
        """Return once this action is so often in the log, whether or not it has started yet."""

        async def often() -> bool:
            return self.log_file.exists() and self.log_text().count(f" {action} ") >= times

        await until(often, what=f"{action} in the log", at_most_s=START_S)

    async def until_connected(self) -> None:
        """Return once the broker serves it, counted from its last start."""
        await self.until_logged("source.connected")

    async def until_logged(self, action: str) -> None:
        """Return once this action is in the log of the present run; AssertionError if it ends."""
        try:
            async with asyncio.timeout(START_S):
                while action.encode() not in self.log_file.read_bytes()[self._already :]:
                    assert self._process is not None
                    assert self._process.returncode is None, self.log_text()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"no {action} in the log:\n{self.log_text()}") from None

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def kill(self) -> None:
        """kill -9: nothing is finished, nothing is said."""
        await self._end(signal.SIGKILL)

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> float:
        """SIGTERM: it finishes its batch and ends well; AssertionError if it does not.

        Returns how many seconds that took.
        """
        asked = time.monotonic()
        code = await self._end(signum)
        assert code == 0, f"the service ended with {code}:\n{self.log_text()}"
        return time.monotonic() - asked

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), STOP_S)

    async def close(self) -> None:
        """End it, however it is."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    def log_text(self) -> str:
        """What it has logged so far, all runs."""
        return self.log_file.read_text()

    async def _end(self, signum: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(signum)
        try:
            return await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.send_signal(signal.SIGUSR1)
            await self.until_logged("service.task")
            raise AssertionError(f"it did not end:\n{self.log_text()[-20_000:]}") from None
