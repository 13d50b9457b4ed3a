"""What the inbox is told at its start."""

from dataclasses import dataclass, field

WEEK_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Settings of the inbox.

    secret_key: signs sessions and forms; whoever has it can sign in as anybody · time_zone: IANA
    name in which times are shown · secure_cookies: send cookies over https only · public_url: where
    members reach the inbox; if it is https, browsers are told to stay with https · session_s: how
    long a sign-in lasts, s · refresh_s: how often a live page is redrawn anyway, s.
    """

    secret_key: str = field(repr=False)
    time_zone: str = "Asia/Shanghai"
    secure_cookies: bool = False
    public_url: str = ""
    session_s: int = WEEK_S
    refresh_s: float = 20.0
