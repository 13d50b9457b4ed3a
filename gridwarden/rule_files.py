"""Rule files on disk, read as texts by path."""

from collections.abc import Iterable
from pathlib import Path

from devices.errors import Problem


def read_files(paths: Iterable[Path]) -> tuple[dict[str, str], list[Problem]]:
    """The texts of these files, and of the rule files below these folders, by path.

    Folders called `tests` hold tests of rules, which are none. Beside them what could not be read,
    or holds no rule files.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for path in paths:
        found = _below(path) if path.is_dir() else [path]
        if not found:
            problems.append(Problem(str(path), 0, "no rule files (*.yaml) in this folder"))
        for file in found:
            try:
                texts[str(file)] = file.read_text("utf-8-sig")
            except UnicodeDecodeError as error:
                line = error.object[: error.start].count(b"\n") + 1
                what = f"byte {error.object[error.start]:#04x} is not UTF-8"
                hint = "save the file with the encoding UTF-8"
                problems.append(Problem(str(file), line, what, hint))
            except OSError as error:
                problems.append(Problem(str(file), 0, f"cannot be read: {error.strerror}"))
    return texts, problems


def _below(folder: Path) -> list[Path]:
    files = folder.rglob("*.yaml")
    return sorted(f for f in files if "tests" not in f.relative_to(folder).parts[:-1])
