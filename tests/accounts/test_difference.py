"""What brings the broker into line, decided from values."""

from dataclasses import replace

import pytest

from devices.accounts.account import SERVICE, Access, Account, Entry, admin, device, service
from devices.accounts.difference import Client, Given, Held, Reason, Standing, difference

ACCOUNT = device("north", "d1")
NAME = ACCOUNT.username


def holding(*accounts: Account) -> Held:
    """A broker that has exactly these."""
    clients = {a.username: Client(a.username, a.client_id, False, (a.username,)) for a in accounts}
    return Held(clients, {a.username: a.entries for a in accounts})


FULL = holding(admin(), service(), ACCOUNT)
IN_FORCE = Given(ACCOUNT, Standing.IN_FORCE)


def found(held: Held, *given: Given) -> list[tuple[str, Reason, list[str]]]:
    return [
        (step.username, step.reason, [command.name for command in step.commands])
        for step in difference(given, held)
    ]


def changed(**client: object) -> Held:
    new = replace(FULL.clients[NAME], **client)  # type: ignore[arg-type]
    return replace(FULL, clients={**FULL.clients, NAME: new})


def test_nothing_where_they_agree() -> None:
    assert found(FULL, IN_FORCE) == []


@pytest.mark.parametrize(
    ("held", "standing", "expected"),
    [
        (FULL, Standing.RETIRED, [(NAME, Reason.RETIRED, ["disableClient"])]),
        (changed(disabled=True), Standing.RETIRED, []),
        (changed(disabled=True), Standing.IN_FORCE, [(NAME, Reason.RETURNED, ["enableClient"])]),
        (FULL, Standing.REVOKED, [(NAME, Reason.REVOKED, ["deleteClient", "deleteRole"])]),
        (holding(service()), Standing.REVOKED, []),
        (holding(service()), Standing.RETIRED, []),
        (holding(service()), Standing.IN_FORCE, [(NAME, Reason.LOST, [])]),
        (
            changed(client_id="another"),
            Standing.IN_FORCE,
            [(NAME, Reason.CLIENT_DIFFERS, ["modifyClient"])],
        ),
        (
            changed(roles=(NAME, "admin")),
            Standing.IN_FORCE,
            [(NAME, Reason.CLIENT_DIFFERS, ["modifyClient"])],
        ),
        (
            replace(FULL, roles={**FULL.roles, NAME: frozenset({Entry(Access.PUBLISH, "#")})}),
            Standing.IN_FORCE,
            [(NAME, Reason.ROLE_DIFFERS, ["modifyRole"])],
        ),
        (
            replace(FULL, roles={SERVICE: service().entries}),
            Standing.IN_FORCE,
            [(NAME, Reason.ROLE_LACKING, ["createRole"])],
        ),
        (
            replace(holding(service()), roles={**FULL.roles}),
            Standing.REVOKED,
            [(NAME, Reason.ROLE_LEFT, ["deleteRole"])],
        ),
    ],
)
def test_a_difference(
    held: Held, standing: Standing, expected: list[tuple[str, Reason, list[str]]]
) -> None:
    assert found(held, Given(ACCOUNT, standing)) == expected


def test_a_stranger_is_told_and_left_alone() -> None:
    assert found(FULL) == [(NAME, Reason.NOBODYS, [])]


def test_the_service_is_mended_and_missed() -> None:
    without = holding(admin())
    assert found(without) == [(SERVICE, Reason.LOST, [])]
    weak = replace(FULL, roles={**FULL.roles, SERVICE: frozenset()})
    assert found(weak, IN_FORCE) == [(SERVICE, Reason.ROLE_DIFFERS, ["modifyRole"])]


def test_what_holds_for_all() -> None:
    opened = replace(FULL, default_access={**FULL.default_access, "subscribe": True})
    assert found(opened, IN_FORCE) == [("everybody", Reason.OPEN_DEFAULT, ["setDefaultACLAccess"])]
    anonymous = replace(FULL, anonymous="guests")
    assert found(anonymous, IN_FORCE) == [("guests", Reason.ANONYMOUS, [])]
