"""Servers in the Debian folder: ended with the run that started them, or by the next run."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import trixie
from tests.services.chroot import ChrootServers, clear_dead_runs
from tests.services.process import Process
from tests.services.server import ServiceMissingError

# A run that starts a broker, tells where, and waits until it is killed.
_RUN = """
import sys
from tests.services import trixie
from tests.services.chroot import ChrootServers
servers = ChrootServers(trixie.root())
broker = servers.mosquitto()
[pid_file] = servers.home.glob("*.pid")
print(servers.home, pid_file.read_text(), flush=True)
sys.stdin.read()
"""


def test_the_next_run_ends_what_a_killed_run_left() -> None:
    command = [sys.executable, "-c", _RUN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        home, pid = run.stdout.readline().split()
        run.kill()
    handle = os.pidfd_open(int(pid))
    assert select.select([handle], [], [], 0)[0] == [], "the broker outlives its run"
    ChrootServers(trixie.root()).close()
    assert select.select([handle], [], [], 0)[0] == [handle], "the next run ends it"
    os.close(handle)
    assert not Path(home).exists()


def test_a_living_run_is_left_alone() -> None:
    servers = ChrootServers(trixie.root())
    clear_dead_runs(servers.home.parent, trixie.root())
    assert servers.home.exists()
    servers.close()
    assert not servers.home.exists()


def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such disk >&2; exit 3"]
    process = Process(command, ready="ready", pid_file=tmp_path / "pid")
    with pytest.raises(ServiceMissingError, match="did not start:\nno such disk"):
        process.start()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_once() -> None:
    first = trixie.root()
    made = (first / "gridwarden.json").stat().st_mtime_ns
    assert trixie.root() == first
    assert (first / "gridwarden.json").stat().st_mtime_ns == made


def test_a_folder_with_something_mounted_is_not_deleted(tmp_path: Path) -> None:
    folder, mounts = tmp_path / "building-x", tmp_path / "mounts"
    folder.mkdir()
    mounts.write_text(f"proc {folder}/proc proc rw 0 0\n")
    with pytest.raises(ServiceMissingError, match="building-x/proc is mounted; umount it"):
        trixie.remove_tree(folder, mounts)
    assert folder.exists()
    mounts.write_text(f"proc {folder}-other/proc proc rw 0 0\n")
    trixie.remove_tree(folder, mounts)
    assert not folder.exists()
