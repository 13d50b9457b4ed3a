"""Servers run from the Debian folder: by chroot, as their own users, data in a folder of this run.

Every run has a folder <root>/srv/gridwarden/run-… with a `lock` file that its process holds. Who
starts later and finds a folder whose lock is free knows that the run is dead, ends the servers
whose process ids stand there, and deletes it.
"""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg

from tests.services.configuration import configuration, guarded
from tests.services.process import ENVIRONMENT, Process, kill_family
from tests.services.server import Guard, Server, ServiceMissingError, free_port
from tests.services.trixie import locked

AServer = TypeVar("AServer", bound=Server)
_BIN = "/usr/lib/postgresql/17/bin"


class ChrootServers:
    """Makes servers in `root`; close it to end them all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        runs = root / "srv/gridwarden"
        runs.mkdir(parents=True, exist_ok=True)
        with locked(runs / "lock"):
            clear_dead_runs(runs, root)
            self.home = Path(tempfile.mkdtemp(prefix="run-", dir=runs))
            self.home.chmod(0o755)
            self._lock = (self.home / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._servers: list[Server] = []

    def postgres(self, *, durable: bool) -> Server:
        """A TimescaleDB server on an empty cluster, started; `durable` keeps fsync on."""
        return self._started(ChrootPostgres(self._root, self.home, durable=durable))

    def standby(self, of: Server) -> Server:
        """A hot standby of a server, started; from then on that one waits for it at each commit."""
        standby = self._started(ChrootStandby(self._root, self.home, of))
        with psycopg.connect(of.url, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            conn.execute("SELECT pg_reload_conf()")
        return standby

    def postgres_on_small_disk(self) -> "ChrootSmallDiskPostgres":
        """A server with its WAL and one tablespace on small file systems, started."""
        return self._started(ChrootSmallDiskPostgres(self._root, self.home, durable=True))

    def mosquitto(self, **changed: str) -> Server:
        """A broker without messages, with these settings changed, started."""
        return self._started(ChrootMosquitto(self._root, self.home, **changed))

    def guarded_mosquitto(self, guard: Guard) -> "ChrootGuardedMosquitto":
        """A broker that wants accounts, with TLS, started."""
        return self._started(ChrootGuardedMosquitto(self._root, self.home, guard))

    def _started(self, server: AServer) -> AServer:
        self._servers.append(server)
        server.start()
        return server

    def close(self) -> None:
        """End every server made and delete this run's folder."""
        for server in self._servers:
            server.remove()
        shutil.rmtree(self.home)
        self._lock.close()


class _ChrootServer(ABC):
    """What both servers share: a folder, a user of the root, a port, a process."""

    user: str
    ready: str
    stop_signal = signal.SIGTERM
    order_signal = signal.SIGTERM
    """Asks it to end as an administrator would."""

    def __init__(self, root: Path, home: Path) -> None:
        self.port = free_port()
        self._root = root
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.user}-", dir=home))
        self._ids = _ids(root, self.user)
        os.chown(self._folder, *self._ids)
        self._prepare()
        self._process = Process(
            self._inside(self._command()),
            ready=self.ready,
            pid_file=home / f"{self._folder.name}.pid",
        )

    @abstractmethod
    def _prepare(self) -> None:
        """Lay out the folder."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """What runs, as seen from inside."""

    def _inside(self, command: Sequence[str]) -> list[str]:
        user, group = self._ids
        return ["chroot", f"--userspec={user}:{group}", str(self._root), *command]

    def _path(self, name: str) -> str:
        """`name` in this server's folder, as the server sees it."""
        return f"/{self._folder.relative_to(self._root)}/{name}"

    def start(self) -> None:
        """Start it on its port and its data, and wait until it serves."""
        self._process.start()

    def kill(self) -> None:
        """SIGKILL for the whole server."""
        self._process.kill()

    def stop(self) -> None:
        """End it in order and wait."""
        self._process.stop(self.order_signal)

    def remove(self) -> None:
        """Stop it and delete its data."""
        self._process.stop(self.stop_signal)
        shutil.rmtree(self._folder, ignore_errors=True)


class ChrootPostgres(_ChrootServer):
    """PostgreSQL 17 with TimescaleDB (the Apache edition, as Debian builds it)."""

    user = "postgres"
    ready = "database system is ready to accept connections"
    stop_signal = signal.SIGQUIT  # nobody needs the data again: no shutdown checkpoint
    order_signal = signal.SIGINT

    _initial: Sequence[str] = ()
    """Further options of initdb."""

    def __init__(self, root: Path, home: Path, *, durable: bool) -> None:
        self._durable = durable
        super().__init__(root, home)

    @property
    def url(self) -> str:
        """The superuser's URL of the database postgres."""
        return f"postgresql://gridwarden@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        options = ["--username=gridwarden", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        self._run("initdb", *options, *self._initial, "--locale=C.UTF-8", "-D", self._path("data"))

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end; ServiceMissingError if that is not good."""
        done = subprocess.run(
            self._inside([f"{_BIN}/{program}", *arguments]),
            check=False,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
        )
        if done.returncode != 0:
            raise ServiceMissingError(f"{program} ended with {done.returncode}:\n{done.stderr}")

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_preload_libraries": "timescaledb",
            # Its scheduler holds a connection to every database, and so blocks CREATE … TEMPLATE.
            "timescaledb.max_background_workers": "0",
            "fsync": "on" if self._durable else "off",
            "dynamic_shared_memory_type": "mmap",  # /dev/shm need not be in the root
            "timezone": "UTC",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [f"{_BIN}/postgres", "-D", self._path("data"), *chosen]


class ChrootStandby(ChrootPostgres):
    """A hot standby: all of another server's data, and what that one writes from now on."""

    ready = "database system is ready to accept read-only connections"

    def __init__(self, root: Path, home: Path, of: Server) -> None:
        self._of = of
        super().__init__(root, home, durable=True)

    def _prepare(self) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self._of.port), "-U", "gridwarden"]
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", *where, *how, "-D", self._path("data"))


