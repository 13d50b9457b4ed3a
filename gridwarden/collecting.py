"""From settings to what collecting needs: a shard's session, and the limits of its messages."""

from devices.instant import SECOND, Clock, to_micros
from gridwarden.pipeline import Pool
from gridwarden.settings import Settings
from gridwarden.shard import Shard
from gridwarden.subscriptions import Topics
from ingest.batch import BatchPolicy
from ingest.decode import Limits
from ingest.limit import Allowance
from ingest.source import Source
from ingest.store import last_heard, undated


def limits_of(settings: Settings) -> Limits:
    """Which times a reading may have."""
    return Limits(
        earliest=to_micros(settings.earliest_time),
        max_ahead=round(settings.max_ahead_s * SECOND),
    )


def allowance_of(settings: Settings) -> Allowance:
    """What each device may send."""
    return Allowance(settings.device_burst, settings.device_rate, settings.device_rejects_kept)


async def open_source(  # noqa: PLR0917 - what the session is made of
    pool: Pool,
    settings: Settings,
    clock: Clock,
    shard: Shard,
    topics: Topics,
    until: str | None = None,
) -> Source:
    """The shard's session, to be entered; it goes on where the last one stopped.

    until: receiving ends before this mark.
    """
    async with pool.connection() as conn:
        heard = await last_heard(conn, shard.number)
        stored = await undated(conn, shard.number)
    return Source(
        url=settings.mqtt_url.get_secret_value(),
        client_id=shard.client_id(settings.mqtt_client_id),
        policy=BatchPolicy(
            settings.batch_messages, settings.batch_age_ms / 1_000, settings.batch_bytes
        ),
        clock=clock,
        version=settings.mqtt_version,
        receive_window=settings.receive_window,
        heard=heard,
        stored=stored,
        ca_file=settings.broker().ca_file,
        topics=topics.wanted,
        leave=topics.left,
        until=until,
    )
