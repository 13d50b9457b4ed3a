"""A member's or a device's MQTT topic, QoS 1: delivered when the broker's PUBACK says it took it.

aiomqtt connects and drives the socket. It does not look at the PUBACK's reason code, with which an
MQTT 5 broker refuses (135: not authorised), and goes on waiting when the connection breaks; the
small subclass here does both.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import orjson
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from alerts.channels.base import (
    NOBODY_SUBSCRIBED,
    Delivered,
    Downlink,
    Notification,
    Rejected,
    Result,
    Retry,
)
from devices import topic
from devices.reading import Json

log = logging.getLogger(__name__)

QUOTA_EXCEEDED = 0x97
NO_MATCHING_SUBSCRIBERS = 0x10
_PASSING = frozenset({0x80, 0x83, QUOTA_EXCEEDED})
"""Unspecified error, implementation specific error, quota exceeded: may pass (MQTT 5, 3.4.2.1)."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to publish. version: '5' or '3.1.1' · timeout: s, of connect and PUBACK.

    tls: TLS, where ca_file (PEM) vouches for the broker, or the system's authorities if None.
    """

    hostname: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    version: str = "5"
    client_id: str | None = None
    timeout: float = 5.0
    tls: bool = False
    ca_file: str | None = None


class _Line:
    """One connection, made at the first message and again after a loss."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client: _Publisher | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Disconnect; idempotent."""
        if self._client is not None:
            await self._drop(self._client)

    async def _publish(
        self, where: str, body: Mapping[str, Json], *, keep_s: int | None = None
    ) -> Result:
        """Publish and wait for the PUBACK. keep_s: s, told to brokers of MQTT 5 only."""
        payload = orjson.dumps(dict(body))
        try:
            client = await self._connected()
        except (aiomqtt.MqttError, OSError) as error:
            return Retry(f"broker: {error}")
        try:
            return _judge(await client.confirm(where, payload, keep_s))
        except TimeoutError:
            await self._drop(client)
            return Retry(f"no PUBACK within {self._broker.timeout:.2f} s")
        except (aiomqtt.MqttError, OSError) as error:
            await self._drop(client)
            return Retry(f"broker: {error}")

    async def _drop(self, client: "_Publisher") -> None:
        if self._client is client:
            self._client = None
        with contextlib.suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)

    async def _connected(self) -> "_Publisher":
        async with self._connecting:
            if self._client is None or self._client.lost:
                client = _Publisher(self._broker)
                await client.__aenter__()
                self._client = client
            return self._client


class MqttChannel(_Line):
    """To members: their apps' topics."""

    async def send(self, notification: Notification) -> Result:
        """Publish and wait for the PUBACK; Rejected where the broker does not let us."""
        community = str(notification.body["community"])
        where = topic.alerts(community, notification.member_code)
        return await self._publish(where, notification.body)


class DeviceChannel(_Line):
    """To devices: their `down` topics. A broker that hangs up on us for these keeps no alert back:
    members are told over another connection.
    """

    async def send(self, downlink: Downlink) -> Result:
        """Publish and wait for the PUBACK; Rejected where the broker does not let us.

        An MQTT 5 broker is told how long to keep it for a device that sleeps.
        """
        where = topic.down(downlink.community, downlink.device_code)
        return await self._publish(where, downlink.body, keep_s=downlink.keep_s)


class _Publisher(aiomqtt.Client):
    """aiomqtt's client, with the reason code of each PUBACK."""

    def __init__(self, broker: Broker) -> None:
        v5 = broker.version == "5"
        super().__init__(
            broker.hostname,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.client_id,
            protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
            timeout=broker.timeout,
            keepalive=15,
            tls_params=aiomqtt.TLSParameters(ca_certs=broker.ca_file) if broker.tls else None,
            logger=log,
        )
        self._v5 = v5
        self._acks: dict[int, asyncio.Future[int]] = {}

    @property
    def lost(self) -> bool:
        """True once the connection has ended."""
        return self._disconnected.done()

    async def confirm(self, where: str, payload: bytes, keep_s: int | None) -> int:
        """Publish at QoS 1; the PUBACK's reason code. TimeoutError, aiomqtt.MqttError."""
        properties = _expiring(keep_s) if self._v5 and keep_s is not None else None
        info: MQTTMessageInfo = self._client.publish(where, payload, qos=1, properties=properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc)
        ack = self._acks.setdefault(info.mid, self._loop.create_future())
        try:
            return await self._first(ack)
        finally:
            del self._acks[info.mid]

    async def _first(self, ack: "asyncio.Future[int]") -> int:
        """The acknowledgement, unless the connection is lost before it or nothing comes."""
        waiting: set[asyncio.Future[Any]] = {ack, self._disconnected}
        await asyncio.wait(waiting, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
        if ack.done():
            return ack.result()
        if self._disconnected.done():
            raise aiomqtt.MqttError("connection lost before the PUBACK")
        raise TimeoutError

    def _on_publish(
        self,
        client: Client,  # noqa: ARG002 - paho's signature
        userdata: Any,  # noqa: ARG002
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,  # noqa: ARG002
    ) -> None:
        ack = self._acks.setdefault(mid, self._loop.create_future())
        if not ack.done():
            ack.set_result(reason_code.value)


def _expiring(keep_s: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = keep_s
    return properties


def _judge(code: int) -> Result:
    if code == NO_MATCHING_SUBSCRIBERS:
        return Delivered(NOBODY_SUBSCRIBED)
    if code < 0x80:
        return Delivered()
    if code in _PASSING:
        return Retry(f"PUBACK with reason code 0x{code:02x}")
    return Rejected(f"PUBACK with reason code 0x{code:02x}")
