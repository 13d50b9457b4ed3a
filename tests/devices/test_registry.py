"""The registry over a real database: idempotent, dated, never forgetting."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.instant import MINUTE, Micros, to_datetime, to_micros
from devices.inventory import Inventory
from devices.metric import BY_ID
from devices.registry import RuleText, apply, apply_site, load_inventory, plan_changes
from devices.site import Site, load
from tests.devices.site_files import SOUND, changed, example

Connection = psycopg.AsyncConnection[Any]

NOW = to_micros(datetime(2026, 3, 1, 12, tzinfo=UTC))
LATER = NOW + 10 * MINUTE
LAST = NOW + 20 * MINUTE

LAMP = RuleText("care.lamp", "f1", "rules/care.yaml", 3, "id: care.lamp\n")


async def rows(conn: Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the query gives."""
    cursor = await conn.execute(query.encode(), values)
    return await cursor.fetchall()


async def changes(conn: Connection, files: dict[str, str], now: Micros) -> list[str]:
    """Applies the site; what was announced before."""
    site = load(files)
    announced = await plan_changes(conn, site, now)
    await apply_site(conn, site, now)
    return [str(change) for change in announced]


async def test_the_first_apply_registers_everything(connection: Connection) -> None:
    site = load(example())
    assert await apply_site(connection, site, NOW) == 1
    inventory = await load_inventory(connection)
    assert inventory.version == 1
    assert (len(inventory.areas), len(inventory.households)) == (len(site.areas), 120)
    assert len(inventory.devices) == len(site.devices)
    assert await rows(connection, "SELECT count(*) FROM duties") == [(len(site.duties),)]
    assert await rows(connection, "SELECT count(*) FROM members") == [(8,)]
    assert await rows(connection, "SELECT count(*) FROM metrics") == [(len(BY_ID),)]


async def test_the_inventory_says_what_the_site_says(connection: Connection) -> None:
    site = load(SOUND)
    await apply_site(connection, site, NOW)
    inventory = await load_inventory(connection)
    for wanted in site.devices.values():
        device = inventory.find(wanted.community, wanted.code)
        assert device is not None
        path = [inventory.areas[area].code for area in inventory.path(device.area)]
        assert tuple(path) == site.path(wanted.area)
        home = None if device.household is None else inventory.households[device.household].code
        assert home == wanted.household
        assert (device.kind, device.interval) == (wanted.kind, wanted.interval)
        assert (device.metrics, device.name) == (wanted.metrics, wanted.name)
        assert device.attributes == wanted.attributes


async def test_a_site_of_any_size_is_written_in_portions(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "PORTION", 3)
    monkeypatch.setattr(apply, "RECORDED", 2)
    site = load(example())
    announced = await plan_changes(connection, site, NOW)
    await apply_site(connection, site, NOW)
    assert await plan_changes(connection, site, LATER) == []
    inventory = await load_inventory(connection)
    homes = {home.code: home.id for home in inventory.households.values()}
    areas = {area.code: area.id for area in inventory.areas.values()}
    for wanted in site.devices.values():
        device = inventory.find(wanted.community, wanted.code)
        assert device is not None
        assert device.area == areas[wanted.area]
        assert device.household == (homes[wanted.household] if wanted.household else None)
    ((kept,),) = await rows(connection, "SELECT changes FROM site_versions")
    assert len(kept) == 3
    assert kept[-1] == {"more": len(announced) - 2}


async def test_the_same_site_again_changes_nothing(connection: Connection) -> None:
    site = load(example())
    await apply_site(connection, site, NOW, rules=[LAMP])
    before = await everything(connection)
    assert await plan_changes(connection, site, LATER, rules=[LAMP]) == []
    assert await apply_site(connection, site, LATER, rules=[LAMP]) == 1
    assert await everything(connection) == before


TABLES = (
    "areas",
    "households",
    "devices",
    "placements",
    "device_addresses",
    "members",
    "duties",
    "rules",
    "metrics",
)


