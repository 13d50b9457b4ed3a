"""Decides where the servers come from; the order stands in the package's docstring."""

import os
from dataclasses import dataclass

from tests.services import container, trixie
from tests.services.chroot import ChrootServers
from tests.services.server import Provider, ServiceMissingError

DATABASE_URL = "GRIDWARDEN_TEST_DATABASE_URL"
MQTT_URL = "GRIDWARDEN_TEST_MQTT_URL"

HELP = f"""The tests need a TimescaleDB and a Mosquitto. Provide one of these:
  - {DATABASE_URL} and {MQTT_URL}: a TimescaleDB whose user may create
    databases and a Mosquitto of your own (tests that kill servers need one of the two below too);
  - root on a machine with apt: a Debian folder is then made by debootstrap;
  - a container engine (docker or podman) that answers."""


@dataclass(frozen=True, slots=True)
class OwnServers:
    """The user's own servers, where the environment names them."""

    database_url: str | None
    mqtt_url: str | None


def own_servers() -> OwnServers:
    """What the environment names; an empty value counts as absent."""
    return OwnServers(os.environ.get(DATABASE_URL) or None, os.environ.get(MQTT_URL) or None)


def provider() -> Provider:
    """Starts servers on this machine; ServiceMissingError says what to provide if none can."""
    if trixie.possible():
        return ChrootServers(trixie.root())
    engine = container.engine()
    if engine is None:
        raise ServiceMissingError(HELP)
    return container.ContainerServers(engine)


def prepare() -> str:
    """Build or fetch what `provider` starts servers from; a sentence on where they come from.

    ServiceMissingError if there is no way and the user's own servers are not both named.
    """
    own = own_servers()
    if trixie.possible():
        source = f"from {trixie.root()}"
    elif (engine := container.engine()) is not None:
        container.pull(engine)
        source = f"containers of {engine}"
    elif own.database_url and own.mqtt_url:
        source = "none to kill: tests that kill a server will fail"
    else:
        raise ServiceMissingError(HELP)
    database = DATABASE_URL if own.database_url else source
    broker = MQTT_URL if own.mqtt_url else source
    return f"database {database}, broker {broker}; servers of a test's own: {source}"
