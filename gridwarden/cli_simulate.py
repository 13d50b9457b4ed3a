"""`gridwarden simulate` and `gridwarden city`: simulated devices, and the site folder of a city."""

import csv
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from devices.errors import DeviceError
from devices.instant import HOUR, SECOND, to_micros
from devices.simulator.cast import Cast
from devices.simulator.city import City
from devices.simulator.daqing import COMMUNITIES, ELDERS, CityPlan
from devices.simulator.faults import RATES
from devices.simulator.incidents import Incidence
from devices.simulator.parts import Part, inventory_of, parts_of
from devices.simulator.publish import Account, Address
from devices.simulator.rhythm import Span
from devices.site import Site
from gridwarden.cli_settings import read_settings
from gridwarden.clock import WallClock, clock_of
from gridwarden.errors import GridwardenError
from gridwarden.settings import Settings
from gridwarden.simulation import Line, peak_memory, play_city
from gridwarden.simulation_view import Shown, console, counting
from gridwarden.stopping import stopping_on_signals

CITY_INCIDENTS = 0.01
"""Of the demo's incidents so many happen in a city where nobody says otherwise."""

_ZONE = "Asia/Shanghai"


class SimulateError(GridwardenError):
    """Options that do not go together, or a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class _Community:
    """What is to be played: parts of a site in its time zone; factor: of incidents."""

    parts: Iterable[Part]
    count: int
    zone: ZoneInfo
    factor: float


def simulate(
    *,
    site: Annotated[Path | None, typer.Option(help="The site folder whose devices speak.")] = None,
    city: Annotated[
        str, typer.Option(help="Instead: daqing, or COMMUNITIES,ELDERS of a made-up city.")
    ] = "",
    scale: Annotated[int, typer.Option(min=1, help="The site's communities so many times.")] = 1,
    write_site: Annotated[
        Path | None, typer.Option(help="Write the scaled site folder here and end.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="1 is real; 0: as fast as it goes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another day.")] = 1,
    start: Annotated[str, typer.Option("--from", help="RFC 3339; the present if unset.")] = "",
    hours: Annotated[float, typer.Option(min=0, help="Simulated hours.")] = 24,
    incidents: Annotated[Path | None, typer.Option(help="Write the ground truth here.")] = None,
    faults: Annotated[Path | None, typer.Option(help="Write the planted faults here.")] = None,
    incident_rate: Annotated[
        float | None, typer.Option(min=0, help="Times the usual; 0: none. Cities: 0.01.")
    ] = None,
    fault_rate: Annotated[float, typer.Option(min=0, help="Times the usual; 0: none.")] = 1,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME=RATE a device and day, e.g. late=0.1.")
    ] = None,
    connections: Annotated[str, typer.Option(help="A number, or 'device': one for each.")] = "1",
    credentials: Annotated[
        Path | None, typer.Option(help="What `gridwarden accounts create --out` wrote.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    dry_run: Annotated[bool, typer.Option(help="Publish nothing; tell how fast it is.")] = False,
) -> None:
    """Publish believable days of all devices of a site or city, with incidents and faults."""
    try:
        settings = read_settings()
        town = _town(site, city, scale)
        if write_site:
            _write_scaled(write_site, site, scale)
            return
        span = _span(start, hours, town.zone, settings)
        factor = town.factor if incident_rate is None else incident_rate
        rates = _rates(fault_rate, fault or [])
        played = City(
            _cast(town, seed),
            span,
            seed=seed,
            incidence=Incidence(factor, opening=factor > 0),
            rates=rates,
        )
        _write_truth(incidents, (i.record() for i in played.incidents))
        _write_truth(faults, played.faults.records())
        line = _line(
            played.cast,
            settings,
            connections=connections,
            credentials=credentials,
            dry_run=dry_run,
        )
        _report(played, line, speed, processes)
    except (DeviceError, GridwardenError, ValueError, OSError) as error:
        _fail(str(error))


def city(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    communities: Annotated[int, typer.Option(min=1)] = COMMUNITIES,
    elders: Annotated[int, typer.Option(min=1, help="Residents of 60 or more.")] = ELDERS,
) -> None:
    """Write the site folder of a made-up city as large as Daqing, or of another size."""
    from gridwarden.demo_site import example_site
    from gridwarden.site import read_folder
    from gridwarden.site_writer import with_copd, write_site

    plan = CityPlan(communities, elders)
    try:
        example = read_folder(example_site())
        rules = with_copd({p: text for p, text in example.items() if p.startswith("rules/")})
        header = {"name": {"zh": "大庆（模拟）", "en": "Daqing (simulated)"}, "time_zone": _ZONE}
        with counting("communities", communities) as step:
            written = write_site(folder, header, plan.parts(), rules, step)
    except (DeviceError, GridwardenError, OSError) as error:
        _fail(str(error))
    console.print(
        f"{folder}: communities {written.communities}, homes {written.households}, "
        f"devices {written.devices}",
        soft_wrap=True,
    )


def _town(site: Path | None, city: str, scale: int) -> _Community:
    if (site is None) == (not city):
        raise SimulateError("give either --site FOLDER or --city daqing")
    if site is not None:
        described = _checked(site)
        communities = sum(area.kind == "community" for area in described.areas.values())
        zone = ZoneInfo(described.time_zone)
        return _Community(parts_of(described, scale), scale * communities, zone, 1.0)
    plan = city_plan(city)
    if scale != 1:
        raise SimulateError("--scale is for --site; a city's size is --city COMMUNITIES,ELDERS")
    return _Community(plan.parts(), plan.communities, ZoneInfo(_ZONE), CITY_INCIDENTS)


def city_plan(text: str) -> CityPlan:
    """What --city says; SimulateError where that is no city."""
    if text == "daqing":
        return CityPlan()
    communities, _, elders = text.partition(",")
    if not (communities.isdigit() and elders.isdigit() and int(communities) and int(elders)):
        raise SimulateError(f"--city {text!r} is neither 'daqing' nor e.g. '10,15000'")
    return CityPlan(int(communities), int(elders))


def _checked(site: Path) -> Site:
    from gridwarden.site import check

    return check(site)[0]


def _write_scaled(folder: Path, site: Path | None, scale: int) -> None:
    from gridwarden.site_writer import header_of, write_site

    if site is None:
        raise SimulateError("--write-site is for --site; use `gridwarden city` for a city")
    described = _checked(site)
    with counting("communities", scale) as step:
        written = write_site(
            folder, header_of(described), parts_of(described, scale), described.rule_files, step
        )
    console.print(f"{folder}: devices {written.devices}", soft_wrap=True)


def _cast(town: _Community, seed: int) -> Cast:
    with counting("communities", town.count) as step:
        return Cast.of(map(inventory_of, town.parts), seed, step)


def _rates(factor: float, own: Sequence[str]) -> Mapping[str, float]:
    rates = {name: rate * factor for name, rate in RATES.items()}
    for text in own:
        name, _, rate = text.partition("=")
        if name not in RATES:
            raise SimulateError(f"--fault {text!r}: there are {', '.join(RATES)}")
        rates[name] = float(rate)
        if not 0 <= rates[name] <= 1:
            raise SimulateError(f"--fault {text!r}: the rate is not from 0 to 1")
    if sum(rates.values()) > 1:
        raise SimulateError(f"fault rates add up to {sum(rates.values()):g}, which is more than 1")
    return rates


def _span(start: str, hours: float, zone: ZoneInfo, settings: Settings) -> Span:
    if not start:
        begin = clock_of(settings).now()
    else:
        moment = datetime.fromisoformat(start)
        begin = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    return Span(begin, begin + round(hours * HOUR), zone)


def _line(
    cast: Cast,
    settings: Settings,
    *,
    connections: str,
    credentials: Path | None,
    dry_run: bool,
) -> Line:
    if dry_run:
        return Line(None)
    address = Address.parse(settings.mqtt_url.get_secret_value(), settings.broker().ca_file)
    window = settings.receive_window
    if connections != "device":
        if credentials:
            raise SimulateError("--credentials needs --connections device")
        if not connections.isdigit() or not int(connections):
            raise SimulateError(f"--connections {connections!r} is no number, nor 'device'")
        return Line(address, int(connections), window)
    return Line(address, len(cast), window, _accounts(cast, address, credentials))


def _accounts(cast: Cast, address: Address, credentials: Path | None) -> list[Account]:
    """An account for each device; the broker's URL names the one of those not in the file."""
    usual = Account(address.user, address.password)
    if credentials is None:
        return [usual] * len(cast)
    with credentials.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    wanted = {"username", "password", "client_id"}
    if rows and not wanted <= rows[0].keys():
        raise SimulateError(f"{credentials}: the first line names {', '.join(sorted(wanted))}")
    known = {
        row["username"]: Account(row["username"], row["password"], row["client_id"]) for row in rows
    }
    names = ("/".join(cast.where(row)) for row in range(len(cast)))
    return [known.get(name, usual) for name in names]


def _write_truth(path: Path | None, records: Iterable[Mapping[str, object]]) -> None:
    if path is not None:
        with path.open("w", encoding="utf-8") as file:
            for record in records:
                file.write(f"{json.dumps(record, ensure_ascii=False)}\n")


def _report(played: City, line: Line, speed: float, processes: int) -> None:
    stop = threading.Event()
    begun = WallClock().now()
    with stopping_on_signals(stop), Shown(played.span, line.connections * processes) as shown:
        figures = play_city(
            played, line, speed=speed, processes=processes, stop=stop, tell=shown.tell
        )
    seconds = (WallClock().now() - begun) / SECOND
    end = "stopped" if stop.is_set() else "done"
    console.print(
        f"{end}: messages {figures.made}, {figures.made / seconds:.0f}/s, "
        f"most memory {peak_memory() / 2**20:.0f} MiB",
        soft_wrap=True,
    )
    if line.address is not None:
        console.print(
            f"sent {figures.sent}, accepted by the broker {figures.accepted}, "
            f"reconnects {figures.reconnects}",
            soft_wrap=True,
        )
    console.print(f"incidents planted {len(played.incidents)}, faults {len(played.faults)}")


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"error: {message}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