async def everything(conn: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the registry, and where it lies: an update that changes nothing shows too."""
    return {
        table: await rows(conn, f"SELECT ctid, * FROM {table} ORDER BY ctid")  # noqa: S608
        for table in (*TABLES, "site_versions")
    }


@pytest.mark.parametrize(
    ("files", "announced"),
    [
        (
            changed(site="name: Lvyuan\ntime_zone: Asia/Shanghai\n"),
            ["site Lvyuan changed (name: en Lvyuan, zh 绿园 → en Lvyuan, zh Lvyuan)"],
        ),
        (
            changed(areas=SOUND["areas.yaml"].replace("parent: grid-1", "parent: grid-2")),
            ["area building-1 moved (parent: grid-1 → grid-2)"],
        ),
        (
            changed(areas=SOUND["areas.yaml"] + "- {code: x, kind: grid, name: X}\n"),
            ["area x added"],
        ),
        (
            changed(households=SOUND["households.yaml"].replace("away: true", "away: false")),
            ["household b1-102 changed (away: true → false)"],
        ),
        (
            changed(households=SOUND["households.yaml"].replace(" building-1, c", " grid-2, c")),
            [
                "household b1-101 moved (area: building-1 → grid-2)",
                "device lvyuan/sos-1 moved (area: building-1 → grid-2)",
            ],
        ),
        (
            changed(devices=SOUND["devices.yaml"].replace("10m", "1h30m")),
            ["device lvyuan/bay-1 changed (interval_us: 10m → 1h30m)"],
        ),
        (
            changed(
                devices=SOUND["devices.yaml"].replace("b1-101}", "b1-101, address: 'Hall/Sos'}")
            ),
            ["device lvyuan/sos-1 changed (address: none → Hall/Sos)"],
        ),
        (
            changed(devices=SOUND["devices.yaml"].replace("capacity: 60", "capacity: 61")),
            ["device lvyuan/lot-1 changed (attributes: capacity 60.0 → capacity 61.0)"],
        ),
        (
            changed(members=SOUND["members.yaml"].replace(", phone: +86 139 0000 0001", "")),
            ["member wang changed (phone: +86 139 0000 0001 → none)"],
        ),
        (
            changed(duties=SOUND["duties.yaml"].replace("[care, parking]", "[care]")),
            [
                (
                    "duty wang as grid_member at grid-1 for care, parking"
                    " from 2026-03-01 20:00+08:00 ended"
                ),
                "duty wang as grid_member at grid-1 for care from 2026-03-01 20:10+08:00 added",
            ],
        ),
        (
            changed(duties=SOUND["duties.yaml"].replace("06-30", "07-31")),
            [
                (
                    "duty li as duty_officer at lvyuan for everything from 2026-03-01 20:00+08:00"
                    " to 2026-07-01 00:00+08:00 ended"
                ),
                (
                    "duty li as duty_officer at lvyuan for everything from 2026-03-01 20:10+08:00"
                    " to 2026-08-01 00:00+08:00 added"
                ),
            ],
        ),
        (
            changed(devices="", duties="", households=""),
            [
                "household b1-101 retired",
                "household b1-102 retired",
                "device lvyuan/bay-1 retired",
                "device lvyuan/lot-1 retired",
                "device lvyuan/sos-1 retired",
                (
                    "duty li as duty_officer at lvyuan for everything from 2026-03-01 20:00+08:00"
                    " to 2026-07-01 00:00+08:00 ended"
                ),
                (
                    "duty wang as grid_member at grid-1 for care, parking"
                    " from 2026-03-01 20:00+08:00 ended"
                ),
            ],
        ),
    ],
)
async def test_changes_are_announced_in_words_and_made(
    connection: Connection, files: dict[str, str], announced: list[str]
) -> None:
    await changes(connection, SOUND, NOW)
    assert await changes(connection, files, LATER) == announced
    assert await changes(connection, files, LAST) == []
    assert await rows(connection, "SELECT max(version) FROM site_versions") == [(2,)]


async def test_a_device_is_behind_its_gateway_until_the_site_says_otherwise(
    connection: Connection,
) -> None:
    gateway = "- {code: gw-1, kind: gateway, area: lvyuan}\n"
    button = "- {code: sos-1, kind: sos_button, household: b1-101, gateway: gw-1}\n"
    await changes(connection, changed(devices=button + gateway), NOW)
    inventory = await load_inventory(connection)
    found = {device.code: device for device in inventory.devices.values()}
    assert (found["sos-1"].gateway, found["gw-1"].gateway) == (found["gw-1"].id, None)
    assert await changes(connection, changed(devices=button + gateway), LATER) == []
    alone = changed(devices=button.replace(", gateway: gw-1", ""))
    assert await changes(connection, alone, LAST) == [
        "device lvyuan/sos-1 changed (gateway: gw-1 → none)",
        "device lvyuan/gw-1 retired",
    ]
    (left,) = (await load_inventory(connection)).devices.values()
    assert left.gateway is None


async def test_a_replaced_device_hands_its_address_on(connection: Connection) -> None:
    old = "- {code: sos-1, kind: sos_button, household: b1-101, address: A1}\n"
    await changes(connection, changed(devices=old), NOW)
    new = old.replace("sos-1", "sos-2")
    assert await changes(connection, changed(devices=new), LATER) == [
        "device lvyuan/sos-2 added",
        "device lvyuan/sos-1 retired",
    ]
    found = (await load_inventory(connection)).find_address("lvyuan", "a1")
    assert found is not None
    assert (found.code, found.address) == ("sos-2", "A1")


async def test_a_device_that_moves_leaves_a_dated_trace(connection: Connection) -> None:
    await changes(connection, SOUND, NOW)
    moved = changed(devices=SOUND["devices.yaml"].replace("area: grid-1", "area: grid-2"))
    await changes(connection, moved, LATER)
    await changes(connection, SOUND, LAST)
    assert await placements(connection, "bay-1") == [
        ("grid-1", to_datetime(NOW), to_datetime(LATER)),
        ("grid-2", to_datetime(LATER), to_datetime(LAST)),
        ("grid-1", to_datetime(LAST), None),
    ]


async def test_the_addresses_of_a_replaced_device_are_dated(connection: Connection) -> None:
    old = changed(devices="- {code: sos-1, kind: sos_button, household: b1-101, address: A1}\n")
    new = {**old, "devices.yaml": old["devices.yaml"].replace("A1", "B2")}
    none = {**old, "devices.yaml": old["devices.yaml"].replace(", address: A1", "")}
    gone = changed(devices="")
    for files, now in ((old, NOW), (new, LATER), (none, LATER + 1), (new, LAST), (gone, LAST + 1)):
        await changes(connection, files, now)
    query = "SELECT address, valid_from, valid_to FROM device_addresses ORDER BY valid_from"
    assert await rows(connection, query) == [
        ("A1", to_datetime(NOW), to_datetime(LATER)),
        ("B2", to_datetime(LATER), to_datetime(LATER + 1)),
        ("B2", to_datetime(LAST), to_datetime(LAST + 1)),
    ]


async def test_moves_in_one_instant_or_with_the_clock_set_back_keep_their_order(
    connection: Connection,
) -> None:
    moved = changed(devices=SOUND["devices.yaml"].replace("area: grid-1", "area: grid-2"))
    for files, now in ((SOUND, LATER), (moved, LATER), (SOUND, NOW), (moved, NOW)):
        await changes(connection, files, now)
    trace = await placements(connection, "bay-1")
    assert [area for area, _, _ in trace] == ["grid-1", "grid-2", "grid-1", "grid-2"]
    assert trace[-1][2] is None
    assert all(one[2] <= two[1] for one, two in itertools.pairwise(trace))
    assert trace[-1][1] - to_datetime(LATER) < timedelta(milliseconds=1)


async def placements(conn: Connection, device: str) -> list[tuple[Any, ...]]:
    """Where the device was, from when to when."""
    query = """SELECT areas.code, valid_from, valid_to FROM placements
               JOIN devices ON devices.id = device_id JOIN areas ON areas.id = area_id
               WHERE devices.code = %s ORDER BY valid_from"""
    return await rows(conn, query, device)


async def test_what_vanishes_is_retired_and_comes_back_with_its_id(connection: Connection) -> None:
    await changes(connection, SOUND, NOW)
    ids = await rows(connection, "SELECT code, id FROM devices ORDER BY code")
    less = changed(devices="", households="")
    await changes(connection, less, LATER)
    retired = await rows(connection, "SELECT DISTINCT retired_at FROM devices")
    inventory = await load_inventory(connection)
    assert retired == [(to_datetime(LATER),)]
    assert (len(inventory.devices), len(inventory.households)) == (0, 0)
    assert len(await placements(connection, "bay-1")) == 1

    announced = await changes(connection, SOUND, LAST)
    assert "household b1-101 returned" in announced
    assert "device lvyuan/bay-1 returned (area: none → grid-1)" in announced
    assert await rows(connection, "SELECT code, id FROM devices ORDER BY code") == ids
    assert await placements(connection, "bay-1") == [
        ("grid-1", to_datetime(NOW), to_datetime(LATER)),
        ("grid-1", to_datetime(LAST), None),
    ]


async def test_a_duty_that_vanished_and_returns_was_not_in_force_in_between(
    connection: Connection,
) -> None:
    for files, now in ((SOUND, NOW), (changed(duties=""), LATER), (SOUND, LAST)):
        await changes(connection, files, now)
    query = """SELECT valid_from, valid_to FROM duties JOIN members ON members.id = member_id
               WHERE members.code = %s ORDER BY valid_from"""
    until = datetime(2026, 6, 30, 16, tzinfo=UTC)
    assert await rows(connection, query, "li") == [
        (to_datetime(NOW), to_datetime(LATER)),
        (to_datetime(LAST), until),
    ]
    assert await changes(connection, SOUND, LAST + MINUTE) == []


async def test_a_member_keeps_the_password(connection: Connection) -> None:
    await changes(connection, SOUND, NOW)
    await connection.execute("UPDATE members SET password_hash = 'x' WHERE code = 'wang'")
    for members, now in (("- {code: li, name: 李}\n", LATER), (SOUND["members.yaml"], LAST)):
        await changes(connection, changed(members=members, duties=""), now)
    found = await rows(connection, "SELECT password_hash, retired_at FROM members ORDER BY code")
    assert found == [(None, None), ("x", None)]


async def test_rule_texts_are_dated_versions(connection: Connection) -> None:
    site = load(SOUND)
    newer = RuleText("care.lamp", "f2", "rules/care.yaml", 3, "id: care.lamp # 2\n")
    moved = RuleText("care.lamp", "f2", "rules/other.yaml", 9, newer.text)
    versions = [await apply_site(connection, site, NOW, rules=[LAMP])]
    versions += [await apply_site(connection, site, LATER, rules=[newer])]
    versions += [await apply_site(connection, site, LATER, rules=[moved])]
    versions += [await apply_site(connection, site, LAST)]
    assert versions == [1, 2, 2, 2]
    query = "SELECT fingerprint, source, line, valid_from, valid_to FROM rules ORDER BY id"
    assert await rows(connection, query) == [
        ("f1", "rules/care.yaml", 3, to_datetime(NOW), to_datetime(LATER)),
        ("f2", "rules/other.yaml", 9, to_datetime(LATER), None),
    ]
    ended = await plan_changes(connection, site, LAST, rules=[])
    assert [str(change) for change in ended] == ["rule care.lamp ended"]
    assert await apply_site(connection, site, LAST, rules=[]) == 3
    assert await rows(connection, "SELECT count(*) FROM rules WHERE valid_to IS NULL") == [(0,)]


async def test_the_changes_are_kept_with_their_version(connection: Connection) -> None:
    await changes(connection, SOUND, NOW)
    households = SOUND["households.yaml"].replace("away: true", "away: false")
    await changes(connection, changed(households=households), LATER)
    query = "SELECT applied_at, time_zone, changes FROM site_versions WHERE version = 2"
    ((applied_at, zone, kept),) = await rows(connection, query)
    assert (applied_at, zone) == (to_datetime(LATER), "Asia/Shanghai")
    fields = [{"field": "away", "old": True, "new": False}]
    assert kept == [{"section": "household", "kind": "changed", "code": "b1-102", "fields": fields}]


async def test_listeners_hear_the_new_version_after_the_commit(
    connection: Connection, database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute("LISTEN gridwarden_site")
        await apply_site(connection, load(SOUND), NOW)
        await connection.commit()
        heard = [notice async for notice in listener.notifies(timeout=10, stop_after=1)]
    assert [(notice.channel, notice.payload) for notice in heard] == [("gridwarden_site", "1")]


async def test_two_applies_at_once_are_one_after_the_other(database_url: str) -> None:
    site = load(example())

    async def apply() -> int:
        async with await psycopg.AsyncConnection.connect(database_url) as conn:
            return await apply_site(conn, site, NOW)

    assert await asyncio.gather(*(apply() for _ in range(4))) == [1, 1, 1, 1]
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        assert await rows(conn, "SELECT count(*) FROM site_versions") == [(1,)]
        assert await rows(conn, "SELECT count(*) FROM devices") == [(len(site.devices),)]


def any_site() -> st.SearchStrategy[Site]:
    """Sites of the same codes, each with some of them, at places of its own."""
    place = st.sampled_from(["lvyuan", "grid-1", "grid-2", "building-1"])
    devices = st.dictionaries(st.sampled_from("abcd"), place)
    categories = st.sampled_from(["[care]", "[parking]", "[care, parking]"])
    dates = st.sampled_from(["", ", from: 2026-02-01", ", to: 2026-12-31", ", to: 2026-01-31"])
    duty = st.tuples(st.sampled_from(["wang", "li"]), place, categories, dates)
    duties = st.lists(duty, max_size=4, unique_by=lambda d: d[:3])
    return st.builds(_site, devices, duties, st.sampled_from(["Grid 1", "First"]))


def _site(devices: dict[str, str], duties: Sequence[tuple[str, str, str, str]], grid: str) -> Site:
    return load(
        changed(
            areas=SOUND["areas.yaml"].replace("Grid 1", grid),
            devices="".join(
                f"- {{code: {c}, kind: door, area: {a}}}\n" for c, a in devices.items()
            ),
            duties="".join(
                f"- {{member: {m}, area: {a}, role: r, categories: {c}{dates}}}\n"
                for m, a, c, dates in duties
            ),
        )
    )


@given(st.lists(any_site(), min_size=2, max_size=4), any_site())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_was_applied_before_the_last_site_is_in_force_and_the_past_stays(
    database_url: str, before: list[Site], last: Site
) -> None:
    asyncio.run(_fold(database_url, [*before, last]))


async def _fold(url: str, sites: list[Site]) -> None:
    conn = await psycopg.AsyncConnection.connect(url)
    try:
        past: list[dict[str, Any]] = []
        for number, site in enumerate(sites):
            now = NOW + number * MINUTE
            await apply_site(conn, site, now)
            assert await plan_changes(conn, site, now + 1) == []
            assert await in_force(conn, now) == expected(site, now)
            past.append(await in_force(conn, now))
        for number, then in enumerate(past):
            assert await in_force(conn, NOW + number * MINUTE) == then
    finally:
        await conn.rollback()
        await conn.close()


def expected(site: Site, now: Micros) -> dict[str, Any]:
    """Where devices are and who is on duty, by the site."""
    duties = {
        (d.member, d.area, d.role, d.categories)
        for d in site.duties
        if d.valid_to is None or d.valid_to > now
    }
    return {"devices": {(d.code, d.area) for d in site.devices.values()}, "duties": duties}


async def in_force(conn: Connection, now: Micros) -> dict[str, Any]:
    """The same by the registry's dates."""
    where = "valid_from <= %s AND (valid_to IS NULL OR valid_to > %s)"
    devices = f"""SELECT devices.code, areas.code FROM placements
                  JOIN devices ON devices.id = device_id JOIN areas ON areas.id = area_id
                  WHERE {where}"""  # noqa: S608
    duties = f"""SELECT members.code, areas.code, role, categories FROM duties
                 JOIN members ON members.id = member_id JOIN areas ON areas.id = area_id
                 WHERE {where}"""  # noqa: S608
    moment = to_datetime(now)
    on_duty = await rows(conn, duties, moment, moment)
    return {
        "devices": set(await rows(conn, devices, moment, moment)),
        "duties": {(m, a, r, frozenset(c)) for m, a, r, c in on_duty},
    }


async def test_an_empty_registry_has_an_empty_inventory(connection: Connection) -> None:
    inventory = await load_inventory(connection)
    assert isinstance(inventory, Inventory)
    assert (inventory.version, len(inventory.areas)) == (0, 0)
