"""The session cookie: signed, never trusted beyond who signed in and when."""

import hashlib
import secrets
from dataclasses import asdict, dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from alerts.web.config import WebConfig


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in (None: nobody), what their forms must repeat, and which password it was."""

    member: int | None
    form_token: str
    password_mark: str = ""


def start(member: int | None = None, password_hash: str = "") -> Session:
    """A session with a form token of its own."""
    return Session(member, secrets.token_urlsafe(16), mark(password_hash))


def mark(password_hash: str | None) -> str:
    """Changes with the password, so that old sessions end; tells nothing of the hash."""
    return hashlib.sha256((password_hash or "").encode()).hexdigest()[:16]


class Seal:
    """Writes sessions as cookie text, and reads back only what it wrote and what is not too old."""

    def __init__(self, config: WebConfig) -> None:
        self._serializer = URLSafeTimedSerializer(config.secret_key, salt="gridwarden.session")
        self._age = config.session_s
        self.name = "__Host-gridwarden" if config.secure_cookies else "gridwarden"

    def write(self, session: Session) -> str:
        """Text for the cookie."""
        return self._serializer.dumps(asdict(session))

    def read(self, text: str | None) -> Session | None:
        """The session in this cookie, None where there is none to be trusted."""
        if not text:
            return None
        try:
            return Session(**self._serializer.loads(text, max_age=self._age))
        except (BadData, TypeError):
            return None
