"""A bare paho-mqtt client: the session that is drained, and the reference that drains it."""

import time
from collections.abc import Callable
from select import POLLIN, POLLOUT, poll
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.simulator.publish import Address
from gridwarden.shard import WHOLE, Shard
from gridwarden.subscriptions import topics_of
from tests.bench_ingest.feed import COMMUNITIES

CLIENT = "bench-ingest"
WINDOW = 20_000
VERSIONS = ("3.1.1", "5")
"""Of MQTT, that the bare drain speaks; paho is quicker in the first, which is the reference."""


def connected(
    broker_url: str,
    prepare: Callable[[mqtt.Client], None],
    version: str,
    shard: Shard = WHOLE,
) -> mqtt.Client:
    """A paho-mqtt client of the session, that writes when it is told."""
    version5 = version == "5"
    own = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        shard.client_id(CLIENT),
        clean_session=None if version5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    own.on_socket_register_write = lambda *_: None
    prepare(own)
    address = Address.parse(broker_url)
    if version5:
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = 3_600
        wanted.ReceiveMaximum = WINDOW
        own.connect(address.host, address.port, clean_start=False, properties=wanted)
    else:
        own.connect(address.host, address.port)
    return own


def serve(own: mqtt.Client, seen: Callable[[], int], count: int) -> None:
    """Read all there is, write what is queued, until `count` are seen; a poll in between."""
    sock = own.socket()
    assert sock is not None
    poller = poll()
    poller.register(sock)
    while seen() < count:
        poller.modify(sock, POLLIN | (POLLOUT if own.want_write() else 0))
        for _, event in poller.poll(1_000):
            before = -1
            while event & POLLIN and before < seen() < count:
                before = seen()
                own.loop_read()
        own.loop_write()


def hold(broker_url: str, shard: Shard = WHOLE) -> None:
    """Make the persistent session of this shard, so that the broker queues for it."""
    granted: list[object] = []
    owned = [community for community in COMMUNITIES if shard.owns(community)]
    wanted = topics_of(shard, owned)

    def subscribe(own: mqtt.Client, *_: object) -> None:
        own.subscribe([(topic, 1) for topic in wanted])

    def prepare(own: mqtt.Client) -> None:
        own.on_connect = subscribe
        own.on_subscribe = lambda *_: granted.append(_)

    own = connected(broker_url, prepare, "3.1.1", shard)
    serve(own, lambda: len(granted), 1)
    own.disconnect()
    own.loop_write()


def reference(broker_url: str, count: int, version: str) -> tuple[float, float]:
    """A bare drain: paho-mqtt acknowledges each message as it comes. Seconds, and CPU seconds."""
    seen = 0

    def take(own: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        seen += 1
        own.ack(message.mid, message.qos)

    def prepare(own: mqtt.Client) -> None:
        own.on_message = take

    began, cpu = time.perf_counter(), time.process_time()
    own = connected(broker_url, prepare, version)
    serve(own, lambda: seen, count)
    own.loop_write()
    took = time.perf_counter() - began, time.process_time() - cpu
    own.disconnect()
    own.loop_write()
    return took
