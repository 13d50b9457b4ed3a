"""`gridwarden replay FILE.csv`: recorded readings over real MQTT, through the whole path."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from devices.instant import SECOND
from devices.simulator.message import Message
from devices.simulator.publish import Address, Publisher, PublishError, play
from gridwarden.cli_settings import read_settings
from gridwarden.clock import ScaledClock, WallClock
from gridwarden.replay import Checked, Reader, Recorded, check, messages
from gridwarden.settings import Settings
from gridwarden.settlement import Mark, Settlement, mark, settled, settlement

console = Console()
errors = Console(stderr=True)

STILL_LOOKS = 11
"""Looks at the books, 0.1 s apart, that must agree: the rules' timers run five times a second."""


def replay(
    file: Annotated[Path, typer.Argument(help="CSV: time,device,metric,value[,community][,…].")],
    *,
    community: Annotated[str, typer.Option(help="For lines without a community column.")] = "",
    speed: Annotated[
        float, typer.Option(min=0, help="1 is as recorded; 0: as fast as it goes.")
    ] = 0,
    time_zone: Annotated[str, typer.Option(help="For times without an offset.")] = "",
    skip_bad: Annotated[bool, typer.Option(help="Send the good lines of a bad file.")] = False,
    report: Annotated[bool, typer.Option(help="Wait until all is stored and judged.")] = False,
    connections: Annotated[int, typer.Option(min=1)] = 1,
    timeout: Annotated[float, typer.Option(min=0, help="Longest wait of --report, s.")] = 120,
) -> None:
    """Send recorded readings to the broker, as their devices would have."""
    settings = read_settings()
    reader = Reader(str(file), community, _zone(time_zone))
    checked = _checked(file, reader, skip_bad)
    send = partial(
        _send,
        file,
        reader,
        checked.messages,
        settings=settings,
        speed=speed,
        connections=connections,
    )
    try:
        if report:
            with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as conn:
                before = mark(conn)
                accepted = send()
                await_books(conn, before, accepted, timeout)
                _print(checked, accepted, settlement(conn, before))
        else:
            accepted = send()
            console.print(f"sent {checked.messages}, accepted by the broker {accepted}")
    except (PublishError, psycopg.OperationalError, ValueError, OSError) as error:
        _fail(str(error))


def _checked(file: Path, reader: Reader, skip_bad: bool) -> Checked:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            checked = check(lines, reader)
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{file} cannot be read: {error}")
    for problem in checked.problems:
        errors.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    left_out = checked.bad - len(checked.problems)
    if left_out:
        errors.print(f"… and {left_out} more bad lines", markup=False, highlight=False)
    if checked.bad and (not skip_bad or not checked.rows):
        _fail(
            f"bad lines: {checked.bad}; nothing was sent; --skip-bad sends the {checked.rows} good"
        )
    return checked


def _send(
    file: Path,
    reader: Reader,
    total: int,
    *,
    settings: Settings,
    speed: float,
    connections: int,
) -> int:
    address = Address.parse(settings.mqtt_url.get_secret_value(), settings.broker().ca_file)
    with (
        file.open(encoding="utf-8-sig", newline="") as lines,
        Publisher(address, connections=connections, window=settings.receive_window) as publisher,
        _progress() as progress,
    ):
        good = (row for row in reader.read(lines) if isinstance(row, Recorded))
        task = progress.add_task(file.name, total=total)
        publish(messages(good), publisher, speed, lambda: progress.advance(task))
        publisher.drain()
        return publisher.accepted


def publish(
    stream: Iterable[Message], publisher: Publisher, speed: float, step: Callable[[], None]
) -> None:
    """Publish these in order: at `speed` times the pace of their instants, or at once where 0."""
    if not speed:
        for message in stream:
            publisher.publish(message.topic, message.payload)
            step()
        return
    iterator = iter(stream)
    for first in iterator:
        clock = ScaledClock(first.due, WallClock().now(), speed)
        rest = chain([first], iterator)
        stop = threading.Event()
        play(rest, publisher, clock=clock, speed=speed, stop=stop, sent=lambda _: step())


def await_books(conn: psycopg.Connection, before: Mark, accepted: int, timeout: float) -> None:
    """Wait until the books hold all that was accepted, and timers past due have told theirs.

    That is taken for so when the books stand still for a second. PublishError after `timeout` s.
    """
    pause = threading.Event()
    deadline = WallClock().now() + round(timeout * SECOND)
    with console.status("waiting until everything is stored and judged …"):
        looks: deque[Settlement] = deque(maxlen=STILL_LOOKS)
        while not _stand_still(looks) or not settled(conn, before, accepted):
            looks.append(settlement(conn, before))
            if WallClock().now() > deadline:
                arrived = settlement(conn, before).ledger.received
                raise PublishError(
                    f"after {timeout:g} s the ledger holds {arrived} of {accepted} accepted "
                    "messages, or not all are judged; is `gridwarden run` running?"
                )
            pause.wait(0.1)


def _stand_still(looks: deque[Settlement]) -> bool:
    return len(looks) == STILL_LOOKS and all(look == looks[0] for look in looks)


def _print(checked: Checked, accepted: int, result: Settlement) -> None:
    ledger = result.ledger
    table = Table("messages", "", title=f"{checked.rows} readings")
    table.add_row("sent", str(checked.messages))
    table.add_row("accepted by the broker", str(accepted))
    if ledger.received > accepted:
        table.add_row("received besides, or again", str(ledger.received - accepted))
    table.add_row("stored", str(ledger.stored))
    table.add_row("duplicate", str(ledger.duplicate))
    table.add_row("rejected", str(ledger.rejected))
    for reason, count in result.reject_reasons.items():
        table.add_row(f"  {reason} (whole or in part)", str(count))
    for rule, count in result.alerts_by_rule.items():
        table.add_row(f"alerts of {rule}", str(count))
    console.print(table)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        _fail(f"unknown time zone {name!r}; write e.g. Asia/Shanghai")


def _fail(message: str) -> NoReturn:
    errors.print(f"error: {message}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
