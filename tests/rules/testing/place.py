"""Test files over the small rules of the tests, read and played as the command does."""

from zoneinfo import ZoneInfo

from devices.errors import Problem
from devices.inventory import Area, Device, Household, Inventory
from devices.site import Site
from rules.loader import load
from rules.testing.case import Case, read_cases
from rules.testing.compare import Recipients, compare
from rules.testing.history import Alert
from rules.testing.run import play
from rules.testing.scene import Scene
from rules.testing.show import show
from rules.testing.suite import read_suite

RULES = """
- id: c.low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 91
  clear: spo2 >= 94
  for: 2m
  severity: red
  unless: household.away
  title: {zh: 名, en: low}
- id: c.sos
  category: care
  watch: {metric: sos}
  when: sos == 1
  severity: red
  title: {zh: 名, en: sos}
- id: c.still
  category: care
  watch: {metric: motion}
  absent: 1h
  per: household
  severity: orange
  title: {zh: 名, en: still}
- id: d.lost
  category: device
  watch: {metric: heartbeat}
  when: heartbeat < 1
  for: 90s
  no_data: alert
  severity: orange
  title: {zh: 名, en: lost}
- id: a.denied
  category: access
  watch: {metric: access_denied}
  when: count >= 3
  within: 5m
  per: building
  severity: yellow
  title: {zh: 名, en: denied}
"""
PLACE = """
rules: rules.yaml
inventory:
  areas: {b1: building, b2: building}
  households: {home: {area: b1}, trip: {area: b2, away: true}}
  devices:
    band: {kind: wearable, household: home, interval: 2m}
    watch: {kind: wearable, household: trip}
    motion: {kind: motion_sensor, household: home}
    door: {kind: door, area: b1}
    back: {kind: door, area: b1}
    gw: gateway
  members: [wang, li]
  duties: [{member: wang, area: b1}]
start: 2026-03-01 08:00
"""
WANG = Recipients(frozenset({"wang"}), "duty_at_place")


def to_wang(_alert: Alert) -> Recipients:
    """Everything is told to Wang."""
    return WANG


def read(tests: str, head: str = PLACE) -> tuple[tuple[Case, ...], Scene | None, list[Problem]]:
    """The tests of a file with these; what is wrong in it."""
    problems: list[Problem] = []
    suite = read_suite("test.yaml", f"{head}{tests}", problems)
    if suite is None or suite.place is None:
        return (), None, problems
    rules = {rule.code: rule for rule in load({"rules.yaml": RULES})}
    site = suite.place
    zone = ZoneInfo(site.time_zone)
    scene = Scene(rules, inventory_of(site), zone, frozenset(site.members))
    return read_cases(suite, scene), scene, sorted(set(problems))


def inventory_of(site: Site) -> Inventory:
    """The inventory of a site, with ids from 1 in its order."""
    areas = {code: number for number, code in enumerate(site.areas, 1)}
    homes = {code: number for number, code in enumerate(site.households, 1)}
    return Inventory.of(
        (
            Area(areas[a.code], a.code, a.kind, areas.get(a.parent or ""), a.name)
            for a in site.areas.values()
        ),
        (
            Household(homes[h.code], h.code, areas[h.area], h.name, h.care, h.away)
            for h in site.households.values()
        ),
        (
            Device(
                number,
                d.code,
                d.community,
                d.kind,
                areas[d.area],
                homes.get(d.household or ""),
                d.interval,
                d.metrics,
                d.name,
                d.attributes,
            )
            for number, d in enumerate(site.devices.values(), 1)
        ),
    )


def told(tests: str) -> list[str]:
    """What is told of the one test in this text; it must be sound."""
    (case,), scene, problems = read(tests)
    assert problems == []
    assert scene is not None
    own = scene.narrowed(case.devices)
    played = play(case, own)
    assert played.failures == ()
    return show(case, own, compare(case, played.alerts, own, to_wang))


def one(body: str) -> str:
    """A file's list of one test with these lines in it."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"tests:\n  - name: t\n{lines}\n"
