"""The commands of Mosquitto's dynamic security plugin (2.0), as values. Pure.

Each command writes the plugin's whole file anew, so there are as few as possible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.accounts.account import Account

DEFAULT_ACCESS: Mapping[str, bool] = {
    "publishClientSend": False,
    "publishClientReceive": False,
    "subscribe": False,
    "unsubscribe": True,
}
"""What holds where no entry matches; to unsubscribe ends only a subscription of one's own."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. subject: the account it is for · secret: a password, never shown."""

    name: str
    subject: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)

    def body(self) -> dict[str, Any]:
        """As the plugin takes it; holds the secret."""
        password = {} if self.secret is None else {"password": self.secret}
        return {"command": self.name, **self.fields, **password}


def hand_out(account: Account, secret: str, *, client: bool, role: bool) -> list[Command]:
    """The account with this password and no other; who is connected with it is thrown out.

    client, role: whether the broker has them already.
    """
    ready = mend_role(account) if role else create_role(account)
    if not client:
        fields = {"roles": roles(account)}
        return [ready, _client("createClient", account, fields, secret)]
    return [ready, mend_client(account, secret), enable(account.username)]


def create_role(account: Account) -> Command:
    """The account's role, which the broker lacks."""
    fields = {"rolename": account.username, "acls": entries(account)}
    return Command("createRole", account.username, fields)


def mend_role(account: Account) -> Command:
    """The account's role as it should be; takes effect at once, also where it is connected."""
    fields = {"rolename": account.username, "acls": entries(account)}
    return Command("modifyRole", account.username, fields)


def mend_client(account: Account, secret: str | None = None) -> Command:
    """Role and client id as they should be, and the password; throws it out if connected."""
    fields: dict[str, Any] = {"roles": roles(account), "groups": []}
    return _client("modifyClient", account, fields, secret)


def enable(username: str) -> Command:
    """It may sign in again."""
    return Command("enableClient", username, {"username": username})


def disable(username: str) -> Command:
    """It may not sign in until enabled; thrown out if connected."""
    return Command("disableClient", username, {"username": username})


def delete(username: str, *, role: bool = True) -> list[Command]:
    """Neither account nor role; thrown out if connected."""
    client = Command("deleteClient", username, {"username": username})
    return [client, delete_role(username)] if role else [client]


def delete_role(username: str) -> Command:
    """No role of this account any more."""
    return Command("deleteRole", username, {"rolename": username})


def default_access() -> Command:
    """Deny what no entry allows."""
    acls = [{"acltype": access, "allow": allow} for access, allow in DEFAULT_ACCESS.items()]
    return Command("setDefaultACLAccess", "everybody", {"acls": acls})


def entries(account: Account) -> list[dict[str, Any]]:
    """The role's access control list as the plugin has it, in a fixed order."""
    return [
        {
            "acltype": str(entry.access),
            "topic": entry.topic,
            "priority": entry.priority,
            "allow": entry.allow,
        }
        for entry in sorted(account.entries)
    ]


def roles(account: Account) -> Sequence[dict[str, str]]:
    """The one role that an account has."""
    return [{"rolename": account.username}]


def _client(name: str, account: Account, fields: Mapping[str, Any], secret: str | None) -> Command:
    bound = {"clientid": account.client_id} if account.client_id else {}
    return Command(
        name, account.username, {"username": account.username, **bound, **fields}, secret
    )
