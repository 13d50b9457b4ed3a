"""A server process: started until its log says that it serves, ended by its process id."""

import os
import select
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.services.server import ServiceMissingError

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where chroot, debootstrap and apt-get are; `su` alone leaves root without the sbin folders."""

ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
"""What a server sees of the environment: not the user's PG… and locale variables."""

_START_S = 60.0
_STOP_S = 20.0


class Process:
    """One server program; `ready` is part of the log line (stderr) that says it serves.

    Its process id stands in `pid_file` while it runs, for whoever clears up after a dead run.
    """

    def __init__(self, command: Sequence[str], *, ready: str, pid_file: Path) -> None:
        self._command = command
        self._ready = ready
        self._pid_file = pid_file
        self._tail: deque[str] = deque(maxlen=30)
        self._popen: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def log_tail(self) -> str:
        """The last 30 lines that the server logged."""
        return "".join(self._tail)

    def start(self) -> None:
        """Start and wait until it serves; ServiceMissingError with the log if it does not."""
        assert self._popen is None, f"{self._command[-1]} runs already"
        popen = self._spawn()
        self._pid_file.write_text(str(popen.pid))
        serving, closed = threading.Event(), threading.Event()
        assert popen.stderr is not None
        self._reader = threading.Thread(
            target=self._read, args=(popen.stderr, serving, closed), daemon=True
        )
        self._reader.start()
        if not serving.wait(_START_S) or closed.is_set():
            self.kill()
            raise ServiceMissingError(f"{' '.join(self._command)} did not start:\n{self.log_tail}")

    def _spawn(self) -> subprocess.Popen[str]:
        # A session of its own: Ctrl-C in the terminal must reach pytest only.
        self._popen = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env=ENVIRONMENT,
        )
        return self._popen

    def _read(self, log: IO[str], serving: threading.Event, closed: threading.Event) -> None:
        for line in log:
            self._tail.append(line)
            if self._ready in line:
                serving.set()
        if not serving.is_set():
            closed.set()
            serving.set()

    def kill(self) -> None:
        """SIGKILL for it and its children; returns when all are gone. Nothing if it is down."""
        if self._popen is None:
            return
        # Once polled as ended its id may be somebody else's.
        if self._popen.poll() is None:
            kill_family(self._popen.pid)
        self._reap()

    def stop(self, sign: signal.Signals) -> None:
        """Send `sign`, then SIGKILL if it has not ended in 20 s. Nothing if it is down."""
        if self._popen is None:
            return
        self._popen.send_signal(sign)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_STOP_S)
        self.kill()

    def _reap(self) -> None:
        assert self._popen is not None
        assert self._popen.stderr is not None
        self._popen.wait()
        if self._reader is not None:
            self._reader.join()
        self._popen.stderr.close()
        self._pid_file.unlink(missing_ok=True)
        self._popen = self._reader = None


def kill_family(pid: int) -> None:
    """SIGKILL for `pid` and all below it, stopped first so that none starts another."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    children = _children(pid)
    for child in children:
        kill_family(child)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _await_end(pid)


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def _await_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], _STOP_S)
    finally:
        os.close(handle)
    if not ended:
        raise ServiceMissingError(f"process {pid} is still there {_STOP_S:g} s after SIGKILL")
