"""The command line: `gridwarden --help`."""

import asyncio
import signal
from typing import Annotated

import typer

from gridwarden.cli_accounts import accounts_app
from gridwarden.cli_decode import decode
from gridwarden.cli_demo import demo
from gridwarden.cli_device_changes import move, replace, retire
from gridwarden.cli_device_heard import heard
from gridwarden.cli_devices import devices_app
from gridwarden.cli_errors import explained
from gridwarden.cli_ledger import ledger
from gridwarden.cli_rejected import rejected_app
from gridwarden.cli_replay import replay
from gridwarden.cli_rules import rules_app
from gridwarden.cli_rules_test import rules_test
from gridwarden.cli_settings import read_settings
from gridwarden.cli_simulate import city, simulate
from gridwarden.cli_site import site_app
from gridwarden.cli_tls import tls_app
from gridwarden.cli_upkeep import upkeep

app = typer.Typer(
    name="gridwarden",
    help="Smart-community warnings: sensor readings in, the responsible grid member told.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(site_app, name="site", help="Check and apply the folder that describes a community.")
app.add_typer(devices_app, name="devices", help="List devices, and those that wait for adoption.")
devices_app.command("heard")(heard)
devices_app.command("retire")(retire)
devices_app.command("move")(move)
devices_app.command("replace")(replace)
app.add_typer(rules_app, name="rules", help="Check rule files, and test them.")
rules_app.command("test")(rules_test)
app.add_typer(accounts_app, name="accounts", help="Accounts on the broker: who may sign in there.")
app.add_typer(tls_app, name="tls", help="A certificate authority of one's own for the broker.")
app.add_typer(rejected_app, name="rejected", help="Rejected messages: list, show, retry.")
app.command("decode")(decode)
app.command("city")(city)
app.command("demo")(demo)
app.command("ledger")(ledger)
app.command("replay")(replay)
app.command("simulate")(simulate)
app.command("upkeep")(upkeep)


@app.command()
def run(
    *,
    shard: Annotated[
        str, typer.Option(help="i/n: of n workers the one with number i, from 0 (docs/scaling.md).")
    ] = "0/1",
    inbox: Annotated[bool, typer.Option(help="Whether to serve the inbox.")] = True,
) -> None:
    """Run the service: collect, judge, deliver, and serve the inbox, until Ctrl-C or SIGTERM."""
    from gridwarden import log, service
    from gridwarden.shard import Shard

    with explained():
        own = Shard.parse(shard)
    settings = read_settings()
    log.configure(settings.log_level)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stop.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, log.tasks)
        await service.run(settings, shard=own, inbox=inbox, stop=stop)

    with explained():
        asyncio.run(until_stopped())


@app.command()
def reshard(
    shards: Annotated[int, typer.Argument(help="How many workers there will be.")],
) -> None:
    """Divide the communities among so many workers, while none runs; may be interrupted.

    Run it again to go on. With the present number it gives up a change that has not happened yet.
    """
    from gridwarden import log
    from gridwarden.reshard import reshard as change

    settings = read_settings()
    log.configure(settings.log_level)
    with explained():
        asyncio.run(change(settings, shards, typer.echo))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date; safe to run twice and from two places at once."""
    from gridwarden.migrate import migrate as apply_migrations

    settings = read_settings()
    with explained():
        applied = apply_migrations(settings.database_url.get_secret_value())
    typer.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")


@app.command()
def doctor() -> None:
    """Say what is wrong with broker, database, time and settings, and how to mend it."""
    from gridwarden.doctor import examine

    findings = asyncio.run(examine(read_settings()))
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(1 if any(not f.well for f in findings) else 0)


@app.command("set-password")
def set_password(
    member: Annotated[str, typer.Argument(help="The member's code, as in members.yaml.")],
) -> None:
    """Set the password with which a member signs in to the inbox (asked twice, never shown)."""
    from gridwarden.passwords import change

    url = read_settings().database_url.get_secret_value()
    password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    with explained():
        asyncio.run(change(url, member, password))
    typer.echo(f"{member} can sign in.")
