"""What lies where in a member's inbox, and in which order. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.model import AlertState
from alerts.web.rows import AlertRow
from rules.model import Severity

GRAVITY = tuple(Severity)
MOST_ENDED = 20


@dataclass(frozen=True, slots=True)
class Inbox:
    """What one member sees. mine: stand and are theirs · unrouted: stand and are nobody's · others:
    stand in their area and are somebody else's · ended: lately, theirs, the last to end first.
    """

    mine: Sequence[AlertRow]
    unrouted: Sequence[AlertRow]
    others: Sequence[AlertRow]
    ended: Sequence[AlertRow]

    @property
    def waiting(self) -> int:
        """How many of mine, and of nobody's, nobody has acknowledged."""
        return sum(a.state == AlertState.OPEN for a in (*self.mine, *self.unrouted))

    @property
    def shown(self) -> Sequence[AlertRow]:
        """All of them."""
        return (*self.mine, *self.unrouted, *self.others, *self.ended)


def urgency(alert: AlertRow) -> tuple[bool, int, bool, float]:
    """Sorts unacknowledged first, then the gravest, then unread, then the newest."""
    acknowledged = alert.state != AlertState.OPEN
    gravity = GRAVITY.index(Severity(alert.severity))
    return acknowledged, gravity, not alert.unread, -alert.opened_at.timestamp()


def arrange(alerts: Iterable[AlertRow]) -> Inbox:
    """Sorts visible alerts (of one member) into their inbox."""
    alerts = list(alerts)
    standing = sorted((a for a in alerts if a.standing), key=urgency)
    ended = sorted(
        ((a.ended_at, a) for a in alerts if a.mine and a.ended_at and not a.standing),
        key=lambda pair: (pair[0], pair[1].id),
        reverse=True,
    )
    return Inbox(
        mine=[a for a in standing if a.mine],
        unrouted=[a for a in standing if a.unrouted and not a.mine],
        others=[a for a in standing if not a.mine and not a.unrouted],
        ended=[alert for _, alert in ended[:MOST_ENDED]],
    )
