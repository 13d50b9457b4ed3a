"""Channels: one file each, one way to send."""
