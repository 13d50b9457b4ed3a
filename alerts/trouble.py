"""Failures that may last, logged when they begin and when they end."""

import logging

log = logging.getLogger("alerts.outbox")


class Trouble:
    """One failure that may last: said when it begins and when it ends, counted in between."""

    def __init__(self, action: str, what: str) -> None:
        self._action = action
        self._what = what
        self.count = 0

    def met(self, reason: str) -> None:
        """It failed again."""
        self.count += 1
        if self.count == 1:
            extra = {"action": f"{self._action}_failing", "what": self._what, "reason": reason}
            log.warning("Something the outbox needs is failing.", extra=extra)

    def over(self) -> None:
        """It works."""
        if self.count:
            extra = {"action": f"{self._action}_recovered", "what": self._what}
            log.info("It works again.", extra={**extra, "failures": self.count})
        self.count = 0
