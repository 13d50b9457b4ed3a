"""Up to when has everything been heard that the broker accepted? Pure.

Rules fire their timers only up to this instant: a reading that waits in the broker's queue, in the
socket or in a batch not yet committed may still say that all is well. So the answer stands still
while the session is away or catching up, and never goes back.

The session counts as caught up once it has been connected and calm for `SETTLE` real seconds; calm
means that less than half of the receive window is unacknowledged, so that the broker is not holding
messages back. This needs a broker whose in-flight limit is no smaller than the receive window.
"""

from dataclasses import dataclass, replace

from devices.instant import Micros

SETTLE = 1.0
"""Real seconds of calm after which the broker's backlog counts as drained."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is known of the session's calm.

    heard: the last answer, µs since the Unix epoch, UTC · calm_since: real seconds on a monotonic
    clock since when the session is connected and not crowded; None while it is not.
    """

    heard: Micros
    calm_since: float | None = None

    def observe(self, *, connected: bool, unacknowledged: int, window: int, at: float) -> "Hearing":
        """The session as seen at `at` (monotonic, s), with so many messages of `window` out."""
        calm = connected and unacknowledged * 2 < max(window, 2)
        if not calm:
            return replace(self, calm_since=None)
        return self if self.calm_since is not None else replace(self, calm_since=at)

    def settled(self, at: float) -> bool:
        """True once the session has been calm for `SETTLE` seconds."""
        return self.calm_since is not None and at - self.calm_since >= SETTLE

    def until(self, now: Micros, at: float, *, drained: Micros, oldest: Micros | None) -> Micros:
        """Up to when all is heard, µs UTC; never before `heard`.

        drained: when the socket was last seen empty · oldest: the earliest arrival that is not yet
        committed, None if there is none.
        """
        if not self.settled(at):
            return self.heard
        return max(self.heard, min(now, drained, now if oldest is None else oldest))

    def reaching(self, heard: Micros) -> "Hearing":
        """The same session, with an answer given that later ones must not fall behind."""
        return replace(self, heard=max(self.heard, heard))
