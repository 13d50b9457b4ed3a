"""Rules of every kind, with any of the keys that the loader lets each have, drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from random import Random
from typing import TypeAlias

from rules.errors import RulesError
from rules.loader import load
from rules.model import Rule
from tests.rules.community import AT_TIMES
from tests.rules.keyed_town import (
    AWAY_MONITOR,
    BAYS,
    BUTTON,
    DOORS,
    EXIT,
    FAR_BAYS,
    FAR_DOOR,
    FAR_EXIT,
    FAR_GATE,
    FAR_GATEWAY,
    FAR_METER,
    FAR_MONITOR,
    FAR_SMOKES,
    GATE,
    GATEWAY,
    METERS,
    MONITOR,
    MOTION,
    SCALE_2,
    SMOKES,
)


@dataclass(frozen=True)
class Told:
    """What a device says. value: of a counter, by how much it has grown."""

    device: int
    metric: str
    value: float
    token: int = 0
    issue: int = 0


Group: TypeAlias = tuple[Told, ...]
"""What is said at one instant."""

MONITORS = (MONITOR, SCALE_2, AWAY_MONITOR, FAR_MONITOR)
ALL_DOORS = (*DOORS, FAR_DOOR)
USUAL = {
    "breathing_rate": 16.0,
    "spo2": 97.0,
    "oxygen_flow": 0.0,
    "systolic": 120.0,
    "pulse": 70.0,
    "consciousness": 0.0,
    "body_temperature": 36.5,
}


def say(devices: Sequence[int], name: str, *values: float) -> list[Group]:
    """Each of these values by each device, alone."""
    return [(Told(device, name, value),) for device in devices for value in values]


def cards(devices: Sequence[int], name: str) -> list[Group]:
    """Events that name somebody: two credentials, of one several cards."""
    named = ((0, 0), (7, 1), (7, 2), (7, 0), (-8, 0))
    return [(Told(device, name, 1.0, *who),) for device in devices for who in named]


def together(*groups: Group) -> Group:
    """All at one instant."""
    return tuple(told for group in groups for told in group)


CHECKUPS = [tuple(Told(m, name, value) for name, value in USUAL.items()) for m in MONITORS]
BEATS = say((GATEWAY, GATEWAY, FAR_GATEWAY), "heartbeat", 1, 1, 0)
SMOKE = [*say((*SMOKES, *FAR_SMOKES), "smoke", 0, 1), together(*say(SMOKES, "smoke", 1))]
DENIED = [*say(ALL_DOORS, "access_denied", 1), *say(DOORS, "heartbeat", 0, 1)]
WATER = say((*METERS, FAR_METER), "water_volume", 0, 0.5, 2, -3)


@dataclass(frozen=True)
class Kind:
    """Rules of one kind.

    bodies: without the common keys · colours: severity by value · groups: what they hear · unit: of
    time, s · late: whether it may hear anything late: some kinds say only that what is late counts
    as of when it was heard · timers: whether it goes by the server's clock, so that where batches
    are cut matters.
    """

    bodies: tuple[str, ...]
    groups: tuple[Group, ...]
    colours: tuple[str, ...] = ()
    unit: int = 1
    late: bool = True
    timers: bool = False


def kind(
    bodies: Sequence[str], *groups: Sequence[Group], colours: Sequence[str] = (), **more: int
) -> Kind:
    heard = tuple(group for some in groups for group in some)
    return Kind(tuple(bodies), (*heard, *BEATS), tuple(colours), **more)  # type: ignore[arg-type]


KINDS: Mapping[str, Kind] = {
    "threshold": kind(
        (
            "watch: {metric: spo2}\n when: spo2 <= 91",
            "watch: {metric: spo2}\n when: spo2 <= 91\n clear: spo2 >= 94",
            "watch: {metric: smoke}\n when: smoke == 1",
        ),
        say(MONITORS, "spo2", 90, 92, 93, 96),
        say(SMOKES, "smoke", 0, 1),
        colours=("{red: value <= 90, blue: value <= 93}",),
    ),
    "press": kind(
        (
            "watch: {metric: sos}\n when: sos >= 0",
            "watch: {metric: access_denied}\n when: value == 1",
        ),
        say((BUTTON,), "sos", 0, 1),
        DENIED,
        colours=("{red: value == 1, blue: value == 0}",),
    ),
    "absence": kind(
        (
            "watch: {metric: motion}\n absent: 35s",
            "watch: {metric: spo2}\n absent: 4 intervals",
            "watch: {metric: smoke}\n when: smoke == 1\n absent: 60s",
            "watch: {metric: water_volume}\n absent: 40s\n per: household",
        ),
        say((MOTION,), "motion", 0, 1),
        say(MONITORS, "spo2", 90),
        SMOKE,
        WATER,
        timers=True,
    ),
    "count": kind(
        (
            "watch: {metric: access_denied}\n when: count >= 2\n within: 15s",
            "watch: {metric: access_denied}\n when: count >= 3\n within: 20s\n per: building",
            (
                "watch: {metric: smoke}\n when: count >= 2\n within: 30s\n where: smoke == 1\n"
                " per: community"
            ),
        ),
        DENIED,
        SMOKE,
    ),
    "sequence": kind(
        (
            (
                "first: {metric: access_granted}\n within: 10s\n same: door\n"
                " then: {metric: door_open, where: door_open == 1}"
            ),
            (
                "first: {metric: access_granted}\n within: 50s\n same: credential\n"
                " then: {metric: access_granted}\n different: device"
            ),
            (
                "first: {metric: access_granted}\n within: 50s\n same: credential\n"
                " then: {metric: access_granted}\n speed: 10"
            ),
            (
                "first: {metric: motion, where: motion == 1}\n within: 20s\n same: household\n"
                " then: {metric: sos}"
            ),
        ),
        cards(ALL_DOORS, "access_granted"),
        say(ALL_DOORS, "door_open", 0, 1),
        say((BUTTON,), "sos", 0, 1),
        say((MOTION,), "motion", 0, 1),
    ),
    "missing": kind(
        (
            (
                "first: {metric: access_granted}\n within: 10s\n same: door\n missing: true\n"
                " then: {metric: door_open, where: door_open == 1}"
            ),
            (
                "first: {metric: vehicle_entry}\n within: 20s\n same: plate\n missing: true\n"
                " then: {metric: vehicle_exit}"
            ),
            (
                "first: {metric: sos}\n within: 20s\n same: household\n missing: true\n"
                " then: {metric: motion, where: motion == 1}"
            ),
        ),
        cards(ALL_DOORS, "access_granted"),
        say(ALL_DOORS, "door_open", 0, 1),
        cards((GATE, FAR_GATE), "vehicle_entry"),
        cards((EXIT, FAR_EXIT), "vehicle_exit"),
        say((BUTTON,), "sos", 1),
        say((MOTION,), "motion", 0, 1),
    ),
    "without": kind(
        (
            (
                "watch: {metric: door_open}\n when: door_open == 1\n same: door\n"
                " without: {metric: access_granted, within: 10s}"
            ),
            (
                "watch: {metric: vehicle_exit}\n when: vehicle_exit == 1\n same: plate\n"
                " without: {metric: vehicle_entry, within: 20s}"
            ),
            (
                "watch: {metric: sos}\n when: sos == 1\n same: household\n"
                " without: {metric: motion, where: motion == 1, within: 15s}"
            ),
        ),
        cards(ALL_DOORS, "access_granted"),
        say(ALL_DOORS, "door_open", 0, 1),
        cards((GATE, FAR_GATE), "vehicle_entry"),
        cards((EXIT, FAR_EXIT), "vehicle_exit"),
        say((BUTTON,), "sos", 1),
        say((MOTION,), "motion", 0, 1),
    ),
    "replaced": kind(
        ("watch: {metric: access_granted}\n replaced: 100s",),
        cards(ALL_DOORS, "access_granted"),
    ),
    "score": kind(
        (
            "score: news2\n when: total >= 5 or single >= 3\n valid: 60s",
            (
                "score: news2\n when: total >= 5\n clear: total <= 3\n valid: 60s\n"
                " assume: [air, alert]"
            ),
        ),
        CHECKUPS,
        CHECKUPS,
        say(MONITORS, "breathing_rate", 16, 22, 26),
        say(MONITORS, "spo2", 88, 94),
        say(MONITORS, "oxygen_flow", 0, 2),
        say(MONITORS, "systolic", 95),
        say(MONITORS, "consciousness", 0, 1),
        colours=("{red: total >= 7, orange: single >= 3, blue: total >= 2}",),
    ),
    "occupancy": kind(
        (
            (
                "watch: {metric: occupied}\n share: occupied == 1\n per: building\n"
                " when: share >= 0.5\n clear: share < 0.5"
            ),
            (
                "watch: {metric: occupied}\n share: occupied == 1\n per: community\n"
                " when: number >= 2\n known: 0.3"
            ),
            (
                "watch: {metric: smoke}\n share: smoke == 1\n per: community\n"
                " when: share > 0.3\n clear: number < 1\n known: 0.5"
            ),
        ),
        say((*BAYS, *FAR_BAYS), "occupied", 0, 1, 1),
        [together(*say(BAYS, "occupied", 1)), together(*say(BAYS, "occupied", 0))],
        SMOKE,
        colours=("{red: share >= 1, yellow: number >= 2, blue: share >= 0}",),
    ),
    "in a row": kind(
        (
            (
                "watch: {metric: access_denied}\n in_a_row: 2\n when: access_denied == 1\n"
                " reset: {metric: access_granted}\n clear_after: 25s"
            ),
            (
                "watch: {metric: access_denied}\n in_a_row: 3\n when: access_denied == 1\n"
                " reset: {metric: access_granted}\n per: household"
            ),
            (
                "watch: {metric: spo2}\n in_a_row: 2\n when: spo2 < 92\n reset: spo2 > 95\n"
                " clear_after: 40s"
            ),
        ),
        DENIED,
        cards(ALL_DOORS, "access_granted"),
        say(MONITORS, "spo2", 90, 91, 93, 96),
    ),
    "correlation": kind(
        (
            "watch: {metric: smoke}\n devices: 2\n within: 20s\n when: smoke == 1\n per: building",
            "watch: {metric: smoke}\n devices: 3\n within: 30s\n when: smoke == 1\n per: community",
            (
                "watch: {metric: access_denied}\n devices: 2\n within: 12s\n when: value == 1\n"
                " per: household"
            ),
        ),
        SMOKE,
        DENIED,
    ),
    "measure": kind(
        (
            "watch: {metric: spo2}\n within: 12s\n step: 3s\n when: mean < 92",
            "watch: {metric: spo2}\n within: 10s\n when: min <= 90\n clear: min > 92",
            "watch: {metric: access_denied}\n within: 10s\n when: sum >= 2\n per: building",
            "watch: {metric: water_volume}\n within: 20s\n when: rise < 1\n per: household",
            "watch: {metric: water_volume}\n within: 12s\n step: 4s\n when: active_share >= 0.5",
            "watch: {metric: access_denied}\n within: 10s\n when: distinct >= 1\n per: building",
        ),
        say(MONITORS, "spo2", 88, 90, 93, 96),
        DENIED,
        WATER,
        colours=("{red: NAME > 90.5, yellow: NAME >= 2, blue: NAME < 1}",),
        late=False,
    ),
    "index": kind(
        (
            "index: {weights: {red: 8, blue: 1}}\n per: building\n when: index >= 8",
            (
                "index: {weights: {red: 8, blue: 1}, trend: {over: 2h, weight: 0.5}}\n"
                " per: community\n when: index >= 12\n clear: index < 9"
            ),
        ),
        say(MONITORS, "spo2", 90, 92, 93, 96),
        SMOKE,
        colours=("{red: index >= 16, blue: index < 16}",),
        unit=60,
        late=False,
    ),
    "baseline": kind(
        (
            (
                "watch: {metric: spo2}\n when: deviation >= 2\n"
                " baseline: {of: mean, every: 12h, season: day, history: 5d}"
            ),
            (
                "watch: {metric: water_volume}\n when: deviation > 2\n clear: deviation < 1\n"
                " baseline: {of: rise, every: 12h, season: day, history: 5d}\n per: household"
            ),
        ),
        say(MONITORS[:2], "spo2", 90, 91, 91, 92, 96),
        WATER,
        unit=3600,
        late=False,
    ),
}

ACTIVE = {
    1: AT_TIMES,
    60: 'active: {hours: ["00:00-01:00", "02:00-03:00", "05:00-24:00"]}',
    3600: 'active: {hours: ["00:00-09:00", "15:00-24:00"]}',
}


def options(name: str) -> dict[str, tuple[str, ...]]:
    """The keys that this kind might have, each with what it may say."""
    it = KINDS[name]
    unit = {1: "s", 60: "m", 3600: "h"}[it.unit]
    return {
        "severity": tuple(
            f"severity: {colours}" for colours in it.colours or ("{red: value > 1}",)
        ),
        "active": (ACTIVE[it.unit],),
        "for": (f"for: 5{unit}", f"for: 20{unit}"),
        "keep_for": (f"keep_for: 7{unit}", f"keep_for: 20{unit}"),
        "no_data": ("no_data: alert", "no_data: clear"),
        "lateness": ("lateness: 10s", "lateness: 30s") if it.unit == 1 else ("lateness: 30m",),
        "unless": ("unless: household.away",),
    }


@cache
def keys_of(name: str) -> frozenset[str]:
    """The keys that the loader lets rules of this kind have."""
    body = KINDS[name].bodies[0]
    return frozenset(
        key for key, texts in options(name).items() if is_sound(name, f"{body}\n {texts[0]}")
    )


def is_sound(name: str, body: str) -> bool:
    """Whether the loader takes it."""
    try:
        made("x", name, body)
    except RulesError:
        return False
    return True


@lru_cache(maxsize=4096)
def made(code: str, name: str, body: str) -> Rule:
    """The rule with this id and body, of this kind."""
    if "severity:" not in body:
        body = f"severity: {'blue' if name == 'baseline' else 'red'}\n{body}"
    if name == "measure":
        body = body.replace("NAME", body.split("when: ")[1].split()[0])
    lines = "\n".join(f"  {line.strip()}" for line in body.splitlines())
    text = f"- id: {code}\n  category: care\n  title: {{zh: 名, en: t}}\n{lines}\n"
    (loaded,) = load({"test.yaml": text})
    return replace(loaded, source="test.yaml")


def rule_of(chance: Random, code: str, name: str, others: Sequence[str], late: str) -> Rule:
    """A rule of this kind with some keys. others: codes that may keep it quiet.

    late: a lateness that it must have; '' for any or none.
    """
    may, texts = options(name), [chance.choice(KINDS[name].bodies)]
    drawn = sorted(keys_of(name) - {"unless", "lateness"})
    texts += [chance.choice(may[key]) for key in drawn if chance.randint(0, 2) == 0]
    if late:
        texts.append(late)
    elif chance.randint(0, 3) == 0:
        texts.append(chance.choice(may["lateness"]))
    quiet = [code for code in ("household.away", *others) if chance.randint(0, 2) == 0]
    if quiet:
        texts.append(f"unless: [{', '.join(quiet)}]")
    return made(code, name, "\n".join(texts))


def rules_with(
    chance: Random, name: str, *, late: str = "", without: frozenset[str] = frozenset()
) -> tuple[list[str], list[Rule]]:
    """The kinds of some rules, at least one of this kind, and the rules.

    without: kinds that must not be among the others.
    """
    unit = KINDS[name].unit
    others = [n for n, k in KINDS.items() if k.unit == unit and n not in without]
    names = [name]
    names += [chance.choice([name, *others]) for _ in range(chance.randint(0, 3))]
    if name == "index":
        names += ["threshold", "correlation"]
    chance.shuffle(names)
    rules: list[Rule] = []
    for number, one in enumerate(names):
        lasting = [
            r.code for r, n in zip(rules, names, strict=False) if n not in {"press", "index"}
        ]
        rules.append(rule_of(chance, f"r{number}.{one.replace(' ', '_')}", one, lasting, late))
    chance.shuffle(rules)
    return names, rules
