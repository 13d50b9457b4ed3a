"""A small estate for tests of alerts: city > community > two grids > buildings, in ids 1, 2, ….

`INVENTORY` and `settle` (which writes the same into a fresh database) agree on every id.
"""

from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from alerts.model import Duty, Member, Roster
from devices.instant import DAY, HOUR, Micros, to_datetime
from devices.inventory import Area, Device, Household, Inventory
from rules.model import Absence, NoData, Per, Rule, Severity, SubjectKind, Watch
from rules.transition import Cause, Change, Subject, Transition

Connection: TypeAlias = AsyncConnection[Any]

NOW: Micros = 1_763_692_800_000_000

CITY, COMMUNITY, EAST, WEST, HOUSE_1, HOUSE_2 = 1, 2, 3, 4, 5, 6
WANG, LI, ZHAO = 1, 2, 3
BUTTON, SMOKE, BAY = 1, 2, 3
FLAT = 1


def _both(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


AREAS = (
    Area(CITY, "daqing", "city", None, _both("大庆", "Daqing")),
    Area(COMMUNITY, "sunshine", "community", CITY, _both("阳光社区", "Sunshine")),
    Area(EAST, "g-east", "grid", COMMUNITY, _both("东网格", "East grid")),
    Area(WEST, "g-west", "grid", COMMUNITY, _both("西网格", "West grid")),
    Area(HOUSE_1, "b1", "building", EAST, _both("1号楼", "Building 1")),
    Area(HOUSE_2, "b2", "building", WEST, _both("2号楼", "Building 2")),
)
HOUSEHOLDS = (Household(FLAT, "b1-301", HOUSE_1, _both("301室", "Flat 301"), care=True),)
DEVICES = (
    Device(BUTTON, "sos-1", "sunshine", "sos_button", HOUSE_1, FLAT, 12 * HOUR, ("sos",),
           _both("紧急按钮", "SOS button")),
    Device(SMOKE, "smoke-1", "sunshine", "smoke_detector", HOUSE_1, None, 12 * HOUR, ("smoke",),
           _both("烟感", "Smoke detector")),
    Device(BAY, "bay-1", "sunshine", "parking_bay", HOUSE_2, None, HOUR, ("occupied",),
           _both("消防车位", "Fire lane bay")),
)  # fmt: skip
INVENTORY = Inventory.of(AREAS, HOUSEHOLDS, DEVICES, version=1)

MEMBERS = (
    Member(WANG, "wang", _both("王芳", "Wang Fang"), "zh"),
    Member(LI, "li", _both("李强", "Li Qiang"), "zh"),
    Member(ZHAO, "zhao", _both("赵敏", "Zhao Min"), "en"),
)
DUTIES = (
    Duty(WANG, EAST, "grid_member", None, NOW - 30 * DAY, None),
    Duty(LI, COMMUNITY, "leader", frozenset({"fire"}), NOW - 30 * DAY, None),
)
ROSTER = Roster({m.id: m for m in MEMBERS}, DUTIES)


def rule(
    code: str = "fire.smoke",
    category: str = "fire",
    metric: str = "smoke",
    severity: Severity = Severity.RED,
) -> Rule:
    """A rule whose condition does not matter: the engine's word is given."""
    return Rule(
        code=code,
        category=category,
        watch=Watch((metric,)),
        condition=Absence(None, HOUR, Per(SubjectKind.DEVICE)),
        severity=severity,
        no_data=NoData.HOLD,
        unless_away=False,
        title=_both("烟雾报警", "Smoke"),
        advice={},
        fingerprint="f1",
        source="rules/test.yaml",
        line=1,
        text="",
    )


SMOKE_RULE = rule()
SOS_RULE = rule("care.sos", "care", "sos")
PARKING_RULE = rule("parking.fire_lane", "parking", "occupied", Severity.YELLOW)


def transition(
    change: Change = Change.FIRED,
    *,
    of: Rule = SMOKE_RULE,
    device: int = SMOKE,
    since: Micros = NOW,
    at: Micros | None = None,
    cause: Cause = Cause.CONDITION_HELD,
    value: float | None = 1.0,
    severity: Severity | None = None,
) -> Transition:
    """What the engine says about one device."""
    return Transition(
        rule=of,
        subject=Subject(SubjectKind.DEVICE, device),
        change=change,
        cause=cause,
        since=since,
        at=since if at is None else at,
        devices=(device,),
        value=value,
        severity=severity or of.severity,
    )


def press(at: Micros = NOW) -> Transition:
    """The SOS button of flat 301 is pressed."""
    return transition(of=SOS_RULE, device=BUTTON, since=at, cause=Cause.OCCURRED)


def blocked(at: Micros = NOW) -> Transition:
    """The fire lane's bay is taken, in the west, where nobody answers for parking."""
    return transition(of=PARKING_RULE, device=BAY, since=at)


async def settle(conn: Connection, duties: tuple[Duty, ...] = DUTIES) -> None:
    """Write the estate into an empty database, in the caller's transaction."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO areas (id, code, kind, parent_id, name)"
            " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s)",
            [(a.id, a.code, a.kind, a.parent, Jsonb(a.name)) for a in AREAS],
        )
        await cursor.executemany(
            "INSERT INTO households (id, code, area_id, name, care)"
            " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s)",
            [(h.id, h.code, h.area, Jsonb(h.name), h.care) for h in HOUSEHOLDS],
        )
        await cursor.executemany(
            "INSERT INTO devices (id, community_id, code, kind, name, interval_us, metrics)"
            " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (d.id, COMMUNITY, d.code, d.kind, Jsonb(d.name), d.interval, list(d.metrics))
                for d in DEVICES
            ],
        )
        await cursor.executemany(
            "INSERT INTO placements (device_id, area_id, household_id, valid_from)"
            " VALUES (%s, %s, %s, %s)",
            [(d.id, d.area, d.household, to_datetime(NOW - 30 * DAY)) for d in DEVICES],
        )
        await cursor.executemany(
            "INSERT INTO members (id, code, name, language)"
            " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)",
            [(m.id, m.code, Jsonb(m.name), m.language) for m in MEMBERS],
        )
        await cursor.executemany(
            "INSERT INTO duties (member_id, area_id, role, categories, valid_from, valid_to)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [_duty_row(d) for d in duties],
        )


def _duty_row(duty: Duty) -> tuple[object, ...]:
    until = None if duty.valid_to is None else to_datetime(duty.valid_to)
    categories = None if duty.categories is None else sorted(duty.categories)
    start = to_datetime(duty.valid_from)
    return (duty.member, duty.area, duty.role, categories, start, until)
