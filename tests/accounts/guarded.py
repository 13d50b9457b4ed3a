"""A broker that wants accounts, with TLS of its own authority."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from devices.accounts.account import ADMIN, Account, admin, service
from devices.accounts.commands import Command
from devices.accounts.control import Door, administer
from devices.accounts.initial import Credential, credential, initial
from gridwarden import local_authority
from tests.accounts.party import Party
from tests.services.server import Guard, GuardedServer, Provider


@dataclass(frozen=True, slots=True)
class Guarded:
    """The broker, and how to come in."""

    server: GuardedServer
    secrets: dict[str, str]
    authority: Path

    @property
    def port(self) -> int:
        """In the clear."""
        return self.server.port

    @property
    def ca_file(self) -> str:
        """What vouches for it."""
        return str(self.authority / local_authority.CA_CERT)

    def door(self, username: str = ADMIN) -> Door:
        """As whom to administer it."""
        return Door("127.0.0.1", self.port, username, self.secrets[username])

    def url(self, username: str) -> str:
        """The broker in the clear as this account."""
        return f"mqtt://{username}:{self.secrets[username]}@127.0.0.1:{self.port}"

    def party(self, account: Account | str, **options: object) -> Party:
        """Connected under this account, and its client id."""
        name = account if isinstance(account, str) else account.username
        chosen = {} if isinstance(account, str) else {"client_id": account.client_id}
        return Party(self.port, name, self.secrets[name], **(chosen | options))  # type: ignore[arg-type]

    async def run(self, commands: Iterable[Command]) -> None:
        """Commands of the administrator."""
        async with administer(self.door()) as control:
            await control.carry_out(list(commands))


def start(services: Callable[[], Provider], folder: Path, *accounts: Account) -> Guarded:
    """A broker with these accounts, the administrator's and the service's."""
    given: list[Credential] = [credential(each) for each in (admin(), service(), *accounts)]
    server = services().guarded_mosquitto(guard(initial(given), folder))
    return Guarded(server, {each.account.username: each.secret for each in given}, folder)


def guard(accounts: bytes, folder: Path) -> Guard:
    """These accounts, and TLS of a new authority in `folder`."""
    local_authority.init(folder, ["localhost", "127.0.0.1"], datetime.now(UTC))
    return Guard(
        accounts,
        (folder / local_authority.SERVER_CERT).read_bytes(),
        (folder / local_authority.SERVER_KEY).read_bytes(),
    )
