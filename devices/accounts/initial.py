"""The file with which Mosquitto's dynamic security plugin starts on a new broker.

Written by ourselves: `mosquitto_ctrl dynsec init` makes one account only, asks for its password on
a terminal, and is not there where Gridwarden runs beside a broker in another container. Accounts
made one by one on a living broker cost more the more there are (each command writes the whole file
anew), so a new broker gets all of them here.
"""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from devices.accounts.account import Account
from devices.accounts.commands import DEFAULT_ACCESS, entries, roles

ITERATIONS = 101
"""As the plugin itself uses for PBKDF2 (2.0: plugins/dynamic_security). Few for a password that a
person thought of; for 24 random bytes guessing is hopeless with one, and each connection pays."""

_SALT = 12


@dataclass(frozen=True, slots=True)
class Credential:
    """An account and the password that it was just given."""

    account: Account
    secret: str = field(repr=False)


def credential(account: Account) -> Credential:
    """The account with a fresh password: 24 random bytes in the letters of base64url."""
    return Credential(account, secrets.token_urlsafe(24))


def initial(credentials: Iterable[Credential]) -> bytes:
    """The file's content: these accounts with their roles, everything else denied."""
    given = list(credentials)
    content = {
        "defaultACLAccess": dict(DEFAULT_ACCESS),
        "clients": [_client(each) for each in given],
        "groups": [],
        "roles": [
            {"rolename": each.account.username, "acls": entries(each.account)} for each in given
        ],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def _client(given: Credential) -> dict[str, Any]:
    salt = secrets.token_bytes(_SALT)
    digest = hashlib.pbkdf2_hmac("sha512", given.secret.encode(), salt, ITERATIONS)
    bound = {"clientid": given.account.client_id} if given.account.client_id else {}
    return {
        "username": given.account.username,
        **bound,
        "roles": roles(given.account),
        "password": b64encode(digest).decode(),
        "salt": b64encode(salt).decode(),
        "iterations": ITERATIONS,
    }
