"""`gridwarden rules replay`: a backtest of rules over recorded, stored or simulated readings."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from devices.errors import DeviceError
from devices.instant import HOUR, SECOND, Micros, format_duration, parse_duration, to_micros
from devices.simulator.incidents import Incident as Planted
from gridwarden.backtest import Ground, Played, Recording, load_of, play
from gridwarden.backtest_report import Outcome, against_incidents
from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.clock import WallClock, clock_of
from gridwarden.errors import GridwardenError
from gridwarden.incident_file import Words, of_planted, read_incidents
from gridwarden.settings import Settings
from rules.detection import Incident
from rules.difference import compare
from rules.errors import RulesError
from rules.model import Rule


class ReplayError(GridwardenError):
    """Options that do not go together, or rules that cannot be used."""


class Format(StrEnum):
    """How the outcome is told."""

    TABLE = "table"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class _Source:
    """Where site and readings come from, as the options say it."""

    site: Path | None
    readings: Path | None
    city: str
    hours: float | None
    scale: int
    seed: int
    start: str
    end: str
    community: str
    time_zone: str


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is to be played; planted: the incidents in it, where it is simulated."""

    ground: Ground
    recording: Recording
    planted: Sequence[Planted] = ()


def replay(
    *,
    rules: Annotated[
        Path | None, typer.Option(help="The rules to try; the site's if unset.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="The site folder; the applied site if unset.")
    ] = None,
    readings: Annotated[
        Path | None, typer.Option(help="CSV: time,device,metric,value[,community][,arrival][,…].")
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="RFC 3339; local time of the site if without offset.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="RFC 3339, as --from.")] = "",
    hours: Annotated[
        float | None, typer.Option(min=0.01, help="Simulate so many hours of the site or city.")
    ] = None,
    city: Annotated[
        str, typer.Option(help="Simulate daqing, or COMMUNITIES,ELDERS of a made-up city.")
    ] = "",
    scale: Annotated[int, typer.Option(min=1, help="The site's communities so many times.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another day.")] = 1,
    against: Annotated[
        Path | None, typer.Option(help="Other rules to compare with: what changes.")
    ] = None,
    incidents: Annotated[
        Path | None, typer.Option(help="What really happened, CSV or JSON lines: what was found.")
    ] = None,
    batch: Annotated[
        str, typer.Option(help="Judge at once what arrived within; 1s, of large sites 1m.")
    ] = "",
    output: Annotated[Format, typer.Option("--format", help="How the outcome is told.")] = (
        Format.TABLE
    ),
    limit: Annotated[int, typer.Option(min=0, help="Alerts listed in each table.")] = 10,
    community: Annotated[str, typer.Option(help="For lines without a community column.")] = "",
    time_zone: Annotated[
        str, typer.Option(help="For times without an offset; the site's if unset.")
    ] = "",
) -> None:
    """Try rules on recorded readings: what they would have told, whom, and how well they find.

    Readings come from a CSV file (--site, --readings), from the database (--from, --to), or from
    the simulator (--site or --city, --hours). Nothing is written. docs/backtests.md
    """
    from gridwarden.backtest_view import tell, tell_json

    settings = read_settings()
    source = _Source(site, readings, city, hours, scale, seed, start, end, community, time_zone)
    with explained(), _told(), _scene(source, settings) as scene:
        sets = [_rules(rules, scene.ground), *([] if against is None else [_loaded(against)])]
        outcome = _outcome(scene, sets, incidents, _every(batch, scene.ground))
    if output is Format.JSONL:
        tell_json(outcome)
    else:
        tell(outcome, limit)


def _outcome(
    scene: _Scene, sets: Sequence[Sequence[Rule]], incidents: Path | None, every: Micros
) -> Outcome:
    ground, recording = scene.ground, scene.recording
    known = [*of_planted(scene.planted, sets[0]), *_incidents(incidents, ground, sets)]
    began = WallClock().now()
    with _progress(recording) as step:
        played = play(ground, sets, recording, every, step)
    outcome = Outcome(
        ground,
        played,
        recording.left_out,
        recording.start,
        recording.end,
        every,
        max(1, WallClock().now() - began) / SECOND,
        load_of(played.runs[0].spells, ground),
    )
    return _judged(outcome, played, known)


def _judged(outcome: Outcome, played: Played, incidents: Sequence[Incident]) -> Outcome:
    """With what differs and what was found, where that is asked for."""
    inventory, span = outcome.ground.inventory, (outcome.start, outcome.end)
    if len(played.runs) > 1:
        old, new = played.runs[1].spells, played.runs[0].spells
        outcome = replace(outcome, difference=compare(old, new))
    if incidents:
        found, outside = against_incidents(outcome.spells, incidents, inventory, span)
        outcome = replace(outcome, detection=found, outside=outside)
        if len(played.runs) > 1:
            before, _ = against_incidents(played.runs[1].spells, incidents, inventory, span)
            outcome = replace(outcome, before=before)
    return outcome


@contextmanager
def _scene(source: _Source, settings: Settings) -> Iterator[_Scene]:
    from gridwarden.backtest_ground import ground_of_folder

    simulated = source.hours is not None or bool(source.city)
    if source.scale != 1 and (source.city or not simulated):
        raise ReplayError("--scale is for --site with --hours")
    if simulated:
        yield _simulated(source, settings)
    elif source.readings is None:
        with _of_database(source, settings) as scene:
            yield scene
    elif source.site is None:
        raise ReplayError("--readings needs --site, the folder that describes their devices")
    else:
        ground = ground_of_folder(source.site)
        yield _Scene(ground, _of_file(source, source.readings, ground, settings))


def _of_file(source: _Source, file: Path, ground: Ground, settings: Settings) -> Recording:
    from gridwarden.backtest_file import read_recording
    from gridwarden.collecting import limits_of
    from gridwarden.replay import Reader

    communities = ground.inventory.communities
    only = next(iter(communities)) if len(communities) == 1 else ""
    zone = _zone(source, ground)
    reader = Reader(str(file), source.community or only, zone, arrivals=True)
    span = _instant(source.start, "--from", zone), _instant(source.end, "--to", zone)
    return read_recording(file, reader, ground.inventory, limits_of(settings), span)


def _simulated(source: _Source, settings: Settings) -> _Scene:
    from devices.simulator.parts import parts_of
    from gridwarden.backtest_ground import ground_of_site, simulated, site_of_parts
    from gridwarden.cli_simulate import CITY_INCIDENTS, city_plan
    from gridwarden.collecting import limits_of
    from gridwarden.demo_site import example_site
    from gridwarden.site import check

    if source.readings is not None or source.end:
        raise ReplayError("--hours and --city simulate: they need neither --readings nor --to")
    if (source.site is None) == (not source.city):
        raise ReplayError("simulate either --site FOLDER or --city daqing")
    described, rules = check(source.site or example_site())
    if source.city:
        parts, factor = city_plan(source.city).parts(), CITY_INCIDENTS
    else:
        parts, factor = parts_of(described, source.scale), 1.0
    ground = replace(ground_of_site(site_of_parts(parts, described)), rules=rules)
    zone = _zone(source, ground)
    begin = _instant(source.start, "--from", zone) or WallClock().now()
    span = round((24 if source.hours is None else source.hours) * HOUR)
    recording, planted = simulated(
        ground, begin, span, limits_of(settings), seed=source.seed, factor=factor
    )
    return _Scene(ground, recording, planted)


@contextmanager
def _of_database(source: _Source, settings: Settings) -> Iterator[_Scene]:
    from gridwarden.backtest_database import Stretch, read_ground, stored
    from gridwarden.collecting import limits_of

    if source.site is not None:
        raise ReplayError(
            "--site needs --readings FILE or --hours N; stored readings are of the"
            " applied site, and need --from and --to alone"
        )
    url = settings.database_url.get_secret_value()
    ground = asyncio.run(read_ground(url))
    zone = _zone(source, ground)
    begin = _instant(source.start, "--from", zone)
    finish = _instant(source.end, "--to", zone) or clock_of(settings).now()
    if begin is None:
        raise ReplayError(
            "give --from, and --to, for stored readings; or --readings FILE with"
            " --site; or --hours N to simulate"
        )
    if finish <= begin:
        raise ReplayError("--to is not after --from: nothing lies between them")
    with psycopg.connect(url) as conn:
        stretch = Stretch(begin, finish, limits_of(settings).max_ahead)
        yield _Scene(ground, stored(conn, stretch))


def _rules(folder: Path | None, ground: Ground) -> Sequence[Rule]:
    return ground.rules if folder is None else _loaded(folder)


def _loaded(folder: Path) -> Sequence[Rule]:
    """The rules below this folder; ReplayError with every problem of them."""
    from gridwarden.rule_files import read_files
    from gridwarden.rule_library import library_texts
    from rules.loader import load

    files, problems = read_files([folder])
    try:
        found = load(files, library_texts())
    except RulesError as error:
        problems += error.problems
    if problems:
        raise ReplayError("\n".join(str(problem) for problem in sorted(problems)))
    return found


def _incidents(file: Path | None, ground: Ground, sets: Sequence[Sequence[Rule]]) -> list[Incident]:
    if file is None:
        return []
    rules = [rule for rules in sets for rule in rules]
    return read_incidents(file, Words(ground.inventory, rules, ground.zone))


def _every(text: str, ground: Ground) -> Micros:
    if not text:
        return ground.usual_batch()
    every = parse_duration(text)
    if every < 1_000:
        raise ReplayError(f"--batch {text} is below 1 ms")
    return every


def _zone(source: _Source, ground: Ground) -> tzinfo:
    if not source.time_zone:
        return ground.zone
    try:
        return ZoneInfo(source.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        what = f"unknown time zone {source.time_zone!r}; write e.g. Asia/Shanghai"
        raise ReplayError(what) from None


def _instant(text: str, option: str, zone: tzinfo) -> Micros | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        what = f"{option} {text!r} is not RFC 3339, e.g. 2026-03-01T08:00:00+08:00"
        raise ReplayError(what) from None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a site, a span or a city ends the command with a sentence too."""
    try:
        yield
    except DeviceError as error:
        raise ReplayError(str(error)) from None


@contextmanager
def _progress(recording: Recording) -> Iterator[Callable[[Micros], None]]:
    """A bar on standard error, on a terminal only; moved at most once in so many steps."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        span = max(1, recording.end - recording.start)
        task = progress.add_task(format_duration(span), total=span)
        yield lambda now: progress.update(task, completed=now - recording.start)
