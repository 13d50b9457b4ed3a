"""Accounts as values: a device's list reaches no topic but its own, whatever the codes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.accounts.account import (
    SERVICE,
    Access,
    Account,
    device,
    gateway,
    member,
    parse_name,
    service,
    topics,
)
from devices.accounts.commands import create_role, hand_out
from devices.accounts.errors import AccountNameError
from devices.accounts.initial import credential, initial
from devices.topic import RESERVED, SUBSCRIPTIONS

CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DEVICES = CODES.filter(lambda code: code not in RESERVED)
LEVELS = st.one_of(
    CODES, st.sampled_from(["", "up", "status", "down", "ext", "alerts", "gw", "v1", "$SYS", "+#"])
)
TOPICS = st.lists(LEVELS, min_size=1, max_size=7).map("/".join)


def matches(pattern: str, topic: str) -> bool:
    """MQTT 5.0, 4.7: '+' is one level, '#' the parent and all below, neither begins with '$'."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in {"+", levels[number]}:
            return False
    return len(levels) == len(wanted)


def may(account: Account, access: Access, topic: str) -> bool:
    """What the list says of a topic: the highest priority that matches, denied if none does."""
    found = [
        (entry.priority, not entry.allow)
        for entry in account.entries
        if entry.access == access and matches(entry.topic, topic)
    ]
    # Of equal priority, a denial is taken here as the stronger: none of ours depends on it.
    return bool(found) and not max(found)[1]


@given(community=CODES, code=DEVICES, topic=TOPICS)
def test_a_device_reaches_no_topic_but_its_own(community: str, code: str, topic: str) -> None:
    account, own = device(community, code), f"gw/v1/{community}/{code}"
    assert may(account, Access.PUBLISH, topic) == (topic in {f"{own}/up", f"{own}/status"})
    assert may(account, Access.RECEIVE, topic) == (topic == f"{own}/down")


@given(community=CODES, code=DEVICES, other=CODES, device_=CODES, end=LEVELS)
def test_near_misses_too(community: str, code: str, other: str, device_: str, end: str) -> None:
    account = device(community, code)
    topic = f"gw/v1/{other}/{device_}/{end}"
    if (other, device_) != (community, code):
        assert not may(account, Access.PUBLISH, topic)
        assert not may(account, Access.RECEIVE, topic)
    assert not any("+" in entry.topic or "#" in entry.topic for entry in account.entries)


@given(community=CODES, code=DEVICES, other=CODES, rest=TOPICS)
def test_a_gateway_stays_in_its_community_and_out_of_its_alerts(
    community: str, code: str, other: str, rest: str
) -> None:
    account = gateway(community, code)
    for access in (Access.PUBLISH, Access.RECEIVE):
        assert not may(account, access, f"gw/v1/{community}/alerts/{rest}")
        assert not may(account, access, rest) or rest.startswith(f"gw/v1/{community}/")
        if other != community:
            assert not may(account, access, f"gw/v1/{other}/{rest}")
    assert may(account, Access.PUBLISH, f"gw/v1/{community}/ext/{rest}")


@given(name=st.text(max_size=80))
def test_no_name_brings_a_wildcard_or_a_level_of_its_own(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        with pytest.raises(AccountNameError):
            device("c", name)
        with pytest.raises(AccountNameError):
            device(name, "d")
        with pytest.raises(AccountNameError):
            member(name)


@pytest.mark.parametrize("code", sorted(RESERVED))
def test_a_reserved_level_is_no_device(code: str) -> None:
    with pytest.raises(AccountNameError, match="reserved"):
        device("north", code)


def test_the_service_hears_all_that_it_collects() -> None:
    entries = {(entry.access, entry.topic) for entry in service().entries}
    for topic in SUBSCRIPTIONS:
        assert {(Access.SUBSCRIBE_PATTERN, topic), (Access.RECEIVE, topic)} <= entries


@given(community=CODES, code=DEVICES)
def test_names_lead_back_and_no_two_are_the_same(community: str, code: str) -> None:
    assert parse_name(device(community, code).username) == (community, code)
    assert parse_name(member(code).username) == (None, code)
    assert member(code).username != device("member", code).username != SERVICE


@pytest.mark.parametrize("name", ["", "x", "a/b/c", "member:", "member:a/b", "a/ext", "a/+", "#/b"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(AccountNameError):
        parse_name(name)


@pytest.mark.parametrize("client_id", ["gridwarden-ingest", "with space", "é", "x" * 129])
def test_client_ids_that_cannot_be(client_id: str) -> None:
    with pytest.raises(AccountNameError):
        device("north", "d1", client_id)


def test_a_community_may_be_called_like_the_service() -> None:
    assert device("gridwarden", "d1").client_id == "gridwarden/d1"


def test_what_an_installer_is_told() -> None:
    assert topics(device("north", "d1")) == (
        ["gw/v1/north/d1/status", "gw/v1/north/d1/up"],
        ["gw/v1/north/d1/down"],
    )


def test_a_secret_shows_nowhere() -> None:
    given_ = credential(device("north", "d1"))
    assert len(given_.secret) == 32
    assert given_.secret != credential(device("north", "d1")).secret
    commands = hand_out(given_.account, given_.secret, client=False, role=False)
    assert given_.secret not in f"{given_!r} {given_} {commands!r} {create_role(given_.account)}"
    assert given_.secret in str([command.body() for command in commands])
    assert given_.secret.encode() not in initial([given_])
