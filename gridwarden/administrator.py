"""From settings to where the broker is administered."""

import ssl

from devices.accounts.control import Door
from gridwarden.settings import Settings


def door(settings: Settings) -> Door:
    """Where and as whom; ingest.errors.SourceError if no administrator's URL is set."""
    address = settings.broker_admin()
    return Door(
        address.host,
        address.port,
        address.username,
        address.password,
        ssl.create_default_context(cafile=address.ca_file) if address.tls else None,
    )
