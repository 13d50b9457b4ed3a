"""Errors of alerts."""


class AlertError(Exception):
    """Something about an alert is wrong."""


class NoSuchAlertError(AlertError):
    """There is no alert with this id, or the member may not see it."""


class NoSuchMemberError(AlertError):
    """There is no member with this code in service."""


class WeakPasswordError(AlertError, ValueError):
    """A password is too short or too long."""
