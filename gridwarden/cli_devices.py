"""`gridwarden devices`: which are registered, which wait to be adopted; adding them."""

import asyncio
import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from devices.formats.announcing import Announced
from devices.instant import to_datetime
from devices.kind import kind_told_by
from devices.liveness import Liveness
from devices.site import SiteError
from devices.suggest import did_you_mean
from gridwarden.adding import (
    ADDED,
    Entry,
    added,
    entry,
    read_entries,
    read_table,
    suggested,
    write,
)
from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.cli_site import Folder, apply_command, failed
from gridwarden.clock import clock_of
from gridwarden.device_file import device_file
from gridwarden.pending import Pending, State, announced_as, known, pending, states
from ingest.conduct import Conduct

devices_app = typer.Typer(no_args_is_help=True, help="Devices.")

_PAYLOAD = 120
_PENDING = ("community", "address", "messages", "first heard", "last heard", "announced")
_STATES = (*(state.value for state in Liveness), "retired")
_KNOWN = (
    "community",
    "code",
    "kind",
    "address",
    "place",
    "gateway",
    "state",
    "battery",
    "last heard",
)

Community = Annotated[str | None, typer.Option(help="Only of the community with this code.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before applying.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@devices_app.callback()
def devices() -> None:
    """Devices."""


@devices_app.command("list")
def list_command(
    community: Community = None,
    retired: Annotated[bool, typer.Option("--retired", help="Retired ones too.")] = False,
    state: Annotated[
        str, typer.Option(help="Only in this state, e.g. silent, offline, unknown, 'low battery'.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the registered devices: where they are, whether they live, when they were last heard.

    States: online, low battery, silent (for three of its intervals), offline (it said so), unknown
    (its gateway is gone, and it was not heard since), never heard. Counts by state at the end.
    A state is followed by marks: that the device's clock is wrong, that it sends too much.
    """
    if state and state not in _STATES:
        raise failed(f"--state {state!r} is no state of a device; {did_you_mean(state, _STATES)}")
    settings = read_settings()
    now = clock_of(settings).now()
    with explained():
        url = settings.database_url.get_secret_value()
        found = states(asyncio.run(known(url, community, retired=retired)), now)
    if state:
        found = [one for one in found if one.word == state]
    if as_json:
        _json_lines([_plain(one) for one in found])
    else:
        _show(_KNOWN, (_known_row(one) for one in found))
        typer.echo(_counts(found))


@devices_app.command("pending")
def pending_command(community: Community = None, as_json: AsJson = False) -> None:
    """List devices that were heard from and are not registered, with their last message.

    `gridwarden devices heard COMMUNITY ADDRESS` shows more of them, and what they mean.
    Adopt one with `gridwarden devices add DIR --address ADDRESS --kind KIND --household CODE` (or,
    for one that publishes on our own topics, with --code). One that announced itself is listed with
    what it would give; where that tells its kind, --kind may be left out.
    """
    settings = read_settings()
    now = clock_of(settings).now()
    with explained():
        found = asyncio.run(pending(settings.database_url.get_secret_value(), now, community))
    if as_json:
        _json_lines([_pending_json(device) for device in found])
    else:
        _show(
            (*_PENDING, "last message"),
            (_pending_row(device) for device in found),
        )
        typer.echo(f"{len(found)} devices wait to be adopted")


@devices_app.command("show")
def show_command(
    community: Annotated[str, typer.Argument(help="The community's code.")],
    code: Annotated[str, typer.Argument(help="The device's code.")],
    as_json: AsJson = False,
) -> None:
    """Show a device: where it was and when, whether it lives, what it reports, what was refused.

    Values are not shown: they may be somebody's vital signs, which the inbox shows to who answers
    for them.
    """
    settings = read_settings()
    now = clock_of(settings).now()
    with explained():
        url = settings.database_url.get_secret_value()
        found = asyncio.run(device_file(url, community, code, now))
    if as_json:
        device = asdict(found.device.device)
        told = {"device": device, "state": found.device.word, "marks": found.device.marks}
        _json_lines([asdict(found) | told])
        return
    _show(_KNOWN, [_known_row(found.device)])
    _show(
        ("was in", "from", "to"),
        [
            (p.household or p.area, _time(p.valid_from), _time(p.valid_to) if p.valid_to else "")
            for p in found.placements
        ],
    )
    _show(
        ("was called", "from", "to"),
        [
            (printable(a.address), _time(a.valid_from), _time(a.valid_to) if a.valid_to else "")
            for a in found.addresses
        ],
    )
    _show(("reports", "unit", "last"), [(r.metric, r.unit, _time(r.time)) for r in found.reported])
    _show(
        ("refused because", "messages", "last"),
        [(r.reason, str(r.messages), _time(r.last)) for r in found.refusals],
    )
    _show(("sent", "how often", "last"), _odd_rows(found.device.device.conduct))
    received, stored, duplicate, rejected = found.ledger
    typer.echo(
        f"messages: received {received} = stored {stored} + duplicate {duplicate}"
        f" + rejected {rejected}"
    )


@devices_app.command("add")
def add_command(
    folder: Folder,
    *,
    kind: Annotated[
        str,
        typer.Option(
            help="What it is, e.g. sos_button (docs/site.md); may be told by its announcement."
        ),
    ] = "",
    code: Annotated[str, typer.Option(help="Its code; made from the address if left out.")] = "",
    address: Annotated[str, typer.Option(help="What its vendor's format calls it.")] = "",
    area: Annotated[str, typer.Option(help="The area it is in, or:")] = "",
    household: Annotated[str, typer.Option(help="The household it is in.")] = "",
    gateway: Annotated[str, typer.Option(help="The gateway that it is behind.")] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    yes: Yes = False,
) -> None:
    """Add a device to a site folder, and apply the folder. So a stranger is adopted, too.

    The entry goes to devices/added.yaml in the folder, if the whole site is sound with it.
    """
    row = {"code": code, "kind": kind, "area": area, "household": household}
    more = {"address": address, "gateway": gateway, "name_zh": name}
    own = entry(row | more)
    if not kind:
        own = replace(own, data={**own.data, **_suggested(address), **own.data})
    _add(folder, [own], yes=yes)


@devices_app.command("import")
def import_command(
    folder: Folder,
    table: Annotated[Path, typer.Argument(help="CSV with a head line, or YAML; in UTF-8.")],
    yes: Yes = False,
) -> None:
    """Add the devices of a table to a site folder, and apply the folder.

    CSV columns: code, kind, area or household, address, gateway, name_zh, name_en, interval. A file
    that ends in .yaml or .yml holds entries as in devices.yaml (docs/site.md). A code that is left
    out is made from the address. All devices are added, or none.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            if table.suffix in {".yaml", ".yml"}:
                entries = read_entries(str(table), lines.read())
            else:
                entries = read_table(str(table), lines)
    except SiteError as error:
        raise failed(str(error)) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise failed(f"{table}: cannot be read: {error}") from None
    _add(folder, entries, yes=yes)


def _add(folder: Path, entries: Sequence[Entry], *, yes: bool) -> None:
    try:
        files = added(folder, entries)
    except SiteError as error:
        raise failed(f"{error}\nNothing was changed.") from None
    write(folder, files)
    typer.echo(f"{len(entries)} devices written to {folder / ADDED}")
    apply_command(folder, yes=yes)


def _suggested(address: str) -> Mapping[str, object]:
    """What a device's announcement says of it; ends the command where that is not its kind."""
    settings = read_settings()
    with explained():
        found = asyncio.run(announced_as(settings.database_url.get_secret_value(), address))
    if len(found) != 1:
        how = "in several communities" if found else "in no community"
        raise failed(f"say what it is with --kind: {address!r} announced itself {how}")
    said = suggested(found[0])
    if "kind" not in said:
        metrics = ", ".join(found[0].metrics) or "no metric of ours"
        raise failed(f"say what it is with --kind: {address!r} announced {metrics}")
    return said


def _pending_json(device: Pending) -> Mapping[str, object]:
    told = device.announced
    if told is None:
        return asdict(device)
    kind = kind_told_by(told.metrics)
    fields = ("name", "maker", "model", "entities", "metrics")
    said = {name: getattr(told, name) for name in fields}
    return asdict(device) | {"announced": said | {"kind": kind.name if kind else None}}


def _known_row(state: State) -> tuple[str, ...]:
    device = state.device
    return (
        device.community,
        device.code,
        device.kind,
        device.address or "",
        device.household or device.area or "",
        device.gateway or "",
        state.text,
        "" if device.battery is None else f"{device.battery:g} %",
        _time(device.heard),
    )


def _plain(state: State) -> dict[str, object]:
    gateway = None if state.gateway is None else state.gateway.value
    told = {"state": state.word, "gateway_state": gateway, "marks": state.marks}
    return asdict(state.device) | told


def _odd_rows(conduct: Conduct | None) -> list[tuple[str, str, str]]:
    if conduct is None:
        return []
    told = (
        ("late", conduct.late),
        ("another value for the same time", conduct.contradicting),
        ("ahead of its arrival", conduct.ahead),
        ("impossible times", conduct.impossible),
        ("too many", conduct.too_many),
    )
    return [
        (what, str(tally.count), _time(to_datetime(tally.last)))
        for what, tally in told
        if tally.last is not None
    ]


def _counts(found: Sequence[State]) -> str:
    """How many devices, and how many in each state, in the order of the states."""
    counts = Counter(state.word for state in found)
    parts = [f"{counts[word]} {word}" for word in _STATES if counts[word]]
    return f"{len(found)} devices" + (f": {', '.join(parts)}" if parts else "")


def _pending_row(device: Pending) -> tuple[str, ...]:
    return (
        device.community,
        printable(device.address),
        str(device.messages),
        _time(device.first_heard),
        _time(device.last_heard),
        printable(_told(device.announced)),
        f"{printable(device.topic)} {_text(device.payload)}",
    )


def _told(announced: Announced | None) -> str:
    """What a device announced, in a few words."""
    if announced is None:
        return ""
    what = " ".join(text for text in (announced.maker, announced.model, announced.name) if text)
    return f"{what}: {', '.join(announced.metrics) or 'no metric of ours'}".removeprefix(": ")


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else moment.astimezone().isoformat(" ", "seconds")


def _text(payload: bytes) -> str:
    text = printable(payload[: 2 * _PAYLOAD].decode("utf-8", "backslashreplace"))
    return text if len(text) <= _PAYLOAD else text[: _PAYLOAD - 1] + "…"


def printable(text: str) -> str:
    """What a stranger sent must not steer the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _json_lines(found: Sequence[Mapping[str, object]]) -> None:
    for one in found:
        plain = orjson.dumps(one, default=lambda value: value.decode("utf-8", "backslashreplace"))
        typer.echo(plain.decode())


def _show(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    if not table.rows:
        return
    Console(markup=False, highlight=False).print(table, markup=False)
