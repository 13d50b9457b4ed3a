"""`gridwarden accounts`: who may sign in at the broker; passwords are shown once, kept nowhere."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from devices.accounts import account
from devices.accounts.books import Connection, Holder, holders, record_created
from devices.accounts.control import Control, administer
from devices.accounts.difference import Step
from devices.accounts.initial import credential, initial
from gridwarden import accounts
from gridwarden.accounts import Give
from gridwarden.administrator import door
from gridwarden.cli_errors import explained
from gridwarden.cli_settings import read_settings
from gridwarden.clock import clock_of
from gridwarden.handing_out import card, create_private, kept_in
from gridwarden.settings import Settings

accounts_app = typer.Typer(no_args_is_help=True, help="Accounts on the broker.")

Names = Annotated[
    list[str] | None, typer.Argument(help="COMMUNITY/DEVICE, or member:CODE.", metavar="NAME…")
]
Out = Annotated[
    Path | None, typer.Option(help="Write the passwords to this new CSV file (mode 0600).")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Act = Callable[[Connection, Control], Awaitable[None]]


@accounts_app.callback()
def accounts_command() -> None:
    """Accounts on the broker."""


@accounts_app.command("init")
def init_command(
    file: Annotated[Path, typer.Argument(help="The plugin's file, as mosquitto.conf names it.")],
    *,
    all_devices: Annotated[
        bool, typer.Option("--all", help="With accounts of all registered devices.")
    ] = False,
    out: Out = None,
) -> None:
    """Prepare a new broker: write the file with which its plugin starts.

    It has an administrator and the service, whose addresses with their passwords are shown once.
    With --all --out FILE.csv also every device's account: for thousands, far quicker than `create`.
    """
    settings = read_settings()
    _check_out(all_devices=all_devices, out=out)
    with explained():
        asyncio.run(_init(settings, file, out))
    typer.echo(f"{file} is ready. It has to belong to the broker's user, and its folder too.")


@accounts_app.command("list")
def list_command() -> None:
    """List the accounts that were handed out: when, rotated when, revoked when."""
    settings = read_settings()
    with explained():
        given = [each for each in asyncio.run(_holders(settings)) if each.created_at]
    for each in given:
        typer.echo(_line(each))
    typer.echo(f"{len(given)} accounts")


@accounts_app.command("create")
def create_command(
    names: Names = None,
    *,
    all_devices: Annotated[
        bool, typer.Option("--all", help="Every device that publishes itself and has none.")
    ] = False,
    out: Out = None,
    client_id: Annotated[
        str, typer.Option(help="The client id of the one device, if it cannot be set there.")
    ] = "",
) -> None:
    """Give devices or members an account on the broker; the password is shown once.

    A device may sign in only under its client id (its account's name, if no other is given), so
    that none can take over another's session.
    """
    settings = read_settings()
    _check_out(all_devices=all_devices, out=out)
    if all_devices == bool(names) or (client_id and len(names or ()) != 1):
        raise typer.BadParameter("give names, or --all; --client-id goes with one name")
    now = clock_of(settings).now()

    async def act(conn: Connection, control: Control) -> None:
        everybody = await holders(conn)
        wanted = (
            accounts.without_account(everybody)
            if all_devices
            else accounts.chosen(everybody, names or ())
        )
        accounts.creatable(wanted)
        pairs = [(holder, holder.account(client_id or None)) for holder in wanted]
        with _giving(out) as give:
            await accounts.create(conn, control, pairs, give, now)
        typer.echo(f"{len(pairs)} accounts made")

    _with_broker(settings, act)


@accounts_app.command("rotate")
def rotate_command(names: Names = None, *, out: Out = None) -> None:
    """Give accounts another password, shown once; the old one is refused from then on.

    `gridwarden` is the service's own: set GRIDWARDEN_MQTT_URL anew and restart it.
    """
    settings = read_settings()
    now = clock_of(settings).now()

    async def act(conn: Connection, control: Control) -> None:
        service, others = accounts.service_or(_some(names))
        chosen = accounts.chosen(await holders(conn), others)
        accounts.rotatable(chosen)
        wanted = [*service, *(holder.account() for holder in chosen)]
        with _giving(out) as give:
            await accounts.rotate(conn, control, wanted, give, now)

    _with_broker(settings, act)


@accounts_app.command("revoke")
def revoke_command(names: Names = None, *, yes: Yes = False) -> None:
    """Take accounts back: whoever is connected with one is thrown out, and stays out."""
    settings = read_settings()
    if not yes:
        typer.confirm(f"Revoke {', '.join(_some(names))}?", abort=True)
    now = clock_of(settings).now()

    async def act(conn: Connection, control: Control) -> None:
        chosen = accounts.chosen(await holders(conn), _some(names))
        accounts.revocable(chosen)
        await accounts.revoke(conn, control, chosen, now)
        typer.echo(f"{len(chosen)} accounts revoked")

    _with_broker(settings, act)


@accounts_app.command("sync")
def sync_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the changes.")] = False,
    yes: Yes = False,
) -> None:
    """Bring the broker into line with the registry; shows what would change, and asks.

    Accounts of what is retired are disabled, those of what is back enabled, those revoked deleted;
    lists and client ids that differ are mended. Exit code 1 where a person has to look.
    """
    settings = read_settings()
    now = clock_of(settings).now()
    steps: list[Step] = []

    async def act(conn: Connection, control: Control) -> None:
        steps.extend(accounts.plan(await holders(conn), await control.held()))
        doable = [step for step in steps if step.commands]
        _show(steps)
        if dry_run or not doable:
            return
        if not yes:
            typer.confirm("Make these changes on the broker?", abort=True)
        await accounts.sync(conn, control, doable, now)
        typer.echo(f"{len(doable)} changes made")

    _with_broker(settings, act)
    if any(not step.commands for step in steps):
        raise typer.Exit(1)


async def _init(settings: Settings, file: Path, out: Path | None) -> None:
    """The file with these accounts; written last, so that it has none that nobody was given."""
    own = [credential(account.admin()), credential(account.service())]
    if out is None:
        _write(create_private(file), initial(own))
    else:
        async with _books(settings) as conn:
            wanted = accounts.without_account(await holders(conn))
            made = [credential(holder.account()) for holder in wanted]
            with kept_in(out) as keep:
                descriptor = create_private(file)
                keep(made)
                _write(descriptor, initial([*own, *made]))
            pairs = zip(wanted, (each.account for each in made), strict=True)
            await record_created(conn, pairs, clock_of(settings).now())
            await conn.commit()
        typer.echo(f"{len(made)} accounts of devices, with their passwords in {out}")
    admin, service = (each.secret for each in own)
    where = settings.broker()
    typer.echo("Shown once; for the environment of the service and of this command:")
    for name, user, secret in (
        ("GRIDWARDEN_MQTT_URL", account.SERVICE, service),
        ("GRIDWARDEN_BROKER_ADMIN_URL", account.ADMIN, admin),
    ):
        scheme = "mqtts" if where.tls else "mqtt"
        typer.echo(f"{name}={scheme}://{user}:{secret}@{where.host}:{where.port}")


def _with_broker(settings: Settings, act: Act) -> None:
    """Do it with the books and the broker at hand; ends the command where one cannot be had."""

    async def both() -> None:
        async with _books(settings) as conn, administer(door(settings)) as control:
            await act(conn, control)

    with explained():
        asyncio.run(both())


@asynccontextmanager
async def _books(settings: Settings) -> AsyncIterator[Connection]:
    url = settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as conn:
        yield conn


async def _holders(settings: Settings) -> list[Holder]:
    async with _books(settings) as conn:
        return await holders(conn)


@contextmanager
def _giving(out: Path | None) -> Iterator[Give]:
    if out is None:
        yield lambda given: typer.echo("\n".join(card(each) for each in given))
        return
    with kept_in(out) as keep:
        yield keep
    typer.echo(f"the passwords are in {out}")


def _write(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)


def _check_out(*, all_devices: bool, out: Path | None) -> None:
    if all_devices and out is None:
        raise typer.BadParameter("--all needs --out FILE.csv for the passwords")


def _some(names: Sequence[str] | None) -> Sequence[str]:
    if not names:
        raise typer.BadParameter("name at least one account")
    return names


def _show(steps: Sequence[Step]) -> None:
    for step in steps:
        typer.echo(f"{'change' if step.commands else 'LOOK  '}  {step}")
    if not steps:
        typer.echo("Nothing to change: the broker has what the registry says.")


def _line(each: Holder) -> str:
    times = {"created": each.created_at, "rotated": each.rotated_at, "revoked": each.revoked_at}
    told = (f"{name} {when.astimezone():%Y-%m-%d %H:%M}" for name, when in times.items() if when)
    other = f"  as {each.client_id}" if each.client_id != each.username else ""
    own = each.account().kind
    return f"{each.username:<32} {own:<8} {each.standing:<9} {', '.join(told)}{other}"
