"""Where and as whom to speak MQTT. Pure: parsed from a URL."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ingest.errors import SourceError

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """A broker, and the account to use there; the password is never shown.

    ca_file: PEM certificates of the authorities that may vouch for it; None: those of the system.
    """

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def __str__(self) -> str:
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def parse_address(url: str, ca_file: str | None = None) -> Address:
    """mqtt://[user:password@]host[:port], mqtts:// for TLS; SourceError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SourceError(f"the broker's URL cannot be read: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SourceError(
            "the broker's URL must be mqtt://[user:password@]host[:port], or mqtts://"
        )
    return Address(
        parts.hostname,
        port or _PORTS[parts.scheme],
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        ca_file,
    )
