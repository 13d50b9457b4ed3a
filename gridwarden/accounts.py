"""Accounts handed out, rotated, revoked and brought into line: our books and the broker together.

The broker and the database cannot be changed in one transaction, so each act has an order that a
crash in its middle leaves mendable: what gives access is written down last (run it again), what
takes access away is written down first (`gridwarden accounts sync` finishes it).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from devices.accounts import books
from devices.accounts.account import SERVICE, Account, parse_name, service
from devices.accounts.books import Connection, Holder
from devices.accounts.commands import Command, hand_out
from devices.accounts.control import Control
from devices.accounts.difference import Given, Held, Standing, Step, difference
from devices.accounts.errors import AccountError, Refusal, RefusedError
from devices.accounts.initial import Credential, credential
from devices.instant import Micros

Give = Callable[[Sequence[Credential]], object]
"""Shows or keeps passwords, for good: when it returns they may be forgotten here."""

_AT_ONCE = 6
"""Accounts that are made together, and then shown; an interruption costs these at most."""


class NoAccountError(AccountError):
    """There is nobody of this name, or not with an account as the act needs it."""


def chosen(holders: Iterable[Holder], names: Sequence[str]) -> list[Holder]:
    """The devices and members of these names; NoAccountError with every name that is nobody's."""
    for name in names:
        parse_name(name)
    by_name = {holder.username: holder for holder in holders}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise NoAccountError(
            f"not registered: {', '.join(unknown)}; see `gridwarden devices list`, and "
            "members.yaml for members"
        )
    return [by_name[name] for name in dict.fromkeys(names)]


def without_account(holders: Iterable[Holder]) -> list[Holder]:
    """Devices in service that publish themselves and have no account.

    What one with an address or a gateway says is published by its gateway, with its account.
    """
    return [
        holder
        for holder in holders
        if holder.device_id is not None
        and not holder.retired
        and not holder.has_account
        and not holder.spoken_for
    ]


def creatable(holders: Sequence[Holder]) -> None:
    """NoAccountError unless all of them may be given an account."""
    retired = [holder.username for holder in holders if holder.retired]
    if retired:
        raise NoAccountError(f"retired, so not given an account: {', '.join(retired)}")
    having = [holder.username for holder in holders if holder.has_account]
    if having:
        raise NoAccountError(
            f"has an account already: {', '.join(having)}; for another password use "
            "`gridwarden accounts rotate`"
        )


def rotatable(holders: Sequence[Holder]) -> None:
    """NoAccountError unless all of them have an account in force."""
    wrong = [holder.username for holder in holders if not holder.has_account or holder.retired]
    if wrong:
        raise NoAccountError(f"no account in force: {', '.join(wrong)}")


def revocable(holders: Sequence[Holder]) -> None:
    """NoAccountError unless all of them were given an account; a revoked one may be again."""
    wrong = [holder.username for holder in holders if holder.created_at is None]
    if wrong:
        raise NoAccountError(f"never given an account: {', '.join(wrong)}")


async def create(
    conn: Connection,
    control: Control,
    wanted: Sequence[tuple[Holder, Account]],
    give: Give,
    now: Micros,
) -> None:
    """Make an account for each on the broker, give its password, write it down.

    RefusedError at the end for those that the broker refused; the others are made. Commits.
    """
    by_name = {account.username: holder for holder, account in wanted}

    async def record(accounts: Sequence[Account]) -> None:
        pairs = ((by_name[account.username], account) for account in accounts)
        await books.record_created(conn, pairs, now)

    await _hand_out(conn, control, [account for _, account in wanted], give, record)


async def rotate(
    conn: Connection, control: Control, accounts: Sequence[Account], give: Give, now: Micros
) -> None:
    """Give each another password; the old one is refused and its connection ended. Commits.

    RefusedError at the end for those that the broker refused; the others have the new password.
    """

    async def record(done: Sequence[Account]) -> None:
        await books.record_rotated(conn, done, now)

    await _hand_out(conn, control, accounts, give, record)


async def revoke(
    conn: Connection, control: Control, holders: Sequence[Holder], now: Micros
) -> None:
    """Take the accounts back: written down first, then deleted on the broker. Commits."""
    accounts = [holder.account() for holder in holders]
    await books.record_revoked(conn, accounts, now)
    await conn.commit()
    held = await control.held()
    names = {account.username for account in accounts}
    gone = [Given(account, Standing.REVOKED) for account in accounts]
    steps = [step for step in difference(gone, held) if step.username in names]
    await _carry_out(control, steps)


def plan(holders: Iterable[Holder], held: Held) -> list[Step]:
    """What `sync` would do, and what a person must look at."""
    given = (holder.given() for holder in holders if holder.created_at is not None)
    return difference(given, held)


async def sync(conn: Connection, control: Control, steps: Sequence[Step], now: Micros) -> None:
    """Do what was planned; RefusedError if the broker refuses any of it. Commits."""
    await _carry_out(control, steps)
    await books.record_mended(conn, steps, now)
    await conn.commit()


def service_or(names: Sequence[str]) -> tuple[list[Account], list[str]]:
    """The service's account where it is named, and the other names."""
    return [service()] if SERVICE in names else [], [name for name in names if name != SERVICE]


async def _hand_out(
    conn: Connection,
    control: Control,
    accounts: Sequence[Account],
    give: Give,
    record: Callable[[Sequence[Account]], Awaitable[None]],
) -> None:
    held = await control.held()
    refused: list[Refusal] = []
    for start in range(0, len(accounts), _AT_ONCE):
        made = [credential(account) for account in accounts[start : start + _AT_ONCE]]
        orders = [command for each in made for command in _orders(each, held)]
        failed = await control.run(orders)
        names = {refusal.subject for refusal in failed}
        good = [each for each in made if each.account.username not in names]
        give(good)
        await record([each.account for each in good])
        await conn.commit()
        refused += failed
    if refused:
        raise RefusedError(refused)


async def _carry_out(control: Control, steps: Iterable[Step]) -> None:
    await control.carry_out([command for step in steps for command in step.commands])


def _orders(given: Credential, held: Held) -> Sequence[Command]:
    name = given.account.username
    return hand_out(
        given.account,
        given.secret,
        client=name in held.clients,
        role=name in held.roles,
    )
