"""What is installed is what is here: SQL, YAML, pages and pictures travel with the code."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_every_file_of_the_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", str(tmp_path)], check=True, cwd=ROOT, capture_output=True
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    target = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = {
        str(file.relative_to(ROOT))
        for folder in target["only-include"]
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"gridwarden/migrations/0001_core.sql", "examples/site/rules/care.yaml"} < files
    assert "rules/library/care.yaml" in files
    assert {f.replace("examples/", "gridwarden/examples/") for f in files} - packed == set()
