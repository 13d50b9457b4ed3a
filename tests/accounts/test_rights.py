"""What each kind of account may do, on a real broker.

What must not arrive is proven by what arrives after it: the listener hears, next, the message that
was sent later and is allowed.
"""

from collections.abc import Callable, Iterator

import pytest

from devices.accounts.account import ADMIN, SERVICE, device, gateway, member
from devices.topic import MARK, SUBSCRIPTIONS, subscriptions
from tests.accounts.guarded import Guarded, start
from tests.accounts.party import Party, Said
from tests.services.server import Provider

DEVICE, OTHER = device("north", "d1"), device("north", "d2")
ELSEWHERE = device("south", "d1")
GATEWAY = gateway("north", "gw-1")
MEMBER, NAMED_UP = member("wang-fang"), member("up")
NOT_AUTHORISED = 135
MALFORMED_OR_REFUSED = 128

UP, STATUS, DOWN = (f"gw/v1/north/d1/{end}" for end in ("up", "status", "down"))

FOREIGN = [
    DOWN,
    "gw/v1/north/d1/other",
    "gw/v1/north/d1/up/more",
    "gw/v1/north/d2/up",
    "gw/v1/north/d2/status",
    "gw/v1/north/d2/down",
    "gw/v1/south/d1/up",
    "gw/v1/north/ext/senml/d1",
    "gw/v1/north/cmd/sparkplug/x",
    "gw/v1/north/alerts/wang-fang",
    "gw/v1/north/alerts/up",
    "gridwarden/doctor/x",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    "anything",
]
SPYING = [
    "#",
    "gw/#",
    "+/+/+/+/+",
    "gw/v1/+/+/up",
    "gw/v1/+/+/down",
    "gw/v1/north/+/down",
    "gw/v1/north/d1/#",
    "gw/v1/north/d1/+",
    UP,
    "gw/v1/north/d2/down",
    "gw/v1/north/d2/up",
    "gw/v1/north/alerts/+",
    "gw/v1/north/cmd/#",
    f"$share/all/{UP}",
    f"$share/all/{DOWN}",
    "$SYS/#",
    "$CONTROL/#",
    "$CONTROL/dynamic-security/v1/response",
]


