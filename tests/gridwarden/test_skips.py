"""A skip turns a session into a failure, unless it is for the absent data folder."""

import subprocess
import sys
from pathlib import Path

import pytest

_TEST = """
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason={reason!r})
def test_skips():
    pass
"""


def run(folder: Path, reason: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(_TEST.format(reason=reason))
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "--rootdir", str(folder)]
    command += ["-c", "/dev/null", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_skip_fails_the_session_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "no broker here")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "skipped without leave: test_it.py::test_skips: Skipped: no broker here" in done.stdout


def test_a_skip_for_the_absent_data_folder_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "needs ../shared/data/tihm_dementia")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
