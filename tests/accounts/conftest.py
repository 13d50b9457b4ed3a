"""A broker that wants accounts, with TLS of its own authority."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.accounts.account import ADMIN, SERVICE, Account, admin, service
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
    local_authority.init(folder, ["localhost", "127.0.0.1"], datetime.now(UTC))
    guard = Guard(
        initial(given),
        (folder / local_authority.SERVER_CERT).read_bytes(),
        (folder / local_authority.SERVER_KEY).read_bytes(),
    )
    server = services().guarded_mosquitto(guard)
    return Guarded(server, {each.account.username: each.secret for each in given}, folder)


@pytest.fixture
def guarded(services: Callable[[], Provider], tmp_path: Path) -> Iterator[Guarded]:
    """A broker of the test's own, with nobody but administrator and service."""
    started = start(services, tmp_path / "tls")
    yield started
    started.server.remove()


@pytest.fixture
def listener(guarded: Guarded) -> Iterator[Party]:
    """The service, hearing what ingest hears."""
    with guarded.party(SERVICE, client_id="gridwarden-ingest") as party:
        yield party
