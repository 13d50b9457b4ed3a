"""Servers in containers, for who is not root or has no apt. Not tried where this was written."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.services.configuration import configuration, guarded
from tests.services.server import Guard, Server, ServiceMissingError, SmallDiskServer, free_port

_ONLY_BY_CHROOT = (
    "it is made in the Debian folder only; run the tests as root on a machine with apt"
)
_POSTGRES = "docker.io/timescale/timescaledb:2.19.3-pg17"
_MOSQUITTO = "docker.io/library/eclipse-mosquitto:2.0.21"


def engine() -> str | None:
    """The first of docker and podman whose engine answers."""
    for name in ("docker", "podman"):
        if shutil.which(name) is not None and _answers(name):
            return name
    return None


def _answers(name: str) -> bool:
    command = [name, "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def pull(engine: str) -> None:
    """Fetch both images with the engine's own progress shown; ServiceMissingError if it cannot."""
    for image in (_POSTGRES, _MOSQUITTO):
        if subprocess.run([engine, "pull", image], check=False).returncode != 0:
            raise ServiceMissingError(f"{engine} cannot pull {image}")


class ContainerServers:
    """Makes servers with `engine`; close it to remove them all."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._servers: list[Container] = []

    def postgres(self, *, durable: bool) -> Server:
        """A TimescaleDB server (Community edition) on an empty cluster, started."""
        port = free_port()
        command = ["-c", f"fsync={'on' if durable else 'off'}"]
        command += ["-c", "timescaledb.max_background_workers=0", "-c", "timezone=UTC"]
        options = ["--publish", f"127.0.0.1:{port}:5432", "--env", "POSTGRES_USER=gridwarden"]
        options += ["--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--env", "POSTGRES_DB=postgres"]
        url = f"postgresql://gridwarden@127.0.0.1:{port}/postgres"
        # The image starts a server that listens on no port to initialise, then the real one.
        ready = 'listening on IPv4 address "0.0.0.0"'
        return self._started(
            Container(
                engine=self._engine,
                port=port,
                url=url,
                arguments=[*options, _POSTGRES, *command],
                ready=ready,
            )
        )

    def standby(self, of: Server) -> Server:
        """Not made here: ServiceMissingError."""
        raise ServiceMissingError(f"no standby of {of.url}: {_ONLY_BY_CHROOT}")

    def postgres_on_small_disk(self) -> SmallDiskServer:
        """Not made here: ServiceMissingError."""
        raise ServiceMissingError(f"no small disk: {_ONLY_BY_CHROOT}")

    def mosquitto(self, **changed: str) -> Server:
        """A broker with the shipped configuration, but for these settings, started."""
        port = free_port()
        folder = Path(tempfile.mkdtemp(prefix="gridwarden-mosquitto-"))
        folder.chmod(0o755)
        (folder / "mosquitto.conf").write_text(configuration("1883", "/mosquitto/data/", **changed))
        options = ["--publish", f"127.0.0.1:{port}:1883"]
        options += ["--volume", f"{folder}:/mosquitto/config:ro", _MOSQUITTO]
        url = f"mqtt://127.0.0.1:{port}"
        return self._started(
            Container(
                engine=self._engine,
                port=port,
                url=url,
                arguments=options,
                ready=" running",
                folder=folder,
            )
        )

    def guarded_mosquitto(self, guard: Guard) -> "Container":
        """A broker that wants accounts, with TLS, started."""
        port, tls_port = free_port(), free_port()
        folder = Path(tempfile.mkdtemp(prefix="gridwarden-mosquitto-"))
        folder.chmod(0o777)
        # The image's start gives all of it to the broker's user.
        (folder / "dynamic-security.json").write_bytes(guard.accounts)
        (folder / "server.crt").write_bytes(guard.certificate)
        (folder / "server.key").write_bytes(guard.key)
        paths = {
            "plugin_opt_config_file": "/mosquitto/config/dynamic-security.json",
            "certfile": "/mosquitto/config/server.crt",
            "keyfile": "/mosquitto/config/server.key",
        }
        (folder / "mosquitto.conf").write_text(guarded("1883", "8883", paths))
        options = ["--publish", f"127.0.0.1:{port}:1883"]
        options += ["--publish", f"127.0.0.1:{tls_port}:8883"]
        options += ["--volume", f"{folder}:/mosquitto/config", _MOSQUITTO]
        return self._started(
            Container(
                engine=self._engine,
                port=port,
                tls_port=tls_port,
                url=f"mqtt://127.0.0.1:{port}",
                arguments=options,
                ready=" running",
                folder=folder,
            )
        )

    def _started(self, server: "Container") -> "Container":
        self._servers.append(server)
        server.start()
        return server

    def close(self) -> None:
        """Remove every container made."""
        for server in self._servers:
            server.remove()


class Container:
    """One container: created at the first start, the same one started again after a kill."""

    def __init__(
        self,
        *,
        engine: str,
        port: int,
        url: str,
        arguments: Sequence[str],
        ready: str,
        folder: Path | None = None,
        tls_port: int = 0,
    ) -> None:
        self.tls_port = tls_port
        self.port = port
        self.url = url
        self._engine = engine
        self._ready = ready
        self._folder = folder
        self._id = self._run("create", *arguments)

    def start(self) -> None:
        """Start the container and wait until its log says that it serves."""
        self._run("start", self._id)
        follow = [self._engine, "logs", "--follow", "--since", "1s", self._id]
        with subprocess.Popen(
            follow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as log:
            assert log.stdout is not None
            ready = any(self._ready in line for line in log.stdout)
            log.kill()
        if not ready:
            raise ServiceMissingError(f"container {self._id} ended without saying {self._ready!r}")

    def kill(self) -> None:
        """SIGKILL for all its processes."""
        self._run("kill", "--signal", "KILL", self._id)
        self._run("wait", self._id)

    def stop(self) -> None:
        """End it in order, by the signal that its image names."""
        self._run("stop", self._id)

    def remove(self) -> None:
        """Remove it with its volumes."""
        subprocess.run(
            [self._engine, "rm", "--force", "--volumes", self._id], check=False, capture_output=True
        )
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._engine, *arguments], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ServiceMissingError(f"{self._engine} {arguments[0]} failed: {done.stderr}")
        return done.stdout.strip()
