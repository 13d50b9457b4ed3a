"""Published messages in ../shared/data/formats; see its README for their sources."""

from pathlib import Path
from typing import Any

import orjson
import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "formats"


def messages(name: str) -> list[dict[str, Any]]:
    """The messages of this file; skips the test where the folder is not there."""
    file = FOLDER / f"{name}.jsonl"
    if not file.exists():
        pytest.skip(f"needs the published messages of ../shared/data/formats/{name}.jsonl")
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]
