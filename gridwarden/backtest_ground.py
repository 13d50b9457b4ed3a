"""The site of a backtest: of a folder, of a made-up city, or the one applied to the database."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import TupleRow

from devices.instant import Micros
from devices.reading import Batch
from devices.simulator.city import City
from devices.simulator.incidents import Incidence, Incident
from devices.simulator.parts import Part
from devices.simulator.rhythm import Span
from devices.site import Site
from gridwarden.backtest import Ground, LeftOut, Recording
from gridwarden.backtest_file import possible
from gridwarden.site import check
from gridwarden.site_state import load_site
from gridwarden.site_warnings import provisional_duties, provisional_inventory
from ingest.decode import Limits

_ZONE = "SELECT time_zone FROM site_versions ORDER BY version DESC LIMIT 1"


def ground_of_folder(folder: Path) -> Ground:
    """A site folder; SiteError with every problem of it."""
    site, rules = check(folder)
    return replace(ground_of_site(site), rules=rules)


def ground_of_site(site: Site) -> Ground:
    """A checked site, without its rules."""
    inventory = provisional_inventory(site)
    members = dict(enumerate(site.members, 1))
    duties = provisional_duties(site, inventory)
    return Ground(inventory, (), duties, members, ZoneInfo(site.time_zone))


async def ground_of_database(conn: psycopg.AsyncConnection[TupleRow]) -> Ground:
    """The applied site; what it shows of people's alerts is their grid."""
    applied = await load_site(conn)
    row = await (await conn.execute(_ZONE)).fetchone()
    return Ground(
        applied.inventory,
        applied.rules,
        applied.roster.duties,
        {member.id: member.code for member in applied.roster.members.values()},
        ZoneInfo(row[0] if row else "UTC"),
        private=True,
    )


def site_of_parts(parts: Iterable[Part], like: Site) -> Site:
    """One site of all these communities; name, time zone and rules as `like` has them."""
    listed = list(parts)
    return Site(
        like.name,
        like.time_zone,
        {area.code: area for part in listed for area in part.areas},
        {home.code: home for part in listed for home in part.households},
        {(d.community, d.code): d for part in listed for d in part.devices},
        {member.code: member for part in listed for member in part.members},
        tuple(dict.fromkeys(duty for part in listed for duty in part.duties)),
        like.rule_files,
    )


def simulated(
    ground: Ground, start: Micros, span: Micros, limits: Limits, *, seed: int, factor: float
) -> tuple[Recording, list[Incident]]:
    """What the simulator makes this site's devices say for so long, and the incidents it planted.

    factor: incidents by times their usual rate.
    """
    zone = ground.zone
    city = City(
        ground.inventory,
        Span(start, start + span, zone),
        seed=seed,
        incidence=Incidence(factor, opening=factor > 0),
    )
    left_out = LeftOut()

    def readings() -> Iterable[Batch]:
        for rows in city.readings():
            yield possible(rows, ground.inventory, limits, left_out)

    return Recording(readings(), start, start + span, left_out), list(city.incidents)
