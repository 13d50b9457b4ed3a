"""The worker as a process, and what processes take."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from gridwarden.shard import WHOLE, Shard
from tests.bench_ingest.bare import CLIENT
from tests.services.server import Server

PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, and memory in MiB, by process."""

    cpu: Mapping[str, float]
    memory: Mapping[str, float]

    def since(self, before: "Usage") -> dict[str, float]:
        """CPU seconds since then."""
        return {name: self.cpu[name] - before.cpu[name] for name in self.cpu}


def usage(processes: Mapping[str, int]) -> Usage:
    """Of these and their children: CPU, and memory: the most so far, PostgreSQL's as of now."""
    cpu, memory = {}, {}
    for name, pid in processes.items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        own = process.cpu_times()
        spent = own.children_user + own.children_system
        shares = 0.0
        for each in family:
            try:
                times = each.cpu_times()
                spent += times.user + times.system
                # Shared buffers count once: each process has its share of them.
                shares += each.memory_full_info().pss / 1_048_576
            except psutil.NoSuchProcess:
                continue
        cpu[name] = spent
        memory[name] = round(shares if len(family) > 1 else _peak(pid), 1)
    return Usage(cpu, memory)


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1_024


def listener(server: Server) -> dict[str, int]:
    """The process that listens on the server's port; none where it is out of sight."""
    name = server.url.partition(":")[0]
    for connection in psutil.net_connections(kind="tcp4"):
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.laddr.port == server.port and connection.pid:
            return {"mosquitto" if name == "mqtt" else name: connection.pid}
    return {}


class Worker:
    """`gridwarden run` as a process of its own, from its start to `stop`.

    GRIDWARDEN_… of the environment holds for it: so other settings are measured.
    """

    def __init__(
        self, database_url: str, broker_url: str, log_file: Path, shard: Shard = WHOLE
    ) -> None:
        own = {
            "DATABASE_URL": database_url,
            "MQTT_URL": broker_url,
            "MQTT_CLIENT_ID": CLIENT,
            "WEB_PORT": "0",
        }
        environment = os.environ | {f"GRIDWARDEN_{name}": value for name, value in own.items()}
        self.name = "worker" if shard.whole else f"worker {shard}"
        self._log_file = log_file
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gridwarden", "run", "--shard", str(shard)],
                env=environment,
                stderr=log,
            )
        self.pid = self._process.pid

    def did(self, action: str) -> bool:
        """Whether this action stands in its log."""
        assert self._process.poll() is None, self._log_file.read_text()
        return f" {action} ".encode() in self._log_file.read_bytes()

    def until(self, action: str) -> None:
        """Wait for this action in its log."""
        began = time.perf_counter()
        while not self.did(action):
            assert time.perf_counter() - began < PATIENCE_S, self._log_file.read_text()
            time.sleep(0.005)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not end it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
