"""What one session had parted from what another will have, and sessions ended at the broker.

A mark is a message that several sessions are subscribed to. A broker that keeps one order of all
messages, as Mosquitto does, puts it at the same place in each of them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from devices.topic import MARK
from ingest.address import Address
from ingest.errors import SourceError
from ingest.session import Version

TIMEOUT_S = 10.0


async def end_session(address: Address, client_id: str, version: Version) -> None:
    """End the persistent session of this client id, with all that waits in it; SourceError."""
    async with _connected(address, client_id, version):
        pass


async def publish_mark(address: Address, client_id: str, version: Version, text: str) -> None:
    """Publish a mark with QoS 1; returns when the broker has it. SourceError if it does not."""
    async with _connected(address, client_id, version) as client:
        await client.publish(MARK, text, qos=1)


@asynccontextmanager
async def _connected(
    address: Address, client_id: str, version: Version
) -> AsyncIterator[aiomqtt.Client]:
    """A connection that begins without a session and leaves none."""
    five = version == "5"
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if five else True,
        clean_start=True if five else 3,
        timeout=TIMEOUT_S,
        tls_params=aiomqtt.TLSParameters(ca_certs=address.ca_file) if address.tls else None,
    )
    try:
        async with client:
            yield client
    except aiomqtt.MqttError as error:
        raise SourceError(f"the broker {address} does not do as asked: {error}") from error
