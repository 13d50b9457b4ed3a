"""Sets the demo's stage: database, broker, site, clock and service, in this order."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from pydantic import SecretStr

from devices.instant import MINUTE, SECOND, Micros, to_datetime, to_micros
from gridwarden.clock import ScaledClock, WallClock
from gridwarden.demo_books import last_instant
from gridwarden.demo_site import Town, example_site, settle
from gridwarden.demo_text import Say
from gridwarden.embedded import (
    LOOPBACK,
    Broker,
    Child,
    broker,
    exclusive,
    kept_port,
    postgres,
    started,
    tethered,
)
from gridwarden.migrate import migrate
from gridwarden.settings import Settings
from gridwarden.settlement import Mark, mark
from gridwarden.site import check

DAYS_BACK = 14
FIRST_HOUR = 6
USUAL_PORT = 8080
START_GRACE: Micros = 3 * SECOND
"""Simulated time stands still this long while the service starts: at 240 times real time a start
of 4 s would else be 16 minutes in which every door seems silent."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for. minutes: real, None until stopped · port: 0 takes any."""

    fresh: bool
    speed: float
    seed: int
    port: int
    language: str
    minutes: float | None
    site: Path | None


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs before the first simulated message, and where the books stood then."""

    options: Options
    state_dir: Path
    clock: ScaledClock
    town: Town
    broker: Broker
    service: Child
    database_url: str
    address: str
    before: Mark

    def check(self) -> None:
        """EmbeddedError if the service or the broker has ended."""
        self.service.check()
        self.broker.child.check()


def set_up(stack: ExitStack, options: Options, settings: Settings, say: Say) -> Stage:
    """Start everything on the stack, which ends it; EmbeddedError or SiteError if that fails."""
    state = settings.state_dir.resolve()
    stack.enter_context(exclusive(state))
    if options.fresh:
        forget(state)
    port = kept_port(state, "web", wanted=options.port, usual=USUAL_PORT)
    site, rules = check(options.site or example_site())
    say("start.database")
    url = stack.enter_context(postgres(state))
    migrate(url)
    say("start.broker")
    mqtt = stack.enter_context(broker(state))
    origin, before = _books_so_far(url, ZoneInfo(site.time_zone))
    say("start.site")
    town = settle(url, site, rules, origin)
    clock = ScaledClock(origin, WallClock().now() + START_GRACE, options.speed)
    say("start.service")
    own = demo_settings(settings, url, mqtt, port, clock)
    service = stack.enter_context(_service(own, state))
    return Stage(
        options, state, clock, town, mqtt, service, url, f"http://{LOOPBACK}:{port}", before
    )


def forget(state: Path) -> None:
    """Delete what earlier runs stored: database and broker, nothing else in the folder."""
    for folder in ("postgres", "mosquitto"):
        shutil.rmtree(state / folder, ignore_errors=True)


def first_origin(now: Micros, zone: ZoneInfo) -> Micros:
    """06:00 local time two weeks ago: over an hour of speeded-up days lies before the present."""
    local = to_datetime(now).astimezone(zone) - timedelta(days=DAYS_BACK)
    return to_micros(datetime(local.year, local.month, local.day, FIRST_HOUR, tzinfo=zone))


def demo_settings(
    settings: Settings, url: str, mqtt: Broker, port: int, clock: ScaledClock
) -> Settings:
    """The service's settings in the demo; whatever the demo does not decide is kept."""
    return settings.model_copy(
        update={
            "database_url": SecretStr(url),
            "mqtt_url": SecretStr(mqtt.url),
            "mqtt_version": mqtt.version,
            "web_host": LOOPBACK,
            "web_port": port,
            "clock_speed": clock.speed,
            "clock_origin": to_datetime(clock.origin),
            "clock_real_origin": to_datetime(clock.real_origin),
        }
    )


def environment(settings: Settings) -> Mapping[str, str]:
    """These settings as environment variables for a child process; secrets in clear."""
    named = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {
        f"GRIDWARDEN_{name.upper()}": _plain(value)
        for name, value in named.items()
        if value is not None
    }


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _books_so_far(url: str, zone: ZoneInfo) -> tuple[Micros, Mark]:
    """Where simulated time goes on, and what the books hold by then."""
    with psycopg.connect(url, autocommit=True) as conn:
        last = last_instant(conn)
        origin = first_origin(WallClock().now(), zone) if last is None else last + MINUTE
        return origin, mark(conn)


@contextmanager
def _service(settings: Settings, state: Path) -> Iterator[Child]:
    log, ready = state / "service.log", state / "service.ready"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "gridwarden.demo_service", str(ready)]
    with tethered("the service", command, log=log, environment=environment(settings)) as child:
        started(child, ready.exists)
        yield child
