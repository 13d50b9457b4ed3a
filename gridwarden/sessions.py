"""The sessions of a layout that is to come: subscribed, looked into, and freed of what others had.

Nothing is acknowledged but what lies before the mark, and that after the cut (see `reshard`).
"""

import asyncio
from dataclasses import dataclass

from devices.cancelling import give_way
from devices.instant import Clock
from devices.inventory import Inventory
from devices.topic import MARK
from gridwarden.collecting import open_source
from gridwarden.errors import ShardError
from gridwarden.pipeline import Pool
from gridwarden.settings import Settings
from gridwarden.shard import Shard
from gridwarden.subscriptions import Topics, topics_of
from ingest.message import RawMessage
from ingest.parting import end_session, publish_mark
from ingest.source import Source

ANSWER_S = 30.0
"""Real seconds that the broker may take to grant a session its subscriptions."""

MARK_S = 20.0
"""Real seconds without any message after which a session is taken to have no mark in it."""

WINDOW = 65_535
"""Messages that a session may have before the mark: as many as MQTT can have unacknowledged."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions at the broker, as these settings name them."""

    settings: Settings
    pool: Pool
    clock: Clock

    async def subscribe(self, shard: Shard, inventory: Inventory) -> None:
        """A fresh session with this shard's communities of the site; it goes on at the broker."""
        await self.end(shard)
        async with await self._open(shard, inventory) as source:
            await connected(source)

    async def look_for(self, mark: str, shard: Shard, inventory: Inventory) -> None:
        """ShardError unless the mark can be reached in the session."""
        async with await self._open(shard, inventory, mark) as source:
            await connected(source)
            if await before_mark(source) is None:
                raise ShardError(
                    f"the broker did not give the mark to the session of shard {shard}; nothing "
                    "was changed: run the command again, when less comes in if that does not help"
                )

    async def trim(self, mark: str, shard: Shard, inventory: Inventory) -> bool:
        """Acknowledge all that lies before the mark; False if that is not there, and nothing is."""
        while True:
            give_way()
            async with await self._open(shard, inventory, mark) as source:
                await connected(source)
                before = await before_mark(source)
                if before:
                    source.acknowledge(before)
            # An acknowledgement may get lost: only a session that begins with the mark is free.
            if not before:
                return before is not None

    async def end(self, shard: Shard) -> None:
        """End the session at the broker, with all that waits in it; SourceError if it is away."""
        client_id = shard.client_id(self.settings.mqtt_client_id)
        await end_session(self.settings.broker(), client_id, self.settings.mqtt_version)

    async def mark(self, text: str) -> None:
        """Publish a mark; returns when the broker has it. SourceError if it does not take it."""
        client_id = f"{self.settings.mqtt_client_id}-reshard"
        await publish_mark(self.settings.broker(), client_id, self.settings.mqtt_version, text)

    async def _open(self, shard: Shard, inventory: Inventory, until: str | None = None) -> Source:
        topics = topics_of(shard, shard.part_of(inventory).communities)
        wide = self.settings.model_copy(update={"receive_window": WINDOW})
        return await open_source(
            self.pool, wide, self.clock, shard, Topics((*topics, MARK)), until=until
        )


async def connected(source: Source) -> None:
    """Return once the broker has granted all subscriptions; ShardError if it takes too long."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await source.wait_connected()
    except TimeoutError:
        raise ShardError(
            f"the broker has not answered for {ANSWER_S:g} s; run the command again when it is "
            "back (`gridwarden doctor`)"
        ) from None


async def before_mark(source: Source) -> list[RawMessage] | None:
    """All that comes before the awaited mark, unacknowledged; None if that does not come."""
    came: list[RawMessage] = []
    while True:
        give_way()
        try:
            async with asyncio.timeout(MARK_S):
                batch = await source.receive()
        except TimeoutError:
            return None
        if not batch:
            return came
        came += batch
