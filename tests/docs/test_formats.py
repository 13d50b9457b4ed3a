"""docs/formats.md names every format, and no other."""

import re
from pathlib import Path

from devices import formats

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")


def test_every_format_stands_in_the_table() -> None:
    named = re.findall(r"^\| `([a-z0-9]+)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(formats.BY_NAME)
