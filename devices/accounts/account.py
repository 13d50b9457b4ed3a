"""An account: who signs in, under which client id, and what it may publish and read.

The topics are those of `devices.topic`. Nothing is allowed but what stands here; leaving a
subscription is (an account can only end its own).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from devices.accounts.errors import AccountNameError
from devices.topic import CODE, OWN, PREFIX, RESERVED, SUBSCRIPTIONS

SERVICE = "gridwarden"
ADMIN = "gridwarden-admin"
DOCTOR = f"{OWN}/+"
"""Where `gridwarden doctor` and `gridwarden reshard` publish to themselves."""

_MEMBER = "member:"
_CONTROL = "$CONTROL/dynamic-security/#"
_CLIENT_ID = re.compile(r"[!-~]{1,128}")
_FIRST = 10
"""Priority of what is denied within something allowed; the plugin looks at the highest first."""


class Kind(StrEnum):
    """Whose account it is."""

    DEVICE = "device"
    GATEWAY = "gateway"
    MEMBER = "member"
    SERVICE = "service"


class Access(StrEnum):
    """What an entry is about, in the plugin's words.

    'pattern' covers every subscription that its topic does, 'literal' only the very same.
    """

    PUBLISH = "publishClientSend"
    RECEIVE = "publishClientReceive"
    SUBSCRIBE_LITERAL = "subscribeLiteral"
    SUBSCRIBE_PATTERN = "subscribePattern"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One entry of an access control list; of those that match, the highest priority decides."""

    access: str
    topic: str
    allow: bool = True
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Who may do what. client_id: the only one it may connect under; None: any.

    Its role on the broker has the account's own name: the plugin has no patterns for who signs in
    before Mosquitto 2.1.
    """

    kind: Kind
    username: str
    client_id: str | None
    entries: frozenset[Entry]


def device(community: str, code: str, client_id: str | None = None) -> Account:
    """A device: it publishes on its own `up` and `status`, and hears its own `down`."""
    username = device_name(community, code)
    return Account(
        Kind.DEVICE, username, _client_id(client_id, username), frozenset(_own(community, code))
    )


def gateway(community: str, code: str, client_id: str | None = None) -> Account:
    """A gateway: any device of its community and any vendor's format there; never its alerts."""
    username = device_name(community, code)
    below = f"{PREFIX}/{community}"
    entries = {
        *_own(community, code),
        Entry(Access.PUBLISH, f"{below}/ext/#"),
        Entry(Access.PUBLISH, f"{below}/+/up"),
        Entry(Access.PUBLISH, f"{below}/+/status"),
        *_reads(f"{below}/+/down"),
        *_reads(f"{below}/cmd/#"),
        # A member may be called 'up'.
        *(
            Entry(access, f"{below}/alerts/#", allow=False, priority=_FIRST)
            for access in (Access.PUBLISH, Access.RECEIVE, Access.SUBSCRIBE_PATTERN)
        ),
    }
    return Account(Kind.GATEWAY, username, _client_id(client_id, username), frozenset(entries))


def member(code: str, client_id: str | None = None) -> Account:
    """A grid member's app: it reads that member's alerts, of every community."""
    username = member_name(code)
    entries = frozenset(_reads(f"{PREFIX}/+/alerts/{code}"))
    return Account(Kind.MEMBER, username, _client_id(client_id, username), entries)


def service() -> Account:
    """The service: hears what it collects, tells members and devices, examines itself.

    Bound to no client id: it has several connections at once.
    """
    reads = (*SUBSCRIPTIONS, DOCTOR)
    sends = (f"{PREFIX}/+/alerts/+", f"{PREFIX}/+/+/down", f"{PREFIX}/+/cmd/#", DOCTOR)
    entries = {
        *(entry for topic in reads for entry in _reads(topic)),
        *(Entry(Access.PUBLISH, topic) for topic in sends),
    }
    return Account(Kind.SERVICE, SERVICE, None, frozenset(entries))


def admin() -> Account:
    """Whoever changes accounts; it has no other topic."""
    entries = {Entry(Access.PUBLISH, _CONTROL), *_reads(_CONTROL)}
    return Account(Kind.SERVICE, ADMIN, None, frozenset(entries))


def device_name(community: str, code: str) -> str:
    """The user name of a device or gateway; AccountNameError for what is no code."""
    for what in (community, code):
        _check_code(what)
    if code in RESERVED:
        raise AccountNameError(f"{code!r} is no device: the topic level is reserved")
    return f"{community}/{code}"


def member_name(code: str) -> str:
    """The user name of a member; a colon, since a community may be called 'member'."""
    _check_code(code)
    return f"{_MEMBER}{code}"


def parse_name(username: str) -> tuple[str | None, str]:
    """(community, device), or (None, member), from a user name; AccountNameError for others."""
    if username.startswith(_MEMBER):
        code = username.removeprefix(_MEMBER)
        _check_code(code)
        return None, code
    community, slash, code = username.partition("/")
    if not slash:
        raise AccountNameError(
            f"{username!r} is neither COMMUNITY/DEVICE nor {_MEMBER}CODE of a member"
        )
    device_name(community, code)
    return community, code


def topics(account: Account) -> tuple[list[str], list[str]]:
    """What it publishes on, and what it may subscribe to, in order."""
    allowed = [entry for entry in sorted(account.entries) if entry.allow]
    publishes = [entry.topic for entry in allowed if entry.access == Access.PUBLISH]
    reads = [entry.topic for entry in allowed if entry.access == Access.RECEIVE]
    return publishes, reads


def _own(community: str, code: str) -> set[Entry]:
    own = f"{PREFIX}/{community}/{code}"
    return {
        Entry(Access.PUBLISH, f"{own}/up"),
        Entry(Access.PUBLISH, f"{own}/status"),
        Entry(Access.SUBSCRIBE_LITERAL, f"{own}/down"),
        Entry(Access.RECEIVE, f"{own}/down"),
    }


def _reads(topic: str) -> tuple[Entry, Entry]:
    return Entry(Access.SUBSCRIBE_PATTERN, topic), Entry(Access.RECEIVE, topic)


def _client_id(wanted: str | None, username: str) -> str:
    chosen = wanted or username
    if not _CLIENT_ID.fullmatch(chosen):
        raise AccountNameError(f"client id {chosen!r} is not 1 to 128 visible ASCII characters")
    if chosen.startswith(SERVICE) and chosen != username:
        raise AccountNameError(
            f"client id {chosen!r} begins with {SERVICE!r}, as the service's own: "
            "who connects under one of those ends the service's session"
        )
    return chosen


def _check_code(code: str) -> None:
    if not CODE.fullmatch(code):
        raise AccountNameError(
            f"{code!r} is no code: 1 to 64 letters, digits, '_', '.' and '-', "
            "the first a letter or a digit"
        )