@pytest.fixture(scope="module")
def broker(
    services: Callable[[], Provider], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    """A broker that all of this file's accounts share."""
    folder = tmp_path_factory.mktemp("rights") / "tls"
    started = start(services, folder, DEVICE, OTHER, ELSEWHERE, GATEWAY, MEMBER, NAMED_UP)
    yield started
    started.server.remove()


@pytest.fixture
def spy(broker: Guarded) -> Iterator[Party]:
    """The service, subscribed to all that it collects."""
    with broker.party(SERVICE, client_id="gridwarden-ingest") as party:
        assert [party.subscribe(topic) for topic in SUBSCRIPTIONS] == [1, 1, 1]
        yield party


def test_the_service_may_subscribe_by_community(broker: Guarded) -> None:
    with broker.party(SERVICE, client_id="gridwarden-ingest-0-of-2") as party:
        own = (*subscriptions("north"), MARK)
        assert [party.subscribe(topic) for topic in own] == [1, 1, 1, 1]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_device_speaks_on_its_own_topics(broker: Guarded, spy: Party, version: str) -> None:
    with broker.party(DEVICE, version=version) as speaker:
        for topic in (UP, STATUS):
            assert speaker.publish(topic, version) == 0
            assert spy.hear() == Said(topic, version.encode())


def test_a_device_hears_its_own_down_from_the_service(broker: Guarded, spy: Party) -> None:
    with broker.party(DEVICE) as hearer:
        assert hearer.subscribe(DOWN) == 1
        assert spy.publish("gw/v1/north/d2/down", "not yours") in {0, 16}
        assert spy.publish(DOWN, "yours") == 0
        assert hearer.hear() == Said(DOWN, b"yours")


@pytest.mark.parametrize("topic", FOREIGN)
def test_what_a_device_may_not_say_is_refused_and_never_arrives(
    broker: Guarded, spy: Party, topic: str
) -> None:
    with broker.party(DEVICE) as speaker:
        assert speaker.publish(topic, "forbidden") == NOT_AUTHORISED
        assert speaker.publish(topic, "forbidden", retain=True) == NOT_AUTHORISED
        assert speaker.publish(UP, "allowed") == 0
    assert spy.hear() == Said(UP, b"allowed")


@pytest.mark.parametrize("topic", FOREIGN)
def test_mqtt_3_1_1_acknowledges_what_is_dropped(broker: Guarded, spy: Party, topic: str) -> None:
    with broker.party(DEVICE, version="3.1.1") as speaker:
        assert speaker.publish(topic, "forbidden") == 0
        assert speaker.publish(UP, "allowed") == 0
    assert spy.hear() == Said(UP, b"allowed")


@pytest.mark.parametrize("topic", SPYING)
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_a_device_may_not_hear(broker: Guarded, spy: Party, topic: str, version: str) -> None:
    refused = NOT_AUTHORISED if version == "5" else MALFORMED_OR_REFUSED
    with broker.party(DEVICE, version=version) as hearer, broker.party(OTHER) as other:
        assert hearer.subscribe(topic) == refused
        assert hearer.subscribe(DOWN) == 1
        assert other.publish("gw/v1/north/d2/up", "another's") == 0
        assert spy.publish("gw/v1/north/d2/down", "another's") in {0, 16}
        assert spy.publish("gw/v1/north/alerts/wang-fang", "another's") in {0, 16}
        assert spy.publish(DOWN, "yours") == 0
        assert hearer.hear() == Said(DOWN, b"yours")


def test_a_gateway_speaks_for_its_community(broker: Guarded, spy: Party) -> None:
    allowed = ("gw/v1/north/ext/zigbee2mqtt/hall", UP, "gw/v1/north/d2/status")
    with broker.party(GATEWAY) as speaker:
        for topic in allowed:
            assert speaker.publish(topic, "ours") == 0
            assert spy.hear() == Said(topic, b"ours")


@pytest.mark.parametrize(
    "topic",
    [
        "gw/v1/south/d1/up",
        "gw/v1/south/ext/senml/x",
        "gw/v1/north/alerts/wang-fang",
        "gw/v1/north/alerts/up",
        "gw/v1/north/alerts/status",
        "gw/v1/north/cmd/sparkplug/x",
        DOWN,
        "$CONTROL/dynamic-security/v1",
    ],
)
def test_what_a_gateway_may_not_say(broker: Guarded, spy: Party, topic: str) -> None:
    with broker.party(GATEWAY) as speaker, broker.party(NAMED_UP) as up:
        assert up.subscribe("gw/v1/+/alerts/up") == 1
        assert speaker.publish(topic, "forbidden") == NOT_AUTHORISED
        assert speaker.publish(UP, "allowed") == 0
        assert spy.hear() == Said(UP, b"allowed")
        assert spy.publish("gw/v1/north/alerts/up", "alert") == 0
        assert up.hear() == Said("gw/v1/north/alerts/up", b"alert")
        assert spy.hear() == Said("gw/v1/north/alerts/up", b"alert")


@pytest.mark.parametrize(
    "topic",
    [
        "#",
        "gw/v1/+/+/down",
        "gw/v1/south/+/down",
        "gw/v1/south/cmd/#",
        "gw/v1/+/cmd/#",
        "gw/v1/north/+/up",
        "gw/v1/north/+/+",
        "gw/v1/north/#",
        "gw/v1/north/alerts/down",
        "gw/v1/north/alerts/+",
        "gw/v1/north/ext/#",
    ],
)
def test_what_a_gateway_may_not_hear(broker: Guarded, spy: Party, topic: str) -> None:
    with broker.party(GATEWAY) as hearer:
        assert hearer.subscribe(topic) == NOT_AUTHORISED
        assert hearer.subscribe("gw/v1/north/+/down") == 1
        assert spy.publish("gw/v1/south/d1/down", "another's") in {0, 16}
        # 'down' may be the code of a member, whose alerts lie where the pattern above reaches.
        assert spy.publish("gw/v1/north/alerts/down", "a member's") in {0, 16}
        assert spy.publish(DOWN, "for one of ours") == 0
        assert hearer.hear() == Said(DOWN, b"for one of ours")


def test_a_gateway_hears_the_commands_of_its_community(broker: Guarded, spy: Party) -> None:
    with broker.party(GATEWAY) as hearer:
        assert hearer.subscribe("gw/v1/north/cmd/#") == 1
        assert spy.publish("gw/v1/south/cmd/sparkplug/x", "another's") in {0, 16}
        assert spy.publish("gw/v1/north/cmd/sparkplug/x", "yours") == 0
        assert hearer.hear() == Said("gw/v1/north/cmd/sparkplug/x", b"yours")


def test_a_member_hears_their_own_alerts_of_all_communities(broker: Guarded, spy: Party) -> None:
    with broker.party(MEMBER) as hearer:
        assert hearer.subscribe("gw/v1/+/alerts/wang-fang") == 1
        for topic in ("gw/v1/north/alerts/wang-fang", "gw/v1/south/alerts/wang-fang"):
            assert spy.publish("gw/v1/north/alerts/up", "another's") in {0, 16}
            spy.hear()
            assert spy.publish(topic, "yours") == 0
            assert hearer.hear() == Said(topic, b"yours")


@pytest.mark.parametrize(
    "topic", ["#", "gw/v1/+/alerts/+", "gw/v1/north/alerts/up", "gw/v1/+/+/wang-fang", UP]
)
def test_what_a_member_may_not_hear(broker: Guarded, topic: str) -> None:
    with broker.party(MEMBER) as hearer:
        assert hearer.subscribe(topic) == NOT_AUTHORISED


@pytest.mark.parametrize("topic", ["gw/v1/north/alerts/wang-fang", UP, DOWN, "x"])
def test_a_member_says_nothing(broker: Guarded, spy: Party, topic: str) -> None:
    with broker.party(MEMBER) as speaker, broker.party(DEVICE) as other:
        assert speaker.publish(topic, "forbidden") == NOT_AUTHORISED
        assert other.publish(UP, "allowed") == 0
    assert spy.hear() == Said(UP, b"allowed")


@pytest.mark.parametrize("topic", [UP, STATUS, "gw/v1/north/x/y/z", "$CONTROL/dynamic-security/v1"])
def test_the_service_does_not_play_a_device_or_the_administrator(
    broker: Guarded, spy: Party, topic: str
) -> None:
    assert spy.publish(topic, "forbidden") == NOT_AUTHORISED


@pytest.mark.parametrize("topic", [UP, "gw/v1/+/+/up", "#"])
def test_the_administrator_is_nothing_else(broker: Guarded, topic: str) -> None:
    with broker.party(ADMIN) as party:
        assert party.subscribe(topic) == NOT_AUTHORISED
        assert party.publish(UP) == NOT_AUTHORISED


def test_nobody_comes_in_without_an_account(broker: Guarded) -> None:
    for username, password in ((None, None), ("nobody", "x"), (DEVICE.username, "wrong")):
        party = Party(broker.port, username, password)
        assert party.refusal == NOT_AUTHORISED
        party.close()


def test_a_device_cannot_take_over_the_services_session(broker: Guarded) -> None:
    """Else it could throw away what was acknowledged to others and not yet collected."""
    with broker.party(SERVICE, client_id="collector", keep=True) as service:
        assert service.subscribe("gw/v1/+/+/up") == 1
    with broker.party(DEVICE) as speaker:
        assert speaker.publish(UP, "waits") == 0
    for client_id in ("collector", OTHER.client_id, "any"):
        thief = broker.party(DEVICE, client_id=client_id, keep=True)
        assert thief.refusal == NOT_AUTHORISED
        thief.close()
    with broker.party(SERVICE, client_id="collector", keep=True) as service:
        assert service.hear() == Said(UP, b"waits")
