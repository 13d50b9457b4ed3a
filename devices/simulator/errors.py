"""Errors of the simulator."""

from devices.errors import DeviceError


class PublishError(DeviceError):
    """The broker cannot be reached, refuses, or has acknowledged nothing for too long."""
