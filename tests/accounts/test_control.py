"""The administrator's side of a real broker: answers to their commands, refusals told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devices.accounts.account import ADMIN, SERVICE, device, service
from devices.accounts.commands import create_role, delete, hand_out
from devices.accounts.control import BATCH, Door, administer
from devices.accounts.errors import ControlError, RefusedError
from tests.accounts.guarded import Guarded, start
from tests.services.server import Provider

SECRET = "s" * 32


async def test_a_refusal_is_told_with_the_account_and_the_brokers_words(guarded: Guarded) -> None:
    there, new = service(), device("north", "d1")
    async with administer(guarded.door()) as control:
        refused = await control.run([create_role(there), create_role(new)])
        assert [str(each) for each in refused] == [
            "gridwarden: the broker refuses createRole: Role already exists"
        ]
        assert new.username in (await control.held()).roles
        wrong = hand_out(device("north", "d2"), SECRET, client=True, role=False)
        with pytest.raises(RefusedError, match=r"north/d2: .*: Client not found") as why:
            await control.carry_out(wrong)
        assert SECRET not in str(why.value)


async def test_more_commands_than_go_into_a_message_keep_their_order(guarded: Guarded) -> None:
    accounts = [device("north", f"d{number}") for number in range(BATCH)]
    commands = [
        command
        for account in accounts
        for command in (
            *hand_out(account, SECRET, client=False, role=False),
            *delete(account.username),
            *hand_out(account, SECRET, client=False, role=False),
        )
    ]
    async with administer(guarded.door()) as control:
        await control.carry_out(commands)
        held = await control.held()
    assert set(held.clients) == {ADMIN, SERVICE, *(each.username for each in accounts)}
    assert held.clients["north/d3"].client_id == "north/d3"
    assert held.roles["north/d3"] == accounts[3].entries


async def test_two_administrators_do_not_take_each_others_answers(guarded: Guarded) -> None:
    async def make(prefix: str) -> int:
        async with administer(guarded.door()) as control:
            for number in range(20):
                account = device("north", f"{prefix}{number}")
                await control.carry_out(hand_out(account, SECRET, client=False, role=False))
        return number + 1

    assert sum(await asyncio.gather(make("a"), make("b"))) == 40
    async with administer(guarded.door()) as control:
        assert len((await control.held()).clients) == 42


async def test_all_are_read_where_they_are_many(
    services: Callable[[], Provider], tmp_path: Path
) -> None:
    accounts = [device("north", f"d{number}") for number in range(1_100)]
    many = start(services, tmp_path / "tls", *accounts)
    try:
        async with administer(many.door()) as control:
            held = await control.held()
    finally:
        many.server.remove()
    assert len(held.clients) == len(held.roles) == 1_102
    assert all(held.roles[each.username] == each.entries for each in accounts)


async def test_a_broker_without_the_plugin_is_told(broker_url: str) -> None:
    door = Door("127.0.0.1", urlsplit(broker_url).port or 0, "anybody", "x", timeout=0.5)
    with pytest.raises(ControlError, match=r"did not answer within 0.5 s; is its dynamic security"):
        async with administer(door) as control:
            await control.held()


async def test_a_broker_that_dies_meanwhile_is_told(guarded: Guarded) -> None:
    door = replace(guarded.door(), timeout=20.0)

    async def ask() -> None:
        async with administer(door) as control:
            await asyncio.to_thread(guarded.server.kill)
            await control.held()

    with pytest.raises(ControlError, match=r"the broker at 127\.0\.0\.1"):
        await ask()


def test_a_door_does_not_show_its_password() -> None:
    assert SECRET not in repr(Door("127.0.0.1", 1883, ADMIN, SECRET))