class SmallDisk:
    """A file system in memory, mounted in the folder of a server and given to its user."""

    def __init__(self, folder: Path, path: str, owner: tuple[int, int], megabytes: int) -> None:
        self.path = path
        self._folder = folder
        folder.mkdir()
        options = f"size={megabytes}m,mode=700,uid={owner[0]},gid={owner[1]}"
        command = ["mount", "-t", "tmpfs", "-o", options, "gridwarden-test", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServiceMissingError(f"no small file system can be mounted: {done.stderr}")

    def fill(self) -> None:
        """Leave no byte free on it."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65_536)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"


class ChrootSmallDiskPostgres(ChrootPostgres):
    """PostgreSQL with 48 MB for its WAL, in segments of 1 MB, and 64 MB for a tablespace."""

    def _prepare(self) -> None:
        self.wal = self._disk("wal", 48)
        self.tablespace = self._disk("tablespace", 64)
        self._initial = ("--waldir", f"{self.wal.path}/wal", "--wal-segsize=1")
        super()._prepare()

    def _disk(self, name: str, megabytes: int) -> SmallDisk:
        return SmallDisk(self._folder / name, self._path(name), self._ids, megabytes)

    def remove(self) -> None:
        """Stop it, unmount its file systems, delete its data."""
        self._process.stop(self.stop_signal)
        unmount_below(self._folder)
        super().remove()


class ChrootMosquitto(_ChrootServer):
    """Mosquitto with the configuration that ships."""

    user = "mosquitto"
    ready = " running"

    def __init__(self, root: Path, home: Path, **changed: str) -> None:
        self._changed = changed
        super().__init__(root, home)

    @property
    def url(self) -> str:
        """mqtt://127.0.0.1:port"""
        return f"mqtt://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        text = configuration(f"{self.port} 127.0.0.1", self._path(""), **self._changed)
        (self._folder / "mosquitto.conf").write_text(text)

    def _command(self) -> Sequence[str]:
        return ["/usr/sbin/mosquitto", "-c", self._path("mosquitto.conf")]


class ChrootGuardedMosquitto(ChrootMosquitto):
    """Mosquitto with the configuration that ships, accounts and TLS included."""

    def __init__(self, root: Path, home: Path, guard: Guard) -> None:
        self.tls_port = free_port()
        self._guard = guard
        super().__init__(root, home)

    def _prepare(self) -> None:
        files = {
            "dynamic-security.json": self._guard.accounts,
            "server.crt": self._guard.certificate,
            "server.key": self._guard.key,
        }
        for name, content in files.items():
            file = self._folder / name
            file.write_bytes(content)
            file.chmod(0o600)
            os.chown(file, *self._ids)
        (plugin,) = self._root.glob("usr/lib/*/mosquitto_dynamic_security.so")
        paths = {
            "persistence_location": self._path(""),
            "plugin": f"/{plugin.relative_to(self._root)}",
            "plugin_opt_config_file": self._path("dynamic-security.json"),
            "certfile": self._path("server.crt"),
            "keyfile": self._path("server.key"),
        }
        text = guarded(f"{self.port} 127.0.0.1", f"{self.tls_port} 127.0.0.1", paths)
        (self._folder / "mosquitto.conf").write_text(text)


def clear_dead_runs(runs: Path, root: Path) -> None:
    """End the servers and delete the folders of runs whose process is gone."""
    for home in runs.glob("run-*"):
        with suppress(FileNotFoundError), (home / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for pid_file in home.glob("*.pid"):
                _end_leftover(int(pid_file.read_text()), root)
            unmount_below(home)
            shutil.rmtree(home)


def unmount_below(folder: Path) -> None:
    """Unmount every file system below `folder`."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in points:
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", point], check=True)


def _end_leftover(pid: int, root: Path) -> None:
    """SIGKILL for `pid` if it still is a process of `root`: ids are given out again."""
    with suppress(FileNotFoundError):
        if Path(f"/proc/{pid}/root").readlink() == root:
            kill_family(pid)


def _ids(root: Path, user: str) -> tuple[int, int]:
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == user:
            return int(uid), int(gid)
    raise ServiceMissingError(f"{root}/etc/passwd has no user {user!r}")
