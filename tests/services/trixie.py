"""A Debian folder with the servers in it, made once by debootstrap and kept between runs."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.process import SYSTEM_PATH
from tests.services.server import ServiceMissingError

SUITE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb", "mosquitto")
_RECORD = "gridwarden.json"
_KEY = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]


def possible() -> bool:
    """Whether this user on this machine can make and use the folder."""
    return os.geteuid() == 0 and (_found("debootstrap") or _found("apt-get"))


def _found(program: str) -> bool:
    return shutil.which(program, path=SYSTEM_PATH) is not None


def root() -> Path:
    """The folder, made first if it is not there; safe from several processes at once.

    Named by a key of what is in it, so another list of packages gets another folder. Takes some
    minutes and a connection the first time; ServiceMissingError with debootstrap's last words.
    """
    cache = cache_folder()
    target = cache / SUITE / _KEY
    with locked(cache / f"{SUITE}.lock"):
        if not (target / _RECORD).exists():
            _build(target)
    return target


def cache_folder() -> Path:
    """`$GRIDWARDEN_CACHE`, or ~/.cache/gridwarden; made if it is not there."""
    chosen = os.environ.get("GRIDWARDEN_CACHE")
    folder = Path(chosen) if chosen else Path.home() / ".cache" / "gridwarden"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds `path` against other processes; the system lets go when this one dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    for unfinished in target.parent.glob("building-*"):
        remove_tree(unfinished)
    _install_debootstrap()
    folder = Path(tempfile.mkdtemp(prefix="building-", dir=target.parent))
    _say(f"making a Debian {SUITE} folder with {', '.join(PACKAGES)} in {target}: some minutes")
    _debootstrap(folder)
    folder.chmod(0o755)
    record = {"suite": SUITE, "key": _KEY, "packages": _versions(folder)}
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n")
    folder.rename(target)


def _install_debootstrap() -> None:
    if not _found("debootstrap"):
        _say("installing debootstrap")
        _run(["apt-get", "update", "-q"])
        packages = ["debootstrap", "debian-archive-keyring"]
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])


def _debootstrap(folder: Path) -> None:
    packages = ",".join(PACKAGES)
    _run(["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(folder)])
    # Several hundred megabytes of packages that are installed now.
    for package in (folder / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()


def _versions(folder: Path) -> dict[str, str]:
    query = ["chroot", str(folder), "dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]
    lines = _run(query).splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise ServiceMissingError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return done.stdout


def remove_tree(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Delete `folder`; ServiceMissingError if, by `mounts`, a file system is mounted below it."""
    points = [line.split()[1] for line in mounts.read_text().splitlines()]
    below = [point for point in points if point.startswith(f"{folder}/")]
    if below:
        raise ServiceMissingError(f"{folder} cannot be deleted: {below[0]} is mounted; umount it")
    shutil.rmtree(folder)


def _say(text: str) -> None:
    print(f"services: {text}", file=sys.stderr, flush=True)
