"""Where the recorded data lie, and what a converted data set is."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

DATA = Path(__file__).parents[2].resolve().parent / "shared" / "data"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the recorded data are not on this machine: no folder {DATA}"
)
"""The only skip there is: several of the data sets have no licence to be copied into a project."""


class Row(NamedTuple):
    """One line of a replay file; `time` is aware."""

    time: datetime
    device: str
    metric: str
    value: str
    attributes: str = ""


@dataclass(frozen=True, slots=True)
class Converted:
    """A site folder as texts by path, and readings in time order for `gridwarden replay`."""

    site: Mapping[str, str]
    rows: list[Row]

    def csv(self) -> str:
        """The rows as a replay file."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["time", "device", "metric", "value", "attributes"])
        writer.writerows((r.time.isoformat(), *r[1:]) for r in self.rows)
        return out.getvalue()


def read(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV by column, names and cells without surrounding blanks."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, skipinitialspace=True)
        return [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in table]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By time, then device, otherwise as they stood."""
    return sorted(rows, key=lambda row: (row.time, row.device))


def site(
    community: str,
    zone: str,
    *,
    devices: list[dict[str, object]],
    rules: Sequence[dict[str, object]],
    households: list[dict[str, object]] | None = None,
) -> dict[str, str]:
    """A site of one community, one area in it (code COMMUNITY-here), one member for everything."""
    name = {"zh": community, "en": community}
    here = {"code": f"{community}-here", "kind": "grid", "name": name, "parent": community}
    member = {"code": f"{community}-watch", "name": name, "language": "en"}
    duty = {"member": member["code"], "area": community, "role": "watch"}
    parts: dict[str, object] = {
        "site.yaml": {"name": name, "time_zone": zone},
        "areas.yaml": [{"code": community, "kind": "community", "name": name}, here],
        "households.yaml": households or [],
        "devices.yaml": devices,
        "members.yaml": [member],
        "duties.yaml": [duty],
        "rules/recorded.yaml": list(rules),
    }
    return {path: yaml.dump(part, Dumper=_WrittenOut) for path, part in parts.items()}


class _WrittenOut(yaml.SafeDumper):
    """Repeats what occurs twice: site files have no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def rule(code: str, category: str, metric: str, when: str, **more: object) -> dict[str, object]:
    """A yellow threshold rule on one metric."""
    watch = {"metric": metric}
    title = {"zh": code, "en": code}
    head = {"id": code, "category": category, "watch": watch, "when": when}
    return {**head, "severity": "yellow", "title": title, **more}
