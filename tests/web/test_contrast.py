"""Text stands out from its background by 4.5 to 1 at least (WCAG 2.2, 1.4.3), light and dark."""

import re
from pathlib import Path

import pytest

import alerts.web

CSS = (Path(alerts.web.__file__).parent / "static" / "inbox.css").read_text(encoding="utf-8")
ROOTS = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
ON_PANEL = ("text", "quiet", "accent", "ok", "bad", "s1", "s2", "s3", "s4", "s5", "s6")
PAIRS = [
    *((name, "panel") for name in ON_PANEL),
    *((name, "page") for name in ("text", "quiet", "accent", "ok", "bad")),
    *((f"on-{name}", name) for name in ("red", "orange", "yellow", "blue", "accent")),
    ("bad", "bad-back"),
    ("text", "bad-back"),
]


def colours(scheme: str) -> dict[str, str]:
    """The colour of each name, as rrggbb."""
    found = re.findall(r"--([a-z0-9-]+): #([0-9a-f]{3,6})\b", ROOTS[scheme == "dark"])
    return {
        name: value if len(value) == 6 else "".join(c * 2 for c in value) for name, value in found
    }


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_text_stands_out(scheme: str, front: str, back: str) -> None:
    palette = colours(scheme)
    lights = sorted((luminance(palette[front]), luminance(palette[back])))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5
