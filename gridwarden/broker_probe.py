"""Asks a live broker what collecting needs: answers, kept sessions, messages sent ahead."""

import socket
import threading
import uuid
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

from devices.accounts.account import DOCTOR
from devices.topic import SUBSCRIPTIONS
from gridwarden.errors import GridwardenError
from ingest.address import Address, parse_address
from ingest.errors import SourceError

PUBLISHED = 1_200
WAIT_S = 5.0
SESSION_S = 60
_TOPIC = DOCTOR.removesuffix("/+")


class _RefusedError(GridwardenError):
    """The broker answers, and does not let us in."""


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What the probe saw. `in_flight` of `published` messages came before any PUBACK of ours.

    encrypted: by TLS · here: the broker is on this machine · open: it lets anybody in, who may
    publish (with MQTT 3.1.1 no broker says whether one may).
    """

    address: str
    version: str
    error: str = ""
    published: int = PUBLISHED
    in_flight: int = 0
    session_kept: bool = False
    encrypted: bool = False
    here: bool = False
    open: bool = False


@dataclass(slots=True)
class _Seen:
    """What the callbacks heard."""

    answered: threading.Event = field(default_factory=threading.Event)
    subscribed: threading.Event = field(default_factory=threading.Event)
    enough: threading.Event = field(default_factory=threading.Event)
    error: str = ""
    session: bool = False
    messages: int = 0


def probe(url: SecretStr, version: str, ca_file: str | None = None) -> BrokerReport:
    """Connect under a name of our own, publish to ourselves without acknowledging, come back."""
    try:
        address = parse_address(url.get_secret_value(), ca_file)
    except SourceError as error:
        return BrokerReport("", version, str(error))
    client_id = f"gridwarden-doctor-{uuid.uuid4().hex[:8]}"
    try:
        in_flight, kept = _measure(address, version, client_id)
        lets_in = _lets_anybody_in(address, version, client_id)
    except (OSError, GridwardenError) as error:
        return BrokerReport(str(address), version, f"{address} does not answer: {error}")
    return BrokerReport(
        str(address),
        version,
        in_flight=in_flight,
        session_kept=kept,
        encrypted=address.tls,
        here=_is_here(address.host),
        open=lets_in,
    )


def communities_heard(
    url: SecretStr, version: str, ca_file: str | None, *, seconds: float
) -> frozenset[str]:
    """The communities that anything comes from while this listens, at QoS 0, on all of them.

    OSError, SourceError or GridwardenError where the broker does not answer.
    """
    address = parse_address(url.get_secret_value(), ca_file)
    heard: set[str] = set()
    client_id = f"gridwarden-doctor-{uuid.uuid4().hex[:8]}"
    seen = _Seen()
    client = _connect(address, version, client_id, seen, forget=True)

    def message(_client: mqtt.Client, _data: object, came: mqtt.MQTTMessage) -> None:
        # What is retained may have been said long ago.
        if not came.retain:
            heard.add(came.topic.split("/")[2])

    client.on_message = message
    client.subscribe([(topic, 0) for topic in SUBSCRIPTIONS])
    seen.subscribed.wait(WAIT_S)
    threading.Event().wait(seconds)
    _leave(client)
    return frozenset(heard)


def _measure(address: Address, version: str, client_id: str) -> tuple[int, bool]:
    topic = f"{_TOPIC}/{client_id}"
    seen = _Seen()
    client = _connect(address, version, client_id, seen)
    try:
        client.subscribe(topic, qos=1)
        seen.subscribed.wait(WAIT_S)
        for number in range(PUBLISHED):
            client.publish(topic, str(number), qos=1)
        seen.enough.wait(WAIT_S)
    finally:
        _leave(client)
    again = _Seen()
    client = _connect(address, version, client_id, again)
    client.unsubscribe(topic)
    _leave(client)
    _leave(_connect(address, version, client_id, _Seen(), forget=True))
    return seen.messages, again.session


def _lets_anybody_in(address: Address, version: str, client_id: str) -> bool:
    nobody = replace(address, username=None, password=None)
    accepted, answered = [], threading.Event()

    def published(
        _client: mqtt.Client, _data: object, _mid: int, reason: ReasonCode, _more: object
    ) -> None:
        accepted.append(not reason.is_failure)
        answered.set()

    try:
        client = _connect(nobody, version, f"{client_id}-nobody", _Seen(), forget=True)
    except _RefusedError:
        return False
    client.on_publish = published
    client.publish(f"{_TOPIC}/{client_id}", "nobody", qos=1)
    answered.wait(WAIT_S)
    _leave(client)
    return any(accepted)


def _is_here(host: str) -> bool:
    """Whether all addresses of `host` are loopback addresses."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ip_address(str(one).partition("%")[0]).is_loopback for one in found)


def _connect(
    address: Address, version: str, client_id: str, seen: _Seen, *, forget: bool = False
) -> mqtt.Client:
    five = version == "5"
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if five else forget,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.max_inflight_messages_set(0)
    client.username_pw_set(address.username, address.password)
    if address.tls:
        client.tls_set(ca_certs=address.ca_file)
    _listen(client, seen)
    properties = _session_properties(forget=forget) if five else None
    if five:
        client.connect(address.host, address.port, clean_start=forget, properties=properties)
    else:
        client.connect(address.host, address.port)
    client.loop_start()
    if not seen.answered.wait(WAIT_S):
        _leave(client)
        raise GridwardenError(f"no CONNACK within {WAIT_S:g} s")
    if seen.error:
        _leave(client)
        raise _RefusedError(seen.error)
    return client


def _session_properties(*, forget: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0 if forget else SESSION_S
    properties.ReceiveMaximum = 65_535
    return properties


def _listen(client: mqtt.Client, seen: _Seen) -> None:
    def connected(
        _client: mqtt.Client,
        _data: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        seen.session = flags.session_present
        seen.error = str(reason) if reason.is_failure else ""
        seen.answered.set()

    def message(_client: mqtt.Client, _data: object, _message: mqtt.MQTTMessage) -> None:
        seen.messages += 1
        if seen.messages >= PUBLISHED:
            seen.enough.set()

    client.on_connect = connected
    client.on_message = message
    client.on_subscribe = lambda *_granted: seen.subscribed.set()


def _leave(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()
