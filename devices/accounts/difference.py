"""What brings the broker into line with the registry: decided from what each says. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from devices.accounts import commands
from devices.accounts.account import ADMIN, SERVICE, Account, Entry, service
from devices.accounts.commands import Command


class Standing(StrEnum):
    """What is to become of an account that was handed out."""

    IN_FORCE = "in force"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Given:
    """An account that was handed out, as it should be now."""

    account: Account
    standing: Standing


@dataclass(frozen=True, slots=True)
class Client:
    """An account as the broker has it."""

    username: str
    client_id: str | None = None
    disabled: bool = False
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that the broker has: its accounts, its roles, and what holds where none matches.

    anonymous: the group whose roles those have who sign in as nobody, if there is one.
    """

    clients: Mapping[str, Client]
    roles: Mapping[str, frozenset[Entry]]
    default_access: Mapping[str, bool] = field(default_factory=lambda: commands.DEFAULT_ACCESS)
    anonymous: str | None = None


class Reason(StrEnum):
    """Why a step is taken, or why a person must look at an account."""

    RETIRED = "its device or member is retired: may not sign in"
    RETURNED = "its device or member is back: may sign in again"
    REVOKED = "it was revoked: deleted"
    ROLE_LACKING = "its role is lacking: made"
    ROLE_DIFFERS = "its role allows something else: mended"
    CLIENT_DIFFERS = "its client id or roles are others: mended"
    OPEN_DEFAULT = "more is allowed to all than should be: mended"
    ROLE_LEFT = "a role of nobody: deleted"
    LOST = "the broker does not have it: give it a password with `gridwarden accounts rotate`"
    NOBODYS = "nobody was given it: look whose it is"
    ANONYMOUS = "who signs in as nobody has the roles of this group: look why"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one account. Without commands a person has to see to it."""

    username: str
    reason: Reason
    commands: tuple[Command, ...] = ()

    def __str__(self) -> str:
        return f"{self.username}: {self.reason.value}"


def difference(given: Iterable[Given], held: Held) -> list[Step]:
    """The steps from what the broker has to what it should have; none where they agree.

    An account that the broker lacks is never made here: it would need a password, which somebody
    has to carry to the device.
    """
    books = {each.account.username: each for each in given}
    steps = [*_for_all(held), *_service(held)]
    for _, each in sorted(books.items()):
        steps += _account(each, held)
    steps += [
        Step(name, Reason.NOBODYS)
        for name in sorted(held.clients.keys() - books.keys() - {ADMIN, SERVICE})
    ]
    return steps


def _for_all(held: Held) -> Iterator[Step]:
    if dict(held.default_access) != dict(commands.DEFAULT_ACCESS):
        yield Step("everybody", Reason.OPEN_DEFAULT, (commands.default_access(),))
    if held.anonymous is not None:
        yield Step(held.anonymous, Reason.ANONYMOUS)


def _service(held: Held) -> Iterator[Step]:
    if SERVICE not in held.clients:
        yield Step(SERVICE, Reason.LOST)
        return
    yield from _mend(service(), held)


def _account(given: Given, held: Held) -> Iterator[Step]:
    account = given.account
    client = held.clients.get(account.username)
    if given.standing is Standing.REVOKED:
        yield from _delete(account, held)
        return
    if client is None:
        if given.standing is Standing.IN_FORCE:
            yield Step(account.username, Reason.LOST)
        return
    if given.standing is Standing.RETIRED:
        if not client.disabled:
            done = (commands.disable(account.username),)
            yield Step(account.username, Reason.RETIRED, done)
        return
    yield from _mend(account, held)
    if client.disabled:
        yield Step(account.username, Reason.RETURNED, (commands.enable(account.username),))


def _delete(account: Account, held: Held) -> Iterator[Step]:
    name = account.username
    if name in held.clients:
        done = commands.delete(name, role=name in held.roles)
        yield Step(name, Reason.REVOKED, tuple(done))
    elif name in held.roles:
        yield Step(name, Reason.ROLE_LEFT, (commands.delete_role(name),))


def _mend(account: Account, held: Held) -> Iterator[Step]:
    """Role and client as they should be; the role first, it must be there to be given."""
    name = account.username
    entries = held.roles.get(name)
    if entries is None:
        yield Step(name, Reason.ROLE_LACKING, (commands.create_role(account),))
    elif entries != account.entries:
        yield Step(name, Reason.ROLE_DIFFERS, (commands.mend_role(account),))
    client = held.clients[name]
    bound = account.client_id is None or client.client_id == account.client_id
    if not bound or client.roles != (name,) or client.groups:
        yield Step(name, Reason.CLIENT_DIFFERS, (commands.mend_client(account),))
