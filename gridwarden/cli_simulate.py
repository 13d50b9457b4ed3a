"""`gridwarden simulate`: a site's devices as the simulator plays them, to the configured broker."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress

from devices.errors import DeviceError
from devices.instant import HOUR, to_micros
from devices.inventory import Area, Device, Household, Inventory
from devices.simulator.city import City
from devices.simulator.message import Message
from devices.simulator.publish import Address, Publisher, play
from devices.simulator.rhythm import Span
from devices.site import Site
from gridwarden.cli_settings import read_settings
from gridwarden.clock import ScaledClock, WallClock, clock_of
from gridwarden.errors import GridwardenError
from gridwarden.settings import Settings
from gridwarden.site import check

console = Console()


def simulate(
    *,
    site: Annotated[Path, typer.Option(help="The site folder whose devices speak.")],
    speed: Annotated[float, typer.Option(min=0, help="1 is real; 0: as fast as it goes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another day.")] = 1,
    start: Annotated[str, typer.Option("--from", help="RFC 3339; the present if unset.")] = "",
    hours: Annotated[float, typer.Option(min=0, help="Simulated hours.")] = 24,
    incidents: Annotated[Path | None, typer.Option(help="Write the ground truth here.")] = None,
    connections: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Publish a believable day of all devices of a site, with incidents planted in it."""
    try:
        settings = read_settings()
        described, _ = check(site)
        span = _span(start, hours, ZoneInfo(described.time_zone), settings)
        city = City(inventory_of(described), span, seed=seed)
        if incidents:
            incidents.write_text("".join(f"{json.dumps(i.record())}\n" for i in city.incidents))
        accepted = _publish(city, span, settings, speed, connections)
    except (DeviceError, GridwardenError, ValueError, OSError) as error:
        _fail(str(error))
    console.print(f"accepted by the broker {accepted}, incidents planted {len(city.incidents)}")


def inventory_of(site: Site) -> Inventory:
    """The site as an inventory with ids of its own, by order: no database is asked."""
    areas = {code: number for number, code in enumerate(sorted(site.areas), start=1)}
    homes = {code: number for number, code in enumerate(sorted(site.households), start=1)}
    return Inventory.of(
        (
            Area(areas[a.code], a.code, a.kind, areas[a.parent] if a.parent else None, a.name)
            for a in site.areas.values()
        ),
        (
            Household(homes[h.code], h.code, areas[h.area], h.name, h.care, h.away)
            for h in site.households.values()
        ),
        (
            Device(
                id=number,
                code=d.code,
                community=d.community,
                kind=d.kind,
                area=areas[d.area],
                household=homes[d.household] if d.household else None,
                interval=d.interval,
                metrics=d.metrics,
                name=d.name,
                attributes=d.attributes,
            )
            for number, (_, d) in enumerate(sorted(site.devices.items()), start=1)
        ),
    )


def _span(start: str, hours: float, zone: ZoneInfo, settings: Settings) -> Span:
    if not start:
        begin = clock_of(settings).now()
    else:
        moment = datetime.fromisoformat(start)
        begin = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    return Span(begin, begin + round(hours * HOUR), zone)


def _publish(city: City, span: Span, settings: Settings, speed: float, connections: int) -> int:
    address = Address.parse(settings.mqtt_url.get_secret_value(), settings.broker().ca_file)
    window = settings.receive_window
    with (
        Publisher(address, connections=connections, window=window) as publisher,
        Progress(console=console) as progress,
    ):
        messages = _shown(city.messages(), span, progress)
        if speed:
            clock = ScaledClock(span.start, WallClock().now(), speed)
            play(messages, publisher, clock=clock, speed=speed, stop=threading.Event())
        else:
            for message in messages:
                publisher.publish(message.topic, message.payload)
        publisher.drain()
        return publisher.accepted


def _shown(messages: Iterator[Message], span: Span, progress: Progress) -> Iterator[Message]:
    task = progress.add_task("simulated time", total=span.end - span.start)
    for count, message in enumerate(messages):
        if count % 100 == 0:
            progress.update(task, completed=message.due - span.start)
        yield message
    progress.update(task, completed=span.end - span.start)


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"error: {message}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
