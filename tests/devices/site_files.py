"""A small sound site as files, and the example site."""

from pathlib import Path

import pytest

from devices.site import SiteError, load

AREA = "- {code: c, kind: community, name: C}\n"
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"

SOUND = {
    "site.yaml": "name: {zh: 绿园, en: Lvyuan}\ntime_zone: Asia/Shanghai\n",
    "areas.yaml": """\
- code: city
  kind: city
  name: 滨城
  areas:
    - code: lvyuan
      kind: community
      name: {zh: 绿园, en: Lvyuan}
      areas:
        - {code: grid-1, kind: grid, name: Grid 1}
        - {code: grid-2, kind: grid, name: Grid 2}
- {code: building-1, kind: building, parent: grid-1, name: Building 1}
""",
    "households.yaml": """\
- {code: b1-101, area: building-1, care: true}
- {code: b1-102, area: building-1, name: {zh: 102室, en: Flat 102}, away: true}
""",
    "devices.yaml": """\
- {code: bay-1, kind: parking_bay, area: grid-1, name: Bay 1, interval: 10m}
- {code: sos-1, kind: sos_button, household: b1-101}
- {code: lot-1, kind: car_park, area: grid-2, metrics: [parking_free], attributes: {capacity: 60}}
""",
    "members.yaml": """\
- {code: wang, name: {zh: 王芳, en: Wang Fang}, phone: +86 139 0000 0001}
- {code: li, name: 李强, language: en}
""",
    "duties.yaml": """\
- {member: wang, area: grid-1, role: grid_member, categories: [care, parking]}
- {member: li, area: lvyuan, role: duty_officer, from: 2026-01-01, to: 2026-06-30}
""",
    "rules/care.yaml": "anything: [\n",
}


def changed(**texts: str) -> dict[str, str]:
    """The sound site with the text of some of its files replaced; `areas=` for areas.yaml."""
    return SOUND | {f"{name}.yaml": text for name, text in texts.items()}


def example() -> dict[str, str]:
    """The files of examples/site."""
    paths = sorted(EXAMPLE.rglob("*.yaml"))
    return {p.relative_to(EXAMPLE).as_posix(): p.read_text(encoding="utf-8") for p in paths}


def problems_of(files: dict[str, str]) -> list[str]:
    """The problems of these files, as they are shown."""
    with pytest.raises(SiteError) as raised:
        load(files)
    return [str(problem) for problem in raised.value.problems]
