"""A small community for tests of the whole: twenty wearables in one grid, one member, own rules."""

from pathlib import Path

WEARABLES = 20
MEMBER = "wang-fang"

_FILES = {
    "site.yaml": "name: {zh: 测试社区, en: Test}\ntime_zone: Asia/Shanghai\n",
    "areas.yaml": """\
- code: %(community)s
  kind: community
  name: {zh: 测试社区, en: Test Community}
  areas:
    - {code: grid-1, kind: grid, name: {zh: 第一网格, en: Grid 1}}
""",
    "households.yaml": "- {code: h-1, area: grid-1, name: {zh: 一户, en: Home 1}, care: true}\n",
    "members.yaml": "- {code: wang-fang, name: {zh: 王芳, en: Wang Fang}}\n",
    "duties.yaml": (
        "- {member: wang-fang, area: grid-1, role: grid_member, categories: [care],"
        " from: 2000-01-01}\n"
    ),
}

RULES = """\
- id: care.spo2_low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 91
  clear: spo2 >= 94
  for: 10m
  severity: red
  title: {zh: 血氧过低, en: Low blood oxygen}
"""


def write(folder: Path, community: str, *, rules: str = RULES, interval: str = "10m") -> Path:
    """Write the site folder into `folder`; device codes are wearable-1 … wearable-20."""
    for name, text in _FILES.items():
        (folder / name).write_text(text % {"community": community} if "%(" in text else text)
    devices = (
        f"- {{code: wearable-{n}, kind: wearable, household: h-1, interval: {interval}}}\n"
        for n in range(1, WEARABLES + 1)
    )
    (folder / "devices.yaml").write_text("".join(devices))
    (folder / "rules").mkdir()
    (folder / "rules" / "care.yaml").write_text(rules)
    return folder
