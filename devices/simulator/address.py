"""Where a broker listens, and as whom to speak there. Pure."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens. ca_file: whom to trust over TLS, the system's if None."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: bool = False
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> "Address":
        """mqtt://[user[:password]@]host[:port], mqtts:// for TLS; ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("broker address is not mqtt(s)://[user:password@]host[:port]")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.hostname, port, user, password, parts.scheme == "mqtts", ca_file)


@dataclass(frozen=True, slots=True)
class Account:
    """As whom one connection speaks. client_id: the one it may connect under; None: any."""

    user: str | None
    password: str | None = field(repr=False)
    client_id: str | None = None
